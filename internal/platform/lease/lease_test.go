package lease

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/internal/platform/cluster"
	"github.com/254carbon/gonogo/internal/platform/transport"
	"github.com/254carbon/gonogo/internal/sim/kubeapi"
)

// serve starts a simulated API server whose clock is the test's, and returns a client of it.
func serve(t *testing.T, readOnly bool) *cluster.Cluster {
	t.Helper()
	api := kubeapi.New(kubeapi.Options{})
	server := httptest.NewServer(api)
	t.Cleanup(func() {
		api.Close()
		server.CloseClientConnections()
		server.Close()
	})
	if _, err := api.Store().Create(map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "default"}}); err != nil {
		t.Fatal(err)
	}
	c, err := cluster.Open(cluster.Options{
		RESTConfig: &rest.Config{Host: server.URL}, ReadOnly: readOnly,
		WrapTransport: func(next http.RoundTripper) http.RoundTripper {
			return transport.Wrap(next, transport.Options{ReadOnly: readOnly, Kubernetes: true})
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestOneHolderAtATime(t *testing.T) {
	c := serve(t, false)
	take := func(holder string, gone func(string) bool) (*Lease, error) {
		return Acquire(t.Context(), Options{Cluster: c, Namespace: "default", Name: "gonogo-mirror", Holder: holder, Gone: gone})
	}
	ana, err := take(Holder("ana@bastion", "mirror-1", "/state"), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = take(Holder("bea@laptop", "mirror-7", "/other"), nil)
	var refused *actions.RefusedError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "ana@bastion (mirror-1) does this already, since ") || strings.Contains(err.Error(), "/state") {
		t.Errorf("while it is held: %v", err)
	}
	if err := ana.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	bea, err := take(Holder("bea@laptop", "mirror-7", "/other"), nil)
	if err != nil {
		t.Fatalf("after it was given back: %v", err)
	}
	again, err := take(Holder("bea@laptop", "mirror-8", "/other"), func(holder string) bool {
		run, ours := Run(holder, "/other")
		return ours && run == "mirror-7"
	})
	if err != nil {
		t.Fatalf("of a holder that is known to be gone: %v", err)
	}
	if err := bea.Release(t.Context()); err != nil {
		t.Errorf("giving back what is another's: %v", err)
	}
	if err := again.write(t.Context(), func(s spec) (spec, error) {
		if s.holder != again.o.Holder || s.duration != duration || s.changes < 3 {
			t.Errorf("the lease says %+v", s)
		}
		s.renewed = s.renewed.Add(-2 * duration) // its holder crashed a while ago
		return s, nil
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := take("carl@bastion (mirror-9) /x", nil); err != nil {
		t.Errorf("a crashed holder's lock does not free itself: %v", err)
	}
	again.stop()
}

func TestReadOnlyModeTakesNoLock(t *testing.T) {
	_, err := Acquire(t.Context(), Options{Cluster: serve(t, true), Namespace: "default", Name: "gonogo-mirror", Holder: "ana@bastion (mirror-1) /state"})
	if err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("%v", err)
	}
}

func TestAnEventIsLeft(t *testing.T) {
	c := serve(t, false)
	if err := Announce(t.Context(), c, "default", Event{Lease: "gonogo-mirror", Run: "mirror-1", Who: "ana@bastion", Outcome: "done", Good: true, At: time.Now()}); err != nil {
		t.Error(err)
	}
}

func TestHoldersAreReadBack(t *testing.T) {
	h := Holder("ana (the first)@bastion", "mirror-1", "/a folder")
	if run, ours := Run(h, "/a folder"); run != "mirror-1" || !ours {
		t.Errorf("%q, %v", run, ours)
	}
	if who := Who(h); who != "ana (the first)@bastion (mirror-1)" {
		t.Errorf("%q", who)
	}
	if _, ours := Run(h, "/b"); ours {
		t.Error("another's folder")
	}
	for _, odd := range []string{"", "x", ") /b"} {
		if run, _ := Run(odd, "/b"); run != "" {
			t.Errorf("%q: %q", odd, run)
		}
	}
}
