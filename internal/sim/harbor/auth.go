package harbor

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// caller is who is logged in.
type caller struct {
	name  string
	admin bool
	robot *Robot // nil for a person
}

// authenticate finds out who asks. A login that fails is no error: its request goes on as anonymous, late, and its user is locked for a
// moment, in which even the right password is anonymous, at once.
func (s *Server) authenticate(r *http.Request) *caller {
	username, password, ok := r.BasicAuth()
	if !ok {
		return nil
	}
	s.mu.Lock()
	if time.Now().Before(s.locked[username]) {
		s.mu.Unlock()
		return nil
	}
	who := s.lookUp(username, password)
	if who == nil {
		s.locked[username] = time.Now().Add(s.lockTime)
	}
	s.mu.Unlock()
	if who == nil {
		sleep(r.Context(), s.lockTime)
	}
	return who
}

// lookUp returns who a user name and password belong to, or nil. A robot that is disabled or has expired is nobody.
func (s *Server) lookUp(username, password string) *caller {
	if r := s.state.Robot(username); r != nil {
		expired := r.Expires != -1 && s.now().Unix() >= r.Expires
		if r.Secret != password || r.Disabled || expired {
			return nil
		}
		copied := *r
		return &caller{name: username, robot: &copied}
	}
	for _, u := range s.state.Users {
		if u.Name == username && u.Password == password {
			return &caller{name: username, admin: u.Admin}
		}
	}
	return nil
}

// may reports whether the caller may do an action, written "resource:action", in a project (or in the system, if that is empty).
func (c *call) may(project, what string) bool {
	switch {
	case c.who == nil:
		return false
	case c.who.admin:
		return true
	case c.who.robot == nil:
		return false // people other than the administrator are members of nothing here
	}
	resource, action, _ := strings.Cut(what, ":")
	for _, p := range c.who.robot.Permissions {
		fits := p.Kind == "system" && project == "" || p.Kind == "project" && project != "" && (p.Namespace == project || p.Namespace == "*")
		if fits && slices.ContainsFunc(p.Access, func(a Access) bool { return a.Resource == resource && a.Action == action && a.Effect != "deny" }) {
			return true
		}
	}
	return false
}

// named reports whether a robot's permissions name a project.
func (c *call) named(project string) bool {
	return c.who != nil && c.who.robot != nil && slices.ContainsFunc(c.who.robot.Permissions, func(p Permission) bool {
		return p.Kind == "project" && (p.Namespace == project || p.Namespace == "*")
	})
}

// need refuses a caller who may not: 401 for anonymous, 403 for others.
func (c *call) need(project, what string) bool {
	if c.may(project, what) {
		return true
	}
	c.refuse()
	return false
}

func (c *call) refuse() {
	if c.who == nil {
		c.fail(http.StatusUnauthorized, "UNAUTHORIZED", "unauthorized")
		return
	}
	c.fail(http.StatusForbidden, "FORBIDDEN", "forbidden")
}

// door is /v2/: of Harbor's core, or of the registry behind it.
func (c *call) door() {
	c.w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	bearer, hasToken := strings.CutPrefix(c.r.Header.Get("Authorization"), "Bearer ")
	switch {
	case c.internalDoor():
		c.w.Header().Set("Www-Authenticate", `Basic realm="harbor-registry-basic-realm"`)
		c.fail(http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
	case hasToken && c.r.URL.Path != "/v2/":
		c.withToken(bearer)
	case c.who == nil && c.r.Header.Get("Authorization") != "":
		c.w.Header().Set("Www-Authenticate", `Basic realm="harbor"`)
		c.fail(http.StatusUnauthorized, "UNAUTHORIZED", "unauthorized: unauthorized")
	case c.who == nil:
		c.challenge("")
	case c.r.URL.Path == "/v2/":
		c.json(http.StatusOK, map[string]any{})
	default:
		c.withGrants(func(repository, action string) bool {
			return slices.Contains(c.lockedGrants(repository, action), action)
		})
	}
}

func (c *call) internalDoor() bool {
	if c.r.URL.Path == "/v2/" {
		return c.st.InternalDoor
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.st.InternalDoor
}

func (c *call) self() string {
	scheme := "http"
	if c.r.TLS != nil || c.r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	return scheme + "://" + c.r.Host
}

// token is the token service. With a scope it answers everybody: whoever may nothing gets a token that allows nothing.
func (c *call) token() {
	query := c.r.URL.Query()
	if query.Get("service") != "harbor-registry" {
		c.fail(http.StatusBadRequest, "BAD_REQUEST", "service is not registered: "+query.Get("service"))
		return
	}
	if len(query["scope"]) == 0 && c.who == nil {
		c.refuse()
		return
	}
	granted := []access{}
	for _, scope := range query["scope"] {
		kind, rest, _ := strings.Cut(scope, ":")
		i := strings.LastIndex(rest, ":")
		if kind != "repository" || i < 0 {
			continue
		}
		name, wanted := rest[:i], strings.Split(rest[i+1:], ",")
		granted = append(granted, access{Type: kind, Name: name, Actions: c.granted(name, wanted)})
	}
	now := c.s.now()
	subject := ""
	if c.who != nil {
		subject = c.who.name
	}
	token := c.s.sign(map[string]any{
		"iss": "harbor-token-issuer", "sub": subject, "aud": []string{"harbor-registry"}, "jti": requestID(),
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(30 * time.Minute).Unix(), "access": granted,
	})
	c.json(http.StatusOK, map[string]any{
		"token": token, "access_token": "", "expires_in": 1800, "issued_at": now.UTC().Format(time.RFC3339),
	})
}

// lockedGrants is granted with the state locked, which a call to the registry is without.
func (c *call) lockedGrants(repository, action string) []string {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.granted(repository, []string{action})
}

// granted filters the wanted actions by what the caller may.
func (c *call) granted(repository string, wanted []string) []string {
	actions := []string{}
	project, _, _ := strings.Cut(repository, "/")
	p := c.st.Project(project)
	if p == nil {
		return actions
	}
	for _, action := range wanted {
		if action == "pull" && p.Public || c.may(project, "repository:"+action) {
			actions = append(actions, action)
		}
	}
	return actions
}

// sign makes a JSON Web Token. Its key lives as long as the process.
func (s *Server) sign(claims map[string]any) string {
	header, _ := json.Marshal(map[string]string{"typ": "JWT", "alg": "EdDSA"}) // strings always marshal
	payload, err := json.Marshal(claims)
	if err != nil {
		return ""
	}
	text := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(payload)
	return text + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(s.key, []byte(text)))
}

// newSecret makes a robot's secret as Harbor does: 32 characters with upper case, lower case and digits.
func newSecret() string { return "Aa1" + rand.Text() + rand.Text()[:3] }
