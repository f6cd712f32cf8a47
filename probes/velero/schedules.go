package velero

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// SchedulesParams are the parameters of the kind velero.schedules.
type SchedulesParams struct {
	Namespace string        `yaml:"namespace,omitempty" jsonschema:"description=namespace of the installation"`
	Schedules []Declared    `yaml:"schedules" jsonschema:"description=the schedules that must be there"`
	Grace     time.Duration `yaml:"grace,omitempty" jsonschema:"description=how late a run may be submitted"`
	Running   time.Duration `yaml:"running,omitempty" jsonschema:"description=how long a backup may take; one that takes longer excuses no missed run"`
	Timezone  string        `yaml:"timezone,omitempty" jsonschema:"description=zone in which the server reads expressions without a zone of their own; empty for UTC"`
}

// Validate reports what is wrong with the parameters.
func (p *SchedulesParams) Validate() error {
	if p.Namespace == "" {
		return fmt.Errorf("namespace must not be empty")
	}
	if err := validateDeclared(p.Schedules); err != nil {
		return err
	}
	return validateTiming(p.Grace, p.Running, p.Timezone)
}

// SchedulesInfo describes the kind velero.schedules.
func SchedulesInfo() probes.KindInfo {
	return probes.KindInfo{
		Name: "velero.schedules",
		About: "Looks whether each declared schedule is enabled, not paused, runs when declared and missed no run, from the schedules, the clock and the " +
			"backups under way.",
		Connection: Connection, OnChange: true, Every: time.Minute, Timeout: 10 * time.Second, Confirm: 2,
		Params: func() any {
			return &SchedulesParams{Namespace: DefaultNamespace, Grace: 10 * time.Minute, Running: 4 * time.Hour}
		},
	}
}

// NewSchedules returns a probe of the kind velero.schedules. Parameters must be valid. The clock is that of runs; nil for the machine's.
func NewSchedules(objects Objects, p SchedulesParams, now func() time.Time) probes.Probe {
	if now == nil {
		now = time.Now
	}
	return schedulesProbe{objects: objects, params: p, now: now}
}

type schedulesProbe struct {
	objects Objects
	params  SchedulesParams
	now     func() time.Time
}

var _ probes.Watching = schedulesProbe{}

func (p schedulesProbe) Watch(wake func()) func() {
	return watchAll(p.objects, wake, schedulesResource(), backupsResource())
}

func (p schedulesProbe) Observe(ctx context.Context) (probes.Observation, error) {
	in, err := zone(p.params.Timezone)
	if err != nil {
		return probes.Observation{}, err
	}
	r := &reader{objects: p.objects, namespace: p.params.Namespace}
	seen, err := r.list(ctx, schedulesResource())
	var backups map[string][]*backup
	if err == nil {
		backups, _, err = r.backups(ctx, p.params.Schedules)
	}
	if missing := (notInstalledError{}); errors.As(err, &missing) {
		return missing.observation(), nil
	}
	if err != nil {
		return probes.Observation{}, err
	}
	var findings []finding
	var blind error
	for _, d := range p.params.Schedules {
		f, err := p.look(d, seen, backups[d.Name], in)
		if err != nil {
			blind = errors.Join(blind, err)
			continue
		}
		f.evidence = f.evidence.From(seen.Request)
		findings = append(findings, f)
	}
	if blind != nil && !wanting(findings) {
		return probes.Observation{}, blind
	}
	obs := conclude(findings)
	obs.Confirmed = r.confirmed
	if obs.Status == probes.Pass {
		obs.Summary = fmt.Sprintf("%d of %s enabled, no run missed", len(findings), plural(len(p.params.Schedules), "schedule"))
	}
	return obs, nil
}

// backups reads the backups of the declared schedules, newest first.
func (r *reader) backups(ctx context.Context, declared []Declared) (map[string][]*backup, list, error) {
	seen, err := r.list(ctx, backupsResource())
	if err != nil {
		return nil, seen, err
	}
	by := make(map[string][]*backup, len(declared))
	for _, d := range declared {
		by[d.Name] = nil
	}
	for _, o := range seen.Items {
		name := o.GetLabels()[scheduleLabel]
		if _, ok := by[name]; !ok {
			continue
		}
		b, err := decode[backup](o)
		if err != nil {
			return nil, seen, err
		}
		by[name] = append(by[name], b)
	}
	for _, all := range by {
		newestFirst(all)
	}
	return by, seen, nil
}

