package backuptest_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/actions/actiontest"
	"github.com/254carbon/gonogo/actions/backuptest"
	"github.com/254carbon/gonogo/internal/sim"
	"github.com/254carbon/gonogo/internal/sim/simtest"
	"github.com/254carbon/gonogo/internal/sim/world"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/evidence"
)

// platformWorld is the simulated platform with the action over it.
type platformWorld struct {
	simtest.World
	params backuptest.Params
	deps   backuptest.Deps
}

func start(t *testing.T) *platformWorld { t.Helper(); return startAt(t, 200*time.Millisecond) }

// startAt is the simulated platform with controllers that look once in a while.
func startAt(t *testing.T, tick time.Duration) *platformWorld {
	t.Helper()
	base := simtest.Start(t, sim.Options{Tick: tick})
	declared, _ := base.Profile.Action("backup-test")
	w, x := &platformWorld{World: base, params: *declared.Params.(*backuptest.Params)}, base.Platform
	w.deps = backuptest.Deps{
		Cluster: x.Cluster.Writer(), Record: x.Evidence, Log: x.PodLog, Store: x.MinIO, Fetch: x.Fetch, By: "ops@bastion", Now: x.Now,
		Pause: simtest.Pause(100 * time.Millisecond),
	}
	return w
}

func (w *platformWorld) action() actions.Action {
	return backuptest.New(actions.Spec{ID: "backup-test", Kind: "backup-test", Title: "Test a backup"}, w.params, w.deps)
}

func (w *platformWorld) plan(t *testing.T, inputs ...string) actions.Plan {
	t.Helper()
	in := actions.Inputs{}
	for _, i := range inputs {
		name, value, _ := strings.Cut(i, "=")
		in[name] = value
	}
	a := w.action()
	in, err := a.Spec().Settle(in)
	simtest.Must(t, err)
	p, err := a.Plan(t.Context(), in)
	simtest.Must(t, err)
	p.Action, p.Inputs = "backup-test", in
	simtest.Must(t, p.Validate())
	return p
}

// carry carries a plan out as an engine does: after a failure only the clean-up goes on. Before each step, meddle may change the world.
func (w *platformWorld) carry(t *testing.T, p actions.Plan, folder string, meddle func(step, suffix string)) (errs []error, said string) {
	t.Helper()
	out := &actiontest.Told{}
	d, err := w.action().Open(t.Context(), p, folder)
	simtest.Must(t, err)
	for _, s := range p.Steps {
		if len(errs) > 0 && !s.Cleanup {
			continue
		}
		if meddle != nil {
			meddle(s.ID, w.suffix(t, folder))
		}
		if err := d.Do(t.Context(), s, out); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", s.ID, err))
		}
	}
	simtest.Must(t, d.Close())
	return errs, strings.Join(out.Lines(), "\n")
}

func (w *platformWorld) suffix(t *testing.T, folder string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(folder, "test.json"))
	simtest.Must(t, err)
	var s struct{ Suffix string }
	simtest.Must(t, json.Unmarshal(raw, &s))
	return s.Suffix
}

func (w *platformWorld) asked(t *testing.T, id probes.ID) (r probes.Result) {
	t.Helper()
	for range 100 { // until the watch has seen it
		if r = w.Ask(t, id); r.Status == probes.Pass {
			return r
		}
		time.Sleep(20 * time.Millisecond)
	}
	return r
}

func of(group, version, resource string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: group, Version: version, Resource: resource}
}

// left lists what there is of a test.
func (w *platformWorld) left(t *testing.T) (names []string) {
	t.Helper()
	for _, r := range []schema.GroupVersionResource{
		of("", "v1", "namespaces"), of("", "v1", "configmaps"), of("", "v1", "secrets"), of("", "v1", "pods"), of("", "v1", "persistentvolumeclaims"),
		of("networking.k8s.io", "v1", "networkpolicies"), of("velero.io", "v1", "backups"), of("velero.io", "v1", "restores"),
		of("velero.io", "v1", "deletebackuprequests"), of("velero.io", "v1", "downloadrequests"),
	} {
		list, err := w.Kube.List(r, "", nil)
		simtest.Must(t, err)
		for _, o := range list {
			u := unstructured.Unstructured{Object: o}
			if u.GetLabels()["gonogo.io/backup-test"] != "" || strings.HasPrefix(u.GetName(), "gonogo-test-") || strings.HasPrefix(u.GetNamespace()+u.GetName(), "gonogo-restored-") {
				names = append(names, r.Resource+" "+u.GetNamespace()+"/"+u.GetName())
			}
		}
	}
	return names
}

