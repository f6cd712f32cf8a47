package access

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/actions/apply"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/cloudflare"
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

// allowed are the rules of those who may come in.
func (x *planner) allowed() []any {
	var all []any
	for _, d := range x.Allow.EmailDomains {
		all = append(all, map[string]any{"email_domain": map[string]any{"domain": d}})
	}
	for _, e := range x.Allow.Emails {
		all = append(all, map[string]any{"email": map[string]any{"email": e}})
	}
	for _, g := range x.Allow.Groups {
		all = append(all, map[string]any{"group": map[string]any{"id": g}})
	}
	return all
}

// programs sees to the policies of programs, which come before the applications that shut them out.
func (x *planner) programs() {
	for _, program := range x.Programs {
		var include []any
		for _, name := range program.Tokens {
			found := x.named(ServiceTokens, name)
			if len(found) != 1 {
				x.plan.Missing = append(x.plan.Missing, fmt.Sprintf("the service token %s: there are %d of that name; without it the programs of policy %q would be locked out (make it under Zero Trust → Access → Service auth)", name, len(found), program.Policy))
				continue
			}
			include = append(include, map[string]any{"service_token": map[string]any{"token_id": text(found[0], "id")}})
		}
		body := Object{"name": program.Policy, "decision": "non_identity", "include": include, "exclude": []any{}, "require": []any{}}
		switch known := x.named(Policies, program.Policy); len(known) {
		case 0:
			ref := policyPrefix + program.Policy
			x.usable[program.Policy] = ref
			x.policy[ref] = x.add(change{Kind: Policies, Key: program.Policy, Body: body}, "Create the policy "+program.Policy, x.needs...)
		case 1:
			if lines := x.difference(Policies, known[0], body); len(lines) > 0 {
				x.note("the policy %s is not as declared (%s) and is not used: change it by hand", program.Policy, strings.Join(lines, "; "))
				continue
			}
			x.usable[program.Policy] = text(known[0], "id")
			x.plan.Already++
		default:
			x.note("there are several policies called %q: which of them is meant cannot be told, so that none is used", program.Policy)
		}
	}
}

// person sees to a policy that lets people in, in the form in which it is, and returns what refers to it; false if it must not be used. A
// policy that is there is never made wider, unless that is wanted. like is an application that refers to it, or nil.
func (x *planner) person(name string, like Object) (id string, ok bool) {
	known := x.named(Policies, name)
	if len(known) > 1 {
		known = slices.DeleteFunc(known, func(p Object) bool {
			return !slices.ContainsFunc(x.references(like), func(r reference) bool { return r.id == text(p, "id") })
		})
		if len(known) != 1 {
			x.note("there are several policies called %q: which of them is meant cannot be told, so that none is used", name)
			return "", false
		}
	}
	login := map[string]any{"login_method": map[string]any{"id": loginPrefix + x.Login}}
	if len(known) == 0 {
		ref := policyPrefix + name
		if _, planned := x.policy[ref]; !planned {
			body := Object{"name": name, "decision": "allow", "include": x.allowed(), "exclude": []any{}, "require": []any{login}}
			x.policy[ref] = x.add(change{Kind: Policies, Key: name, Body: body}, "Create the policy "+name, x.needs...)
			x.bodies[ref] = body
		}
		return ref, true
	}
	ref := text(known[0], "id")
	if _, planned := x.policy[ref]; !planned {
		x.policy[ref] = ""
		x.bodies[ref] = known[0]
		x.overlay(known[0], login)
	}
	return ref, text(x.bodies[ref], "decision") == "allow"
}

