package cloudflare

import (
	"net/http"
	"slices"
	"strconv"
	"time"
)

// verify says how a token stands. Tokens of users and of accounts are verified at different doors.
func (c *call) verify(atAccount bool) {
	if atAccount && c.r.PathValue("account") != c.st.Account {
		c.fail(http.StatusNotFound, 7003, "Could not route to the account, perhaps your object identifier is invalid?")
		return
	}
	t := c.token
	if t == nil || t.OfAccount != atAccount {
		c.fail(http.StatusUnauthorized, 1000, "Invalid API Token")
		return
	}
	status := t.Status
	if t.Expires != nil && !t.Expires.After(c.s.now()) {
		status = "expired"
	}
	result := map[string]any{"id": t.ID, "status": status}
	if t.NotBefore != nil {
		result["not_before"] = t.NotBefore.UTC().Format(time.RFC3339)
	}
	if t.Expires != nil {
		result["expires_on"] = t.Expires.UTC().Format(time.RFC3339)
	}
	c.write(http.StatusOK, map[string]any{"success": true, "result": result, "messages": []any{
		map[string]any{"code": 10000, "message": "This API Token is valid and " + status, "type": nil},
	}})
}

func (c *call) listAccounts() {
	if c.known("page", "per_page", "name", "direction") {
		page(c, []map[string]any{{"id": c.st.Account, "name": "254Carbon", "type": "standard"}})
	}
}

func (c *call) listZones() {
	if !c.known("page", "per_page", "name", "status") {
		return
	}
	list := []map[string]any{}
	if name := c.r.URL.Query().Get("name"); name == "" || name == c.st.Zone.Name {
		list = append(list, map[string]any{
			"id": c.st.Zone.ID, "name": c.st.Zone.Name, "status": "active", "paused": false, "account": map[string]string{"id": c.st.Account},
		})
	}
	page(c, list)
}

// tunnel shows a tunnel. Its own list of connections is empty, as announced: they have an endpoint.
func (c *call) tunnel(t Tunnel) map[string]any {
	answer := map[string]any{
		"id": t.ID, "account_tag": c.st.Account, "name": t.Name, "status": t.Status, "tun_type": "cfd_tunnel", "config_src": "cloudflare",
		"remote_config": true, "created_at": t.Created.UTC().Format(time.RFC3339), "deleted_at": nil, "connections": []any{},
		"conns_active_at": nil, "conns_inactive_at": nil, "metadata": map[string]any{},
	}
	if t.Deleted != nil {
		answer["deleted_at"] = t.Deleted.UTC().Format(time.RFC3339)
	}
	if len(t.Conns) > 0 {
		answer["conns_active_at"] = t.Conns[0].Opened.UTC().Format(time.RFC3339)
	}
	return answer
}

func (c *call) listTunnels() {
	if !c.known("page", "per_page", "name", "is_deleted", "uuid", "status") {
		return
	}
	query := c.r.URL.Query()
	list := []map[string]any{}
	for _, t := range c.st.Tunnels {
		deleted, err := strconv.ParseBool(query.Get("is_deleted"))
		if err == nil && deleted != (t.Deleted != nil) || query.Get("name") != "" && query.Get("name") != t.Name ||
			query.Get("uuid") != "" && query.Get("uuid") != t.ID || query.Get("status") != "" && query.Get("status") != t.Status {
			continue
		}
		list = append(list, c.tunnel(t))
	}
	page(c, list)
}

// theTunnel finds the tunnel of the path.
func (c *call) theTunnel() *Tunnel {
	i := slices.IndexFunc(c.st.Tunnels, func(t Tunnel) bool { return t.ID == c.r.PathValue("id") })
	if i < 0 {
		c.fail(http.StatusNotFound, 1003, "Tunnel not found")
		return nil
	}
	return &c.st.Tunnels[i]
}

func (c *call) getTunnel() {
	if t := c.theTunnel(); t != nil {
		c.ok(c.tunnel(*t))
	}
}

func (c *call) connections() {
	t := c.theTunnel()
	if t == nil {
		return
	}
	connectors, order := map[string][]map[string]any{}, []string{}
	for i, conn := range t.Conns {
		if connectors[conn.Connector] == nil {
			order = append(order, conn.Connector)
		}
		connectors[conn.Connector] = append(connectors[conn.Connector], map[string]any{
			"id": "conn-" + strconv.Itoa(i), "uuid": "conn-" + strconv.Itoa(i), "client_id": conn.Connector, "client_version": "2025.10.0",
			"colo_name": conn.Colo, "is_pending_reconnect": conn.Pending, "opened_at": conn.Opened.UTC().Format(time.RFC3339), "origin_ip": "203.0.113.7",
		})
	}
	list := []map[string]any{}
	for _, id := range order {
		list = append(list, map[string]any{
			"id": id, "arch": "linux_amd64", "version": "2025.10.0", "config_version": 3, "features": []string{"ha-origin"},
			"run_at": t.Created.UTC().Format(time.RFC3339), "conns": connectors[id],
		})
	}
	c.ok(list)
}

func (c *call) configuration() {
	if t := c.theTunnel(); t != nil {
		c.ok(map[string]any{"tunnel_id": t.ID, "version": 3, "source": "cloudflare", "config": map[string]any{"ingress": t.Ingress}})
	}
}
