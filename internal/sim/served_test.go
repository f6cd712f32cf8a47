package sim_test

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/254carbon/gonogo/internal/platform"
	"github.com/254carbon/gonogo/internal/profile"
	"github.com/254carbon/gonogo/internal/sim"
	"github.com/254carbon/gonogo/internal/sim/faults"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/all"
)

// serve serves a platform, and returns what ends it and waits for the end.
func serve(t *testing.T, o sim.Options) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- sim.Serve(ctx, o) }()
	end = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		ended <- nil
	}
	t.Cleanup(end)
	return end
}

// attach joins it, as soon as it is there.
func attach(t *testing.T, o sim.Options) *sim.Remote {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		r, err := sim.Attach(t.Context(), o)
		if err == nil {
			t.Cleanup(func() { _ = r.Close() })
			return r
		}
		if !errors.Is(err, sim.ErrNotServed) || time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// percent asks every check of the built-in profile.
func percent(t *testing.T, s sim.Simulated) (int, probes.Verdict) {
	t.Helper()
	p, err := profile.Builtin(profile.DefaultName, all.Kinds())
	if err != nil {
		t.Fatal(err)
	}
	p = s.Profile(p)
	x, err := platform.Open(p, s.Platform(platform.Options{Log: slog.New(slog.DiscardHandler)}))
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	list, err := probes.NewChecklist(p.Outline())
	if err != nil {
		t.Fatal(err)
	}
	var checks []probes.Check
	for _, c := range p.Checks() {
		probe, err := all.Build(c, x)
		if err != nil {
			t.Fatal(err)
		}
		checks = append(checks, probes.Check{Spec: c.Spec, Probe: probe})
	}
	a := probes.Sweep(t.Context(), list, checks, probes.SweepOptions{Now: s.Now}).Assess(s.Now())
	return a.Percent, a.Verdict
}

func TestSeveralProcessesShareOnePlatform(t *testing.T) {
	o := sim.Options{Dir: t.TempDir()}
	if _, err := sim.Attach(t.Context(), o); !errors.Is(err, sim.ErrNotServed) {
		t.Fatalf("joining nobody gives %v", err)
	}
	end := serve(t, o)
	here, there := attach(t, o), attach(t, o)
	if got, verdict := percent(t, here); got != 87 || verdict != probes.NoGo {
		t.Errorf("%d %% %s, want 87 %% NO-GO", got, verdict)
	}
	if err := here.Toggle("6"); err != nil {
		t.Fatal(err)
	}
	if switches := there.Switches(); len(switches) != 7 || !switches[5].On {
		t.Errorf("the other does not see what was switched: %v", switches)
	}
	if err := here.Toggle("nonsense"); err == nil || !strings.Contains(err.Error(), "no switch") {
		t.Errorf("a switch that there is not: %v", err)
	}
	if apart := here.Now().Sub(there.Now()); apart.Abs() > time.Second {
		t.Errorf("their clocks are %v apart", apart)
	}
	if sim.Serve(t.Context(), o) == nil {
		t.Error("two served one platform")
	}
	if err := errors.Join(here.Close(), there.Close()); err != nil {
		t.Error(err)
	}
	end()
	if _, err := sim.Attach(t.Context(), o); !errors.Is(err, sim.ErrNotServed) {
		t.Errorf("joining one that ended gives %v", err)
	}
	again, err := sim.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if !again.Switches()[5].On {
		t.Error("what was switched is forgotten")
	}
}

func TestASharedPlatformBreaksForAll(t *testing.T) {
	o := sim.Options{Dir: t.TempDir()}
	serve(t, o)
	here := attach(t, o)
	o.Faults = "harbor=down,prometheus=500"
	there := attach(t, o)
	if got := here.Faults(); got["harbor"] != faults.Down || here.Label() != "documented, harbor down, prometheus 500" {
		t.Errorf("%v, %s", got, here.Label())
	}
	dial := there.Platform(platform.Options{}).Dial
	if _, err := dial(t.Context(), "tcp", "harbor.254carbon.com:443"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("what is down answers %v", err)
	}
	if _, err := dial(t.Context(), "tcp", "example.com:443"); err == nil || !strings.Contains(err.Error(), "not part of the simulated platform") {
		t.Errorf("what is not the platform's: %v", err)
	}
	connection, err := dial(t.Context(), "tcp", "prometheus.254carbon.com:443")
	if err != nil {
		t.Fatal(err)
	}
	_ = connection.Close()
}

func TestOnlyThePersonWhoServesGoverns(t *testing.T) {
	o := sim.Options{Dir: t.TempDir()}
	serve(t, o)
	r := attach(t, o)
	file := filepath.Join(o.Dir, sim.Documented, "served.json")
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	po := r.Platform(platform.Options{})
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return po.Dial(ctx, network, "harbor.254carbon.com:443")
	}
	client := &http.Client{Transport: &http.Transport{DialContext: dial, TLSClientConfig: &tls.Config{RootCAs: po.Roots}}}
	response, err := client.Get("https://control.demo.invalid/outlook")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusUnauthorized {
		t.Errorf("without the token: %s", response.Status)
	}
}

func TestEndingASharedPlatform(t *testing.T) {
	o := sim.Options{Dir: t.TempDir()}
	if err := sim.End(t.Context(), o); err != nil {
		t.Errorf("none is none to end: %v", err)
	}
	serve(t, o)
	r := attach(t, o)
	if err := sim.End(t.Context(), o); err != nil {
		t.Error(err)
	}
	if r.Faults()["process"] != faults.Down || !strings.Contains(r.Label(), "gone") {
		t.Errorf("one that is gone says %v, %s", r.Faults(), r.Label())
	}
}
