//go:build e2e

package e2e

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// line is a network between the program and a server, which can be cut and mended.
type line struct {
	address, target string

	mu       sync.Mutex
	listener net.Listener
	open     map[net.Conn]bool
}

// newLine leads from a port of its own to the target (host:port) until the test ends.
func newLine(t *testing.T, target string) *line {
	t.Helper()
	l := &line{address: "127.0.0.1:0", target: target, open: map[net.Conn]bool{}}
	l.mend(t)
	t.Cleanup(l.cut)
	return l
}

// mend serves, at the same address as before.
func (l *line) mend(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", l.address)
	must(t, err)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.listener, l.address = listener, listener.Addr().String()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go l.carry(conn)
		}
	}()
}

// carry connects one side to the other.
func (l *line) carry(conn net.Conn) {
	defer conn.Close()
	target, err := net.Dial("tcp", l.target)
	if err != nil {
		return
	}
	defer target.Close()
	l.mu.Lock()
	l.open[conn] = true
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.open, conn)
	}()
	go func() {
		_, _ = io.Copy(target, conn)
		_ = target.Close()
	}()
	_, _ = io.Copy(conn, target)
}

// cut ends every connection and refuses new ones.
func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.listener.Close()
	for conn := range l.open {
		_ = conn.Close()
	}
}

// TestOutage has a board lose its API server and get it back.
func TestOutage(t *testing.T) {
	t.Parallel()
	lab := sharedLab(t)
	_, server, _ := strings.Cut(lab.APIServer(), "://")
	l := newLine(t, server)
	text, err := os.ReadFile(kubeconfig(t, lab, userNodes))
	must(t, err)
	file := filepath.Join(t.TempDir(), "kubeconfig")
	must(t, os.WriteFile(file, []byte(strings.ReplaceAll(string(text), server, l.address)), 0o600))
	s := newStation(t, file, checks(`
- {id: nodes, title: Nodes, probe: kubernetes.nodes, with: {min: 2, workers: 1}, weight: 1, gate: true, every: watch}
- {id: well, title: Well, probe: command, with: {argv: ["true"], trusted: true}, weight: 1, every: 1s}
`))
	b := s.start(t, 80, 24)
	s.awaitHistory(t, "nodes", "pass", 20*time.Second)

	cut := time.Now()
	l.cut()
	lost := s.awaitHistory(t, "nodes", "unknown", 2*time.Minute)
	if !strings.Contains(lost.Summary, "connection refused") || !strings.Contains(lost.Summary, l.address) {
		t.Errorf("the reason does not say what is unreachable: %s", lost.Summary)
	}
	t.Logf("unknown after %v: %s", lost.At.Sub(cut).Round(time.Second), lost.Summary)
	if d, code := s.check(t); code != 3 || d.Verdict != "UNKNOWN" {
		t.Errorf("a check meanwhile: exit code %d, verdict %s, want UNKNOWN", code, d.Verdict)
	}

	l.mend(t)
	mended := time.Now()
	back := s.awaitHistory(t, "nodes", "pass", time.Minute)
	t.Logf("pass %v after the line was mended", back.At.Sub(mended).Round(100*time.Millisecond))
	if took := back.At.Sub(mended); took > 30*time.Second {
		t.Errorf("the board took %v to notice that the API server is back", took)
	}
	for _, c := range s.history(t, "well") {
		if c.Status != "pass" {
			t.Errorf("a check of another connection was affected: %+v", c)
		}
	}
	if end := b.signal(t, syscall.SIGTERM); end.ExitCode() != 0 {
		t.Errorf("the board ended with %v", end)
	}
}
