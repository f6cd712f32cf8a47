package profile

import (
	"github.com/254carbon/gonogo/probes"
)

// document is a profile as it is written; its tags and descriptions are also the source of the JSON Schema.
type document struct {
	place        `yaml:"-"`
	APIVersion   string             `yaml:"apiVersion" jsonschema:"required,enum=gonogo/v1,description=Version of this format"`
	Platform     string             `yaml:"platform" jsonschema:"required,minLength=1,maxLength=100,description=Name of what is judged"`
	Threshold    Number             `yaml:"threshold" jsonschema:"required,description=Percent for GO\\, gates aside"`
	Connections  Connections        `yaml:"connections,omitempty" jsonschema:"description=Where the platform's systems are; secrets by reference only"`
	Cluster      *Cluster           `yaml:"cluster,omitempty" jsonschema:"description=Which cluster this is; actions refuse another one"`
	Services     []Service          `yaml:"services,omitempty" jsonschema:"description=The declared services"`
	Images       []Image            `yaml:"images,omitempty" jsonschema:"description=The images that must be mirrored"`
	Exempt       []Exemption        `yaml:"exempt,omitempty" jsonschema:"description=Images that need no mirror"`
	Components   []componentDoc     `yaml:"components" jsonschema:"required,minItems=1,description=Groups of checks"`
	Actions      map[string]*Action `yaml:"actions,omitempty" jsonschema:"description=What gonogo may do to the platform\\, by id"`
	Waivers      []Waiver           `yaml:"waivers,omitempty" jsonschema:"description=Accepted gaps in gates"`
	Attestations []Attestation      `yaml:"attestations,omitempty" jsonschema:"description=A person's word for what no probe can see"`
}

// Cluster pins the cluster that the profile is about.
type Cluster struct {
	place `yaml:"-"`
	UID   string `yaml:"uid" jsonschema:"required,description=UID of the namespace kube-system"`
}

// Service is one of the platform's declared services.
type Service struct {
	place     `yaml:"-"`
	ID        probes.ID `yaml:"id" jsonschema:"required"`
	Name      string    `yaml:"name" jsonschema:"required,minLength=1"`
	Workload  Workload  `yaml:"workload" jsonschema:"required,description=The object whose pods serve it"`
	Image     string    `yaml:"image" jsonschema:"required,minLength=1,description=Repository that its pods must run\\, without a tag"`
	Health    string    `yaml:"health,omitempty" jsonschema:"description=URL inside the cluster that only the real program answers"`
	Host      string    `yaml:"host,omitempty" jsonschema:"description=Public host name"`
	Protected bool      `yaml:"protected" jsonschema:"description=Whether its host must ask for a login"`
	Mirror    string    `yaml:"mirror,omitempty" jsonschema:"description=Key of its image among images\\, if it is to be mirrored"`
}

// Workload names one object of the cluster.
type Workload struct {
	Kind      string `yaml:"kind" jsonschema:"required,enum=Deployment,enum=StatefulSet,enum=DaemonSet"`
	Namespace string `yaml:"namespace" jsonschema:"required,minLength=1"`
	Name      string `yaml:"name" jsonschema:"required,minLength=1"`
}

// Image is one image that must be mirrored.
type Image struct {
	place  `yaml:"-"`
	Key    string `yaml:"key" jsonschema:"required,minLength=1,description=Name of the mirrored repository within the project"`
	Source string `yaml:"source" jsonschema:"required,minLength=1,description=Reference of the original"`
	Digest string `yaml:"digest,omitempty" jsonschema:"description=Locked digest: sha256:…"`
}

// Exemption is a group of images that need no mirror.
type Exemption struct {
	Image  string `yaml:"image" jsonschema:"required,minLength=1,description=Repository; * stands for any text"`
	Reason string `yaml:"reason" jsonschema:"required,minLength=1"`
}

// Action is something that gonogo may do to the platform. Its parameters are left to the code of its kind.
type Action struct {
	place    `yaml:"-"`
	ID       probes.ID `yaml:"-"`
	Kind     string    `yaml:"kind,omitempty" jsonschema:"description=Kind of the action; its id by default"`
	Title    string    `yaml:"title" jsonschema:"required,minLength=1"`
	Estimate Effort    `yaml:"estimate,omitempty" jsonschema:"description=How long it takes\\, by estimate"`
	Key      string    `yaml:"key,omitempty" jsonschema:"description=Key of the board that starts it"`
	With     Raw       `yaml:"with,omitempty" jsonschema:"description=Parameters of its kind"`
	Params   any       `yaml:"-"` // a pointer to the parameter struct of the kind, valid; nil if the kind is not known
}

