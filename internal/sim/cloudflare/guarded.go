package cloudflare

import (
	"slices"
	"strings"
)

// Guard is the Access application that stands before a page.
type Guard struct {
	Audience string
	Host     string // as the application names it
	Bypassed bool   // it lets everyone past

	tokens []string // of services that it lets past, with their secrets
}

// Admits reports whether it lets a program past that shows a service token.
func (g *Guard) Admits(id, secret string) bool {
	return id != "" && slices.Contains(g.tokens, id+" "+secret)
}

// Guard returns what stands before a path of a host, or nil. Of several applications the one with the longest path counts.
func (s *Server) Guard(host, path string) *Guard {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found *Guard
	length := -1
	for _, app := range s.state.Apps {
		if text(app, "type") != "self_hosted" {
			continue
		}
		for _, domain := range appDomains(app) {
			name, below, _ := strings.Cut(strings.ToLower(domain), "/")
			below = "/" + strings.Trim(below, "/")
			inside := path == below || strings.HasPrefix(path, strings.TrimSuffix(below, "/")+"/")
			if matches(name, host) && inside && len(below) > length {
				found, length = &Guard{Audience: text(app, "aud"), Host: name, Bypassed: s.state.bypassed(app), tokens: s.state.tokens(app)}, len(below)
			}
		}
	}
	return found
}

func appDomains(app map[string]any) []string {
	all := []string{text(app, "domain")}
	destinations, _ := app["destinations"].([]any)
	for _, d := range destinations {
		if m, ok := d.(map[string]any); ok {
			all = append(all, text(m, "uri"))
		}
	}
	return slices.DeleteFunc(all, func(d string) bool { return d == "" })
}

// matches reports whether a name with or without a wildcard as its first label takes in a host.
func matches(name, host string) bool {
	if rest, wild := strings.CutPrefix(name, "*."); wild {
		_, parent, _ := strings.Cut(host, ".")
		return rest == parent
	}
	return name == host
}

// bypassed reports whether a policy of an application lets everyone past.
func (s *State) bypassed(app map[string]any) bool {
	refs, _ := app["policies"].([]any)
	return slices.ContainsFunc(refs, func(ref any) bool {
		m, _ := ref.(map[string]any)
		return slices.ContainsFunc(s.Policies, func(p map[string]any) bool {
			return text(p, "id") == text(m, "id") && text(p, "decision") == "bypass"
		})
	})
}

// tokens are the service tokens that an application lets past.
func (s *State) tokens(app map[string]any) (all []string) {
	refs, _ := app["policies"].([]any)
	for _, ref := range refs {
		m, _ := ref.(map[string]any)
		for _, p := range s.Policies {
			include, _ := p["include"].([]any)
			if text(p, "id") != text(m, "id") || text(p, "decision") != "non_identity" {
				continue
			}
			for _, r := range include {
				rule, _ := r.(map[string]any)
				of, _ := rule["service_token"].(map[string]any)
				for _, t := range s.Services {
					if text(t, "id") == text(of, "token_id") && text(t, "id") != "" {
						all = append(all, text(t, "client_id")+" "+text(t, "secret"))
					}
				}
			}
		}
	}
	return all
}

// Routed reports whether the tunnel leads a host to the platform, and whether it carries connections.
func (s *Server) Routed(host string) (routed, connected bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.state.Tunnels {
		if t.Deleted != nil {
			continue
		}
		routed = routed || slices.ContainsFunc(t.Ingress, func(r Ingress) bool { return r.Hostname != "" && matches(r.Hostname, host) })
		connected = connected || slices.ContainsFunc(t.Conns, func(c Connection) bool { return !c.Pending })
	}
	return routed, connected
}

// TeamDomain is where the team logs in.
func (s *Server) TeamDomain() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return text(s.state.Org, "auth_domain")
}
