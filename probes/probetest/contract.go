package probetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/254carbon/gonogo/probes"
)

const (
	enough = 20 * time.Second // a probe that takes longer than this against a local source hangs
	soon   = time.Second      // within which the end of a context must be noticed
)

// observe calls the probe itself, not through Ask, so that what Ask would mend is seen.
func observe(ctx context.Context, t *testing.T, p probes.Probe) (obs probes.Observation, err error) {
	t.Helper()
	type answer struct {
		obs   probes.Observation
		err   error
		panic any
	}
	answers := make(chan answer, 1)
	go func() {
		var a answer
		defer func() {
			a.panic = recover()
			answers <- a
		}()
		a.obs, a.err = p.Observe(ctx)
	}()
	select {
	case a := <-answers:
		if a.panic != nil {
			t.Fatalf("the probe panicked: %v", a.panic)
		}
		return a.obs, a.err
	case <-time.After(enough):
		t.Fatalf("no answer within %s", enough)
	}
	return obs, err
}

func (s Suite) world(t *testing.T, w World) {
	obs, err := observe(t.Context(), t, w.New(t))
	if err != nil {
		t.Fatalf("could not ask: %v", err)
	}
	if obs.Status != w.Want {
		t.Fatalf("status %s, want %s\n%s", obs.Status, w.Want, describe(obs))
	}
	for _, fault := range faults(obs) {
		t.Errorf("%s\n%s", fault, describe(obs))
	}
	if w.Ratio != (probes.Ratio{}) && (obs.Ratio.Num*w.Ratio.Den != w.Ratio.Num*obs.Ratio.Den) {
		t.Errorf("the warning is worth %d/%d, want %d/%d", obs.Ratio.Num, obs.Ratio.Den, w.Ratio.Num, w.Ratio.Den)
	}
	for _, word := range w.Says {
		if !contains(obs.Summary, word) {
			t.Errorf("the summary does not say %q: %s", word, obs.Summary)
		}
	}
	all := describe(obs)
	for _, word := range w.Shows {
		if !slices.ContainsFunc(obs.Evidence, func(e probes.Evidence) bool { return contains(evidenceText(e), word) }) {
			t.Errorf("no evidence shows %q\n%s", word, all)
		}
	}
	for _, word := range slices.Concat(w.Never, s.Secrets) {
		if contains(all, word) {
			t.Errorf("the answer holds %q\n%s", word, all)
		}
	}
	shown(t, w.New(t), w.Want)
}

// shown checks what a screen would get.
func shown(t *testing.T, p probes.Probe, want probes.Status) {
	t.Helper()
	r := probes.Ask(t.Context(), check(p), nil)
	if r.Err != nil || r.Status != want {
		t.Fatalf("asked by Ask: %s (%v), want %s", r.Status, r.Err, want)
	}
	texts := []string{r.Summary}
	for _, e := range r.Evidence {
		texts = append(texts, e.Subject, e.Want, e.Got, e.Source, e.Repeat)
		if e.TakenAt.IsZero() {
			t.Errorf("evidence of %q has no time", e.Subject)
		}
	}
	for _, text := range texts {
		if strings.ContainsFunc(text, unicode.IsControl) {
			t.Errorf("control characters reach the screen: %q", text)
		}
	}
}

func check(p probes.Probe) probes.Check {
	return probes.Check{Probe: p, Spec: probes.Spec{ID: "under-test", Title: "holds", Every: time.Minute, Timeout: enough, Confirm: 1}}
}

