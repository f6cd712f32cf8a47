package cloudflare

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/254carbon/gonogo/probes"
	probe "github.com/254carbon/gonogo/probes/cloudflare"
)

// The permission groups for Access.
const (
	appsRead = "Access: Apps and Policies Read"
	orgRead  = "Access: Organizations, Identity Providers, and Groups Read"
)

const (
	perPage  = 100
	maxPages = 20 // of one list; an account with more is not read in part
)

// read gets a path of the account with gonogo's own token and returns the body. The vendor's client makes unions of more than twenty kinds
// of applications and policies, leniently; what is asked about here is small, and its shape is to be held to.
func (c *Client) read(ctx context.Context, path, permission string) ([]byte, error) {
	if c.token == nil {
		return nil, fmt.Errorf("gonogo has no reading token for Cloudflare: it needs the permission group %q", permission)
	}
	token, err := c.token(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading gonogo's own token for Cloudflare: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base.String()+path, nil)
	if err != nil {
		return nil, fmt.Errorf("building the request for %s: %w", path, err)
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(token))
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, ownRefusal(err, permission)
	}
	defer func() { _ = resp.Body.Close() }()
	return io.ReadAll(resp.Body)
}

// readList reads every page of a list of the account.
func readList[T any](ctx context.Context, c *Client, path, permission string) ([]T, probes.Request, error) {
	account, err := c.accountID(ctx)
	if err != nil {
		return nil, probes.Request{}, err
	}
	path = "accounts/" + account + "/" + path
	request := c.request(path+fmt.Sprintf("?per_page=%d", perPage), readerVariable)
	var all []T
	for page := 1; page <= maxPages; page++ {
		body, err := c.read(ctx, fmt.Sprintf("%s?page=%d&per_page=%d", path, page, perPage), permission)
		if err != nil {
			return nil, request, err
		}
		var answer struct {
			Result json.RawMessage
			Info   struct {
				TotalPages int `json:"total_pages"`
			} `json:"result_info"`
		}
		var items []T
		if json.Unmarshal(body, &answer) != nil || !isList(string(answer.Result)) || json.Unmarshal(answer.Result, &items) != nil {
			return nil, request, errUnlike
		}
		all = append(all, items...)
		if len(items) < perPage && page >= answer.Info.TotalPages {
			return all, request, nil
		}
		if page == answer.Info.TotalPages {
			return all, request, nil
		}
	}
	return nil, request, fmt.Errorf("there are more than %d of them, which gonogo does not read", maxPages*perPage)
}

// rule is one rule of a policy: an object with one key, which is its kind.
type rule map[string]json.RawMessage

type policy struct {
	ID       string
	Name     string
	Decision string
	Session  string `json:"session_duration"`
	Include  []rule
	Exclude  []rule
	Require  []rule
}

type application struct {
	ID, Aud, Type, Name, Domain string
	Session                     string   `json:"session_duration"`
	SelfHosted                  []string `json:"self_hosted_domains"`
	Destinations                []struct{ Type, URI string }
	Allowed                     []string `json:"allowed_idps"`
	Policies                    []json.RawMessage
}

// Applications lists the account's Access applications, each with its policies. An application holds its policies whole or only refers to
// them; what it refers to is looked up.
func (c *Client) Applications(ctx context.Context) (probe.Applications, error) {
	found, request, err := readList[application](ctx, c, "access/apps", appsRead)
	list := probe.Applications{Request: request}
	if err != nil {
		return list, err
	}
	known, err := c.reusable(ctx, found)
	if err != nil {
		return list, err
	}
	for _, a := range found {
		if a.ID == "" || a.Type == "" {
			return list, errUnlike
		}
		app := probe.Application{
			ID: a.ID, Audience: a.Aud, Type: probes.Clean(a.Type, 40), Name: probes.Clean(a.Name, 100), Session: probes.Clean(a.Session, 40), Logins: a.Allowed,
		}
		app.Domains = domains(a)
		for _, raw := range a.Policies {
			p, whole, err := readPolicy(raw)
			if err != nil {
				return list, err
			}
			if !whole {
				id := p.ID
				if p, whole = known[id]; !whole {
					return list, fmt.Errorf("the application %s refers to a policy %s that is not in the account", app.Name, probes.Clean(id, 40))
				}
			}
			app.Policies = append(app.Policies, p)
		}
		list.Items = append(list.Items, app)
	}
	return list, nil
}

// domains are what an application is for: host and perhaps path, in lower case, without a scheme.
func domains(a application) []string {
	all := append([]string{a.Domain}, a.SelfHosted...)
	for _, d := range a.Destinations {
		if d.Type == "" || d.Type == "public" {
			all = append(all, d.URI)
		}
	}
	var tidy []string
	for _, d := range all {
		if _, rest, ok := strings.Cut(d, "://"); ok {
			d = rest
		}
		host, path, _ := strings.Cut(d, "/")
		host = probes.Clean(strings.ToLower(strings.TrimSuffix(host, ".")), 255)
		if path = strings.Trim(path, "/"); path != "" {
			host += "/" + probes.Clean(path, 200)
		}
		if host != "" && !slices.Contains(tidy, host) {
			tidy = append(tidy, host)
		}
	}
	return tidy
}

