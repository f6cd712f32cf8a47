package velero

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// StorageParams are the parameters of the kind velero.storage.
type StorageParams struct {
	Namespace           string        `yaml:"namespace,omitempty" jsonschema:"description=namespace of the installation"`
	Name                string        `yaml:"name,omitempty" jsonschema:"description=name that the default location must have; empty for any"`
	Bucket              string        `yaml:"bucket,omitempty" jsonschema:"description=bucket that the location must use; empty for any"`
	Prefix              string        `yaml:"prefix,omitempty" jsonschema:"description=prefix within the bucket; empty for any"`
	Store               string        `yaml:"store,omitempty" jsonschema:"description=connection over which the bucket itself is looked at; empty leaves that to Velero,enum=minio"`
	ValidationFrequency time.Duration `yaml:"validationFrequency,omitempty" jsonschema:"description=how often the server validates a location that does not say so itself"`
}

// Validate reports what is wrong with the parameters.
func (p *StorageParams) Validate() error {
	switch {
	case p.Namespace == "":
		return fmt.Errorf("namespace must not be empty")
	case p.Store != "" && p.Store != Store:
		return fmt.Errorf("store must be %s or nothing, not %q", Store, p.Store)
	case p.ValidationFrequency < 0:
		return fmt.Errorf("validationFrequency must not be negative, it is %s", p.ValidationFrequency)
	}
	return nil
}

// Store is the connection to the object store.
const Store = "minio"

// Connections says over what the location is looked at.
func (p *StorageParams) Connections() []string {
	if p.Store == "" {
		return []string{Connection}
	}
	return []string{Connection, p.Store}
}

// StorageInfo describes the kind velero.storage.
func StorageInfo() probes.KindInfo {
	return probes.KindInfo{
		Name: "velero.storage",
		About: "Looks whether the default backup storage location is Available, was validated lately, may be written and uses the declared bucket, from its " +
			"object, and whether that bucket exists, from the object store where a connection to it is given.",
		Connection: Connection, OnChange: true, Every: time.Minute, Timeout: 10 * time.Second, Confirm: 2,
		Params: func() any { return &StorageParams{Namespace: DefaultNamespace, ValidationFrequency: time.Minute} },
	}
}

// NewStorage returns a probe of the kind velero.storage. Parameters must be valid. Buckets may be nil: then nothing is said of the object
// store. The clock is that of ages; nil for the machine's.
func NewStorage(objects Objects, buckets Buckets, p StorageParams, now func() time.Time) probes.Probe {
	if now == nil {
		now = time.Now
	}
	return storageProbe{objects: objects, buckets: buckets, params: p, now: now}
}

type storageProbe struct {
	objects Objects
	buckets Buckets
	params  StorageParams
	now     func() time.Time
}

var _ probes.Watching = storageProbe{}

func (p storageProbe) Watch(wake func()) func() {
	return watchAll(p.objects, wake, locationsResource())
}

func (p storageProbe) Observe(ctx context.Context) (probes.Observation, error) {
	r := &reader{objects: p.objects, namespace: p.params.Namespace}
	seen, err := r.list(ctx, locationsResource())
	if missing := (notInstalledError{}); errors.As(err, &missing) {
		return missing.observation(), nil
	}
	if err != nil {
		return probes.Observation{}, err
	}
	l, none, err := p.choose(seen)
	if err != nil {
		return probes.Observation{}, err
	}
	if none != "" {
		return probes.Observation{
			Status: probes.Fail, Summary: none, Confirmed: r.confirmed,
			Evidence: []probes.Evidence{probes.Evidence{
				Subject: "backup storage locations in " + p.params.Namespace, Want: p.wanted(), Got: none, Wanting: true,
			}.From(seen.Request)},
		}, nil
	}
	findings, err := p.judge(l)
	if err != nil {
		return probes.Observation{}, err
	}
	for i := range findings {
		findings[i].evidence = findings[i].evidence.From(seen.Request)
	}
	if p.buckets != nil && l.bucket() != "" {
		f, err := p.inStore(ctx, r, l)
		if err != nil && !wanting(findings) {
			return probes.Observation{}, err
		}
		if err == nil {
			findings = append(findings, f...)
		}
	}
	obs := conclude(findings)
	obs.Confirmed = r.confirmed
	if obs.Status == probes.Pass {
		obs.Summary = fmt.Sprintf("location %s is Available in bucket %s%s", l.Name, l.bucket(), p.validated(l))
	}
	return obs, nil
}

func (p storageProbe) wanted() string {
	if p.params.Name != "" {
		return "a default one named " + p.params.Name
	}
	return "exactly one default"
}

// choose returns the default location, or in words why there is none.
func (p storageProbe) choose(seen list) (*location, string, error) {
	var defaults []*location
	var names []string
	for _, o := range seen.Items {
		l, err := decode[location](o)
		if err != nil {
			return nil, "", err
		}
		names = append(names, l.Name)
		if l.Spec.Default {
			defaults = append(defaults, l)
		}
	}
	switch {
	case len(defaults) == 1 && (p.params.Name == "" || defaults[0].Name == p.params.Name):
		return defaults[0], "", nil
	case len(defaults) == 1:
		return nil, fmt.Sprintf("the default location is %s, not %s", defaults[0].Name, p.params.Name), nil
	case len(defaults) > 1:
		return nil, fmt.Sprintf("%d locations say that they are the default", len(defaults)), nil
	case seen.Note != "":
		return nil, "", fmt.Errorf("looking for the default backup storage location: %s", seen.Note)
	case len(names) == 0:
		return nil, fmt.Sprintf("there is no backup storage location in %s", p.params.Namespace), nil
	}
	return nil, fmt.Sprintf("no location is the default, of %s", strings.Join(names, ", ")), nil
}

