// Package sim is the simulated platform behind --demo and most tests: servers on loopback inside the process that answer as the real ones
// do, reached over HTTPS with the production clients. It has its own clock and stable addresses, so that the same state says the same, and
// keeps its state in a file, so that one command continues where the other ended.
package sim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/254carbon/gonogo/internal/platform"
	"github.com/254carbon/gonogo/internal/profile"
	"github.com/254carbon/gonogo/internal/sim/checkout"
	"github.com/254carbon/gonogo/internal/sim/cloudflare"
	"github.com/254carbon/gonogo/internal/sim/edge"
	"github.com/254carbon/gonogo/internal/sim/faults"
	"github.com/254carbon/gonogo/internal/sim/harbor"
	"github.com/254carbon/gonogo/internal/sim/kubeapi"
	"github.com/254carbon/gonogo/internal/sim/observability"
	"github.com/254carbon/gonogo/internal/sim/oci"
	"github.com/254carbon/gonogo/internal/sim/portal"
	"github.com/254carbon/gonogo/internal/sim/prom"
	"github.com/254carbon/gonogo/internal/sim/store"
	"github.com/254carbon/gonogo/internal/sim/world"
	"github.com/254carbon/gonogo/internal/state"
)

// The scenarios that a simulated platform starts from.
const (
	Documented = "documented" // what the status document claims
	Ready      = "ready"      // everything done
	AsFound    = "as-found"   // what the evidence of the same day shows
)

// Scenarios lists them.
func Scenarios() []string { return []string{Documented, Ready, AsFound} }

// Connections lists the connections that faults can be switched on for.
func Connections() []string {
	return []string{"prometheus", "harbor", "cloudflare", "kubernetes", "edge", "minio"}
}

// Epoch is when the simulated platform's clock starts.
var Epoch = time.Date(2025, time.October, 20, 12, 0, 0, 0, time.UTC)

// The names under which the simulated servers are reached.
const (
	kubernetesHost = "kubernetes.254carbon.com"
	prometheusHost = "prometheus.254carbon.com"
	harborHost     = "harbor.254carbon.com"
	cloudflareHost = "api.cloudflare.com"
	minioHost      = "minio-api.254carbon.com" // what the cluster knows as minio-service
)

// Options are the settings of [Start]; the zero value is the documented scenario, kept nowhere.
type Options struct {
	Scenario string
	Faults   string        // as faults.Parse reads them
	Reset    bool          // forget what was kept
	Dir      string        // where the state is kept; empty for nowhere
	Tick     time.Duration // between two looks of the simulated controllers; 0 for a second
	Still    bool          // the clock stands still, so that what is seen does not depend on how long looking takes
}

// Sim is a running simulated platform. Its methods may be called by several goroutines.
type Sim struct {
	Kube       *kubeapi.Store
	API        *kubeapi.Server
	Prometheus *prom.Server
	Harbor     *harbor.Server
	Cloudflare *cloudflare.Server
	Portal     *portal.Server
	Backups    *store.Server // where the backups are kept
	// Edge is what the internet shows of the platform, and Certificates what its hosts show of themselves.
	Edge         *edge.Edge
	Certificates *edge.Certificates
	// Observability is what stands beside Prometheus.
	Observability *observability.Servers

	scenario  string
	dir       string
	accounts  harbor.Accounts
	tokens    cloudflare.Credentials
	thrown    map[string]bool // switches that were thrown for good; under mu
	hosts     *hosts
	injectors map[string]*faults.Injector // by connection
	base      time.Time
	started   time.Time // machine clock
	checkout  *folder
	still     bool
	stop      context.CancelFunc
	ended     <-chan struct{} // closed by stop
	every     time.Duration
	ticking   sync.WaitGroup

	mu      sync.Mutex
	changed int64 // how often a person changed something, so that it is worth keeping
}

// Start starts the simulated platform. Close ends it.
func Start(ctx context.Context, o Options) (*Sim, error) {
	if o.Scenario == "" {
		o.Scenario = Documented
	}
	if !slices.Contains(Scenarios(), o.Scenario) {
		return nil, fmt.Errorf("there is no scenario %q: the simulated platform has %s", o.Scenario, strings.Join(Scenarios(), ", "))
	}
	broken, err := faults.Parse(o.Faults, Connections())
	if err != nil {
		return nil, err
	}
	s := &Sim{scenario: o.Scenario, dir: o.Dir, base: Epoch, started: time.Now(), still: o.Still, every: cmp.Or(o.Tick, time.Second), accounts: harbor.DemoAccounts(), tokens: cloudflare.DemoCredentials()}
	s.checkout = &folder{}
	if err := s.populate(o.Reset); err != nil {
		return nil, err
	}
	if err := s.listen(); err != nil {
		return nil, err
	}
	for connection, kind := range broken {
		s.injectors[connection].Set(kind)
	}
	ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx)) // ends with Close, so that a last look is still answered
	s.ended = ctx.Done()
	s.ticking.Go(func() { s.tick(ctx) })
	return s, nil
}

// Now is the simulated platform's time.
func (s *Sim) Now() time.Time {
	if s.still {
		return s.base
	}
	return s.base.Add(time.Since(s.started))
}

