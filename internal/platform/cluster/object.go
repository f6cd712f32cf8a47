package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/254carbon/gonogo/probes"
)

// Object is one object of a cluster, whether it is there or not. It is read from a watch of its own, for which rights on its name are
// enough, and which starts with the first read.
type Object struct {
	c         *Cluster
	src       source
	namespace string
	wakers    wakers

	mu   sync.Mutex
	feed *feed[*unstructured.Unstructured]
}

// Object returns an object by its name. Readers of the same one share its watch.
func (c *Cluster) Object(r schema.GroupVersionResource, namespace, name string) *Object {
	key := fmt.Sprintf("%s %s/%s", r, namespace, name)
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.single[key]
	if o == nil {
		src := c.source(c.dynamic, r)
		src.name = name
		o = &Object{c: c, src: src, namespace: namespace}
		if c.single == nil {
			c.single = map[string]*Object{}
		}
		c.single[key] = o
	}
	return o
}

func (o *Object) doing() string {
	return fmt.Sprintf("reading %s %s in namespace %s", o.src.resource.GroupResource(), o.src.name, o.namespace)
}

// Request says how the object is read, and how to read it by hand.
func (o *Object) Request() probes.Request {
	path := append([]string{o.c.server}, o.src.path(o.namespace)...)
	return probes.Request{
		Source: "GET " + strings.Join(path, "/") + "?fieldSelector=metadata.name%3D" + o.src.name + "&watch=true",
		Repeat: fmt.Sprintf("%s get %s %s -n %s -o yaml", o.c.kubectl, probes.ShellWord(o.src.resource.GroupResource().String()),
			probes.ShellWord(o.src.name), probes.ShellWord(o.namespace)),
	}
}

// Read waits, within ctx, until the object was looked for once, and then answers from memory; Items is empty where there is none.
func (o *Object) Read(ctx context.Context) (probes.Seen[*unstructured.Unstructured], error) {
	for _, part := range []string{o.namespace, o.src.name} {
		if err := badSegment(part); err != nil || part == "" {
			return probes.Seen[*unstructured.Unstructured]{}, fmt.Errorf("%s: %q is no name", o.doing(), probes.Clean(part, 100))
		}
	}
	v, err := o.started().read(ctx, o.namespace)
	if err != nil {
		return probes.Seen[*unstructured.Unstructured]{Request: o.Request()}, untold(err)
	}
	return probes.Seen[*unstructured.Unstructured]{Items: v.items, Confirmed: v.confirmed, Request: o.Request()}, nil
}

func (o *Object) started() *feed[*unstructured.Unstructured] {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.feed != nil {
		return o.feed
	}
	f := &feed[*unstructured.Unstructured]{
		src: o.src, namespace: o.namespace, doing: o.doing(), reduce: reduceObject, wake: func() { o.wakers.wake(o.src.resource) },
		now: o.c.now, log: o.c.log, limits: o.src.limits, kick: make(chan struct{}, 1),
	}
	if !o.c.spawn(func() { f.run(o.c.ctx) }) {
		f.failed(errClosed)
	}
	o.feed = f
	return f
}

// Watch calls wake, from any goroutine, when what Read says may have changed, until stop is called. It must not block, nor stop itself.
func (o *Object) Watch(wake func()) (stop func()) { return o.wakers.add(o.src.resource, wake) }

// attemptsToWrite is how often a write is tried while others keep writing the same object.
const attemptsToWrite = 12

// Change reads the object itself, not from the watch, lets edit change it, and writes it; what others write meanwhile is read again, not
// overwritten. An object that is not there is made from template. Edit may be called several times; its error ends the attempt.
func (o *Object) Change(ctx context.Context, template *unstructured.Unstructured, edit func(*unstructured.Unstructured) error) error {
	doing := fmt.Sprintf("writing %s %s in namespace %s", o.src.resource.GroupResource(), o.src.name, o.namespace)
	for attempt := 1; ; attempt++ {
		object, err := o.send(ctx, http.MethodGet, nil)
		exists := err == nil
		if isAbout(err, o.src.resource.Resource, o.src.name) && apierrors.IsNotFound(err) {
			object, err = template.DeepCopy(), nil
		}
		if err != nil {
			return readFailure(doing, err)
		}
		if err := edit(object); err != nil {
			return err
		}
		method := http.MethodPost
		if exists {
			method = http.MethodPut
		}
		_, err = o.send(ctx, method, object)
		lost := apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err)
		if !lost || attempt >= attemptsToWrite {
			return readFailure(doing, err)
		}
		select {
		case <-time.After(rand.N(time.Duration(attempt) * 20 * time.Millisecond)): //nolint:gosec // spreads load, hides nothing
		case <-ctx.Done():
			return readFailure(doing, context.Cause(ctx))
		}
	}
}

// send sends one request about the object.
func (o *Object) send(ctx context.Context, method string, body *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	ctx, ex, cancel := o.c.bounded(ctx, o.c.limits.body)
	defer cancel()
	path := slices.Clone(o.src.path(o.namespace))
	if method != http.MethodPost {
		path = append(path, o.src.name)
	}
	r := o.c.dynamic.Verb(method).MaxRetries(0).AbsPath(path...)
	if body != nil {
		r = encoded(r, body)
	}
	object, err := r.Do(ctx).Get()
	if err != nil {
		return nil, better(ctx, ex, err)
	}
	got, ok := object.(*unstructured.Unstructured)
	if !ok {
		return nil, garbledError{errors.New("it is no object")}
	}
	return got, nil
}

func encoded(r *rest.Request, body *unstructured.Unstructured) *rest.Request {
	text, err := runtime.Encode(unstructured.UnstructuredJSONScheme, body)
	if err != nil {
		return r.Body(body) // which fails for the same reason
	}
	return r.SetHeader("Content-Type", runtime.ContentTypeJSON).Body(text)
}
