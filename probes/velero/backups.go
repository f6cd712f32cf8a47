package velero

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/254carbon/gonogo/probes"
)

// BackupsParams are the parameters of the kind velero.backups.
type BackupsParams struct {
	Namespace string        `yaml:"namespace,omitempty" jsonschema:"description=namespace of the installation"`
	Schedules []Declared    `yaml:"schedules" jsonschema:"description=the schedules whose newest backup must be good"`
	Grace     time.Duration `yaml:"grace,omitempty" jsonschema:"description=how late a backup may be"`
	Running   time.Duration `yaml:"running,omitempty" jsonschema:"description=how long a backup may take before it counts as stuck"`
	Timezone  string        `yaml:"timezone,omitempty" jsonschema:"description=zone in which the server reads expressions without a zone of their own; empty for UTC"`
}

// Validate reports what is wrong with the parameters.
func (p *BackupsParams) Validate() error {
	if p.Namespace == "" {
		return fmt.Errorf("namespace must not be empty")
	}
	if err := validateDeclared(p.Schedules); err != nil {
		return err
	}
	return validateTiming(p.Grace, p.Running, p.Timezone)
}

// BackupsInfo describes the kind velero.backups.
func BackupsInfo() probes.KindInfo {
	return probes.KindInfo{
		Name: "velero.backups",
		About: "Looks whether the newest backup of each declared schedule that has ended is Completed, without errors, in time and not expired, from the " +
			"backups' objects.",
		Connection: Connection, OnChange: true, Every: time.Minute, Timeout: 10 * time.Second, Confirm: 2,
		Params: func() any {
			return &BackupsParams{Namespace: DefaultNamespace, Grace: 30 * time.Minute, Running: 4 * time.Hour}
		},
	}
}

// NewBackups returns a probe of the kind velero.backups. Parameters must be valid. The clock is that of ages; nil for the machine's.
func NewBackups(objects Objects, p BackupsParams, now func() time.Time) probes.Probe {
	if now == nil {
		now = time.Now
	}
	return backupsProbe{objects: objects, params: p, now: now}
}

type backupsProbe struct {
	objects Objects
	params  BackupsParams
	now     func() time.Time
}

var _ probes.Watching = backupsProbe{}

func (p backupsProbe) Watch(wake func()) func() { return watchAll(p.objects, wake, backupsResource()) }

func (p backupsProbe) Observe(ctx context.Context) (probes.Observation, error) {
	in, err := zone(p.params.Timezone)
	if err != nil {
		return probes.Observation{}, err
	}
	r := &reader{objects: p.objects, namespace: p.params.Namespace}
	backups, seen, err := r.backups(ctx, p.params.Schedules)
	if missing := (notInstalledError{}); errors.As(err, &missing) {
		return missing.observation(), nil
	}
	if err != nil {
		return probes.Observation{}, err
	}
	var findings []finding
	var blind error
	var warnings []string
	for _, d := range p.params.Schedules {
		j := backupJudge{params: p.params, now: p.now(), in: in, declared: d, all: backups[d.Name], note: seen.Note}
		f, err := j.look()
		if err != nil {
			blind = errors.Join(blind, err)
			continue
		}
		f.evidence = f.evidence.From(seen.Request)
		findings = append(findings, f)
		warnings = append(warnings, j.warnings...)
	}
	if blind != nil && !wanting(findings) {
		return probes.Observation{}, blind
	}
	obs := conclude(findings)
	obs.Confirmed = r.confirmed
	if obs.Status == probes.Pass {
		obs.Summary = fmt.Sprintf("the newest backup of %s is Completed, without errors and in time", plural(len(findings), "schedule"))
		if len(warnings) > 0 {
			obs.Summary += "; " + enumerate(warnings)
		}
	}
	return obs, nil
}

// newestFirst sorts backups by when they began.
func newestFirst(all []*backup) {
	slices.SortFunc(all, func(a, b *backup) int {
		if c := b.started().Compare(a.started()); c != 0 {
			return c
		}
		return strings.Compare(b.Name, a.Name)
	})
}

// backupJudge judges the backups of one declared schedule.
type backupJudge struct {
	params   BackupsParams
	now      time.Time
	in       *time.Location
	declared Declared
	all      []*backup // newest first
	note     string    // why not all could be seen
	warnings []string
}

