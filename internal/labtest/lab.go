package labtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// Options says which servers a lab has. The zero value has none.
type Options struct {
	// ControlPlane starts etcd, the API server, the controller manager and the
	// scheduler. Users, KWOK, Nodes and Velero imply it.
	ControlPlane bool
	// Users are added to the ones that every control plane has.
	Users []User
	// KWOK plays the nodes and pods. Nodes implies it.
	KWOK bool
	// Nodes is how many nodes there are, all Ready when Start returns.
	Nodes int
	// MinIO starts object storage. Velero implies it.
	MinIO bool
	// Velero starts a Velero server with a storage location in MinIO, which is
	// Available when Start returns.
	Velero bool
	// Prometheus starts a Prometheus that scrapes itself and Scrape.
	Prometheus bool
	// Scrape are further jobs of Prometheus, and imply it.
	Scrape []ScrapeJob
	// Rules is a rule file of Prometheus (groups: …), evaluated each second. It
	// implies Prometheus.
	Rules string
	// Alertmanager starts one that Prometheus scrapes and sends its alerts to.
	Alertmanager bool
	// Routing is its configuration, and implies it; without one it sends alerts to nobody.
	Routing string
	// Postgres starts a PostgreSQL primary and a standby that streams from it.
	Postgres bool
	// Registry starts a registry of images.
	Registry bool
}

// Lab is a set of running servers. Its methods are safe for concurrent use, and
// those of a part that Options left out return errors.
type Lab struct {
	dir   string // everything the servers write
	built string // the programs
	ports ports
	pki   *pki
	users []User
	net   *egress

	apiPort      int
	kube         kubernetes.Interface
	dynamic      dynamic.Interface
	rest         *rest.Config
	minio        *MinIO
	prometheus   string
	alertmanager string
	postgres     *Postgres
	registry     *Registry

	mu        sync.Mutex
	processes []*process
	nodes     int // how many were created, which numbers the next
	pods      int
	files     int
}

// Start starts a lab for one test and stops it when the test ends. Any failure
// ends the test. When the test has failed, the ends of the servers' logs are
// added to its output.
func Start(t testing.TB, o Options) *Lab {
	t.Helper()
	lab, err := New(t.Context(), o)
	if err != nil {
		t.Fatalf("starting the lab: %v", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(lab.Logs(15))
		}
		lab.Close()
	})
	return lab
}

// New starts a lab, which lives until Close; ctx bounds only the start. On an
// error nothing is left running.
func New(ctx context.Context, o Options) (*Lab, error) {
	built, err := builtDir()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "gonogo-lab-")
	if err != nil {
		return nil, fmt.Errorf("making the lab's folder: %w", err)
	}
	l := &Lab{dir: dir, built: built}
	if err := l.start(ctx, o); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// start brings up what the options ask for, in the order of dependence.
func (l *Lab) start(ctx context.Context, o Options) error {
	o.KWOK = o.KWOK || o.Nodes > 0
	o.MinIO = o.MinIO || o.Velero
	o.Prometheus = o.Prometheus || len(o.Scrape) > 0 || o.Rules != ""
	o.Alertmanager = o.Alertmanager || o.Routing != ""
	o.ControlPlane = o.ControlPlane || o.KWOK || o.Velero || len(o.Users) > 0
	parts := []struct {
		wanted bool
		start  func(context.Context) error
	}{
		{o.ControlPlane, func(ctx context.Context) error { return l.startControlPlane(ctx, o.Users) }},
		{o.KWOK, l.startKWOK},
		{o.Nodes > 0, func(ctx context.Context) error { _, err := l.CreateNodes(ctx, o.Nodes); return err }},
		{o.MinIO, l.startMinIO},
		{o.Velero, l.startVelero},
		{o.Alertmanager, func(ctx context.Context) error { return l.startAlertmanager(ctx, o.Routing) }},
		{o.Prometheus, func(ctx context.Context) error { return l.startPrometheus(ctx, o.Scrape, o.Rules) }},
		{o.Postgres, l.startPostgres},
		{o.Registry, l.startRegistry},
	}
	for _, part := range parts {
		if !part.wanted {
			continue
		}
		if err := part.start(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Close kills the servers and removes their folder. It may be called more than
// once.
func (l *Lab) Close() {
	l.mu.Lock()
	processes := slices.Clone(l.processes)
	l.processes = nil
	l.mu.Unlock()
	for _, p := range slices.Backward(processes) {
		p.kill()
	}
	if l.net != nil {
		l.net.close()
	}
	if os.Getenv("GONOGO_LAB_KEEP") != "" {
		fmt.Fprintln(os.Stderr, "lab: kept", l.dir)
		return
	}
	_ = os.RemoveAll(l.dir)
}

// Logs returns the last lines of every server's log.
func (l *Lab) Logs(lines int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []string
	for _, p := range l.processes {
		all = append(all, p.tail(lines))
	}
	return strings.Join(all, "\n")
}

// Dir is the lab's temporary folder, which tests may put files into. It goes with
// the lab.
func (l *Lab) Dir() string { return l.dir }

// file writes a file for a server and returns its path.
func (l *Lab) file(name, text string) (string, error) {
	path := filepath.Join(l.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return "", fmt.Errorf("writing a server's file: %w", err)
	}
	return path, nil
}

// WaitFor asks every interval until ask says true. An error of ask does not end
// the wait; it is part of the error when ctx ends or within passes. The error
// begins with what, a phrase like "waiting for the node to be Ready".
func WaitFor(ctx context.Context, what string, within, every time.Duration, ask func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		ok, err := ask(ctx)
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: not within %v: %w", what, within, errors.Join(ctx.Err(), err))
		case <-time.After(every):
		}
	}
}
