package backups_test

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/actions/actiontest"
	"github.com/254carbon/gonogo/actions/backups"
	"github.com/254carbon/gonogo/internal/sim"
	"github.com/254carbon/gonogo/internal/sim/simtest"
	"github.com/254carbon/gonogo/probes"
)

var schedules = schema.GroupVersionResource{Group: "velero.io", Version: "v1", Resource: "schedules"}

type world struct {
	simtest.World
	action actions.Action
}

// start is the simulated platform with the action over it.
func start(t *testing.T) *world { t.Helper(); return startAt(t, 20*time.Millisecond) }

// startAt is the same, with controllers that look once in a while.
func startAt(t *testing.T, tick time.Duration) *world {
	t.Helper()
	base := simtest.Start(t, sim.Options{Tick: tick})
	declared, _ := base.Profile.Action("backup-schedule")
	params := *declared.Params.(*backups.Params)
	params.Patience = 5 * time.Second
	a := backups.New(actions.Spec{ID: "backup-schedule", Kind: "backup-schedule", Title: "Mend backup schedules"}, params, backups.Deps{
		Cluster: base.Platform.Cluster.Writer(), Pause: simtest.Pause(20 * time.Millisecond),
	})
	return &world{World: base, action: a}
}

// change changes a schedule of the platform.
func (w *world) change(t *testing.T, name string, change func(spec map[string]any)) {
	t.Helper()
	_, err := w.Kube.Mutate(schedules, "velero", name, func(o map[string]any) { change(o["spec"].(map[string]any)) })
	simtest.Must(t, err)
}

func (w *world) plan(t *testing.T) actions.Plan {
	t.Helper()
	p, err := w.action.Plan(t.Context(), nil)
	simtest.Must(t, err)
	simtest.Must(t, p.Validate())
	return p
}

func (w *world) carry(t *testing.T, p actions.Plan) (errs []error, said string) {
	t.Helper()
	out := &actiontest.Told{}
	d, err := w.action.Open(t.Context(), p, t.TempDir())
	simtest.Must(t, err)
	for _, s := range p.Steps {
		if err := d.Do(t.Context(), s, out); err != nil {
			errs = append(errs, err)
		}
	}
	simtest.Must(t, d.Close())
	return errs, strings.Join(out.Lines(), "\n")
}

// asked asks the check of the profile that is about schedules.
func (w *world) asked(t *testing.T) probes.Result {
	t.Helper()
	return w.Ask(t, "backup-schedules")
}

// damage takes one schedule away, pauses another, and has the third run at another time and leave something out.
func (w *world) damage(t *testing.T) {
	t.Helper()
	simtest.Must(t, w.Kube.Delete(schedules, "velero", "postgres-backup"))
	w.change(t, "daily-backup", func(spec map[string]any) { spec["paused"] = true })
	w.change(t, "critical-backup", func(spec map[string]any) {
		spec["schedule"] = "0 4 * * 0"
		template := spec["template"].(map[string]any)
		template["excludedResources"] = []any{"events"}
		template["includedNamespaces"] = []any{"vault-prod"}
	})
}

func TestSchedulesAreMended(t *testing.T) {
	var w *world
	actiontest.Suite(t, actiontest.Options{
		New:    func(t *testing.T) actions.Action { w = start(t); w.damage(t); return w.action },
		Writes: func() int { return w.Writes() },
	})
	if r := w.asked(t); r.Status != probes.Pass {
		t.Errorf("the check says %s: %s (%v)", r.Status, r.Summary, r.Err)
	}
	o, err := w.Platform.Cluster.Writer().Get(t.Context(), schedules, "velero", "critical-backup")
	simtest.Must(t, err)
	if left, _, _ := unstructured.NestedStringSlice(o.Object, "spec", "template", "excludedResources"); len(left) != 1 {
		t.Error("what the profile does not declare was changed")
	}
}

