// Package platform opens the connections that a profile describes, with one transport, one guard and one place for secrets behind them all.
// Opening asks nobody anything; a connection that cannot be used is not an error but an answer, which every check over it gets.
package platform

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/rest"

	"github.com/254carbon/gonogo/actions/mirror"
	"github.com/254carbon/gonogo/internal/platform/checkout"
	"github.com/254carbon/gonogo/internal/platform/cloudflare"
	"github.com/254carbon/gonogo/internal/platform/cluster"
	"github.com/254carbon/gonogo/internal/platform/harbor"
	"github.com/254carbon/gonogo/internal/platform/minio"
	"github.com/254carbon/gonogo/internal/platform/postgres"
	"github.com/254carbon/gonogo/internal/platform/prom"
	"github.com/254carbon/gonogo/internal/platform/record"
	"github.com/254carbon/gonogo/internal/platform/registry"
	"github.com/254carbon/gonogo/internal/platform/secrets"
	"github.com/254carbon/gonogo/internal/platform/transport"
	"github.com/254carbon/gonogo/internal/profile"
	"github.com/254carbon/gonogo/probes"
	asked "github.com/254carbon/gonogo/probes/postgres"
	"github.com/254carbon/gonogo/probes/velero"
)

// Options say from where and under which rules a platform is reached.
type Options struct {
	Kubeconfig string                           // file; empty as kubectl
	Context    string                           // of the kubeconfig; empty for the profile's
	ReadOnly   bool                             // lets nothing out but reads
	Getenv     func(name string) (string, bool) // for secrets by reference
	Now        func() time.Time
	Log        *slog.Logger
	Environ    []string // for commands that the profile names
	StateDir   string   // for what of the evidence record cannot be kept in the cluster; empty for nowhere

	// The simulated platform replaces the machine's network, trust and kubeconfig.
	Dial  transport.DialFunc
	Roots *x509.CertPool
	REST  *rest.Config
	// Checkout says where the folder is that goes by the name of the profile's checkout; nil if it is where its name says.
	Checkout func() (string, error)
}

// Platform is the connections of one profile. A connection that could not be opened is nil, and Trouble says why.
type Platform struct {
	ReadOnly   bool
	Now        func() time.Time
	Environ    []string
	Secrets    *secrets.Resolver
	Mask       *secrets.Mask
	Cluster    *cluster.Cluster
	Prometheus *prom.Client
	Harbor     *harbor.Client
	Mirror     *registry.Client // Harbor's registry, by gonogo's own credential
	Upstream   *registry.Client // any other registry, without one
	Cloudflare *cloudflare.Client
	MinIO      *minio.Client
	Postgres   *postgres.Client
	PostgresAt func(dsn probes.SecretRef) asked.Database // another server
	Web        *Web
	Outside    *Outside
	Memory     *Memory
	Hosts      velero.Hosts // nil where names are not to be looked up
	Checkout   *checkout.Checkout
	Evidence   *record.Record

	CloudflareWriter *cloudflare.Writer // Cloudflare as actions change it; nil without a connection

	HarborAdmin *harbor.Admin // Harbor as actions change it; nil without a connection
	HarborHost  string        // its registry's
	// Copiers returns what copies images, which remembers in a folder; credential is for a host, nil for gonogo's own reading one, which
	// Harbor alone is shown. Nil without a connection.
	Copiers func(folder, host string, credential func(ctx context.Context) (username, password string, err error)) (mirror.Copier, error)

	patches string
	joining string
	undo    string
	direct  http.RoundTripper
	info    cluster.Info
	trouble map[string]error
}

