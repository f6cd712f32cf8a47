package secrets

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
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
	mu       sync.RWMutex
	known    map[string]bool
	forms    []string          // of every secret, longest first
	replacer *strings.Replacer // of the forms; nil if there are none
}

// Add makes a secret known, in the forms in which it may turn up: itself, each of its lines, for a URL, quoted, in base64.
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
	for _, part := range append(strings.Split(secret, "\n"), secret) {
		if part = strings.TrimSpace(part); len(part) < shortest {
			continue
		}
		for _, form := range formsOf(part) {
			if !slices.Contains(m.forms, form) {
				m.forms = append(m.forms, form)
			}
		}
	}
	if len(m.forms) == 0 {
		return
	}
	slices.SortStableFunc(m.forms, func(a, b string) int { return len(b) - len(a) })
	pairs := make([]string, 0, 2*len(m.forms))
	for _, form := range m.forms {
		pairs = append(pairs, form, masked)
	}
	m.replacer = strings.NewReplacer(pairs...)
}

// formsOf lists the ways in which a secret is written.
func formsOf(secret string) []string {
	quoted, inJSON := strconv.Quote(secret), `""`
	if text, err := json.Marshal(secret); err == nil {
		inJSON = string(text)
	}
	forms := []string{
		secret, url.QueryEscape(secret), url.PathEscape(secret), quoted[1 : len(quoted)-1], inJSON[1 : len(inJSON)-1],
		base64.StdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret)),
	}
	// Within a longer text in base64, such as user:password, it stands at one of three offsets, its first and last digit mixed with others.
	const fewest = 8
	for offset := range 3 {
		padded := append(make([]byte, offset), secret...)
		begin, end := (8*offset+5)/6, 8*len(padded)/6
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			if end-begin >= fewest {
				forms = append(forms, encoding.EncodeToString(padded)[begin:end])
			}
		}
	}
	return slices.DeleteFunc(forms, func(form string) bool { return form == "" })
}

// Apply returns the text without secrets.
func (m *Mask) Apply(text string) string {
	m.mu.RLock()
	replacer := m.replacer
	m.mu.RUnlock()
	if replacer == nil {
		return text
	}
	return replacer.Replace(text)
}

// plenty is more than anybody shows of one text.
const plenty = 64 << 10

// clean takes secrets out of a text that is shown later, when it is cleaned: also those that only then become whole, and those whose blanks
// then become fewer.
func (m *Mask) clean(text string) string { return m.Apply(probes.Clean(m.Apply(text), plenty)) }

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
	defer func() {
		if v := recover(); v != nil {
			panic(p.mask.clean(fmt.Sprint(v))) // goes on to where panics of probes end
		}
	}()
	o, err := p.probe.Observe(ctx)
	if err != nil {
		return probes.Observation{}, maskedError{err, p.mask.clean(err.Error())}
	}
	o.Summary = p.mask.clean(o.Summary)
	o.Evidence = slices.Clone(o.Evidence)
	for i, e := range o.Evidence {
		e.Subject, e.Want, e.Got = p.mask.clean(e.Subject), p.mask.clean(e.Want), p.mask.clean(e.Got)
		e.Source, e.Repeat = p.mask.clean(e.Source), p.mask.clean(e.Repeat)
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
