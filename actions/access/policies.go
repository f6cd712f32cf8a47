package access

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

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
