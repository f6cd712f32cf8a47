// Package kubefake is a cluster in memory for tests of probes that read Kubernetes objects.
package kubefake

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/kube"
)

// Cluster answers reads from a set of objects. Built-in groups are always served; others once there is an object of them or Serve was
// called. It is safe for concurrent use.
type Cluster struct {
	mu      sync.Mutex
	objects map[schema.GroupVersionResource][]*unstructured.Unstructured
	errors  map[schema.GroupVersionResource]error
	wakes   map[schema.GroupVersionResource]map[int]func()
	next    int
	hang    bool
	note    string
	at      time.Time
}

var _ kube.Cluster = (*Cluster)(nil)

// New returns a cluster that holds the objects, which it takes over.
func New(objects ...map[string]any) *Cluster {
	c := &Cluster{
		objects: map[schema.GroupVersionResource][]*unstructured.Unstructured{},
		errors:  map[schema.GroupVersionResource]error{},
		wakes:   map[schema.GroupVersionResource]map[int]func(){},
	}
	c.Add(objects...)
	return c
}

// Add adds objects and wakes who watches them.
func (c *Cluster) Add(objects ...map[string]any) {
	for _, o := range objects {
		u := &unstructured.Unstructured{Object: o}
		r := ResourceOf(u.GroupVersionKind())
		c.mu.Lock()
		c.objects[r] = append(c.objects[r], u)
		wakes := make([]func(), 0, len(c.wakes[r]))
		for _, wake := range c.wakes[r] {
			wakes = append(wakes, wake)
		}
		c.mu.Unlock()
		for _, wake := range wakes {
			wake()
		}
	}
}

// ResourceOf is the resource that objects of a kind are served as.
func ResourceOf(k schema.GroupVersionKind) schema.GroupVersionResource {
	if k.Group == "metrics.k8s.io" {
		return k.GroupVersion().WithResource(map[string]string{"NodeMetrics": "nodes", "PodMetrics": "pods"}[k.Kind])
	}
	r, _ := meta.UnsafeGuessKindToResource(k)
	return r
}

// Serve makes the cluster serve a resource that it has no object of.
func (c *Cluster) Serve(r schema.GroupVersionResource) *Cluster {
	c.objects[r] = append(c.objects[r], []*unstructured.Unstructured{}...)
	if c.objects[r] == nil {
		c.objects[r] = []*unstructured.Unstructured{}
	}
	return c
}

// Refuse makes every read of a resource fail.
func (c *Cluster) Refuse(r schema.GroupVersionResource, err error) *Cluster {
	c.errors[r] = err
	return c
}

// Forbid makes every read of a resource fail for want of rights.
func (c *Cluster) Forbid(r schema.GroupVersionResource) *Cluster {
	return c.Refuse(r, apierrors.NewForbidden(r.GroupResource(), "", fmt.Errorf("may not list")))
}

// Hang makes every read wait for the end of its context.
func (c *Cluster) Hang() *Cluster {
	c.hang = true
	return c
}

// Narrow makes every read say that not all was seen.
func (c *Cluster) Narrow(note string) *Cluster {
	c.note = note
	return c
}

// List implements [kube.Objects].
func (c *Cluster) List(ctx context.Context, r schema.GroupVersionResource, namespace string) (probes.Seen[*unstructured.Unstructured], error) {
	seen := probes.Seen[*unstructured.Unstructured]{Note: c.note, Confirmed: c.at, Request: request(r, namespace)}
	if c.hang {
		<-ctx.Done()
		return seen, ctx.Err()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.errors[r]; err != nil {
		return seen, err
	}
	all, served := c.objects[r]
	if !served && strings.Contains(r.Group, ".") && !strings.HasSuffix(r.Group, ".k8s.io") {
		return seen, apierrors.NewNotFound(r.GroupResource(), "")
	}
	for _, o := range all {
		if namespace == "" || o.GetNamespace() == namespace {
			seen.Items = append(seen.Items, o)
		}
	}
	slices.SortFunc(seen.Items, func(a, b *unstructured.Unstructured) int {
		return strings.Compare(a.GetNamespace()+"/"+a.GetName(), b.GetNamespace()+"/"+b.GetName())
	})
	return seen, nil
}

// Nodes implements [kube.Nodes].
func (c *Cluster) Nodes(ctx context.Context) (probes.Seen[*corev1.Node], error) {
	return typed(ctx, c, schema.GroupVersionResource{Version: "v1", Resource: "nodes"}, "", func(n *corev1.Node) *corev1.Node { return n })
}

// Pods implements [kube.Pods].
func (c *Cluster) Pods(ctx context.Context, namespace string) (probes.Seen[*kube.Pod], error) {
	return typed(ctx, c, schema.GroupVersionResource{Version: "v1", Resource: "pods"}, namespace, kube.PodOf)
}

func typed[T, U any](ctx context.Context, c *Cluster, r schema.GroupVersionResource, namespace string, reduce func(*T) U) (probes.Seen[U], error) {
	raw, err := c.List(ctx, r, namespace)
	seen := probes.Seen[U]{Note: raw.Note, Confirmed: raw.Confirmed, Request: raw.Request}
	if err != nil {
		return seen, err
	}
	for _, o := range raw.Items {
		item := new(T)
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, item); err != nil {
			return seen, fmt.Errorf("decoding %s %s: %w", r.Resource, o.GetName(), err)
		}
		seen.Items = append(seen.Items, reduce(item))
	}
	return seen, nil
}

// Watch implements [kube.Objects], [kube.Nodes] and [kube.Pods].
func (c *Cluster) Watch(r schema.GroupVersionResource, wake func()) (stop func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wakes[r] == nil {
		c.wakes[r] = map[int]func(){}
	}
	c.next++
	id := c.next
	c.wakes[r][id] = wake
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.wakes[r], id)
	}
}

func request(r schema.GroupVersionResource, namespace string) probes.Request {
	path, flag := "/apis/"+r.Group+"/"+r.Version, "-A"
	if r.Group == "" {
		path = "/api/" + r.Version
	}
	if namespace != "" {
		path, flag = path+"/namespaces/"+namespace, "-n "+namespace
	}
	return probes.Request{Source: "GET " + path + "/" + r.Resource, Repeat: fmt.Sprintf("kubectl get %s %s -o yaml", r.GroupResource(), flag)}
}
