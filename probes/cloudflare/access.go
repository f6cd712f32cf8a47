package cloudflare

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// AccessParams are the parameters of cloudflare.access. With a login only that is asked about: whether it exists and the applications allow it.
type AccessParams struct {
	Apps  []AppParams `yaml:"apps" jsonschema:"description=the applications that there must be,minItems=1"`
	Allow AllowParams `yaml:"allow,omitempty" jsonschema:"description=whom their policies may let in; anybody else is more than declared"`
	Login string      `yaml:"login,omitempty" jsonschema:"description=ask only whether an identity provider of this type exists and is allowed in each application; onetimepin is the one-time PIN"`
}

// AppParams declare one application.
type AppParams struct {
	Host    string `yaml:"host" jsonschema:"description=the host that people open"`
	Name    string `yaml:"name" jsonschema:"description=what the application is called"`
	Session string `yaml:"session,omitempty" jsonschema:"description=how long a login lasts: 24h"`
	Policy  string `yaml:"policy,omitempty" jsonschema:"description=name of the policy that lets people in"`
}

// AllowParams declare whom policies may let in.
type AllowParams struct {
	EmailDomains []string `yaml:"emailDomains,omitempty" jsonschema:"description=everybody with an address of these domains"`
	Emails       []string `yaml:"emails,omitempty" jsonschema:"description=these addresses"`
	Groups       []string `yaml:"groups,omitempty" jsonschema:"description=ids of Access groups"`
	Logins       []string `yaml:"logins,omitempty" jsonschema:"description=types of identity providers; empty for any"`
}

// Validate reports what cannot be asked.
func (p AccessParams) Validate() error {
	if len(p.Apps) == 0 {
		return errors.New("apps is empty: name the applications that there must be")
	}
	if p.Login == "" && len(p.Allow.EmailDomains)+len(p.Allow.Emails)+len(p.Allow.Groups) == 0 {
		return errors.New("allow names nobody: give emailDomains, emails or groups")
	}
	seen := map[string]bool{}
	for _, a := range p.Apps {
		switch {
		case !IsHost(a.Host):
			return fmt.Errorf("apps: %q is not the name of a host", a.Host)
		case seen[a.Host]:
			return fmt.Errorf("apps: %s is there twice", a.Host)
		case a.Name == "":
			return fmt.Errorf("apps: the application of %s has no name", a.Host)
		}
		if _, err := sessionLength(a.Session); err != nil {
			return fmt.Errorf("apps: session of %s: %w", a.Host, err)
		}
		seen[a.Host] = true
	}
	return nil
}

