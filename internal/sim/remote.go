package sim

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"

	"k8s.io/client-go/rest"

	"github.com/254carbon/gonogo/internal/platform"
	"github.com/254carbon/gonogo/internal/profile"
	"github.com/254carbon/gonogo/internal/sim/faults"
	"github.com/254carbon/gonogo/internal/state"
)

// Simulated is a simulated platform as a command uses it, in its own process or in one that it shares.
type Simulated interface {
	// Now is the simulated platform's time.
	Now() time.Time
	// Platform turns the options of a real platform into those of this one.
	Platform(o platform.Options) platform.Options
	// Profile returns the profile with its connections leading to this platform.
	Profile(p *profile.Profile) *profile.Profile
	// Label names the scenario and its faults.
	Label() string
	// Faults returns the faults that are on, by connection.
	Faults() map[string]faults.Kind
	// Switches lists what can be switched, and Toggle throws one.
	Switches() []Switch
	Toggle(key string) error
	// Dir is where the state and the history of the scenario are kept.
	Dir() string
	// SeedHistory writes what the platform's documents said before the simulation began, unless there is history already.
	SeedHistory(ctx context.Context, store *state.Store) error
	// Shared reports whether other processes see the same platform.
	Shared() bool
	Close() error
}

var _, _ Simulated = (*Sim)(nil), (*Remote)(nil)

// Shared reports whether other processes see the same platform: they do not.
func (s *Sim) Shared() bool { return false }

// Remote is a simulated platform that another process serves. It may be used by several goroutines.
type Remote struct {
	entry    served
	scenario string
	dir      string
	client   *http.Client
	still    bool
	offset   time.Duration // of its clock to the machine's
	frozen   time.Time
	letGo    context.CancelFunc
	holding  sync.WaitGroup
	pool     []byte
}

// ErrNotServed is within the error of [Attach] if no process serves the scenario.
var ErrNotServed = errors.New("no process serves this simulated platform")

// Attach joins the process that serves the scenario of a folder, and keeps it up until Close. Faults of the options are switched on for all.
func Attach(ctx context.Context, o Options) (*Remote, error) {
	if o.Scenario == "" {
		o.Scenario = Documented
	}
	broken, err := faults.Parse(o.Faults, Connections())
	if err != nil {
		return nil, err
	}
	entry, err := readEntry(servedFile(o.Dir, o.Scenario))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotServed, err)
	}
	pool, err := entry.pool()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotServed, err)
	}
	r := &Remote{entry: entry, scenario: o.Scenario, dir: o.Dir, still: o.Still, pool: entry.Roots}
	r.client = &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: controlWait}).DialContext(ctx, "tcp", entry.Address)
		},
		TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
	}}
	before := time.Now()
	look, err := r.outlook(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotServed, err)
	}
	r.offset, r.frozen = look.Now.Sub(before), look.Now
	if err := r.hold(ctx); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotServed, err)
	}
	for connection, kind := range broken {
		if err := r.post("/fault", url.Values{"connection": {connection}, "kind": {string(kind)}}); err != nil {
			return nil, errors.Join(err, r.Close())
		}
	}
	return r, nil
}

// hold keeps the platform up. It returns when the other side knows.
func (r *Remote) hold(ctx context.Context) error {
	held, letGo := context.WithCancel(context.WithoutCancel(ctx))
	response, err := r.send(held, http.MethodGet, "/hold", nil)
	if err != nil {
		letGo()
		return err
	}
	r.letGo = letGo
	r.holding.Go(func() {
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
	})
	return nil
}

