package defaults_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/defaults"
	"github.com/254carbon/gonogo/probes/probetest"
)

var noon = time.Date(2025, time.October, 20, 12, 0, 0, 0, time.UTC)

type fetcher struct{ client *http.Client }

func (f fetcher) Fetch(ctx context.Context, _ string, r *http.Request) (*http.Response, probes.Request, error) {
	resp, err := f.client.Do(r.WithContext(ctx))
	return resp, probes.Request{}, err
}

// memory is a map that may fail.
type memory struct {
	kept map[string]string
	err  error
}

func (m *memory) Recall(key string) (string, error) { return m.kept[key], m.err }
func (m *memory) Remember(key, text string) error   { m.kept[key] = text; return m.err }

// world is a server that answers for both programs.
type world struct {
	harbor, minio http.HandlerFunc
	memory        *memory
	now           time.Time
	asked         atomic.Int32
}

func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

const (
	unauthorized = `{"errors":[{"code":"UNAUTHORIZED","message":"unauthorized"}]}`
	noSuchKey    = `<?xml version="1.0"?><Error><Code>InvalidAccessKeyId</Code></Error>`
)

func newWorld(t *testing.T, change ...func(*world)) (*world, probes.Probe) {
	t.Helper()
	w := &world{harbor: answer(401, unauthorized), minio: answer(403, noSuchKey), memory: &memory{kept: map[string]string{}}, now: noon}
	for _, c := range change {
		c(w)
	}
	server := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.asked.Add(1)
		user, password, basic := r.BasicAuth()
		switch {
		case r.URL.Path == "/api/v2.0/users/current" && basic && user == "admin" && password == "Harbor12345":
			w.harbor(rw, r)
		case r.URL.Path == "/" && r.Header.Get("X-Amz-Date") != "":
			w.minio(rw, r)
		default:
			rw.WriteHeader(http.StatusTeapot)
		}
	}))
	t.Cleanup(server.Close)
	p := defaults.Params{Harbor: server.URL, MinIO: server.URL + "/"}
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	return w, defaults.New(fetcher{server.Client()}, w.memory, p, func() time.Time { return w.now })
}

func with(change ...func(*world)) func(*testing.T) probes.Probe {
	return func(t *testing.T) probes.Probe { _, p := newWorld(t, change...); return p }
}

func TestDefaults(t *testing.T) {
	harbor := func(f http.HandlerFunc) func(*testing.T) probes.Probe { return with(func(w *world) { w.harbor = f }) }
	minio := func(f http.HandlerFunc) func(*testing.T) probes.Probe { return with(func(w *world) { w.minio = f }) }
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	probetest.Suite{
		New: with(),
		Worlds: []probetest.World{
			{Name: "both refuse", Want: probes.Pass, Says: []string{"2 of 2 refuse"}, Never: []string{"Harbor12345"}, New: with()},
			{Name: "Harbor accepts", Want: probes.Fail, Says: []string{"Harbor accepts", "admin"}, New: harbor(answer(200, `{"username":"admin"}`))},
			{Name: "MinIO accepts", Want: probes.Fail, Says: []string{"MinIO accepts", "minioadmin"}, New: minio(answer(200, `<ListAllMyBucketsResult/>`))},
			{Name: "MinIO knows the key and gives it nothing", Want: probes.Fail, Says: []string{"MinIO accepts"}, New: minio(answer(403, `<Error><Code>AccessDenied</Code></Error>`))},
			{Name: "the key is taken with another secret", Want: probes.Pass, New: minio(answer(403, `<Error><Code>SignatureDoesNotMatch</Code></Error>`))},
			{Name: "one accepts, one is silent", Want: probes.Fail, Says: []string{"Harbor accepts"}, New: with(func(w *world) {
				w.harbor, w.minio = answer(200, `{"username":"admin"}`), answer(503, "")
			})},
		},
		Errors: []probetest.Failure{
			{Name: "a page in Harbor's place", Says: []string{"Harbor", "200"}, New: harbor(answer(200, "<html>"))},
			{Name: "a redirect in Harbor's place", Says: []string{"Harbor", "302"}, New: harbor(answer(302, ""))},
			{Name: "no Harbor", Says: []string{"Harbor", "404"}, New: harbor(answer(404, ""))},
			{Name: "MinIO is down", Says: []string{"MinIO", "503"}, New: minio(answer(503, ""))},
			{Name: "another refusal in MinIO's place", Says: []string{"MinIO", "403"}, New: minio(answer(403, "forbidden"))},
			{Name: "nothing can be remembered", Says: []string{"disk full"}, New: with(func(w *world) { w.memory.err = errors.New("disk full") })},
		},
		Hanging: harbor(hang),
		Secrets: []string{"Harbor12345"},
	}.Run(t)
}

// TestOnceADay holds that nobody is tried twice within a day, whoever asks and whatever came of it.
func TestOnceADay(t *testing.T) {
	w, p := newWorld(t)
	for _, step := range []struct {
		after time.Duration
		asked int32
	}{{0, 2}, {time.Hour, 2}, {defaults.Pause - time.Second, 2}, {defaults.Pause, 4}, {2*defaults.Pause - time.Second, 4}} {
		w.now = noon.Add(step.after)
		obs, err := p.Observe(t.Context())
		if err != nil || obs.Status != probes.Pass || w.asked.Load() != step.asked {
			t.Fatalf("after %s: %s, %v, asked %d times, want %d", step.after, obs.Status, err, w.asked.Load(), step.asked)
		}
		if obs.Confirmed.After(w.now) || w.now.Sub(obs.Confirmed) >= defaults.Pause {
			t.Errorf("after %s it is confirmed at %s", step.after, obs.Confirmed)
		}
	}
	w, p = newWorld(t, func(w *world) { w.harbor = answer(500, "") })
	for range 3 {
		if _, err := p.Observe(t.Context()); err == nil || w.asked.Load() != 2 {
			t.Fatalf("%v, asked %d times", err, w.asked.Load())
		}
	}
}

func TestParams(t *testing.T) {
	for name, p := range map[string]defaults.Params{
		"nothing": {}, "no TLS": {Harbor: "http://h"}, "a credential": {MinIO: "https://a:b@h"}, "a path": {Harbor: "https://h/api"}, "no URL": {MinIO: "h"},
	} {
		if p.Validate() == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if info := defaults.Info(); info.MinEvery < 24*time.Hour || info.Every < info.MinEvery || info.Confirm != 1 {
		t.Errorf("%+v", info)
	}
}
