// Package access puts a platform's services behind single sign-on at Cloudflare's edge: a login by one-time PIN, policies that say who may
// come in, and an Access application before each host. What is there is overlaid and never widened unless a person says so, what the
// profile does not know stays, and what it was before is kept for going back. Each service is then looked at from outside.
package access

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/actions/apply"
	"github.com/254carbon/gonogo/actions/script"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/cloudflare"
)

// Params are the parameters of the kind sso.
type Params struct {
	Team     string              `yaml:"team" jsonschema:"required,description=the team whose login is asked for: its name or its whole domain"`
	Apps     []App               `yaml:"apps" jsonschema:"required,minItems=1,description=the applications that there must be"`
	Also     map[string][]string `yaml:"also,omitempty" jsonschema:"description=further hosts of an application\\, by its own host"`
	Allow    Allow               `yaml:"allow" jsonschema:"required,description=whom the policies let in"`
	Login    string              `yaml:"login,omitempty" jsonschema:"description=type of the identity provider that logins take; onetimepin is the one-time PIN"`
	Programs []Program           `yaml:"programs,omitempty" jsonschema:"description=policies for programs\\, which cannot log in"`
	Tunnel   string              `yaml:"tunnel,omitempty" jsonschema:"description=name of the tunnel whose hosts must all be covered"`
	Public   []string            `yaml:"public,omitempty" jsonschema:"description=hosts of the tunnel that are meant to be public"`
	Operator string              `yaml:"operator,omitempty" jsonschema:"description=address that must be let in before anything takes effect"`
	Paths    []string            `yaml:"paths,omitempty" jsonschema:"description=paths that are looked at from outside afterwards"`
	// Integrations are objects of which the named fields are applied, and Script is what sets up the rest: the services' own part.
	Integrations []map[string]any `yaml:"integrations,omitempty" jsonschema:"description=objects of the cluster of which exactly these fields are applied: the services' own part of the login"`
	Script       *script.Params   `yaml:"script,omitempty" jsonschema:"description=script of the checkout that does the services' own part of the login"`
	Patience     time.Duration    `yaml:"patience,omitempty" jsonschema:"description=how long a change may take until it is seen from outside"`
}

// App is an application that there must be.
type App struct {
	Host    string `yaml:"host" jsonschema:"required,description=the host that people open"`
	Name    string `yaml:"name" jsonschema:"required,description=what the application is called"`
	Session string `yaml:"session,omitempty" jsonschema:"description=how long a login lasts: 24h"`
	Policy  string `yaml:"policy" jsonschema:"required,description=name of the reusable policy that lets people in"`
}

// Allow says whom policies let in.
type Allow struct {
	EmailDomains []string `yaml:"emailDomains,omitempty" jsonschema:"description=everybody with an address of these domains"`
	Emails       []string `yaml:"emails,omitempty" jsonschema:"description=these addresses"`
	Groups       []string `yaml:"groups,omitempty" jsonschema:"description=ids of Access groups"`
}

// Program is a policy that lets programs past by service tokens, without a login.
type Program struct {
	Policy string   `yaml:"policy" jsonschema:"required,description=name of the reusable policy"`
	Tokens []string `yaml:"tokens" jsonschema:"required,minItems=1,description=names of the service tokens\\, which exist already"`
	Hosts  []string `yaml:"hosts" jsonschema:"required,minItems=1,description=hosts of the applications that the programs ask"`
}