// faults lists where an observation falls short of the contract.
func faults(obs probes.Observation) (list []string) {
	add := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	switch obs.Status {
	case probes.Pass, probes.Fail:
	case probes.Warn:
		if !obs.Ratio.Valid() {
			add("a warning is worth %d/%d, which is not between 0 and 1", obs.Ratio.Num, obs.Ratio.Den)
		}
	default:
		add("%s is not an answer", obs.Status)
	}
	if strings.TrimSpace(obs.Summary) == "" {
		add("there is no summary")
	}
	if strings.Contains(obs.Summary, "%!") {
		add("the summary was formatted wrongly")
	}
	if len(obs.Evidence) == 0 {
		add("there is no evidence")
	}
	wanting := false
	for _, e := range obs.Evidence {
		wanting = wanting || e.Wanting
		for _, field := range []struct{ name, value string }{
			{"subject", e.Subject}, {"want", e.Want}, {"got", e.Got}, {"source", e.Source}, {"repeat", e.Repeat},
		} {
			if strings.TrimSpace(field.value) == "" {
				add("evidence of %q has no %s", e.Subject, field.name)
			}
		}
	}
	if !wanting && obs.Status != probes.Pass && len(obs.Evidence) > 0 {
		add("a %s has no evidence that is marked wanting", obs.Status)
	}
	return list
}

func (s Suite) failure(t *testing.T, f Failure) {
	obs, err := observe(t.Context(), t, f.New(t))
	if err == nil {
		t.Fatalf("answered although the question could not be asked\n%s", describe(obs))
	}
	if obs.Status != probes.Pending {
		t.Errorf("an error came with status %s", obs.Status)
	}
	for _, word := range f.Says {
		if !contains(err.Error(), word) {
			t.Errorf("the error does not say %q: %v", word, err)
		}
	}
	for _, word := range s.Secrets {
		if contains(err.Error(), word) {
			t.Errorf("the error holds a secret: %v", err)
		}
	}
	if f.Is != nil && !f.Is(err) {
		t.Errorf("the error is of another kind: %#v", err)
	}
	if r := probes.Ask(t.Context(), check(f.New(t)), nil); r.Err == nil {
		t.Errorf("asked by Ask: %s, want an error", r.Status)
	} else if text := r.Err.Error(); text == "" || strings.ContainsFunc(text, unicode.IsControl) {
		t.Errorf("the error is not fit for a screen: %q", text)
	}
}

func (s Suite) twice(t *testing.T) {
	p := s.New(t)
	first, err := observe(t.Context(), t, p)
	if err != nil {
		t.Fatalf("could not ask: %v", err)
	}
	second, err := observe(t.Context(), t, p)
	if err != nil {
		t.Fatalf("could not ask again: %v", err)
	}
	if first.Status != second.Status {
		t.Errorf("first %s, then %s\n%s", first.Status, second.Status, describe(second))
	}
}

// ended accepts an answer from memory; what it does not accept is waiting, or an error that hides why.
func (s Suite) ended(t *testing.T) {
	p := s.New(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	began := time.Now()
	obs, err := observe(ctx, t, p)
	if took := time.Since(began); took > soon {
		t.Errorf("returned after %s", took)
	}
	switch {
	case err == nil:
		for _, fault := range faults(obs) {
			t.Error(fault)
		}
	case !errors.Is(err, context.Canceled):
		t.Errorf("the error does not wrap context.Canceled: %v", err)
	}
}

func (s Suite) hangs(t *testing.T) {
	p := s.Hanging(t)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	obs, err := observe(ctx, t, p)
	if end, _ := ctx.Deadline(); time.Since(end) > soon {
		t.Errorf("returned %s after its context had ended", time.Since(end))
	}
	if err == nil {
		t.Fatalf("answered although its source never did\n%s", describe(obs))
	}
	if ctx.Err() == nil {
		t.Errorf("gave up before its context ended: %v", err)
	}
}

func (s Suite) watches(t *testing.T) {
	p, ok := s.New(t).(probes.Watching)
	if !ok {
		t.Skip("answers from no watch")
	}
	stop := p.Watch(func() {})
	if stop == nil {
		t.Fatal("Watch returned no stop")
	}
	stop()
	stop() // a second time does no harm
}

func contains(text, word string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(word))
}

func evidenceText(e probes.Evidence) string {
	return strings.Join([]string{e.Subject, e.Want, e.Got, e.Source, e.Repeat}, " · ")
}

func describe(obs probes.Observation) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", obs.Status, obs.Summary)
	for _, e := range obs.Evidence {
		fmt.Fprintf(&b, "  wanting=%v %s\n", e.Wanting, evidenceText(e))
	}
	return b.String()
}
