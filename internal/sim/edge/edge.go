// Package edge simulates what the internet shows of a platform behind Cloudflare: a public resolver, the edge that stands before every host,
// with Access where the simulated API has an application for it, and the team's own host with the keys that it signs with. What Access says
// is derived from the state of the simulated API, so that an application that is made there protects its host from then on.
package edge

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/254carbon/gonogo/internal/sim/cloudflare"
)

// ResolverHost is the public resolver.
const ResolverHost = "cloudflare-dns.com"

// Addresses are where the edge is.
func Addresses() []string {
	return []string{"104.21.25.4", "172.67.133.254", "2606:4700:3030::6815:1904", "2606:4700:3037::ac43:85fe"}
}

// Hosts are the public hosts of the platform, its team's among them.
func Hosts() []string {
	names := []string{cloudflare.Domain}
	for _, label := range []string{
		"www", "portal", "grafana", "superset", "datahub", "trino", "doris", "vault", "minio", "dolphin", "lakefs", "mlflow", "spark-history", "harbor", "rapids",
	} {
		names = append(names, label+"."+cloudflare.Domain)
	}
	return append(names, cloudflare.Team+".cloudflareaccess.com")
}

// Quirk is a way in which the edge answers for a host other than it should.
type Quirk string

// The quirks.
const (
	OtherTeam     Quirk = "other-team"     // the login of another team
	ForgedHeader  Quirk = "forged-header"  // what stands in the header is signed by somebody else
	ExpiredHeader Quirk = "expired-header" // what stands in the header is three days old
	ForgedMeta    Quirk = "forged-meta"    // what stands in the redirect is signed by somebody else
	ExpiredMeta   Quirk = "expired-meta"   // what stands in the redirect ended yesterday
	Unsigned      Quirk = "unsigned"       // nothing is signed: the marks of Access alone
	Imitated      Quirk = "imitated"       // the service itself leads to the login, and Access is not there
	Challenge     Quirk = "challenge"      // a challenge for browsers
	Busy          Quirk = "busy"           // too many requests
	Firewall      Quirk = "firewall"       // a rule of the firewall refuses
	Leaks         Quirk = "leaks"          // the service answers although an application covers it
	BadGateway    Quirk = "bad-gateway"    // Access lets through, and the service is down
	Disconnected  Quirk = "disconnected"   // Access lets through, and the tunnel is not connected
)

// Options are the settings of a simulated edge.
type Options struct {
	Cloudflare *cloudflare.Server
	Now        func() time.Time
}

// Edge is a simulated edge, an http.Handler for the hosts of Hosts and for the resolver, safe for concurrent use.
type Edge struct {
	api *cloudflare.Server
	now func() time.Time

	mu        sync.Mutex
	quirks    map[string]Quirk
	addresses map[string][]string // of hosts that are elsewhere
}

// New returns a simulated edge.
func New(o Options) *Edge {
	return &Edge{api: o.Cloudflare, now: o.Now, quirks: map[string]Quirk{}, addresses: map[string][]string{}}
}

// Set gives a host a quirk, or with none takes it back.
func (e *Edge) Set(host string, q Quirk) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.quirks[host] = q
}

// Move lets the resolver find a host at other addresses, or at none.
func (e *Edge) Move(host string, addresses ...string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.addresses[host] = append([]string{}, addresses...)
}

// ServeHTTP answers for the host of the request.
func (e *Edge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	switch {
	case host == ResolverHost:
		e.resolve(w, r)
		return
	case host == e.api.TeamDomain():
		e.team(w, r)
		return
	}
	w.Header().Set("Server", "cloudflare")
	w.Header().Set("Cf-Ray", "0000000000000000-FRA")
	e.mu.Lock()
	quirk := e.quirks[host]
	e.mu.Unlock()
	e.site(w, r, host, quirk)
}

// resolve answers as a resolver does that is asked over HTTPS, in JSON.
func (e *Edge) resolve(w http.ResponseWriter, r *http.Request) {
	const v4, v6 = 1, 28
	name, kind := strings.ToLower(strings.TrimSuffix(r.URL.Query().Get("name"), ".")), v4
	switch r.URL.Query().Get("type") {
	case "A":
	case "AAAA":
		kind = v6
	default:
		http.Error(w, "unknown type", http.StatusBadRequest)
		return
	}
	type record struct {
		Name string `json:"name"`
		Type int    `json:"type"`
		TTL  int
		Data string `json:"data"`
	}
	answer := struct {
		Status   int
		TC       bool
		RD       bool
		RA       bool
		Question []map[string]any
		Answer   []record `json:",omitempty"`
	}{RD: true, RA: true, Question: []map[string]any{{"name": name, "type": kind}}}
	addresses := e.find(name)
	if len(addresses) == 0 {
		answer.Status = 3
	}
	for _, a := range addresses {
		if ip := net.ParseIP(a); (ip.To4() != nil) == (kind == v4) {
			answer.Answer = append(answer.Answer, record{name, kind, 300, a})
		}
	}
	w.Header().Set("Content-Type", "application/dns-json")
	_ = json.NewEncoder(w).Encode(answer)
}