// Open prepares the connections of a profile. The error is for what no check could report; a kubeconfig that cannot be read is none.
func Open(p *profile.Profile, o Options) (*Platform, error) {
	x := &Platform{ReadOnly: o.ReadOnly, Now: o.Now, Environ: o.Environ, Mask: &secrets.Mask{}, trouble: map[string]error{}}
	x.Secrets = &secrets.Resolver{Getenv: o.Getenv, ReadOnly: o.ReadOnly, Mask: x.Mask}
	if o.Dial == nil {
		x.Hosts = net.DefaultResolver
	}
	x.openCluster(p, o)
	for name, open := range map[string]func() error{
		"prometheus": func() error { return x.openPrometheus(p.Connections.Prometheus, o) },
		"harbor":     func() error { return x.openHarbor(p.Connections.Harbor, o) },
		"cloudflare": func() error { return x.openCloudflare(p.Connections.Cloudflare, o) },
		"minio":      func() error { return x.openMinIO(p.Connections.MinIO, o) },
		"postgres":   func() error { return x.openPostgres(p.Connections.Postgres, o) },
	} {
		if err := open(); err != nil {
			x.trouble[name] = err
		}
	}
	err := x.openActions(p, o)
	if err != nil {
		return nil, err
	}
	if x.Upstream, err = registry.New(registry.Options{Transport: x.transport(o, nil), Redirects: true, Now: o.Now}); err != nil {
		return nil, err
	}
	x.direct = x.transport(o, nil)
	x.Web = &Web{cluster: x.Cluster, trouble: x.trouble["kubernetes"], client: transport.Client(x.transport(o, nil))}
	x.openRecord(p, o)
	x.openCheckout(p.Connections.Checkout, o)
	x.openOutside(o)
	x.Memory = &Memory{}
	if o.StateDir != "" {
		x.Memory.dir = filepath.Join(o.StateDir, "memory")
		x.joining = filepath.Join(o.StateDir, "join", fileName(p.Platform))
		x.undo = filepath.Join(o.StateDir, "sso", fileName(p.Platform))
		x.patches = filepath.Join(o.StateDir, "patches", fileName(p.Platform))
	}
	return x, nil
}

// Trouble says why a connection cannot be used, or nil.
func (x *Platform) Trouble(connection string) error { return x.trouble[connection] }

// Notices says what a person should know about the connections before anything is asked.
func (x *Platform) Notices() []string {
	if err := x.trouble["kubernetes"]; err != nil {
		return []string{err.Error()}
	}
	return nil
}

// Context names the cluster for people: the context of the kubeconfig, or the API server.
func (x *Platform) Context() string {
	if x.info.Context != "" {
		return x.info.Context
	}
	return x.info.Server
}

// ContextName is the name of the kubeconfig's context, empty within a cluster.
func (x *Platform) ContextName() string { return x.info.Context }

// Close ends the connections. Checks that are still being asked get errors.
func (x *Platform) Close() {
	if x.Cluster != nil {
		x.Cluster.Close()
	}
}

func (x *Platform) transport(o Options, roots *x509.CertPool) http.RoundTripper {
	if roots == nil {
		roots = o.Roots
	}
	return transport.New(transport.Options{Dial: o.Dial, Roots: roots, Now: o.Now, ReadOnly: o.ReadOnly})
}

func (x *Platform) openCluster(p *profile.Profile, o Options) {
	config, info := o.REST, cluster.Info{}
	if config == nil {
		name := o.Context
		if name == "" {
			name = p.Connections.Kubernetes.Context
		}
		var err error
		if config, info, err = cluster.LoadConfig(o.Kubeconfig, name); err != nil {
			x.trouble["kubernetes"] = err
			return
		}
	}
	x.info = info
	if config.Insecure {
		x.trouble["kubernetes"] = errors.New("the kubeconfig turns the verification of the API server off (insecure-skip-tls-verify), which gonogo does not do: " +
			"name its certificate-authority instead")
		return
	}
	c, err := cluster.Open(cluster.Options{
		RESTConfig: config, Info: info, ReadOnly: o.ReadOnly, Namespaces: p.Namespaces(), Dial: o.Dial, Now: o.Now, Log: o.Log,
		WrapTransport: func(next http.RoundTripper) http.RoundTripper {
			return transport.Wrap(next, transport.Options{ReadOnly: o.ReadOnly, Kubernetes: true, MaxBody: transport.KubernetesLimit})
		},
	})
	if err != nil {
		x.trouble["kubernetes"] = err
		return
	}
	x.Cluster, x.Secrets.Cluster = c, c
}

