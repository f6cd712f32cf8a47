package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/254carbon/gonogo/probes"
)

// Writer reads and changes objects for actions, each by one bounded request and never from memory. In read-only mode the transport refuses
// what is no read.
type Writer struct{ *Cluster }

// Writer returns the cluster as actions use it.
func (c *Cluster) Writer() Writer { return Writer{c} }

const (
	listPage = 500
	maxList  = 200 // pages
)

// path is where a resource or one of its objects is served.
func (w Writer) path(r schema.GroupVersionResource, namespace, name string) ([]string, error) {
	for _, segment := range []string{namespace, name} {
		if err := badSegment(segment); err != nil {
			return nil, fmt.Errorf("%q is no name", probes.Clean(segment, 100))
		}
	}
	segments := slices.Clone(w.source(w.dynamic, r).path(namespace))
	if name != "" {
		segments = append(segments, name)
	}
	return segments, nil
}

// send sends one request and returns the object that it is answered with.
func (w Writer) send(ctx context.Context, doing, method string, r schema.GroupVersionResource, namespace, name string, body *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	path, err := w.path(r, namespace, name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	ctx, ex, cancel := w.bounded(ctx, w.limits.body)
	defer cancel()
	request := w.dynamic.Verb(method).MaxRetries(0).AbsPath(path...)
	if body != nil {
		request = encoded(request, body)
	}
	object, err := request.Do(ctx).Get()
	if err != nil {
		return nil, readFailure(doing, better(ctx, ex, err))
	}
	got, _ := object.(*unstructured.Unstructured) // a Status is none
	return got, nil
}

// Get reads an object; nil if there is none.
func (w Writer) Get(ctx context.Context, r schema.GroupVersionResource, namespace, name string) (*unstructured.Unstructured, error) {
	o, err := w.send(ctx, fmt.Sprintf("reading %s %s in %s", r.Resource, name, namespace), http.MethodGet, r, namespace, name, nil)
	if apierrors.IsNotFound(err) && isAbout(err, r.Resource, name) {
		return nil, nil
	}
	if err == nil && o == nil {
		return nil, fmt.Errorf("reading %s %s in %s: the answer is no object", r.Resource, name, namespace)
	}
	return o, err
}

// List reads every object of a resource in a namespace, or in all of them, page by page.
func (w Writer) List(ctx context.Context, r schema.GroupVersionResource, namespace string) ([]*unstructured.Unstructured, error) {
	doing := "listing " + r.Resource
	var all []*unstructured.Unstructured
	options := metav1.ListOptions{Limit: listPage}
	for range maxList {
		ctx, ex, cancel := w.bounded(ctx, w.limits.body)
		object, err := w.source(w.dynamic, r).request(namespace, options).Do(ctx).Get()
		if err != nil {
			err = readFailure(doing, better(ctx, ex, err))
		}
		cancel()
		if err != nil {
			return nil, err
		}
		about, err := meta.ListAccessor(object)
		if err != nil || !meta.IsListType(object) {
			return nil, fmt.Errorf("%s: the answer is no list but a %T", doing, object)
		}
		err = meta.EachListItem(object, func(item runtime.Object) error {
			o, ok := item.(*unstructured.Unstructured)
			if !ok {
				return fmt.Errorf("it holds a %T", item)
			}
			all = append(all, o)
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", doing, err)
		}
		if options.Continue = about.GetContinue(); options.Continue == "" {
			return all, nil
		}
	}
	return nil, fmt.Errorf("%s: there are more than %d", doing, listPage*maxList)
}

// Apply has the API server take over the fields of an object on behalf of a manager, whoever had them before.
func (w Writer) Apply(ctx context.Context, r schema.GroupVersionResource, o *unstructured.Unstructured, manager string) (*unstructured.Unstructured, error) {
	doing := fmt.Sprintf("applying %s %s in %s", r.Resource, o.GetName(), o.GetNamespace())
	return w.apply(ctx, doing, r, o, manager, false)
}

// DryApply has the API server check what Apply would do, admission included, and returns what would come of it. Nothing is kept. In
// read-only mode the transport refuses it.
func (w Writer) DryApply(ctx context.Context, r schema.GroupVersionResource, o *unstructured.Unstructured, manager string) (*unstructured.Unstructured, error) {
	doing := fmt.Sprintf("trying to apply %s %s in %s", r.Resource, o.GetName(), o.GetNamespace())
	return w.apply(ctx, doing, r, o, manager, true)
}

func (w Writer) apply(ctx context.Context, doing string, r schema.GroupVersionResource, o *unstructured.Unstructured, manager string, dry bool) (*unstructured.Unstructured, error) {
	path, err := w.path(r, o.GetNamespace(), o.GetName())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	text, err := runtime.Encode(unstructured.UnstructuredJSONScheme, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	ctx, ex, cancel := w.bounded(ctx, w.limits.body)
	defer cancel()
	request := w.dynamic.Patch(types.ApplyPatchType).MaxRetries(0).AbsPath(path...).Param("fieldManager", manager).Param("force", "true").Body(text)
	if dry {
		request = request.Param("dryRun", "All")
	}
	object, err := request.Do(ctx).Get()
	if err != nil {
		return nil, readFailure(doing, better(ctx, ex, err))
	}
	got, ok := object.(*unstructured.Unstructured)
	if !ok {
		return nil, fmt.Errorf("%s: the answer is no object", doing)
	}
	return got, nil
}

// Resource finds out by which resource the API server serves a kind, and whether its objects have a namespace; found is false if it serves
// no such kind.
func (w Writer) Resource(ctx context.Context, kind schema.GroupVersionKind) (r schema.GroupVersionResource, namespaced, found bool, err error) {
	path := "/apis/" + kind.Group + "/" + kind.Version
	if kind.Group == "" {
		path = "/api/" + kind.Version
	}
	for _, segment := range []string{kind.Group, kind.Version} {
		if err := badSegment(segment); segment != "" && err != nil || kind.Version == "" {
			return r, false, false, fmt.Errorf("%q is no version of an API", probes.Clean(kind.GroupVersion().String(), 200))
		}
	}
	body, _, err := w.Raw(ctx, path, w.limits.body)
	if apierrors.IsNotFound(err) {
		return r, false, false, nil
	}
	if err != nil {
		return r, false, false, fmt.Errorf("asking what %s serves: %w", path, err)
	}
	var list metav1.APIResourceList
	if err := json.Unmarshal(body, &list); err != nil || list.Kind != "APIResourceList" {
		return r, false, false, fmt.Errorf("asking what %s serves: the answer is no list of resources", path)
	}
	for _, served := range list.APIResources {
		if served.Kind == kind.Kind && !strings.Contains(served.Name, "/") {
			return kind.GroupVersion().WithResource(served.Name), served.Namespaced, true, nil
		}
	}
	return r, false, false, nil
}

// Create creates an object.
func (w Writer) Create(ctx context.Context, r schema.GroupVersionResource, o *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	return w.send(ctx, fmt.Sprintf("creating %s %s in %s", r.Resource, o.GetName(), o.GetNamespace()), http.MethodPost, r, o.GetNamespace(), "", o)
}

// Delete deletes an object; one that is not there is fine.
func (w Writer) Delete(ctx context.Context, r schema.GroupVersionResource, namespace, name string) error {
	if name == "" {
		return errors.New("deleting without a name")
	}
	_, err := w.send(ctx, fmt.Sprintf("deleting %s %s in %s", r.Resource, name, namespace), http.MethodDelete, r, namespace, name, nil)
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
