package prom

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/254carbon/gonogo/internal/platform/transport"
	"github.com/254carbon/gonogo/probes"
)

const good = `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"job":"a"},"value":[1760961607.5,"3"]}]}}`

// answering serves one answer to everything.
func answering(t *testing.T, status int, body string) *Client {
	t.Helper()
	return serving(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

func serving(t *testing.T, handler http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c, err := New(Options{BaseURL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestOnlyGet(t *testing.T) {
	var seen []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Method+" "+r.URL.RequestURI())
		_, _ = io.WriteString(w, good)
	}))
	defer server.Close()
	// As through the service proxy, with a credential that may only read.
	guarded := transport.Client(transport.New(transport.Options{ReadOnly: true, Kubernetes: true}))
	c, err := New(Options{BaseURL: server.URL + "/api/v1/namespaces/m/services/http:p:9090/proxy/", Client: guarded})
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Query(t.Context(), `count by (job) (up == 1)`)
	if err != nil {
		t.Fatal(err)
	}
	const path = "/api/v1/namespaces/m/services/http:p:9090/proxy/api/v1/query"
	want := "GET " + path + "?query=count+by+%28job%29+%28up+%3D%3D+1%29"
	if len(seen) != 1 || seen[0] != want {
		t.Errorf("sent %q, want %q", seen, want)
	}
	if !strings.HasPrefix(got.Request.Source, "GET "+server.URL+path+"?query=") {
		t.Errorf("source %q", got.Request.Source)
	}
	if want := `curl -fsS -G --data-urlencode 'query=count by (job) (up == 1)' ` + server.URL + path; got.Request.Repeat != want {
		t.Errorf("repeat %q, want %q", got.Request.Repeat, want)
	}
}

func TestAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		body, want, note string
	}{
		"vector":     {good, `[{job="a"} => 3 @[1760961607.5]]`, ""},
		"scalar":     {`{"status":"success","data":{"resultType":"scalar","result":[1760961607,"NaN"]}}`, `[{} => NaN @[1760961607]]`, ""},
		"empty":      {`{"status":"success","data":{"resultType":"vector","result":[]}}`, `[]`, ""},
		"infinity":   {`{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"+Inf"]}]}}`, `[{} => +Inf @[1]]`, ""},
		"warnings":   {strings.Replace(good, `"data"`, `"warnings":["results truncated due to limit","x"],"data"`, 1), `[{job="a"} => 3 @[1760961607.5]]`, "the answer is partial: results truncated due to limit; x"},
		"infos":      {strings.Replace(good, `"data"`, `"infos":["metric might not be a counter"],"data"`, 1), `[{job="a"} => 3 @[1760961607.5]]`, ""},
		"new fields": {strings.Replace(good, `"data"`, `"stats":{},"data"`, 1), `[{job="a"} => 3 @[1760961607.5]]`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			seen, err := answering(t, 200, c.body).Query(t.Context(), "up")
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(seen.Items); got != c.want || seen.Note != c.note || seen.Confirmed.IsZero() {
				t.Errorf("%s, note %q, want %s, %q", got, seen.Note, c.want, c.note)
			}
		})
	}
}

func TestBadAnswers(t *testing.T) {
	data := func(d string) string { return `{"status":"success","data":` + d + `}` }
	vector := func(samples string) string { return data(`{"resultType":"vector","result":` + samples + `}`) }
	for name, c := range map[string]struct {
		status int
		body   string
		says   []string
		is     error
	}{
		"nothing":                 {200, ``, []string{"not Prometheus's", "JSON"}, nil},
		"a web page":              {200, `<html>login</html>`, []string{"not Prometheus's"}, nil},
		"another API":             {200, `{"hello":"world"}`, []string{"not Prometheus's", `status is ""`}, nil},
		"a list":                  {200, `[]`, []string{"JSON"}, nil},
		"cut off":                 {200, good[:60], []string{"JSON"}, nil},
		"something follows":       {200, good + good, []string{"something follows"}, nil},
		"no data":                 {200, `{"status":"success"}`, []string{"no data"}, nil},
		"no result":               {200, data(`{"resultType":"vector"}`), []string{"no result"}, nil},
		"null result":             {200, data(`{"resultType":"vector","result":null}`), []string{"no result"}, nil},
		"matrix":                  {200, data(`{"resultType":"matrix","result":[]}`), []string{"yields a matrix"}, nil},
		"string":                  {200, data(`{"resultType":"string","result":[1,"x"]}`), []string{"yields a string"}, nil},
		"a type of later":         {200, data(`{"resultType":"graph","result":[]}`), []string{"unknown type"}, nil},
		"a null sample":           {200, vector(`[null]`), []string{"null"}, nil},
		"a sample of nothing":     {200, vector(`[{"metric":{}}]`), []string{"no time and value"}, nil},
		"a value of one half":     {200, vector(`[{"metric":{},"value":[1]}]`), []string{"no time and value"}, nil},
		"a value of nulls":        {200, vector(`[{"metric":{},"value":[null,null]}]`), []string{"no time and value"}, nil},
		"a number, not text":      {200, vector(`[{"metric":{},"value":[1,1]}]`), []string{"reading the vector"}, nil},
		"text, not a number":      {200, vector(`[{"metric":{},"value":[1,"many"]}]`), []string{"reading the vector"}, nil},
		"a scalar of one half":    {200, data(`{"resultType":"scalar","result":[1]}`), []string{"scalar"}, nil},
		"an error with 200":       {200, `{"status":"error","errorType":"internal","error":"boom"}`, []string{"internal", "boom"}, nil},
		"bad query":               {400, `{"status":"error","errorType":"bad_data","error":"parse error: \u001b[31mred"}`, []string{"400 bad_data", "parse error: red"}, nil},
		"execution":               {422, `{"status":"error","errorType":"execution","error":"multiple matches"}`, []string{"422 execution", "multiple matches"}, nil},
		"timeout of the query":    {503, `{"status":"error","errorType":"timeout","error":"query timed out"}`, []string{"503 timeout", "query timed out"}, nil},
		"replaying its log":       {503, "Service Unavailable", []string{"not ready yet", "write-ahead log"}, ErrNotReady},
		"no endpoints":            {503, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"no endpoints available for service \"p\"","reason":"ServiceUnavailable","code":503}`, []string{"service proxy", "no endpoints available"}, nil},
		"crashed":                 {500, "boom", []string{"500: boom"}, nil},
		"bad gateway":             {502, "<html>\n<h1>502</h1></html>", []string{"502: a web page"}, nil},
		"unauthorised":            {401, "Unauthorized", []string{"gonogo's own credential was refused by Prometheus (401)"}, ErrRefused},
		"forbidden":               {403, "", []string{"gonogo's own credential was refused by Prometheus (403)"}, ErrRefused},
		"forbidden by the proxy":  {403, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"services \"http:p:9090\" is forbidden: cannot get resource services/proxy","reason":"Forbidden"}`, []string{"the cluster refused gonogo's own credential", "services/proxy"}, ErrRefused},
		"unauthorised by cluster": {401, `{"kind":"Status","status":"Failure","message":"Unauthorized","reason":"Unauthorized"}`, []string{"the cluster refused"}, ErrRefused},
		"not found":               {404, "404 page not found", []string{"404"}, nil},
		"success that is none":    {500, good, []string{"500"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			seen, err := answering(t, c.status, c.body).Query(t.Context(), "up")
			if err == nil {
				t.Fatalf("answered %v", seen.Items)
			}
			for _, word := range append(c.says, "querying Prometheus") {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%q does not say %q", err, word)
				}
			}
			if c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("%q is not %q", err, c.is)
			}
			if seen.Request.Repeat == "" || len(seen.Items) > 0 {
				t.Errorf("%+v", seen)
			}
		})
	}
}

