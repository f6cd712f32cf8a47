package registry

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/254carbon/gonogo/internal/platform/transport"
	"github.com/254carbon/gonogo/probes/images"
)

const password = "Reader-of-a-counting-registry"

// counting is a registry that counts what it is asked. Every repository has the tag v1; of those whose name holds "missing" there is none,
// and those whose name holds "secret" nobody is let see.
type counting struct {
	open       bool // asks for no token
	firstOnly  bool // heeds only the first repository of a request for a token
	allOrNone  bool // refuses a token for all if one repository is secret
	limitAfter int  // manifests, after which it wants fewer requests; 0 for never
	pause      time.Duration

	mu                             sync.Mutex
	pings, tokens, fetched, writes int
	heads                          map[string]int
	flying, most                   int
}

func (c *counting) digest(path string) string {
	return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(path)))
}

func (c *counting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/v2/":
		c.count(func() { c.pings++ })
		if c.open {
			return
		}
		w.Header().Set("Www-Authenticate", `Bearer realm="http://`+r.Host+`/token",service="counting"`)
		w.WriteHeader(http.StatusUnauthorized)
	case r.URL.Path == "/token":
		c.token(w, r)
	case r.Method == http.MethodHead && strings.Contains(r.URL.Path, "/manifests/"):
		c.head(w, r)
	case r.Method == http.MethodGet:
		c.count(func() { c.fetched++ })
	default:
		c.count(func() { c.writes++ })
	}
}

func (c *counting) count(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

func (c *counting) token(w http.ResponseWriter, r *http.Request) {
	c.count(func() { c.tokens++ })
	var allowed []string
	user, given, _ := r.BasicAuth()
	for i, scope := range r.URL.Query()["scope"] {
		secret := strings.Contains(scope, "secret")
		if secret && c.allOrNone {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if !secret && (i == 0 || !c.firstOnly) && (user == "" || given == password) {
			allowed = append(allowed, strings.TrimSuffix(strings.TrimPrefix(scope, "repository:"), ":pull"))
		}
	}
	_ = json.NewEncoder(w).Encode(map[string]string{"token": base64.RawURLEncoding.EncodeToString([]byte("allows " + strings.Join(allowed, " ")))})
}

func (c *counting) head(w http.ResponseWriter, r *http.Request) {
	sent := 0
	c.count(func() {
		if c.heads == nil {
			c.heads = map[string]int{}
		}
		c.heads[r.URL.Path]++
		c.flying++
		c.most = max(c.most, c.flying)
		sent = len(c.heads)
	})
	defer c.count(func() { c.flying-- })
	time.Sleep(c.pause)
	repository, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/"), "/manifests/")
	token, _ := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	switch {
	case c.limitAfter > 0 && sent > c.limitAfter:
		w.Header().Set("Retry-After", "60")
		w.WriteHeader(http.StatusTooManyRequests)
	case !c.open && !slices.Contains(strings.Fields(string(token)), repository):
		w.Header().Set("Www-Authenticate", `Bearer realm="http://`+r.Host+`/token",service="counting",scope="repository:`+repository+`:pull"`)
		w.WriteHeader(http.StatusUnauthorized)
	case strings.Contains(repository, "missing"):
		w.WriteHeader(http.StatusNotFound)
	default:
		w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
		w.Header().Set("Content-Length", "123")
		w.Header().Set("Docker-Content-Digest", c.digest(r.URL.Path))
	}
}

// heads serves a registry and asks it for repositories, each by its tag v1.
func heads(t *testing.T, c *counting, o Options, repositories ...string) map[string]images.Head {
	t.Helper()
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	o.Transport = transport.New(transport.Options{ReadOnly: true})
	client, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	host := server.Listener.Addr().String()
	var references []string
	for _, r := range repositories {
		references = append(references, host+"/"+r+":v1", host+"/"+r+":v1")
	}
	found := map[string]images.Head{}
	for reference, head := range client.Heads(t.Context(), references) {
		name := strings.TrimSuffix(strings.TrimPrefix(reference, host+"/"), ":v1")
		if want := c.digest("/v2/" + name + "/manifests/v1"); head.Err == nil && head.Digest != want {
			t.Errorf("%s: digest %s, want %s", name, head.Digest, want)
		}
		if head.At.IsZero() || !strings.Contains(head.Request.Source, "/v2/"+name+"/manifests/v1") {
			t.Errorf("%s: %+v", name, head)
		}
		found[name] = head
	}
	if len(found) != len(repositories) || c.fetched != 0 || c.writes != 0 {
		t.Errorf("%d answers to %d questions, %d manifests fetched, %d writes", len(found), len(repositories), c.fetched, c.writes)
	}
	return found
}

func many(n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("project/team-%d/image-%03d", i%7, i))
	}
	return all
}