// finding is one thing that was looked at, and its cause if it falls short.
type finding struct {
	evidence probes.Evidence
	cause    string // of a failure
}

func wanting(all []finding) bool {
	for _, f := range all {
		if f.cause != "" {
			return true
		}
	}
	return false
}

// conclude makes one answer of findings: a failure that names each cause, or a pass without a summary yet.
func conclude(all []finding) probes.Observation {
	obs := probes.Observation{Status: probes.Pass}
	var causes []string
	for _, f := range all {
		f.evidence.Wanting = f.cause != ""
		obs.Evidence = append(obs.Evidence, f.evidence)
		if f.cause != "" {
			causes = append(causes, f.cause)
		}
	}
	if len(causes) > 0 {
		obs.Status, obs.Summary = probes.Fail, enumerate(causes)
	}
	return obs
}

// judge looks at what the location says of itself.
func (p storageProbe) judge(l *location) ([]finding, error) {
	subject := "location " + l.Name
	phase := finding{evidence: probes.Evidence{Subject: subject + " phase", Want: "Available", Got: orNothing(l.Status.Phase)}}
	if l.Status.Message != "" {
		phase.evidence.Got += ": " + l.Status.Message
	}
	switch l.Status.Phase {
	case "Available":
	case "":
		phase.cause = fmt.Sprintf("location %s was never validated", l.Name)
	default:
		phase.cause = fmt.Sprintf("location %s is %s", l.Name, phase.evidence.Got)
	}
	fresh, err := p.fresh(l)
	if err != nil && phase.cause == "" {
		return nil, err
	}
	findings := []finding{phase}
	if err == nil {
		findings = append(findings, fresh)
	}
	return append(findings, p.bucketNamed(l)...), nil
}

// frequency is how often the server validates the location; 0 is never.
func (p storageProbe) frequency(l *location) time.Duration {
	if f := l.Spec.ValidationFrequency; f != nil && f.Duration >= 0 {
		return f.Duration
	}
	return p.params.ValidationFrequency
}

// fresh looks whether the server still validates. A phase stays what it was when the server died, so a phase alone proves nothing.
func (p storageProbe) fresh(l *location) (finding, error) {
	limit := 3 * p.frequency(l)
	f := finding{evidence: probes.Evidence{Subject: "location " + l.Name + " validated", Want: "within " + span(limit), Got: "never"}}
	last := l.Status.LastValidationTime
	if last != nil {
		f.evidence.Got = fmt.Sprintf("%s, %s ago", moment(last.Time), span(p.now().Sub(last.Time)))
	}
	switch {
	case limit == 0:
		f.evidence.Want = "not demanded: validation is switched off"
	case last == nil:
		f.cause = fmt.Sprintf("location %s was never validated", l.Name)
	case p.now().Sub(last.Time) < -clockSkew:
		return f, fmt.Errorf("location %s was validated %s in the future: the clocks of the cluster and of this machine differ", l.Name, span(last.Sub(p.now())))
	case p.now().Sub(last.Time) > limit:
		f.cause = fmt.Sprintf("location %s says %s, but was last validated %s ago: the server is dead or stuck",
			l.Name, orNothing(l.Status.Phase), span(p.now().Sub(last.Time)))
	}
	return f, nil
}

func (p storageProbe) validated(l *location) string {
	if l.Status.LastValidationTime == nil || p.frequency(l) == 0 {
		return ""
	}
	return fmt.Sprintf(", validated %s ago", span(max(0, p.now().Sub(l.Status.LastValidationTime.Time))))
}

// bucketNamed looks where the location writes, and whether it may.
func (p storageProbe) bucketNamed(l *location) []finding {
	bucket := finding{evidence: probes.Evidence{Subject: "location " + l.Name + " bucket", Want: "any bucket", Got: orNothing(l.bucket())}}
	if p.params.Bucket != "" {
		bucket.evidence.Want = p.params.Bucket
	}
	switch {
	case l.bucket() == "":
		bucket.cause = fmt.Sprintf("location %s names no bucket", l.Name)
	case p.params.Bucket != "" && l.bucket() != p.params.Bucket:
		bucket.cause = fmt.Sprintf("location %s uses bucket %s, not %s", l.Name, l.bucket(), p.params.Bucket)
	}
	mode := finding{evidence: probes.Evidence{Subject: "location " + l.Name + " access mode", Want: "ReadWrite", Got: l.Spec.AccessMode}}
	switch l.Spec.AccessMode {
	case "":
		mode.evidence.Got = "ReadWrite, by default"
	case "ReadWrite":
	default:
		mode.cause = fmt.Sprintf("location %s is %s: no backup can be written", l.Name, l.Spec.AccessMode)
	}
	findings := []finding{bucket, mode}
	if want := p.params.Prefix; want != "" && l.Spec.ObjectStorage != nil {
		got := l.Spec.ObjectStorage.Prefix
		prefix := finding{evidence: probes.Evidence{Subject: "location " + l.Name + " prefix", Want: want, Got: orNothing(got)}}
		if strings.Trim(got, "/") != strings.Trim(want, "/") {
			prefix.cause = fmt.Sprintf("location %s writes under prefix %s, not %s", l.Name, orNothing(got), want)
		}
		findings = append(findings, prefix)
	}
	return findings
}