func TestThePlanIsADifference(t *testing.T) {
	w := start(t)
	if p := w.plan(t); len(p.Steps) > 0 || p.Already != 3 || p.Summary != "0 of 3 schedules to create or mend" {
		t.Errorf("of schedules that are well: %+v", p)
	}
	w.damage(t)
	p := w.plan(t)
	var got []string
	for _, s := range p.Steps {
		got = append(got, s.Effect.String()+" "+s.Target+": "+strings.Join(s.Detail, "; "))
	}
	want := []string{
		"updates velero/daily-backup: paused: true → false",
		"updates velero/critical-backup: schedule: 0 4 * * 0 → 0 */6 * * *; namespaces: vault-prod → data-platform, vault-prod",
		"creates velero/postgres-backup: schedule: 0 3 * * *; namespaces: data-platform; labels: app=postgres-shared; kept for: 168h0m0s; storage location: default; snapshots of volumes: true",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if notes := strings.Join(p.Notes, "\n"); !strings.Contains(notes, "critical-backup leaves out kinds (excludedResources: events)") {
		t.Errorf("notes: %s", notes)
	}
}

func TestWhatSomethingElseManagesIsLeft(t *testing.T) {
	w := start(t)
	_, err := w.Kube.Mutate(schedules, "velero", "daily-backup", func(o map[string]any) {
		o["spec"].(map[string]any)["paused"] = true
		o["metadata"].(map[string]any)["annotations"] = map[string]any{"meta.helm.sh/release-name": "velero"}
	})
	simtest.Must(t, err)
	p := w.plan(t)
	if len(p.Steps) != 0 || !strings.Contains(strings.Join(p.Notes, "\n"), "daily-backup is left as it is (paused: true → false): Helm manages it") {
		t.Errorf("%+v", p)
	}
}

func TestAServerThatDoesNotLookIsNamed(t *testing.T) {
	w := startAt(t, time.Hour)
	simtest.Must(t, w.Kube.Delete(schedules, "velero", "postgres-backup"))
	errs, said := w.carry(t, w.plan(t))
	if len(errs) != 1 || !strings.Contains(errs[0].Error(), "Velero has not looked at it within 5s") {
		t.Errorf("%v\n%s", errs, said)
	}
}

func TestARefusalOfVeleroIsTold(t *testing.T) {
	w := start(t)
	_, err := w.Kube.Mutate(schedules, "velero", "daily-backup", func(o map[string]any) {
		o["spec"].(map[string]any)["paused"] = true
		o["status"] = map[string]any{"phase": "FailedValidation", "validationErrors": []any{"no such location \x1b[31m"}}
	})
	simtest.Must(t, err)
	errs, said := w.carry(t, w.plan(t))
	if len(errs) != 1 || !strings.Contains(errs[0].Error(), "schedule daily-backup: Velero refuses it: no such location") || strings.Contains(errs[0].Error(), "\x1b") {
		t.Errorf("%v\n%s", errs, said)
	}
	if p := w.plan(t); len(p.Steps) != 0 || !strings.Contains(strings.Join(p.Notes, "\n"), "is as declared, and Velero refuses it all the same") {
		t.Errorf("%+v", p)
	}
}

func TestParamsAreRefused(t *testing.T) {
	good := func() *backups.Params {
		p := backups.Info().Params().(*backups.Params)
		p.Schedules = []backups.Schedule{{Name: "daily", Cron: "0 2 * * *", Namespaces: []string{"a"}}}
		return p
	}
	simtest.Must(t, good().Validate())
	for says, change := range map[string]func(*backups.Params){
		"at least one schedule":    func(p *backups.Params) { p.Schedules = nil },
		"declared twice":           func(p *backups.Params) { p.Schedules = append(p.Schedules, p.Schedules[0]) },
		"names no namespaces":      func(p *backups.Params) { p.Schedules[0].Namespaces = nil },
		"cron of schedule daily":   func(p *backups.Params) { p.Schedules[0].Cron = "soon" },
		"not the name of a sched":  func(p *backups.Params) { p.Schedules[0].Name = "Daily!" },
		"name of a namespace":      func(p *backups.Params) { p.Namespace = "../x" },
		"must not be negative":     func(p *backups.Params) { p.Schedules[0].TTL = -time.Hour },
		"must be longer than noth": func(p *backups.Params) { p.Patience = 0 },
	} {
		p := good()
		change(p)
		if err := p.Validate(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %q", err, says)
		}
	}
}