// look judges one declared schedule.
func (p schedulesProbe) look(d Declared, seen list, backups []*backup, in *time.Location) (finding, error) {
	f := finding{evidence: probes.Evidence{
		Subject: "schedule " + d.Name, Want: fmt.Sprintf("Enabled, %s, no run missed", d.Cron), Got: "does not exist",
	}}
	o, err := find(seen, d.Name)
	if err != nil {
		return f, err
	}
	if o == nil {
		f.cause = fmt.Sprintf("schedule %s does not exist", d.Name)
		return f, nil
	}
	s, err := decode[schedule](o)
	if err != nil {
		return f, err
	}
	f.evidence.Got = fmt.Sprintf("%s, %s", orNothing(s.Status.Phase), orNothing(s.Spec.Schedule))
	switch {
	case s.Spec.Paused:
		f.cause = fmt.Sprintf("schedule %s is paused", d.Name)
	case s.Status.Phase == "" || s.Status.Phase == "New":
		f.cause = fmt.Sprintf("schedule %s was not taken up by the server yet", d.Name)
	case s.Status.Phase != "Enabled":
		f.cause = fmt.Sprintf("schedule %s is %s%s", d.Name, s.Status.Phase, colon(s.Status.ValidationErrors))
	case !sameCron(s.Spec.Schedule, d.Cron):
		f.cause = fmt.Sprintf("schedule %s runs at %q, not at %q", d.Name, s.Spec.Schedule, d.Cron)
	default:
		err = p.punctual(&f, s, backups, in)
	}
	if f.cause != "" {
		f.evidence.Got += ": " + f.cause
	}
	return f, err
}

// punctual looks for a missed run: one that was due longer ago than the grace. Velero submits nothing while a backup of the schedule is under
// way, so that is no miss, as long as the backup does not take for ever.
func (p schedulesProbe) punctual(f *finding, s *schedule, backups []*backup, in *time.Location) error {
	when, err := parseCron(s.Spec.Schedule)
	if err != nil {
		return err
	}
	base := s.base()
	if base.Sub(p.now()) > clockSkew {
		return fmt.Errorf("schedule %s ran %s in the future: the clocks of the cluster and of this machine differ", s.Name, span(base.Sub(p.now())))
	}
	due := nextRun(when, base, in)
	if due.IsZero() {
		f.cause = fmt.Sprintf("schedule %s never runs: no day matches %q", s.Name, s.Spec.Schedule)
		return nil
	}
	late := p.now().Sub(due)
	f.evidence.Got += fmt.Sprintf(", last run %s, next %s", lastRun(s), moment(due))
	if late <= p.params.Grace {
		return nil
	}
	if b := underWay(backups); b != nil {
		if age := p.now().Sub(b.started()); age <= p.params.Running {
			f.evidence.Got += fmt.Sprintf(", waiting for %s, under way for %s", b.Name, span(age))
			return nil
		}
		f.cause = fmt.Sprintf("schedule %s missed its run of %s: %s has been under way since %s", s.Name, moment(due), b.Name, moment(b.started()))
		return nil
	}
	f.cause = fmt.Sprintf("schedule %s missed its run of %s, %s ago", s.Name, moment(due), span(late))
	return nil
}

func lastRun(s *schedule) string {
	if s.Status.LastBackup == nil {
		return "never"
	}
	return moment(s.Status.LastBackup.Time)
}

// underWay is the newest backup that has not ended, or nil.
func underWay(newest []*backup) *backup {
	for _, b := range newest {
		if b.stage() == running || b.Status.Phase == "WaitingForPluginOperationsPartiallyFailed" || b.Status.Phase == "FinalizingPartiallyFailed" {
			return b
		}
	}
	return nil
}

func colon(texts []string) string {
	if len(texts) == 0 {
		return ""
	}
	return ": " + strings.Join(texts, ", ")
}
