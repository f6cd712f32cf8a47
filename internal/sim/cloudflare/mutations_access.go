package cloudflare

import (
	"slices"
	"strings"

	"github.com/254carbon/gonogo/probes"
)

// App returns the application of a host, to be changed, or nil.
func (s *State) App(host string) map[string]any {
	for _, app := range s.Apps {
		if text(app, "domain") == host {
			return app
		}
	}
	return nil
}

// policyOf returns the first policy of a host's application, to be changed.
func (s *State) policyOf(host string) map[string]any {
	refs, _ := s.App(host)["policies"].([]any)
	for _, ref := range refs {
		m, _ := ref.(map[string]any)
		for _, policy := range s.Policies {
			if text(policy, "id") == text(m, "id") {
				return policy
			}
		}
	}
	return nil
}

// drop takes the application of a host away.
func (s *State) drop(host string) {
	s.Apps = slices.DeleteFunc(s.Apps, func(app map[string]any) bool { return text(app, "domain") == host })
}

func everyone() []any { return []any{map[string]any{"everyone": map[string]any{}}} }

// accessMutations change Access, and what the tunnel routes.
func accessMutations() []Mutation {
	const apps, otp, routes, edge = probes.ID("access-apps"), probes.ID("access-otp"), probes.ID("routes-covered"), probes.ID("services-protected")
	const grafana, vault, portal = "grafana." + Domain, "vault." + Domain, "portal." + Domain
	var all []Mutation
	add := func(name, about string, checks []probes.ID, words []string, change func(*State)) {
		all = append(all, Mutation{
			Name: "cloudflare-" + name, About: about, Harmless: len(checks) == 0, Checks: checks, Words: words, Apply: func(s *Server) { s.Change(change) },
		})
	}
	of := func(checks ...probes.ID) []probes.ID { return checks }
	route := func(s *State, rules ...Ingress) {
		t := s.Tunnel(TunnelName)
		t.Ingress = slices.Concat(rules, t.Ingress)
	}

	add("access-app-gone", "The application of Grafana was deleted.", of(apps, otp, edge), []string{"1 of 10 applications does not exist", grafana},
		func(s *State) { s.drop(grafana) })
	add("access-app-elsewhere", "The application of Vault is for a name below the team's domain, which nobody opens.", of(apps, edge),
		[]string{vault, "is for vault." + Team + ".cloudflareaccess.com"}, func(s *State) {
			app, host := s.App(vault), "vault."+Team+".cloudflareaccess.com"
			app["domain"], app["destinations"] = host, []any{map[string]any{"type": "public", "uri": host}}
		})
	add("access-app-path", "The application of Vault covers its interface alone.", of(apps, edge), []string{vault, "/ui"}, func(s *State) {
		app := s.App(vault)
		app["domain"], app["destinations"] = vault+"/ui", []any{map[string]any{"type": "public", "uri": vault + "/ui"}}
	})
	add("access-bypass", "Somebody let everyone past Access to Grafana.", of(apps, edge), []string{grafana, "bypasses Access"}, func(s *State) {
		p := s.policyOf(grafana)
		p["decision"], p["include"], p["require"] = "bypass", everyone(), []any{}
	})
	second := func(s *State, host, decision string, include []any) {
		id, policy := s.id(), s.id()
		s.Policies = append(s.Policies, map[string]any{"id": policy, "name": "Second", "decision": decision, "include": include})
		s.Apps = append(s.Apps, map[string]any{
			"id": id, "aud": aud(id), "type": "self_hosted", "name": "Another", "domain": host, "policies": []any{map[string]any{"id": policy, "precedence": 1}},
		})
	}
	add("access-everyone-path", "A second application lets everyone with a mailbox into Grafana's API.", of(apps), []string{grafana + "/api", "lets in everyone"},
		func(s *State) { second(s, grafana+"/api", "allow", everyone()) })
	add("access-address-path", "A second application lets addresses into Grafana's API without a login.", of(apps), []string{grafana + "/api", "without a login"},
		func(s *State) {
			second(s, grafana+"/api", "non_identity", []any{map[string]any{"ip": map[string]any{"ip": "0.0.0.0/0"}}})
		})
	add("access-second-bypass", "A second application of Grafana's host lets everyone past Access.", of(apps), []string{grafana, "bypasses Access"},
		func(s *State) { second(s, grafana, "bypass", everyone()) })
	add("access-wildcard-path", "An application of a path of every host lets everyone with a mailbox in.", of(apps), []string{"*." + Domain + "/api", "lets in everyone"},
		func(s *State) { second(s, "*."+Domain+"/api", "allow", everyone()) })
	add("access-wildcard", "An application of every other host lets everyone with a mailbox in.", of(), nil,
		func(s *State) { second(s, "*."+Domain, "allow", everyone()) })
	add("access-same-path", "A second application lets the same people into Grafana's API.", of(), nil,
		func(s *State) {
			second(s, grafana+"/api", "allow", []any{map[string]any{"email_domain": map[string]any{"domain": Domain}}})
		})
	add("access-bypass-path", "A second application lets everyone past Access to Grafana's API.", of(apps, edge), []string{grafana + "/api", "bypasses Access"}, func(s *State) {
		id, policy, host := s.id(), s.id(), grafana+"/api"
		s.Policies = append(s.Policies, map[string]any{"id": policy, "name": "Health", "decision": "bypass", "include": everyone()})
		s.Apps = append(s.Apps, map[string]any{
			"id": id, "aud": aud(id), "type": "self_hosted", "name": "Grafana API", "domain": host, "policies": []any{map[string]any{"id": policy, "precedence": 1}},
		})
	})
	add("access-everyone", "The policy of Vault lets everyone in who can receive a mail.", of(apps), []string{vault, "lets in everyone"},
		func(s *State) { s.policyOf(vault)["include"] = everyone() })
	add("access-other-domain", "The policy of Vault lets in another company.", of(apps), []string{vault, "everyone at example.org"}, func(s *State) {
		s.policyOf(vault)["include"] = []any{map[string]any{"email_domain": map[string]any{"domain": "example.org"}}}
	})
	add("access-long-session", "A login to Vault lasts a month.", of(apps), []string{vault, "a login lasts 730h, not 2h"},
		func(s *State) { s.App(vault)["session_duration"] = "730h" })
	add("access-no-policy", "The application of Vault lost its policy.", of(apps), []string{vault, "no policy lets anybody in"},
		func(s *State) { s.App(vault)["policies"] = []any{} })
	add("access-policy-renamed", "The policy of Vault is another one.", of(apps), []string{vault, "there is no policy"},
		func(s *State) { s.policyOf(vault)["name"] = "Temporary" })
	add("access-dead-login", "The application of Vault allows an identity provider that was deleted, alone.", of(apps, otp), []string{vault, "provider that does not exist"},
		func(s *State) { s.App(vault)["allowed_idps"] = []any{"00000000-0000-4000-8000-00000000dead"} })
	add("access-pin-gone", "The one-time PIN was removed from the login methods.", of(otp, apps), []string{"no identity provider for one-time PIN"},
		func(s *State) { s.Providers = s.Providers[:0] })
	add("access-pin-not-allowed", "The portal allows logins by the company's directory alone.", of(otp), []string{portal, "does not allow one-time PIN"}, func(s *State) {
		id := s.id()
		s.Providers = append(s.Providers, map[string]any{"id": id, "name": "Directory", "type": "azureAD", "config": map[string]any{}})
		s.App(portal)["allowed_idps"] = []any{id}
	})
	add("access-pin-refused", "The policy of the portal requires another login method than the one-time PIN.", of(otp), []string{portal, "no policy"}, func(s *State) {
		s.policyOf(portal)["require"] = []any{map[string]any{"login_method": map[string]any{"id": "00000000-0000-4000-8000-0000000000aa"}}}
	})
	add("route-bare", "The tunnel routes the notebooks, and nothing stands before them.", of(routes), []string{"rapids." + Domain},
		func(s *State) {
			route(s, Ingress{Hostname: "rapids." + Domain, Service: "http://rapids.data-platform:8888"})
		})
	add("route-wildcard", "The tunnel routes every name below the domain.", of(routes), []string{"*." + Domain},
		func(s *State) {
			route(s, Ingress{Hostname: "*." + Domain, Service: "http://ingress-nginx-controller.ingress-nginx:80"})
		})
	add("route-catch-all", "The tunnel leads whatever it does not know to the ingress controller.", of(routes), []string{"every other host"}, func(s *State) {
		t := s.Tunnel(TunnelName)
		t.Ingress[len(t.Ingress)-1].Service = "http://ingress-nginx-controller.ingress-nginx:80"
	})
	add("route-app-gone", "The application of MLflow was deleted, and its route was not.", of(routes), []string{"mlflow." + Domain},
		func(s *State) { s.drop("mlflow." + Domain) })
	add("route-none", "The tunnel's configuration was emptied.", of(routes), []string{"routes no host"},
		func(s *State) { s.Tunnel(TunnelName).Ingress = []Ingress{{Service: "http_status:404"}} })

	add("access-stricter", "The policy of Vault requires a country as well, and shuts one address out.", nil, nil, func(s *State) {
		p := s.policyOf(vault)
		p["require"] = append(p["require"].([]any), map[string]any{"geo": map[string]any{"country_code": "DE"}})
		p["exclude"] = []any{map[string]any{"email": map[string]any{"email": "former@" + Domain}}}
	})
	add("access-all-logins", "The application of Vault allows every identity provider, and the one-time PIN is the only one.", nil, nil,
		func(s *State) { delete(s.App(vault), "allowed_idps") })
	add("access-others", "A hundred applications of other services come first.", nil, nil, func(s *State) {
		var more []map[string]any
		for range 100 {
			id := s.id()
			more = append(more, map[string]any{"id": id, "aud": aud(id), "type": "saas", "name": "SaaS " + id, "policies": []any{}})
		}
		s.Apps = append(more, s.Apps...)
	})
	add("access-session-written-otherwise", "The session of Vault is written otherwise.", nil, nil,
		func(s *State) {
			s.App(vault)["session_duration"] = strings.Replace(text(s.App(vault), "session_duration"), "2h", "120m", 1)
		})
	add("route-gone", "The tunnel no longer routes the job history.", nil, nil, func(s *State) {
		t := s.Tunnel(TunnelName)
		t.Ingress = slices.DeleteFunc(t.Ingress, func(r Ingress) bool { return r.Hostname == "spark-history."+Domain })
	})
	return all
}
