package cloudflare

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	sim "github.com/254carbon/gonogo/internal/sim/cloudflare"
)

// inMemory calls a handler without a network, so that time can be simulated.
type inMemory func(w http.ResponseWriter, r *http.Request)

func (f inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	f(w, r)
	return w.Result(), nil
}

func newClient(t *testing.T, transport http.RoundTripper) *Client {
	t.Helper()
	c, err := New(Options{
		BaseURL: "https://api.example.com/client/v4/", Transport: transport,
		Account: func(context.Context) (string, error) { return sim.AccountID, nil },
		Token:   func(context.Context) (string, error) { return sim.DemoCredentials().Reader, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func ready(o sim.Options) *sim.Server {
	return sim.New(sim.Ready(time.Now(), sim.DemoCredentials()), o)
}

// Ten requests go at once, then two a second; nothing of the environment is used; nothing is sent to another address.
func TestPace(t *testing.T) {
	for _, name := range []string{"CLOUDFLARE_API_TOKEN", "CLOUDFLARE_API_KEY", "CLOUDFLARE_EMAIL", "CLOUDFLARE_BASE_URL"} {
		t.Setenv(name, "https://environment.example.com")
	}
	synctest.Test(t, func(t *testing.T) {
		server := ready(sim.Options{})
		c := newClient(t, inMemory(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Host != "api.example.com" || r.Header.Get("Authorization") != "Bearer "+sim.DemoCredentials().Reader || r.Header.Get("X-Auth-Key") != "" {
				t.Errorf("%s %v", r.URL, r.Header)
			}
			server.ServeHTTP(w, r)
		}))
		began := time.Now()
		for range burst + 4 {
			if _, err := c.Tunnel(t.Context(), "", sim.TunnelName); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("took %s", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := c.Tunnel(ctx, "", sim.TunnelName); err == nil || !strings.Contains(err.Error(), "waiting for a turn") {
			t.Errorf("no time to wait: %v", err)
		}
	})
}

// Near the limit the client stops by itself until there are more requests, and leaves the rest to people.
func TestLeavesAReserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		server := ready(sim.Options{Quota: reserve + 3})
		c := newClient(t, inMemory(func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			server.ServeHTTP(w, r)
		}))
		for i := range 8 {
			_, err := c.Tunnel(t.Context(), "", sim.TunnelName)
			if blocked := err != nil && strings.Contains(err.Error(), "left for others: not asking before"); blocked != (i >= 4) {
				t.Errorf("request %d: %v", i, err)
			}
		}
		if asked.Load() != 4 {
			t.Errorf("asked %d times", asked.Load())
		}
		time.Sleep(windowed)
		if _, err := c.Tunnel(t.Context(), "", sim.TunnelName); err != nil {
			t.Errorf("after the window: %v", err)
		}
	})
}

const windowed = 5*time.Minute + time.Second

// A block is honoured by not asking, and no longer than is sensible, whatever Retry-After says. Another token is not blocked.
func TestBlockIsHonoured(t *testing.T) {
	for _, test := range []struct {
		header string
		want   time.Duration
	}{{"60", time.Minute}, {"", 5 * time.Minute}, {"999999", maxBlock}, {"-5", 5 * time.Minute}, {"0", time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			var asked atomic.Int32
			server := ready(sim.Options{})
			c := newClient(t, inMemory(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") != "Bearer "+sim.DemoCredentials().Reader {
					server.ServeHTTP(w, r)
					return
				}
				asked.Add(1)
				w.Header().Set("Content-Type", "application/json")
				if test.header != "" {
					w.Header().Set("Retry-After", test.header)
				}
				w.WriteHeader(http.StatusTooManyRequests)
				_, _ = io.WriteString(w, `{"success":false,"errors":[],"result":null}`)
			}))
			until := time.Now().Add(test.want).UTC().Format("15:04:05")
			for range 3 {
				if _, err := c.Tunnel(t.Context(), "", sim.TunnelName); err == nil || !strings.Contains(err.Error(), "not asking before "+until) {
					t.Errorf("%q: %v", test.header, err)
				}
			}
			if token, err := c.Verify(t.Context(), sim.DemoCredentials().Platform); err != nil || token.Status != "active" {
				t.Errorf("another token: %+v, %v", token, err)
			}
			time.Sleep(test.want - time.Millisecond)
			_, _ = c.Tunnel(t.Context(), "", sim.TunnelName)
			if asked.Load() != 1 {
				t.Errorf("%q: asked %d times within the block", test.header, asked.Load())
			}
			time.Sleep(2 * time.Millisecond)
			_, _ = c.Tunnel(t.Context(), "", sim.TunnelName)
			if asked.Load() != 2 {
				t.Errorf("%q: asked %d times after the block", test.header, asked.Load())
			}
		})
	}
}

