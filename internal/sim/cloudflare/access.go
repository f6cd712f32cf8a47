package cloudflare

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/cloudflare/cloudflare-go/v7/zero_trust"
)

// collection is one kind of thing of Access that can be listed, made, replaced and deleted. Its items are kept as the API shows them.
type collection struct {
	path, read, edit string
	items            func(*State) *[]map[string]any
	fields           []string // that a request may hold
	required         []string
	query            []string
	problem          func(c *call, body map[string]any, id string) (code int, message string)
}

func collections() []collection {
	return []collection{{
		path: "apps", read: AppsRead, edit: AppsEdit, items: func(s *State) *[]map[string]any { return &s.Apps },
		fields:   tags[zero_trust.AccessApplicationUpdateParamsBodySelfHostedApplication](),
		required: []string{"type"}, query: []string{"name", "domain", "aud", "exact", "search", "page", "per_page"}, problem: (*call).appProblem,
	}, {
		path: "identity_providers", read: OrgRead, edit: OrgEdit, items: func(s *State) *[]map[string]any { return &s.Providers },
		fields: []string{"name", "type", "config", "scim_config"}, required: []string{"name", "type", "config"}, query: []string{"page", "per_page"},
		problem: func(*call, map[string]any, string) (int, string) { return 0, "" },
	}, {
		path: "policies", read: AppsRead, edit: AppsEdit, items: func(s *State) *[]map[string]any { return &s.Policies },
		fields:   tags[zero_trust.AccessPolicyUpdateParams](),
		required: []string{"name", "decision", "include"}, query: []string{"page", "per_page"}, problem: (*call).policyProblem,
	}, {
		path: "service_tokens", read: ServiceRead, edit: ServiceEdit, items: func(s *State) *[]map[string]any { return &s.Services },
		fields: []string{"name", "duration"}, required: []string{"name"}, query: []string{"page", "per_page", "name"},
		problem: func(*call, map[string]any, string) (int, string) { return 0, "" },
	}}
}

// tags lists the fields of a vendor's struct by their names in JSON.
func tags[T any]() (names []string) {
	for f := range reflect.TypeFor[T]().Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
			names = append(names, name)
		}
	}
	return names
}

func text(m map[string]any, key string) string {
	s, _ := m[key].(string)
	return s
}

func (c *call) appProblem(body map[string]any, id string) (int, string) {
	if text(body, "type") != "self_hosted" {
		return 0, ""
	}
	if text(body, "domain") == "" && body["destinations"] == nil {
		return 12130, "access.api.error.invalid_request: domain is required"
	}
	for _, app := range c.st.Apps {
		if text(app, "domain") == text(body, "domain") && text(app, "id") != id {
			return 12130, "access.api.error.application_already_exists"
		}
	}
	seen := map[any]bool{}
	policies, _ := body["policies"].([]any)
	for _, p := range policies {
		policy, ok := p.(map[string]any)
		if !ok {
			return 12130, "access.api.error.invalid_request: a policy is an object here"
		}
		if seen[policy["precedence"]] {
			return 12130, "access.api.error.invalid_request: duplicate precedence"
		}
		seen[policy["precedence"]] = true
		if !slices.ContainsFunc(c.st.Policies, func(known map[string]any) bool { return text(known, "id") == text(policy, "id") }) {
			return 12130, "access.api.error.invalid_request: policy not found"
		}
	}
	if idps, _ := body["allowed_idps"].([]any); body["auto_redirect_to_identity"] == true && len(idps) != 1 {
		return 12130, "access.api.error.invalid_request: auto_redirect_to_identity needs exactly one identity provider"
	}
	return 0, ""
}

func (c *call) policyProblem(body map[string]any, _ string) (int, string) {
	if !slices.Contains([]string{"allow", "deny", "non_identity", "bypass"}, text(body, "decision")) {
		return 12130, "access.api.error.invalid_request: decision"
	}
	if include, _ := body["include"].([]any); len(include) == 0 {
		return 12130, "access.api.error.invalid_request: include must not be empty"
	}
	return 0, ""
}

