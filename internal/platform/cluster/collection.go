package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/probes"
)

// collection is one resource as far as the credential may see it: one feed over all namespaces, or where that is refused one for each
// namespace that is asked for or was named in the options. Feeds begin with the first read.
type collection[T any] struct {
	c          *Cluster
	src        source
	namespaced bool
	reducer    func() func(runtime.Object) (T, error) // one for each feed
	same       func(a, b T) bool

	mu    sync.Mutex
	feeds map[string]*running[T] // by namespace; "" is all
}

// running is a feed with the goroutine that keeps it going.
type running[T any] struct {
	*feed[T]
	stop context.CancelFunc
}

// feed returns the feed of a scope, started.
func (k *collection[T]) feed(namespace string) *feed[T] {
	k.mu.Lock()
	defer k.mu.Unlock()
	if r := k.feeds[namespace]; r != nil {
		return r.feed
	}
	f := &feed[T]{
		src: k.src, namespace: namespace, doing: k.doing(namespace), reduce: k.reducer(), same: k.same,
		wake: func() { k.c.wakers.wake(k.src.resource) },
		now:  k.c.now, log: k.c.log, limits: k.src.limits, kick: make(chan struct{}, 1),
	}
	ctx, stop := context.WithCancel(k.c.ctx)
	k.feeds[namespace] = &running[T]{feed: f, stop: stop}
	if !k.c.spawn(func() { f.run(ctx) }) {
		f.failed(errClosed)
	}
	return f
}

func (k *collection[T]) doing(namespace string) string {
	what := k.src.resource.Resource
	if g := k.src.resource.Group; g != "" {
		what += "." + g
	}
	if namespace != "" {
		return "listing " + what + " in namespace " + namespace
	}
	return "listing " + what
}

// retire ends the feeds of single namespaces, after all namespaces can be seen.
func (k *collection[T]) retire() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for ns, r := range k.feeds {
		if ns != "" {
			r.stop()
			delete(k.feeds, ns)
		}
	}
}

// read answers from the feeds.
func (k *collection[T]) read(ctx context.Context, namespace string) (probes.Seen[T], error) {
	if namespace == "" || k.namespaced {
		if bad := badSegment(namespace); bad != nil {
			return probes.Seen[T]{}, bad
		}
	}
	all, err := k.feed("").read(ctx, namespace)
	if err == nil {
		k.retire()
		return k.seen(all, namespace, ""), nil
	}
	scopes := k.c.namespaces
	if namespace != "" {
		scopes = []string{namespace}
	}
	if !k.namespaced || len(scopes) == 0 || !apierrors.IsForbidden(err) {
		return probes.Seen[T]{}, err
	}
	return k.readScopes(ctx, namespace, scopes, err)
}

// readScopes reads single namespaces after all of them were refused.
func (k *collection[T]) readScopes(ctx context.Context, namespace string, scopes []string, whole error) (probes.Seen[T], error) {
	views, errs := make([]view[T], len(scopes)), make([]error, len(scopes))
	var group sync.WaitGroup
	for i, ns := range scopes {
		group.Go(func() { views[i], errs[i] = k.feed(ns).read(ctx, ns) })
	}
	group.Wait()
	var union view[T]
	var could, cannot []string
	for i, ns := range scopes {
		if err := errs[i]; err != nil {
			if apierrors.IsNotFound(err) { // no such resource in namespaces: it is the whole cluster's
				return probes.Seen[T]{}, whole
			}
			if !apierrors.IsForbidden(err) { // not a matter of rights: what is missing is unknown
				return probes.Seen[T]{}, err
			}
			cannot = append(cannot, ns)
			continue
		}
		could = append(could, ns)
		union.items = append(union.items, views[i].items...)
		if union.confirmed.IsZero() || views[i].confirmed.Before(union.confirmed) {
			union.confirmed = views[i].confirmed
		}
		if union.unwatched == "" {
			union.unwatched = views[i].unwatched
		}
	}
	if len(could) == 0 {
		return probes.Seen[T]{}, errs[0]
	}
	if namespace != "" {
		return k.seen(union, namespace, ""), nil
	}
	note := "only the namespaces " + strings.Join(could, ", ")
	if len(cannot) > 0 {
		note += ", not " + strings.Join(cannot, ", ")
	}
	var told *readError
	if errors.As(whole, &told) {
		note += ": " + told.reason
	}
	return k.seen(union, namespace, note), nil
}

// seen says what was seen, and how to see it by hand.
func (k *collection[T]) seen(v view[T], namespace, note string) probes.Seen[T] {
	source := "GET " + k.src.server + "/" + strings.Join(k.src.path(namespace), "/")
	if v.unwatched != "" { // nothing is missing because of that, so it is no note
		source += fmt.Sprintf(" (asked every %s instead of watched: %s)", k.src.limits.poll, v.unwatched)
	} else {
		source += "?watch=true"
	}
	r := k.src.resource
	name, scope := r.Resource, ""
	if r.Group != "" {
		name += "." + r.Version + "." + r.Group
	}
	switch {
	case namespace != "":
		scope = " -n " + probes.ShellWord(namespace)
	case k.namespaced:
		scope = " -A"
	}
	return probes.Seen[T]{
		Items: v.items, Confirmed: v.confirmed, Note: note,
		Request: probes.Request{
			Source: source,
			Repeat: k.c.kubectl + " get " + probes.ShellWord(name) + scope + " -o yaml",
		},
	}
}

// badSegment refuses what cannot be a name in a path of the API.
func badSegment(name string) error {
	if name == "." || name == ".." || strings.ContainsAny(name, "/%?#") {
		return fmt.Errorf("%q is no name of a namespace or resource", probes.Clean(name, 100))
	}
	return nil
}

// wakers are those who want to know of changes, by resource.
type wakers struct {
	mu   sync.RWMutex
	next int
	by   map[schema.GroupVersionResource]map[int]func()
}

func (w *wakers) add(r schema.GroupVersionResource, wake func()) (stop func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.by == nil {
		w.by = map[schema.GroupVersionResource]map[int]func(){}
	}
	if w.by[r] == nil {
		w.by[r] = map[int]func(){}
	}
	w.next++
	id := w.next
	w.by[r][id] = wake
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.by[r], id)
	}
}

// resources lists those that somebody waits for.
func (w *wakers) resources() []schema.GroupVersionResource {
	w.mu.RLock()
	defer w.mu.RUnlock()
	var all []schema.GroupVersionResource
	for r, by := range w.by {
		if len(by) > 0 {
			all = append(all, r)
		}
	}
	return all
}

// wake tells those of one resource. A stop that is called meanwhile returns after it.
func (w *wakers) wake(r schema.GroupVersionResource) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	for _, wake := range w.by[r] {
		wake()
	}
}

// unique returns names without repetitions, in order.
func unique(names []string) []string {
	sorted := slices.Clone(names)
	slices.Sort(sorted)
	sorted = slices.Compact(sorted)
	return slices.DeleteFunc(sorted, func(n string) bool { return n == "" })
}