// overlay narrows a policy that is there to what is declared, and widens it only if that is wanted.
func (x *planner) overlay(p Object, login map[string]any) {
	name, id := text(p, "name"), text(p, "id")
	before, unknown := x.API.Writable(Policies, p)
	switch decision := text(p, "decision"); {
	case len(unknown) > 0:
		x.note("the policy %s has fields that gonogo does not know (%s) and stays as it is", name, strings.Join(unknown, ", "))
		return
	case decision != "allow" && decision != "bypass":
		x.note("the policy %s says %s and stays as it is: a policy that keeps people out is not taken away", name, decision)
		return
	case decision == "bypass" && x.strands(id) != "":
		x.note("the policy %s bypasses Access and stays so, since the programs of %s could not pass any more", name, x.strands(id))
		return
	}
	body := clone(before)
	body["decision"] = "allow"
	include, more := x.narrow(list(before, "include"))
	if len(more) > 0 && x.widen {
		include, more = append(include, more...), nil
	}
	switch {
	case len(more) > 0 && len(include) == 0:
		x.note("the policy %s lets in others than declared (%s) and stays as it is: --set widen=true makes it let in %s", name,
			strings.Join(x.rules(list(before, "include")), ", "), strings.Join(x.rules(more), ", "))
		include = list(before, "include")
	case len(more) > 0:
		x.note("the policy %s lets in fewer than declared and stays so: --set widen=true adds %s", name, strings.Join(x.rules(more), ", "))
	}
	body["include"] = include
	switch {
	case slices.ContainsFunc(list(before, "require"), func(r any) bool { return strings.HasPrefix(x.rule(r), "login_method ") }):
		if !slices.Contains(x.rules(list(before, "require")), x.rule(login)) {
			x.note("the policy %s requires another login than %s, which stays", name, x.Login)
		}
	case x.needsOther(body, x.Login) || x.refuse(id) != "":
		x.note("the policy %s does not get to require %s, since nobody could pass by it any more%s", name, x.Login, cmp.Or(x.refuse(id), ": it asks for another login"))
	default:
		body["require"] = append(slices.Clone(list(before, "require")), login)
	}
	if len(x.difference(Policies, before, body)) == 0 {
		x.plan.Already++
		return
	}
	if n := x.uses(id); n > 1 {
		x.note("the policy %s is used by %d applications, which it changes for all", name, n)
	}
	x.policy[id] = x.add(change{Kind: Policies, ID: id, Key: name, Body: body, Before: before}, "Change the policy "+name, x.needs...)
	x.bodies[id] = body
}

// refuse names an application that refers to a policy and takes no logins of the declared type, nor will.
func (x *planner) refuse(id string) string {
	for _, app := range x.things[Apps] {
		refers := slices.ContainsFunc(x.references(app), func(r reference) bool { return r.id == id })
		declared := slices.ContainsFunc(x.Apps, func(a App) bool { return slices.Contains(domainsOf(app), a.Host) })
		if refers && !x.accepts(app, x.Login) && !(declared && x.widen) {
			return ": " + text(app, "name") + " takes other logins"
		}
	}
	return ""
}

// strands names a host whose programs pass only because a policy bypasses Access, and whose own policy cannot be used.
func (x *planner) strands(id string) string {
	for _, program := range x.Programs {
		for _, host := range program.Hosts {
			for _, app := range x.hosting(host) {
				if x.usable[program.Policy] == "" && slices.ContainsFunc(x.references(app), func(r reference) bool { return r.id == id }) {
					return host
				}
			}
		}
	}
	return ""
}

func (x *planner) uses(id string) (n int) {
	for _, app := range x.things[Apps] {
		if slices.ContainsFunc(x.references(app), func(r reference) bool { return r.id == id }) {
			n++
		}
	}
	return n
}

// narrow returns those of the rules that are declared, and what is declared besides and would let in somebody more.
func (x *planner) narrow(have []any) (keep, more []any) {
	declared := x.allowed()
	said := func(all []any, r any) bool { return slices.Contains(x.rules(all), x.rule(r)) }
	everyone := said(have, map[string]any{"everyone": map[string]any{}})
	within := func(r any, of []any) bool { // an address is within its domain
		if said(of, r) {
			return true
		}
		m, _ := r.(map[string]any)
		e, _ := m["email"].(map[string]any)
		_, domain, ok := strings.Cut(text(e, "email"), "@")
		return ok && said(of, map[string]any{"email_domain": map[string]any{"domain": domain}})
	}
	for _, r := range have {
		if within(r, declared) {
			keep = append(keep, r)
		}
	}
	for _, r := range declared {
		switch {
		case said(keep, r):
		case everyone || within(r, have):
			keep = append(keep, r)
		default:
			more = append(more, r)
		}
	}
	return keep, more
}

