package cluster

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/internal/sim/kubeapi"
	"github.com/254carbon/gonogo/probes/kube"
)

func namespace(name string) *corev1.Namespace {
	return &corev1.Namespace{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}, ObjectMeta: metav1.ObjectMeta{Name: name}}
}

func pod(namespace, name string) *corev1.Pod {
	return &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"app": "x"}},
		Spec:       corev1.PodSpec{NodeName: "n1", Containers: []corev1.Container{{Name: "c", Image: "i"}}},
	}
}

func podNames(items []*kube.Pod) string {
	var names []string
	for _, p := range items {
		names = append(names, p.Namespace+"/"+p.Name)
	}
	return strings.Join(names, " ")
}

// limited lets a credential do only what may says.
func limited(may func(a kubeapi.Attributes) bool) kubeapi.Options {
	return kubeapi.Options{Authorizer: func(_ kubeapi.User, a kubeapi.Attributes) (bool, string) { return may(a), "" }}
}

func TestRightsThatEndAtNamespaces(t *testing.T) {
	a := newAPI(t, limited(func(a kubeapi.Attributes) bool { return a.Namespace == "a" || a.Namespace == "b" || a.Namespace == "d" }))
	a.add(t, namespace("a"), namespace("b"), namespace("c"), namespace("d"), pod("a", "1"), pod("b", "2"), pod("b", "3"), pod("c", "4"), pod("d", "5"))
	c := connect(t, a.URL, quick(), func(o *Options) { o.Namespaces = []string{"b", "a", "c", "b"} })
	seen, err := c.Pods(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if got := podNames(seen.Items); got != "a/1 b/2 b/3" {
		t.Errorf("saw %s", got)
	}
	for _, want := range []string{"only the namespaces a, b, not c", `cannot list resource "pods"`} {
		if !strings.Contains(seen.Note, want) {
			t.Errorf("the note %q does not say %q", seen.Note, want)
		}
	}
	if seen.Confirmed.IsZero() {
		t.Error("not confirmed")
	}
	if seen, err = c.Pods(t.Context(), "d"); err != nil || podNames(seen.Items) != "d/5" || seen.Note != "" {
		t.Errorf("a namespace that was not named before: %s, %q, %v", podNames(seen.Items), seen.Note, err)
	}
	if _, err = c.Pods(t.Context(), "c"); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), `in the namespace "c"`) {
		t.Errorf("a namespace without rights: %v", err)
	}
	a.requests()
	for range 20 {
		if _, err := c.Pods(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(a.requests()); n != 0 {
		t.Errorf("%d requests for what is known", n)
	}
	if _, err := c.Nodes(t.Context()); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), `cannot list resource "nodes"`) {
		t.Errorf("nodes have no namespaces: %v", err)
	}
}

func TestRightsThatAreGivenLater(t *testing.T) {
	all := make(chan struct{})
	a := newAPI(t, limited(func(a kubeapi.Attributes) bool {
		select {
		case <-all:
			return true
		default:
			return a.Namespace == "a"
		}
	}))
	a.add(t, namespace("a"), namespace("b"), pod("a", "1"), pod("b", "2"))
	l := quick()
	l.recheck = 20 * time.Millisecond
	c := connect(t, a.URL, l, func(o *Options) { o.Namespaces = []string{"a"} })
	if seen, err := c.Pods(t.Context(), ""); err != nil || podNames(seen.Items) != "a/1" {
		t.Fatalf("saw %s, %v", podNames(seen.Items), err)
	}
	close(all)
	eventually(t, "the other namespace is seen", func() bool {
		seen, err := c.Pods(t.Context(), "")
		return err == nil && podNames(seen.Items) == "a/1 b/2" && seen.Note == ""
	})
	eventually(t, "one watch is left", func() bool {
		c.pods.mu.Lock()
		defer c.pods.mu.Unlock()
		return len(c.pods.feeds) == 1
	})
}

