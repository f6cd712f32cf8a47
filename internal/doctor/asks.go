package doctor

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/254carbon/gonogo/probes"
)

// ask asks every check once over the connections that work, blocked or not, and tells why some cannot be asked: a permission that is
// missing, above all, which the clients name. Commands are not run: what they do cannot be guarded.
func (e *examination) ask(ctx context.Context) {
	outline := &probes.Outline{Platform: e.Profile.Platform, Profile: e.Profile.Name, Threshold: new(big.Rat), Components: e.Profile.Outline().Components}
	connections := e.connectionsOf()
	var checks []probes.Check
	for _, c := range e.Checks {
		needs, spec := connections[c.Spec.ID], c.Spec
		spec.BlockedBy, spec.Confirm = nil, 1
		broken := slices.ContainsFunc(needs, func(name string) bool { return e.broken[name] })
		if len(needs) == 0 || broken || spec.Exempt != "" {
			continue
		}
		if w, ok := c.Probe.(probes.Watching); ok {
			defer w.Watch(func() {})() // so that the cluster knows what is read, whatever keeps the check from reading it
		}
		outline.Specs = append(outline.Specs, spec)
		checks = append(checks, probes.Check{Spec: spec, Probe: c.Probe})
	}
	list, err := probes.NewChecklist(outline)
	if err != nil {
		e.add(Finding{Area: machineArea, Subject: "checks", State: Wrong, Text: err.Error()})
		return
	}
	list = probes.Sweep(ctx, list, checks, probes.SweepOptions{Now: e.Now, Progress: e.Progress})
	if e.Platform.Cluster != nil {
		e.read = e.Platform.Cluster.Resources()
	}
	e.tellUnasked(list.Assess(e.Now()))
}

// connectionsOf lists what each check is asked over.
func (e *examination) connectionsOf() map[probes.ID][]string {
	of := map[probes.ID][]string{}
	for _, name := range e.areas() {
		for _, id := range e.uses[name] {
			of[id] = append(of[id], name)
		}
	}
	return of
}

// tellUnasked tells why checks could not be asked, each reason once.
func (e *examination) tellUnasked(a probes.Assessment) {
	asked, first := map[string]int{}, map[string]int{}
	for _, i := range a.Items() {
		area := i.Spec.Connection
		if i.Status != probes.Unknown {
			asked[area]++
			if i.Status == probes.Pass || i.Status == probes.Warn {
				e.held[i.Spec.ID] = true
			}
			continue
		}
		if at, ok := e.own[area]; ok && strings.Contains(i.Error, "gonogo's reading") {
			e.findings[at].Checks = append(e.findings[at].Checks, i.Spec.ID)
			continue
		}
		if at, ok := first[area+i.Error]; ok {
			e.findings[at].Checks = append(e.findings[at].Checks, i.Spec.ID)
			continue
		}
		first[area+i.Error] = len(e.findings)
		e.add(Finding{
			Area: area, Subject: "asking " + string(i.Spec.ID), State: Wrong, Text: i.Error, Checks: []probes.ID{i.Spec.ID},
			Do: fmt.Sprintf("Mend what it says; `gonogo explain %s` asks again.", i.Spec.ID),
		})
	}
	for _, area := range e.areas() {
		if n := asked[area]; n > 0 {
			e.add(Finding{Area: area, Subject: "checks", State: OK, Text: fmt.Sprintf("%d can be asked", n)})
		}
	}
}

// credentials looks for the secrets that the profile names besides those that gonogo reads with: those of actions are tried, unless in
// read-only mode, in which they are not even read; those that a check is about are for that check to judge.
func (e *examination) credentials(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*tryFor)
	defer cancel()
	e.writing(ctx)
	for _, c := range e.Profile.Checks() {
		if c.Spec.Exempt != "" {
			continue
		}
		var refs []probes.SecretRef
		walk(c.Params, func(_ string, value any) {
			if ref, ok := value.(probes.SecretRef); ok && !ref.IsZero() {
				refs = append(refs, ref)
			}
		})
		if len(refs) > 0 {
			e.credentialOf(ctx, c.Spec, refs)
		}
	}
}

// credentialOf looks whether the secrets that a check is about are there.
func (e *examination) credentialOf(ctx context.Context, spec probes.Spec, refs []probes.SecretRef) {
	f := Finding{Area: spec.Connection, Subject: "credential", State: OK}
	var places []string
	for _, ref := range refs {
		if ref.Secret != "" && e.broken["kubernetes"] {
			return
		}
		_, err := e.Platform.Secrets.Resolve(ctx, ref)
		switch {
		case errors.Is(err, probes.ErrNoSecret) && ref.OfPlatform(): // its absence says something of the platform, not of gonogo
			f.State, f.Text = Note, err.Error()
		case errors.Is(err, probes.ErrNoSecret) && e.held[spec.ID]:
			f.State, f.Text = Note, err.Error()+"; check "+string(spec.ID)+" holds without it"
		case err != nil:
			f.State, f.Text, f.Do = Missing, err.Error(), "Put it where the profile says: "+ref.String()+"."
			f.Checks = []probes.ID{spec.ID}
			e.add(f)
			return
		}
		places = append(places, ref.String())
	}
	if f.State == OK {
		f.Text = strings.Join(places, ", ") + ": there, check " + string(spec.ID) + " judges it"
	}
	e.add(f)
}

// writing tries the credentials of the actions.
func (e *examination) writing(ctx context.Context) {
	c := e.Profile.Connections
	if h := c.Harbor; h != nil && h.Write != nil {
		e.tryWriting("harbor", "writing credential", func() { e.login(ctx, "writing credential", *h.Write, false) })
	}
	if f := c.Cloudflare; f != nil && f.Write != nil {
		e.tryWriting("cloudflare", "writing token", func() { e.token(ctx, "writing token", f.Write.Token, false) })
	}
}

func (e *examination) tryWriting(area, subject string, try func()) {
	switch {
	case e.broken[area] || e.Platform.Trouble(area) != nil:
	case e.Platform.ReadOnly:
		e.add(Finding{Area: area, Subject: subject, State: Note, Text: "not looked at in read-only mode"})
	default:
		try()
	}
}
