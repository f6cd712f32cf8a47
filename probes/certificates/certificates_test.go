package certificates_test

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/internal/platform"
	"github.com/254carbon/gonogo/internal/profile"
	simcf "github.com/254carbon/gonogo/internal/sim/cloudflare"
	sim "github.com/254carbon/gonogo/internal/sim/edge"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/certificates"
	"github.com/254carbon/gonogo/probes/kube/kubefake"
	"github.com/254carbon/gonogo/probes/probetest"
)

var noon = time.Date(2025, time.October, 20, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return noon }

const (
	vault  = "vault.254carbon.com"
	portal = "portal.254carbon.com"
	server = "https://acme-v02.api.letsencrypt.org/directory"
)

// world is hosts on loopback that show certificates, and a cluster with cert-manager.
type world struct {
	shown   *sim.Certificates
	edge    *sim.Edge
	cluster *kubefake.Cluster
	params  certificates.Params
	listen  func(net.Conn) // in place of a handshake
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
}

func newWorld(t *testing.T, change ...func(*world)) probes.Probe {
	t.Helper()
	api := simcf.New(simcf.Ready(noon, simcf.DemoCredentials()), simcf.Options{Now: clock})
	shown, err := sim.NewCertificates(noon)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{shown: shown, edge: sim.New(sim.Options{Cloudflare: api, Now: clock}), cluster: kubefake.New(
		issuer("letsencrypt-prod", map[string]any{"acme": map[string]any{"server": server}}, "True"),
		issued("vault-tls", vault, "ClusterIssuer", "letsencrypt-prod", noon.AddDate(0, 0, 60), "True"),
	)}
	w.params = certificates.Params{
		Hosts: []string{vault, portal}, Issuers: []string{"Let's Encrypt", "Google Trust Services"}, MinDays: 21, FailDays: 3,
		Cluster: certificates.ClusterParams{Issuer: "letsencrypt-prod", Server: server},
	}
	for _, c := range change {
		c(w)
	}
	hosts := httptest.NewUnstartedServer(http.HandlerFunc(w.edge.ServeHTTP))
	hosts.TLS = &tls.Config{GetCertificate: w.shown.Get}
	hosts.Config.ErrorLog = log.New(io.Discard, "", 0)
	hosts.StartTLS()
	t.Cleanup(hosts.CloseClientConnections)
	t.Cleanup(hosts.Close)
	dial := func(ctx context.Context, _, address string) (net.Conn, error) {
		if host, _, _ := net.SplitHostPort(address); w.listen != nil && host != sim.ResolverHost {
			here, there := net.Pipe()
			t.Cleanup(func() { _ = there.Close() })
			go w.listen(there)
			return here, nil
		}
		return (&net.Dialer{}).DialContext(ctx, "tcp", hosts.Listener.Addr().String())
	}
	if w.dial != nil {
		dial = w.dial
	}
	x, err := platform.Open(&profile.Profile{}, platform.Options{
		Kubeconfig: "/nowhere", ReadOnly: true, Now: clock, Dial: dial, Roots: shown.Roots(), Getenv: func(string) (string, bool) { return "", false },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.Close)
	if err := w.params.Validate(); err != nil {
		t.Fatal(err)
	}
	return certificates.New(x.Outside, w.cluster, w.params, clock)
}

func ready(status string) map[string]any {
	return map[string]any{"conditions": []any{map[string]any{"type": "Ready", "status": status, "reason": "Pending", "message": "waiting for the order"}}}
}

func issuer(name string, spec map[string]any, status string) map[string]any {
	return map[string]any{"apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer", "metadata": map[string]any{"name": name}, "spec": spec, "status": ready(status)}
}

// changed is an object of which its controller has seen an older generation.
func changed(o map[string]any) map[string]any {
	o = runtime.DeepCopyJSON(o)
	o["metadata"].(map[string]any)["generation"] = int64(3)
	o["status"].(map[string]any)["conditions"].([]any)[0].(map[string]any)["observedGeneration"] = int64(2)
	return o
}

func issued(name, host, kind, by string, until time.Time, status string) map[string]any {
	s := ready(status)
	s["notAfter"] = until.Format(time.RFC3339)
	return map[string]any{
		"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": map[string]any{"name": name, "namespace": "a"},
		"spec": map[string]any{"dnsNames": []any{host}, "issuerRef": map[string]any{"kind": kind, "name": by}}, "status": s,
	}
}

func with(change ...func(*world)) func(*testing.T) probes.Probe {
	return func(t *testing.T) probes.Probe { return newWorld(t, change...) }
}

func holding(objects ...map[string]any) func(*testing.T) probes.Probe {
	return with(func(w *world) {
		w.cluster = kubefake.New(objects...).Serve(resource("certificates")).Serve(resource("clusterissuers"))
	})
}

func resource(plural string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "cert-manager.io", Version: "v1", Resource: plural}
}

