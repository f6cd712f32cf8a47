package access

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/actions/apply"
	"github.com/254carbon/gonogo/probes"
)

// change is what one step does to one thing of the account. Bodies hold placeholders for what is made by earlier steps.
type change struct {
	Kind   Kind   `json:"kind"`
	ID     string `json:"id,omitempty"` // of what is there; empty for what is to be made
	Key    string `json:"key"`          // by which it is found: an application's host, a policy's name, a provider's type
	Body   Object `json:"body,omitempty"`
	Before Object `json:"before,omitempty"` // as it could be written again
	Delete bool   `json:"delete,omitempty"`
	Made   string `json:"made,omitempty"` // the id of what was made, once it is known; kept for going back
}

// The names of steps, besides those of changes.
const (
	stepRights   = "rights"
	stepOperator = "operator"
	stepPositive = "positive"
	stepNothing  = "remove-positive"
	validate     = "validate "
)

// probe is the data of a step that tests an address or looks at a host.
type probe struct {
	Email    string   `json:"email,omitempty"`
	Policies []Object `json:"policies,omitempty"`
	Host     string   `json:"host,omitempty"`
}

// planner makes a plan.
type planner struct {
	action
	account
	plan   *actions.Plan
	widen  bool
	needs  []string            // the steps before everything that changes something
	policy map[string]string   // the step that makes or changes a policy, or nothing, by what refers to it: its id or a placeholder
	usable map[string]string   // what refers to the policy of programs, by name; those that must not be used are missing
	bodies map[string]Object   // policies as they will be, by what refers to them
	meet   []string            // what refers to the policies that people will meet at what changes
	made   map[string][]string // the hosts that a new or changed application covers, by its host
}

// Plan implements [actions.Action].
func (a action) Plan(ctx context.Context, in actions.Inputs) (actions.Plan, error) {
	p := actions.Plan{Parallel: 8}
	email := strings.TrimSpace(in[inputEmail])
	if email != "" {
		if err := address(email); err != nil {
			return p, &actions.InputError{Name: inputEmail, Err: err}
		}
	}
	x := planner{action: a, plan: &p, widen: in.Switch(inputWiden), policy: map[string]string{}, usable: map[string]string{}, bodies: map[string]Object{}, made: map[string][]string{}}
	x.things = map[Kind][]Object{}
	kinds := []Kind{Providers, Policies, Apps}
	if len(a.Programs) > 0 {
		kinds = append(kinds, ServiceTokens)
	}
	var err error
	for _, k := range kinds {
		if x.things[k], err = a.API.List(ctx, k); err != nil {
			return p, err
		}
	}
	if in.Switch(inputRollback) {
		return p, x.rollback(ctx)
	}
	x.login()
	x.programs()
	for _, app := range a.Apps {
		x.app(app)
	}
	if err := x.routes(ctx); err != nil {
		p.Notes = append(p.Notes, "which hosts are routed without an application cannot be told: "+err.Error())
	}
	if !in.Switch(inputPositive) {
		x.leftovers()
	}
	changes := p.Changes()
	p.Summary = fmt.Sprintf("%d changes to Access for %d applications", changes, len(a.Apps))
	if changes > 0 {
		x.operator(email)
	}
	if err := x.services(ctx, in, changes > 0); err != nil {
		return p, err
	}
	if positive := in.Switch(inputPositive); p.Changes() > 0 || positive {
		x.validate()
		if positive {
			x.positive()
		}
	}
	if len(p.Steps) == 0 || changes == 0 && !in.Switch(inputPositive) {
		return p, nil
	}
	return p, x.rights(ctx, in.Switch(inputPositive))
}

