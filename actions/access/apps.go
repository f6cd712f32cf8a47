package access

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/cloudflare"
)

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
