package access

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// fact is one thing that can be said of an application or a policy, in words that compare.
type fact struct{ field, value string }

// account is what was read of an account.
type account struct {
	things map[Kind][]Object
}

func text(o Object, field string) string {
	s, _ := o[field].(string)
	return s
}

func list(o Object, field string) []any {
	all, _ := o[field].([]any)
	return all
}

// byID returns the thing with an id, or nil.
func (x *account) byID(k Kind, id string) Object {
	for _, o := range x.things[k] {
		if text(o, "id") == id && id != "" {
			return o
		}
	}
	return nil
}

// named returns the things of a name.
func (x *account) named(k Kind, name string) (all []Object) {
	for _, o := range x.things[k] {
		if text(o, "name") == name {
			all = append(all, o)
		}
	}
	return all
}

// provider returns the first identity provider of a type, or nil.
func (x *account) provider(kind string) Object {
	for _, o := range x.things[Providers] {
		if text(o, "type") == kind {
			return o
		}
	}
	return nil
}

// domainsOf are what an application is for: hosts and perhaps paths, in lower case.
func domainsOf(app Object) []string {
	all := []string{text(app, "domain")}
	for _, d := range list(app, "destinations") {
		if m, ok := d.(map[string]any); ok && (text(m, "type") == "public" || text(m, "type") == "") {
			all = append(all, text(m, "uri"))
		}
	}
	for _, d := range list(app, "self_hosted_domains") {
		if s, ok := d.(string); ok {
			all = append(all, s)
		}
	}
	var tidy []string
	for _, d := range all {
		if _, rest, ok := strings.Cut(d, "://"); ok {
			d = rest
		}
		d = strings.TrimSuffix(strings.ToLower(strings.Trim(d, "/")), ".")
		if d != "" && !slices.Contains(tidy, d) {
			tidy = append(tidy, d)
		}
	}
	slices.Sort(tidy)
	return tidy
}

func selfHosted(app Object) bool { return text(app, "type") == "self_hosted" }

// hosting returns the applications that are for a host as a whole, by its very name.
func (x *account) hosting(host string) (all []Object) {
	for _, app := range x.things[Apps] {
		if selfHosted(app) && slices.Contains(domainsOf(app), host) {
			all = append(all, app)
		}
	}
	return all
}

// reference is an application's word for one of its policies.
type reference struct {
	id         string
	precedence float64
	own        bool // the policy lives in the application alone
}

// references are an application's policies in the order in which they are asked.
func (x *account) references(app Object) []reference {
	var all []reference
	for i, p := range list(app, "policies") {
		r := reference{precedence: float64(i + 1)}
		switch p := p.(type) {
		case string:
			r.id = p
		case map[string]any:
			r.id = text(p, "id")
			if n, ok := p["precedence"].(float64); ok {
				r.precedence = n
			}
			r.own = !isPlaceholder(r.id) && x.byID(Policies, r.id) == nil
		}
		all = append(all, r)
	}
	slices.SortStableFunc(all, func(a, b reference) int { return cmp.Compare(a.precedence, b.precedence) })
	return all
}

// withOwnLogin are the kinds of rules that somebody who logs in by the one-time PIN can satisfy; what any other kind asks for comes with a
// login of its own.
var withOwnLogin = []string{
	"email", "email_domain", "email_list", "everyone", "group", "ip", "ip_list", "geo", "certificate", "common_name", "device_posture",
	"service_token", "any_valid_service_token", "external_evaluation",
}

// needsOther reports whether a policy lets somebody in only by another login than one of a type.
func (x *account) needsOther(p Object, login string) bool {
	other := func(r any) bool {
		word := x.rule(r)
		kind, _, _ := strings.Cut(word, " ")
		return word != "login_method "+login && !slices.Contains(withOwnLogin, kind)
	}
	return slices.ContainsFunc(list(p, "require"), other) || slices.ContainsFunc(list(p, "include"), other)
}

// accepts reports whether an application takes a login of a type: one of those it names, or any if it names none.
func (x *account) accepts(app Object, login string) bool {
	have := list(app, "allowed_idps")
	own := x.provider(login)
	return len(have) == 0 || own != nil && slices.Contains(have, any(text(own, "id")))
}

// The facts of an application.
func (x *account) appFacts(app Object) []fact {
	var logins, policies []string
	for _, id := range list(app, "allowed_idps") {
		s, _ := id.(string)
		logins = append(logins, x.loginName(s))
	}
	slices.Sort(logins)
	for _, r := range x.references(app) {
		policies = append(policies, x.policyName(r.id, app))
	}
	session := text(app, "session_duration")
	return []fact{
		{"name", text(app, "name")},
		{"hosts", strings.Join(domainsOf(app), ", ")},
		{"session", cmp.Or(session, defaultSession)},
		{"logins", cmp.Or(strings.Join(logins, ", "), "any")},
		{"policies", cmp.Or(strings.Join(policies, ", "), "none")},
	}
}

