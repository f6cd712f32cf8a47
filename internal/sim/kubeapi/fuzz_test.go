package kubeapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/254carbon/gonogo/internal/sim/kubeapi"
)

// FuzzRequest wants any request answered without a panic, and every refusal to be a Status.
func FuzzRequest(f *testing.F) {
	const ns = "/api/v1/namespaces/ns"
	const patch = "PATCH"
	for _, s := range [][4]string{
		{"GET", "/", "", ""},
		{"GET", "//api//v1//", "", ""},
		{"GET", "/api/v1/namespaces//pods", "", ""},
		{"GET", "/apis/apps/v1/namespaces/ns/deployments/%00/status", "", ""},
		{"GET", ns + "/configmaps?limit=-1&continue=e30&labelSelector=%28", "", ""},
		{"GET", ns + "/configmaps?limit=1&resourceVersion=99999999999999999999&resourceVersionMatch=Exact", "", ""},
		{"GET", ns + "/configmaps?watch=true&timeoutSeconds=1&sendInitialEvents=true&resourceVersion=x", "", ""},
		{"GET", ns + "/services/x:y:z/proxy/%2e%2e/", "", ""},
		{"POST", ns + "/configmaps", "application/json", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"generateName":"a"}}`},
		{"POST", ns + "/configmaps", "application/json", `{"apiVersion":"v1","kind":"ConfigMap","metadata":[]}`},
		{"POST", ns + "/configmaps", "application/json", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"y","managedFields":[1]}}`},
		{"POST", ns + "/pods", "application/yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: p, finalizers: [a]}\nspec: {containers: [{name: a, resources: {limits: {cpu: x}}}]}"},
		{"POST", ns + "/configmaps", "application/vnd.kubernetes.protobuf", "k8s\x00\x0a\x0f"},
		{"POST", "/apis/velero.io/v1/namespaces/ns/backups", "application/json", `{"apiVersion":"velero.io/v1","kind":"Backup","metadata":{"name":"b"},"spec":[]}`},
		{"POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "application/json", `{"spec":{"resourceAttributes":3}}`},
		{"PUT", ns + "/configmaps/x", "application/json", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x","resourceVersion":"z"}}`},
		{"PUT", "/api/v1/namespaces/ns", "application/json", `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"ns","finalizers":["a"]}}`},
		{patch, ns + "/configmaps/x", "application/merge-patch+json", `{"metadata":null,"data":{"a":[]}}`},
		{patch, ns + "/configmaps/x", "application/merge-patch+json", `{"metadata":{"managedFields":[{"manager":{}}],"labels":7}}`},
		{patch, ns + "/configmaps/x", "application/strategic-merge-patch+json", `{"metadata":{"finalizers":{"$patch":"replace"}},"data":{"$retainKeys":["a"]}}`},
		{patch, ns + "/configmaps/x", "application/json-patch+json", `[{"op":"move","from":"/data/-1","path":"/metadata/name"},{"op":"copy","from":"","path":"/a"}]`},
		{patch, ns + "/configmaps/x", "application/json-patch+json", `[{"op":"remove","path":""}]`},
		{patch, ns + "/configmaps/x?fieldManager=m", "application/apply-patch+yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {labels: {a: b}, nothing: 1}\ndata: {k: v}\nother: 1"},
		{patch, ns + "/configmaps/x?fieldManager=m&force=true", "application/apply-patch+yaml", "{apiVersion: v1, kind: ConfigMap, data: &a {k: *a}}"},
		{patch, "/apis/velero.io/v1/namespaces/ns/backups/b?fieldManager=m", "application/apply-patch+yaml", "{apiVersion: velero.io/v1, kind: Backup, spec: {a: [1, {b: null}]}, status: 3}"},
		{patch, "/api/v1/namespaces/ns/status?fieldManager=m", "application/apply-patch+yaml", "{apiVersion: v1, kind: Namespace, status: {phase: X}}"},
		{"DELETE", ns + "/configmaps/x", "application/json", `{"preconditions":{"uid":1}}`},
		{"DELETE", ns + "/configmaps?labelSelector=a", "application/json", `[]`},
		{"DELETE", "/api/v1/namespaces/ns", "", ""},
		{"OPTIONS", ns + "/configmaps", "", ""},
	} {
		f.Add(s[0], s[1], s[2], s[3])
	}
	f.Fuzz(func(t *testing.T, method, target, contentType, body string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || !strings.HasPrefix(target, "/") || strings.ContainsAny(method, " \r\n\t") || method == "" {
			t.Skip()
		}
		store := newStore(5)
		seed(t, store, namespace("ns"), configMap("x", "1"))
		h := kubeapi.New(kubeapi.Options{Store: store, Logf: t.Errorf})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond) // for the watches
		defer cancel()
		r := (&http.Request{
			Method: method, URL: u, Host: "x", Header: http.Header{}, Body: http.NoBody, ProtoMajor: 1, ProtoMinor: 1, RequestURI: target,
		}).WithContext(ctx)
		if body != "" {
			r.Body = readCloser{strings.NewReader(body)}
		}
		r.Header.Set("Content-Type", contentType)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		switch {
		case w.Code < 400:
		case w.Code == 500, w.Code > 504:
			t.Errorf("%s %s: %d %s", method, target, w.Code, w.Body)
		default:
			var st metav1.Status
			if err := json.Unmarshal(w.Body.Bytes(), &st); err != nil || st.Kind != "Status" || int(st.Code) != w.Code || st.Message == "" {
				t.Errorf("%s %s: %d with %q, want a Status: %v", method, target, w.Code, w.Body, err)
			}
		}
		// Whatever was stored must still be readable.
		if got := ask(h, "GET", "/api/v1/configmaps", ""); got.Code != 200 {
			t.Errorf("listing afterwards: %d", got.Code)
		}
		var image strings.Builder
		if err := store.Snapshot(&image); err != nil {
			t.Fatal(err)
		}
		if err := store.Restore(strings.NewReader(image.String())); err != nil {
			t.Errorf("restoring afterwards: %v", err)
		}
	})
}

