package record

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/254carbon/gonogo/internal/platform/cluster"
	"github.com/254carbon/gonogo/internal/platform/transport"
	"github.com/254carbon/gonogo/internal/sim/kubeapi"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/evidence"
)

var noon = time.Date(2025, 10, 20, 12, 0, 0, 0, time.UTC)

var configMaps = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}

// serve starts a simulated API server in which may says who may do what.
func serve(t *testing.T, may func(kubeapi.Attributes) bool) (*kubeapi.Server, string) {
	t.Helper()
	o := kubeapi.Options{}
	if may != nil {
		o.Authenticator = kubeapi.Tokens(map[string]kubeapi.User{"t": {Name: "gonogo"}})
		o.Authorizer = func(_ kubeapi.User, a kubeapi.Attributes) (bool, string) { return may(a), "" }
	}
	api := kubeapi.New(o)
	server := httptest.NewServer(api)
	t.Cleanup(func() {
		api.Close()
		server.CloseClientConnections()
		server.Close()
	})
	if _, err := api.Store().Create(map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "default"}}); err != nil {
		t.Fatal(err)
	}
	return api, server.URL
}

func connect(t *testing.T, url string, o Options) *Record {
	t.Helper()
	c, err := cluster.Open(cluster.Options{
		RESTConfig: &rest.Config{Host: url, BearerToken: "t"}, ReadOnly: o.ReadOnly,
		WrapTransport: func(next http.RoundTripper) http.RoundTripper {
			return transport.Wrap(next, transport.Options{ReadOnly: o.ReadOnly, Kubernetes: true})
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	o.Cluster = c
	return New(o)
}

func entry(check probes.ID, at time.Time) evidence.Entry {
	return evidence.Entry{Kind: evidence.Proof, Check: check, Result: evidence.Passed, By: "ana", At: at}
}

func read(t *testing.T, r *Record) []evidence.Entry {
	t.Helper()
	seen, err := r.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return seen.Items
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("it did not happen within 10s: %s", what)
}

func TestWhatOneWritesAnotherSees(t *testing.T) {
	api, url := serve(t, nil)
	here, there := connect(t, url, Options{}), connect(t, url, Options{ReadOnly: true})
	if n := len(read(t, there)); n != 0 {
		t.Fatalf("%d entries in a record that is not there", n)
	}
	woken := make(chan struct{}, 100)
	stop := there.Watch(func() { woken <- struct{}{} })
	defer stop()
	kept, err := here.Write(t.Context(), entry("test-backup", noon))
	if err != nil || !kept.Cluster || kept.Where != "ConfigMap default/gonogo-evidence" || kept.Why != nil {
		t.Fatalf("%+v, %v", kept, err)
	}
	<-woken
	eventually(t, "the other board sees it", func() bool { return len(read(t, there)) == 1 })
	if e := read(t, there)[0]; e.Check != "test-backup" || e.Place != "" || !e.At.Equal(noon) {
		t.Errorf("%+v", e)
	}
	if _, err := api.Store().Mutate(configMaps, "default", evidence.ObjectName, func(o map[string]any) { o["data"] = map[string]any{} }); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the other board sees that it is gone", func() bool { return len(read(t, there)) == 0 })
}

func TestManyWriteAtOnce(t *testing.T) {
	_, url := serve(t, nil)
	const writers = 8
	var all sync.WaitGroup
	for i := range writers {
		r := connect(t, url, Options{Dir: t.TempDir()})
		all.Go(func() {
			if kept, err := r.Write(t.Context(), entry(probes.ID(fmt.Sprintf("check-%d", i)), noon)); err != nil || !kept.Cluster {
				t.Errorf("%+v, %v", kept, err)
			}
		})
	}
	all.Wait()
	if n := len(read(t, connect(t, url, Options{}))); n != writers {
		t.Errorf("%d entries after %d writers at once", n, writers)
	}
}

func TestWhatIsNotOursIsKept(t *testing.T) {
	api, url := serve(t, nil)
	theirs := map[string]any{"notes": "theirs", "proof.x.20991231T000000Z-00000000": `{"v":9,"of":"a newer program"}`}
	if _, err := api.Store().Create(map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"namespace": "default", "name": evidence.ObjectName, "labels": map[string]any{"team": "data"}},
		"data": theirs, "binaryData": map[string]any{"blob": "AAAA"},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := connect(t, url, Options{}).Write(t.Context(), entry("a", noon)); err != nil {
		t.Fatal(err)
	}
	o, err := api.Store().Get(configMaps, "default", evidence.ObjectName)
	if err != nil {
		t.Fatal(err)
	}
	data := o["data"].(map[string]any)
	for key, text := range theirs {
		if data[key] != text {
			t.Errorf("%s was changed to %v", key, data[key])
		}
	}
	if len(data) != 3 || o["binaryData"] == nil || o["metadata"].(map[string]any)["labels"].(map[string]any)["team"] != "data" {
		t.Errorf("%v", o)
	}
}

func TestWhatCannotBeWrittenStaysHere(t *testing.T) {
	reader := func(a kubeapi.Attributes) bool { return a.Verb == "get" || a.Verb == "list" || a.Verb == "watch" }
	for name, tt := range map[string]struct {
		may  func(kubeapi.Attributes) bool
		o    Options
		want string
	}{
		"without rights":    {reader, Options{}, "a right is missing"},
		"in read-only mode": {nil, Options{ReadOnly: true}, "read-only mode"},
	} {
		t.Run(name, func(t *testing.T) {
			api, url := serve(t, tt.may)
			tt.o.Dir = t.TempDir()
			r := connect(t, url, tt.o)
			kept, err := r.Write(t.Context(), entry("test-backup", noon))
			if err != nil || kept.Cluster || kept.Why == nil || !strings.Contains(kept.Why.Error(), tt.want) || !strings.HasPrefix(kept.Where, tt.o.Dir) {
				t.Fatalf("%+v, %v", kept, err)
			}
			if items := read(t, r); len(items) != 1 || items[0].Place != "this machine" {
				t.Errorf("%+v", items)
			}
			if _, err := api.Store().Get(configMaps, "default", evidence.ObjectName); err == nil {
				t.Error("it is in the cluster all the same")
			}
			_, other := serve(t, nil)
			if items := read(t, connect(t, other, Options{Dir: tt.o.Dir})); len(items) != 0 {
				t.Errorf("another cluster has what was said of this one: %+v", items)
			}
		})
	}
}

// Rights on the one name are all that is needed.
func TestRightsOnTheNameAreEnough(t *testing.T) {
	_, url := serve(t, func(a kubeapi.Attributes) bool {
		return a.Resource == "configmaps" && a.Namespace == "default" && (a.Name == evidence.ObjectName || a.Verb == "create")
	})
	r := connect(t, url, Options{})
	read(t, r)
	if kept, err := r.Write(t.Context(), entry("a", noon)); err != nil || !kept.Cluster {
		t.Errorf("%+v, %v", kept, err)
	}
	eventually(t, "the entry is read", func() bool { return len(read(t, r)) == 1 })
}

func TestWithoutARightToReadNothingIsKnown(t *testing.T) {
	_, url := serve(t, func(kubeapi.Attributes) bool { return false })
	r := connect(t, url, Options{Dir: t.TempDir()})
	r.Declare([]evidence.Entry{evidence.Declared("a", "ana", "", noon, noon.AddDate(0, 1, 0))})
	seen, err := r.Read(t.Context())
	if err == nil || !strings.Contains(err.Error(), "configmaps") || len(seen.Items) != 1 || seen.Items[0].Place != "the profile" {
		t.Errorf("%+v, %v", seen, err)
	}
}

func TestWithoutACluster(t *testing.T) {
	dir := t.TempDir()
	r := New(Options{Dir: dir})
	kept, err := r.Write(t.Context(), entry("a", noon))
	if err != nil || kept.Cluster || kept.Why == nil {
		t.Fatalf("%+v, %v", kept, err)
	}
	if seen, err := r.Read(t.Context()); err == nil || len(seen.Items) != 1 {
		t.Errorf("%+v, %v", seen, err)
	}
	if _, err := New(Options{}).Write(t.Context(), entry("a", noon)); err == nil {
		t.Error("written nowhere, and no error")
	}
	if err := os.WriteFile(dir+"/"+"notes.json", []byte("?"), 0o600); err != nil {
		t.Fatal(err)
	}
	if seen, _ := r.Read(t.Context()); len(seen.Items) != 2 {
		t.Errorf("%+v", seen.Items)
	}
	if _, err := r.Write(t.Context(), evidence.Entry{Check: "a"}); err == nil {
		t.Error("an entry that says nothing was written")
	}
}

func TestTheRecordIsBounded(t *testing.T) {
	data := map[string]string{"foreign": strings.Repeat("x", 1000)}
	put := func(e evidence.Entry) string {
		key, text, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		data[key] = text
		return key
	}
	lonely := put(entry("lonely", noon.AddDate(-3, 0, 0)))
	var newest string
	for i := range 200 {
		e := entry("busy", noon.Add(time.Duration(i)*time.Minute))
		e.Digest = strings.Repeat("d", 7000)
		newest = put(e)
	}
	if err := bound(data); err != nil {
		t.Fatal(err)
	}
	size := 0
	for key, text := range data {
		size += len(key) + len(text)
	}
	if size > maxBytes || data[lonely] == "" || data[newest] == "" || data["foreign"] == "" || len(data) != maxPerGroup+2 {
		t.Errorf("%d bytes in %d entries", size, len(data))
	}
	data["foreign"] = strings.Repeat("x", maxBytes)
	if err := bound(data); err == nil || !strings.Contains(err.Error(), "full") {
		t.Errorf("%v", err)
	}
}
