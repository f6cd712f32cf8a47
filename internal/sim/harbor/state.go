package harbor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// State is everything that a simulated Harbor keeps. As JSON it is what [Server.Snapshot] writes.
type State struct {
	Version      string      `json:"version"`
	Components   []Component `json:"components"`
	Starting     bool        `json:"starting,omitempty"`     // the components have not been looked at yet
	InternalDoor bool        `json:"internalDoor,omitempty"` // /v2/ is routed to the registry behind Harbor
	ReadOnly     bool        `json:"readOnly,omitempty"`
	Users        []User      `json:"users"`
	Projects     []Project   `json:"projects"`
	Robots       []Robot     `json:"robots"`
	Artifacts    []Artifact  `json:"artifacts"`
	Quotas       []Quota     `json:"quotas"`
	NextID       int64       `json:"nextId"`
}

// Component is one of Harbor's parts.
type Component struct {
	Name  string `json:"name"`
	Error string `json:"error,omitempty"` // empty: healthy
}

// User is a person's account.
type User struct {
	ID       int64  `json:"id"`
	Name     string `json:"name"`
	Password string `json:"password"`
	Admin    bool   `json:"admin,omitempty"`
}

// Project is a namespace of repositories.
type Project struct {
	ID       int64     `json:"id"`
	Name     string    `json:"name"`
	Public   bool      `json:"public,omitempty"`
	Registry int64     `json:"registry,omitempty"` // not 0: a proxy cache of that registry
	Created  time.Time `json:"created"`
}

// Robot is a robot account. Name is what it is stored under: project+name for one of a project.
type Robot struct {
	ID          int64        `json:"id"`
	Name        string       `json:"name"`
	Description string       `json:"description,omitempty"`
	Level       string       `json:"level"`
	ProjectID   int64        `json:"projectId,omitempty"`
	Duration    int64        `json:"duration"`
	Expires     int64        `json:"expires"` // Unix seconds; -1 for never
	Disabled    bool         `json:"disabled,omitempty"`
	Secret      string       `json:"secret"`
	Permissions []Permission `json:"permissions"`
	Created     time.Time    `json:"created"`
}

// Permission is what a robot may do in a project or in the system.
type Permission struct {
	Kind      string   `json:"kind"`
	Namespace string   `json:"namespace"`
	Access    []Access `json:"access"`
}

// Access is one action on one kind of thing.
type Access struct {
	Resource string `json:"resource"`
	Action   string `json:"action"`
	Effect   string `json:"effect,omitempty"`
}

// Artifact is an image in a repository; Repository holds the project: 254carbon/trino.
type Artifact struct {
	Repository string    `json:"repository"`
	Digest     string    `json:"digest"`
	MediaType  string    `json:"mediaType"`
	Size       int64     `json:"size"`
	Tags       []string  `json:"tags"`
	Pushed     time.Time `json:"pushed"`
}

// Quota limits what a project stores.
type Quota struct {
	ID        int64 `json:"id"`
	ProjectID int64 `json:"projectId"`
	Hard      int64 `json:"hard"` // bytes; -1 for unlimited
	Used      int64 `json:"used"`
}

// robotPrefix begins the login of every robot account.
const robotPrefix = "robot$"

// Login is the user name a robot logs in with.
func (r Robot) Login() string { return robotPrefix + r.Name }

// Project returns a project of the state to be changed, or nil.
func (s *State) Project(name string) *Project {
	i := slices.IndexFunc(s.Projects, func(p Project) bool { return p.Name == name })
	if i < 0 {
		return nil
	}
	return &s.Projects[i]
}

// Robot returns a robot of the state to be changed, by its login, or nil.
func (s *State) Robot(login string) *Robot {
	i := slices.IndexFunc(s.Robots, func(r Robot) bool { return r.Login() == login })
	if i < 0 {
		return nil
	}
	return &s.Robots[i]
}