func showing(what sim.Certificate) func(*testing.T) probes.Probe {
	return with(func(w *world) { _ = w.shown.Set(vault, what) })
}

func TestTLS(t *testing.T) {
	const day = 24 * time.Hour
	good := issuer("letsencrypt-prod", map[string]any{"acme": map[string]any{"server": server + "/"}}, "True")
	self := issuer("selfsigned", map[string]any{"selfSigned": map[string]any{}}, "True")
	half := probes.Part(1, 2)
	worlds := []probetest.World{
		{Name: "what is shown of it", Want: probes.Pass, Says: []string{"2 of 2 chains valid", "in 60 days"}, Shows: []string{"signed by Let's Encrypt", "openssl s_client -connect 104.21.25.4:443"}, New: with()},
		{Name: "exactly 21 days", Want: probes.Pass, New: showing(sim.Certificate{Left: 21 * day})},
		{Name: "a moment less", Want: probes.Warn, Ratio: half, Says: []string{vault, "ends in 20 days"}, New: showing(sim.Certificate{Left: 21*day - time.Second})},
		{Name: "a moment more than three days", Want: probes.Warn, Ratio: half, Says: []string{"ends in 3 days"}, New: showing(sim.Certificate{Left: 3*day + time.Second})},
		{Name: "three days", Want: probes.Fail, Says: []string{"ends in 3 days"}, New: showing(sim.Certificate{Left: 3 * day})},
		{Name: "whoever signed it", Want: probes.Pass, New: with(func(w *world) {
			_ = w.shown.Set(vault, sim.Certificate{Issuer: "Somebody"})
			w.params.Issuers = nil
		})},
		{Name: "no cluster is asked about", Want: probes.Pass, New: with(func(w *world) { w.params.Cluster, w.cluster = certificates.ClusterParams{}, nil })},
		{Name: "an issuer that only is called so", Want: probes.Fail, Says: []string{"ClusterIssuer letsencrypt-prod", "is ca, not ACME"}, New: holding(issuer("letsencrypt-prod", map[string]any{"ca": map[string]any{"secretName": "x"}}, "True"))},
		{Name: "an issuer of a kind to come", Want: probes.Fail, Says: []string{"of no known kind"}, New: holding(issuer("letsencrypt-prod", map[string]any{"new": map[string]any{}}, "True"))},
		{Name: "an issuer without a word", Want: probes.Fail, Says: []string{"of no known kind"}, New: holding(issuer("letsencrypt-prod", nil, "True"))},
		{Name: "an issuer that is not ready", Want: probes.Fail, Says: []string{"not ready: Pending waiting"}, New: holding(issuer("letsencrypt-prod", map[string]any{"acme": map[string]any{"server": server}}, "False"))},
		{Name: "an issuer that was changed since", Want: probes.Fail, Says: []string{"since it was changed"}, New: holding(changed(good))},
		{Name: "no issuer", Want: probes.Fail, Says: []string{"letsencrypt-prod", "does not exist"}, New: holding(self)},
		{Name: "no cert-manager", Want: probes.Fail, Says: []string{"letsencrypt-prod", "does not exist"}, New: with(func(w *world) { w.cluster = kubefake.New() })},
		{Name: "a certificate of another issuer", Want: probes.Fail, Says: []string{"a/vault-tls", "ClusterIssuer selfsigned (selfSigned)"}, New: holding(good, self, issued("vault-tls", vault, "ClusterIssuer", "selfsigned", noon.AddDate(1, 0, 0), "True"))},
		{Name: "a certificate without the kind of its issuer", Want: probes.Fail, Says: []string{"Issuer letsencrypt-prod"}, New: holding(good, issued("vault-tls", vault, "", "letsencrypt-prod", noon.AddDate(1, 0, 0), "True"))},
		{Name: "a certificate that waits", Want: probes.Fail, Says: []string{"a/vault-tls", "waiting for the order"}, New: holding(good, issued("vault-tls", vault, "ClusterIssuer", "letsencrypt-prod", noon.AddDate(1, 0, 0), "False"))},
		{Name: "a wildcard that ends soon", Want: probes.Warn, Ratio: half, Says: []string{"a/wild-tls", "ends in 10 days"}, New: holding(good, issued("wild-tls", "*.254carbon.com", "ClusterIssuer", "letsencrypt-prod", noon.Add(10*day+time.Hour), "True"))},
		{Name: "a certificate of somebody else", Want: probes.Pass, New: holding(good, issued("other-tls", "example.org", "Issuer", "own", noon.AddDate(0, 0, -1), "False"))},
		{Name: "one wrong, one without an answer", Want: probes.Fail, Says: []string{vault, "expired", "1 could not be looked at"}, New: with(func(w *world) {
			_ = w.shown.Set(vault, sim.Certificate{Left: -day})
			w.edge.Move(portal)
		})},
	}
	for _, m := range sim.CertificateMutations() {
		made := with(func(w *world) { _ = m.Apply(w.shown) })
		switch {
		case m.Harmless:
			worlds = append(worlds, probetest.World{Name: m.Name, Want: probes.Pass, New: made})
		case m.Warns:
			worlds = append(worlds, probetest.World{Name: m.Name, Want: probes.Warn, Ratio: half, Says: m.Words, New: made})
		default:
			worlds = append(worlds, probetest.World{Name: m.Name, Want: probes.Fail, Says: m.Words, New: made})
		}
	}
	forbidden := func(plural string) func(*testing.T) probes.Probe {
		return with(func(w *world) { w.cluster.Forbid(resource(plural)) })
	}
	probetest.Suite{
		New: with(), Worlds: worlds,
		Errors: []probetest.Failure{
			{Name: "nobody knows the name", Says: []string{vault, "no public resolver"}, New: with(func(w *world) { w.edge.Move(vault) })},
			{Name: "nobody listens", Says: []string{"refused"}, New: with(func(w *world) {
				w.dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
					return (&net.Dialer{}).DialContext(ctx, "tcp", "127.0.0.1:1")
				}
			})},
			{Name: "no TLS", Says: []string{"no handshake"}, New: with(func(w *world) {
				w.listen = func(c net.Conn) {
					go func() { _, _ = io.Copy(io.Discard, c) }()
					_, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
				}
			})},
			{Name: "the connection ends", Says: []string{"no handshake"}, New: with(func(w *world) { w.listen = func(c net.Conn) { _ = c.Close() } })},
			{Name: "gonogo may not list issuers", Says: []string{"clusterissuers.cert-manager.io", "may not list"}, New: forbidden("clusterissuers")},
			{Name: "gonogo may not list certificates", Says: []string{"certificates.cert-manager.io", "may not list"}, New: forbidden("certificates")},
			{Name: "rights end at some namespaces", Says: []string{"only the namespaces"}, New: with(func(w *world) { w.cluster.Narrow("only the namespaces a") })},
			{Name: "an issuer of another shape", Says: []string{"reading clusterissuer letsencrypt-prod"}, New: holding(map[string]any{
				"apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer", "metadata": map[string]any{"name": "letsencrypt-prod"}, "spec": "acme",
			})},
		},
		Hanging: with(func(w *world) {
			w.params.Hosts, w.listen = []string{vault}, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }
		}),
	}.Run(t)
}