// kept are the results in the record, by check.
func (w *platformWorld) kept(t *testing.T) map[probes.ID]evidence.Entry {
	t.Helper()
	newest := map[probes.ID]evidence.Entry{}
	o, err := w.Kube.Get(of("", "v1", "configmaps"), "default", evidence.ObjectName)
	if err != nil {
		return newest
	}
	data, _ := o["data"].(map[string]any)
	for key, text := range data {
		e := evidence.Decode(key, text.(string))
		if e.At.After(newest[e.Check].At) {
			newest[e.Check] = e
		}
	}
	return newest
}

func TestARestoreIsProved(t *testing.T) {
	var w *platformWorld
	actiontest.Suite(t, actiontest.Options{
		New:    func(t *testing.T) actions.Action { w = start(t); return w.action() },
		Writes: func() int { return w.Writes() },
	})
	for _, id := range []probes.ID{"test-backup", "restore-verified"} {
		if r := w.asked(t, id); r.Status != probes.Pass {
			t.Errorf("%s: %s: %s (%v)", id, r.Status, r.Summary, r.Err)
		}
	}
	if left := w.left(t); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	e := w.kept(t)["restore-verified"]
	if e.Scope != evidence.Volumes || e.Details.RTOSeconds <= 0 || e.By != "ops@bastion" || !strings.HasPrefix(e.Digest, "sha256:") || !strings.Contains(e.Summary, "RPO") {
		t.Errorf("%+v", e)
	}
}

func TestTheLogsAreShown(t *testing.T) {
	w := start(t)
	errs, said := w.carry(t, w.plan(t), t.TempDir(), nil)
	if len(errs) > 0 || !strings.Contains(said, `msg="backup completed, 4 items"`) || !strings.Contains(said, `msg="restore completed, 4 items"`) || !strings.Contains(said, "RTO: ") {
		t.Errorf("%v\n%s", errs, said)
	}
}

// Whatever does not come back as it went in fails the test by its name, is kept as evidence, and nothing of the test is left.
func TestWhatDoesNotComeBackIsNamed(t *testing.T) {
	type change struct {
		at   string // before which step
		do   func(t *testing.T, w *platformWorld, suffix string)
		says string
	}
	mutate := func(resource schema.GroupVersionResource, space string, edit func(o map[string]any)) func(*testing.T, *platformWorld, string) {
		return func(t *testing.T, w *platformWorld, suffix string) {
			t.Helper()
			_, err := w.Kube.Mutate(resource, space+suffix, "gonogo-canary", edit)
			simtest.Must(t, err)
		}
	}
	const restored = "gonogo-restored-"
	for name, c := range map[string]change{
		"a missing item": {"compare", func(t *testing.T, w *platformWorld, suffix string) {
			simtest.Must(t, w.Kube.Delete(of("", "v1", "secrets"), restored+suffix, "gonogo-canary"))
		}, "Secret gonogo-canary is missing"},
		"one byte": {"compare", mutate(of("", "v1", "configmaps"), restored, func(o map[string]any) {
			data := o["data"].(map[string]any)
			data["lines"] = strings.Replace(data["lines"].(string), "b", "B", 1)
		}), "ConfigMap gonogo-canary: data.lines is another"},
		"a key too many": {"compare", mutate(of("", "v1", "configmaps"), restored, func(o map[string]any) { o["data"].(map[string]any)["more"] = "x" }),
			"ConfigMap gonogo-canary: data.more was not there before"},
		"a key gone": {"compare", mutate(of("", "v1", "secrets"), restored, func(o map[string]any) { delete(o["data"].(map[string]any), "password") }),
			"Secret gonogo-canary: data.password is missing"},
		"not by Velero": {"compare", mutate(of("", "v1", "configmaps"), restored, func(o map[string]any) {
			delete(o["metadata"].(map[string]any)["labels"].(map[string]any), "velero.io/backup-name")
		}), "was not restored by Velero from this backup"},
		"other bytes": {"compare", mutate(of("", "v1", "persistentvolumeclaims"), restored, func(o map[string]any) {
			o["metadata"].(map[string]any)["annotations"].(map[string]any)["simulation.254carbon.com/bytes"] = "others"
		}), "the bytes of the volume are others"},
		"a larger claim": {"compare", mutate(of("", "v1", "persistentvolumeclaims"), restored, func(o map[string]any) {
			o["spec"].(map[string]any)["storageClassName"] = "other"
		}), "PersistentVolumeClaim gonogo-canary: spec.storageClassName is another"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t)
			errs, said := w.carry(t, w.plan(t), t.TempDir(), func(step, suffix string) {
				if step == c.at {
					c.do(t, w, suffix)
				}
			})
			if len(errs) != 1 || !strings.Contains(errs[0].Error(), c.says) {
				t.Errorf("%v\n%s", errs, said)
			}
			kept := w.kept(t)
			if e := kept["restore-verified"]; e.Result != evidence.Failed || !strings.Contains(e.Summary, c.says) || e.Details.Equal {
				t.Errorf("the record says %+v", e)
			}
			if e := kept["test-backup"]; e.Result != evidence.Passed {
				t.Errorf("the record says of the backup %+v", e)
			}
			if left := w.left(t); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
			if p := w.plan(t); len(p.Steps) == 0 {
				t.Error("a test that failed is taken for fresh evidence")
			}
		})
	}
}