func (c *call) list(k collection) {
	if !c.known(k.query...) {
		return
	}
	query, list := c.r.URL.Query(), []map[string]any{}
	for _, item := range *k.items(c.st) {
		if name := query.Get("name"); name != "" && name != text(item, "name") {
			continue
		}
		if domain := query.Get("domain"); domain != "" && domain != text(item, "domain") {
			continue
		}
		if item["secret"] != nil {
			item = maps.Clone(item)
			delete(item, "secret")
		}
		list = append(list, item)
	}
	page(c, list)
}

// find returns where the item of the path is, or answers that it is nowhere.
func (c *call) find(k collection) int {
	i := slices.IndexFunc(*k.items(c.st), func(item map[string]any) bool { return text(item, "id") == c.r.PathValue("id") })
	if i < 0 {
		c.fail(http.StatusNotFound, 11021, "access.api.error.not_found")
	}
	return i
}

func (c *call) get(k collection) {
	if i := c.find(k); i >= 0 {
		c.ok((*k.items(c.st))[i])
	}
}

// decode reads the body strictly.
func (c *call) decode(k collection, id string) (map[string]any, bool) {
	var body map[string]any
	if err := json.NewDecoder(bytes.NewReader(c.body)).Decode(&body); err != nil || body == nil {
		c.fail(http.StatusBadRequest, 12130, "access.api.error.invalid_request: the body is not a JSON object")
		return nil, false
	}
	for _, field := range slices.Sorted(maps.Keys(body)) {
		if !slices.Contains(k.fields, field) {
			c.fail(http.StatusBadRequest, 12130, fmt.Sprintf("access.api.error.invalid_request: unknown field %q", field))
			return nil, false
		}
	}
	for _, field := range k.required {
		if body[field] == nil {
			c.fail(http.StatusBadRequest, 12130, "access.api.error.invalid_request: "+field+" is required")
			return nil, false
		}
	}
	if code, message := k.problem(c, body, id); message != "" {
		c.fail(http.StatusBadRequest, code, message)
		return nil, false
	}
	return body, true
}

func (c *call) create(k collection) {
	body, ok := c.decode(k, "")
	if !ok {
		return
	}
	body["id"] = c.st.id()
	switch k.path {
	case "apps":
		body["aud"] = aud(text(body, "id"))
	case "service_tokens": // the secret is shown this once
		body["client_id"] = text(body, "id") + ".access"
		secret := fmt.Sprintf("%064x", "secret of "+text(body, "id"))[:64]
		shown := maps.Clone(body)
		shown["client_secret"] = secret
		body["secret"] = secret
		c.st.Services = append(c.st.Services, body)
		c.write(http.StatusCreated, map[string]any{"success": true, "result": shown})
		return
	}
	items := k.items(c.st)
	*items = append(*items, body)
	c.write(http.StatusCreated, map[string]any{"success": true, "result": body})
}

// aud is an application's audience tag.
func aud(id string) string { return fmt.Sprintf("%064x", id)[:64] }

// put replaces the whole item; its id and audience stay.
func (c *call) put(k collection) {
	i := c.find(k)
	if i < 0 {
		return
	}
	body, ok := c.decode(k, c.r.PathValue("id"))
	if !ok {
		return
	}
	old := (*k.items(c.st))[i]
	body["id"] = old["id"]
	if old["aud"] != nil {
		body["aud"] = old["aud"]
	}
	(*k.items(c.st))[i] = body
	c.ok(body)
}

func (c *call) remove(k collection) {
	if i := c.find(k); i >= 0 {
		items := k.items(c.st)
		id := text((*items)[i], "id")
		*items = slices.Delete(*items, i, i+1)
		c.write(http.StatusAccepted, map[string]any{"success": true, "result": map[string]string{"id": id}})
	}
}
