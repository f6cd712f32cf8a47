// Package profile reads the YAML file that describes a platform: how its systems are reached, what is claimed of it, what each claim is
// worth, how it is asked, and what may be done about it. It is strict, tells everything that is wrong at once and where, and never holds
// or shows a secret: those stand elsewhere and are only referred to.
package profile

import (
	"math/big"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// APIVersion is the version of the format that this package reads.
const APIVersion = "gonogo/v1"

// Profile is a valid profile. It must not be changed: a reload makes a new one.
type Profile struct {
	Name         string // of the file without its directory and ending, or of the built-in profile
	Source       string // what messages call the file
	Digest       string // SHA-256 of the text and of the lock beside it, in hexadecimal
	Platform     string
	Threshold    *big.Rat // percent for GO
	Connections  Connections
	Cluster      Cluster // UID is empty if no cluster is pinned
	Services     []Service
	Images       []Image
	Exempt       []Exemption
	Components   []Component
	Actions      []Action // by id
	Waivers      []probes.Waiver
	Attestations []Attestation
	doc          *document
}

// Component is a group of checks.
type Component struct {
	probes.Component
	Checks []Check
	Pos    Pos
}

// Check is one claim, ready to be joined with a probe of its kind.
type Check struct {
	Spec   probes.Spec
	Kind   string
	Params any // a pointer to the parameter struct of the kind, valid; nil if the kind has none
	Pos    Pos
}

// Checks returns every check in the order of the profile.
func (p *Profile) Checks() []Check {
	var all []Check
	for _, c := range p.Components {
		all = append(all, c.Checks...)
	}
	return all
}

// Check returns one check.
func (p *Profile) Check(id probes.ID) (Check, bool) {
	for _, c := range p.Checks() {
		if c.Spec.ID == id {
			return c, true
		}
	}
	return Check{}, false
}

// Similar returns the id of the check that a misspelt one most likely means, or nothing.
func (p *Profile) Similar(word string) probes.ID {
	var ids []string
	for _, c := range p.Checks() {
		ids = append(ids, string(c.Spec.ID))
	}
	return probes.ID(nearest(word, ids))
}

// Attests says what a person's word about the check is about, or nothing if it counts for nothing: the check is measured.
func (c Check) Attests() string {
	if a, ok := c.Params.(probes.Attestable); ok {
		return a.Attests()
	}
	return ""
}

// Action returns one action.
func (p *Profile) Action(id probes.ID) (Action, bool) {
	for _, a := range p.Actions {
		if a.ID == id {
			return a, true
		}
	}
	return Action{}, false
}

// Outline returns what the profile declares, apart from how it is asked. Every call returns a new one.
func (p *Profile) Outline() *probes.Outline {
	o := &probes.Outline{
		Platform: p.Platform, Profile: p.Name, Threshold: new(big.Rat).Set(p.Threshold),
		Waivers: append([]probes.Waiver(nil), p.Waivers...), Actions: map[probes.ID]string{},
	}
	for _, a := range p.Actions {
		o.Actions[a.ID] = a.Title
	}
	for _, c := range p.Components {
		o.Components = append(o.Components, c.Component)
		for _, check := range c.Checks {
			o.Specs = append(o.Specs, check.Spec)
		}
	}
	return o
}

// ValidAt reports whether the attestation holds at a moment.
func (a Attestation) ValidAt(now time.Time) bool {
	return !now.Before(a.On.Time) && now.Before(a.Expires.End())
}
