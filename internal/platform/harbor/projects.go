package harbor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/go-openapi/runtime"
	rtclient "github.com/go-openapi/runtime/client"
	"github.com/go-openapi/strfmt"
	"github.com/goharbor/go-client/pkg/sdk/v2.0/client/project"
	"github.com/goharbor/go-client/pkg/sdk/v2.0/client/quota"
	"github.com/goharbor/go-client/pkg/sdk/v2.0/client/robot"
	"github.com/goharbor/go-client/pkg/sdk/v2.0/models"

	probe "github.com/254carbon/gonogo/probes/harbor"
)

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

// Robot accounts and quotas are read page by page, as many at a time as Harbor gives, and no more than a registry has.
const (
	pageSize = 100
	maxPages = 50
)

// Robot looks a robot account up by the name it logs in with; projectID 0 looks among those of the system.
func (c *Client) Robot(ctx context.Context, login string, projectID int64) (probe.Robot, error) {
	q := "Level=system"
	if projectID != 0 {
		q = fmt.Sprintf("Level=project,ProjectID=%d", projectID)
	}
	found := probe.Robot{}
	size := int64(pageSize)
	for page := int64(1); page <= maxPages; page++ {
		found.Request = c.readRequest(fmt.Sprintf("/api/v2.0/robots?q=%s&page=%d&page_size=%d", url.QueryEscape(q), page, size))
		var list []*models.Robot
		err := c.read(ctx, "robot:list", func(auth runtime.ClientAuthInfoWriter) error {
			params := robot.NewListRobotParams().WithTimeout(0).WithQ(&q).WithPage(&page).WithPageSize(&size)
			ok, err := robot.New(c.api, strfmt.Default, auth).ListRobot(ctx, params)
			if err == nil {
				list = ok.Payload
			}
			return err
		})
		if err != nil {
			return found, err
		}
		if i := slices.IndexFunc(list, func(r *models.Robot) bool { return r != nil && r.Name == login }); i >= 0 {
			found.Disabled, found.Rights = list[i].Disable, rights(list[i].Permissions)
			found.NeverExpires = list[i].ExpiresAt == -1
			if found.Expires = time.Unix(list[i].ExpiresAt, 0); found.NeverExpires {
				found.Expires = time.Time{}
			}
			return found, nil
		}
		if len(list) < pageSize {
			return found, fmt.Errorf("robot account %s: %w", login, probe.ErrNotFound)
		}
	}
	return found, fmt.Errorf("there are more than %d robot accounts, more than can be looked through", maxPages*pageSize)
}

// rights lists what a robot may do in projects. What one entry denies, none allows.
func rights(permissions []*models.RobotPermission) []probe.Right {
	var allowed, denied []probe.Right
	for _, p := range permissions {
		if p == nil || p.Kind != "project" {
			continue
		}
		for _, a := range p.Access {
			switch right := (probe.Right{Project: p.Namespace}); {
			case a == nil:
			case a.Effect == "deny":
				right.Action = a.Resource + ":" + a.Action
				denied = append(denied, right)
			default:
				right.Action = a.Resource + ":" + a.Action
				allowed = append(allowed, right)
			}
		}
	}
	return slices.DeleteFunc(allowed, func(r probe.Right) bool { return slices.Contains(denied, r) })
}

// Quota reads how much a project stores and may store.
func (c *Client) Quota(ctx context.Context, projectID int64) (probe.Quota, error) {
	reference, id, size := "project", strconv.FormatInt(projectID, 10), int64(pageSize)
	found := probe.Quota{Request: c.readRequest("/api/v2.0/quotas?reference=project&reference_id=" + id)}
	err := c.read(ctx, "quota:list", func(auth runtime.ClientAuthInfoWriter) error {
		params := quota.NewListQuotasParams().WithTimeout(0).WithReference(&reference).WithReferenceID(&id).WithPageSize(&size)
		ok, err := quota.New(c.api, strfmt.Default, auth).ListQuotas(ctx, params)
		if err != nil {
			return err
		}
		for _, q := range ok.Payload {
			if q == nil {
				continue
			}
			of, isObject := q.Ref.(map[string]any)
			if !isObject || fmt.Sprint(of["id"]) != id {
				continue
			}
			hard, limited := q.Hard["storage"]
			used, counted := q.Used["storage"]
			if !limited || !counted {
				return errors.New("the answer about the quota says nothing of storage")
			}
			found.Hard, found.Used = hard, used
			return nil
		}
		return errors.New("Harbor lists no quota of the project")
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