// Validate reports what is wrong with the parameters.
func (p *Params) Validate() error {
	switch {
	case p.Team == "" || strings.ContainsAny(p.Team, "/: "):
		return fmt.Errorf("team: %q is neither the name of a team nor its domain", p.Team)
	case len(p.Apps) == 0:
		return errors.New("apps is empty: name the applications that there must be")
	case len(p.Allow.EmailDomains)+len(p.Allow.Emails)+len(p.Allow.Groups) == 0:
		return errors.New("allow names nobody: give emailDomains, emails or groups")
	case p.Login == "":
		return errors.New("login is empty: onetimepin is the one-time PIN")
	case p.Patience <= 0:
		return errors.New("patience must be longer than nothing")
	}
	if p.Operator != "" {
		if err := address(p.Operator); err != nil {
			return fmt.Errorf("operator: %w", err)
		}
	}
	seen := map[string]bool{}
	host := func(h string) error {
		switch {
		case !cloudflare.IsHost(h):
			return fmt.Errorf("%q is not the name of a host", h)
		case seen[h]:
			return fmt.Errorf("the host %s is there twice", h)
		}
		seen[h] = true
		return nil
	}
	for _, a := range p.Apps {
		if err := host(a.Host); err != nil {
			return fmt.Errorf("apps: %w", err)
		}
		if a.Name == "" || a.Policy == "" {
			return fmt.Errorf("apps: the application of %s needs a name and a policy", a.Host)
		}
		if d, err := time.ParseDuration(a.Session); a.Session != "" && (err != nil || d <= 0) {
			return fmt.Errorf("apps: session of %s: %q is no length of time such as 8h", a.Host, a.Session)
		}
	}
	own := func(h string) bool { return slices.ContainsFunc(p.Apps, func(a App) bool { return a.Host == h }) }
	for of, hosts := range p.Also {
		if !own(of) {
			return fmt.Errorf("also: %s is not the host of an application", of)
		}
		for _, h := range hosts {
			if err := host(h); err != nil {
				return fmt.Errorf("also: %w", err)
			}
		}
	}
	if err := p.integrations(); err != nil {
		return err
	}
	for _, program := range p.Programs {
		if program.Policy == "" || len(program.Tokens) == 0 || len(program.Hosts) == 0 {
			return errors.New("programs: each needs a policy, tokens and hosts")
		}
		for _, h := range program.Hosts {
			if !own(h) {
				return fmt.Errorf("programs: %s is not the host of an application", h)
			}
		}
	}
	return nil
}

// integrations reports what is wrong with the services' own part.
func (p *Params) integrations() error {
	if len(p.Integrations) > 0 {
		if err := (&apply.Params{Objects: p.Integrations, Patience: p.Patience}).Validate(); err != nil {
			return fmt.Errorf("integrations: %w", err)
		}
	}
	for _, o := range p.Integrations {
		metadata, _ := o["metadata"].(map[string]any)
		notes, _ := metadata["annotations"].(map[string]any)
		for name, value := range notes {
			text, _ := value.(string)
			if strings.HasSuffix(name, "/auth-url") && strings.Contains(text, "cloudflareaccess.com") {
				return fmt.Errorf("integrations: the annotation %s sends every request to the login at the edge once more, which loops: "+
					"what the origin is guarded by is the token that Access adds, which the tunnel verifies", name)
			}
		}
	}
	if p.Script == nil {
		return nil
	}
	if err := p.Script.Validate(); err != nil {
		return fmt.Errorf("script: %w", err)
	}
	return nil
}

// address reports whether a text is a plain address of mail.
func address(text string) error {
	a, err := mail.ParseAddress(text)
	if err != nil || a.Address != text {
		return fmt.Errorf("%q is no address such as somebody@254carbon.com", probes.Clean(text, 100))
	}
	return nil
}

// The inputs.
const (
	inputEmail    = "email"
	inputWiden    = "widen"
	inputRollback = "rollback"
	inputPositive = "positive"
)

// Info describes the kind.
func Info() actions.KindInfo {
	return actions.KindInfo{
		Name:   "sso",
		Key:    "o",
		About:  "Puts each service behind a login at Cloudflare's edge: identity provider, policies and Access applications, then a look at each from outside.",
		Params: func() any { return &Params{Login: "onetimepin", Patience: 5 * time.Minute} },
	}
}

// Kind is a kind of thing of an account.
type Kind string

// The kinds.
const (
	Apps          Kind = "applications"
	Policies      Kind = "policies"
	Providers     Kind = "identity providers"
	ServiceTokens Kind = "service tokens"
)

