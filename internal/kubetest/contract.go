// Package kubetest holds the contract that a Kubernetes API server keeps with the clients of gonogo,
// as tests that any server can be put through: the simulated one, and a real one.
package kubetest

import (
	"context"
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
)

// Options says what the server under test has beyond a bare API server.
type Options struct {
	// CustomResource is a custom resource whose definition exists; nil skips what is asked of one.
	CustomResource *CustomResource
	// NamespaceController says that somebody empties and removes namespaces that were deleted.
	NamespaceController bool
	// Patience is how long something that a server does a moment later may take; 0 means 20 s.
	Patience time.Duration
}

// CustomResource is a namespaced custom resource that keeps the field spec.paused.
type CustomResource struct {
	GVR  schema.GroupVersionResource
	Kind string
	// Spec makes an object valid.
	Spec map[string]any
}

// RunClientContract puts the server behind cfg, whose user must be a cluster administrator, through
// the contract. It creates namespaces of its own, whose names begin with gonogo-contract-, works in
// them only, and deletes them.
func RunClientContract(t *testing.T, cfg *rest.Config, opts Options) {
	t.Helper()
	if opts.Patience == 0 {
		opts.Patience = 20 * time.Second
	}
	for _, tc := range []struct {
		name string
		run  func(*suite)
	}{
		{"discovery", (*suite).discovery},
		{"health", (*suite).health},
		{"refusals", (*suite).refusals},
		{"create", (*suite).create},
		{"update", (*suite).update},
		{"protobuf", (*suite).protobuf},
		{"merge patch", (*suite).mergePatch},
		{"json patch", (*suite).jsonPatch},
		{"strategic merge patch", (*suite).strategicPatch},
		{"field validation", (*suite).fieldValidation},
		{"server-side apply", (*suite).apply},
		{"server-side apply against updates", (*suite).applyAgainstUpdate},
		{"dry run", (*suite).dryRun},
		{"status subresource", (*suite).status},
		{"selectors", (*suite).selectors},
		{"paging", (*suite).paging},
		{"delete collection", (*suite).deleteCollection},
		{"finalizers", (*suite).finalizers},
		{"delete preconditions", (*suite).preconditions},
		{"namespace deletion", (*suite).namespaceDeletion},
		{"watch", (*suite).watch},
		{"watch by label", (*suite).watchByLabel},
		{"watch resumes", (*suite).watchResumes},
		{"watch bookmarks", (*suite).watchBookmarks},
		{"watch list", (*suite).watchList},
		{"informer", (*suite).informer},
		{"dynamic informer", (*suite).dynamicInformer},
		{"metadata", (*suite).metadata},
		{"access reviews", (*suite).accessReviews},
		{"forbidden", (*suite).forbidden},
		{"service proxy", (*suite).serviceProxy},
		{"custom resource", (*suite).customResource},
	} {
		t.Run(tc.name, func(t *testing.T) { tc.run(newSuite(t, cfg, opts)) })
	}
}

// suite is one test's clients and namespace.
type suite struct {
	*testing.T
	ctx  context.Context
	cfg  *rest.Config
	opts Options
	kube kubernetes.Interface
	dyn  dynamic.Interface
	meta metadata.Interface
	ns   string
}

func newSuite(t *testing.T, cfg *rest.Config, opts Options) *suite {
	t.Helper()
	cfg = rest.CopyConfig(cfg)
	cfg.QPS, cfg.Burst = 200, 400
	cfg.WarningHandlerWithContext = rest.NoWarnings{}
	cfg.UserAgent = "kubetest/1"
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	t.Cleanup(cancel)
	s := &suite{T: t, ctx: ctx, cfg: cfg, opts: opts}
	s.kube = must(kubernetes.NewForConfig(cfg))(t)
	s.dyn = must(dynamic.NewForConfig(cfg))(t)
	s.meta = must(metadata.NewForConfig(cfg))(t)
	ns := must(s.kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "gonogo-contract-"},
	}, metav1.CreateOptions{}))(t)
	s.ns = ns.Name
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 20*time.Second)
		defer cancel()
		err := s.kube.CoreV1().Namespaces().Delete(ctx, s.ns, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			t.Errorf("deleting namespace %s: %v", s.ns, err)
		}
	})
	return s
}

// must unpacks a call that has to succeed: must(f(x))(t).
func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (s *suite) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// refused wants an error of a reason and, unless empty, exactly this message.
func (s *suite) refused(err error, reason metav1.StatusReason, message string) {
	s.Helper()
	if err == nil {
		s.Fatalf("no error, want %s", reason)
	}
	if got := apierrors.ReasonForError(err); got != reason {
		s.Fatalf("reason %q, want %q: %v", got, reason, err)
	}
	if message != "" && err.Error() != message {
		s.Fatalf("error\n got %q\nwant %q", err.Error(), message)
	}
}

// code wants a Status error with an HTTP code.
func (s *suite) code(err error, code int32) {
	s.Helper()
	var st apierrors.APIStatus
	if !errors.As(err, &st) || st.Status().Code != code {
		s.Fatalf("error %v, want a Status with code %d", err, code)
	}
}

// eventually asks until the answer is yes.
func (s *suite) eventually(what string, yes func() bool) {
	s.Helper()
	end := time.After(s.opts.Patience)
	for !yes() {
		select {
		case <-end:
			s.Fatalf("%s: still not after %v", what, s.opts.Patience)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// next is a watch's next event that is no bookmark.
func (s *suite) next(w watch.Interface) watch.Event {
	s.Helper()
	for {
		select {
		case e, open := <-w.ResultChan():
			if !open {
				s.Fatal("the watch ended")
			}
			if e.Type != watch.Bookmark {
				return e
			}
		case <-time.After(s.opts.Patience):
			s.Fatalf("no event in %v", s.opts.Patience)
		}
	}
}

func (s *suite) configMap(name string, data map[string]string) *corev1.ConfigMap {
	s.Helper()
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: data}
	return must(s.kube.CoreV1().ConfigMaps(s.ns).Create(s.ctx, cm, metav1.CreateOptions{}))(s)
}

// pod creates a pod that no scheduler takes.
func (s *suite) pod(name string, labels map[string]string) *corev1.Pod {
	s.Helper()
	// The admission of a real server wants the account, which a controller may not have made yet.
	sa := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
	if _, err := s.kube.CoreV1().ServiceAccounts(s.ns).Create(s.ctx, sa, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		s.Fatal(err)
	}
	no := false
	return must(s.kube.CoreV1().Pods(s.ns).Create(s.ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Spec: corev1.PodSpec{
			SchedulerName: "gonogo-contract-none", AutomountServiceAccountToken: &no,
			Containers: []corev1.Container{{Name: "main", Image: "registry.invalid/nothing:1"}},
		},
	}, metav1.CreateOptions{}))(s)
}
