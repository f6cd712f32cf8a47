package cloudflare

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// getToken shows what a token may do, in the form in which the API shows it.
func (c *call) getToken() {
	i := slices.IndexFunc(c.st.Tokens, func(t Token) bool { return t.ID == c.r.PathValue("id") && !t.OfAccount })
	if i < 0 {
		c.fail(http.StatusNotFound, 1003, "token not found")
		return
	}
	t := c.st.Tokens[i]
	groups := []any{}
	for _, name := range t.Permissions {
		groups = append(groups, map[string]any{"id": "0000", "name": name})
	}
	c.ok(map[string]any{"id": t.ID, "name": "token", "status": t.Status, "policies": []any{map[string]any{
		"id": "0001", "effect": "allow", "resources": map[string]any{"com.cloudflare.api.account." + c.st.Account: "*"}, "permission_groups": groups,
	}}})
}

// testPolicies begins a test of policies over everybody who logged in before. It is over at once.
func (c *call) testPolicies() {
	var body struct{ Policies []map[string]any }
	decoder := json.NewDecoder(bytes.NewReader(c.body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&body); err != nil || len(body.Policies) == 0 {
		c.fail(http.StatusBadRequest, 12130, "access.api.error.invalid_request: policies")
		return
	}
	for _, p := range body.Policies {
		if code, message := c.policyProblem(p, ""); message != "" {
			c.fail(http.StatusBadRequest, code, message)
			return
		}
	}
	users := []map[string]any{}
	for _, email := range c.st.Users {
		status := "blocked"
		if slices.ContainsFunc(body.Policies, func(p map[string]any) bool { return admits(p, email) }) {
			status = "approved"
		}
		users = append(users, map[string]any{"id": email, "email": email, "name": email, "status": status})
	}
	id := c.st.id()
	c.st.Tests = append(c.st.Tests, map[string]any{"id": id, "users": users})
	c.ok(map[string]any{"id": id, "status": "success"})
}

func (c *call) tested() map[string]any {
	i := slices.IndexFunc(c.st.Tests, func(t map[string]any) bool { return text(t, "id") == c.r.PathValue("id") })
	if i < 0 {
		c.fail(http.StatusNotFound, 11021, "access.api.error.not_found")
		return nil
	}
	return c.st.Tests[i]
}

func (c *call) policyTest() {
	if t := c.tested(); t != nil {
		users, _ := t["users"].([]map[string]any)
		c.ok(map[string]any{"id": t["id"], "status": "complete", "total_users": len(users), "percent_users_processed": 100})
	}
}

func (c *call) testedUsers() {
	if t := c.tested(); t != nil && c.known("page", "per_page", "status") {
		users, _ := t["users"].([]map[string]any)
		page(c, users)
	}
}

// admits reports whether a policy lets somebody in who can log in by whatever it requires.
func admits(p map[string]any, email string) bool {
	_, domain, _ := strings.Cut(email, "@")
	among := func(field string) bool {
		rules, _ := p[field].([]any)
		return slices.ContainsFunc(rules, func(r any) bool {
			m, _ := r.(map[string]any)
			address, _ := m["email"].(map[string]any)
			at, _ := m["email_domain"].(map[string]any)
			return m["everyone"] != nil || address != nil && strings.EqualFold(text(address, "email"), email) ||
				at != nil && strings.EqualFold(text(at, "domain"), domain)
		})
	}
	return text(p, "decision") == "allow" && among("include") && !among("exclude")
}