const defaultSession = "24h" // where an application does not say

func (x *account) loginName(id string) string {
	if kind, ok := strings.CutPrefix(id, loginPrefix); ok {
		return kind
	}
	if o := x.byID(Providers, id); o != nil {
		return text(o, "type")
	}
	return "one that does not exist"
}

func (x *account) policyName(id string, app Object) string {
	if name, ok := strings.CutPrefix(id, policyPrefix); ok {
		return name
	}
	if o := x.byID(Policies, id); o != nil {
		return text(o, "name")
	}
	for _, p := range list(app, "policies") {
		if m, ok := p.(map[string]any); ok && text(m, "id") == id {
			return text(m, "name") + " (its own)"
		}
	}
	return "one that does not exist"
}

// policyFacts are the facts of a policy.
func (x *account) policyFacts(p Object) []fact {
	all := []fact{{"decision", text(p, "decision")}}
	for _, field := range []string{"include", "exclude", "require"} {
		all = append(all, fact{field, cmp.Or(strings.Join(x.rules(list(p, field)), ", "), "nobody")})
	}
	return all
}

// rules are rules in words, in order.
func (x *account) rules(all []any) []string {
	var words []string
	for _, r := range all {
		words = append(words, x.rule(r))
	}
	slices.Sort(words)
	return slices.Compact(words)
}

// rule is one rule in words: email_domain 254carbon.com.
func (x *account) rule(r any) string {
	m, ok := r.(map[string]any)
	if !ok || len(m) != 1 {
		return fmt.Sprint(r)
	}
	for kind, value := range m {
		fields, _ := value.(map[string]any)
		if kind == "login_method" {
			return kind + " " + x.loginName(text(fields, "id"))
		}
		var texts []string
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			texts = append(texts, fmt.Sprint(fields[name]))
		}
		return strings.TrimSpace(kind + " " + strings.ToLower(strings.Join(texts, " ")))
	}
	return ""
}

func (x *account) facts(k Kind, o Object) []fact {
	switch k {
	case Apps:
		return x.appFacts(o)
	case Policies:
		return x.policyFacts(o)
	}
	return []fact{{"type", text(o, "type")}}
}

// difference says how the facts of two differ, or all of after if there is no before.
func (x *account) difference(k Kind, before, after Object) []string {
	var lines []string
	was := map[string]string{}
	if before != nil {
		for _, f := range x.facts(k, before) {
			was[f.field] = f.value
		}
	}
	for _, f := range x.facts(k, after) {
		if k == Policies && f.field != "decision" && f.value == "nobody" && before == nil {
			continue
		}
		switch value := probes.Clean(f.value, 300); {
		case before == nil:
			lines = append(lines, f.field+": "+value)
		case was[f.field] != f.value:
			lines = append(lines, fmt.Sprintf("%s: %s → %s", f.field, probes.Clean(was[f.field], 300), value))
		}
	}
	return lines
}

// The prefixes of what stands for an id that is not known before something is made.
const (
	policyPrefix = "policy:"
	loginPrefix  = "login:"
)

func isPlaceholder(id string) bool {
	return strings.HasPrefix(id, policyPrefix) || strings.HasPrefix(id, loginPrefix)
}

// resolve puts ids in the place of what stands for them.
func (x *account) resolve(body Object) (Object, error) {
	var failed error
	var walk func(v any) any
	walk = func(v any) any {
		switch v := v.(type) {
		case string:
			id, err := x.id(v)
			if err != nil && failed == nil {
				failed = err
			}
			return id
		case []any:
			all := make([]any, len(v))
			for i := range v {
				all[i] = walk(v[i])
			}
			return all
		case map[string]any:
			all := make(map[string]any, len(v))
			for name, value := range v {
				if name == "name" { // is no id, whatever it looks like
					all[name] = value
					continue
				}
				all[name] = walk(value)
			}
			return all
		}
		return v
	}
	resolved, _ := walk(body).(map[string]any)
	return resolved, failed
}

func (x *account) id(s string) (string, error) {
	if kind, ok := strings.CutPrefix(s, loginPrefix); ok {
		if o := x.provider(kind); o != nil {
			return text(o, "id"), nil
		}
		return "", fmt.Errorf("there is no identity provider of type %s", kind)
	}
	if name, ok := strings.CutPrefix(s, policyPrefix); ok {
		if all := x.named(Policies, name); len(all) > 0 {
			return text(all[0], "id"), nil
		}
		return "", fmt.Errorf("there is no policy %s", name)
	}
	return s, nil
}

// clone is an object of its own.
func clone(o Object) Object {
	raw, err := json.Marshal(o)
	if err != nil {
		return nil
	}
	var copied Object
	_ = json.Unmarshal(raw, &copied) // of what was written right now
	return copied
}

// length reads how long a login lasts.
func length(session string) (time.Duration, bool) {
	d, err := time.ParseDuration(cmp.Or(session, defaultSession))
	return d, err == nil && d >= 0
}
