// Package cluster is the connection to one Kubernetes cluster: shared watches that every check reads from, single bounded reads, and ways
// to the services in it. It implements the interfaces that probes of a cluster declare.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/klog/v2"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/kube"
)

// Options are the settings of [Open]. Only RESTConfig is needed.
type Options struct {
	RESTConfig *rest.Config // as LoadConfig returns it; it is copied
	Info       Info         // as LoadConfig returns it; what evidence tells people to type
	// ReadOnly says that there are to be no port-forwards. What else read-only mode refuses is for WrapTransport to refuse.
	ReadOnly bool
	// Namespaces are those that are read where the credential may not read all of them.
	Namespaces []string
	Dial       func(ctx context.Context, network, address string) (net.Conn, error) // nil for the machine's own
	Now        func() time.Time                                                     // the clock of timestamps; nil for the machine's
	Log        *slog.Logger                                                         // nil to drop what client-go and the server have to say
	// WrapTransport is put around the transport of everything that is sent, upgrades included; it may refuse.
	WrapTransport func(http.RoundTripper) http.RoundTripper
}

// Cluster is a connection to one cluster. Its methods may be called by several goroutines; each returns soon after its context ends.
type Cluster struct {
	config     *rest.Config // with everything of ours in it
	http       *http.Client // for all requests but upgrades
	typed      rest.Interface
	dynamic    rest.Interface
	codec      runtime.ParameterCodec
	server     string // the API server's URL
	kubectl    string
	readOnly   bool
	namespaces []string
	now        func() time.Time
	log        *slog.Logger
	klog       klog.Logger // the same, for client-go
	limits     limits
	wakers     wakers
	nodes      *collection[*corev1.Node]
	pods       *collection[*kube.Pod]

	ctx   context.Context // ends with Close
	close context.CancelFunc
	tasks sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	base    []http.RoundTripper
	objects map[schema.GroupVersionResource]*collection[*unstructured.Unstructured]
	single  map[string]*Object
	reach   map[ServiceTarget]*reach
	uid     string
}

var (
	_ kube.Objects = (*Cluster)(nil)
	_ kube.Nodes   = (*Cluster)(nil)
	_ kube.Pods    = (*Cluster)(nil)
)

var (
	nodesResource = corev1.SchemeGroupVersion.WithResource("nodes")
	podsResource  = corev1.SchemeGroupVersion.WithResource("pods")
)

// Rates of requests; watches are not counted.
const (
	requestsPerSecond = 50
	requestsAtOnce    = 100
)

// Open returns a connection without sending anything. Close it when it is not needed any more.
func Open(o Options) (*Cluster, error) { return open(o, defaultLimits()) }

