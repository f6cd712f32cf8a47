package cloudflare

import (
	"time"

	"github.com/254carbon/gonogo/probes"
)

// Credentials are the tokens that exist in a scenario.
type Credentials struct {
	Reader   string // gonogo reads with it
	Platform string // the platform's own, which the checks are about
}

// DemoCredentials are tokens that protect nothing: they exist in a simulation alone.
func DemoCredentials() Credentials {
	return Credentials{Reader: "reader-of-a-simulated-cloudflare-000000", Platform: "token-of-a-simulated-platform-000000000"}
}

// What exists in every scenario.
const (
	AccountID  = "0254ca0254ca0254ca0254ca0254ca02"
	TunnelName = "254carbon-cluster"
	TunnelID   = "02540000-0000-4000-8000-000000000254"
	Domain     = "254carbon.com"
	Team       = "qagi"
)

// Documented is the state that the platform's status document describes: a healthy tunnel, an active token, no Access application.
func Documented(now time.Time, tokens Credentials) State {
	created := now.Add(-40 * 24 * time.Hour)
	expires := now.Add(90 * 24 * time.Hour)
	s := State{Account: AccountID, Zone: Zone{ID: "0254c0ffee0254c0ffee0254c0ffee02", Name: Domain}, NextID: 1}
	s.Tokens = []Token{
		{ID: "0254aaaa0254aaaa0254aaaa0254aaaa", Value: tokens.Reader, Status: "active", Permissions: []string{
			TunnelRead, AccountRead, ZoneRead, AppsRead, OrgRead, ServiceRead,
		}},
		{ID: "0254bbbb0254bbbb0254bbbb0254bbbb", Value: tokens.Platform, Status: "active", NotBefore: &created, Expires: &expires, Permissions: []string{
			TunnelRead, AccountRead, ZoneRead, AppsEdit, OrgEdit, TokensRead, ServiceEdit,
		}},
	}
	tunnel := Tunnel{ID: TunnelID, Name: TunnelName, Status: "healthy", Created: created}
	for i, colo := range []string{"fra01", "fra01", "ams01", "ams01"} {
		connector := []string{"c1000000-0000-4000-8000-000000000001", "c2000000-0000-4000-8000-000000000002"}[i/2]
		tunnel.Conns = append(tunnel.Conns, Connection{Connector: connector, Colo: colo, Opened: now.Add(-6 * time.Hour)})
	}
	for _, host := range []string{
		"portal", "www", "grafana", "superset", "datahub", "trino", "doris", "vault", "minio", "dolphin", "lakefs", "mlflow", "spark-history", "harbor",
	} {
		tunnel.Ingress = append(tunnel.Ingress, Ingress{
			Hostname: host + "." + Domain, Service: "http://ingress-nginx-controller.ingress-nginx.svc.cluster.local:80",
		})
	}
	tunnel.Ingress = append(tunnel.Ingress, Ingress{Service: "http_status:404"})
	s.Tunnels = []Tunnel{tunnel}
	s.Org = map[string]any{"auth_domain": Team + ".cloudflareaccess.com", "name": "254Carbon", "is_ui_read_only": false, "deny_unmatched_requests": false}
	s.Apps, s.Providers, s.Policies = []map[string]any{}, []map[string]any{}, []map[string]any{}
	return s
}

// Ready is the state with the ten Access applications and those of the other hosts that the tunnel routes, each with its policy, and the
// one-time PIN. Harbor has none: registry clients cannot log in at Access.
func Ready(now time.Time, tokens Credentials) State {
	s := Documented(now, tokens)
	pin := s.id()
	s.Providers = append(s.Providers, map[string]any{"id": pin, "name": "One-time PIN", "type": "onetimepin", "config": map[string]any{}})
	for _, a := range [][4]string{
		{"portal", "254Carbon Portal", "24h", "Allow Portal Access"}, {"grafana", "Grafana.254Carbon", "24h", "Allow Grafana Access"},
		{"superset", "Superset.254Carbon", "24h", "Allow Superset Access"}, {"datahub", "DataHub.254Carbon", "12h", "Allow DataHub Access"},
		{"trino", "Trino.254Carbon", "8h", "Allow Trino Access"}, {"doris", "Doris.254Carbon", "8h", "Allow Doris Access"},
		{"vault", "Vault.254Carbon", "2h", "Allow Vault Access"}, {"minio", "MinIO.254Carbon", "8h", "Allow MinIO Access"},
		{"dolphin", "DolphinScheduler.254Carbon", "12h", "Allow DolphinScheduler Access"}, {"lakefs", "LakeFS.254Carbon", "12h", "Allow LakeFS Access"},
		{"mlflow", "MLflow.254Carbon", "12h", "Allow MLflow Access"}, {"spark-history", "Spark History.254Carbon", "12h", "Allow Spark History Access"},
		{"www", "254Carbon WWW", "24h", "Allow Portal Access"},
	} {
		policy := s.id()
		s.Policies = append(s.Policies, map[string]any{
			"id": policy, "name": a[3], "decision": "allow",
			"include": []any{map[string]any{"email_domain": map[string]any{"domain": Domain}}},
			"require": []any{map[string]any{"login_method": map[string]any{"id": pin}}}, "exclude": []any{},
		})
		id, host := s.id(), a[0]+"."+Domain
		s.Apps = append(s.Apps, map[string]any{
			"id": id, "aud": aud(id), "type": "self_hosted", "name": a[1], "domain": host, "session_duration": a[2],
			"destinations": []any{map[string]any{"type": "public", "uri": host}}, "allowed_idps": []any{pin}, "auto_redirect_to_identity": false,
			"app_launcher_visible": true, "policies": []any{map[string]any{"id": policy, "precedence": 1}},
		})
	}
	return s
}

