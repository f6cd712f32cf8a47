package actions

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// Step is one effect of a plan.
//
// Steps are carried out in their order; those that follow each other with the same Group, which is not empty, at the same time. A step
// that fails ends the run, unless it is Lenient: then the others go on, without those that need it, and the run fails at its end. A
// Cleanup step is carried out at the end whatever happened, cancellation included.
type Step struct {
	ID     string   `json:"id"`    // unique in the plan: "copy trino"
	Title  string   `json:"title"` // "Copy trinodb/trino:424"
	Target string   `json:"target,omitempty"`
	Effect Effect   `json:"effect"`
	Group  string   `json:"group,omitempty"`
	Needs  []string `json:"needs,omitempty"` // IDs of earlier steps without which this one is left out

	Unrepeatable bool `json:"unrepeatable,omitempty"` // a crash in it leaves an outcome that a person has to tell
	Lenient      bool `json:"lenient,omitempty"`
	Cleanup      bool `json:"cleanup,omitempty"`

	Size   Amount          `json:"size,omitzero"`    // how much work it is, if that is known
	Detail []string        `json:"detail,omitempty"` // what changes, line by line: a diff, an argv
	Data   json.RawMessage `json:"data,omitempty"`   // the action's own; never a secret
}

// Plan is what an action would do. It holds no secrets, and is kept with the run.
type Plan struct {
	Action   probes.ID   `json:"action"`
	Kind     string      `json:"kind"`
	Title    string      `json:"title"`
	Platform string      `json:"platform"`
	Cluster  string      `json:"cluster,omitempty"` // kube-system's UID
	Profile  string      `json:"profile,omitempty"` // digest of the profile it was made from
	Inputs   Inputs      `json:"inputs,omitempty"`
	MadeAt   time.Time   `json:"madeAt"`
	Summary  string      `json:"summary"` // one line: "33 images, 2.9 GB, 12 workloads"
	Steps    []Step      `json:"steps,omitempty"`
	Parallel int         `json:"parallel,omitempty"` // how many steps of a group at once; 0 for 4
	Mends    []probes.ID `json:"mends,omitempty"`    // the checks asked again after the run

	// Already counts what needs no step, because it is there.
	Already int `json:"already,omitempty"`
	// Notes are what a person should know before saying yes: consequences, what is left out and why, steps by hand.
	Notes []string `json:"notes,omitempty"`
	// Missing are permissions and conditions without which the plan cannot be carried out. A plan with any is refused.
	Missing []string `json:"missing,omitempty"`

	Data json.RawMessage `json:"data,omitempty"` // the action's own; never a secret
}

// Worst is the gravest effect of the steps.
func (p Plan) Worst() Effect {
	worst := Reads
	for _, s := range p.Steps {
		worst = max(worst, s.Effect)
	}
	return worst
}

// Changes counts the steps that change something.
func (p Plan) Changes() int {
	n := 0
	for _, s := range p.Steps {
		if s.Effect != Reads && !s.Cleanup {
			n++
		}
	}
	return n
}

// Size adds up the steps.
func (p Plan) Size() Amount {
	var sum Amount
	for _, s := range p.Steps {
		sum = sum.Plus(s.Size)
	}
	return sum
}

// Step returns one step.
func (p Plan) Step(id string) (Step, bool) {
	i := slices.IndexFunc(p.Steps, func(s Step) bool { return s.ID == id })
	if i < 0 {
		return Step{}, false
	}
	return p.Steps[i], true
}

// Digest identifies what would be done, and not when that was found out.
func (p Plan) Digest() string {
	p.MadeAt = time.Time{}
	text, err := json.Marshal(p)
	if err != nil { // of a RawMessage that is no JSON
		text = fmt.Append(nil, err)
	}
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Validate reports what makes a plan impossible to carry out: steps without names or with the same one, needs that lead nowhere or forward.
func (p Plan) Validate() error {
	seen := map[string]bool{}
	for _, s := range p.Steps {
		switch {
		case s.ID == "" || s.Title == "":
			return fmt.Errorf("the plan of %s has a step without a name", p.Action)
		case seen[s.ID]:
			return fmt.Errorf("the plan of %s has two steps %q", p.Action, s.ID)
		}
		for _, need := range s.Needs {
			if !seen[need] {
				return fmt.Errorf("the step %q of %s needs %q, which does not come before it", s.ID, p.Action, need)
			}
		}
		seen[s.ID] = true
	}
	return nil
}