func open(o Options, l limits) (*Cluster, error) {
	if o.RESTConfig == nil {
		return nil, errors.New("opening a cluster: no configuration")
	}
	c := &Cluster{
		kubectl: o.Info.kubectl(), readOnly: o.ReadOnly, namespaces: unique(o.Namespaces), now: o.Now, log: o.Log, limits: l,
		objects: map[schema.GroupVersionResource]*collection[*unstructured.Unstructured]{}, reach: map[ServiceTarget]*reach{},
	}
	if c.now == nil {
		c.now = time.Now
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.configure(o)
	if err := c.clients(); err != nil {
		return nil, fmt.Errorf("using the configuration of the cluster: %w", err)
	}
	c.klog = logr.FromSlogHandler(c.log.Handler())
	c.ctx, c.close = context.WithCancel(klog.NewContext(context.Background(), c.klog))
	c.nodes = &collection[*corev1.Node]{
		c: c, src: c.source(c.typed, nodesResource), feeds: map[string]*running[*corev1.Node]{},
		reducer: func() func(runtime.Object) (*corev1.Node, error) { return reduceNode },
	}
	c.pods = &collection[*kube.Pod]{
		c: c, src: c.source(c.typed, podsResource), feeds: map[string]*running[*kube.Pod]{}, namespaced: true, same: samePod,
		reducer: func() func(runtime.Object) (*kube.Pod, error) { return newPodReducer().reduce },
	}
	return c, nil
}

// configure makes the configuration that every client of this connection is made from.
func (c *Cluster) configure(o Options) {
	config := rest.CopyConfig(o.RESTConfig)
	config.QPS, config.Burst = requestsPerSecond, requestsAtOnce
	config.RateLimiter = flowcontrol.NewTokenBucketRateLimiter(requestsPerSecond, requestsAtOnce)
	config.Timeout = 0 // each request has its own deadline; a watch has none
	config.WarningHandlerWithContext, config.WarningHandler = warnings{c.log}, nil
	if config.UserAgent == "" {
		config.UserAgent = "gonogo"
	}
	if o.Dial != nil {
		config.Dial = o.Dial
	}
	inner := config.WrapTransport
	config.WrapTransport = func(rt http.RoundTripper) http.RoundTripper {
		c.keep(rt)
		if inner != nil {
			rt = inner(rt)
		}
		if o.WrapTransport != nil {
			rt = o.WrapTransport(rt)
		}
		return watched{next: rt}
	}
	c.config = config
}

// keep remembers a transport for Close.
func (c *Cluster) keep(rt http.RoundTripper) {
	if _, ok := rt.(interface{ CloseIdleConnections() }); ok {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.base = append(c.base, rt)
	}
}

// clients makes the clients: one that knows the few types of its own and speaks protobuf, and one for everything else.
func (c *Cluster) clients() error {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, authorizationv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	c.codec = runtime.NewParameterCodec(scheme)
	var err error
	if c.http, err = rest.HTTPClientFor(c.config); err != nil {
		return err
	}
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	typed := rest.CopyConfig(c.config)
	typed.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	typed.ContentType = runtime.ContentTypeProtobuf
	typed.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	if c.typed, err = rest.UnversionedRESTClientForConfigAndClient(typed, c.http); err != nil {
		return err
	}
	if c.dynamic, err = rest.UnversionedRESTClientForConfigAndClient(dynamic.ConfigFor(c.config), c.http); err != nil {
		return err
	}
	base, _, err := rest.DefaultServerUrlFor(c.config)
	if err != nil {
		return err
	}
	base.User = nil
	c.server = strings.TrimSuffix(base.String(), "/")
	return nil
}

func (c *Cluster) source(client rest.Interface, r schema.GroupVersionResource) source {
	return source{client: client, codec: c.codec, resource: r, server: c.server, limits: c.limits}
}

// spawn runs a task that Close waits for, unless the connection is closed.
func (c *Cluster) spawn(task func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.tasks.Go(func() {
		defer func() {
			if v := recover(); v != nil { // what the task kept up grows old, and readers are told so
				c.log.Error("kubernetes: a watch crashed", "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			}
		}()
		task()
	})
	return true
}

// Close ends all watches and port-forwards and waits for them. Reads that come later are errors.
func (c *Cluster) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.close()
	c.tasks.Wait()
	c.mu.Lock()
	ways, base := c.reach, c.base
	c.reach = map[ServiceTarget]*reach{}
	c.mu.Unlock()
	for _, way := range ways {
		way.close()
	}
	for _, rt := range base {
		if idle, ok := rt.(interface{ CloseIdleConnections() }); ok {
			idle.CloseIdleConnections()
		}
	}
}

// Server is the API server's URL.
func (c *Cluster) Server() string { return c.server }

// Nodes implements [kube.Nodes].
func (c *Cluster) Nodes(ctx context.Context) (probes.Seen[*corev1.Node], error) {
	seen, err := c.nodes.read(ctx, "")
	return seen, untold(err)
}

// Pods implements [kube.Pods].
func (c *Cluster) Pods(ctx context.Context, namespace string) (probes.Seen[*kube.Pod], error) {
	seen, err := c.pods.read(ctx, namespace)
	return seen, untold(err)
}

// List implements [kube.Objects].
func (c *Cluster) List(ctx context.Context, r schema.GroupVersionResource, namespace string) (probes.Seen[*unstructured.Unstructured], error) {
	for _, part := range []string{r.Group, r.Version, r.Resource} {
		if err := badSegment(part); err != nil {
			return probes.Seen[*unstructured.Unstructured]{}, err
		}
	}
	if r.Version == "" || r.Resource == "" {
		return probes.Seen[*unstructured.Unstructured]{}, fmt.Errorf("listing %s: a version and a resource are needed", r)
	}
	seen, err := c.collection(r).read(ctx, namespace)
	return seen, untold(err)
}

func (c *Cluster) collection(r schema.GroupVersionResource) *collection[*unstructured.Unstructured] {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.objects[r]
	if k == nil {
		k = &collection[*unstructured.Unstructured]{
			c: c, src: c.source(c.dynamic, r), feeds: map[string]*running[*unstructured.Unstructured]{}, namespaced: r != nodesResource,
			reducer: func() func(runtime.Object) (*unstructured.Unstructured, error) { return reduceObject },
		}
		c.objects[r] = k
	}
	return k
}

// Resources lists what somebody watches or has read of the cluster, sorted.
func (c *Cluster) Resources() []schema.GroupVersionResource {
	found := c.wakers.resources()
	c.mu.Lock()
	for r := range c.objects {
		found = append(found, r)
	}
	c.mu.Unlock()
	slices.SortFunc(found, func(a, b schema.GroupVersionResource) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(found)
}

// Watch implements [kube.Objects], [kube.Nodes] and [kube.Pods]: wake is called from any goroutine when what a read of the resource says
// may have changed; it must not block, nor stop itself. Watching starts with the first read, not with this.
func (c *Cluster) Watch(r schema.GroupVersionResource, wake func()) (stop func()) {
	return c.wakers.add(r, wake)
}

// warnings sends the warnings in a server's answers to the log.
type warnings struct{ log *slog.Logger }

// HandleWarningHeaderWithContext implements rest.WarningHandlerWithContext.
func (w warnings) HandleWarningHeaderWithContext(_ context.Context, code int, _ string, text string) {
	const miscellaneous, most = 299, 500
	if code == miscellaneous && text != "" {
		w.log.Debug("kubernetes: warning from the API server", "text", probes.Clean(text, most))
	}
}

// RedirectLogs sends what Kubernetes' libraries log outside of any connection to a logger, for the whole process; without it they write
// to standard error. It is for main to call, once and before anything else of Kubernetes.
func RedirectLogs(log *slog.Logger) { klog.SetSlogLogger(log) }
