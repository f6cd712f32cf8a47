// Package cloudflare asks Cloudflare's API: is the platform's token active and for how long, and does the tunnel carry connections.
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

// Secrets resolves references to secrets. The error wraps [probes.ErrNoSecret] if the secret is not there.
type Secrets interface {
	Resolve(ctx context.Context, ref probes.SecretRef) (string, error)
}