// IsHost reports whether a text is a plain name of a host, in lower case.
func IsHost(text string) bool {
	if text == "" || len(text) > 253 || net.ParseIP(text) != nil || !strings.Contains(text, ".") {
		return false
	}
	for label := range strings.SplitSeq(text, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return true
}

// defaultSession is how long a login lasts where an application does not say.
const defaultSession = 24 * time.Hour

func sessionLength(text string) (time.Duration, error) {
	if text == "" {
		return defaultSession, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is no length of time such as 8h", text)
	}
	return d, nil
}

// AccessKind describes cloudflare.access.
func AccessKind() probes.KindInfo {
	return probes.KindInfo{
		Name: "cloudflare.access",
		About: "Lists the account's Access applications, their policies and identity providers, and compares them with those declared: host, name, session, " +
			"whom they let in, no bypass anywhere; or, with login, whether that identity provider exists and is allowed in each.",
		Connection: Connection, Every: 5 * time.Minute, Timeout: 20 * time.Second, Confirm: 2,
		Params: func() any { return &AccessParams{} },
	}
}

// NewAccess returns a probe of the kind cloudflare.access. Parameters must be valid.
func NewAccess(client Access, p AccessParams) probes.Probe {
	return &accessProbe{client: client, params: p}
}

type accessProbe struct {
	client Access
	params AccessParams
}

// Observe asks once.
func (p *accessProbe) Observe(ctx context.Context) (probes.Observation, error) {
	providers, err := p.client.Providers(ctx)
	if err != nil {
		return probes.Observation{}, fmt.Errorf("listing the identity providers: %w", err)
	}
	apps, err := p.client.Applications(ctx)
	if err != nil {
		return probes.Observation{}, fmt.Errorf("listing the Access applications: %w", err)
	}
	if p.params.Login != "" {
		return p.login(apps, providers), nil
	}
	return p.compare(apps, providers), nil
}

// find returns the self-hosted application that is for a host as a whole; without one, what another of the declared name is for.
func (a AppParams) find(apps []Application) (app *Application, elsewhere string) {
	for i := range apps {
		if apps[i].selfHosted() && slices.Contains(apps[i].Domains, a.Host) {
			return &apps[i], ""
		}
	}
	for i := range apps {
		if apps[i].selfHosted() && apps[i].Name == a.Name {
			return nil, strings.Join(apps[i].Domains, ", ")
		}
	}
	return nil, ""
}

func (a Application) selfHosted() bool { return a.Type == "self_hosted" }

// missing says what there is in place of an application.
func (a AppParams) missing(elsewhere string) string {
	if elsewhere != "" {
		return fmt.Sprintf("the application %q is for %s, not for %s", a.Name, elsewhere, a.Host)
	}
	return "does not exist"
}

// compare compares what is declared with what there is.
func (p *accessProbe) compare(apps Applications, providers Providers) probes.Observation {
	var t tally
	main := map[*Application]bool{} // those that are declared
	for _, want := range p.params.Apps {
		e := probes.Evidence{Subject: "application of " + want.Host, Want: p.wanted(want)}.From(apps.Request)
		app, elsewhere := want.find(apps.Items)
		if app == nil {
			t.add(want.Host, want.missing(elsewhere), elsewhere == "", e)
			continue
		}
		main[app] = true
		e.Got = app.describe()
		t.add(want.Host, strings.Join(p.faults(want, *app, providers.Items), ", "), false, e)
	}
	for i := range apps.Items {
		if app := &apps.Items[i]; !main[app] {
			p.beside(&t, *app, apps.Request)
		}
	}
	return t.conclude(len(p.params.Apps), "exist with their policies")
}

// beside judges an application that is not declared. Nowhere may one bypass Access; one that takes in a declared host, or a path of it, is asked
// before or in the place of the declared one, so that it may not let in anybody else either.
func (p *accessProbe) beside(t *tally, app Application, from probes.Request) {
	place := orNothing(cmp.Or(strings.Join(app.Domains, ", "), app.Name))
	want, faults := "no bypass", []string(nil)
	if name := app.bypassed(); name != "" {
		faults = append(faults, fmt.Sprintf("policy %q bypasses Access", name))
	}
	if host := p.under(app); host != "" {
		want = "nobody let in who may not open " + host
		for _, policy := range app.Policies {
			if fault := p.params.Allow.excess(policy); fault != "" {
				faults = append(faults, fault)
			}
		}
	}
	if len(faults) > 0 {
		e := probes.Evidence{Subject: "application of " + place, Want: want, Got: app.describe()}.From(from)
		t.add(place, strings.Join(faults, ", "), false, e)
	}
}

// under returns the declared host that an application takes in, in whole or in part, or nothing. One for many hosts as a whole takes in none
// that has an application of its own: the more exact name goes first.
func (p *accessProbe) under(app Application) string {
	if !app.selfHosted() {
		return ""
	}
	for _, domain := range app.Domains {
		host, _, path := strings.Cut(domain, "/")
		for _, a := range p.params.Apps {
			if host == a.Host || path && Covers(host, a.Host) {
				return a.Host
			}
		}
	}
	return ""
}

// excess says whom a policy lets in that is not declared, with a login or without one, or nothing.
func (a AllowParams) excess(p Policy) string {
	switch p.Decision {
	case "allow":
		if cause := a.wider(p); cause != "" {
			return fmt.Sprintf("policy %q lets in %s", p.Name, cause)
		}
	case "non_identity":
		if i := slices.IndexFunc(p.Include, func(r Rule) bool { return r.Kind != "service_token" }); i >= 0 {
			return fmt.Sprintf("policy %q lets in %s without a login", p.Name, who(p.Include[i]))
		}
	}
	return ""
}

func (p *accessProbe) wanted(a AppParams) string {
	text := "called " + a.Name
	if a.Session != "" {
		text += ", session " + a.Session
	}
	if a.Policy != "" {
		text += fmt.Sprintf(", policy %q", a.Policy)
	}
	text += " for " + strings.Join(slices.Concat(p.params.Allow.EmailDomains, p.params.Allow.Emails, p.params.Allow.Groups), ", ")
	return text + ", no bypass"
}

// describe says in a few words what an application is.
func (a Application) describe() string {
	text := "called " + orNothing(a.Name)
	if a.Session != "" {
		text += ", session " + a.Session
	}
	if len(a.Policies) == 0 {
		return text + ", no policy"
	}
	for _, p := range a.Policies {
		text += fmt.Sprintf(", %s by policy %q (%s)", orNothing(p.Decision), p.Name, strings.Join(texts(p.Include), " or "))
	}
	return text
}

func texts(rules []Rule) []string {
	var all []string
	for _, r := range rules {
		all = append(all, strings.TrimSpace(r.Kind+" "+r.Value))
	}
	return all
}

// bypassed returns the name of a policy that turns Access off for some, or nothing.
func (a Application) bypassed() string {
	for _, p := range a.Policies {
		if p.Decision == "bypass" {
			return orNothing(p.Name)
		}
	}
	return ""
}

// faults says how an application differs from the declared one.
func (p *accessProbe) faults(want AppParams, app Application, providers []Provider) []string {
	var faults []string
	add := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if name := app.bypassed(); name != "" {
		add("policy %q bypasses Access", name)
	}
	if app.Name != want.Name {
		add("it is called %q, not %q", app.Name, want.Name)
	}
	longest, err := sessionLength(want.Session) // validated
	switch got, gotErr := sessionLength(app.Session); {
	case want.Session == "":
	case errors.Join(err, gotErr) != nil || got != longest:
		add("a login lasts %s, not %s", orDefault(app.Session), want.Session)
	}
	named := want.Policy == ""
	lets := false
	for _, policy := range app.Policies {
		if policy.Decision == "allow" {
			lets, named = true, named || policy.Name == want.Policy
		}
		if fault := p.params.Allow.excess(policy); fault != "" {
			add("%s", fault)
		}
		if own, err := sessionLength(policy.Session); want.Session != "" && policy.Session != "" && (err != nil || own > longest) {
			add("policy %q lets a login last %s, longer than %s", policy.Name, policy.Session, want.Session)
		}
	}
	switch {
	case !lets:
		add("no policy lets anybody in")
	case !named:
		add("there is no policy %q that lets people in", want.Policy)
	}
	return append(faults, p.params.Allow.logins(app, providers)...)
}

func orDefault(session string) string {
	if session == "" {
		return defaultSession.String()
	}
	return session
}

// wider says whom a policy lets in that is not declared, or nothing.
func (a AllowParams) wider(p Policy) string {
	if len(p.Include) == 0 {
		return "nobody that could be named"
	}
	for _, r := range p.Include {
		_, domain, _ := strings.Cut(r.Value, "@")
		var ok bool
		switch r.Kind {
		case "email_domain":
			ok = contains(a.EmailDomains, r.Value)
		case "email":
			ok = contains(a.Emails, r.Value) || contains(a.EmailDomains, domain)
		case "group":
			ok = slices.Contains(a.Groups, r.Value)
		}
		if !ok {
			return who(r)
		}
	}
	return ""
}

func who(r Rule) string {
	switch r.Kind {
	case "everyone":
		return "everyone"
	case "email_domain":
		return "everyone at " + r.Value
	}
	return strings.TrimSpace(strings.ReplaceAll(r.Kind, "_", " ") + " " + r.Value)
}

func contains(list []string, text string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, text) })
}

// logins says what is wrong with the identity providers that an application allows.
func (a AllowParams) logins(app Application, providers []Provider) []string {
	var faults []string
	kinds := map[string]string{}
	for _, p := range providers {
		kinds[p.ID] = p.Type
	}
	allowed := app.Logins
	if len(allowed) == 0 { // none named means all
		for _, p := range providers {
			allowed = append(allowed, p.ID)
		}
	}
	for _, id := range allowed {
		switch kind := kinds[id]; {
		case kind == "":
			faults = append(faults, "it allows an identity provider that does not exist")
		case len(a.Logins) > 0 && !slices.Contains(a.Logins, kind):
			faults = append(faults, "it allows logins by "+kind)
		}
	}
	return faults
}