// reusable returns the account's reusable policies by id, if any application refers to one.
func (c *Client) reusable(ctx context.Context, apps []application) (map[string]probe.Policy, error) {
	refers := slices.ContainsFunc(apps, func(a application) bool {
		return slices.ContainsFunc(a.Policies, func(raw json.RawMessage) bool {
			_, whole, err := readPolicy(raw)
			return err == nil && !whole
		})
	})
	if !refers {
		return nil, nil
	}
	list, _, err := readList[json.RawMessage](ctx, c, "access/policies", appsRead)
	if err != nil {
		return nil, fmt.Errorf("listing the reusable policies: %w", err)
	}
	known := map[string]probe.Policy{}
	for _, raw := range list {
		p, whole, err := readPolicy(raw)
		if err != nil || !whole {
			return nil, cmp.Or(err, errUnlike)
		}
		known[p.ID] = p
	}
	return known, nil
}

// readPolicy reads a policy, and reports whether it is whole and not a mere reference: an id, or an object with one.
func readPolicy(raw json.RawMessage) (probe.Policy, bool, error) {
	var id string
	if json.Unmarshal(raw, &id) == nil && id != "" {
		return probe.Policy{ID: id}, false, nil
	}
	var p policy
	if json.Unmarshal(raw, &p) != nil || p.ID == "" {
		return probe.Policy{}, false, errUnlike
	}
	made := probe.Policy{ID: p.ID, Name: probes.Clean(p.Name, 100), Decision: probes.Clean(p.Decision, 40), Session: probes.Clean(p.Session, 40)}
	var err error
	for _, part := range []struct {
		from []rule
		to   *[]probe.Rule
	}{{p.Include, &made.Include}, {p.Exclude, &made.Exclude}, {p.Require, &made.Require}} {
		for _, r := range part.from {
			read, ruleErr := r.read()
			err = errors.Join(err, ruleErr)
			*part.to = append(*part.to, read)
		}
	}
	return made, p.Decision != "", err
}

// read reads a rule. Its value is the one text in it, or of several the one called id.
func (r rule) read() (probe.Rule, error) {
	if len(r) != 1 {
		return probe.Rule{}, errUnlike
	}
	var read probe.Rule
	for kind, raw := range r {
		read.Kind = probes.Clean(kind, 40)
		var values map[string]any
		if json.Unmarshal(raw, &values) != nil {
			return probe.Rule{}, errUnlike
		}
		var texts []string
		for _, value := range values {
			if text, ok := value.(string); ok {
				texts = append(texts, text)
			}
		}
		slices.Sort(texts)
		if id, ok := values["id"].(string); ok {
			texts = []string{id}
		}
		if len(texts) > 0 {
			read.Value = probes.Clean(texts[0], 255)
		}
	}
	return read, nil
}

// Providers lists the account's identity providers.
func (c *Client) Providers(ctx context.Context) (probe.Providers, error) {
	found, request, err := readList[struct{ ID, Name, Type string }](ctx, c, "access/identity_providers", orgRead)
	list := probe.Providers{Request: request}
	if err != nil {
		return list, err
	}
	for _, p := range found {
		if p.ID == "" || p.Type == "" {
			return list, errUnlike
		}
		list.Items = append(list.Items, probe.Provider{ID: p.ID, Name: probes.Clean(p.Name, 100), Type: probes.Clean(p.Type, 40)})
	}
	return list, nil
}

// Routes reads what a tunnel routes. One that is configured in a file beside its connector is an error: Cloudflare does not know.
func (c *Client) Routes(ctx context.Context, id string) (probe.Routes, error) {
	account, err := c.accountID(ctx)
	if err != nil {
		return probe.Routes{}, err
	}
	path := "accounts/" + account + "/cfd_tunnel/" + url.PathEscape(id) + "/configurations"
	list := probe.Routes{Request: c.request(path, readerVariable)}
	body, err := c.read(ctx, path, tunnelRead)
	if err != nil {
		return list, err
	}
	var answer struct {
		Result struct {
			Source string
			Config *struct {
				Ingress *[]struct{ Hostname, Path, Service string }
			}
		}
	}
	switch err := json.Unmarshal(body, &answer); {
	case err != nil:
		return list, errUnlike
	case answer.Result.Config == nil && (answer.Result.Source == "local" || answer.Result.Source == ""):
		return list, errors.New("the tunnel is configured in a file beside its connector (source local), so that Cloudflare does not know what it routes")
	case answer.Result.Config == nil || answer.Result.Config.Ingress == nil:
		return list, errUnlike
	}
	for _, r := range *answer.Result.Config.Ingress {
		if r.Service == "" {
			return list, errUnlike
		}
		list.Items = append(list.Items, probe.Route{
			Host: probes.Clean(strings.ToLower(r.Hostname), 255), Path: probes.Clean(r.Path, 200), Service: probes.Clean(r.Service, 255),
		})
	}
	return list, nil
}
