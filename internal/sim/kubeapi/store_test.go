package kubeapi_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/internal/sim/kubeapi"
)

func configMaps() schema.GroupVersionResource {
	return corev1.SchemeGroupVersion.WithResource("configmaps")
}
func pods() schema.GroupVersionResource { return corev1.SchemeGroupVersion.WithResource("pods") }

// newStore is a store without chance: its own clock, uids and suffixes.
func newStore(history int) *kubeapi.Store {
	var mu sync.Mutex
	n := 0
	next := func(format string) func() string {
		return func() string { mu.Lock(); defer mu.Unlock(); n++; return fmt.Sprintf(format, n) }
	}
	return kubeapi.NewStore(kubeapi.StoreOptions{
		Now: func() time.Time { return time.Date(2025, 10, 20, 12, 0, 0, 0, time.UTC) },
		UID: next("uid-%d"), Suffix: next("%05d"), History: history,
	})
}

func configMap(name, value string) kubeapi.Object {
	return kubeapi.Object{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": kubeapi.Object{"name": name, "namespace": "ns"}, "data": kubeapi.Object{"k": value},
	}
}

func TestStoreCreate(t *testing.T) {
	s := newStore(0)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{GenerateName: "p-", Namespace: "ns", Labels: map[string]string{"a": "b"}}}
	pod.Status.Phase = corev1.PodRunning
	got, err := s.Create(pod)
	if err != nil {
		t.Fatal(err)
	}
	want := kubeapi.Object{
		"name": "p-00001", "generateName": "p-", "namespace": "ns", "labels": kubeapi.Object{"a": "b"}, "uid": "uid-2",
		"creationTimestamp": "2025-10-20T12:00:00Z", "generation": int64(1), "resourceVersion": "2",
	}
	if diff := cmp.Diff(want, got["metadata"]); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
	if got["kind"] != "Pod" || got["status"].(kubeapi.Object)["phase"] != "Running" {
		t.Errorf("stored %v", got)
	}
	for name, bad := range map[string]any{
		"no kind": kubeapi.Object{}, "unknown kind": kubeapi.Object{"apiVersion": "v1", "kind": "Nothing"},
		"no namespace": kubeapi.Object{"apiVersion": "v1", "kind": "Pod", "metadata": kubeapi.Object{"name": "x"}},
		"a number":     1, "null": nil, "a channel": make(chan int),
	} {
		if _, err := s.Create(bad); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := s.Create(got); !apierrors.IsAlreadyExists(err) {
		t.Errorf("again: %v, want AlreadyExists", err)
	}
}