// A backup or restore that did not end as Completed fails the test, whatever else it says.
func TestPhasesAreTakenAtTheirWord(t *testing.T) {
	for _, c := range []struct {
		resource, phase, says string
		ends                  bool
	}{
		{"backups", "PartiallyFailed", "is PartiallyFailed, not Completed (2 errors; no room)", true},
		{"backups", "Failed", "is Failed, not Completed", true},
		{"restores", "PartiallyFailed", "is PartiallyFailed, not Completed (2 errors; no room)", true},
		{"backups", "FinalizingPartiallyFailed", "Velero says FinalizingPartiallyFailed", false},
		{"restores", "SomethingNew", "Velero says SomethingNew", false},
		{"backups", "FailedValidation", "is FailedValidation, not Completed", false}, // Velero has not even tried
		{"restores", "FailedValidation", "is FailedValidation, not Completed", false},
	} {
		t.Run(c.resource+" "+c.phase, func(t *testing.T) {
			t.Parallel()
			w := startAt(t, time.Hour)
			w.params.Patience, w.params.Volume, w.params.Cleaning = 2*time.Second, "never", 2*time.Second
			stop := make(chan struct{})
			done := make(chan struct{})
			go func() { // Velero's part
				defer close(done)
				for {
					select {
					case <-stop:
						return
					case <-time.After(20 * time.Millisecond):
					}
					for _, resource := range []string{"backups", "restores"} {
						list, err := w.Kube.List(of("velero.io", "v1", resource), "velero", nil)
						if err != nil {
							return
						}
						for _, o := range list {
							u := unstructured.Unstructured{Object: o}
							if !strings.HasPrefix(u.GetName(), "gonogo-test-") || o["status"] != nil {
								continue
							}
							phase := "Completed"
							if resource == c.resource {
								phase = c.phase
							}
							_, _ = w.Kube.Mutate(of("velero.io", "v1", resource), "velero", u.GetName(), func(o map[string]any) {
								o["status"] = map[string]any{"phase": phase, "errors": int64(2), "failureReason": "no room"}
							})
						}
					}
					for _, r := range []string{"deletebackuprequests"} {
						list, _ := w.Kube.List(of("velero.io", "v1", r), "velero", nil)
						for _, o := range list {
							u := unstructured.Unstructured{Object: o}
							_ = w.Kube.Delete(of("velero.io", "v1", "backups"), "velero", u.GetName())
							_ = w.Kube.Delete(of("velero.io", "v1", r), "velero", u.GetName())
						}
					}
				}
			}()
			w.deps.Fetch = nil
			errs, said := w.carry(t, w.plan(t), t.TempDir(), nil)
			close(stop)
			<-done
			if len(errs) != 1 || !strings.Contains(errs[0].Error(), c.says) {
				t.Errorf("%v\n%s", errs, said)
			}
			e, measured := w.kept(t)[map[string]probes.ID{"backups": "test-backup", "restores": "restore-verified"}[c.resource]]
			if measured != c.ends || measured && e.Result != evidence.Failed {
				t.Errorf("the record says %+v", e)
			}
			if left := w.left(t); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

// A server that does not look leaves no evidence: what could not be measured is neither good nor bad.
func TestAServerThatDoesNotLook(t *testing.T) {
	w := start(t)
	w.params.Patience, w.params.Cleaning = 500*time.Millisecond, 500*time.Millisecond
	simtest.Must(t, world.Halt(w.Kube, "velero"))
	folder := t.TempDir()
	p := w.plan(t)
	errs, said := w.carry(t, p, folder, nil)
	text := fmt.Sprint(errs)
	if !strings.Contains(text, "for Velero's server to look at it") || !strings.Contains(text, "removing backup gonogo-test-") || !strings.Contains(said, "there is no evidence to keep") {
		t.Errorf("%v\n%s", errs, said)
	}
	if kept := w.kept(t); len(kept) > 0 {
		t.Errorf("the record says %+v", kept)
	}
	simtest.Must(t, w.Kube.Delete(of("", "v1", "configmaps"), "kube-system", haltOf(t, w))) // it looks again, and the run is resumed
	w.params.Cleaning = 10 * time.Second
	errs, said = w.carry(t, p, folder, nil)
	if len(errs) != 1 || !strings.Contains(errs[0].Error(), "this test has ended") {
		t.Errorf("resumed: %v\n%s", errs, said)
	}
	if left := w.left(t); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func haltOf(t *testing.T, w *platformWorld) string {
	t.Helper()
	list, err := w.Kube.List(of("", "v1", "configmaps"), "kube-system", nil)
	simtest.Must(t, err)
	for _, o := range list {
		if u := (&unstructured.Unstructured{Object: o}); strings.HasPrefix(u.GetName(), "simulation-halts-") {
			return u.GetName()
		}
	}
	t.Fatal("nothing is halted")
	return ""
}

// A test that passed and was killed before its evidence was kept proves nothing of the day on which somebody cleans up after it.
func TestEvidenceIsAsOldAsItsMeasurement(t *testing.T) {
	w := start(t)
	folder, p := t.TempDir(), w.plan(t)
	measured := w.Now()
	late := slices.IndexFunc(p.Steps, func(s actions.Step) bool { return s.ID == "record" })
	first := p
	first.Steps = p.Steps[:late]
	if errs, said := w.carry(t, first, folder, nil); len(errs) > 0 {
		t.Fatalf("%v\n%s", errs, said)
	}
	w.deps.Now = func() time.Time { return w.Now().Add(72 * time.Hour) }
	p.Steps = p.Steps[late:]
	if errs, said := w.carry(t, p, folder, nil); len(errs) > 0 {
		t.Fatalf("%v\n%s", errs, said)
	}
	e := w.kept(t)["restore-verified"]
	if e.At.Sub(measured) > time.Minute || e.Details.RTOSeconds > 60 {
		t.Errorf("measured at %s, kept as of %s with an RTO of %.0f s", measured, e.At, e.Details.RTOSeconds)
	}
}

// What the profile says by now does not lead the clean-up elsewhere.
func TestTheCleanUpFollowsThePlan(t *testing.T) {
	w := start(t)
	folder, p := t.TempDir(), w.plan(t)
	late := slices.IndexFunc(p.Steps, func(s actions.Step) bool { return s.ID == "record" })
	first := p
	first.Steps = p.Steps[:late]
	if errs, said := w.carry(t, first, folder, nil); len(errs) > 0 {
		t.Fatalf("%v\n%s", errs, said)
	}
	w.params.Namespace = "elsewhere"
	p.Steps = p.Steps[late:]
	if errs, said := w.carry(t, p, folder, nil); len(errs) > 0 {
		t.Fatalf("%v\n%s", errs, said)
	}
	if left := w.left(t); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestASampleThatCannotBe(t *testing.T) {
	w := start(t)
	if _, err := w.action().Plan(t.Context(), actions.Inputs{"sample": "nowhere"}); err == nil || !strings.Contains(err.Error(), "there is no namespace nowhere") {
		t.Error(err)
	}
	_, err := w.Kube.Apply(map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{
		"namespace": "vault-prod", "name": "held", "finalizers": []any{"example.com/hold"},
	}})
	simtest.Must(t, err)
	errs, said := w.carry(t, w.plan(t, "sample=vault-prod"), t.TempDir(), nil)
	if len(errs) != 1 || !strings.Contains(errs[0].Error(), "ConfigMap held in vault-prod has finalizers (example.com/hold)") {
		t.Errorf("%v\n%s", errs, said)
	}
	if left := w.left(t); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestASampleOfWhatIsReal(t *testing.T) {
	w := start(t)
	make := func(name string, data map[string]any) {
		t.Helper()
		_, err := w.Kube.Apply(map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"namespace": "vault-prod", "name": name}, "data": data})
		simtest.Must(t, err)
	}
	make("settings", map[string]any{"a": "1"})
	make("busy", map[string]any{"a": "1"})
	p := w.plan(t, "sample=vault-prod")
	errs, said := w.carry(t, p, t.TempDir(), func(step, _ string) {
		if step == "sample-restore" {
			make("busy", map[string]any{"a": "2"})
		}
	})
	if len(errs) > 0 || !strings.Contains(said, "1 changed meanwhile and were not compared") {
		t.Errorf("%v\n%s", errs, said)
	}
	if e := w.kept(t)["restore-verified"]; e.Result != evidence.Passed || !strings.Contains(e.Summary, "objects of real namespaces") {
		t.Errorf("%+v", e)
	}
	errs, said = w.carry(t, w.plan(t, "sample=vault-prod", "again=true"), t.TempDir(), func(step, suffix string) {
		if step == "sample-compare" {
			simtest.Must(t, w.Kube.Delete(of("", "v1", "configmaps"), "gonogo-restored-"+suffix+"-1", "settings"))
		}
	})
	if len(errs) != 1 || !strings.Contains(errs[0].Error(), "ConfigMap settings in vault-prod is missing") {
		t.Errorf("%v\n%s", errs, said)
	}
	if left := w.left(t); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestWhatIsNotItsOwnStays(t *testing.T) {
	w := start(t)
	folder := t.TempDir()
	simtest.Must(t, os.WriteFile(filepath.Join(folder, "test.json"), []byte(`{"suffix":"taken","nonce":"n"}`), 0o600))
	_, err := w.Kube.Apply(map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "gonogo-restored-taken"}})
	simtest.Must(t, err)
	errs, _ := w.carry(t, w.plan(t), folder, nil)
	text := fmt.Sprint(errs)
	if !strings.Contains(text, "there is a Namespace gonogo-restored-taken already, which is not this test's") || !strings.Contains(text, "does not have the label of this test and stays") {
		t.Errorf("%v", errs)
	}
	if left := w.left(t); !slices.Equal(left, []string{"namespaces /gonogo-restored-taken"}) {
		t.Errorf("left: %v", left)
	}
}

func TestThePlanSaysHowFarItReaches(t *testing.T) {
	w := start(t)
	if p := w.plan(t); !strings.Contains(p.Summary, "objects and a volume") || !strings.Contains(strings.Join(p.Notes, "\n"), "bucket 254carbon-backups: versioning off") {
		t.Errorf("%s\n%v", p.Summary, p.Notes)
	}
	simtest.Must(t, w.Kube.Delete(of("storage.k8s.io", "v1", "storageclasses"), "", "local-path"))
	if p := w.plan(t); !strings.Contains(strings.Join(p.Notes, "\n"), "the proof is of objects alone, not of what volumes hold: the cluster has no default storage class") {
		t.Error(p.Notes)
	}
	w.params.Location = "elsewhere"
	if _, err := w.action().Plan(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "there is no storage location elsewhere") {
		t.Error(err)
	}
}

func TestParamsAreRefused(t *testing.T) {
	good := func() *backuptest.Params { return backuptest.Info().Params().(*backuptest.Params) }
	simtest.Must(t, good().Validate())
	for says, change := range map[string]func(*backuptest.Params){
		"not the name of a namespace":   func(p *backuptest.Params) { p.Namespace = "../x" },
		"volume is auto or never":       func(p *backuptest.Params) { p.Volume = "maybe" },
		"image must not be empty":       func(p *backuptest.Params) { p.Image = "" },
		"must name two checks":          func(p *backuptest.Params) { p.Backup = p.Restore },
		"must not be negative":          func(p *backuptest.Params) { p.Fresh = -1 },
		"must be longer than nothing":   func(p *backuptest.Params) { p.Patience = 0 },
		"or is there twice":             func(p *backuptest.Params) { p.Sample = []string{"a", "a"} },
		"11 namespaces are more than t": func(p *backuptest.Params) { p.Sample = strings.Split("a,b,c,d,e,f,g,h,i,j,k", ",") },
	} {
		p := good()
		change(p)
		if err := p.Validate(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %q", err, says)
		}
	}
}
