package main

import (
	"fmt"
	"io"

	"github.com/254carbon/gonogo/probes"
)

// progress shows on a terminal's standard error how far a sweep is.
type progress struct {
	w     io.Writer // nil if there is nobody to show it to
	total int
}

func (s *session) progress(total int) *progress {
	p := &progress{total: total}
	if _, ok := terminal(s.opts.err); ok && !dumb() {
		p.w = s.opts.err
	}
	p.show(0, total, probes.Result{})
	return p
}

// show writes one line over the last one.
func (p *progress) show(done, total int, _ probes.Result) {
	if p.w != nil {
		_, _ = fmt.Fprintf(p.w, "\r\x1b[Kasked %d of %d checks", done, total)
	}
}

func (p *progress) clear() {
	if p.w != nil {
		_, _ = io.WriteString(p.w, "\r\x1b[K")
	}
}
