package evidence

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/probes"
)

// Connection is the connection that the kind asks over: the record is kept in the cluster.
const Connection = "kubernetes"

// Cluster reads collections of a cluster's objects from shared watches, as the probes of Kubernetes do.
type Cluster interface {
	List(ctx context.Context, r schema.GroupVersionResource, namespace string) (probes.Seen[*unstructured.Unstructured], error)
	Watch(r schema.GroupVersionResource, wake func()) (stop func())
}

// Params are the parameters of the kind evidence.
type Params struct {
	Proof  string        `yaml:"proof" jsonschema:"required,enum=backup,enum=restore,description=what must have been proved"`
	Within time.Duration `yaml:"within" jsonschema:"required,description=how long ago that may be"`
}

// Validate reports what is wrong with the parameters.
func (p *Params) Validate() error {
	if p.Proof != "backup" && p.Proof != "restore" {
		return fmt.Errorf("proof must be backup or restore, not %q", p.Proof)
	}
	if p.Within <= 0 {
		return fmt.Errorf("within must be more than nothing")
	}
	return nil
}

// Info describes the kind evidence.
func Info() probes.KindInfo {
	return probes.KindInfo{
		Name: "evidence",
		About: "Looks into the evidence record, a ConfigMap of the cluster, whether a backup or a restore was proved lately, and how far the proof " +
			"reaches: where there are volumes, objects alone are half of it.",
		Connection: Connection, OnChange: true, Every: time.Minute, Timeout: 10 * time.Second, Confirm: 2,
		Params: func() any { return &Params{} },
	}
}

// New returns a probe of the kind evidence for a check, whose id its entries have. Parameters must be valid. The clock is that of ages; nil
// for the machine's.
func New(record Record, cluster Cluster, check probes.ID, p Params, now func() time.Time) probes.Probe {
	if now == nil {
		now = time.Now
	}
	return proofProbe{record: record, cluster: cluster, check: check, params: p, now: now}
}

type proofProbe struct {
	record  Record
	cluster Cluster
	check   probes.ID
	params  Params
	now     func() time.Time
}

var _ probes.Watching = proofProbe{}

var (
	volumesResource = schema.GroupVersionResource{Version: "v1", Resource: "persistentvolumes"}
	backupsResource = schema.GroupVersionResource{Group: "velero.io", Version: "v1", Resource: "backups"}
)

// Watch wakes for the record, and for what else an answer may have come from.
func (p proofProbe) Watch(wake func()) func() {
	stops := []func(){p.record.Watch(wake), p.cluster.Watch(volumesResource, wake), p.cluster.Watch(backupsResource, wake)}
	return func() {
		for _, stop := range stops {
			stop()
		}
	}
}

// words are how a kind of proof is spoken of.
type words struct{ thing, never, want string }

func (p proofProbe) words() words {
	if p.params.Proof == "backup" {
		return words{"test backup", "no test backup was ever recorded", "Completed within " + span(p.params.Within)}
	}
	return words{"restore", "no restore was ever verified", "content equal, with its RTO, within " + span(p.params.Within)}
}

func (p proofProbe) Observe(ctx context.Context) (probes.Observation, error) {
	seen, err := p.record.Read(ctx)
	if err != nil {
		return probes.Observation{}, fmt.Errorf("reading the evidence record: %w", err)
	}
	if seen.Note != "" { // what was not read may be newer
		return probes.Observation{}, fmt.Errorf("reading the evidence record: %s", seen.Note)
	}
	w := p.words()
	obs := probes.Observation{Confirmed: seen.Confirmed}
	entries := Of(seen.Items, Proof, p.check)
	if len(entries) == 0 {
		obs.Status, obs.Summary = probes.Fail, w.never
		obs.Evidence = []probes.Evidence{probes.Evidence{Subject: w.thing, Want: w.want, Got: "no entry in the record", Wanting: true}.From(seen.Request)}
		return obs, nil
	}
	best, why, err := p.best(entries)
	if err != nil {
		return probes.Observation{}, err
	}
	e := probes.Evidence{
		Subject: fmt.Sprintf("%s of %s", w.thing, moment(entries[0].At)), Want: w.want, Got: entries[0].describe(), Wanting: best == nil,
	}.From(seen.Request)
	if best == nil {
		obs.Status, obs.Summary, obs.Evidence = probes.Fail, why, []probes.Evidence{e}
		return obs, nil
	}
	e.Subject, e.Got = fmt.Sprintf("%s of %s", w.thing, moment(best.At)), best.describe()
	obs.Evidence = []probes.Evidence{e}
	return p.reach(ctx, obs, *best)
}

// best returns the entry that proves most, or why there is none. What is older than a failure, or than what may be relied on, proves
// nothing any more.
func (p proofProbe) best(entries []Entry) (best *Entry, why string, err error) {
	now := p.now()
	for i := range entries {
		e := &entries[i]
		why, err = p.wrong(*e, now)
		if err != nil || why != "" {
			break
		}
		if best == nil || best.Scope != Volumes && e.Scope == Volumes {
			best = e
		}
	}
	if best != nil {
		return best, "", nil
	}
	return nil, why, err
}