// app sees to one application.
func (x *planner) app(want App) {
	found := x.hosting(want.Host)
	if len(found) == 0 {
		if wide := x.covering(want.Host); wide != nil && !x.widen {
			x.note("%s is covered by the application %s, whose policies may be stricter, so that none of its own is made: --set widen=true makes one", want.Host, strings.Join(domainsOf(wide), ", "))
			return
		}
		for _, app := range x.named(Apps, want.Name) {
			if selfHosted(app) {
				found = append(found, app)
			}
		}
	}
	switch len(found) {
	case 0:
		x.create(want)
	case 1:
		x.update(want, found[0])
	default:
		var names []string
		for _, app := range found {
			names = append(names, fmt.Sprintf("%s (%s)", probes.Clean(text(app, "name"), 60), strings.Join(domainsOf(app), ", ")))
		}
		x.note("%s has several applications, %s: which is meant cannot be told, so that none is touched", want.Host, strings.Join(names, "; "))
	}
}

// also are the further hosts of an application that no other application is for.
func (x *planner) also(want App, own Object) (hosts []string) {
	for _, h := range x.Also[want.Host] {
		if other := x.covering(h); other == nil || own != nil && text(other, "id") == text(own, "id") {
			hosts = append(hosts, h)
		}
	}
	return hosts
}

// covering returns an application that takes in a host as a whole, or nil: one of its very name whatever it lets past, else one with a wildcard
// that does not let everyone past.
func (x *planner) covering(host string) Object {
	if own := x.hosting(host); len(own) > 0 {
		return own[0]
	}
	for _, app := range x.things[Apps] {
		open := slices.ContainsFunc(x.references(app), func(r reference) bool {
			p := x.byID(Policies, r.id)
			return text(p, "decision") == "bypass" && slices.Contains(x.rules(list(p, "include")), "everyone") && len(list(p, "exclude"))+len(list(p, "require")) == 0
		})
		if selfHosted(app) && !open && slices.ContainsFunc(domainsOf(app), func(d string) bool { return cloudflare.Covers(d, host) }) {
			return app
		}
	}
	return nil
}

func destination(host string) map[string]any { return map[string]any{"type": "public", "uri": host} }

// entries are the policies of a new application, those of programs first.
func (x *planner) entries(want App, person string) (refs []any, needs []string) {
	for _, id := range append(x.passes(want), person) {
		refs = append(refs, map[string]any{"id": id, "precedence": float64(len(refs) + 1)})
		if step := x.policy[id]; step != "" {
			needs = append(needs, step)
		}
	}
	return refs, needs
}

// passes are what refers to the policies of the programs that ask a host.
func (x *planner) passes(want App) (ids []string) {
	for _, program := range x.Programs {
		if id := x.usable[program.Policy]; id != "" && slices.Contains(program.Hosts, want.Host) {
			ids = append(ids, id)
		}
	}
	return ids
}

func (x *planner) create(want App) {
	id, ok := x.person(want.Policy, nil)
	if !ok {
		return
	}
	refs, needs := x.entries(want, id)
	hosts := append([]string{want.Host}, x.also(want, nil)...)
	var destinations []any
	for _, h := range hosts {
		destinations = append(destinations, destination(h))
	}
	body := Object{
		"type": "self_hosted", "name": want.Name, "domain": want.Host, "destinations": destinations, "allowed_idps": []any{loginPrefix + x.Login},
		"auto_redirect_to_identity": false, "app_launcher_visible": true, "http_only_cookie_attribute": true, "policies": refs,
	}
	if want.Session != "" {
		body["session_duration"] = want.Session
	}
	x.add(change{Kind: Apps, Key: want.Host, Body: body}, "Protect "+want.Host, append(slices.Clone(x.needs), needs...)...)
	x.made[want.Host] = hosts
	x.meet = append(x.meet, id)
}

