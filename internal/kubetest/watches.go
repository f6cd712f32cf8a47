package kubetest

import (
	"fmt"
	"strconv"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/tools/cache"
)

// leases are what the watches are tried on: no controller writes any into a new namespace.
func leases() schema.GroupVersionResource {
	return coordinationv1.SchemeGroupVersion.WithResource("leases")
}

func (s *suite) label(name, value string) *coordinationv1.Lease {
	s.Helper()
	patch := `{"metadata":{"labels":{"l":` + value + `}}}`
	return must(s.kube.CoordinationV1().Leases(s.ns).Patch(s.ctx, name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}))(s)
}

func told(e watch.Event) string {
	lease, ok := e.Object.(*coordinationv1.Lease)
	if !ok {
		return fmt.Sprintf("%s %+v", e.Type, e.Object)
	}
	return fmt.Sprintf("%s %s l=%s", e.Type, lease.Name, lease.Labels["l"])
}

func (s *suite) expect(w watch.Interface, want ...string) (versions []uint64) {
	s.Helper()
	for _, what := range want {
		e := s.next(w)
		if got := told(e); got != what {
			s.Fatalf("event %q, want %q", got, what)
		}
		n, err := strconv.ParseUint(e.Object.(*coordinationv1.Lease).ResourceVersion, 10, 64)
		s.ok(err)
		versions = append(versions, n)
	}
	return versions
}

func (s *suite) watch() {
	api := s.kube.CoordinationV1().Leases(s.ns)
	s.lease("old", nil)
	w := must(api.Watch(s.ctx, metav1.ListOptions{}))(s) // without a version: what is there, then changes
	defer w.Stop()
	s.expect(w, "ADDED old l=")
	s.lease("new", map[string]string{"l": "1"})
	s.label("new", `"2"`)
	s.ok(api.Delete(s.ctx, "new", metav1.DeleteOptions{}))
	v := s.expect(w, "ADDED new l=1", "MODIFIED new l=2")
	gone := s.next(w)
	if got := told(gone); got != "DELETED new l=2" {
		s.Fatalf("event %q, want %q", got, "DELETED new l=2")
	}
	last := gone.Object.(*coordinationv1.Lease)
	if last.DeletionTimestamp != nil {
		s.Error("an object that nothing held was told as marked for deletion")
	}
	end, err := strconv.ParseUint(last.ResourceVersion, 10, 64)
	s.ok(err)
	v = append(v, end)
	if v[0] >= v[1] || v[1] >= v[2] {
		s.Errorf("versions %v do not rise", v)
	}
	begun := time.Now()
	short := must(api.Watch(s.ctx, metav1.ListOptions{ResourceVersion: fmt.Sprint(v[2]), TimeoutSeconds: new(int64(1))}))(s)
	defer short.Stop()
	for e := range short.ResultChan() {
		s.Errorf("event %s in a quiet watch", told(e))
	}
	if took := time.Since(begun); took > 10*time.Second {
		s.Errorf("a watch for one second took %v", took)
	}
}

// watchByLabel wants objects to come and go as they begin and cease to match.
func (s *suite) watchByLabel() {
	api := s.kube.CoordinationV1().Leases(s.ns)
	x := s.lease("x", map[string]string{"l": "no"})
	w := must(api.Watch(s.ctx, metav1.ListOptions{LabelSelector: "l in (yes,more)", ResourceVersion: x.ResourceVersion}))(s)
	defer w.Stop()
	s.label("x", `"yes"`)
	s.label("x", `"more"`)
	gone := s.label("x", `null`)
	s.label("x", `"yes"`)
	v := s.expect(w, "ADDED x l=yes", "MODIFIED x l=more", "DELETED x l=more", "ADDED x l=yes")
	if fmt.Sprint(v[2]) != gone.ResourceVersion {
		s.Errorf("the leaving has version %d, want that of the change, %s", v[2], gone.ResourceVersion)
	}
}

// watchResumes loses the connection and wants everything after the last version seen, once.
func (s *suite) watchResumes() {
	api := s.kube.CoordinationV1().Leases(s.ns)
	x := s.lease("x", nil)
	w := must(api.Watch(s.ctx, metav1.ListOptions{ResourceVersion: x.ResourceVersion}))(s)
	s.label("x", `"1"`)
	seen := s.expect(w, "MODIFIED x l=1")
	w.Stop()
	s.label("x", `"2"`)
	s.lease("y", nil)
	s.ok(api.Delete(s.ctx, "x", metav1.DeleteOptions{}))
	w = must(api.Watch(s.ctx, metav1.ListOptions{ResourceVersion: fmt.Sprint(seen[0])}))(s)
	defer w.Stop()
	s.expect(w, "MODIFIED x l=2", "ADDED y l=", "DELETED x l=2")
}

