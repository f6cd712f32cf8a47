package sim

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/254carbon/gonogo/internal/sim/edge"
	"github.com/254carbon/gonogo/internal/sim/faults"
)

// hosts serves every simulated server from one TLS listener on loopback, told apart by name, and dials them by those names, so that
// what is shown of them ("GET https://harbor.254carbon.com/…") is the same every time, whatever port was free.
type hosts struct {
	listener net.Listener
	server   *http.Server
	dialer   net.Dialer
	byName   map[string]*host // fixed before serving
	now      func() time.Time
	log      requestLog
	control  atomic.Pointer[governor] // of a platform that processes share; else nil
	done     sync.WaitGroup
}

// host is one simulated server.
type host struct {
	connection string
	injector   *faults.Injector
}

// startHosts listens on a free port of the loopback interface.
func startHosts(byName map[string]*host, certificates *edge.Certificates, now func() time.Time) (*hosts, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening on loopback for the simulated platform: %w", err)
	}
	h := &hosts{listener: listener, byName: byName, now: now}
	greet := func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		h.log.greet(hello.ServerName)
		return certificates.Get(hello)
	}
	h.server = &http.Server{
		Handler:           http.HandlerFunc(h.serve),
		ReadHeaderTimeout: 10 * time.Second,
		MaxHeaderBytes:    1 << 20,
		TLSConfig:         &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: greet, NextProtos: []string{"http/1.1"}},
		ErrorLog:          log.New(discard{}, "", 0), // cut connections are this server's business
	}
	h.done.Go(func() { _ = h.server.ServeTLS(listener, "", "") })
	return h, nil
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// serve hands a request to the server of its name.
func (h *hosts) serve(w http.ResponseWriter, r *http.Request) {
	name := r.Host
	if host, _, err := net.SplitHostPort(name); err == nil {
		name = host
	}
	if g := h.control.Load(); g != nil && name == controlHost {
		g.ServeHTTP(w, r)
		return
	}
	target, ok := h.byName[name]
	if !ok {
		http.Error(w, "no such host in the simulated platform", http.StatusMisdirectedRequest)
		return
	}
	h.log.add(Request{Connection: target.connection, Method: r.Method, Host: name, Path: r.URL.Path, Query: r.URL.RawQuery, Upgrade: r.Header.Get("Upgrade")})
	w.Header().Set("Date", h.now().UTC().Format(http.TimeFormat))
	target.injector.ServeHTTP(w, r)
}

// dial connects to a simulated server by its name, or by an address that the simulated resolver gives; what is not the platform's is refused,
// never looked up.
func (h *hosts) dial(ctx context.Context, network, address string) (net.Conn, error) {
	name, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("dialing %s: %w", address, err)
	}
	if err := h.look(name).refusal(network, address); err != nil {
		return nil, err
	}
	return h.dialer.DialContext(ctx, "tcp", h.listener.Addr().String())
}

// look says where a name leads.
func (h *hosts) look(name string) way {
	target, ok := h.byName[name]
	return way{Known: ok, Down: ok && target.injector.Kind() == faults.Down}
}

// close ends all exchanges and returns when no handler runs any more.
func (h *hosts) close() error {
	err := h.server.Close()
	h.done.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Request is one request that reached the simulated platform.
type Request struct {
	Connection, Method, Host, Path, Query, Upgrade string
}

// requestLog keeps what was asked, for tests that prove that nothing was written and everything was asked.
type requestLog struct {
	mu      sync.Mutex
	kept    []Request
	writes  int64          // requests that were no reads
	greeted map[string]int // TLS handshakes by the name they asked for; few, since only those of the platform are dialed
}

const maxRequests = 100_000

func (l *requestLog) add(r Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.writes() {
		l.writes++
	}
	if len(l.kept) < maxRequests {
		l.kept = append(l.kept, r)
	}
}

// greet notes that a TLS handshake asked for a name.
func (l *requestLog) greet(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.greeted == nil {
		l.greeted = map[string]int{}
	}
	l.greeted[name]++
}

// writes reports whether the request was no read.
func (r Request) writes() bool {
	return r.Method != http.MethodGet && r.Method != http.MethodHead && !strings.HasSuffix(r.Path, "/selfsubjectaccessreviews")
}

// wrote counts what was asked that was no read.
func (l *requestLog) wrote() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.writes
}

func (l *requestLog) handshakes() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.greeted)
}

func (l *requestLog) all() []Request {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Request(nil), l.kept...)
}