// Waiver is an accepted gap in a gate; it holds to the end of its last day, in UTC.
type Waiver struct {
	Check   ref    `yaml:"check" jsonschema:"required"`
	Owner   string `yaml:"owner" jsonschema:"required,minLength=1,description=Who answers for the gap"`
	Reason  string `yaml:"reason" jsonschema:"required,minLength=1"`
	Expires Date   `yaml:"expires" jsonschema:"required,description=Last day on which it holds"`
}

// Attestation is a person's word for what no probe can see; it holds to the end of its last day, in UTC.
type Attestation struct {
	place   `yaml:"-"`
	Check   ref    `yaml:"check" jsonschema:"required"`
	By      string `yaml:"by" jsonschema:"required,minLength=1"`
	On      Date   `yaml:"on" jsonschema:"required,description=Day of the word"`
	Expires Date   `yaml:"expires" jsonschema:"required,description=Last day on which it holds"`
	Note    string `yaml:"note,omitempty"`
}

// CheckID returns the check that the attestation is about.
func (a Attestation) CheckID() probes.ID { return a.Check.id }

type componentDoc struct {
	place    `yaml:"-"`
	ID       probes.ID  `yaml:"id" jsonschema:"required"`
	Title    string     `yaml:"title" jsonschema:"required,minLength=1"`
	Weight   Number     `yaml:"weight" jsonschema:"required,description=Points"`
	Declared *int       `yaml:"declared,omitempty" jsonschema:"minimum=0,maximum=100,description=Percent that a status document claims"`
	Effort   *effortDoc `yaml:"effort,omitempty" jsonschema:"description=Work on it\\, by estimate"`
	Checks   []checkDoc `yaml:"checks" jsonschema:"required,minItems=1"`
}

type effortDoc struct {
	Remaining Effort `yaml:"remaining,omitempty" jsonschema:"description=What is left when nothing of it is done"`
	Invested  Effort `yaml:"invested,omitempty" jsonschema:"description=What went into it already"`
}

type checkDoc struct {
	place     `yaml:"-"`
	ID        probes.ID `yaml:"id" jsonschema:"required"`
	Title     string    `yaml:"title" jsonschema:"required,minLength=1,description=A claim that is true when the check passes"`
	Probe     string    `yaml:"probe" jsonschema:"required,description=Kind of the probe"`
	With      Raw       `yaml:"with,omitempty" jsonschema:"description=Parameters of the probe"`
	Weight    Number    `yaml:"weight" jsonschema:"required,description=Weight within the component; may be 0"`
	Gate      bool      `yaml:"gate,omitempty" jsonschema:"description=Whether there is no GO without it"`
	BlockedBy []ref     `yaml:"blockedBy,omitempty" jsonschema:"description=Checks that must pass before this one can"`
	Every     Interval  `yaml:"every,omitempty" jsonschema:"description=How often it is asked: a time span\\, or watch"`
	Timeout   span      `yaml:"timeout,omitempty" jsonschema:"description=Deadline of one asking"`
	Confirm   *int      `yaml:"confirm,omitempty" jsonschema:"minimum=1,maximum=10,description=Failures in a row that flip a standing answer"`
	When      *when     `yaml:"when,omitempty" jsonschema:"description=The check applies only where this holds"`
	Remedy    string    `yaml:"remedy,omitempty" jsonschema:"description=What a person can do about a failure"`
	Action    ref       `yaml:"action,omitempty" jsonschema:"description=The action that mends it"`
	Effort    Effort    `yaml:"effort,omitempty" jsonschema:"description=What is left to do if it does not pass"`
}

// when is a condition that the profile declares; exactly one field is set.
type when struct {
	place      `yaml:"-"`
	Connection string `yaml:"connection,omitempty" jsonschema:"description=Name of a connection that must be configured"`
	Env        string `yaml:"env,omitempty" jsonschema:"description=Environment variable that must be set"`
}