func reader(context.Context) (string, string, error) { return "robot$reader", password, nil }

// TestManyImages holds what asking costs a registry: for 200 images 200 HEADs, no manifest, at most eight requests at once, and a handful
// of tokens.
func TestManyImages(t *testing.T) {
	for name, c := range map[string]*counting{"with tokens": {pause: 2 * time.Millisecond}, "open": {pause: 2 * time.Millisecond, open: true}} {
		t.Run(name, func(t *testing.T) {
			heads := heads(t, c, Options{Credential: reader}, many(200)...)
			for name, head := range heads {
				if head.Err != nil {
					t.Errorf("%s: %v", name, head.Err)
				}
			}
			for path, n := range c.heads {
				if n != 1 {
					t.Errorf("%s was asked for %d times", path, n)
				}
			}
			t.Logf("%d HEADs, at most %d at once, %d tokens, %d pings", len(c.heads), c.most, c.tokens, c.pings)
			if len(c.heads) != 200 || c.most > Parallel || c.most < 2 || c.tokens > 4 || c.pings != 1 {
				t.Errorf("%d HEADs, at most %d at once, %d tokens, %d pings", len(c.heads), c.most, c.tokens, c.pings)
			}
		})
	}
}

// TestAnswers tells apart what a registry can say.
func TestAnswers(t *testing.T) {
	for _, test := range []struct {
		name         string
		registry     *counting
		options      Options
		repositories []string
		refused      []string // of them, refused; those called missing are missing
		tokens       int
		heads        int // of all of them; 0 for one of each, -1 for none
	}{
		{name: "all there", registry: &counting{}, repositories: []string{"a", "b/c"}, tokens: 1},
		{name: "one missing", registry: &counting{}, repositories: []string{"a", "missing"}, tokens: 1},
		{name: "one is not to be seen", registry: &counting{}, repositories: []string{"a", "secret"}, refused: []string{"secret"}, tokens: 2, heads: 3},
		{name: "the credential is wrong", registry: &counting{}, repositories: []string{"a", "b", "c"}, refused: []string{"a", "b", "c"}, tokens: 1,
			options: Options{Credential: func(context.Context) (string, string, error) { return "robot$reader", "wrong", nil }}},
		{name: "only the first of a token's repositories counts", registry: &counting{firstOnly: true}, repositories: []string{"a", "b", "c"}, tokens: 3, heads: 5},
		{name: "no token for all if one is not to be seen", registry: &counting{allOrNone: true}, repositories: []string{"a", "secret", "z"}, refused: []string{"secret"}, tokens: 4, heads: 2},
		{name: "no token, and a credential that could be locked", registry: &counting{allOrNone: true}, options: Options{Credential: reader}, repositories: []string{"a", "secret"},
			refused: []string{"a", "secret"}, tokens: 1, heads: -1},
	} {
		t.Run(test.name, func(t *testing.T) {
			heads := heads(t, test.registry, test.options, test.repositories...)
			for name, head := range heads {
				missing, refused := strings.Contains(name, "missing"), slices.Contains(test.refused, name)
				if errors.Is(head.Err, images.ErrMissing) != missing || errors.Is(head.Err, images.ErrRefused) != refused || (head.Err == nil) != (!missing && !refused) {
					t.Errorf("%s: %v", name, head.Err)
				}
			}
			total, want := 0, len(test.repositories)
			for _, n := range test.registry.heads {
				total += n
			}
			if test.heads != 0 {
				want = max(0, test.heads)
			}
			if test.registry.tokens != test.tokens || total != want {
				t.Errorf("%d tokens and %d HEADs, want %d and %d", test.registry.tokens, total, test.tokens, want)
			}
		})
	}
}

