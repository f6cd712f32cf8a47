package cloudflare

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// State is everything that a simulated Cloudflare keeps. As JSON it is what [Server.Snapshot] writes.
type State struct {
	Account   string           `json:"account"` // the one account's id
	Zone      Zone             `json:"zone"`
	Tokens    []Token          `json:"tokens"`
	Tunnels   []Tunnel         `json:"tunnels"`
	Org       map[string]any   `json:"organization"`
	Apps      []map[string]any `json:"apps"` // as the API shows them
	Providers []map[string]any `json:"providers"`
	Policies  []map[string]any `json:"policies"`
	Services  []map[string]any `json:"serviceTokens,omitempty"`
	Users     []string         `json:"users,omitempty"` // addresses that logged in before
	Tests     []map[string]any `json:"-"`               // of policies
	NextID    int64            `json:"nextId"`
}

// Zone is a domain of the account.
type Zone struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Token is an API token. Permissions are the display names of permission groups: "Cloudflare Tunnel Read".
type Token struct {
	ID          string     `json:"id"`
	Value       string     `json:"value"`
	OfAccount   bool       `json:"ofAccount,omitempty"` // owned by the account, not by a user
	Status      string     `json:"status"`              // active, disabled or expired
	NotBefore   *time.Time `json:"notBefore,omitempty"`
	Expires     *time.Time `json:"expires,omitempty"`
	Permissions []string   `json:"permissions"`
}

// Tunnel is a tunnel with its connections.
type Tunnel struct {
	ID      string       `json:"id"`
	Name    string       `json:"name"`
	Status  string       `json:"status"`
	Created time.Time    `json:"created"`
	Deleted *time.Time   `json:"deleted,omitempty"`
	Conns   []Connection `json:"connections"`
	Ingress []Ingress    `json:"ingress"`
}

// Connection is one connection of a connector (a running cloudflared) to Cloudflare's edge.
type Connection struct {
	Connector string    `json:"connector"`
	Colo      string    `json:"colo"`
	Pending   bool      `json:"pending,omitempty"`
	Opened    time.Time `json:"opened"`
}

// Ingress is one rule of a tunnel's configuration; the last has no host.
type Ingress struct {
	Hostname string `json:"hostname,omitempty"`
	Service  string `json:"service"`
}

// Token returns a token of the state to be changed, by its value, or nil.
func (s *State) Token(value string) *Token {
	i := slices.IndexFunc(s.Tokens, func(t Token) bool { return t.Value == value })
	if i < 0 {
		return nil
	}
	return &s.Tokens[i]
}

// Tunnel returns a tunnel of the state to be changed, by its name, or nil.
func (s *State) Tunnel(name string) *Tunnel {
	i := slices.IndexFunc(s.Tunnels, func(t Tunnel) bool { return t.Name == name })
	if i < 0 {
		return nil
	}
	return &s.Tunnels[i]
}

// id makes an id as stable as the order of changes.
func (s *State) id() string {
	s.NextID++
	return fmt.Sprintf("%08x-0000-4000-8000-%012x", s.NextID, s.NextID)
}

// Snapshot returns the state as JSON. It holds tokens.
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
		return fmt.Errorf("reading the snapshot of Cloudflare: %w", err)
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
