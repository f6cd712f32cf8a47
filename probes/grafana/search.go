package grafana

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/web"
)

// dashboard is one that Grafana finds.
type dashboard struct {
	UID         string `json:"uid"`
	Title       string `json:"title"`
	Type        string `json:"type"`
	FolderTitle string `json:"folderTitle"`
}

func (d dashboard) String() string {
	text := fmt.Sprintf("%q, uid %s", d.Title, d.UID)
	if d.FolderTitle != "" {
		text += ", folder " + d.FolderTitle
	}
	return text
}

// findings are the dashboards that a reader sees.
type findings struct {
	list    []dashboard
	short   string // why there may be more, empty if there can be none
	request probes.Request
}

// find returns the dashboard with that uid, or else with that title, whatever the case of its letters.
func (f findings) find(name string) *dashboard {
	for i := range f.list {
		if f.list[i].UID == name {
			return &f.list[i]
		}
	}
	for i := range f.list {
		if strings.EqualFold(f.list[i].Title, name) {
			return &f.list[i]
		}
	}
	return nil
}

func (f findings) lacks(names []string) bool {
	for _, n := range names {
		if f.find(n) == nil {
			return true
		}
	}
	return false
}

// errRefused is the answer to a reader who may not look.
var errRefused = errors.New("refused")

// rights is what a reader of Grafana needs.
const rights = "a service account with the role Viewer (dashboards:read)"

// dashboards looks without a credential first: such a reader passes the API server, while a credential for Grafana does not. What that does
// not show is looked for with the credential; where that cannot be, what was seen without proves what is there, and nothing that is missing.
func (p probe) dashboards(ctx context.Context) (findings, error) {
	open, err := p.search(ctx, nil)
	if err != nil && !errors.Is(err, errRefused) || err == nil && !open.lacks(p.params.Dashboards) {
		return open, err
	}
	found, lack := p.withCredential(ctx)
	switch {
	case lack == nil || ctx.Err() != nil:
		return found, lack
	case err != nil:
		return findings{}, fmt.Errorf("it lists no dashboards to a reader without a credential: %w", lack)
	}
	open.short = "by a reader without a credential, who may not see all; " + lack.Error()
	return open, nil
}

// withCredential looks with the credential that the check names.
func (p probe) withCredential(ctx context.Context) (findings, error) {
	header, set, err := p.credential(ctx)
	if err != nil {
		return findings{}, fmt.Errorf("gonogo has no credential, give it that of %s: %w", rights, err)
	}
	found, err := p.search(ctx, header, set...)
	if errors.Is(err, errRefused) {
		return findings{}, fmt.Errorf("gonogo's own credential was %w: it must be that of %s", err, rights)
	}
	return found, err
}

// credential resolves the credential into a header, and says how a person sets it.
func (p probe) credential(ctx context.Context) (http.Header, []string, error) {
	if !p.params.Token.IsZero() {
		token, err := p.secrets.Resolve(ctx, p.params.Token)
		set := fmt.Sprintf(`-H "Authorization: Bearer $%s"`, variable(p.params.Token, "GRAFANA_TOKEN"))
		return http.Header{"Authorization": {"Bearer " + strings.TrimSpace(token)}}, []string{set}, err
	}
	if p.params.Username.IsZero() {
		return nil, nil, fmt.Errorf("the check names none: %w", probes.ErrNoSecret)
	}
	user, err := p.secrets.Name(ctx, p.params.Username)
	if err != nil {
		return nil, nil, err
	}
	password, err := p.secrets.Resolve(ctx, p.params.Password)
	set := fmt.Sprintf(`-u "$%s:$%s"`, variable(p.params.Username, "GRAFANA_USER"), variable(p.params.Password, "GRAFANA_PASSWORD"))
	return http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))}}, []string{set}, err
}

// variable is the name of the shell variable that stands for a secret.
func variable(ref probes.SecretRef, otherwise string) string {
	if ref.Env != "" {
		return ref.Env
	}
	return otherwise
}

// How many dashboards are read: so many at a time, and so many times at most.
const (
	perPage  = 1000
	maxPages = 20
)

// search lists the dashboards that a reader sees. A refusal is errRefused.
func (p probe) search(ctx context.Context, header http.Header, set ...string) (findings, error) {
	var all findings
	for n := 1; n <= maxPages; n++ {
		page, err := p.params.Get(ctx, p.fetcher, fmt.Sprintf("/api/search?type=dash-db&limit=%d&page=%d", perPage, n), header, set...)
		if n == 1 {
			all.request = page.Request
		}
		if err != nil {
			return findings{}, err
		}
		switch page.Status {
		case http.StatusOK:
		case http.StatusUnauthorized, http.StatusForbidden:
			return findings{}, fmt.Errorf("%w (%s)", errRefused, page)
		default:
			return findings{}, fmt.Errorf("it answers the search for dashboards with %s", page)
		}
		list, err := read(page)
		if err != nil {
			return findings{}, err
		}
		all.list = append(all.list, list...)
		if len(list) < perPage {
			return all, nil
		}
	}
	return findings{}, fmt.Errorf("it has more than %d dashboards, which are not looked through", perPage*maxPages)
}

// read takes the dashboards out of a page.
func read(page web.Page) ([]dashboard, error) {
	var list []dashboard
	if err := page.JSON(&list); err != nil || list == nil {
		return nil, page.Foreign("a list of dashboards", err)
	}
	kept := list[:0]
	for _, d := range list {
		if d.UID == "" || d.Title == "" {
			return nil, page.Foreign("dashboards with uid and title", nil)
		}
		if d.Type == "" || d.Type == "dash-db" {
			kept = append(kept, d)
		}
	}
	return kept, nil
}
