// Package harbor asks a Harbor registry: is each of its components healthy, does /v2/ lead to Harbor's core or to the registry behind it,
// does the platform's own credential log in and may it push, and does the robot account of the mirror last.
package harbor

import (
	"context"
	"errors"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// Connection is the connection that every kind of this package asks over.
const Connection = "harbor"

// ErrNotFound is within the error of a client that was told that what was asked for does not exist.
var ErrNotFound = errors.New("not found")

// Components reads what Harbor says of its own health. It needs no login.
type Components interface {
	Health(ctx context.Context) (Health, error)
}

// Health is Harbor's answer about itself. Harbor answers 200 whatever it says.
type Health struct {
	Status     string // "healthy" only if every component is
	Components []Component
	Request    probes.Request
}

// Component is one part of Harbor as its core sees it.
type Component struct {
	Name   string
	Status string
	Error  string
}

// Doors knocks at the registry's API without a credential.
type Doors interface {
	Door(ctx context.Context) (Door, error)
}

// Door is the answer to GET /v2/ without a credential, redirects not followed.
type Door struct {
	Status      int
	Challenges  []Challenge // of WWW-Authenticate
	Location    string
	ContentType string
	Registry    bool // it says that it speaks the registries' protocol
	Request     probes.Request
}

// Challenge is one challenge of a WWW-Authenticate header. The scheme and the names of parameters are in lower case.
type Challenge struct {
	Scheme string
	Params map[string]string
}

// Logins tries a credential that a check is about.
//
// Login asks as that credential, one request at a time for each user name, and never again with one that Harbor refused, before 15 minutes
// have passed: Harbor locks a user for a moment after each refusal, and answers a wrong password as it answers none. Grants asks which
// actions the credential is allowed on a repository; nothing is uploaded. Both return an error only when they could not ask.
type Logins interface {
	Login(ctx context.Context, username, password, project string) (Login, error)
	Grants(ctx context.Context, username, password, repository string) (Grants, error)
}

// Login is how Harbor took a credential.
type Login struct {
	Accepted      bool
	ProjectExists bool      // only known if accepted
	At            time.Time // when Harbor answered
	Remembered    bool      // this credential was refused before, and Harbor was not asked again
	Until         time.Time // for a refusal: when it will be tried again unchanged
	Request       probes.Request
}

// Grants are the actions that a token for one repository allows.
type Grants struct {
	Actions []string
	Request probes.Request
}

// Projects reads with the credential that gonogo itself has for Harbor. A refusal of that credential is an error that names the missing
// permission. A project that does not exist is ErrNotFound.
type Projects interface {
	Project(ctx context.Context, name string) (Project, error)
	Robot(ctx context.Context, login string, projectID int64) (Robot, error)
}

// Project is what checks need to know of a project.
type Project struct {
	ID         int64
	Name       string
	ProxyCache bool // it caches another registry and takes no pushes
	Request    probes.Request
}

// Robot is what checks need to know of a robot account.
type Robot struct {
	Disabled     bool
	NeverExpires bool
	Expires      time.Time // unless it never does
	Rights       []Right   // in projects
	Request      probes.Request
}

// Right is something that a robot account may do in a project, or in every one if that is *.
type Right struct {
	Project string
	Action  string // resource:action
}

// Quotas reads, with gonogo's own credential as [Projects] does, how much a project stores and may store.
type Quotas interface {
	Quota(ctx context.Context, projectID int64) (Quota, error)
}

// Quota bounds what a project stores.
type Quota struct {
	Hard    int64 // bytes; negative for no limit
	Used    int64
	Request probes.Request
}

// Secrets resolves references to secrets. The error wraps [probes.ErrNoSecret] if the secret is not there.
type Secrets interface {
	Resolve(ctx context.Context, ref probes.SecretRef) (string, error)
	// Name resolves a reference to what may be shown: the name of a user.
	Name(ctx context.Context, ref probes.SecretRef) (string, error)
}