func TestParams(t *testing.T) {
	good := certificates.Params{Hosts: []string{vault, "registry.254carbon.com:5000"}, MinDays: 21, FailDays: 3}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	if len(good.Connections()) != 1 {
		t.Errorf("it asks over %v", good.Connections())
	}
	for name, change := range map[string]func(p *certificates.Params){
		"no host":               func(p *certificates.Params) { p.Hosts = nil },
		"a URL":                 func(p *certificates.Params) { p.Hosts = []string{"https://" + vault} },
		"a wildcard":            func(p *certificates.Params) { p.Hosts = []string{"*.254carbon.com"} },
		"no days":               func(p *certificates.Params) { p.MinDays = 0 },
		"fails before it warns": func(p *certificates.Params) { p.FailDays = 21 },
		"an issuer alone":       func(p *certificates.Params) { p.Cluster.Issuer = "x" },
	} {
		p := good
		if change(&p); p.Validate() == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	named := certificates.Params{MinDays: 21, Cluster: certificates.ClusterParams{Issuer: "x", Server: server}}
	named.Declare(probes.Declared{Services: []probes.Service{{ID: "vault", Host: vault}, {ID: "worker"}}})
	if err := named.Validate(); err != nil {
		t.Error(err)
	}
	if len(named.Connections()) != 2 {
		t.Errorf("it asks over %v", named.Connections())
	}
}