func TestTooLarge(t *testing.T) {
	c := serving(t, func(w http.ResponseWriter, _ *http.Request) {
		page := []byte(strings.Repeat(" ", 1<<20))
		for range 1 << 10 { // a gibibyte, if anybody reads it
			if _, err := w.Write(page); err != nil {
				return
			}
		}
	})
	if _, err := c.Query(t.Context(), "up"); err == nil || !strings.Contains(err.Error(), "larger than 8 MiB") {
		t.Error(err)
	}
}

func TestResetAndDeadline(t *testing.T) {
	c := serving(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	if _, err := c.Query(t.Context(), "up"); err == nil || strings.Contains(err.Error(), "query=") {
		t.Error(err)
	}
	c = serving(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Query(ctx, "up"); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	refused, err := New(Options{BaseURL: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := refused.Query(t.Context(), "up"); err == nil || !strings.Contains(err.Error(), "querying Prometheus") {
		t.Error(err)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	asked := 0
	login := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer login.Close()
	server := httptest.NewServer(http.RedirectHandler(login.URL+"/login?state=secret", http.StatusFound))
	defer server.Close()
	following := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return nil }}
	c, err := New(Options{BaseURL: server.URL, Client: following})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Query(t.Context(), "up")
	if err == nil || !strings.Contains(err.Error(), "redirects to "+login.URL) || strings.Contains(err.Error(), "secret") || asked > 0 {
		t.Errorf("%v, asked %d times", err, asked)
	}
	if following.CheckRedirect(nil, nil) != nil {
		t.Error("the caller's client was changed")
	}
}

func TestOptions(t *testing.T) {
	for _, u := range []string{"", "prometheus:9090", "ftp://p", "https://", "https://u:hunter2@p", "https://p?x=1", "http://[::1", "https://u:hunter2@%zz"} {
		if _, err := New(Options{BaseURL: u}); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", u, err)
		}
	}
	described := func(u *url.URL) probes.Request {
		return probes.Request{Source: u.Path, Repeat: "kubectl get --raw " + u.RequestURI()}
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, good) }))
	defer server.Close()
	at := time.Date(2025, 10, 20, 12, 0, 0, 0, time.UTC)
	c, err := New(Options{BaseURL: server.URL, Describe: described, Now: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	seen, err := c.Query(t.Context(), "up")
	if err != nil || seen.Request.Repeat != "kubectl get --raw /api/v1/query?query=up" || !seen.Confirmed.Equal(at) {
		t.Errorf("%+v %v", seen, err)
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add(200, []byte(good))
	f.Add(200, []byte(`{"status":"success","data":{"resultType":"scalar","result":[1,"1"]},"warnings":["x"]}`))
	f.Add(503, []byte(`{"kind":"Status","message":"x"}`))
	f.Add(200, []byte(`{"status":"success","data":{"resultType":"vector","result":[{"histogram":[1,{"count":"1","sum":"1","buckets":[[0,"0","1","1"]]}]}]}}`))
	c, err := New(Options{BaseURL: "http://p"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		items, note, err := c.answer(status, body)
		if err != nil {
			if len(items) > 0 || probes.Clean(err.Error(), 1<<20) == "" || len(err.Error()) > 8<<10 {
				t.Errorf("%d items with %q", len(items), err)
			}
			return
		}
		if status != 200 || len(note) > 8<<10 {
			t.Errorf("status %d answered with %d items, note %q", status, len(items), note)
		}
		for _, s := range items {
			if s == nil {
				t.Error("a sample is nil")
			}
		}
	})
}