func (j *backupJudge) look() (finding, error) {
	f := finding{evidence: probes.Evidence{
		Subject: "newest backup of schedule " + j.declared.Name, Want: "Completed, no errors, in time, not expired", Got: "none",
	}}
	when, err := parseCron(j.declared.Cron)
	if err != nil {
		return f, err
	}
	ahead, ended := j.split()
	if newest := j.newest(); newest != nil && newest.started().Sub(j.now) > clockSkew {
		return f, fmt.Errorf("backup %s began %s in the future: the clocks of the cluster and of this machine differ", newest.Name, span(newest.started().Sub(j.now)))
	}
	if ended == nil {
		if j.note != "" {
			return f, fmt.Errorf("looking for backups of schedule %s: %s", j.declared.Name, j.note)
		}
		f.cause = fmt.Sprintf("no backup of schedule %s has ever ended", j.declared.Name)
		if ahead != nil {
			f.evidence.Got = fmt.Sprintf("%s %s since %s", ahead.Name, orNothing(ahead.Status.Phase), moment(ahead.started()))
			f.cause += "; the first is under way"
		}
		return f, nil
	}
	f.evidence.Got = ended.describe()
	if ahead != nil {
		f.evidence.Got += fmt.Sprintf("; %s is %s since %s", ahead.Name, orNothing(ahead.Status.Phase), moment(ahead.started()))
	}
	f.cause = j.fault(ended, ahead, when)
	if f.cause == "" && ended.Status.Warnings > 0 {
		j.warnings = append(j.warnings, fmt.Sprintf("%s has %s", ended.Name, plural(ended.Status.Warnings, "warning")))
	}
	return f, nil
}

func (j *backupJudge) newest() *backup {
	if len(j.all) == 0 {
		return nil
	}
	return j.all[0]
}

// split returns the newest backup that has ended or is certain to fail, and the one under way after it, if any.
func (j *backupJudge) split() (ahead, ended *backup) {
	for _, b := range j.all {
		if b.stage() != running {
			return ahead, b
		}
		if ahead == nil {
			ahead = b
		}
	}
	return ahead, nil
}

// fault says what is wrong, or nothing.
func (j *backupJudge) fault(b, ahead *backup, when cron.Schedule) string {
	switch expires := b.Status.Expiration; {
	case b.stage() == failed:
		return fmt.Sprintf("backup %s is %s%s", b.Name, b.Status.Phase, b.why())
	case b.Status.Errors > 0:
		return fmt.Sprintf("backup %s is Completed but has %s", b.Name, plural(b.Status.Errors, "error"))
	case expires != nil && !j.now.Before(expires.Time):
		return fmt.Sprintf("backup %s expired %s ago", b.Name, span(j.now.Sub(expires.Time)))
	}
	due := nextRun(when, b.started(), j.in)
	late := j.now.Sub(due)
	switch {
	case due.IsZero() || late <= j.params.Grace:
		return ""
	case ahead == nil:
		return fmt.Sprintf("the newest backup of schedule %s, %s, is too old: the next was due %s ago", j.declared.Name, b.Name, span(late))
	case j.now.Sub(ahead.started()) > j.params.Running:
		return fmt.Sprintf("backup %s is stuck: %s for %s", ahead.Name, orNothing(ahead.Status.Phase), span(j.now.Sub(ahead.started())))
	case ahead.started().Sub(due) > j.params.Grace:
		return fmt.Sprintf("backup %s began %s late and is still %s", ahead.Name, span(ahead.started().Sub(due)), orNothing(ahead.Status.Phase))
	}
	return ""
}

// why is what Velero says of a failure. The texts of single errors are in the object store, not here.
func (b *backup) why() string {
	var parts []string
	if b.Status.FailureReason != "" {
		parts = append(parts, b.Status.FailureReason)
	}
	parts = append(parts, b.Status.ValidationErrors...)
	if b.Status.Errors > 0 {
		parts = append(parts, plural(b.Status.Errors, "error"))
	}
	if b.Status.Warnings > 0 {
		parts = append(parts, plural(b.Status.Warnings, "warning"))
	}
	return colon(parts)
}

// describe is the backup in one line.
func (b *backup) describe() string {
	text := fmt.Sprintf("%s %s, began %s, %s, %s", b.Name, orNothing(b.Status.Phase), moment(b.started()),
		plural(b.Status.Errors, "error"), plural(b.Status.Warnings, "warning"))
	if p := b.Status.Progress; p != nil && p.TotalItems > 0 {
		text += fmt.Sprintf(", %d of %d items", p.ItemsBackedUp, p.TotalItems)
	}
	for _, v := range []struct {
		what                 string
		attempted, completed int
	}{
		{"volume snapshots", b.Status.VolumeSnapshotsAttempted, b.Status.VolumeSnapshotsCompleted},
		{"CSI snapshots", b.Status.CSIAttempted, b.Status.CSICompleted},
	} {
		if v.attempted > 0 {
			text += fmt.Sprintf(", %d of %d %s", v.completed, v.attempted, v.what)
		}
	}
	if b.Status.FailureReason != "" {
		text += ", " + b.Status.FailureReason
	}
	return text
}