// update overlays an application that is there.
func (x *planner) update(want App, app Object) {
	before, unknown := x.API.Writable(Apps, app)
	refs := x.references(app)
	if _, told := app["policies"].([]any); !told {
		x.note("the application of %s does not say which policies it has, and stays as it is", want.Host)
		return
	}
	if len(unknown) > 0 {
		x.note("the application of %s has fields that gonogo does not know (%s) and stays as it is", want.Host, strings.Join(unknown, ", "))
		return
	}
	if slices.ContainsFunc(refs, func(r reference) bool { return r.own }) {
		x.note("the application of %s has policies of its own and stays as it is: make them reusable first, since the two kinds do not mix", want.Host)
		return
	}
	body := clone(before)
	body["policies"] = links(refs)
	before["policies"] = links(refs)
	body["name"] = want.Name
	x.hosts(want, app, body)
	x.session(want, app, body)
	x.logins(want, app, body)
	needs := x.attach(want, app, body, refs)
	if len(x.difference(Apps, before, body)) == 0 {
		x.plan.Already++
		return
	}
	x.add(change{Kind: Apps, ID: text(app, "id"), Key: want.Host, Body: body, Before: before}, "Change the application of "+want.Host, append(slices.Clone(x.needs), needs...)...)
	x.made[want.Host] = append([]string{want.Host}, x.also(want, app)...)
	for _, ref := range list(body, "policies") {
		x.meet = append(x.meet, text(ref.(map[string]any), "id"))
	}
}

// links are references as an application holds them, in their order; precedences that are not unique are given anew.
func links(refs []reference) []any {
	all, seen := []any{}, map[float64]bool{}
	for _, r := range refs {
		all = append(all, map[string]any{"id": r.id, "precedence": r.precedence})
		seen[r.precedence] = true
	}
	for i, ref := range all {
		if len(seen) < len(refs) {
			ref.(map[string]any)["precedence"] = float64(i + 1)
		}
	}
	return all
}

// hosts adds what an application does not cover yet. Hosts that it covers besides stay.
func (x *planner) hosts(want App, app, body Object) {
	covered := domainsOf(app)
	all := slices.Clone(list(body, "destinations"))
	if len(all) == 0 { // in the deprecated form
		for _, d := range append([]any{text(body, "domain")}, list(body, "self_hosted_domains")...) {
			s, _ := d.(string)
			if s != "" && !slices.ContainsFunc(all, func(known any) bool { return text(known.(map[string]any), "uri") == s }) {
				all = append(all, destination(s))
			}
		}
	}
	delete(body, "self_hosted_domains")
	for _, h := range append([]string{want.Host}, x.also(want, app)...) {
		if !slices.Contains(covered, h) {
			all = append(all, destination(h))
		}
	}
	if !slices.Contains(covered, want.Host) { // found by its name
		body["domain"] = want.Host
	}
	body["destinations"] = all
}

// session makes logins last no longer than declared, and as long only if that is wanted.
func (x *planner) session(want App, app, body Object) {
	longest, _ := length(want.Session) // validated
	switch d, ok := length(text(app, "session_duration")); {
	case want.Session == "" || ok && d == longest:
	case !ok || d > longest || x.widen:
		body["session_duration"] = want.Session
	default:
		x.note("a login at %s lasts %s, shorter than the declared %s, and stays so: --set widen=true changes it", want.Host, text(app, "session_duration"), want.Session)
	}
}

