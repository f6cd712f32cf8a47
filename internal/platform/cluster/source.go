package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
)

// source asks the API server for one resource.
type source struct {
	client   rest.Interface
	codec    runtime.ParameterCodec
	resource schema.GroupVersionResource
	name     string // of the only object that is wanted; empty for all
	server   string
	limits   limits
}

// path is where the resource is served.
func (s source) path(namespace string) []string {
	segments := []string{"apis", s.resource.Group, s.resource.Version}
	if s.resource.Group == "" {
		segments = []string{"api", s.resource.Version}
	}
	if namespace != "" {
		segments = append(segments, "namespaces", namespace)
	}
	return append(segments, s.resource.Resource)
}

func (s source) request(namespace string, options metav1.ListOptions) *rest.Request {
	if s.name != "" {
		options.FieldSelector = "metadata.name=" + s.name
	}
	return s.client.Get().MaxRetries(0).AbsPath(s.path(namespace)...).
		SpecificallyVersionedParams(&options, s.codec, schema.GroupVersion{Version: "v1"})
}

// list asks for one page.
func (s source) list(ctx context.Context, namespace string, options metav1.ListOptions) (runtime.Object, metav1.ListInterface, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.limits.call, silentError{server: s.server, after: s.limits.call})
	defer cancel()
	ctx, ex := withExchange(ctx, s.limits.body)
	object, err := s.request(namespace, options).Do(ctx).Get()
	if err != nil {
		if err = better(ctx, ex, err); ex.failure() == nil && ctx.Err() == nil && apierrors.ReasonForError(err) == metav1.StatusReasonUnknown {
			err = garbledError{err}
		}
		return nil, nil, err
	}
	about, err := meta.ListAccessor(object)
	if err != nil || !meta.IsListType(object) {
		return nil, nil, garbledError{fmt.Errorf("it is not a list but a %T", object)}
	}
	return object, about, nil
}

// better picks the error that says most.
func better(ctx context.Context, ex *exchange, err error) error {
	var large *tooLargeError
	var silent silentError
	below := ex.failure()
	switch {
	case errors.As(below, &large):
		return large
	case errors.As(context.Cause(ctx), &silent):
		return silent
	}
	return err
}

// stream is one watch under way. Only one goroutine reads it.
type stream struct {
	watch  watch.Interface
	ex     *exchange
	cancel context.CancelFunc
}

func (s *stream) stop() {
	s.cancel()
	s.watch.Stop()
}

// ended says why the events stopped: nil if the server ended the watch in good order.
func (s *stream) ended() error {
	if err := s.ex.failure(); err != nil {
		return fmt.Errorf("%w: %w", errCut, err)
	}
	return nil
}

// open begins a watch and waits for its answer to begin, no longer than patience.
func (s source) open(ctx context.Context, namespace string, options metav1.ListOptions, patience time.Duration) (*stream, error) {
	options.Watch, options.AllowWatchBookmarks = true, true
	ctx, stop := context.WithCancelCause(ctx)
	timer := time.AfterFunc(patience, func() { stop(silentError{server: s.server, after: patience}) })
	ctx, ex := withExchange(ctx, s.limits.event)
	w, err := s.request(namespace, options).Watch(ctx)
	inTime := timer.Stop()
	if err == nil { // client-go takes some failures for a watch that ended at once
		if below := ex.failure(); below != nil || !inTime {
			w.Stop()
			err = context.Cause(ctx)
			if err == nil {
				err = connectionError{server: s.server, err: below}
			}
		}
	}
	if err != nil {
		err = better(ctx, ex, err)
		stop(nil)
		return nil, err
	}
	return &stream{watch: w, ex: ex, cancel: func() { stop(nil) }}, nil
}