// populate makes the servers and what they hold: the scenario, or what was kept of it.
func (s *Sim) populate(reset bool) error {
	kept, err := s.load(reset)
	if err != nil {
		return err
	}
	if kept != nil {
		s.base = kept.Now
	}
	now := s.Now()
	s.Kube = kubeapi.NewStore(kubeapi.StoreOptions{Now: s.Now})
	s.Prometheus = prom.Platform(s.Now)
	s.Prometheus.SetReplication(s.scenario == Ready)
	s.Portal = portal.New()
	bucket, objects := world.BackupBucket, world.BackupObjects(now)
	if s.scenario == AsFound { // what the setup jobs made
		bucket, objects = "velero-backups", nil
	}
	if s.Backups, err = store.New(bucket, objects...); err != nil {
		return err
	}
	s.Backups.Serve(s.veleroLog)
	s.Observability = observability.Platform(s.Now, s.Prometheus)
	s.thrown = map[string]bool{}
	harborState, cloudflareState := harbor.Documented(now, s.accounts), cloudflare.Documented(now, s.tokens)
	switch s.scenario {
	case Ready:
		harborState, cloudflareState = harbor.Ready(now, s.accounts), cloudflare.Ready(now, s.tokens)
	case AsFound:
		harborState = harbor.AsFound(now, s.accounts)
	}
	s.Harbor = harbor.New(harborState, harbor.Options{Now: s.Now, Registry: oci.NewRegistry()})
	s.Cloudflare = cloudflare.New(cloudflareState, cloudflare.Options{Now: s.Now})
	s.Edge = edge.New(edge.Options{Cloudflare: s.Cloudflare, Now: s.Now})
	if s.Certificates, err = edge.NewCertificates(Epoch); err != nil {
		return err
	}
	if kept != nil {
		return kept.restore(s)
	}
	if err := world.Seed(s.Kube, world.Scenario(s.scenario), now); err != nil {
		return err
	}
	return s.keepCredential(s.accounts.Platform)
}

// listen puts the servers behind their names and fault injectors.
func (s *Sim) listen() error {
	s.API = kubeapi.New(kubeapi.Options{
		Store:         s.Kube,
		Logs:          func(pod kubeapi.Object) string { return world.Log(s.Kube, pod) },
		Authenticator: kubeapi.Tokens(map[string]kubeapi.User{kubernetesToken: {Name: "gonogo", Groups: []string{kubeapi.Masters}}}),
	})
	s.injectors = map[string]*faults.Injector{
		"kubernetes": {Handler: s.API, Refuse: refuseKubernetes},
		"prometheus": {Handler: s.Prometheus, Refuse: refusePrometheus},
		"harbor":     {Handler: s.Harbor, Refuse: s.refuseHarbor},
		"cloudflare": {Handler: s.Cloudflare, Refuse: s.refuseCloudflare},
		"edge":       {Handler: s.Edge},
		"minio":      {Handler: s.Backups, Refuse: refuseMinIO},
	}
	s.serveServices()
	s.servePortal()
	s.serveObservability()
	servers := map[string]*host{}
	for _, name := range slices.Concat(edge.Hosts(), edge.Addresses(), []string{edge.ResolverHost}) {
		servers[name] = &host{"edge", s.injectors["edge"]}
	}
	for name, connection := range map[string]string{
		kubernetesHost: "kubernetes", prometheusHost: "prometheus", harborHost: "harbor", cloudflareHost: "cloudflare",
		minioHost: "minio", world.BackupHost: "minio",
	} {
		servers[name] = &host{connection, s.injectors[connection]}
		if name == harborHost { // its certificate is one that people see
			continue
		}
		if err := s.Certificates.Program(name); err != nil {
			return err
		}
	}
	upstream := &faults.Injector{Handler: oci.NewUpstream()}
	for _, name := range oci.UpstreamHosts() {
		servers[name] = &host{"upstream", upstream}
		if err := s.Certificates.Program(name); err != nil {
			return err
		}
	}
	if s.scenario == AsFound { // the issuer called letsencrypt-prod signed by itself; the doors of the services stand open behind the edge's own
		for _, label := range []string{"", "www.", "portal.", "mlflow.", "spark-history."} {
			if err := s.Certificates.Set(label+cloudflare.Domain, edge.Certificate{Alone: true, Issuer: "254Carbon"}); err != nil {
				return err
			}
		}
	}
	var err error
	s.hosts, err = startHosts(servers, s.Certificates, s.Now)
	return err
}

// tick lets the simulated controllers work until ctx ends.
func (s *Sim) tick(ctx context.Context) {
	ticker := time.NewTicker(s.every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			_ = world.Serve(s.Kube, s.Now(), s.pull) // a controller that stumbles tries again in a second
		}
	}
}

// Close ends the simulated platform, and keeps its state if a person changed it, here or through an API.
func (s *Sim) Close() error {
	s.stop()
	s.ticking.Wait()
	s.API.Close()
	err := errors.Join(s.hosts.close(), s.checkout.remove())
	if s.changes() > 0 {
		err = errors.Join(err, s.save())
	}
	return err
}

