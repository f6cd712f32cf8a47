package harbor

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (c *call) robotAnswer(r Robot) map[string]any {
	return map[string]any{
		"id": r.ID, "name": r.Login(), "description": r.Description, "level": r.Level, "duration": r.Duration, "expires_at": r.Expires,
		"disable": r.Disabled, "editable": true, "permissions": r.Permissions, "creation_time": r.Created.UTC().Format(time.RFC3339),
		"update_time": r.Created.UTC().Format(time.RFC3339),
	}
}

// terms reads Harbor's query grammar as far as lists of robots need it: k=v,k=v.
func terms(q string) map[string]string {
	m := map[string]string{}
	for part := range strings.SplitSeq(q, ",") {
		if k, v, ok := strings.Cut(part, "="); ok {
			m[strings.ToLower(k)] = strings.TrimPrefix(v, "~")
		}
	}
	return m
}

// projectName is the name of the project with an id, or "".
func (c *call) projectName(id int64) string {
	for _, p := range c.st.Projects {
		if p.ID == id {
			return p.Name
		}
	}
	return ""
}

func (c *call) listRobots() {
	if !c.known("page", "page_size", "q", "sort") {
		return
	}
	q := terms(c.r.URL.Query().Get("q"))
	level, project := cmp.Or(q["level"], "system"), ""
	if level == "project" {
		id, err := strconv.ParseInt(q["projectid"], 10, 64)
		if err != nil {
			c.fail(http.StatusBadRequest, "BAD_REQUEST", "must with project ID when to query project robots")
			return
		}
		project = cmp.Or(c.projectName(id), "?")
	}
	if !c.need(project, "robot:list") {
		return
	}
	list := []map[string]any{}
	for _, r := range c.st.Robots {
		if r.Level == level && (level == "system" || c.projectName(r.ProjectID) == project) && (q["name"] == "" || r.Name == q["name"]) {
			list = append(list, c.robotAnswer(r))
		}
	}
	page(c, list)
}

func (c *call) createRobot() {
	var body struct {
		Name        string       `json:"name"`
		Description string       `json:"description"`
		Level       string       `json:"level"`
		Duration    int64        `json:"duration"`
		Disable     bool         `json:"disable"`
		Secret      string       `json:"secret"` // ignored
		Permissions []Permission `json:"permissions"`
	}
	if !c.decode(&body) {
		return
	}
	r := Robot{
		Name: body.Name, Description: body.Description, Level: body.Level, Duration: body.Duration, Disabled: body.Disable,
		Expires: -1, Permissions: body.Permissions, Created: c.s.now(),
	}
	project := ""
	if body.Level == "project" && len(body.Permissions) == 1 {
		project = body.Permissions[0].Namespace
	}
	if !c.need(project, "robot:create") {
		return
	}
	if problem := c.robotProblem(r, project); problem != "" {
		c.fail(http.StatusBadRequest, "BAD_REQUEST", problem)
		return
	}
	if p := c.st.Project(project); p != nil {
		r.ProjectID, r.Name = p.ID, project+"+"+r.Name
	}
	if c.st.Robot(r.Login()) != nil {
		c.fail(http.StatusConflict, "CONFLICT", "robot account "+r.Login()+" already exists")
		return
	}
	if r.Duration > 0 {
		r.Expires = r.Created.AddDate(0, 0, int(min(r.Duration, 36500))).Unix()
	}
	r.ID, r.Secret = c.st.id(), newSecret()
	c.st.Robots = append(c.st.Robots, r)
	c.w.Header().Set("Location", "/api/v2.0/robots/"+strconv.FormatInt(r.ID, 10))
	c.json(http.StatusCreated, map[string]any{
		"id": r.ID, "name": r.Login(), "secret": r.Secret, "expires_at": r.Expires, "creation_time": r.Created.UTC().Format(time.RFC3339),
	})
}

// robotProblem says what Harbor finds wrong with a robot to be created.
func (c *call) robotProblem(r Robot, project string) string {
	switch {
	case !plainName(r.Name):
		return "robot name is not in lower case or contains illegal characters"
	case r.Duration != -1 && r.Duration <= 0:
		return "bad request error duration input, duration must be either -1(Never) or a positive integer"
	case r.Level != "project" && r.Level != "system":
		return "bad request error level input"
	case len(r.Permissions) == 0:
		return "bad request empty permission"
	case r.Level == "project" && len(r.Permissions) > 1:
		return "bad request permission: a project robot has exactly one"
	case r.Level == "project" && c.st.Project(project) == nil:
		return "bad request project: " + project
	}
	for _, p := range r.Permissions {
		if len(p.Access) == 0 {
			return "bad request empty access"
		}
		if p.Kind == "system" && p.Namespace != "/" || p.Kind != "system" && p.Kind != "project" {
			return "bad request permission scope"
		}
		for _, a := range p.Access {
			namespace := p.Namespace
			if p.Kind == "system" {
				namespace = ""
			}
			if c.who.robot != nil && !c.may(namespace, a.Resource+":"+a.Action) {
				return "bad request permission: a robot can only create robots with a subset of its own permissions"
			}
		}
	}
	return ""
}

// theRobot finds the robot of the path for a caller who may do something to it.
func (c *call) theRobot(what string) *Robot {
	id, err := strconv.ParseInt(c.r.PathValue("id"), 10, 64)
	i := slices.IndexFunc(c.st.Robots, func(r Robot) bool { return r.ID == id })
	project := ""
	if i >= 0 && c.st.Robots[i].Level == "project" {
		project = c.projectName(c.st.Robots[i].ProjectID)
	}
	if !c.need(project, what) {
		return nil
	}
	if err != nil || i < 0 {
		c.fail(http.StatusNotFound, "NOT_FOUND", "robot "+c.r.PathValue("id")+" not found")
		return nil
	}
	return &c.st.Robots[i]
}

func (c *call) getRobot() {
	if r := c.theRobot("robot:read"); r != nil {
		c.json(http.StatusOK, c.robotAnswer(*r))
	}
}

// refreshRobot gives a robot a new secret. Robots may not: there is no permission for it.
func (c *call) refreshRobot() {
	var body struct {
		Secret string `json:"secret"`
	}
	r := c.theRobot("robot:update")
	if r == nil || !c.decode(&body) {
		return
	}
	answer := map[string]string{}
	switch {
	case body.Secret == "":
		r.Secret = newSecret()
		answer["secret"] = r.Secret
	case len(body.Secret) < 8 || len(body.Secret) > 128 || !strings.ContainsAny(body.Secret, "abcdefghijklmnopqrstuvwxyz") ||
		!strings.ContainsAny(body.Secret, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") || !strings.ContainsAny(body.Secret, "0123456789"):
		c.fail(http.StatusBadRequest, "BAD_REQUEST", "the secret must be 8-128 characters long with upper case, lower case and a digit")
		return
	default:
		r.Secret = body.Secret
		answer["secret"] = ""
	}
	c.json(http.StatusOK, answer)
}

func (c *call) deleteRobot() {
	if r := c.theRobot("robot:delete"); r != nil {
		id := r.ID
		c.st.Robots = slices.DeleteFunc(c.st.Robots, func(r Robot) bool { return r.ID == id })
		c.w.WriteHeader(http.StatusOK)
	}
}
