// Package cloudflare asks Cloudflare's API: is the platform's token active and for how long, does the tunnel carry connections, do the Access
// applications exist as declared, and is everything that the tunnel routes covered by one.
package cloudflare

import (
	"context"
	"errors"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// Connection is the connection that every kind of this package asks over.
const Connection = "cloudflare"

// ErrNotFound is within the error of a client that was told that what was asked for does not exist in the account.
var ErrNotFound = errors.New("not found")

// Tokens asks what Cloudflare says of a token that a check is about.
//
// Verify tries the token as one of a user and then as one of the account, and does not try again what Cloudflare refused, before 15 minutes
// have passed. A refusal is an answer; the error means that it could not be asked.
type Tokens interface {
	Verify(ctx context.Context, token string) (Token, error)
}

// Token is what Cloudflare says of a token.
type Token struct {
	Refused    bool
	Reason     string    // of the refusal, in Cloudflare's words
	Status     string    // active, disabled or expired
	NotBefore  time.Time // zero: valid since ever
	Expires    time.Time // zero: never
	At         time.Time // when Cloudflare said so
	Remembered bool      // it was refused before, and Cloudflare was not asked again
	Until      time.Time // for a refusal: when it will be tried again unchanged
	Request    probes.Request
}

// Tunnels reads the account's tunnels with the token that gonogo itself has for Cloudflare. A refusal of that token is an error that names
// the missing permission group. A tunnel that does not exist is ErrNotFound.
type Tunnels interface {
	// Tunnel finds a tunnel by its id, or else by its name among those not deleted.
	Tunnel(ctx context.Context, id, name string) (Tunnel, error)
	Connections(ctx context.Context, id string) (Connections, error)
}

// Tunnel is what checks need to know of a tunnel.
type Tunnel struct {
	ID, Name string
	Status   string // healthy, degraded, down or inactive
	Deleted  bool
	Request  probes.Request
}

// Connections are a tunnel's connections to Cloudflare's edge.
type Connections struct {
	Items   []Connected
	Request probes.Request
}

// Connected is one connection.
type Connected struct {
	Colo    string // the data centre it ends in
	Pending bool   // it is lost and awaits its return
}

// Access reads the account's Access settings with the token that gonogo itself has for Cloudflare. A refusal of that token is an error that
// names the missing permission group. A list is whole or an error.
type Access interface {
	Applications(ctx context.Context) (Applications, error)
	Providers(ctx context.Context) (Providers, error)
}

// Routing reads what a tunnel routes, besides what Tunnels and Access read.
type Routing interface {
	Tunnel(ctx context.Context, id, name string) (Tunnel, error)
	Applications(ctx context.Context) (Applications, error)
	// Routes returns the rules of a tunnel's configuration in their order. A tunnel whose configuration Cloudflare does not keep is an error.
	Routes(ctx context.Context, id string) (Routes, error)
}

// Applications are the Access applications of the account, of every type.
type Applications struct {
	Items   []Application
	Request probes.Request
}

// Application is what checks need to know of an Access application.
type Application struct {
	ID, Name string
	Type     string   // self_hosted for those before a web service
	Audience string   // the tag by which its tokens know it
	Domains  []string // what it is for: host and perhaps path, in lower case; * stands for any text without a dot
	Session  string   // how long a login lasts, "24h"; empty for Cloudflare's default
	Logins   []string // ids of the identity providers that are allowed; none means all
	Policies []Policy
}

// Policy says whom an application lets in.
type Policy struct {
	ID, Name string
	Decision string // allow, deny, non_identity or bypass
	Session  string // overrides the application's, if it is set
	Include  []Rule // any of these
	Exclude  []Rule // none of these
	Require  []Rule // all of these
}

// Rule is one rule of a policy: email_domain 254carbon.com, group ID, everyone.
type Rule struct{ Kind, Value string }

// Providers are the account's identity providers.
type Providers struct {
	Items   []Provider
	Request probes.Request
}

// Provider is one identity provider. Its name may be empty; its type is what it is: onetimepin, azureAD …
type Provider struct{ ID, Name, Type string }

// Routes are the rules of a tunnel's configuration.
type Routes struct {
	Items   []Route
	Request probes.Request
}

// Route is one rule: the host that it is for, or none for every host, and where it leads.
type Route struct{ Host, Path, Service string }

// Secrets resolves references to secrets. The error wraps [probes.ErrNoSecret] if the secret is not there.
type Secrets interface {
	Resolve(ctx context.Context, ref probes.SecretRef) (string, error)
}