func (e *Edge) find(name string) []string {
	e.mu.Lock()
	moved, ok := e.addresses[name]
	e.mu.Unlock()
	if ok {
		return moved
	}
	routed, _ := e.api.Routed(name)
	if routed || slices.Contains(Hosts(), name) { // a record stays when the tunnel no longer routes its name
		return Addresses()
	}
	return nil
}

// site answers for a host of the platform.
func (e *Edge) site(w http.ResponseWriter, r *http.Request, host string, quirk Quirk) {
	guard := e.api.Guard(host, r.URL.Path)
	_, connected := e.api.Routed(host)
	switch {
	case quirk == Challenge:
		w.Header().Set("Cf-Mitigated", "challenge")
		http.Error(w, "<title>Just a moment...</title>", http.StatusForbidden)
	case quirk == Busy:
		w.Header().Set("Retry-After", "60")
		http.Error(w, "error code: 1015", http.StatusTooManyRequests)
	case quirk == Firewall:
		http.Error(w, "error code: 1020", http.StatusForbidden)
	case quirk == BadGateway:
		http.Error(w, "error code: 502", http.StatusBadGateway)
	case quirk == Disconnected:
		http.Error(w, "error code: 1033", 530)
	case guard != nil && !guard.Bypassed && quirk != Leaks && quirk != Imitated && !guard.Admits(r.Header.Get("Cf-Access-Client-Id"), r.Header.Get("Cf-Access-Client-Secret")):
		e.access(w, r, host, *guard, quirk)
	case !connected:
		http.Error(w, "error code: 1033", 530)
	case quirk == Imitated:
		w.Header().Set("Cf-Cache-Status", "DYNAMIC")
		http.Redirect(w, r, "https://"+e.api.TeamDomain()+"/cdn-cgi/access/login/"+host+"?kid=unknown", http.StatusFound)
	default:
		origin(w, r, host)
	}
}

// access answers in the place of a service that an application stands before.
func (e *Edge) access(w http.ResponseWriter, r *http.Request, host string, guard cloudflare.Guard, quirk Quirk) {
	if r.Method == http.MethodHead && r.Header.Get("Cf-Access-Metadata-Request") == "true" && quirk != Unsigned {
		issued, by := e.now(), teamKey
		switch quirk {
		case ForgedHeader:
			by = strangerKey
		case ExpiredHeader:
			issued = issued.Add(-72 * time.Hour)
		}
		w.Header().Set("Cf-Access-Metadata", sign(by(), map[string]any{
			"type": "match", "hostname": host, "auth_domain": e.api.TeamDomain(), "aud": guard.Audience, "app_hostname": guard.Host, "iat": issued.Unix(),
		}))
		return
	}
	team, query := e.api.TeamDomain(), url.Values{"kid": {guard.Audience}, "redirect_url": {r.URL.RequestURI()}}
	issued, by := e.now(), teamKey
	switch quirk {
	case OtherTeam:
		team = "somebody-else.cloudflareaccess.com"
	case ForgedMeta:
		by = strangerKey
	case ExpiredMeta:
		issued = issued.Add(-24 * time.Hour)
	}
	if quirk != Unsigned {
		query.Set("meta", sign(by(), map[string]any{
			"type": "meta", "hostname": host, "aud": guard.Audience, "redirect_url": r.URL.RequestURI(), "auth_status": "NONE",
			"iat": issued.Unix(), "nbf": issued.Unix(), "exp": issued.Add(5 * time.Minute).Unix(),
		}))
	}
	w.Header().Set("Www-Authenticate", fmt.Sprintf(`Cloudflare-Access resource_metadata="https://%s/.well-known/cloudflare-access-protected-resource"`, host))
	w.Header().Add("Set-Cookie", "CF_AppSession=n0; Path=/; Secure; HttpOnly")
	w.Header().Set("Location", "https://"+team+"/cdn-cgi/access/login/"+host+"?"+query.Encode())
	w.WriteHeader(http.StatusFound)
}

// team answers for the team's own host.
func (e *Edge) team(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/cdn-cgi/access/certs" {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<title>Sign in</title>"))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(public(teamKey()))
}

// logins are the services that lead to a login of their own.
var logins = map[string]string{"grafana": "/login", "superset": "/login/", "vault": "/ui/", "minio": "/login", "datahub": "/login"}

// origin is what a service answers to whoever reaches it.
func origin(w http.ResponseWriter, r *http.Request, host string) {
	w.Header().Set("Cf-Cache-Status", "DYNAMIC")
	label, _, _ := strings.Cut(host, ".")
	if to := logins[label]; to != "" && r.URL.Path == "/" {
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
		return
	}
	w.Header().Set("Content-Type", "text/html")
	_, _ = w.Write([]byte("<!doctype html><title>" + label + "</title>"))
}
