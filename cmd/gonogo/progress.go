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

// say writes what is being done over the last line.
func (p *progress) say(text string) {
	if p.w != nil {
		_, _ = fmt.Fprintf(p.w, "\r\x1b[Klooking at %s", text)
	}
}

// tell writes a text over the last line.
func (p *progress) tell(text string) {
	if p.w != nil {
		_, _ = io.WriteString(p.w, "\r\x1b[K"+text)
	}
}

func (p *progress) clear() {
	if p.w != nil {
		_, _ = io.WriteString(p.w, "\r\x1b[K")
	}
}
