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
	"github.com/goharbor/go-client/pkg/sdk/v2.0/client/project"
	"github.com/goharbor/go-client/pkg/sdk/v2.0/client/robot"

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

// Project looks a project up with gonogo's own credential.
func (c *Client) Project(ctx context.Context, name string) (probe.Project, error) {
	found := probe.Project{Request: c.readRequest("/api/v2.0/projects/" + url.PathEscape(name))}
	byName := true // or a project named 42 would be looked up by id
	err := c.read(ctx, "project:read", func(auth runtime.ClientAuthInfoWriter) error {
		params := project.NewGetProjectParams().WithTimeout(0).WithProjectNameOrID(name).WithXIsResourceName(&byName)
		ok, err := project.New(c.api, strfmt.Default, auth).GetProject(ctx, params)
		if err != nil {
			return err
		}
		if ok.Payload == nil || ok.Payload.Name != name {
			return fmt.Errorf("the answer is not about project %s", name)
		}
		found.ID, found.Name, found.ProxyCache = int64(ok.Payload.ProjectID), ok.Payload.Name, ok.Payload.RegistryID != 0
		return nil
	})
	return found, err
}

// maxRobots is how many robot accounts one lookup reads; the filter leaves one or a few.
const maxRobots = 100

// Robot looks a robot account up by the name it logs in with; projectID 0 looks among those of the system.
func (c *Client) Robot(ctx context.Context, login string, projectID int64) (probe.Robot, error) {
	q := "Level=system"
	if projectID != 0 {
		q = fmt.Sprintf("Level=project,ProjectID=%d", projectID)
	}
	found := probe.Robot{Request: c.readRequest("/api/v2.0/robots?q=" + url.QueryEscape(q) + "&page_size=100")}
	err := c.read(ctx, "robot:list", func(auth runtime.ClientAuthInfoWriter) error {
		size := int64(maxRobots)
		ok, err := robot.New(c.api, strfmt.Default, auth).ListRobot(ctx, robot.NewListRobotParams().WithTimeout(0).WithQ(&q).WithPageSize(&size))
		if err != nil {
			return err
		}
		for _, r := range ok.Payload {
			if r != nil && r.Name == login {
				found.Disabled = r.Disable
				if r.ExpiresAt > 0 {
					found.Expires = time.Unix(r.ExpiresAt, 0)
				}
				return nil
			}
		}
		if len(ok.Payload) >= maxRobots {
			return errors.New("there are more robot accounts than can be looked through")
		}
		return fmt.Errorf("robot account %s: %w", login, probe.ErrNotFound)
	})
	return found, err
}

// read asks with gonogo's own credential and says which permission is missing if that is refused.
func (c *Client) read(ctx context.Context, permission string, ask func(runtime.ClientAuthInfoWriter) error) error {
	if c.reader == nil {
		return ownRefusal(plain(ask(nil)), "gonogo has no reading credential for Harbor", permission)
	}
	username, password, err := c.reader(ctx)
	if err != nil {
		return fmt.Errorf("reading gonogo's own credential for Harbor: %w", err)
	}
	_, err = c.logins.try(ctx, username, password, c.now, func() error { return ask(rtclient.BasicAuth(username, password)) })
	if refusal := new(refusedBefore); errors.As(err, &refusal) {
		return fmt.Errorf("gonogo's reading credential for Harbor was refused (401) at %s and is not tried again before %s unless it changes: it needs %s",
			refusal.at.UTC().Format("15:04:05 MST"), refusal.until.UTC().Format("15:04:05 MST"), permission)
	}
	return ownRefusal(plain(err), "gonogo's reading credential for Harbor was refused", permission)
}

// ownRefusal words the refusal of gonogo's own credential.
func ownRefusal(err error, who, permission string) error {
	var status *StatusError
	if !errors.As(err, &status) {
		return err
	}
	switch status.Code {
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("%s (%d): it needs %s: %w", who, status.Code, permission, status)
	case http.StatusNotFound:
		return fmt.Errorf("%w: %w", probe.ErrNotFound, status)
	}
	return err
}