// logins allows the declared login, if any is allowed or that is wanted.
func (x *planner) logins(want App, app, body Object) {
	have := list(app, "allowed_idps")
	login := loginPrefix + x.Login
	own := any(login)
	if o := x.provider(x.Login); o != nil {
		own = text(o, "id")
	}
	other := slices.ContainsFunc(x.references(app), func(r reference) bool {
		p := x.byID(Policies, r.id)
		return p != nil && text(p, "decision") == "allow" && x.needsOther(p, x.Login)
	})
	switch {
	case len(have) == 0 && other:
		x.note("%s takes any login, and stays so: a policy of it asks for another one than %s", want.Host, x.Login)
	case len(have) == 0:
		body["allowed_idps"] = []any{login}
	case slices.Contains(have, own):
	case x.widen:
		body["allowed_idps"] = append(slices.Clone(have), login)
		delete(body, "auto_redirect_to_identity")
	default:
		x.note("%s does not allow logins by %s, and stays so: --set widen=true allows them", want.Host, x.Login)
	}
}

// attach sees to the policies of an application that is there. One that does not let people in by the declared policy gets it only if that is
// wanted, since whoever it keeps out now would come in.
func (x *planner) attach(want App, app, body Object, refs []reference) (needs []string) {
	var lets []string
	has, bypassed := false, false
	for _, r := range refs {
		p := x.byID(Policies, r.id)
		switch decision := text(p, "decision"); {
		case p == nil:
		case text(p, "name") == want.Policy && (decision == "allow" || decision == "bypass"):
			has, bypassed = true, decision == "bypass"
		case decision == "bypass":
			x.note("policy %q of %s bypasses Access: take it away by hand", text(p, "name"), want.Host)
			lets = append(lets, text(p, "name"))
		case decision != "deny":
			lets = append(lets, text(p, "name"))
		}
	}
	add := func(id string) {
		if !slices.ContainsFunc(refs, func(r reference) bool { return r.id == id }) {
			last := 0.0
			for _, r := range refs {
				last = max(last, r.precedence)
			}
			refs = append(refs, reference{id: id, precedence: last + 1})
		}
		if step := x.policy[id]; step != "" && !slices.Contains(needs, step) {
			needs = append(needs, step)
		}
	}
	// What bypassed Access let programs past too.
	for _, id := range x.passes(want) {
		if bypassed || x.widen || slices.ContainsFunc(refs, func(r reference) bool { return r.id == id }) {
			add(id)
			continue
		}
		x.note("the programs of %s are not let past by %q: --set widen=true adds it", want.Host, x.policyName(id, app))
	}
	switch {
	case has || x.widen:
		if id, ok := x.person(want.Policy, app); ok {
			add(id)
		}
	case len(lets) > 0:
		x.note("%s lets people in by %s and not by %q, which would let in others besides: --set widen=true adds it", want.Host, strings.Join(lets, ", "), want.Policy)
	default:
		x.note("%s lets nobody in, neither by %q: --set widen=true adds it", want.Host, want.Policy)
	}
	body["policies"] = links(refs)
	return needs
}

// routes lists hosts of the tunnel that stay without an application.
func (x *planner) routes(ctx context.Context) error {
	if x.Tunnel == "" {
		return nil
	}
	hosts, err := x.API.Hosts(ctx, x.Tunnel)
	if err != nil {
		return err
	}
	var bare []string
	for _, h := range hosts {
		planned := slices.ContainsFunc(slices.Collect(maps.Values(x.made)), func(made []string) bool { return slices.Contains(made, h) })
		there := slices.ContainsFunc(x.things[Apps], func(app Object) bool {
			return selfHosted(app) && slices.ContainsFunc(domainsOf(app), func(d string) bool { return cloudflare.Covers(d, h) })
		})
		if !planned && !there && !slices.Contains(x.Public, h) {
			bare = append(bare, probes.Clean(h, 200))
		}
	}
	if len(bare) > 0 {
		x.note("the tunnel routes hosts without an application, open to anyone: %s. Declare an application for each (apps, also), or name it under public", strings.Join(bare, ", "))
	}
	return nil
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

// errLost is that nothing to go back to was kept.
var errLost = errors.New("there is nothing to go back to: no earlier run on this machine changed anything that is still as it left it")
