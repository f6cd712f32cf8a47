package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/httpstream"
	httpstreamspdy "k8s.io/apimachinery/pkg/util/httpstream/spdy"
	"k8s.io/apimachinery/pkg/util/intstr"
	tunnel "k8s.io/apimachinery/pkg/util/portforward"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/client-go/transport/websocket"
	streaming "k8s.io/streaming/pkg/httpstream"

	"github.com/254carbon/gonogo/probes"
)

// Waits of a port-forward.
const (
	forwardPatience = 15 * time.Second // until a connection through a pod stands
	reusePatience   = 5 * time.Second  // until another connection over the same session stands
	idleForward     = 30 * time.Second // an unused connection
	forwardPing     = 10 * time.Second
	podsToTry       = 3
)

// forward reaches one service through a port-forward to one of its pods. Its connections are streams inside this process: nothing
// listens. One session to a pod carries all of them; when it ends, the next connection makes another one.
type forward struct {
	c         *Cluster
	target    ServiceTarget
	why       error // the proxy would not do
	transport *http.Transport
	busy      chan struct{} // one slot, guards session and ended
	session   *session
	ended     bool
}

// session is a connection to a pod through the API server.
type session struct {
	httpstream.Connection
	raw     io.Closer // what it runs over, if that is known
	pod     string
	port    int32
	streams int // made so far
}

// Close ends the session. Closing what it runs over as well ends it even while a stream is waiting to be accepted.
func (s *session) Close() error {
	err := s.Connection.Close()
	if s.raw != nil {
		_ = s.raw.Close()
	}
	return err
}

func newForward(c *Cluster, target ServiceTarget, why error) *forward {
	f := &forward{c: c, target: target, why: why, busy: make(chan struct{}, 1)}
	f.transport = &http.Transport{
		DialContext: f.dial, TLSClientConfig: target.TLS.Clone(), TLSHandshakeTimeout: forwardPatience,
		ResponseHeaderTimeout: c.limits.call, MaxResponseHeaderBytes: 1 << 20, MaxIdleConnsPerHost: 2, IdleConnTimeout: idleForward,
	}
	return f
}

func (f *forward) roundTrip(r *http.Request) (*http.Response, error) {
	return watched{next: f.transport}.RoundTrip(r)
}

func (f *forward) close() {
	f.busy <- struct{}{}
	defer func() { <-f.busy }()
	f.ended = true
	f.transport.CloseIdleConnections()
	f.end()
}

// end ends the session; busy is held.
func (f *forward) end() {
	if f.session != nil {
		_ = f.session.Close()
		f.session = nil
	}
}

// dial opens a connection to the service's port.
func (f *forward) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, forwardPatience, fmt.Errorf("no connection within %s", forwardPatience))
	defer cancel()
	defer context.AfterFunc(f.c.ctx, cancel)() // Close does not wait for it
	select {
	case f.busy <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { <-f.busy }()
	if f.ended || f.c.ctx.Err() != nil {
		return nil, errClosed
	}
	if conn, err := f.reuse(ctx); conn != nil || ctx.Err() != nil {
		return conn, err
	}
	var err error
	if f.session, err = f.connect(ctx); err != nil {
		return nil, err
	}
	conn, err := f.session.open(ctx)
	if err != nil {
		f.end()
		return nil, err
	}
	return conn, nil
}

// reuse opens a connection over the session that there is, if it still works; otherwise there is none afterwards. busy is held.
func (f *forward) reuse(ctx context.Context) (net.Conn, error) {
	if f.session == nil {
		return nil, nil
	}
	select {
	case <-f.session.CloseChan():
		f.end()
		return nil, nil
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, reusePatience)
	defer cancel()
	conn, err := f.session.open(ctx)
	if err != nil {
		f.end()
		return nil, err
	}
	return conn, nil
}