func TestStoreWrites(t *testing.T) {
	s := newStore(0)
	first, err := s.Apply(configMap("x", "1"))
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.Apply(configMap("x", "2"))
	if err != nil || second["metadata"].(kubeapi.Object)["uid"] != first["metadata"].(kubeapi.Object)["uid"] {
		t.Fatalf("applied over %v: %v, %v", first, second, err)
	}
	if _, err := s.Update(first); !apierrors.IsConflict(err) {
		t.Errorf("updating from a stale version: %v, want Conflict", err)
	}
	before := s.Version()
	if _, err := s.Mutate(configMaps(), "ns", "x", func(o kubeapi.Object) {}); err != nil || s.Version() != before {
		t.Errorf("changing nothing: %v, version %d after %d", err, s.Version(), before)
	}
	got, err := s.Mutate(configMaps(), "ns", "x", func(o kubeapi.Object) { o["data"] = map[string]string{"k": "3"} })
	if err != nil || got["data"].(kubeapi.Object)["k"] != "3" {
		t.Errorf("mutated to %v, %v", got, err)
	}
	if _, err := s.Mutate(configMaps(), "ns", "x", func(o kubeapi.Object) { o["metadata"].(kubeapi.Object)["name"] = "y" }); err == nil {
		t.Error("renaming an object: no error")
	}
	if _, err := s.Mutate(configMaps(), "ns", "absent", func(kubeapi.Object) {}); !apierrors.IsNotFound(err) {
		t.Errorf("mutating what is absent: %v, want NotFound", err)
	}
	got["data"] = "scribbled over"
	if kept, _ := s.Get(configMaps(), "ns", "x"); kept["data"].(kubeapi.Object)["k"] != "3" {
		t.Error("a caller changed the stored object through its copy")
	}
	if err := s.Delete(configMaps(), "ns", "x"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(configMaps(), "ns", "x"); !apierrors.IsNotFound(err) {
		t.Errorf("after delete: %v, want NotFound", err)
	}
}

func TestStoreGeneration(t *testing.T) {
	s := newStore(0)
	if _, err := s.Create(kubeapi.Object{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": kubeapi.Object{"name": "d", "namespace": "ns"}, "spec": kubeapi.Object{"replicas": 1},
	}); err != nil {
		t.Fatal(err)
	}
	gvr := schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	for _, tc := range []struct {
		what string
		edit func(kubeapi.Object)
		want int64
	}{
		{"status", func(o kubeapi.Object) { o["status"] = kubeapi.Object{"replicas": 1} }, 1},
		{"labels", func(o kubeapi.Object) { o["metadata"].(kubeapi.Object)["labels"] = kubeapi.Object{"a": "b"} }, 1},
		{"spec", func(o kubeapi.Object) { o["spec"].(kubeapi.Object)["replicas"] = 2 }, 2},
	} {
		got, err := s.Mutate(gvr, "ns", "d", tc.edit)
		if err != nil || got["metadata"].(kubeapi.Object)["generation"] != tc.want {
			t.Errorf("after a change of %s: %v (%v), want generation %d", tc.what, got["metadata"], err, tc.want)
		}
	}
}

// TestStoreRace has writers count in one object while a reader follows: no count and no event is lost.
func TestStoreRace(t *testing.T) {
	s := newStore(0)
	if _, err := s.Create(configMap("x", "0")); err != nil {
		t.Fatal(err)
	}
	from := s.Version()
	var wg sync.WaitGroup
	const writers, each = 4, 50
	for range writers {
		wg.Go(func() {
			for range each {
				if _, err := s.Mutate(configMaps(), "ns", "x", func(o kubeapi.Object) {
					var n int
					_, _ = fmt.Sscan(o["data"].(kubeapi.Object)["k"].(string), &n)
					o["data"].(kubeapi.Object)["k"] = fmt.Sprint(n + 1)
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	seen, last := 0, from
	for seen < writers*each {
		changed := s.Changed()
		events, upTo, err := s.Since(configMaps(), last)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if e.Version <= last {
				t.Fatalf("version %d after %d", e.Version, last)
			}
			last = e.Version
		}
		seen += len(events)
		if last = upTo; seen < writers*each {
			<-changed
		}
	}
	wg.Wait()
	got, _ := s.Get(configMaps(), "ns", "x")
	if got["data"].(kubeapi.Object)["k"] != fmt.Sprint(writers*each) {
		t.Errorf("counted to %v, want %d", got["data"], writers*each)
	}
}

func TestStoreHistory(t *testing.T) {
	s := newStore(10)
	if _, err := s.Create(configMap("x", "0")); err != nil {
		t.Fatal(err)
	}
	begin := s.Version()
	for i := range 50 {
		if _, err := s.Apply(configMap("x", fmt.Sprint(i, "!"))); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := s.Since(configMaps(), begin); !apierrors.IsResourceExpired(err) {
		t.Errorf("changes since %d: %v, want Expired", begin, err)
	}
	events, upTo, err := s.Since(configMaps(), s.Version()-10)
	if err != nil || len(events) != 10 || upTo != s.Version() {
		t.Errorf("the last ten changes: %d events up to %d, %v", len(events), upTo, err)
	}
	if events, _, err := s.Since(pods(), begin); err != nil || len(events) != 0 {
		t.Errorf("another resource's history: %v, %v", events, err)
	}
}

func TestSnapshot(t *testing.T) {
	s := newStore(0)
	for _, name := range []string{"b", "a", "c"} {
		if _, err := s.Create(configMap(name, strings.Repeat(name, 3))); err != nil {
			t.Fatal(err)
		}
	}
	var first, second bytes.Buffer
	if err := s.Snapshot(&first); err != nil {
		t.Fatal(err)
	}
	fresh := newStore(0)
	if err := fresh.Restore(bytes.NewReader(first.Bytes())); err != nil {
		t.Fatal(err)
	}
	if err := fresh.Snapshot(&second); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first.String(), second.String()); diff != "" {
		t.Errorf("snapshot of a restored store (-want +got):\n%s", diff)
	}
	was := s.Version()
	if err := s.Restore(bytes.NewReader(first.Bytes())); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Since(configMaps(), was); !apierrors.IsResourceExpired(err) {
		t.Errorf("changes since before a restore: %v, want Expired", err)
	}
	list, err := s.List(configMaps(), "", labels.Everything())
	if err != nil || len(list) != 3 || list[0]["metadata"].(kubeapi.Object)["name"] != "a" {
		t.Errorf("restored %v, %v", list, err)
	}
	before := s.Version()
	for name, bad := range map[string]string{
		"nothing": "", "no JSON": "{", "another format": `{"format":"x"}`, "bad version": `{"format":"gonogo.kubeapi/v1","resourceVersion":"x"}`,
		"unknown kind": `{"format":"gonogo.kubeapi/v1","resourceVersion":"9","objects":[{"apiVersion":"v9","kind":"X"}]}`,
		"no name":      `{"format":"gonogo.kubeapi/v1","resourceVersion":"9","objects":[{"apiVersion":"v1","kind":"ConfigMap"}]}`,
	} {
		if err := s.Restore(strings.NewReader(bad)); err == nil {
			t.Errorf("restoring %s: no error", name)
		}
	}
	if s.Version() != before {
		t.Error("a failed restore changed the store")
	}
}