// watchBookmarks relies on the one bookmark that comes two seconds before a watch's end. It is sent
// only when it says something new, here that a lease which the watch does not select was written.
func (s *suite) watchBookmarks() {
	api := s.kube.CoordinationV1().Leases(s.ns)
	x := s.lease("x", nil)
	w := must(api.Watch(s.ctx, metav1.ListOptions{
		FieldSelector: "metadata.name=x", ResourceVersion: x.ResourceVersion, AllowWatchBookmarks: true, TimeoutSeconds: new(int64(6)),
	}))(s)
	defer w.Stop()
	other := s.lease("other", nil)
	newest := ""
	for e := range w.ResultChan() {
		lease, ok := e.Object.(*coordinationv1.Lease)
		if e.Type != watch.Bookmark || !ok || lease.Name != "" {
			s.Fatalf("event %s in a watch of what does not change", told(e))
		}
		newest = lease.ResourceVersion
	}
	if newest == "" {
		s.Fatal("no bookmark before the end of the watch")
	}
	order, err := resourceversion.CompareResourceVersion(newest, other.ResourceVersion)
	s.ok(err)
	if order < 0 {
		s.Errorf("bookmark at version %s, want at least that of the last write, %s", newest, other.ResourceVersion)
	}
}

// watchList wants a list as a stream: the objects, then the bookmark that says so, then changes.
func (s *suite) watchList() {
	api := s.kube.CoordinationV1().Leases(s.ns)
	s.lease("a", nil)
	s.lease("b", nil)
	opts := metav1.ListOptions{
		SendInitialEvents: new(true), AllowWatchBookmarks: true, ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan,
	}
	w := must(api.Watch(s.ctx, opts))(s)
	defer w.Stop()
	s.expect(w, "ADDED a l=", "ADDED b l=")
	select {
	case e := <-w.ResultChan():
		lease, ok := e.Object.(*coordinationv1.Lease)
		if e.Type != watch.Bookmark || !ok || lease.Annotations[metav1.InitialEventsAnnotationKey] != "true" || lease.ResourceVersion == "" {
			s.Fatalf("event %s, want the bookmark that ends the list", told(e))
		}
	case <-time.After(s.opts.Patience):
		s.Fatal("no bookmark ends the list")
	}
	s.label("a", `"1"`)
	s.expect(w, "MODIFIED a l=1")
	opts.ResourceVersionMatch = ""
	_, err := api.Watch(s.ctx, opts)
	s.code(err, 422)
}

func (s *suite) informer() {
	factory := informers.NewSharedInformerFactoryWithOptions(s.kube, 0, informers.WithNamespace(s.ns))
	inf := factory.Coordination().V1().Leases().Informer()
	s.follow(inf)
}

func (s *suite) dynamicInformer() {
	factory := dynamicinformer.NewFilteredDynamicSharedInformerFactory(s.dyn, 0, s.ns, nil)
	s.follow(factory.ForResource(leases()).Informer())
}

// follow runs an informer over a lease's life.
func (s *suite) follow(inf cache.SharedIndexInformer) {
	s.Helper()
	s.lease("old", nil)
	events := make(chan string, 100)
	name := func(obj any) string {
		k, err := cache.DeletionHandlingMetaNamespaceKeyFunc(obj)
		if err != nil {
			return err.Error()
		}
		return k[len(s.ns)+1:]
	}
	must(inf.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { events <- "add " + name(obj) },
		UpdateFunc: func(_, obj any) { events <- "update " + name(obj) },
		DeleteFunc: func(obj any) { events <- "delete " + name(obj) },
	}))(s)
	stop := make(chan struct{})
	stopped := make(chan struct{})
	go func() { inf.Run(stop); close(stopped) }()
	defer func() { close(stop); <-stopped }()
	expect := func(want string) {
		s.Helper()
		select {
		case got := <-events:
			if got != want {
				s.Fatalf("informer says %q, want %q", got, want)
			}
		case <-time.After(s.opts.Patience):
			s.Fatalf("informer says nothing, want %q", want)
		}
	}
	expect("add old")
	s.eventually("the informer has synced", inf.HasSynced)
	s.lease("new", nil)
	expect("add new")
	s.label("new", `"1"`)
	expect("update new")
	s.ok(s.kube.CoordinationV1().Leases(s.ns).Delete(s.ctx, "new", metav1.DeleteOptions{}))
	expect("delete new")
	if keys := inf.GetStore().ListKeys(); len(keys) != 1 || keys[0] != s.ns+"/old" {
		s.Errorf("the informer holds %v", keys)
	}
}

func (s *suite) metadata() {
	s.lease("x", map[string]string{"l": "1"})
	api := s.meta.Resource(leases()).Namespace(s.ns)
	x := must(api.Get(s.ctx, "x", metav1.GetOptions{}))(s)
	if x.Labels["l"] != "1" || x.UID == "" {
		s.Errorf("got %+v", x)
	}
	list := must(api.List(s.ctx, metav1.ListOptions{LabelSelector: "l=1", Limit: 1}))(s)
	if len(list.Items) != 1 || list.Items[0].Name != "x" || list.ResourceVersion == "" {
		s.Errorf("listed %+v", list)
	}
	if got := must(api.Patch(s.ctx, "x", types.MergePatchType, []byte(`{"metadata":{"labels":{"l":"2"}}}`), metav1.PatchOptions{}))(s); got.Labels["l"] != "2" {
		s.Errorf("patched to %+v", got)
	}
	s.ok(api.Delete(s.ctx, "x", metav1.DeleteOptions{}))
	s.follow(metadatainformer.NewFilteredSharedInformerFactory(s.meta, 0, s.ns, nil).ForResource(leases()).Informer())
}