// Mutation is one change to a Cloudflare that is ready, and what checks must make of it.
type Mutation struct {
	Name     string
	About    string
	Harmless bool        // no check may fail
	Checks   []probes.ID // of the built-in profile that must not pass
	Words    []string    // that the first of Checks must say in its summary
	Apply    func(s *Server)
}

// Mutations lists the changes; platform is the value of the token that the platform uses.
func Mutations(platform string) []Mutation {
	const tunnelCheck, tokenCheck = probes.ID("tunnel-connected"), probes.ID("cloudflare-token")
	var all []Mutation
	tunnel := func(name, about string, words []string, change func(t *Tunnel, now time.Time)) {
		all = append(all, Mutation{Name: "cloudflare-tunnel-" + name, About: about, Checks: []probes.ID{tunnelCheck}, Words: words, Apply: func(s *Server) {
			s.Change(func(st *State) { change(st.Tunnel(TunnelName), s.now()) })
		}})
	}
	token := func(name, about string, words []string, change func(t *Token, now time.Time)) {
		all = append(all, Mutation{Name: "cloudflare-token-" + name, About: about, Checks: []probes.ID{tokenCheck}, Words: words, Apply: func(s *Server) {
			s.Change(func(st *State) { change(st.Token(platform), s.now()) })
		}})
	}
	in := func(now time.Time, d time.Duration) *time.Time { t := now.Add(d); return &t }
	const day = 24 * time.Hour

	tunnel("down", "No cloudflared is connected any more.", []string{"is down"}, func(t *Tunnel, _ time.Time) { t.Status, t.Conns = "down", nil })
	tunnel("inactive", "The tunnel was made anew and has never run.", []string{"never run"}, func(t *Tunnel, _ time.Time) { t.Status, t.Conns = "inactive", nil })
	tunnel("degraded", "The tunnel is degraded.", []string{"degraded"}, func(t *Tunnel, _ time.Time) { t.Status = "degraded" })
	tunnel("deleted", "The tunnel was deleted.", []string{"does not exist"}, func(t *Tunnel, now time.Time) { t.Deleted = &now })
	tunnel("renamed", "The tunnel has another name.", []string{"does not exist"}, func(t *Tunnel, _ time.Time) { t.Name = "254carbon-old" })
	tunnel("one-connection", "One connection is left.", []string{"1 connection up", "fewer than 2"}, func(t *Tunnel, _ time.Time) { t.Conns = t.Conns[:1] })
	tunnel("all-pending", "All connections are lost and await their return, and the status has not noticed.", []string{"0 connections up", "4 awaiting"},
		func(t *Tunnel, _ time.Time) {
			for i := range t.Conns {
				t.Conns[i].Pending = true
			}
		})
	tunnel("no-connections", "The tunnel calls itself healthy without a connection.", []string{"0 connections up"}, func(t *Tunnel, _ time.Time) { t.Conns = nil })
	token("expires-soon", "The platform's token expires in three days.", []string{"expires in 3 days"},
		func(t *Token, now time.Time) { t.Expires = in(now, 3*day+time.Hour) })
	token("expired", "The platform's token expired yesterday.", []string{"expired"}, func(t *Token, now time.Time) { t.Expires = in(now, -day) })
	token("disabled", "Somebody disabled the platform's token.", []string{"disabled"}, func(t *Token, _ time.Time) { t.Status = "disabled" })
	token("rolled", "The platform's token was rolled: its value is another.", []string{"refuses", "Invalid API Token"},
		func(t *Token, _ time.Time) { t.Value = "rolled-0000000000000000000000000000000" })
	token("not-yet", "The platform's token is valid from next week.", []string{"not valid before"}, func(t *Token, now time.Time) { t.NotBefore = in(now, 7*day) })

	harmless := len(all)
	tunnel("moved", "A connection comes back at another data centre.", nil, func(t *Tunnel, now time.Time) { t.Conns[0].Colo, t.Conns[0].Opened = "waw01", now })
	tunnel("one-reconnects", "One of four connections awaits its return.", nil, func(t *Tunnel, _ time.Time) { t.Conns[3].Pending = true })
	token("without-expiry", "The platform's token never expires.", nil, func(t *Token, _ time.Time) { t.Expires, t.NotBefore = nil, nil })
	token("of-account", "The platform's token is owned by the account.", nil, func(t *Token, _ time.Time) { t.OfAccount = true })
	for i := harmless; i < len(all); i++ {
		all[i].Harmless, all[i].Checks = true, nil
	}
	return append(all, accessMutations()...)
}