func (x *Platform) openPrometheus(c *profile.Prometheus, o Options) error {
	switch {
	case c == nil:
		return notConfigured("prometheus")
	case c.Service != "":
		return x.openPrometheusService(c, o)
	}
	roots, err := trust(c.CA, o.Roots)
	if err != nil {
		return err
	}
	rt := x.transport(o, roots)
	if c.Read != nil {
		rt = reader{next: rt, secrets: x.Secrets, read: *c.Read}
	}
	client, err := prom.New(prom.Options{BaseURL: c.URL, Client: transport.Client(rt), Now: o.Now})
	x.Prometheus = client
	return err
}

// openPrometheusService reaches a Prometheus by its Service, through the cluster.
func (x *Platform) openPrometheusService(c *profile.Prometheus, o Options) error {
	if x.Cluster == nil {
		return x.trouble["kubernetes"]
	}
	target, err := cluster.ParseServiceTarget(c.Service)
	if err != nil {
		return err
	}
	rt, base, err := x.Cluster.Transport(context.Background(), target)
	if err != nil {
		return err
	}
	rt = transport.Wrap(rt, transport.Options{ReadOnly: o.ReadOnly})
	if c.Read != nil {
		rt = reader{next: rt, secrets: x.Secrets, read: *c.Read}
	}
	x.Prometheus, err = prom.New(prom.Options{
		BaseURL: base.String(), Client: transport.Client(rt), Now: o.Now,
		Describe: func(u *url.URL) probes.Request { return x.Cluster.ServiceRequest(target, u.RequestURI()) },
	})
	return err
}

func (x *Platform) openHarbor(c *profile.Harbor, o Options) error {
	if c == nil {
		return notConfigured("harbor")
	}
	roots, err := trust(c.CA, o.Roots)
	if err != nil {
		return err
	}
	ho := harbor.Options{URL: c.URL, Transport: x.transport(o, roots), Now: o.Now}
	ho.Reader = x.reader(c)
	if x.Harbor, err = harbor.New(ho); err != nil {
		return err
	}
	base, err := url.Parse(c.URL)
	if err != nil {
		return err
	}
	x.HarborHost = base.Host
	x.Mirror, err = registry.New(registry.Options{
		Transport: ho.Transport, Credential: ho.Reader, Mirror: base.Host, Plain: base.Scheme == "http", User: "HARBOR", Now: o.Now,
	})
	return err
}

func (x *Platform) openCheckout(c *profile.Checkout, o Options) {
	switch {
	case c == nil:
		x.trouble["checkout"] = notConfigured("checkout")
	case o.Checkout != nil:
		x.Checkout = checkout.At(c.Path, o.Checkout)
	default:
		x.Checkout = checkout.New(c.Path)
	}
}

func notConfigured(name string) error {
	return fmt.Errorf("the profile has no connection %s: add it under connections", name)
}

// trust returns the authorities to trust: the usual ones and the one of the file, if one is named.
func trust(ca *profile.CA, usual *x509.CertPool) (*x509.CertPool, error) {
	if ca == nil {
		return usual, nil
	}
	pem, err := os.ReadFile(ca.File)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate authority: %w", err)
	}
	pool := usual
	if pool == nil {
		if pool, err = x509.SystemCertPool(); err != nil {
			pool = x509.NewCertPool()
		}
	} else {
		pool = pool.Clone()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("reading the certificate authority: " + ca.File + " holds no certificate in PEM form")
	}
	return pool, nil
}