// services plans the services' own part. A script is run only where something else changes: what it does nobody can see.
func (x *planner) services(ctx context.Context, in actions.Inputs, changes bool) error {
	take := func(part actions.Action) error {
		if part == nil {
			return errors.New("the services' own part cannot be done: a connection for it is missing")
		}
		q, err := part.Plan(ctx, in)
		if err != nil {
			return fmt.Errorf("planning the services' own part: %w", err)
		}
		x.plan.Steps, x.plan.Already = append(x.plan.Steps, q.Steps...), x.plan.Already+q.Already
		x.plan.Notes, x.plan.Missing = append(x.plan.Notes, q.Notes...), append(x.plan.Missing, q.Missing...)
		return nil
	}
	if part, wanted := x.applied(); wanted {
		if err := take(part); err != nil {
			return err
		}
	}
	if part, wanted := x.scripted(); wanted && changes {
		return take(part)
	}
	return nil
}

// applied is the action that applies the services' own part, if there is one.
func (a action) applied() (part actions.Action, wanted bool) {
	if len(a.Integrations) == 0 || a.Apply == nil {
		return nil, len(a.Integrations) > 0
	}
	return a.Apply(apply.Params{Objects: a.Integrations, Patience: a.Patience}), true
}

// scripted is the action that runs the script of the services' own part, if there is one.
func (a action) scripted() (part actions.Action, wanted bool) {
	if a.Params.Script == nil || a.Deps.Script == nil {
		return nil, a.Params.Script != nil
	}
	return a.Deps.Script(*a.Params.Script), true
}

func (x *planner) note(format string, args ...any) {
	x.plan.Notes = append(x.plan.Notes, fmt.Sprintf(format, args...))
}

// add adds a step that changes something.
func (x *planner) add(c change, title string, needs ...string) string {
	data, err := json.Marshal(c)
	if err != nil { // of what was decoded from JSON
		x.note("%s is left out: %v", title, err)
		return ""
	}
	s := actions.Step{ID: string(c.Kind) + " " + cmp.Or(c.ID, c.Key), Title: title, Target: probes.Clean(c.Key, 200), Effect: actions.Creates, Data: data, Needs: needs}
	switch {
	case c.Delete:
		s.Effect, s.Detail = actions.Deletes, x.difference(c.Kind, nil, c.Before)
	case c.ID != "":
		s.Effect, s.Detail = actions.Updates, x.difference(c.Kind, c.Before, c.Body)
	default:
		s.Detail = x.difference(c.Kind, nil, c.Body)
	}
	x.plan.Steps = append(x.plan.Steps, s)
	return s.ID
}

// login sees to the identity provider.
func (x *planner) login() {
	if x.provider(x.Login) != nil {
		x.plan.Already++
		return
	}
	name := x.Login
	if name == "onetimepin" {
		name = "One-time PIN"
	}
	if name == x.Login {
		x.plan.Missing = append(x.plan.Missing, fmt.Sprintf("an identity provider of type %s: gonogo makes only the one-time PIN by itself", x.Login))
		return
	}
	id := x.add(change{Kind: Providers, Key: x.Login, Body: Object{"name": name, "type": x.Login, "config": map[string]any{}}}, "Create the login method "+name)
	x.needs = append(x.needs, id)
}

// operator has the address of a person tested against the policies that change, before any of them takes effect.
func (x *planner) operator(email string) {
	var meet []Object
	for _, id := range x.meet {
		p := x.bodies[id]
		if p == nil {
			p = x.byID(Policies, id)
		}
		if text(p, "decision") == "allow" {
			meet = append(meet, p)
		}
	}
	for id, step := range x.policy { // those that change at applications that do not
		if step != "" && text(x.bodies[id], "decision") == "allow" && !slices.Contains(x.meet, id) {
			meet = append(meet, x.bodies[id])
		}
	}
	switch {
	case len(meet) == 0:
		return
	case email == "":
		x.note("nobody's address is tested before the policies take effect: give yours (%s)", inputEmail)
		return
	}
	var policies []Object
	for _, p := range meet { // those that differ in more than their name
		q, _ := x.API.Writable(Policies, clone(p))
		q["name"] = "gonogo"
		if !slices.ContainsFunc(policies, func(o Object) bool { return len(x.difference(Policies, o, q)) == 0 }) {
			policies = append(policies, q)
		}
	}
	data, err := json.Marshal(probe{Email: email, Policies: policies})
	if err != nil {
		x.note("the address cannot be tested: %v", err)
		return
	}
	step := actions.Step{ID: stepOperator, Title: "Test whether " + email + " is let in", Target: email, Effect: actions.Reads, Data: data, Needs: slices.Clone(x.needs)}
	first := slices.IndexFunc(x.plan.Steps, func(s actions.Step) bool {
		return strings.HasPrefix(s.ID, string(Policies)) || strings.HasPrefix(s.ID, string(Apps))
	})
	for i := max(first, 0); i < len(x.plan.Steps); i++ {
		x.plan.Steps[i].Needs = append(x.plan.Steps[i].Needs, stepOperator)
	}
	x.plan.Steps = slices.Insert(x.plan.Steps, max(first, 0), step)
}

