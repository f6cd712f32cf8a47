package labtest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// egress is the network between the API server and the pods. The API server asks
// it, with CONNECT over a Unix socket, for every connection it makes to a pod or a
// kubelet; it answers for the pod addresses that have a route to a server on
// loopback, and for loopback itself.
type egress struct {
	listener net.Listener

	mu     sync.Mutex
	routes map[string]string
	conns  map[net.Conn]bool
	closed bool
}

// newEgress listens on a Unix socket at path until close.
func newEgress(path string) (*egress, error) {
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listening for the API server's connections to pods: %w", err)
	}
	e := &egress{listener: listener, routes: make(map[string]string), conns: make(map[net.Conn]bool)}
	go e.serve()
	return e, nil
}

// route sends connections for a pod's address (host:port) to target from now on.
func (e *egress) route(pod, target string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.routes[pod] = target
}

// resolve says where a connection for addr goes.
func (e *egress) resolve(addr string) (string, error) {
	e.mu.Lock()
	target, ok := e.routes[addr]
	e.mu.Unlock()
	if ok {
		return target, nil
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return "", fmt.Errorf("reading the address: %w", err)
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
		return addr, nil
	}
	return "", fmt.Errorf("no route to %s", addr)
}

// serve accepts connections until the listener is closed.
func (e *egress) serve() {
	for {
		conn, err := e.listener.Accept()
		if err != nil {
			return
		}
		go e.handle(conn)
	}
}

// handle serves one CONNECT request and carries its bytes.
func (e *egress) handle(conn net.Conn) {
	if !e.track(conn) {
		return
	}
	defer e.forget(conn)
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	from := bufio.NewReader(conn)
	request, err := http.ReadRequest(from)
	if err != nil {
		return
	}
	_ = conn.SetReadDeadline(time.Time{})
	target, err := e.dial(request)
	if err != nil {
		fmt.Fprintf(conn, "HTTP/1.1 502 %s\r\nContent-Length: 0\r\n\r\n", err)
		return
	}
	if !e.track(target) {
		return
	}
	defer e.forget(target)
	if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { carry(target, from) })
	both.Go(func() { carry(conn, target) })
	both.Wait()
}

// dial connects to where the request's address leads.
func (e *egress) dial(request *http.Request) (net.Conn, error) {
	if request.Method != http.MethodConnect {
		return nil, errors.New("only CONNECT is served")
	}
	target, err := e.resolve(request.Host)
	if request.URL.Host != "" {
		target, err = e.resolve(request.URL.Host)
	}
	if err != nil {
		return nil, err
	}
	return net.DialTimeout("tcp", target, 10*time.Second)
}

// carry copies until from ends, and then says so to the other side.
func carry(to net.Conn, from io.Reader) {
	_, _ = io.Copy(to, from)
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}

// track notes an open connection; it closes the connection and returns false if
// the egress is closed.
func (e *egress) track(conn net.Conn) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		conn.Close()
		return false
	}
	e.conns[conn] = true
	return true
}

// forget closes a connection.
func (e *egress) forget(conn net.Conn) {
	conn.Close()
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.conns, conn)
}

// close ends the listener and every connection.
func (e *egress) close() {
	e.listener.Close()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	for conn := range e.conns {
		conn.Close()
	}
}