// connect makes a session to the first pod that takes one.
func (f *forward) connect(ctx context.Context) (*session, error) {
	pods, err := f.pods(ctx)
	if err != nil {
		return nil, err
	}
	var last error
	for _, p := range pods[:min(len(pods), podsToTry)] {
		s, err := f.upgrade(ctx, p)
		if err == nil {
			return s, nil
		}
		last = fmt.Errorf("connecting to pod %s: %w", p.pod, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, last
}

// podPort is where a service's port leads.
type podPort struct {
	pod  string
	port int32
}

// pods returns the ready pods behind the service's port, with the rights that kubectl port-forward needs.
func (f *forward) pods(ctx context.Context) ([]podPort, error) {
	t := f.target
	var service corev1.Service
	err := f.c.get(ctx, "getting service "+t.Namespace+"/"+t.Name, &service, nil, "api", "v1", "namespaces", t.Namespace, "services", t.Name)
	if err != nil {
		return nil, err
	}
	port, ok := servicePort(service.Spec.Ports, t.Port)
	switch {
	case !ok:
		return nil, fmt.Errorf("the service has no port %s", t.Port)
	case len(service.Spec.Selector) == 0:
		return nil, errors.New("the service selects no pods")
	}
	const most = 100
	var found corev1.PodList
	err = f.c.get(ctx, "listing the pods of the service", &found,
		&metav1.ListOptions{LabelSelector: labels.SelectorFromSet(service.Spec.Selector).String(), Limit: most},
		"api", "v1", "namespaces", t.Namespace, "pods")
	if err != nil {
		return nil, err
	}
	var ready []podPort
	for i := range found.Items {
		p := &found.Items[i]
		number := containerPort(p, port)
		if number != 0 && isReady(p) && p.DeletionTimestamp == nil && badSegment(p.Name) == nil {
			ready = append(ready, podPort{p.Name, number})
		}
	}
	if len(ready) == 0 {
		return nil, errors.New("the service has no ready pod")
	}
	return ready, nil
}

// servicePort finds a service's port by number or name.
func servicePort(ports []corev1.ServicePort, port string) (corev1.ServicePort, bool) {
	for _, p := range ports {
		if p.Name == port || strconv.Itoa(int(p.Port)) == port {
			return p, true
		}
	}
	return corev1.ServicePort{}, false
}

// containerPort is the number that a service's port has in a pod, 0 if it has none.
func containerPort(p *corev1.Pod, port corev1.ServicePort) int32 {
	switch {
	case port.TargetPort.Type == intstr.Int && port.TargetPort.IntVal != 0:
		return port.TargetPort.IntVal
	case port.TargetPort.Type == intstr.Int || port.TargetPort.StrVal == "":
		return port.Port
	}
	for _, c := range p.Spec.Containers {
		for _, cp := range c.Ports {
			if cp.Name == port.TargetPort.StrVal {
				return cp.ContainerPort
			}
		}
	}
	return 0
}

func isReady(p *corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// upgrade turns a connection to the API server into one to a pod: over a WebSocket, or over SPDY where the server or something before it
// does not know that.
func (f *forward) upgrade(ctx context.Context, to podPort) (*session, error) {
	address := f.c.server + "/api/v1/namespaces/" + f.target.Namespace + "/pods/" + to.pod + "/portforward"
	conn, raw, err := f.overWebSocket(ctx, address)
	if err == nil {
		return &session{Connection: conn, raw: raw, pod: to.pod, port: to.port}, nil
	}
	if !streaming.IsUpgradeFailure(err) && !streaming.IsHTTPSProxyError(err) {
		return nil, err
	}
	conn, second := f.overSPDY(ctx, address)
	if second != nil {
		return nil, fmt.Errorf("%s; and over SPDY: %w", probes.Clean(err.Error(), 300), second)
	}
	return &session{Connection: conn, pod: to.pod, port: to.port}, nil
}

func (f *forward) overWebSocket(ctx context.Context, address string) (httpstream.Connection, io.Closer, error) {
	transport, holder, err := websocket.RoundTripperFor(f.c.config)
	if err != nil {
		return nil, nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, nil, err
	}
	socket, err := websocket.Negotiate(transport, holder, r, tunnel.WebsocketsSPDYTunnelingPortForwardV1)
	if err != nil {
		return nil, nil, err
	}
	raw := portforward.NewTunnelingConnectionWithLogger(f.c.klog, socket)
	conn, err := httpstreamspdy.NewClientConnectionWithPings(raw, forwardPing)
	return conn, raw, err
}

func (f *forward) overSPDY(ctx context.Context, address string) (httpstream.Connection, error) {
	transport, upgrader, err := spdy.RoundTripperFor(f.c.config)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, nil)
	if err != nil {
		return nil, err
	}
	// Negotiating reads the answer without a deadline; it is left behind if it takes too long.
	return inTime(ctx, func() (httpstream.Connection, error) {
		conn, _, err := spdy.Negotiate(upgrader, &http.Client{Transport: transport}, r, portforward.PortForwardProtocolV1Name)
		return conn, err
	}, func(conn httpstream.Connection) { _ = conn.Close() })
}

// inTime waits for do no longer than ctx; what it returns later is discarded.
func inTime[T any](ctx context.Context, do func() (T, error), discard func(T)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result)
	go func() {
		value, err := do()
		select {
		case done <- result{value, err}:
		case <-ctx.Done():
			if err == nil {
				discard(value)
			}
		}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}

// open makes a connection to the port of the session's pod.
func (s *session) open(ctx context.Context) (net.Conn, error) {
	s.streams++
	id := strconv.Itoa(s.streams)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() { // a session that has ended does not answer
		select {
		case <-s.CloseChan():
			cancel(fmt.Errorf("the port-forward to pod %s has ended", s.pod))
		case <-ctx.Done():
		}
	}()
	return inTime(ctx, func() (net.Conn, error) {
		header := http.Header{}
		header.Set(corev1.StreamType, corev1.StreamTypeError)
		header.Set(corev1.PortHeader, strconv.Itoa(int(s.port)))
		header.Set(corev1.PortForwardRequestIDHeader, id)
		errs, err := s.CreateStream(header)
		if err != nil {
			return nil, fmt.Errorf("opening a stream to pod %s: %w", s.pod, err)
		}
		_ = errs.Close() // nothing is said in this direction
		header.Set(corev1.StreamType, corev1.StreamTypeData)
		data, err := s.CreateStream(header)
		if err != nil {
			s.RemoveStreams(errs)
			_ = errs.Reset()
			return nil, fmt.Errorf("opening a stream to pod %s: %w", s.pod, err)
		}
		return newPodConn(s, data, errs), nil
	}, func(c net.Conn) { _ = c.Close() })
}

// name says where a connection leads.
func (s *session) name() string { return strings.Join([]string{s.pod, strconv.Itoa(int(s.port))}, ":") }
