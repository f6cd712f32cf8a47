package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/klog/v2"

	"github.com/254carbon/gonogo/probes"
)

// bounded gives one request its deadline and its limit.
func (c *Cluster) bounded(ctx context.Context, limit int64) (context.Context, *exchange, context.CancelFunc) {
	ctx, cancel := context.WithTimeoutCause(klog.NewContext(ctx, c.klog), c.limits.call, silentError{server: c.server, after: c.limits.call})
	ctx, ex := withExchange(ctx, limit)
	return ctx, ex, cancel
}

// Raw gets a path of the API ("/readyz?verbose", "/apis/metrics.k8s.io/v1beta1/nodes"), no more than limit bytes of it. An answer other
// than 2xx is an error of apierrors, with which the body is returned too. The credential goes along, so the path must be the caller's own.
func (c *Cluster) Raw(ctx context.Context, path string, limit int64) ([]byte, probes.Request, error) {
	request := probes.Request{Source: "GET " + c.server + path, Repeat: c.kubectl + " get --raw " + probes.ShellWord(path)}
	doing := "getting " + path
	u, err := url.Parse(path)
	if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(u.Path, "/") {
		return nil, request, fmt.Errorf("%s: it is no path of an API", doing)
	}
	ctx, ex, cancel := c.bounded(ctx, limit)
	defer cancel()
	r := c.dynamic.Get().MaxRetries(0).AbsPath(u.Path).SetHeader("Accept", "application/json, text/plain, */*")
	for key, values := range u.Query() {
		for _, v := range values {
			r = r.Param(key, v)
		}
	}
	body, err := r.DoRaw(ctx)
	if err != nil {
		return body, request, readFailure(doing, better(ctx, ex, err))
	}
	return body, request, nil
}

// get reads one object, or with options a list, into a type that the typed client knows.
func (c *Cluster) get(ctx context.Context, doing string, into runtime.Object, options *metav1.ListOptions, path ...string) error {
	ctx, ex, cancel := c.bounded(ctx, c.limits.body)
	defer cancel()
	for _, segment := range path {
		if err := badSegment(segment); err != nil || segment == "" {
			return fmt.Errorf("%s: %q is no name", doing, probes.Clean(segment, 100))
		}
	}
	r := c.typed.Get().MaxRetries(0).AbsPath(path...)
	if options != nil {
		r = r.SpecificallyVersionedParams(options, c.codec, schema.GroupVersion{Version: "v1"})
	}
	err := r.Do(ctx).Into(into)
	return readFailure(doing, sense(ctx, ex, err))
}

// sense turns the errors of decoding, which may quote what they could not read, into one that does not.
func sense(ctx context.Context, ex *exchange, err error) error {
	var status apierrors.APIStatus
	if err == nil {
		return nil
	}
	if better := better(ctx, ex, err); errors.As(better, &status) || ex.failure() != nil || ctx.Err() != nil {
		return better
	}
	return garbledError{errors.New("it cannot be decoded")}
}

// UID is what tells this cluster from all others, whatever it is called: the identity of its namespace kube-system. It is asked once.
func (c *Cluster) UID(ctx context.Context) (string, error) {
	c.mu.Lock()
	known := c.uid
	c.mu.Unlock()
	if known != "" {
		return known, nil
	}
	var ns corev1.Namespace
	if err := c.get(ctx, "identifying the cluster", &ns, nil, "api", "v1", "namespaces", "kube-system"); err != nil {
		return "", err
	}
	if ns.UID == "" {
		return "", errors.New("identifying the cluster: the namespace kube-system has no uid")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.uid = string(ns.UID)
	return c.uid, nil
}

// Clock reads the API server's own time from the date of an answer, which has no fractions of a second.
func (c *Cluster) Clock(ctx context.Context) (time.Time, error) {
	const doing, most = "reading the API server's clock", 64 << 10
	ctx, ex, cancel := c.bounded(ctx, most)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.server+"/version", nil)
	if err != nil {
		return time.Time{}, readFailure(doing, err)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return time.Time{}, readFailure(doing, better(ctx, ex, err))
	}
	_ = resp.Body.Close()
	at, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return time.Time{}, fmt.Errorf("%s: its answers carry no date", doing)
	}
	return at, nil
}

// CanI asks the API server whether the credential may do something: with resources of a group, a subresource of them ("" for none), in a
// namespace ("" for all of them, or none), of one name ("" for any). The reason is the server's and may be empty.
func (c *Cluster) CanI(ctx context.Context, verb, group, resource, subresource, namespace, name string) (allowed bool, why string, err error) {
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: verb, Group: group, Resource: resource, Subresource: subresource, Namespace: namespace, Name: name,
		},
	}}
	ctx, ex, cancel := c.bounded(ctx, c.limits.body)
	defer cancel()
	var answer authorizationv1.SelfSubjectAccessReview
	err = c.typed.Post().MaxRetries(0).AbsPath("apis", "authorization.k8s.io", "v1", "selfsubjectaccessreviews").Body(review).Do(ctx).Into(&answer)
	if err != nil {
		return false, "", readFailure(fmt.Sprintf("asking whether %s %s is allowed", verb, resource), sense(ctx, ex, err))
	}
	why = answer.Status.Reason
	if !answer.Status.Allowed && answer.Status.EvaluationError != "" {
		why = strings.TrimPrefix(why+": "+answer.Status.EvaluationError, ": ")
	}
	return answer.Status.Allowed, probes.Clean(why, 400), nil
}

// Secret reads one value of a Secret. A Secret or key that is not there is an error that wraps [probes.ErrNoSecret]. No error says anything
// of a value.
func (c *Cluster) Secret(ctx context.Context, namespace, name, key string) (string, error) {
	doing := fmt.Sprintf("reading secret %s/%s", namespace, name)
	var secret corev1.Secret
	err := c.get(ctx, doing, &secret, nil, "api", "v1", "namespaces", namespace, "secrets", name)
	if isAbout(err, "secrets", name) && apierrors.IsNotFound(err) { // said of this Secret, not of a path that a proxy does not know
		return "", &readError{doing: doing, reason: probes.ErrNoSecret.Error(), causes: []error{probes.ErrNoSecret, err}}
	}
	if err != nil {
		return "", err
	}
	value, ok := secret.Data[key]
	if !ok {
		has := strings.Join(slices.Sorted(maps.Keys(secret.Data)), ", ")
		if has == "" {
			has = "nothing"
		}
		return "", fmt.Errorf("%s: %w: it has no key %q: it has %s", doing, probes.ErrNoSecret, probes.Clean(key, 100), probes.Clean(has, 300))
	}
	return string(value), nil
}

// isAbout reports whether an error is an API server's word on one object.
func isAbout(err error, resource, name string) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return false
	}
	d := status.Status().Details
	return d.Kind == resource && d.Name == name && len(d.Causes) == 0
}