// Quota returns the quota of a project of the state to be changed, or nil.
func (s *State) Quota(project string) *Quota {
	p := s.Project(project)
	i := slices.IndexFunc(s.Quotas, func(q Quota) bool { return p != nil && q.ProjectID == p.ID })
	if i < 0 {
		return nil
	}
	return &s.Quotas[i]
}

// Component returns a component of the state to be changed, or nil.
func (s *State) Component(name string) *Component {
	i := slices.IndexFunc(s.Components, func(c Component) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return &s.Components[i]
}

// AddRobot adds a robot of a project, or of the system if project is empty, that never expires, with the secret given.
func (s *State) AddRobot(project, name, secret string, now time.Time, permissions ...Permission) *Robot {
	r := Robot{ID: s.id(), Name: name, Level: "system", Duration: -1, Expires: -1, Secret: secret, Permissions: permissions, Created: now}
	if p := s.Project(project); p != nil {
		r.Level, r.ProjectID, r.Name = "project", p.ID, project+"+"+name
	}
	s.Robots = append(s.Robots, r)
	return &s.Robots[len(s.Robots)-1]
}

// AddProject adds a project with a quota.
func (s *State) AddProject(name string, public bool, now time.Time) *Project {
	p := Project{ID: s.id(), Name: name, Public: public, Created: now}
	s.Projects = append(s.Projects, p)
	s.Quotas = append(s.Quotas, Quota{ID: s.id(), ProjectID: p.ID, Hard: -1})
	return &s.Projects[len(s.Projects)-1]
}

// sizeOfImage is what every image counts against a quota.
const sizeOfImage = 300 << 20

// Push gives an artifact of a repository a tag, which another one loses.
func (s *State) Push(repository, tag, digest string, now time.Time) {
	s.Untag(repository, tag)
	for i := range s.Artifacts {
		if a := &s.Artifacts[i]; a.Repository == repository && a.Digest == digest {
			a.Tags = append(a.Tags, tag)
			return
		}
	}
	s.Artifacts = append(s.Artifacts, Artifact{
		Repository: repository, Digest: digest, MediaType: "application/vnd.oci.image.index.v1+json", Size: sizeOfImage, Tags: []string{tag}, Pushed: now,
	})
	project, _, _ := strings.Cut(repository, "/")
	if q := s.Quota(project); q != nil {
		q.Used += sizeOfImage
	}
}

// Untag takes a tag away.
func (s *State) Untag(repository, tag string) {
	for i := range s.Artifacts {
		if a := &s.Artifacts[i]; a.Repository == repository {
			a.Tags = slices.DeleteFunc(a.Tags, func(t string) bool { return t == tag })
		}
	}
}

func (s *State) id() int64 {
	s.NextID++
	return s.NextID
}

// In returns the permission to do the actions, written "resource:action", in a project.
func In(project string, actions ...string) Permission { return permission("project", project, actions) }

// OfSystem returns the permission to do the actions, written "resource:action", in the system.
func OfSystem(actions ...string) Permission { return permission("system", "/", actions) }

func permission(kind, namespace string, actions []string) Permission {
	p := Permission{Kind: kind, Namespace: namespace}
	for _, a := range actions {
		resource, action, _ := strings.Cut(a, ":")
		p.Access = append(p.Access, Access{Resource: resource, Action: action})
	}
	return p
}

// Snapshot returns the state as JSON. It holds passwords.
func (s *Server) Snapshot() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return json.MarshalIndent(s.state, "", " ")
}

// Restore replaces the state by one that Snapshot wrote.
func (s *Server) Restore(snapshot []byte) error {
	var state State
	decoder := json.NewDecoder(bytes.NewReader(snapshot))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&state); err != nil {
		return fmt.Errorf("reading the snapshot of Harbor: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = state
	return nil
}

// Change changes the state in one step that no request sees half done.
func (s *Server) Change(change func(*State)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.state)
}
