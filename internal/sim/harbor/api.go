package harbor

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (c *call) health() {
	overall, list := "healthy", []map[string]string{}
	for _, component := range c.st.Components {
		answer := map[string]string{"name": component.Name, "status": "healthy"}
		trouble := component.Error
		if c.st.Starting {
			trouble = "unknown status"
		}
		if trouble != "" {
			overall = "unhealthy"
			answer["status"], answer["error"] = "unhealthy", trouble
		}
		list = append(list, answer)
	}
	c.json(http.StatusOK, map[string]any{"status": overall, "components": list})
}

func (c *call) systemInfo() {
	info := map[string]any{"auth_mode": "db_auth", "primary_auth_mode": false, "self_registration": false, "banner_message": ""}
	if c.who != nil {
		info["harbor_version"], info["external_url"], info["registry_url"] = c.st.Version, c.self(), c.r.Host
		info["read_only"], info["registry_storage_provider_name"] = c.st.ReadOnly, "filesystem"
		info["current_time"], info["has_ca_root"] = c.s.now().UTC().Format(time.RFC3339), false
		info["project_creation_restriction"] = "adminonly"
	}
	c.json(http.StatusOK, info)
}

func (c *call) project(p Project) map[string]any {
	repositories := map[string]bool{}
	for _, a := range c.st.Artifacts {
		if strings.HasPrefix(a.Repository, p.Name+"/") {
			repositories[a.Repository] = true
		}
	}
	answer := map[string]any{
		"project_id": p.ID, "name": p.Name, "owner_id": 1, "owner_name": "admin", "repo_count": len(repositories),
		"creation_time": p.Created.UTC().Format(time.RFC3339), "update_time": p.Created.UTC().Format(time.RFC3339),
		"metadata": map[string]string{"public": strconv.FormatBool(p.Public)},
	}
	if p.Registry != 0 {
		answer["registry_id"] = p.Registry
	}
	return answer
}

func (c *call) listProjects() {
	if !c.known("page", "page_size", "q", "sort", "name", "public", "owner", "with_detail") {
		return
	}
	list := []map[string]any{}
	for _, p := range c.st.Projects {
		if name := c.r.URL.Query().Get("name"); name != "" && !strings.Contains(p.Name, name) {
			continue
		}
		if p.Public || c.named(p.Name) || c.who != nil && c.who.admin {
			list = append(list, c.project(p))
		}
	}
	page(c, list)
}

// headProject is the one call that tells who is logged in from who is not, whatever they may.
func (c *call) headProject() {
	if !c.known("project_name") {
		return
	}
	switch name := c.r.URL.Query().Get("project_name"); {
	case c.who == nil:
		c.refuse()
	case name == "":
		c.fail(http.StatusUnprocessableEntity, "UNPROCESSABLE_ENTITY", "project_name in query is required")
	case c.st.Project(name) == nil:
		c.fail(http.StatusNotFound, "NOT_FOUND", "project "+name+" not found")
	default:
		c.w.WriteHeader(http.StatusOK)
	}
}

func (c *call) createProject() {
	var body struct {
		Name         string            `json:"project_name"`
		Public       *bool             `json:"public"`
		Metadata     map[string]string `json:"metadata"`
		StorageLimit *int64            `json:"storage_limit"`
		RegistryID   *int64            `json:"registry_id"`
	}
	if !c.need("", "project:create") || !c.decode(&body) {
		return
	}
	if c.st.Project(body.Name) != nil {
		c.fail(http.StatusConflict, "CONFLICT", "The project named "+body.Name+" already exists")
		return
	}
	if !plainName(body.Name) {
		c.fail(http.StatusBadRequest, "BAD_REQUEST", "project name is not in lower case or contains illegal characters")
		return
	}
	p := c.st.AddProject(body.Name, body.Metadata["public"] == "true", c.s.now())
	if body.RegistryID != nil {
		p.Registry = *body.RegistryID
	}
	if body.StorageLimit != nil {
		c.st.Quotas[len(c.st.Quotas)-1].Hard = *body.StorageLimit
	}
	location := strconv.FormatInt(p.ID, 10)
	if c.r.Header.Get("X-Resource-Name-In-Location") == "true" {
		location = p.Name
	}
	c.w.Header().Set("Location", "/api/v2.0/projects/"+location)
	c.w.WriteHeader(http.StatusCreated)
}

// plainName is Harbor's rule for the names of projects and robots: lower case with single separators.
func plainName(name string) bool {
	previous := byte('.')
	for i := range len(name) {
		separator := strings.IndexByte("._-", name[i]) >= 0
		if !separator && (name[i] < 'a' || name[i] > 'z') && (name[i] < '0' || name[i] > '9') || separator && strings.IndexByte("._-", previous) >= 0 {
			return false
		}
		previous = name[i]
	}
	return name != "" && strings.IndexByte("._-", previous) < 0
}

// theProject finds the project of the path. Who may not see it is told nothing about it: 401 or 403, not 404.
func (c *call) theProject(what string) *Project {
	name := c.r.PathValue("project")
	p := c.st.Project(name)
	if _, err := strconv.Atoi(name); err == nil && c.r.Header.Get("X-Is-Resource-Name") != "true" {
		p = nil
		for i := range c.st.Projects {
			if strconv.FormatInt(c.st.Projects[i].ID, 10) == name {
				p = &c.st.Projects[i]
			}
		}
	}
	switch {
	case p != nil && (p.Public || c.may(p.Name, what)):
		return p
	case p == nil && c.who != nil && (c.who.admin || c.named("*")):
		c.fail(http.StatusNotFound, "NOT_FOUND", "project "+name+" not found")
	default:
		c.refuse()
	}
	return nil
}

