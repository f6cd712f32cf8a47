package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/internal/sim/kubeapi"
)

func isWatch(r *http.Request) bool { return r.URL.Query().Get("watch") == "true" }

// status answers like an API server that refuses.
func status(w http.ResponseWriter, code int, reason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":%q,"reason":%q,"code":%d}`, message, reason, code)
}

func TestBookmarksConfirm(t *testing.T) {
	a := newAPI(t, kubeapi.Options{BookmarkInterval: 10 * time.Millisecond})
	a.add(t, node("a"))
	c := connect(t, a.URL, quick())
	first, err := c.Nodes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "a bookmark confirms what is known", func() bool {
		seen, err := c.Nodes(t.Context())
		return err == nil && seen.Confirmed.Sub(first.Confirmed) > 30*time.Millisecond
	})
	if n := len(a.requests()); n != 1 {
		t.Errorf("%d requests, want one watch", n)
	}
}

func TestIdleWatchIsCutAndMadeAnew(t *testing.T) {
	a := newAPI(t, kubeapi.Options{BookmarkInterval: time.Hour})
	a.add(t, node("a"))
	l := quick()
	l.idle = 100 * time.Millisecond
	c := connect(t, a.URL, l)
	first, err := c.Nodes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "a silent watch is made anew", func() bool {
		seen, err := c.Nodes(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return seen.Confirmed.After(first.Confirmed)
	})
	for _, r := range a.requests() {
		if !strings.Contains(r.Query, "watch=true") {
			t.Errorf("a list: %v", r)
		}
	}
}

func TestServerThatHangsAfterTheFirstAnswer(t *testing.T) {
	a := newAPI(t, kubeapi.Options{BookmarkInterval: time.Hour})
	a.add(t, node("a"))
	l := quick()
	l.idle, l.gone = 50*time.Millisecond, 300*time.Millisecond
	c := connect(t, a.URL, l)
	first, err := c.Nodes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a.intercept(func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true })
	served := 0
	eventually(t, "the answer becomes an error", func() bool {
		seen, err := c.Nodes(t.Context())
		if err == nil {
			served++
			if !seen.Confirmed.Equal(first.Confirmed) && len(a.requests()) > 0 && seen.Confirmed.Sub(first.Confirmed) > time.Second {
				t.Fatal("nothing confirmed it")
			}
			return false
		}
		return strings.Contains(err.Error(), "no answer from "+a.URL)
	})
	if served == 0 {
		t.Error("what was known was not served while it was young")
	}
	a.intercept(nil)
	a.CloseClientConnections()
	eventually(t, "it recovers", func() bool { _, err := c.Nodes(t.Context()); return err == nil })
}

