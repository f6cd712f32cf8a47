package platform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/254carbon/gonogo/internal/platform/cluster"
	"github.com/254carbon/gonogo/internal/platform/secrets"
	"github.com/254carbon/gonogo/internal/profile"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/web"
)

var (
	_ web.Fetcher = (*Web)(nil)
	_ web.Voucher = (*Web)(nil)
)

// maxPage is how much of a page is read.
const maxPage = 1 << 20

// Web fetches pages for probes: of Services through the cluster, and of URLs directly. Redirects are never followed, bodies are bounded.
type Web struct {
	cluster *cluster.Cluster // nil if there is none
	trouble error            // why not
	client  *http.Client
}

// Fetch sends a request: to a Service ("namespace/name:port") when one is named, in which case the URL's path and query count alone, else
// to the URL. The caller closes the body.
func (w *Web) Fetch(ctx context.Context, service string, r *http.Request) (*http.Response, probes.Request, error) {
	r = r.WithContext(ctx)
	if service == "" {
		resp, err := w.client.Do(r)
		return resp, curl(r), err
	}
	if w.cluster == nil {
		return nil, probes.Request{}, w.trouble
	}
	return w.cluster.Service(ctx, service, r, maxPage)
}

// Vouch reports whether the API server, through which services are asked, is one that works.
func (w *Web) Vouch(ctx context.Context) error {
	if w.cluster == nil {
		return w.trouble
	}
	const most = 64 << 10
	body, _, err := w.cluster.Raw(ctx, "/version", most)
	if err != nil {
		return err
	}
	var version struct{ GitVersion string }
	if err := json.Unmarshal(body, &version); err != nil || version.GitVersion == "" {
		return errors.New("asking the API server for its version: the answer is not one")
	}
	return nil
}

// curl says how a person repeats a request.
func curl(r *http.Request) probes.Request {
	flags := "-sS -i"
	if r.Method == http.MethodHead {
		flags = "-sS -I"
	}
	return probes.Request{Source: r.Method + " " + r.URL.String(), Repeat: "curl " + flags + " " + probes.ShellWord(r.URL.String())}
}

// reader puts gonogo's reading credential on requests.
type reader struct {
	next    http.RoundTripper
	secrets *secrets.Resolver
	read    profile.BearerRead
}

// RoundTrip sends the request with the credential.
func (b reader) RoundTrip(r *http.Request) (*http.Response, error) {
	fail := func(err error) (*http.Response, error) {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, fmt.Errorf("finding gonogo's reading credential: %w", err)
	}
	out := r.Clone(r.Context())
	if !b.read.Token.IsZero() {
		token, err := b.secrets.Resolve(r.Context(), b.read.Token)
		if err != nil {
			return fail(err)
		}
		out.Header.Set("Authorization", "Bearer "+token)
		return b.next.RoundTrip(out)
	}
	user, err := b.secrets.Name(r.Context(), b.read.Username)
	if err != nil {
		return fail(err)
	}
	password, err := b.secrets.Resolve(r.Context(), b.read.Password)
	if err != nil {
		return fail(err)
	}
	out.SetBasicAuth(user, password)
	return b.next.RoundTrip(out)
}
