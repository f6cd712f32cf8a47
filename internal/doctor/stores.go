package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/254carbon/gonogo/internal/profile"
	"github.com/254carbon/gonogo/probes"
)

// postgres logs in as the checks do, and looks whether the user may see what servers and standbys do.
func (e *examination) postgres(ctx context.Context) {
	const area = "postgres"
	dsn := e.Profile.Connections.Postgres.Read.DSN
	server, _, err := e.Platform.Postgres.Look(ctx)
	switch {
	case errors.Is(err, probes.ErrNoSecret):
		e.broken[area] = true
		e.add(Finding{
			Area: area, Subject: "reading credential", State: Missing, Text: err.Error(), Checks: e.uses[area],
			Do: "Put the connection string where the profile says: " + dsn.String() + ".",
		})
	case err != nil:
		e.fault(area, "connection", because(err), "Look at the server and at the connection string in "+dsn.String()+".")
	case !server.SeesAll:
		e.add(Finding{
			Area: area, Subject: "reading credential", State: Wrong, Text: "user " + server.User + " may not see what other sessions do",
			Do: "As an administrator: GRANT pg_monitor TO " + server.User + ";",
		})
	default:
		role := "a primary"
		if server.Recovery {
			role = "a standby"
		}
		e.add(Finding{Area: area, Subject: "connection", State: OK, Text: fmt.Sprintf("user %s is logged in at %s", server.User, role)})
	}
}

// minio asks an object store for its health, which needs no keys, and looks whether the keys to read with are there.
func (e *examination) minio(ctx context.Context) {
	const area = "minio"
	c := e.Profile.Connections.MinIO
	address := strings.TrimSuffix(c.URL, "/") + "/minio/health/live"
	f := Finding{Area: area, Subject: "connection", State: Wrong, Do: "Repeat it by hand: curl -i " + probes.ShellWord(address), Checks: e.uses[area]}
	if c.CA != nil {
		f = Finding{Area: area, Subject: "connection", State: Note, Text: "it has a certificate authority of its own, which is only used by checks"}
	} else if r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil); err != nil {
		f.Text = err.Error()
	} else if resp, _, err := e.Platform.Web.Fetch(ctx, "", r); err != nil {
		f.Text = because(err)
	} else {
		_ = resp.Body.Close()
		f = Finding{Area: area, Subject: "connection", State: OK, Text: "MinIO is alive, " + c.URL}
		if resp.StatusCode != http.StatusOK {
			f.State, f.Text = Note, fmt.Sprintf("something answers there with %d, and not as a MinIO that is alive does", resp.StatusCode)
		}
	}
	e.broken[area] = f.State == Wrong
	e.add(f)
	if c.Read != nil {
		e.keys(ctx, area, *c.Read)
	}
}

// keys looks whether both halves of an S3 key are there.
func (e *examination) keys(ctx context.Context, area string, k profile.Keys) {
	f := Finding{Area: area, Subject: "reading keys", State: OK, Text: k.AccessKey.String() + ", " + k.SecretKey.String() + ": there"}
	for _, ref := range []probes.SecretRef{k.AccessKey, k.SecretKey} {
		if _, err := e.Platform.Secrets.Resolve(ctx, ref); err != nil {
			f.State, f.Text, f.Do = Missing, err.Error(), "Put it where the profile says: "+ref.String()+"."
		}
	}
	e.add(f)
}
