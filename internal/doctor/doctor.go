// Package doctor tries what a profile relies on, once each: every connection, every credential, every right on the cluster, and the machine
// that gonogo runs on. It says of each whether it works, and what to do where it does not. It only reads, and shows no secret.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/internal/platform"
	"github.com/254carbon/gonogo/internal/profile"
	"github.com/254carbon/gonogo/probes"
)

// State says how something was found.
type State string

// The states. Wrong and Missing are what keeps checks from being asked; a Note is what a person should know.
const (
	OK      State = "ok"
	Wrong   State = "wrong"
	Missing State = "missing"
	Note    State = "note"
)

// Finding is one line: one thing that was tried.
type Finding struct {
	Area    string      `json:"area" jsonschema:"description=connection that it belongs to\\, or machine"`
	Subject string      `json:"subject"`
	State   State       `json:"state" jsonschema:"enum=ok,enum=wrong,enum=missing,enum=note"`
	Text    string      `json:"text" jsonschema:"description=what was found"`
	Do      string      `json:"do,omitempty" jsonschema:"description=what to do about it"`
	Checks  []probes.ID `json:"checks,omitempty" jsonschema:"description=checks that cannot be asked because of it"`
}

// Report is everything that was found, in the order in which it is best read.
type Report struct {
	Schema   string    `json:"schema"`
	Platform string    `json:"platform"`
	Profile  string    `json:"profile"`
	TakenAt  time.Time `json:"takenAt"`
	TookMs   int64     `json:"tookMs"`
	Usable   bool      `json:"usable" jsonschema:"description=whether nothing is wrong or missing"`
	Findings []Finding `json:"findings"`
}

// SchemaName names the form of a report.
const SchemaName = "gonogo.doctor/v1"

// Patient is what is looked at.
type Patient struct {
	Profile  *profile.Profile
	Platform *platform.Platform
	Checks   []probes.Check // of the profile, joined with their probes
	Kinds    []probes.KindInfo
	Machine  Machine
	Now      func() time.Time // the platform's clock
	Progress func(done, total int, last probes.Result)
}

// examination is one look at a patient.
type examination struct {
	Patient
	findings []Finding
	broken   map[string]bool               // connections that cannot be used
	own      map[string]int                // by connection: where the finding about gonogo's own credential for it is, if that does not work
	uses     map[string][]probes.ID        // the checks over each connection
	read     []schema.GroupVersionResource // what the checks read of the cluster
	held     map[probes.ID]bool            // the checks that hold, at least in part
}

// tryFor bounds one try.
const tryFor = 10 * time.Second

// Examine tries everything once.
func Examine(ctx context.Context, p Patient) Report {
	began := time.Now()
	e := &examination{Patient: p, broken: map[string]bool{}, own: map[string]int{}, uses: usesOf(p), held: map[probes.ID]bool{}}
	e.cluster(ctx)
	e.systems(ctx)
	e.ask(ctx)
	e.credentials(ctx)
	e.rights(ctx)
	e.machine()
	r := Report{
		Schema: SchemaName, Platform: p.Profile.Platform, Profile: p.Profile.Name, TakenAt: p.Now().UTC().Truncate(time.Second),
		TookMs: time.Since(began).Milliseconds(), Usable: true, Findings: e.inOrder(),
	}
	for _, f := range r.Findings {
		r.Usable = r.Usable && f.State != Wrong && f.State != Missing
	}
	return r
}

// areas are the connections in the order in which they are told.
func (e *examination) areas() []string {
	all := profile.ConnectionNames()
	for _, name := range slices.Sorted(maps.Keys(e.uses)) {
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return append(all, machineArea)
}

func (e *examination) inOrder() []Finding {
	all := e.findings
	out := make([]Finding, 0, len(all))
	for _, area := range e.areas() {
		for _, f := range all {
			if f.Area == area {
				out = append(out, f)
			}
		}
	}
	return out
}

// add tells a finding, without secrets.
func (e *examination) add(f Finding) {
	const most = 600
	f.Text, f.Do = probes.Clean(e.Platform.Mask.Apply(f.Text), most), probes.Clean(e.Platform.Mask.Apply(f.Do), most)
	e.findings = append(e.findings, f)
}

// because is an error in the words of whoever waited for the answer.
func because(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("no answer within %s", tryFor)
	}
	return err.Error()
}

// fault tells that a connection cannot be used, with the checks that are over it.
func (e *examination) fault(area, subject, text, do string) {
	e.broken[area] = true
	e.add(Finding{Area: area, Subject: subject, State: Wrong, Text: text, Do: do, Checks: e.uses[area]})
}

// usesOf lists for each connection the checks that cannot do without it.
func usesOf(p Patient) map[string][]probes.ID {
	kinds := map[string]probes.KindInfo{}
	for _, k := range p.Kinds {
		kinds[k.Name] = k
	}
	uses := map[string][]probes.ID{}
	for _, c := range p.Profile.Checks() {
		if c.Spec.Exempt != "" {
			continue
		}
		needs := kinds[c.Kind].ConnectionsOf(c.Params)
		if len(servicesOf(c.Params)) > 0 && !slices.Contains(needs, "kubernetes") {
			needs = append(slices.Clone(needs), "kubernetes") // through whose API server they are reached
		}
		for _, connection := range needs {
			uses[connection] = append(uses[connection], c.Spec.ID)
		}
	}
	return uses
}