func TestRightsThatAreTakenAway(t *testing.T) {
	taken := make(chan struct{})
	a := newAPI(t, limited(func(kubeapi.Attributes) bool {
		select {
		case <-taken:
			return false
		default:
			return true
		}
	}))
	a.add(t, node("a"))
	c := connect(t, a.URL, quick())
	if _, err := c.Nodes(t.Context()); err != nil {
		t.Fatal(err)
	}
	close(taken)
	a.CloseClientConnections()
	eventually(t, "the missing right is told", func() bool { _, err := c.Nodes(t.Context()); return apierrors.IsForbidden(err) })
}

func TestWithoutWatchThereIsPolling(t *testing.T) {
	refusals := map[string]func(w http.ResponseWriter, r *http.Request) bool{
		"a right is missing": nil,
		"this API has no watch": func(w http.ResponseWriter, r *http.Request) bool {
			if isWatch(r) {
				status(w, 405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
			}
			return isWatch(r)
		},
	}
	for why, intercept := range refusals {
		t.Run(why, func(t *testing.T) {
			a := newAPI(t, limited(func(a kubeapi.Attributes) bool { return a.Verb != "watch" }))
			a.intercept(intercept)
			a.add(t, node("a"))
			l := quick()
			l.poll = 20 * time.Millisecond
			c := connect(t, a.URL, l)
			seen, err := c.Nodes(t.Context())
			if err != nil || len(seen.Items) != 1 || !strings.Contains(seen.Request.Source, "instead of watched: "+why) || seen.Note != "" {
				t.Fatalf("saw %d nodes by %q, note %q, %v", len(seen.Items), seen.Request.Source, seen.Note, err)
			}
			first := seen.Confirmed
			a.add(t, node("b"))
			eventually(t, "the next poll sees it", func() bool {
				seen, err = c.Nodes(t.Context())
				if err != nil || !strings.Contains(seen.Request.Source, "instead of watched") {
					t.Fatalf("%q, %v", seen.Request.Source, err)
				}
				return len(seen.Items) == 2 && seen.Confirmed.After(first)
			})
			watches := 0
			for _, r := range a.requests() {
				if strings.Contains(r.Query, "watch=true") {
					watches++
				}
			}
			if watches > 1 {
				t.Errorf("%d attempts to watch", watches)
			}
		})
	}
}

func TestObjectsAreStripped(t *testing.T) {
	a := newAPI(t, kubeapi.Options{})
	n := node("a")
	n.Annotations = map[string]string{lastApplied: "{}", "kept": "yes"}
	a.add(t, n)
	c := connect(t, a.URL, quick())
	seen, err := c.List(t.Context(), schema.GroupVersionResource{Version: "v1", Resource: "nodes"}, "")
	if err != nil || len(seen.Items) != 1 {
		t.Fatalf("%d objects, %v", len(seen.Items), err)
	}
	if got := seen.Items[0].GetAnnotations(); len(got) != 1 || got["kept"] != "yes" || seen.Items[0].GetManagedFields() != nil {
		t.Errorf("annotations %v, managed fields %v", got, seen.Items[0].GetManagedFields())
	}
	if seen.Request.Repeat != "kubectl get nodes -o yaml" || seen.Request.Source != "GET "+a.URL+"/api/v1/nodes?watch=true" {
		t.Errorf("the request is told as %+v", seen.Request)
	}
}

func TestBadNamesAreRefused(t *testing.T) {
	a := newAPI(t, kubeapi.Options{})
	c := connect(t, a.URL, quick())
	for _, r := range []schema.GroupVersionResource{
		{Version: "v1", Resource: "../secrets"}, {Group: "a/b", Version: "v1", Resource: "x"}, {Resource: "x"}, {Version: "v1"},
	} {
		if _, err := c.List(t.Context(), r, ""); err == nil {
			t.Errorf("%v was asked for", r)
		}
	}
	if _, err := c.Pods(t.Context(), "../../x"); err == nil {
		t.Error("a namespace with slashes was asked for")
	}
	if n := len(a.requests()); n != 0 {
		t.Errorf("%d requests", n)
	}
}

func TestReducedPods(t *testing.T) {
	yes := true
	p := pod("ns", "p")
	p.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
	p.OwnerReferences = []metav1.OwnerReference{{Kind: "Other", Name: "o"}, {Kind: "ReplicaSet", Name: "rs", Controller: &yes}}
	p.Spec.InitContainers = []corev1.Container{{Name: "i", Image: "init:1"}}
	p.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "e", Image: "debug:1"}}}
	p.Status = corev1.PodStatus{
		Phase:                 corev1.PodRunning,
		Conditions:            []corev1.PodCondition{{Type: corev1.PodScheduled, Status: "True"}, {Type: corev1.PodReady, Status: "True"}},
		InitContainerStatuses: []corev1.ContainerStatus{{Name: "i", ImageID: "init@sha256:1", RestartCount: 1}},
		ContainerStatuses: []corev1.ContainerStatus{{
			Name: "c", ImageID: "i@sha256:2", RestartCount: 2,
			State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
		}},
	}
	r := newPodReducer()
	got, err := r.reduce(p)
	if err != nil {
		t.Fatal(err)
	}
	want := &kube.Pod{
		Namespace: "ns", Name: "p", Labels: map[string]string{"app": "x"}, OwnerKind: "ReplicaSet", OwnerName: "rs", Node: "n1",
		Phase: corev1.PodRunning, Ready: true, Deleting: true, Restarts: 3, Waiting: "CrashLoopBackOff",
		Containers: []kube.Container{
			{Name: "i", Image: "init:1", ImageID: "init@sha256:1", Init: true}, {Name: "c", Image: "i", ImageID: "i@sha256:2"}, {Name: "e", Image: "debug:1"},
		},
	}
	if !samePod(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	again, _ := r.reduce(p.DeepCopy())
	again.Labels["shared"] = "yes"
	if got.Labels["shared"] != "yes" {
		t.Error("label sets are not shared")
	}
	for name, change := range map[string]func(*kube.Pod){
		"ready": func(p *kube.Pod) { p.Ready = false }, "node": func(p *kube.Pod) { p.Node = "" }, "restarts": func(p *kube.Pod) { p.Restarts++ },
		"image":  func(p *kube.Pod) { p.Containers = slices.Clone(p.Containers); p.Containers[0].Image = "x" },
		"labels": func(p *kube.Pod) { p.Labels = nil }, "deleting": func(p *kube.Pod) { p.Deleting = false },
	} {
		other := *got
		change(&other)
		if samePod(got, &other) {
			t.Errorf("a change of %s is not noticed", name)
		}
	}
	if _, err := r.reduce(node("a")); err == nil {
		t.Error("a node is no pod")
	}
}

func TestTableKeepsNamespacesTogether(t *testing.T) {
	var tab table[string]
	tab.replace(map[string]string{"b/1": "b1", "a-b/1": "ab", "a/2": "a2", "a/1": "a1", "a0/1": "a0"})
	tab.set("a/3", "a3")
	before := tab.list("a")
	tab.set("a/1", "new")
	if !tab.remove("a/2") || tab.remove("a/2") {
		t.Error("removing says the wrong thing")
	}
	if got := strings.Join(before, " "); got != "a1 a2 a3" {
		t.Errorf("a list that was handed out changed to %s", got)
	}
	for ns, want := range map[string]string{"a": "new a3", "a-b": "ab", "a0": "a0", "b": "b1", "c": "", "": "ab new a3 a0 b1"} {
		if got := strings.Join(tab.list(ns), " "); got != want {
			t.Errorf("namespace %q: %q, want %q", ns, got, want)
		}
	}
}
