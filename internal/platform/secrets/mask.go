package secrets

import (
	"context"
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/254carbon/gonogo/probes"
)

// masked stands where a secret stood.
const masked = "•••"

// shortest is the length from which a text is masked: shorter ones are in too many words that are no secret.
const shortest = 4

// Mask takes secrets out of texts. Its zero value knows none. It is safe for concurrent use.
type Mask struct {
	mu     sync.RWMutex
	known  map[string]bool
	longer []string // every form of every secret, longest first
}

// Add makes a secret known, in the forms in which it may turn up: itself, each of its lines, for a URL, in base64.
func (m *Mask) Add(secret string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known[secret] {
		return
	}
	if m.known == nil {
		m.known = map[string]bool{}
	}
	m.known[secret] = true
	forms := append(strings.Split(secret, "\n"), secret)
	for _, f := range forms {
		f = strings.TrimSpace(f)
		if len(f) < shortest {
			continue
		}
		for _, form := range []string{
			f, url.QueryEscape(f), url.PathEscape(f),
			base64.StdEncoding.EncodeToString([]byte(f)), base64.RawURLEncoding.EncodeToString([]byte(f)),
		} {
			if !slices.Contains(m.longer, form) {
				m.longer = append(m.longer, form)
			}
		}
	}
	slices.SortFunc(m.longer, func(a, b string) int { return len(b) - len(a) })
}

// Apply returns the text without secrets.
func (m *Mask) Apply(text string) string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, form := range m.longer {
		text = strings.ReplaceAll(text, form, masked)
	}
	return text
}

// Wrap returns a probe whose answers hold no secret that is known by then.
func (m *Mask) Wrap(p probes.Probe) probes.Probe {
	if w, ok := p.(probes.Watching); ok {
		return watchingProbe{Probe: maskedProbe{p, m}, Watching: w}
	}
	return maskedProbe{p, m}
}

type watchingProbe struct {
	probes.Probe
	probes.Watching
}

type maskedProbe struct {
	probe probes.Probe
	mask  *Mask
}

// Observe asks the probe and masks its answer.
func (p maskedProbe) Observe(ctx context.Context) (probes.Observation, error) {
	o, err := p.probe.Observe(ctx)
	if err != nil {
		return probes.Observation{}, maskedError{err, p.mask.Apply(err.Error())}
	}
	o.Summary = p.mask.Apply(o.Summary)
	for i, e := range o.Evidence {
		e.Subject, e.Want, e.Got = p.mask.Apply(e.Subject), p.mask.Apply(e.Want), p.mask.Apply(e.Got)
		e.Source, e.Repeat = p.mask.Apply(e.Source), p.mask.Apply(e.Repeat)
		o.Evidence[i] = e
	}
	return o, nil
}

type maskedError struct {
	error
	text string
}

func (e maskedError) Error() string { return e.text }
func (e maskedError) Unwrap() error { return e.error }