// wrong says why an entry proves nothing, or nothing if it does. An entry that cannot be read may say anything.
func (p proofProbe) wrong(e Entry, now time.Time) (string, error) {
	thing, age := p.words().thing, now.Sub(e.At)
	switch {
	case !e.Readable():
		return "", fmt.Errorf("the entry %s of the evidence record cannot be read: %w", probes.Clean(e.Key, 100), e.Fault)
	case age < -clockSkew:
		return "", fmt.Errorf("the newest %s is %s in the future: the clocks of this machine and of whoever wrote it differ", thing, span(-age))
	case e.Result != Passed:
		return strings.TrimSuffix(fmt.Sprintf("the newest %s, %s ago, came out as %s: %s", thing, span(age), probes.Clean(e.Result, 20), e.Summary), ": "), nil
	case p.params.Proof == "backup" && e.Details.Phase != "Completed":
		return fmt.Sprintf("the newest test backup is %s, not Completed", orNothing(e.Details.Phase)), nil
	case p.params.Proof == "restore" && !e.Details.Equal:
		return "the newest restore is recorded without its content having been found equal", nil
	case p.params.Proof == "restore" && e.Details.RTOSeconds <= 0:
		return "the newest restore is recorded without its RTO", nil
	case age > p.params.Within:
		return fmt.Sprintf("the newest %s is %s old, %s are allowed", thing, span(age), span(p.params.Within)), nil
	case !e.HoldsAt(now):
		return fmt.Sprintf("the newest %s, %s ago, was valid until %s", thing, span(age), moment(e.ValidUntil)), nil
	}
	return "", nil
}

// reach finishes the answer for an entry that proves something: how much of the platform it is about, and whether the cluster agrees.
func (p proofProbe) reach(ctx context.Context, obs probes.Observation, e Entry) (probes.Observation, error) {
	against, err := p.contradiction(ctx, &obs, e)
	if err != nil {
		return probes.Observation{}, err
	}
	if against != "" {
		obs.Status, obs.Summary = probes.Fail, against
		return obs, nil
	}
	obs.Status, obs.Summary = probes.Pass, p.summary(e)
	if e.Scope == Volumes {
		return obs, nil
	}
	volumes, err := p.cluster.List(ctx, volumesResource, "")
	if err != nil {
		return probes.Observation{}, fmt.Errorf("listing persistentvolumes, since the newest %s is of objects alone: %w", p.words().thing, err)
	}
	obs.Confirmed = earlier(obs.Confirmed, volumes.Confirmed)
	if volumes.Note != "" && len(volumes.Items) == 0 {
		return probes.Observation{}, fmt.Errorf("listing persistentvolumes, since the newest %s is of objects alone: %s", p.words().thing, volumes.Note)
	}
	row := probes.Evidence{Subject: "volumes of the platform", Want: "in the proof", Got: "there are none"}.From(volumes.Request)
	if n := len(volumes.Items); n > 0 {
		row.Got, row.Wanting = fmt.Sprintf("%s, not in the proof", plural(n, "volume")), true
		obs.Status, obs.Ratio = probes.Warn, probes.Part(1, 2)
		obs.Summary += fmt.Sprintf("; of objects alone, and the platform has %s", plural(n, "volume"))
	}
	obs.Evidence = append(obs.Evidence, row)
	return obs, nil
}

func (p proofProbe) summary(e Entry) string {
	age, place := span(p.now().Sub(e.At)), ""
	if e.Place != "" {
		place = " (known on " + e.Place + " only)"
	}
	if p.params.Proof == "restore" {
		return fmt.Sprintf("verified %s ago, RTO %s%s", age, seconds(e.Details.RTOSeconds), place)
	}
	items := ""
	if e.Details.Items > 0 {
		items = ", " + plural(e.Details.Items, "item")
	}
	return fmt.Sprintf("Completed %s ago%s%s", age, items, place)
}

// contradiction looks whether the backup that an entry is about says otherwise. Backups end and are removed, and not everybody may read
// them: what is not there contradicts nothing.
func (p proofProbe) contradiction(ctx context.Context, obs *probes.Observation, e Entry) (string, error) {
	namespace, name, ok := strings.Cut(e.Details.Backup, "/")
	if !ok {
		return "", nil
	}
	seen, err := p.cluster.List(ctx, backupsResource, namespace)
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("listing backups in %s: %w", namespace, err)
	}
	row := probes.Evidence{Subject: "backup " + probes.Clean(name, 100), Want: "Completed, if it is still there", Got: "not there any more"}.From(seen.Request)
	for _, b := range seen.Items {
		if b.GetName() != name {
			continue
		}
		phase, _, err := unstructured.NestedString(b.Object, "status", "phase")
		if err != nil {
			return "", errors.New("reading backup " + name + ": its phase is no text")
		}
		row.Got, row.Wanting = orNothing(phase), phase != "Completed" && phase != "Deleting" // a test's backup goes when it has been proved
	}
	obs.Evidence = append(obs.Evidence, row)
	obs.Confirmed = earlier(obs.Confirmed, seen.Confirmed)
	if row.Wanting {
		return fmt.Sprintf("the record says Completed, but backup %s is %s", name, row.Got), nil
	}
	return "", nil
}
