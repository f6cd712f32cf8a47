// Package prom asks a Prometheus, or something that answers as one, with instant queries.
package prom

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/prometheus/common/model"

	"github.com/254carbon/gonogo/probes"
)

// maxBody is how much of an answer is read. An answer beyond it is an error: a part of a vector proves nothing.
const maxBody = 8 << 20

// Options are the settings of [New].
type Options struct {
	// BaseURL is where the API's paths begin: "https://prometheus.example.org", or the path of the API server's service proxy. It holds
	// no user name.
	BaseURL string
	// Client sends the requests. Nil is a client without any credential. Redirects are never followed, whatever the client's own rule.
	Client *http.Client
	// Describe says how a person repeats a GET of a URL below BaseURL by hand. Nil is curl without a credential.
	Describe func(*url.URL) probes.Request
	// Now is the clock of Seen.Confirmed; nil for the machine's.
	Now func() time.Time
}

// Client asks one Prometheus. It is safe for concurrent use.
type Client struct {
	base     *url.URL
	http     *http.Client
	describe func(*url.URL) probes.Request
	now      func() time.Time
}

// New returns a client. It sends nothing.
func New(o Options) (*Client, error) {
	base, err := url.Parse(o.BaseURL)
	switch {
	case err != nil: // the error holds the text, and with it perhaps a password
		return nil, errors.New("reading the URL of Prometheus: it is not a URL")
	case base.Scheme != "http" && base.Scheme != "https" || base.Host == "":
		return nil, fmt.Errorf("reading the URL of Prometheus: %q does not begin with https:// or http:// and a host", base.Redacted())
	case base.User != nil:
		return nil, fmt.Errorf("reading the URL of Prometheus: a credential does not belong into %s", base.Redacted())
	case base.RawQuery != "" || base.Fragment != "":
		return nil, fmt.Errorf("reading the URL of Prometheus: %s has a query", base.Redacted())
	}
	if base.Path == "" {
		base.Path = "/"
	}
	c := &Client{base: base, http: &http.Client{}, describe: o.Describe, now: o.Now}
	if o.Client != nil {
		*c.http = *o.Client
	}
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if c.describe == nil {
		c.describe = curl
	}
	if c.now == nil {
		c.now = time.Now
	}
	return c, nil
}

// curl repeats a GET by hand; a query is spelt out, since encoded nobody can read it.
func curl(u *url.URL) probes.Request {
	r := probes.Request{Source: "GET " + u.String(), Repeat: "curl -fsS " + probes.ShellWord(u.String())}
	if q := u.Query().Get("query"); q != "" {
		plain := *u
		plain.RawQuery = ""
		r.Repeat = "curl -fsS -G --data-urlencode " + probes.ShellWord("query="+q) + " " + probes.ShellWord(plain.String())
	}
	return r
}

// Query evaluates an expression at the server's own present. A vector yields its samples, a scalar one sample without labels. Note holds
// what the server warned of: then the answer may be a part of the whole. An error means that it could not be asked; a refusal of gonogo's
// own credential says so.
//
// Only GET is used: a POST, which would carry longer queries, is a write to a service proxy and needs rights that reading does not.
func (c *Client) Query(ctx context.Context, expr string) (probes.Seen[*model.Sample], error) {
	u := c.base.JoinPath("api/v1/query")
	u.RawQuery = url.Values{"query": {expr}}.Encode()
	seen := probes.Seen[*model.Sample]{Confirmed: c.now(), Request: c.describe(u)}
	body, status, err := c.get(ctx, u)
	if err == nil {
		seen.Items, seen.Note, err = c.answer(status, body)
	}
	if err != nil {
		return probes.Seen[*model.Sample]{Request: seen.Request}, fmt.Errorf("querying Prometheus: %w", err)
	}
	return seen, nil
}

func (c *Client) get(ctx context.Context, u *url.URL) ([]byte, int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, 0, err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		if inner := (*url.Error)(nil); errors.As(err, &inner) {
			err = inner.Err // without the URL, which the request names already
		}
		return nil, 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, 0, fmt.Errorf("reading the answer: %w", err)
	case len(body) > maxBody:
		return nil, 0, fmt.Errorf("the answer is larger than %d MiB and was not read further", maxBody>>20)
	case resp.StatusCode/100 == 3:
		return nil, 0, fmt.Errorf("it redirects to %s, which is not followed", host(resp))
	}
	return body, resp.StatusCode, nil
}

// host is where a redirect leads to, without the rest: a login page's URL may carry tokens.
func host(resp *http.Response) string {
	if u, err := resp.Location(); err == nil && u.Host != "" {
		return u.Scheme + "://" + u.Host
	}
	return "nowhere"
}