// resetting breaks connections a number of times.
type resetting struct {
	left, asked int
	next        http.RoundTripper
}

func (r *resetting) RoundTrip(req *http.Request) (*http.Response, error) {
	r.asked++
	if r.left > 0 {
		r.left--
		return nil, syscall.ECONNRESET
	}
	return r.next.RoundTrip(req)
}

// A read is repeated once after a reset, nothing is repeated after an answer.
func TestRetries(t *testing.T) {
	once := &resetting{left: 1, next: inMemory(ready(sim.Options{}).ServeHTTP)}
	if _, err := newClient(t, once).Tunnel(t.Context(), "", sim.TunnelName); err != nil || once.asked != 2 {
		t.Errorf("%v, asked %d times", err, once.asked)
	}
	twice := &resetting{left: 2, next: once.next}
	if _, err := newClient(t, twice).Tunnel(t.Context(), "", sim.TunnelName); err == nil || twice.asked != 2 {
		t.Errorf("%v, asked %d times", err, twice.asked)
	}
	for _, status := range []int{409, 500, 502, 503} {
		failing := &resetting{next: inMemory(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })}
		if _, err := newClient(t, failing).Tunnel(t.Context(), "", sim.TunnelName); err == nil || failing.asked != 1 {
			t.Errorf("status %d: %v, asked %d times", status, err, failing.asked)
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	redirecting := &resetting{next: inMemory(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://elsewhere.example.com/", http.StatusFound)
	})}
	if _, err := newClient(t, redirecting).Tunnel(t.Context(), "", sim.TunnelName); err == nil || redirecting.asked != 1 {
		t.Errorf("%v, asked %d times", err, redirecting.asked)
	}
}

func TestBudget(t *testing.T) {
	for _, test := range []struct {
		headers []string
		left    int
		reset   time.Duration
		ok      bool
	}{
		{nil, 0, 0, false},
		{[]string{`"default";r=1199;t=300`}, 1199, 300 * time.Second, true},
		{[]string{`"default"; r=10 ; t=5, "burst";r=3;t=1`}, 3, time.Second, true},
		{[]string{`"a";r=7;t=2`, `"b";r=5;t=9`}, 5, 9 * time.Second, true},
		{[]string{`"default";r=-1;t=5`}, 0, 0, false},
		{[]string{`"default";r=1`}, 0, 0, false},
		{[]string{`"default";r=0;t=9999999`}, 0, maxBlock, true},
	} {
		left, reset, ok := budget(test.headers)
		if left != test.left || reset != test.reset || ok != test.ok {
			t.Errorf("%q: %d, %s, %v", test.headers, left, reset, ok)
		}
	}
}

func FuzzBudget(f *testing.F) {
	for _, seed := range []string{`"default";r=1199;t=300`, `r=1;t=1,r=2;t=`, ";;;,,,=", `"d";r=99999999999999999999;t=1`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		left, reset, ok := budget([]string{header})
		if left < 0 || reset < 0 || reset > maxBlock || !ok && (left != 0 || reset != 0) {
			t.Errorf("%d, %s, %v", left, reset, ok)
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"60", "-1", "Mon, 20 Oct 2025 12:00:00 GMT", "1e9", "99999999999999999999"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		if wait := retryAfter(header, time.Unix(1760961600, 0)); wait < time.Second || wait > maxBlock {
			t.Errorf("%s", wait)
		}
	})
}