// TestLimited holds that a registry that has had enough is left alone, and that the answer says for how long.
func TestLimited(t *testing.T) {
	c := &counting{limitAfter: 20}
	heads := heads(t, c, Options{}, many(100)...)
	limited := 0
	for name, head := range heads {
		var limit *images.LimitedError
		if errors.As(head.Err, &limit) {
			limited++
			if limit.After != time.Minute {
				t.Errorf("%s: to wait %s", name, limit.After)
			}
		} else if head.Err != nil {
			t.Errorf("%s: %v", name, head.Err)
		}
	}
	if sent := len(c.heads); limited != 80 || sent > 20+Parallel {
		t.Errorf("%d limited, %d sent", limited, sent)
	}
}

func TestRetryAfter(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, " 7 ": 7 * time.Second, "-7": 0, "soon": 0, "999999999": maxWait, "99999999999999999999": 0,
		"Mon, 20 Oct 2025 12:01:30 GMT": 90 * time.Second, "Mon, 20 Oct 2025 11:00:00 GMT": 0, "Mon, 20 Oct 2035 11:00:00 GMT": maxWait,
	} {
		resp := &http.Response{Header: http.Header{"Retry-After": {text}, "Date": {"Mon, 20 Oct 2025 12:00:00 GMT"}}}
		if got := retryAfter(resp); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// TestNowhere holds what a reference leads to that leads to no registry.
func TestNowhere(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	elsewhere := httptest.NewServer(http.RedirectHandler("https://login.example.com/", http.StatusFound))
	defer elsewhere.Close()
	client, err := New(Options{Transport: transport.New(transport.Options{}), Plain: true})
	if err != nil {
		t.Fatal(err)
	}
	for reference, says := range map[string]string{
		"UPPER/case":                           "no reference",
		"a b":                                  "no reference",
		"":                                     "no reference",
		gone.Listener.Addr().String() + "/a:1": "refused",
		elsewhere.Listener.Addr().String() + "/a:1":   "redirects (302) to https://login.example.com/",
		gone.Listener.Addr().String() + "/a@sha256:1": "no reference",
	} {
		head, ok := client.Heads(t.Context(), []string{reference})[reference]
		if !ok || head.Err == nil || !strings.Contains(head.Err.Error(), says) {
			t.Errorf("%q: %v, want %q", reference, head.Err, says)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	reference := gone.Listener.Addr().String() + "/a:1"
	if head := client.Heads(ctx, []string{reference})[reference]; !errors.Is(head.Err, context.Canceled) {
		t.Errorf("an ended context: %v", head.Err)
	}
	if _, err := New(Options{}); err == nil {
		t.Error("a client without a transport was made")
	}
}

// TestPlain holds that nothing goes out without TLS to a place that is not this machine, unless the client is made for it.
func TestPlain(t *testing.T) {
	asked := 0
	rt := roundTrip(func(r *http.Request) (*http.Response, error) {
		asked++
		if r.URL.Scheme == "https" {
			return nil, errors.New("connection refused")
		}
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"x/y"}, "Docker-Content-Digest": {"sha256:" + strings.Repeat("0", 64)}},
			ContentLength: 1, Body: http.NoBody, Request: r}, nil
	})
	for _, test := range []struct {
		host  string
		plain bool
		works bool
	}{{"registry.example.com", false, false}, {"registry.local", false, false}, {"10.0.0.1:5000", false, false}, {"127.0.0.1:5000", false, true}, {"registry.example.com", true, true}} {
		client, err := New(Options{Transport: rt, Plain: test.plain})
		if err != nil {
			t.Fatal(err)
		}
		head := client.Heads(t.Context(), []string{test.host + "/a:1"})[test.host+"/a:1"]
		if (head.Err == nil) != test.works {
			t.Errorf("%+v: %v", test, head.Err)
		}
	}
	if asked == 0 {
		t.Error("nothing was sent")
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestInternal holds that Harbor's internal registry is named as the wrong door, and that no credential is shown to it.
func TestInternal(t *testing.T) {
	shown := false
	door := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown = shown || r.Header.Get("Authorization") != ""
		w.Header().Set("Www-Authenticate", `Basic realm="harbor-registry-basic-realm"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer door.Close()
	host := door.Listener.Addr().String()
	client, err := New(Options{Transport: transport.New(transport.Options{}), Credential: reader, Mirror: host, Plain: true})
	if err != nil {
		t.Fatal(err)
	}
	head := client.Heads(t.Context(), []string{host + "/a:1"})[host+"/a:1"]
	if head.Err == nil || errors.Is(head.Err, images.ErrRefused) || !strings.Contains(head.Err.Error(), "internal registry") || shown {
		t.Errorf("%v, a credential was shown: %t", head.Err, shown)
	}
}
