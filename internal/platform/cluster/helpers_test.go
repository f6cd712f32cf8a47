package cluster

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"k8s.io/client-go/rest"

	"github.com/254carbon/gonogo/internal/sim/kubeapi"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// A SPDY connection whose other side has closed it already waits another second for somebody to ask how it went,
		goleak.IgnoreTopFunction("github.com/moby/spdystream.(*Connection).shutdown"),
		// and a stream that was asked of one that is ending waits for its half minute.
		goleak.IgnoreTopFunction("github.com/moby/spdystream.(*Stream).WaitTimeout"),
	)
}

// asked is one request that a server of a test got.
type asked struct {
	Method, Path, Query string
}

// fakeAPI is an API server of a test: the simulated one with something before it.
type fakeAPI struct {
	*httptest.Server
	sim *kubeapi.Server

	mu     sync.Mutex
	before func(http.ResponseWriter, *http.Request) bool // answers itself if it returns true
	asked  []asked
}

func newAPI(t *testing.T, o kubeapi.Options) *fakeAPI {
	t.Helper()
	a := &fakeAPI{sim: kubeapi.New(o)}
	a.Server = httptest.NewServer(a)
	t.Cleanup(func() {
		a.sim.Close()
		a.CloseClientConnections()
		a.Close()
	})
	return a
}

func (a *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	a.asked = append(a.asked, asked{r.Method, r.URL.Path, r.URL.RawQuery})
	before := a.before
	a.mu.Unlock()
	if before != nil && before(w, r) {
		return
	}
	a.sim.ServeHTTP(w, r)
}

// intercept sets what comes before the simulated server; nil for nothing.
func (a *fakeAPI) intercept(f func(http.ResponseWriter, *http.Request) bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.before = f
}

// requests returns what was asked since the last call.
func (a *fakeAPI) requests() []asked {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := a.asked
	a.asked = nil
	return all
}

func (a *fakeAPI) add(t *testing.T, objects ...any) {
	t.Helper()
	for _, o := range objects {
		if _, err := a.sim.Store().Create(o); err != nil {
			t.Fatal(err)
		}
	}
}

// quick are limits for tests on real sockets.
func quick() limits {
	l := defaultLimits()
	l.call, l.header, l.initial = 5*time.Second, 5*time.Second, 10*time.Second
	l.settle, l.backoff, l.maxPause = 20*time.Millisecond, 5*time.Millisecond, 50*time.Millisecond
	return l
}

// connect opens a cluster over a server's URL.
func connect(t *testing.T, url string, l limits, edit ...func(*Options)) *Cluster {
	t.Helper()
	o := Options{RESTConfig: &rest.Config{Host: url}, Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))}
	for _, e := range edit {
		e(&o)
	}
	c, err := open(o, l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// eventually waits until a condition holds, which some other goroutine makes it do.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("it did not happen within 10s: %s", what)
}
