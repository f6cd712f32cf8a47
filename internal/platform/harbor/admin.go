package harbor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/go-openapi/runtime"
	rtclient "github.com/go-openapi/runtime/client"
	"github.com/go-openapi/strfmt"
	"github.com/goharbor/go-client/pkg/sdk/v2.0/client/project"
	"github.com/goharbor/go-client/pkg/sdk/v2.0/client/robot"
	"github.com/goharbor/go-client/pkg/sdk/v2.0/models"

	probe "github.com/254carbon/gonogo/probes/harbor"
)

// Admin changes Harbor with the credential of the actions. It shares the memory of refused credentials with its client.
type Admin struct {
	c      *Client
	writer func(ctx context.Context) (username, password string, err error)
	hide   func(secret string)
	// ReadOnly leaves the credential where it is: what is planned assumes that it is there, and nothing is changed.
	ReadOnly bool
}

// Admin returns the client as actions use it. Writer finds their credential; nil if there is none. Hide is told of secrets that Harbor makes.
func (c *Client) Admin(writer func(ctx context.Context) (username, password string, err error), hide func(string)) *Admin {
	return &Admin{c: c, writer: writer, hide: hide}
}

// Known reports whether there is a credential.
func (a *Admin) Known(ctx context.Context) error {
	if a.writer == nil {
		return errors.New("the profile names none")
	}
	if a.ReadOnly {
		return nil
	}
	_, _, err := a.writer(ctx)
	return err
}

// do asks with the credential of the actions.
func (a *Admin) do(ctx context.Context, permission string, ask func(runtime.ClientAuthInfoWriter) error) error {
	if err := a.Known(ctx); err != nil {
		return err
	}
	username, password, err := a.writer(ctx)
	if err != nil {
		return err
	}
	_, err = a.c.logins.try(ctx, username, password, a.c.now, func() error { return ask(rtclient.BasicAuth(username, password)) })
	return ownRefusal(plain(err), "the credential of the actions for Harbor was refused", permission)
}

// CreateProject creates a private project. One that is there already is fine.
func (a *Admin) CreateProject(ctx context.Context, name string, quota int64) error {
	err := a.do(ctx, "project:create", func(auth runtime.ClientAuthInfoWriter) error {
		body := &models.ProjectReq{ProjectName: name, Metadata: &models.ProjectMetadata{Public: "false"}, StorageLimit: &quota}
		_, err := project.New(a.c.api, strfmt.Default, auth).CreateProject(ctx, project.NewCreateProjectParams().WithTimeout(0).WithProject(body))
		return err
	})
	if has(err, http.StatusConflict) {
		return nil
	}
	return err
}

func has(err error, code int) bool {
	var status *StatusError
	return errors.As(err, &status) && status.Code == code
}

// FindRobot looks a robot account of a project up by its full name; an id of 0 is none.
func (a *Admin) FindRobot(ctx context.Context, projectName, login string) (int64, probe.Robot, error) {
	var id int64
	err := a.do(ctx, "project:read", func(auth runtime.ClientAuthInfoWriter) error {
		byName := true
		ok, err := project.New(a.c.api, strfmt.Default, auth).GetProject(ctx, project.NewGetProjectParams().WithTimeout(0).WithProjectNameOrID(projectName).WithXIsResourceName(&byName))
		if err == nil && ok.Payload != nil {
			id = int64(ok.Payload.ProjectID)
		}
		return err
	})
	if err != nil {
		return 0, probe.Robot{}, err
	}
	q, size := fmt.Sprintf("Level=project,ProjectID=%d", id), int64(pageSize)
	for page := int64(1); page <= maxPages; page++ {
		var list []*models.Robot
		err := a.do(ctx, "robot:list", func(auth runtime.ClientAuthInfoWriter) error {
			ok, err := robot.New(a.c.api, strfmt.Default, auth).ListRobot(ctx, robot.NewListRobotParams().WithTimeout(0).WithQ(&q).WithPage(&page).WithPageSize(&size))
			if err == nil {
				list = ok.Payload
			}
			return err
		})
		if err != nil {
			return 0, probe.Robot{}, err
		}
		if i := slices.IndexFunc(list, func(r *models.Robot) bool { return r != nil && r.Name == login }); i >= 0 {
			return list[i].ID, probe.Robot{Disabled: list[i].Disable, Rights: rights(list[i].Permissions)}, nil
		}
		if len(list) < pageSize {
			return 0, probe.Robot{}, nil
		}
	}
	return 0, probe.Robot{}, fmt.Errorf("there are more than %d robot accounts, more than can be looked through", maxPages*pageSize)
}

// CreateRobot makes a robot account that may push and pull; taken is true if there is one of that name already.
func (a *Admin) CreateRobot(ctx context.Context, projectName, name string, days int) (login, secret string, taken bool, err error) {
	var access []*models.Access
	for _, right := range [][2]string{
		{"repository", "pull"}, {"repository", "push"}, {"artifact", "read"}, {"artifact", "list"}, {"tag", "list"}, {"tag", "create"},
	} {
		access = append(access, &models.Access{Resource: right[0], Action: right[1]})
	}
	duration := int64(days)
	body := &models.RobotCreate{
		Name: name, Description: "gonogo mirrors images with it", Level: "project", Duration: duration,
		Permissions: []*models.RobotPermission{{Kind: "project", Namespace: projectName, Access: access}},
	}
	err = a.do(ctx, "robot:create", func(auth runtime.ClientAuthInfoWriter) error {
		ok, err := robot.New(a.c.api, strfmt.Default, auth).CreateRobot(ctx, robot.NewCreateRobotParams().WithTimeout(0).WithRobot(body))
		if err == nil && ok.Payload != nil {
			login, secret = ok.Payload.Name, ok.Payload.Secret
			a.hide(secret)
		}
		return err
	})
	if has(err, http.StatusConflict) {
		return "", "", true, nil
	}
	if err == nil && secret == "" {
		err = errors.New("Harbor made the robot account and told no secret")
	}
	return login, secret, false, err
}

// RefreshRobot gives a robot account a new secret, which Harbor makes.
func (a *Admin) RefreshRobot(ctx context.Context, id int64) (secret string, err error) {
	err = a.do(ctx, "robot:update", func(auth runtime.ClientAuthInfoWriter) error {
		ok, err := robot.New(a.c.api, strfmt.Default, auth).RefreshSec(ctx, robot.NewRefreshSecParams().WithTimeout(0).WithRobotID(id).WithRobotSec(&models.RobotSec{}))
		if err == nil && ok.Payload != nil {
			secret = ok.Payload.Secret
			a.hide(secret)
		}
		return err
	})
	if err == nil && secret == "" {
		err = errors.New("Harbor gave the robot account a new secret and did not tell it")
	}
	return secret, err
}

// DeleteRobot removes a robot account; one that is gone is fine.
func (a *Admin) DeleteRobot(ctx context.Context, id int64) error {
	err := a.do(ctx, "robot:delete", func(auth runtime.ClientAuthInfoWriter) error {
		_, err := robot.New(a.c.api, strfmt.Default, auth).DeleteRobot(ctx, robot.NewDeleteRobotParams().WithTimeout(0).WithRobotID(id))
		return err
	})
	if errors.Is(err, probe.ErrNotFound) {
		return nil
	}
	return err
}