// End asks the process that serves the scenario to end, and returns once it has; none is none to end.
func End(ctx context.Context, o Options) error {
	o.Faults = ""
	r, err := Attach(ctx, o)
	if errors.Is(err, ErrNotServed) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := errors.Join(r.post("/end", nil), r.Close()); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, controlWait)
	defer cancel()
	for {
		entry, err := readEntry(servedFile(o.Dir, r.scenario))
		if err != nil || entry.Token != r.entry.Token {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("ending the simulated platform of process %d: %w", entry.PID, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// send asks the process; the caller closes the body.
func (r *Remote) send(ctx context.Context, method, path string, query url.Values) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, "https://"+controlHost+path+"?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+r.entry.Token)
	response, err := r.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("asking the simulated platform's process: %w", err)
	}
	if response.StatusCode == http.StatusOK {
		return response, nil
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(response.Body, 4096))
	return nil, errors.New(strings.TrimSpace(string(text)))
}

func (r *Remote) get(ctx context.Context, path string, query url.Values, into any) error {
	ctx, cancel := context.WithTimeout(ctx, controlWait)
	defer cancel()
	response, err := r.send(ctx, http.MethodGet, path, query)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	return json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(into)
}

func (r *Remote) post(path string, query url.Values) error {
	ctx, cancel := context.WithTimeout(context.Background(), controlWait)
	defer cancel()
	response, err := r.send(ctx, http.MethodPost, path, query)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

func (r *Remote) outlook(ctx context.Context) (outlook, error) {
	var o outlook
	err := r.get(ctx, "/outlook", nil, &o)
	return o, err
}

// Shared reports whether other processes see the same platform: they do.
func (r *Remote) Shared() bool { return true }

// Now is the simulated platform's time.
func (r *Remote) Now() time.Time {
	if r.still {
		return r.frozen
	}
	return time.Now().Add(r.offset).Round(0)
}

// Platform turns the options of a real platform into those of this one.
func (r *Remote) Platform(o platform.Options) platform.Options {
	o.Dial, o.Now = r.dial, r.Now
	o.Roots, _ = r.entry.pool() // it was read before
	o.REST = kubeConfig(r.pool)
	o.Getenv = func(name string) (string, bool) {
		var v variable
		if err := r.get(context.Background(), "/env", url.Values{"name": {name}}, &v); err != nil {
			return "", false
		}
		return v.Value, v.Set
	}
	o.Checkout = func() (string, error) {
		var dir string
		err := r.get(context.Background(), "/checkout", nil, &dir)
		return dir, err
	}
	return o
}

// kubeConfig leads to the simulated API server.
func kubeConfig(roots []byte) *rest.Config {
	return &rest.Config{Host: "https://" + kubernetesHost + ":6443", BearerToken: kubernetesToken, TLSClientConfig: rest.TLSClientConfig{CAData: roots}}
}

// dial connects to a simulated server by its name, as the process that serves it would.
func (r *Remote) dial(ctx context.Context, network, address string) (net.Conn, error) {
	name, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("dialing %s: %w", address, err)
	}
	var way way
	if err := r.get(ctx, "/dial", url.Values{"host": {name}}, &way); err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	if err := way.refusal(network, address); err != nil {
		return nil, err
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp", r.entry.Address)
}

// way is whether a name leads to a simulated server.
type way struct {
	Known bool `json:"known"`
	Down  bool `json:"down"`
}

// refusal is the error of dialing where nobody answers.
func (w way) refusal(network, address string) error {
	switch {
	case !w.Known:
		name, _, _ := net.SplitHostPort(address)
		return &net.OpError{Op: "dial", Net: network, Err: fmt.Errorf("%s is not part of the simulated platform", name)}
	case w.Down:
		return &net.OpError{Op: "dial", Net: network, Err: fmt.Errorf("connecting to %s: %w", address, syscall.ECONNREFUSED)}
	}
	return nil
}

// Profile returns the profile with its connections leading to this platform.
func (r *Remote) Profile(p *profile.Profile) *profile.Profile { return profileOf(r.scenario, p) }

// Label names the scenario and its faults.
func (r *Remote) Label() string {
	if o, err := r.outlook(context.Background()); err == nil {
		return o.Label
	}
	return r.scenario + ", gone"
}

// Faults returns the faults that are on, by connection.
func (r *Remote) Faults() map[string]faults.Kind {
	o, err := r.outlook(context.Background())
	if err != nil { // nobody answers: nothing that is measured now is worth keeping
		return map[string]faults.Kind{"process": faults.Down}
	}
	return o.Faults
}

// Switches lists what can be switched, and how it stands.
func (r *Remote) Switches() []Switch {
	o, err := r.outlook(context.Background())
	if err != nil {
		return nil
	}
	return o.Switches
}

// Toggle throws a switch.
func (r *Remote) Toggle(key string) error { return r.post("/toggle", url.Values{"key": {key}}) }

// Dir is where the state and the history of the scenario are kept.
func (r *Remote) Dir() string { return dirOf(r.dir, r.scenario) }

// SeedHistory writes what the platform's documents said before the simulation began.
func (r *Remote) SeedHistory(ctx context.Context, store *state.Store) error {
	return seedHistory(ctx, store)
}

// Close lets go of the platform, which ends when nobody is there any more.
func (r *Remote) Close() error {
	r.letGo()
	r.holding.Wait()
	r.client.CloseIdleConnections()
	return nil
}