func TestFailuresOfTheFirstAnswer(t *testing.T) {
	huge := func(contentType string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", contentType)
			_, _ = w.Write([]byte(`{"kind":"NodeList","apiVersion":"v1","items":[{"metadata":{"name":"`))
			chunk := []byte(strings.Repeat("x", 1<<20))
			for range 1 << 10 {
				if _, err := w.Write(chunk); err != nil {
					break
				}
			}
			return true
		}
	}
	tests := []struct {
		name   string
		answer func(http.ResponseWriter, *http.Request) bool
		want   string
		is     func(error) bool
	}{
		{"expired token", func(w http.ResponseWriter, _ *http.Request) bool {
			status(w, 401, "Unauthorized", "Unauthorized")
			return true
		}, "refuses the credential", apierrors.IsUnauthorized},
		{"no right", func(w http.ResponseWriter, _ *http.Request) bool {
			status(w, 403, "Forbidden", `nodes is forbidden: User "x" cannot list resource "nodes" in API group "" at the cluster scope`)
			return true
		}, `a right is missing: nodes is forbidden: User "x" cannot list resource "nodes"`, apierrors.IsForbidden},
		{"500", func(w http.ResponseWriter, _ *http.Request) bool {
			status(w, 500, "InternalError", "etcd is gone")
			return true
		}, "etcd is gone", apierrors.IsInternalError},
		{"reset", func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }, "no connection to http://127.0.0.1", nil},
		{"garbage", func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte("\x1b[2J<<<not json>>>"))
			return true
		}, "not what a Kubernetes API server says", nil},
		{"a web page", func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte("<html>log in</html>"))
			return true
		}, "not what a Kubernetes API server says", nil},
		{"not a list", func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"kind":"Node","apiVersion":"v1","metadata":{"name":"a"}}`))
			return true
		}, "not what a Kubernetes API server says", nil},
		{"huge", huge("application/json"), "larger than 1 MiB", nil},
		{"huge and unknown", huge("application/octet-stream"), "larger than 1 MiB", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newAPI(t, kubeapi.Options{})
			a.intercept(tt.answer)
			l := quick()
			l.body, l.event = 1<<20, 1<<20
			c := connect(t, a.URL, l)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			_, err := c.Nodes(ctx)
			runtime.ReadMemStats(&after)
			if err == nil || strings.Contains(err.Error(), "listing nodes") || !strings.Contains(err.Error(), tt.want) || ctx.Err() != nil {
				t.Fatalf("error %v, want it to say %q before the deadline", err, tt.want)
			}
			if tt.is != nil && !tt.is(err) {
				t.Errorf("%v is of the wrong kind", err)
			}
			if strings.ContainsRune(err.Error(), '\x1b') {
				t.Errorf("%q has control sequences", err)
			}
			if got := (after.TotalAlloc - before.TotalAlloc) >> 20; got > 200 {
				t.Errorf("allocated %d MiB", got)
			}
		})
	}
}

func TestHangingServerIsToldWithinTheDeadline(t *testing.T) {
	a := newAPI(t, kubeapi.Options{})
	a.intercept(func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true })
	c := connect(t, a.URL, quick())
	ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := c.Nodes(ctx)
	if took := time.Since(began); took > time.Second {
		t.Errorf("took %s", took)
	}
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(fmt.Sprint(err), "no answer from "+a.URL) {
		t.Errorf("error %v", err)
	}
}

func TestServerGoesAwayAndComesBack(t *testing.T) {
	a := newAPI(t, kubeapi.Options{})
	a.add(t, node("a"))
	l := quick()
	l.gone = 200 * time.Millisecond
	c := connect(t, a.URL, l)
	if _, err := c.Nodes(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.requests()
	a.intercept(func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) })
	a.CloseClientConnections()
	if _, err := c.Nodes(t.Context()); err != nil {
		t.Errorf("the first moment without connection: %v", err)
	}
	eventually(t, "the absence is told", func() bool {
		_, err := c.Nodes(t.Context())
		return err != nil && strings.Contains(err.Error(), "no connection to "+a.URL)
	})
	a.add(t, node("b"))
	a.intercept(nil)
	eventually(t, "what happened meanwhile is seen", func() bool {
		seen, err := c.Nodes(t.Context())
		return err == nil && len(seen.Items) == 2
	})
	for _, r := range a.requests() {
		if !strings.Contains(r.Query, "watch=true") || strings.Contains(r.Query, "sendInitialEvents") {
			t.Errorf("asked for everything again: %v", r)
		}
	}
}

// Nothing changed meanwhile, so no event wakes the readers that were told of the absence.
func TestReadersAreWokenWhenTheServerIsBack(t *testing.T) {
	a := newAPI(t, kubeapi.Options{})
	a.add(t, node("a"))
	l := quick()
	l.gone = 100 * time.Millisecond
	c := connect(t, a.URL, l)
	woken := make(chan error, 1) // what the newest awakened reader was told
	stop := c.Watch(nodesResource, func() {
		go func() {
			_, err := c.Nodes(t.Context())
			select {
			case <-woken:
			default:
			}
			select {
			case woken <- err:
			default:
			}
		}()
	})
	defer stop()
	told := func(what string, want func(error) bool) {
		t.Helper()
		for end := time.After(10 * time.Second); ; {
			select {
			case err := <-woken:
				if want(err) {
					return
				}
			case <-end:
				t.Fatal(what + ": no reader was woken to see it")
			}
		}
	}
	if _, err := c.Nodes(t.Context()); err != nil {
		t.Fatal(err)
	}
	told("the nodes", func(err error) bool { return err == nil })
	a.intercept(func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) })
	a.CloseClientConnections()
	told("the absence", func(err error) bool { return err != nil })
	a.intercept(nil)
	told("the return", func(err error) bool { return err == nil })
}

func TestExpiredWatchSeesTheWholeAgain(t *testing.T) {
	a := newAPI(t, kubeapi.Options{Store: kubeapi.NewStore(kubeapi.StoreOptions{History: 5})})
	a.add(t, node("a"))
	c := connect(t, a.URL, quick())
	if _, err := c.Nodes(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.intercept(func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) })
	a.CloseClientConnections()
	for i := range 50 {
		a.add(t, node(fmt.Sprintf("n%02d", i)))
	}
	if err := a.sim.Store().Delete(nodesResource, "", "a"); err != nil {
		t.Fatal(err)
	}
	a.intercept(nil)
	eventually(t, "everything is seen", func() bool {
		seen, err := c.Nodes(t.Context())
		return err == nil && len(seen.Items) == 50 && seen.Items[0].Name == "n00"
	})
}

func TestServerWithoutInitialStreamsIsListedInPages(t *testing.T) {
	a := newAPI(t, kubeapi.Options{})
	for i := range 25 {
		a.add(t, node(fmt.Sprintf("n%02d", i)))
	}
	a.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Has("sendInitialEvents") {
			status(w, 422, "Invalid", "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled")
			return true
		}
		return false
	})
	l := quick()
	l.page = 10
	c := connect(t, a.URL, l)
	seen, err := c.Nodes(t.Context())
	if err != nil || len(seen.Items) != 25 {
		t.Fatalf("%d nodes, %v", len(seen.Items), err)
	}
	a.add(t, node("x"))
	eventually(t, "the watch goes on", func() bool { seen, _ := c.Nodes(t.Context()); return len(seen.Items) == 26 })
	pages, streams := 0, 0
	for _, r := range a.requests() {
		if strings.Contains(r.Query, "limit=10") {
			pages++
		}
		if strings.Contains(r.Query, "sendInitialEvents") {
			streams++
		}
	}
	if pages != 3 || streams != 1 {
		t.Errorf("%d pages and %d streams, want 3 and 1", pages, streams)
	}
}

func TestPagesThatAreTooLargeShrink(t *testing.T) {
	a := newAPI(t, kubeapi.Options{})
	for i := range 20 {
		n := node(fmt.Sprintf("n%02d", i))
		n.Labels["large"] = strings.Repeat("x", 10_000)
		a.add(t, n)
	}
	a.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if isWatch(r) && r.URL.Query().Has("sendInitialEvents") {
			status(w, 400, "BadRequest", "unknown")
			return true
		}
		return false
	})
	l := quick()
	l.body = 50_000
	c := connect(t, a.URL, l)
	if seen, err := c.Nodes(t.Context()); err != nil || len(seen.Items) != 20 {
		t.Errorf("%d nodes, %v", len(seen.Items), err)
	}
}

var widgets = schema.GroupVersionResource{Group: "example.com", Version: "v1", Resource: "widgets"}

func TestAbsentResourceIsNotAskedForAgainAndAgain(t *testing.T) {
	a := newAPI(t, kubeapi.Options{})
	l := quick()
	l.recheck = 100 * time.Millisecond
	c := connect(t, a.URL, l)
	for range 50 {
		if _, err := c.List(t.Context(), widgets, ""); !apierrors.IsNotFound(err) || !strings.Contains(err.Error(), "does not serve") {
			t.Fatalf("error %v", err)
		}
	}
	if n := len(a.requests()); n > 2 {
		t.Errorf("%d requests for what is not there", n)
	}
	time.Sleep(3 * l.recheck) // nobody asks: nothing is sent
	if n := len(a.requests()); n > 0 {
		t.Errorf("%d requests that nobody asked for", n)
	}
	a.intercept(func(_ http.ResponseWriter, r *http.Request) bool { // the resource is installed
		r.URL.Path = strings.Replace(r.URL.Path, "/apis/example.com/v1/widgets", "/api/v1/nodes", 1)
		return false
	})
	a.add(t, node("a"))
	eventually(t, "the new resource is found", func() bool {
		seen, err := c.List(t.Context(), widgets, "")
		return err == nil && len(seen.Items) == 1
	})
}

func TestOneWatchForManyReaders(t *testing.T) {
	a := newAPI(t, kubeapi.Options{})
	a.add(t, node("a"))
	c := connect(t, a.URL, quick())
	var wrong atomic.Int32
	done := make(chan struct{})
	for range 20 {
		go func() {
			defer func() { done <- struct{}{} }()
			if seen, err := c.Nodes(t.Context()); err != nil || len(seen.Items) != 1 {
				wrong.Add(1)
			}
		}()
	}
	for range 20 {
		<-done
	}
	if n := len(a.requests()); n != 1 || wrong.Load() != 0 {
		t.Errorf("%d requests, %d wrong answers", n, wrong.Load())
	}
}

func TestReadsAfterCloseAreErrors(t *testing.T) {
	a := newAPI(t, kubeapi.Options{})
	a.add(t, node("a"))
	c := connect(t, a.URL, quick())
	if _, err := c.Nodes(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.Close()
	if _, err := c.Nodes(t.Context()); !errors.Is(err, errClosed) {
		t.Errorf("nodes after close: %v", err)
	}
	if _, err := c.Pods(t.Context(), ""); !errors.Is(err, errClosed) {
		t.Errorf("pods after close: %v", err)
	}
	if _, _, err := c.Transport(t.Context(), ServiceTarget{Namespace: "a", Name: "b", Port: "1"}); !errors.Is(err, errClosed) {
		t.Errorf("a way to a service after close: %v", err)
	}
}

func TestOpenSendsNothing(t *testing.T) {
	a := newAPI(t, kubeapi.Options{})
	c := connect(t, a.URL, quick())
	stop := c.Watch(nodesResource, func() {})
	stop()
	if n := len(a.requests()); n != 0 {
		t.Errorf("%d requests", n)
	}
}