func (c *call) getProject() {
	if p := c.theProject("project:read"); p != nil {
		c.json(http.StatusOK, c.project(*p))
	}
}

func (c *call) currentUser() {
	switch {
	case c.who == nil:
		c.refuse()
	case c.who.robot != nil:
		c.fail(http.StatusPreconditionFailed, "PRECONDITION", "not a user: robot accounts have no profile")
	default:
		for _, u := range c.st.Users {
			if u.Name == c.who.name {
				c.json(http.StatusOK, map[string]any{"user_id": u.ID, "username": u.Name, "sysadmin_flag": u.Admin, "admin_role_in_auth": false})
				return
			}
		}
		c.refuse()
	}
}

func (c *call) currentPermissions() {
	if !c.known("scope", "relative") {
		return
	}
	if c.who == nil {
		c.refuse()
		return
	}
	project := ""
	if id, ok := strings.CutPrefix(c.r.URL.Query().Get("scope"), "/project/"); ok {
		for _, p := range c.st.Projects {
			if strconv.FormatInt(p.ID, 10) == id {
				project = p.Name
			}
		}
	}
	list := []map[string]string{}
	if c.who.robot != nil {
		for _, p := range c.who.robot.Permissions {
			if (project == "") == (p.Kind == "system") && (project == "" || p.Namespace == project || p.Namespace == "*") {
				for _, a := range p.Access {
					list = append(list, map[string]string{"resource": a.Resource, "action": a.Action})
				}
			}
		}
	}
	c.json(http.StatusOK, list)
}

func (c *call) listQuotas() {
	if !c.known("page", "page_size", "reference", "reference_id", "sort") || !c.need("", "quota:list") {
		return
	}
	list := []map[string]any{}
	for _, q := range c.st.Quotas {
		if id := c.r.URL.Query().Get("reference_id"); id == "" || id == strconv.FormatInt(q.ProjectID, 10) {
			list = append(list, map[string]any{
				"id": q.ID, "ref": map[string]any{"id": q.ProjectID}, "hard": map[string]int64{"storage": q.Hard}, "used": map[string]int64{"storage": q.Used},
			})
		}
	}
	page(c, list)
}

func (c *call) listRepositories() {
	if !c.known("page", "page_size", "q", "sort") {
		return
	}
	p := c.theProject("repository:list")
	if p == nil {
		return
	}
	counts := map[string]int{}
	var names []string
	for _, a := range c.st.Artifacts {
		if strings.HasPrefix(a.Repository, p.Name+"/") {
			if counts[a.Repository]++; counts[a.Repository] == 1 {
				names = append(names, a.Repository)
			}
		}
	}
	slices.Sort(names)
	list := []map[string]any{}
	for i, name := range names {
		list = append(list, map[string]any{"id": i + 1, "name": name, "project_id": p.ID, "artifact_count": counts[name]})
	}
	page(c, list)
}

// theRepository is the repository of the path, whose name is encoded twice if it has a slash.
func (c *call) theRepository(what string) (name string, ok bool) {
	p := c.theProject(what)
	if p == nil {
		return "", false
	}
	name, err := url.PathUnescape(c.r.PathValue("repository"))
	if err != nil {
		c.fail(http.StatusBadRequest, "BAD_REQUEST", "the repository's name is encoded wrongly")
		return "", false
	}
	return p.Name + "/" + name, true
}

func artifact(a Artifact) map[string]any {
	tags := []map[string]any{}
	for i, tag := range a.Tags {
		tags = append(tags, map[string]any{"id": i + 1, "name": tag, "push_time": a.Pushed.UTC().Format(time.RFC3339)})
	}
	return map[string]any{
		"digest": a.Digest, "manifest_media_type": a.MediaType, "media_type": a.MediaType, "type": "IMAGE", "size": a.Size,
		"push_time": a.Pushed.UTC().Format(time.RFC3339), "tags": tags,
	}
}

func (c *call) listArtifacts() {
	if !c.known("page", "page_size", "q", "sort", "with_tag", "with_label", "with_scan_overview", "with_signature", "with_immutable_status", "with_accessory") {
		return
	}
	repository, ok := c.theRepository("artifact:list")
	if !ok {
		return
	}
	list := []map[string]any{} // a repository that does not exist has none
	for _, a := range c.st.Artifacts {
		if a.Repository == repository {
			list = append(list, artifact(a))
		}
	}
	page(c, list)
}

func (c *call) getArtifact() {
	repository, ok := c.theRepository("artifact:read")
	if !ok {
		return
	}
	reference := c.r.PathValue("reference")
	for _, a := range c.st.Artifacts {
		if a.Repository == repository && (a.Digest == reference || slices.Contains(a.Tags, reference)) {
			c.json(http.StatusOK, artifact(a))
			return
		}
	}
	c.fail(http.StatusNotFound, "NOT_FOUND", fmt.Sprintf("artifact %s:%s not found", repository, reference))
}
