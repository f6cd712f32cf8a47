package evidence

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/kube/kubefake"
	"github.com/254carbon/gonogo/probes/probetest"
)

var noon = time.Date(2025, 10, 20, 12, 0, 0, 0, time.UTC)

// book is a record in memory.
type book struct {
	mu    sync.Mutex
	data  map[string]string
	place string
	note  string
	err   error
	hang  bool
	wakes []func()
}

func (b *book) Read(ctx context.Context) (probes.Seen[Entry], error) {
	if b.hang {
		<-ctx.Done()
		return probes.Seen[Entry]{}, ctx.Err()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	seen := probes.Seen[Entry]{Note: b.note, Request: probes.Request{Source: "GET x", Repeat: "kubectl get configmap gonogo-evidence -n default -o yaml"}}
	for key, text := range b.data {
		e := Decode(key, text)
		e.Place = b.place
		seen.Items = append(seen.Items, e)
	}
	return seen, b.err
}

func (b *book) Watch(wake func()) func() {
	b.wakes = append(b.wakes, wake)
	return func() {}
}

func (b *book) add(t *testing.T, e Entry) {
	t.Helper()
	key, text, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.data == nil {
		b.data = map[string]string{}
	}
	b.data[key] = text
}

func restored(ago time.Duration) Entry {
	return Entry{
		Kind: Proof, Check: "restore-verified", Result: Passed, Scope: Volumes, By: "ana", At: noon.Add(-ago),
		Details: Details{Backup: "velero/test-1", Equal: true, RTOSeconds: 41},
	}
}

func backedUp(ago time.Duration) Entry {
	e := restored(ago)
	e.Check, e.Details = "test-backup", Details{Backup: "velero/test-1", Phase: "Completed", Items: 697}
	return e
}

func volume(name string) map[string]any {
	return map[string]any{"apiVersion": "v1", "kind": "PersistentVolume", "metadata": map[string]any{"name": name}}
}

func backup(phase any) map[string]any {
	return map[string]any{
		"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": map[string]any{"namespace": "velero", "name": "test-1"}, "status": map[string]any{"phase": phase},
	}
}

func TestProof(t *testing.T) {
	restore, back := Params{Proof: "restore", Within: 30 * 24 * time.Hour}, Params{Proof: "backup", Within: 7 * 24 * time.Hour}
	on := func(p Params, check probes.ID, objects []map[string]any, entries ...Entry) func(*testing.T) probes.Probe {
		return func(t *testing.T) probes.Probe {
			t.Helper()
			if err := p.Validate(); err != nil {
				t.Fatal(err)
			}
			b := &book{}
			for _, e := range entries {
				b.add(t, e)
			}
			return New(b, kubefake.New(objects...), check, p, func() time.Time { return noon })
		}
	}
	volumes := []map[string]any{volume("a"), volume("b")}
	of := func(entries ...Entry) func(*testing.T) probes.Probe {
		return on(restore, "restore-verified", volumes, entries...)
	}
	with := func(change func(*Entry)) Entry {
		e := restored(25 * time.Hour)
		change(&e)
		return e
	}
	objects := with(func(e *Entry) { e.Scope = Objects })
	failed := Entry{Kind: Proof, Check: "restore-verified", Result: Failed, Summary: "3 items differ", By: "ana", At: noon.Add(-time.Hour)}
	fail := func(name string, p func(*testing.T) probes.Probe, says ...string) probetest.World {
		return probetest.World{Name: name, New: p, Want: probes.Fail, Says: says}
	}
	broken := func(text string) func(*testing.T) probes.Probe {
		b := &book{data: map[string]string{"proof.restore-verified.20251020T110000Z-01234567": text}}
		return func(t *testing.T) probes.Probe {
			t.Helper()
			b.add(t, restored(25*time.Hour))
			return New(b, kubefake.New(), "restore-verified", restore, func() time.Time { return noon })
		}
	}
	probetest.Suite{
		New: of(restored(25 * time.Hour)),
		Worlds: []probetest.World{
			{Name: "shows what was proved", New: of(restored(25 * time.Hour)), Want: probes.Pass, Says: []string{"25 h ago", "RTO 41s"}, Shows: []string{"content equal", "by ana", "of volumes", "kubectl get configmap gonogo-evidence"}},
			fail("none", of(), "no restore was ever verified"),
			fail("of another check", of(backedUp(time.Hour)), "no restore was ever verified"),
			fail("failed", of(failed), "3 items differ"),
			fail("failed since", of(restored(25*time.Hour), failed), "60 min ago", "3 items differ"),
			fail("too old", of(restored(31*24*time.Hour)), "31 days old"),
			fail("not valid any more", of(with(func(e *Entry) { e.ValidUntil = noon.Add(-time.Minute) })), "valid until"),
			fail("content not compared", of(with(func(e *Entry) { e.Details.Equal = false })), "content"),
			fail("without its RTO", of(with(func(e *Entry) { e.Details.RTOSeconds = 0 })), "RTO"),
			{Name: "objects alone", New: of(objects), Want: probes.Warn, Ratio: probes.Part(1, 2), Says: []string{"objects alone", "2 volumes"}},
			{Name: "of no scope", New: of(with(func(e *Entry) { e.Scope = "" })), Want: probes.Warn, Says: []string{"objects alone"}},
			{Name: "objects alone, and no volumes", New: on(restore, "restore-verified", nil, objects), Want: probes.Pass, Shows: []string{"there are none"}},
			{Name: "objects since volumes", New: of(restored(48*time.Hour), objects), Want: probes.Pass, Says: []string{"2 days ago"}},
			{Name: "failed before", New: of(restored(time.Minute), failed), Want: probes.Pass},
			{Name: "hostile words", New: of(with(func(e *Entry) { e.By = "ana\x1b]0;x\x07" })), Want: probes.Pass},
			{Name: "a backup", New: on(back, "test-backup", volumes, backedUp(26*time.Hour)), Want: probes.Pass, Says: []string{"26 h ago", "697 items"}},
			fail("a backup too old", on(back, "test-backup", volumes, backedUp(8*24*time.Hour)), "8 days old"),
			fail("a backup that did not complete", on(back, "test-backup", volumes, func() Entry { e := backedUp(time.Hour); e.Details.Phase = "Failed"; return e }()), "Failed"),
			fail("a backup that says otherwise", on(back, "test-backup", []map[string]any{backup("PartiallyFailed")}, backedUp(time.Hour)), "test-1 is PartiallyFailed"),
			{Name: "a backup that agrees", New: on(back, "test-backup", []map[string]any{backup("Completed")}, backedUp(time.Hour)), Want: probes.Pass},
			{Name: "an entry of others that cannot be read is older", New: func(t *testing.T) probes.Probe {
				b := &book{data: map[string]string{"proof.restore-verified.20251001T110000Z-01234567": "?", "notes": "mine"}}
				b.add(t, restored(time.Hour))
				return New(b, kubefake.New(), "restore-verified", restore, func() time.Time { return noon })
			}, Want: probes.Pass},
		},
		Errors: []probetest.Failure{
			{Name: "read in part", Says: []string{"what is kept here cannot be read"}, New: func(t *testing.T) probes.Probe {
				b := &book{note: "what is kept here cannot be read"}
				b.add(t, restored(time.Hour))
				return New(b, kubefake.New(), "restore-verified", restore, func() time.Time { return noon })
			}},
			{Name: "garbled", New: broken("{"), Says: []string{"cannot be read", "not what gonogo writes"}},
			{Name: "of another type", New: broken(`["x"]`), Says: []string{"cannot be read"}},
			{Name: "not complete", New: broken(`{"v":1,"kind":"proof"}`), Says: []string{"not complete"}},
			{Name: "under another's key", New: broken(`{"v":1,"kind":"proof","check":"other","result":"pass","by":"x","at":"2025-10-20T11:00:00Z"}`), Says: []string{"another entry's"}},
			{Name: "of a newer form", New: broken(`{"v":2,"kind":"proof","check":"restore-verified","result":"pass","by":"x","at":"2025-10-20T11:00:00Z"}`), Says: []string{"newer gonogo"}},
			{Name: "far too long", New: broken(`{"v":1,"note":"` + strings.Repeat("x", maxEntry) + `"}`), Says: []string{"more than"}},
			{Name: "from the future", New: of(restored(-time.Hour)), Says: []string{"clocks"}},
			{Name: "record forbidden", New: func(*testing.T) probes.Probe {
				return New(&book{err: errors.New("a right is missing: list configmaps")}, kubefake.New(), "restore-verified", restore, nil)
			}, Says: []string{"evidence record", "list configmaps"}},
			{Name: "volumes forbidden", New: func(t *testing.T) probes.Probe {
				b := &book{}
				b.add(t, objects)
				return New(b, kubefake.New().Forbid(volumesResource), "restore-verified", restore, func() time.Time { return noon })
			}, Is: apierrors.IsForbidden, Says: []string{"persistentvolumes"}},
			{Name: "a backup without a phase that is a text", New: on(back, "test-backup", []map[string]any{backup(int64(7))}, backedUp(time.Hour)), Says: []string{"no text"}},
		},
		Hanging: func(*testing.T) probes.Probe {
			return New(&book{hang: true}, kubefake.New(), "restore-verified", restore, nil)
		},
	}.Run(t)
}

func TestParams(t *testing.T) {
	for name, p := range map[string]Params{"nothing": {}, "another proof": {Proof: "luck", Within: 1}, "no time": {Proof: "backup"}} {
		if p.Validate() == nil {
			t.Errorf("%s: valid", name)
		}
	}
}

func TestWhatStands(t *testing.T) {
	b := &book{}
	now := noon.Add(time.Hour)
	waiver := Entry{Kind: Waiver, Check: "gate", Result: Passed, By: "ana", Note: "moves in May", At: noon, ValidUntil: noon.AddDate(0, 1, 0)}
	waivers := func() []probes.Waiver {
		seen, _ := b.Read(t.Context())
		return Waivers(seen.Items, now)
	}
	b.add(t, waiver)
	if w := waivers(); len(w) != 1 || w[0].Owner != "ana" || w[0].Reason != "moves in May" || !w[0].Expires.Equal(waiver.ValidUntil) || w[0].Where != "in the evidence record" {
		t.Errorf("%+v", w)
	}
	waiver.At, waiver.Result, waiver.ValidUntil = noon.Add(time.Minute), Removed, time.Time{}
	b.add(t, waiver)
	if w := waivers(); len(w) != 0 {
		t.Errorf("taken back, and yet there: %+v", w)
	}
	waiver.At, waiver.Result = noon.Add(2*time.Minute), Passed
	b.add(t, waiver)
	if w := waivers(); len(w) != 0 {
		t.Errorf("without an end: %+v", w)
	}
	waiver.At, waiver.ValidUntil = noon.Add(3*time.Minute), noon.AddDate(50, 0, 0)
	b.add(t, waiver)
	if w := waivers(); len(w) != 1 || w[0].Expires.After(noon.Add(MaxTerm+time.Hour)) {
		t.Errorf("for half a century: %+v", w)
	}
	b.data["waiver.gate.20251020T121000Z-01234567"] = "{"
	if w := waivers(); len(w) != 0 {
		t.Errorf("something newer cannot be read, and yet: %+v", w)
	}
}

func TestWhatAProfileDeclaresIsTakenBackThere(t *testing.T) {
	declared := Declared("word", "ana", "", noon.AddDate(0, 0, -1), noon.AddDate(0, 1, 0))
	removed := Entry{Kind: Attestation, Check: "word", Result: Removed, By: "bob", At: noon, Key: "k"}
	if e, ok := Holding([]Entry{declared, removed}, Attestation, "word", noon); !ok || e.By != "ana" {
		t.Errorf("%+v, %v", e, ok)
	}
	if e, ok := Holding([]Entry{declared}, Attestation, "word", noon.AddDate(1, 0, 0)); ok {
		t.Errorf("ended, and yet holds: %+v", e)
	}
}

func TestEncodeRefuses(t *testing.T) {
	for name, change := range map[string]func(*Entry){
		"nobody": func(e *Entry) { e.By = "" }, "no time": func(e *Entry) { e.At = time.Time{} }, "no check": func(e *Entry) { e.Check = "" },
		"a check that is no id": func(e *Entry) { e.Check = "A/../b" }, "too much": func(e *Entry) { e.Digest = strings.Repeat("x", maxEntry) },
	} {
		e := restored(time.Hour)
		change(&e)
		if key, _, err := e.Encode(); err == nil {
			t.Errorf("%s: encoded as %s", name, key)
		}
	}
}

func FuzzDecode(f *testing.F) {
	key, text, err := restored(time.Hour).Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(key, text)
	f.Add("notes", "mine")
	f.Add(key, `{"v":1,"details":{"rtoSeconds":"x"}}`)
	f.Fuzz(func(t *testing.T, key, text string) {
		e := Decode(key, text)
		if e.Readable() && (e.Kind == "" || e.Check == "" || e.At.IsZero()) {
			t.Errorf("readable, but not complete: %+v", e)
		}
		_ = e.describe()
	})
}

func TestAttestation(t *testing.T) {
	params := AttestationParams{What: "the data centre has a second feed"}
	word := Entry{Kind: Attestation, Check: "feed", Result: Passed, By: "ana", Note: "saw it", At: noon.Add(-time.Hour), ValidUntil: noon.AddDate(0, 0, 5).Truncate(24 * time.Hour)}
	with := func(change func(*Entry)) Entry {
		e := word
		change(&e)
		return e
	}
	on := func(err error, declared []Entry, entries ...Entry) func(*testing.T) probes.Probe {
		return func(t *testing.T) probes.Probe {
			t.Helper()
			b := &book{err: err}
			for _, e := range entries {
				b.add(t, e)
			}
			return NewAttestation(beside{b, declared}, "feed", params, func() time.Time { return noon })
		}
	}
	half := func(name string, p func(*testing.T) probes.Probe, says ...string) probetest.World {
		return probetest.World{Name: name, New: p, Want: probes.Warn, Ratio: probes.Part(1, 2), Says: says}
	}
	fail := func(name string, p func(*testing.T) probes.Probe, says ...string) probetest.World {
		return probetest.World{Name: name, New: p, Want: probes.Fail, Says: says}
	}
	declared := []Entry{Declared("feed", "bob", "", noon.AddDate(0, 0, -1), noon.AddDate(0, 1, 0))}
	refused := errors.New("a right is missing")
	for _, w := range []probetest.World{
		half("a word", on(nil, nil, word), "ana attests until 2025-10-24", "second feed"),
		half("in the profile", on(nil, declared), "bob attests"),
		half("in the profile, and no cluster", on(refused, declared), "bob attests"),
		fail("nobody", on(nil, nil), "nobody attested", "second feed"),
		fail("ended", on(nil, nil, with(func(e *Entry) { e.ValidUntil = noon.Add(-time.Minute) })), "attestation of ana ended on 2025-10-20"),
		fail("taken back", on(nil, nil, word, Entry{Kind: Attestation, Check: "feed", Result: Removed, By: "eve", At: noon}), "nobody attested"),
		fail("about another check", on(nil, nil, with(func(e *Entry) { e.Check = "other" })), "nobody attested"),
		fail("not begun", on(nil, nil, with(func(e *Entry) { e.At = noon.AddDate(0, 0, 2) })), "begins on 2025-10-22"),
	} {
		t.Run(w.Name, func(t *testing.T) {
			r := probes.Ask(t.Context(), probes.Check{Probe: w.New(t), Spec: probes.Spec{ID: "feed", Title: "t", Every: time.Minute, Timeout: time.Second, Confirm: 1}}, nil)
			if r.Err != nil || r.Status != w.Want || w.Want == probes.Warn && (r.Ratio != w.Ratio || !strings.Contains(r.Word, "until")) {
				t.Fatalf("%s %q, word %q (%v), want %s", r.Status, r.Summary, r.Word, r.Err, w.Want)
			}
			for _, word := range w.Says {
				if !strings.Contains(r.Summary, word) {
					t.Errorf("it does not say %q: %s", word, r.Summary)
				}
			}
			if len(r.Evidence) != 1 || !r.Evidence[0].Wanting || r.Evidence[0].Got == "" {
				t.Errorf("evidence %+v", r.Evidence)
			}
		})
	}
	if _, err := on(refused, nil, word)(t).Observe(t.Context()); !errors.Is(err, refused) {
		t.Errorf("a word that may have been taken back since: %v", err)
	}
}

// beside is a record with what a profile declares.
type beside struct {
	*book
	declared []Entry
}

func (b beside) Read(ctx context.Context) (probes.Seen[Entry], error) {
	seen, err := b.book.Read(ctx)
	seen.Items = append(seen.Items, b.declared...)
	return seen, err
}