// FuzzPatch patches a Deployment whose fields have owners, twice, in each of the ways there are.
func FuzzPatch(f *testing.F) {
	for _, body := range []string{
		`{"spec":{"template":{"spec":{"containers":[{"name":"a","image":"b"},{"$patch":"delete","name":"c"}]}}}}`,
		`{"spec":{"template":{"spec":{"$setElementOrder/containers":[{"name":"a"}],"containers":[{"name":"a","env":[{"name":"x"},{"name":"x"}]}]}}}}`,
		`{"spec":{"template":{"spec":{"containers":[{"$patch":"replace"},{"name":"z"}]}}}}`,
		`[{"op":"add","path":"/spec/template/spec/containers/-","value":{"name":"a"}},{"op":"test","path":"/spec/~1","value":null}]`,
		`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"d"},"spec":{"replicas":3,"template":{"spec":{"containers":[{"name":"a","ports":[{"containerPort":1}]}]}}}}`,
		`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"d","finalizers":["x"],"ownerReferences":[{}]},"spec":{"template":{"spec":{"containers":[{}]}}}}`,
	} {
		for kind := range patchTypes() {
			f.Add(kind, body)
		}
	}
	f.Fuzz(func(t *testing.T, kind int, body string) {
		if kind < 0 || kind >= len(patchTypes()) {
			t.Skip()
		}
		store := newStore(5)
		seed(t, store, namespace("ns"))
		h := kubeapi.New(kubeapi.Options{Store: store, Logf: t.Errorf})
		send := func(method, path, contentType, body string) *httptest.ResponseRecorder {
			r := httptest.NewRequest(method, "/apis/apps/v1/namespaces/ns/deployments"+path, strings.NewReader(body))
			r.Header.Set("Content-Type", contentType)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w
		}
		const made = `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"d"},"spec":{"replicas":1,` +
			`"template":{"spec":{"containers":[{"name":"a","image":"a","env":[{"name":"x","value":"1"}]},{"name":"c"}]}}}}`
		if w := send("POST", "?fieldManager=maker", "application/json", made); w.Code != 201 {
			t.Fatalf("creating: %d %s", w.Code, w.Body)
		}
		for range 2 {
			if w := send("PATCH", "/d?fieldManager=patcher", patchTypes()[kind], body); w.Code >= 500 {
				t.Errorf("%s: %d %s", patchTypes()[kind], w.Code, w.Body)
			}
		}
		if w := send("GET", "/d", "", ""); w.Code != 200 || !json.Valid(w.Body.Bytes()) {
			t.Errorf("afterwards: %d %s", w.Code, w.Body)
		}
	})
}

func patchTypes() []string {
	return []string{"application/merge-patch+json", "application/strategic-merge-patch+json", "application/json-patch+json", "application/apply-patch+yaml"}
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }
