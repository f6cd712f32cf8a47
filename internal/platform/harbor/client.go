// Package harbor is gonogo's client of a Harbor registry: the generated client of Harbor's API over our own transport, with one decoder of
// errors, no cookies, no redirects, bounded answers, and a memory of refused credentials that keeps Harbor from locking a user.
package harbor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-openapi/runtime"
	rtclient "github.com/go-openapi/runtime/client"
	"github.com/go-openapi/strfmt"
	"github.com/goharbor/go-client/pkg/sdk/v2.0/client/health"

	"github.com/254carbon/gonogo/probes"
	probe "github.com/254carbon/gonogo/probes/harbor"
)

// Options say where a Harbor is and how to reach it.
type Options struct {
	// URL of Harbor, without /api: https://harbor.example.com
	URL string
	// Transport carries every request. It is required: there is no default that could leave certificates unverified.
	Transport http.RoundTripper
	// Reader returns the credential that gonogo itself reads with; nil reads anonymously. It is called for each request that needs it.
	Reader func(ctx context.Context) (username, password string, err error)
	// Now stamps answers; nil for the machine's clock. Pauses are measured on the machine's own clock.
	Now func() time.Time
}

// Client asks one Harbor. It is safe for concurrent use.
type Client struct {
	base   *url.URL
	reader func(ctx context.Context) (string, string, error)
	now    func() time.Time
	http   *http.Client
	api    *rtclient.Runtime
	logins logins
}

var (
	_ probe.Components = (*Client)(nil)
	_ probe.Doors      = (*Client)(nil)
	_ probe.Logins     = (*Client)(nil)
	_ probe.Projects   = (*Client)(nil)
	_ probe.Quotas     = (*Client)(nil)
)

// New returns a client. It asks nothing.
func New(o Options) (*Client, error) {
	base, err := url.Parse(o.URL)
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" || base.User != nil || base.RawQuery != "" {
		return nil, errors.New("the address of Harbor must look like https://harbor.example.com")
	}
	if o.Transport == nil {
		return nil, errors.New("a client of Harbor needs a transport")
	}
	base.Path = strings.TrimRight(base.Path, "/")
	c := &Client{base: base, reader: o.Reader, now: o.Now}
	if c.now == nil {
		c.now = time.Now
	}
	c.http = &http.Client{
		Transport:     &answers{next: o.Transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	c.api = rtclient.NewWithClient(base.Host, base.Path+"/api/v2.0", []string{base.Scheme}, c.http)
	c.api.Debug = false // which DEBUG in the environment switches on, and which would print credentials
	c.api.Consumers = map[string]runtime.Consumer{runtime.JSONMime: runtime.JSONConsumer()}
	return c, nil
}

// request describes a request for people; user names the variable that holds a user name, empty for none.
func (c *Client) request(method, path, user string) probes.Request {
	address := c.base.String() + path
	flags := "-sS"
	if method == http.MethodHead {
		flags += " -I"
	}
	if user != "" {
		flags += fmt.Sprintf(` -u "$%s:$%s"`, user+"_USER", user+"_PASSWORD")
	}
	return probes.Request{Source: method + " " + address, Repeat: "curl " + flags + " " + probes.ShellWord(address)}
}

// The variables that stand for credentials in the commands shown to people.
const (
	readerVariable   = "HARBOR"
	platformVariable = "HARBOR_ROBOT"
)

func (c *Client) readRequest(path string) probes.Request {
	if c.reader == nil {
		return c.request(http.MethodGet, path, "")
	}
	return c.request(http.MethodGet, path, readerVariable)
}

// Health asks Harbor for its own health, without a login.
func (c *Client) Health(ctx context.Context) (probe.Health, error) {
	// The default of the generated client is a timeout of its own; ctx is the only one here.
	ok, err := health.New(c.api, strfmt.Default, nil).GetHealth(ctx, health.NewGetHealthParams().WithTimeout(0))
	if err != nil {
		return probe.Health{}, plain(err)
	}
	report := probe.Health{Status: ok.Payload.Status, Request: c.request(http.MethodGet, "/api/v2.0/health", "")}
	for _, component := range ok.Payload.Components {
		if component != nil {
			report.Components = append(report.Components, probe.Component{Name: component.Name, Status: component.Status, Error: component.Error})
		}
	}
	return report, nil
}