// changes grows with everything that is worth keeping.
func (s *Sim) changes() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed + s.hosts.log.wrote()
}

// kubernetesToken is what gonogo shows the simulated API server; it protects nothing.
const kubernetesToken = "reader-of-a-simulated-cluster"

// Platform turns the options of a real platform into those of this one.
func (s *Sim) Platform(o platform.Options) platform.Options {
	o.Dial, o.Roots, o.Now = s.hosts.dial, s.Certificates.Roots(), s.Now
	o.REST = kubeConfig(s.Certificates.PEM())
	o.Getenv, o.Checkout = s.getenv, s.Checkout
	return o
}

// Profile returns the profile with its connections leading to this platform, and with the digests that its images have here locked.
func (s *Sim) Profile(p *profile.Profile) *profile.Profile { return profileOf(s.scenario, p) }

func profileOf(scenario string, p *profile.Profile) *profile.Profile {
	digests := map[string]string{}
	for _, image := range oci.Images() {
		digests[image.Source] = oci.Digest(image.Source)
	}
	own := *p.Locked(digests)
	own.Connections.Checkout = &profile.Checkout{Path: checkout.Name}
	if m := own.Connections.MinIO; m != nil && scenario == Ready { // the backups have moved out of the cluster
		moved := *m
		moved.URL = "https://" + world.BackupHost
		own.Connections.MinIO = &moved
	}
	if scenario != AsFound { // where it is asked for at its Service, and nothing runs behind that
		own.Connections.Prometheus = &profile.Prometheus{URL: "https://" + prometheusHost}
	}
	return &own
}

// getenv is the environment of a demo: the credentials of the simulated servers, and nothing of the machine's.
func (s *Sim) getenv(name string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	value, ok := map[string]string{
		"HARBOR_USER": s.accounts.Reader.Username, "HARBOR_PASSWORD": s.accounts.Reader.Password,
		"HARBOR_ADMIN_USER": s.accounts.Admin.Username, "HARBOR_ADMIN_PASSWORD": s.accounts.Admin.Password,
		"CLOUDFLARE_ACCOUNT_ID": cloudflare.AccountID, "CLOUDFLARE_READ_TOKEN": s.tokens.Reader, "CLOUDFLARE_API_TOKEN": s.tokens.Platform,
		"MINIO_ACCESS_KEY": store.AccessKey, "MINIO_SECRET_KEY": store.SecretKey,
		"MINIO_WRITE_ACCESS_KEY": store.WriterKey, "MINIO_WRITE_SECRET_KEY": store.WriterSecret, "GRAFANA_TOKEN": observability.GrafanaToken,
	}[name]
	return value, ok
}

// SetFault switches a fault on, or with faults.None off.
func (s *Sim) SetFault(connection string, kind faults.Kind) error {
	i, ok := s.injectors[connection]
	if !ok {
		return fmt.Errorf("there is no connection %q in the simulated platform", connection)
	}
	i.Set(kind)
	return nil
}

// Faults returns the faults that are on, by connection.
func (s *Sim) Faults() map[string]faults.Kind {
	on := map[string]faults.Kind{}
	for name, i := range s.injectors {
		if kind := i.Kind(); kind != faults.None {
			on[name] = kind
		}
	}
	return on
}

// Label names the scenario and its faults for the board.
func (s *Sim) Label() string {
	label := s.scenario
	on := s.Faults()
	for _, name := range slices.Sorted(maps.Keys(on)) {
		label += fmt.Sprintf(", %s %s", name, on[name])
	}
	return label
}

// Requests returns what reached the simulated servers so far, in order.
func (s *Sim) Requests() []Request { return s.hosts.log.all() }

// Writes counts the requests so far that were no reads; asking what one may do is one, and so is having something tried that is not kept.
func (s *Sim) Writes() int {
	n := 0
	for _, r := range s.Requests() {
		if r.Method != http.MethodGet && r.Method != http.MethodHead && !strings.HasSuffix(r.Path, "/selfsubjectaccessreviews") && !strings.Contains(r.Query, "dryRun=All") {
			n++
		}
	}
	return n
}

// Handshakes returns how many TLS handshakes asked for each name so far.
func (s *Sim) Handshakes() map[string]int { return s.hosts.log.handshakes() }

// Dir is where the state and the history of this scenario are kept.
func (s *Sim) Dir() string { return s.dir }

// previousPercent is what the status document before the last one said, the day before.
const previousPercent = 85

// SeedHistory writes what the platform's documents said before the simulation began, unless there is history already.
func (s *Sim) SeedHistory(ctx context.Context, store *state.Store) error {
	return seedHistory(ctx, store)
}

func seedHistory(ctx context.Context, store *state.Store) error {
	scores, err := store.Scores(ctx, 1)
	if err != nil || len(scores) > 0 {
		return err
	}
	return store.RecordScore(ctx, state.Score{
		At: Epoch.Add(-24 * time.Hour), Percent: previousPercent, High: previousPercent, Verdict: "NO-GO", Earned: "85", Possible: "100",
	})
}