// validate looks at the hosts from outside when all is done.
func (x *planner) validate() {
	if x.Outside == nil {
		return
	}
	for _, app := range x.Apps {
		hosts := x.made[app.Host]
		if hosts == nil {
			hosts = []string{app.Host}
		}
		for _, h := range hosts {
			data, err := json.Marshal(probe{Host: h})
			if err != nil {
				continue
			}
			x.plan.Steps = append(x.plan.Steps, actions.Step{
				ID: validate + h, Title: "Look at " + h + " from outside", Target: h, Effect: actions.Reads, Group: "validate", Lenient: true, Data: data,
			})
		}
	}
}

// positive has a program let in for a moment, which shows that what is behind the login answers.
func (x *planner) positive() {
	if x.Visit == nil {
		return
	}
	host := x.Apps[0].Host
	data, err := json.Marshal(probe{Host: host})
	if err != nil {
		return
	}
	x.plan.Steps = append(x.plan.Steps,
		actions.Step{ID: stepPositive, Title: "Try a way into " + host, Target: host, Effect: actions.Creates, Lenient: true, Data: data, Detail: []string{
			"a service token and a policy for it, attached to the application of " + host, "both are taken away at once, whatever comes of it",
		}},
		actions.Step{ID: stepNothing, Title: "See that nothing of that is left", Target: host, Effect: actions.Updates, Cleanup: true, Needs: []string{stepPositive}, Data: data})
}

// leftovers plans to take away what an earlier try of a way in left, since its process ended in the middle.
func (x *planner) leftovers() {
	for _, p := range x.things[Policies] {
		if strings.HasPrefix(text(p, "name"), testPrefix) {
			x.plan.Steps = append(x.plan.Steps, actions.Step{
				ID: stepNothing, Title: "Take away what an earlier try of a way in left", Target: text(p, "name"), Effect: actions.Updates,
			})
			return
		}
	}
}

// testPrefix begins the names of what a try of a way in makes.
const testPrefix = "gonogo-test-"

// kindsOf are the kinds that the steps change.
func kindsOf(positive bool) []Kind {
	if positive {
		return []Kind{Apps, Providers, ServiceTokens}
	}
	return []Kind{Apps, Providers}
}

// rights names what the token of the actions lacks, or has the first step find out.
func (x *planner) rights(ctx context.Context, positive bool) error {
	missing, known, err := x.API.Rights(ctx, kindsOf(positive)...)
	if err != nil {
		return err
	}
	x.plan.Missing = append(x.plan.Missing, missing...)
	if !known {
		x.note("what the token may do cannot be read: the first step tries it by requests that change nothing")
	}
	x.plan.Steps = slices.Insert(x.plan.Steps, 0, actions.Step{
		ID: stepRights, Title: "Try what the token may do", Target: "Cloudflare", Effect: actions.Reads,
	})
	for i := range x.plan.Steps[1:] {
		if s := &x.plan.Steps[i+1]; !s.Cleanup {
			s.Needs = append(s.Needs, stepRights)
		}
	}
	return nil
}