// one names one thing of the kind.
func (k Kind) one() string {
	return map[Kind]string{Apps: "application", Policies: "policy", Providers: "identity provider", ServiceTokens: "service token"}[k]
}

// Object is a thing of an account as the API shows it.
type Object = map[string]any

// Verdict is what a test says of an address.
type Verdict int

// The verdicts.
const (
	Untold Verdict = iota // the tester does not know the address
	LetIn
	KeptOut
)

// API reads and changes an account of Cloudflare. Errors name the permission that is missing, if one is.
type API interface {
	// List returns all things of a kind, or an error: never some of them.
	List(ctx context.Context, k Kind) ([]Object, error)
	// Hosts are those that a tunnel routes.
	Hosts(ctx context.Context, tunnel string) ([]string, error)
	// Create, Replace and Delete send one request, once. Their errors are an UncertainError if the request may have had its effect, and a
	// BlockedError if it was not sent. What is not there needs not be deleted.
	Create(ctx context.Context, k Kind, body Object) (Object, error)
	Replace(ctx context.Context, k Kind, id string, body Object) (Object, error)
	Delete(ctx context.Context, k Kind, id string) error
	// Writable takes off an object what can only be read, and names fields that nobody knows, which replacing the object would lose.
	Writable(k Kind, o Object) (body Object, unknown []string)
	// Rights says by reading alone what the token of the actions lacks to change things of these kinds; known is false if that cannot be
	// told.
	Rights(ctx context.Context, kinds ...Kind) (missing []string, known bool, err error)
	// Try says the same by requests that can change nothing.
	Try(ctx context.Context, kinds ...Kind) (missing []string, err error)
	// Test asks whether a policy would let an address in.
	Test(ctx context.Context, policy Object, email string) (Verdict, error)
}

// UncertainError is the failure of a request that may have had its effect all the same.
type UncertainError struct{ Err error }

func (e *UncertainError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *UncertainError) Unwrap() error { return e.Err }

// BlockedError is that a request was not sent, because Cloudflare wants none before a time.
type BlockedError struct {
	Err   error
	Until time.Time // by the platform's clock
}

func (e *BlockedError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *BlockedError) Unwrap() error { return e.Err }

// Deps are what the action needs of the platform.
type Deps struct {
	API API
	// Outside returns the probe that looks at one host from outside.
	Outside func(team, host string, paths []string) probes.Probe
	// Visit asks for the page / of a host from outside with these headers, and follows no redirect. The caller closes the body.
	Visit func(ctx context.Context, host string, header http.Header) (*http.Response, error)
	Hide  func(secret string) // keeps a secret off every screen; may be nil
	// Apply and Script make the actions for the services' own part; nil where it cannot be done.
	Apply  func(p apply.Params) actions.Action
	Script func(p script.Params) actions.Action
	Folder string           // where the state before is kept; empty for nowhere
	Now    func() time.Time // nil for the machine's clock
	// Pause waits; nil for a pause on the machine's clock.
	Pause func(ctx context.Context, d time.Duration) error
}

// New returns the action.
func New(spec actions.Spec, p Params, d Deps) actions.Action {
	if d.Pause == nil {
		d.Pause = actions.Pause
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	spec.Inputs = []actions.Input{
		{Name: inputEmail, Title: "Your address", About: "tested against the policies before they take effect", Default: p.Operator},
		{Name: inputWiden, Title: "Let in more", About: "change what lets in fewer than the profile declares", Default: "false", Options: []string{"false", "true"}},
		{Name: inputPositive, Title: "Try a way in", About: "by a service token for a moment, taken away again", Default: "false", Options: []string{"false", "true"}},
		{Name: inputRollback, Title: "Go back", About: "restore what the last run changed", Default: "false", Options: []string{"false", "true"}},
	}
	return action{spec: spec, Params: p, Deps: d}
}

type action struct {
	Params
	Deps
	spec actions.Spec
}

// Spec implements [actions.Action].
func (a action) Spec() actions.Spec { return a.spec }
