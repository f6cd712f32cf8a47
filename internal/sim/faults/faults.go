// Package faults breaks servers on purpose: it stands before a handler and answers the way broken servers do, switchable while it runs.
package faults

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Kind is a way of being broken.
type Kind string

// The kinds of faults.
const (
	None         Kind = ""
	Down         Kind = "down"         // connections are refused
	Slow         Kind = "slow"         // no answer before any timeout
	Error500     Kind = "500"          // internal server error
	Garbage      Kind = "garbage"      // 200 with bytes that mean nothing
	Huge         Kind = "huge"         // 200 with a body of 1 GiB
	Reset        Kind = "reset"        // the connection is cut instead of answering
	Unauthorized Kind = "unauthorized" // gonogo's own reading credential is refused
)

// Kinds lists every fault that can be switched on.
func Kinds() []Kind { return []Kind{Down, Slow, Error500, Garbage, Huge, Reset, Unauthorized} }

// Parse reads "harbor=500,prometheus=slow" into faults by connection; connections names those that exist.
func Parse(text string, connections []string) (map[string]Kind, error) {
	faults := map[string]Kind{}
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		connection, kind, ok := strings.Cut(part, "=")
		if !ok || !slices.Contains(connections, connection) {
			return nil, fmt.Errorf("%q is no fault: write CONNECTION=KIND, where the connections are %s", part, strings.Join(connections, ", "))
		}
		if kind == "none" {
			faults[connection] = None
			continue
		}
		if !slices.Contains(Kinds(), Kind(kind)) {
			words := make([]string, 0, len(Kinds())+1)
			for _, k := range Kinds() {
				words = append(words, string(k))
			}
			return nil, fmt.Errorf("%q is no kind of fault: %s take %s or none", kind, connection, strings.Join(words, ", "))
		}
		faults[connection] = Kind(kind)
	}
	return faults, nil
}

// Injector stands before one server. Its zero value lets everything through once Handler is set.
type Injector struct {
	Handler http.Handler
	// Refuse answers a request whose reading credential is refused, or returns false for requests that do not carry it.
	Refuse func(w http.ResponseWriter, r *http.Request) bool

	mu      sync.Mutex
	kind    Kind
	changed chan struct{} // closed when kind changes; nil until somebody waits
}

// Set switches to a fault, or with None back to working order. Exchanges under way end.
func (i *Injector) Set(k Kind) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.kind == k {
		return
	}
	i.kind = k
	if i.changed != nil {
		close(i.changed)
		i.changed = nil
	}
}

// Kind returns the fault that is on.
func (i *Injector) Kind() Kind {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.kind
}

func (i *Injector) state() (Kind, <-chan struct{}) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.changed == nil {
		i.changed = make(chan struct{})
	}
	return i.kind, i.changed
}

// ServeHTTP answers in the way the fault says, or lets the handler answer.
func (i *Injector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	kind, changed := i.state()
	switch kind {
	case Down, Reset:
		cut(w)
		return
	case Slow:
		select {
		case <-r.Context().Done():
		case <-changed:
		case <-time.After(5 * time.Minute):
		}
		cut(w)
		return
	case Error500:
		http.Error(w, "internal server error", http.StatusInternalServerError)
		return
	case Garbage:
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte("\x00\x9b31m{]\x1b]0;owned\x07 \xff\xfe not what you expected \x1b[2J"))
		return
	case Huge:
		huge(w, r)
		return
	case Unauthorized:
		if i.Refuse != nil && i.Refuse(w, r) {
			return
		}
	}
	// What is under way when the fault changes ends, as it would if the server really broke.
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	go func() {
		select {
		case <-changed:
			cancel()
		case <-ctx.Done():
		}
	}()
	i.Handler.ServeHTTP(w, r.WithContext(ctx))
}

// cut ends the connection without an answer, with a reset where the system allows.
func cut(w http.ResponseWriter) {
	hijacker, ok := w.(http.Hijacker)
	if !ok {
		panic(http.ErrAbortHandler)
	}
	conn, _, err := hijacker.Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	raw := conn
	if t, ok := conn.(*tls.Conn); ok {
		raw = t.NetConn()
	}
	if t, ok := raw.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = raw.Close()
}

// huge writes 1 GiB of what begins like an answer.
func huge(w http.ResponseWriter, r *http.Request) {
	const begin, blocks = `{"status":"success","data":"`, 1 << 10
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(begin)+blocks<<20))
	if _, err := w.Write([]byte(begin)); err != nil {
		return
	}
	block := []byte(strings.Repeat("x", 1<<20))
	for range blocks {
		if _, err := w.Write(block); err != nil || r.Context().Err() != nil {
			return
		}
	}
}
