package sim

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/254carbon/gonogo/internal/sim/faults"
)

// controlHost is the name under which a served platform is governed; it is no host of the platform's.
const controlHost = "control.demo.invalid"

// served is what a process that serves a simulated platform leaves in its folder for those who want to join.
type served struct {
	PID     int    `json:"pid"`
	Address string `json:"address"` // of its one listener
	Token   string `json:"token"`   // without which nobody governs it
	Roots   []byte `json:"roots"`   // PEM
	Format  int    `json:"format"`
}

func servedFile(dir, scenario string) string {
	return filepath.Join(dirOf(dir, scenario), "served.json")
}

// Timing of a served platform.
const (
	saveEvery   = 2 * time.Second
	serveGrace  = 20 * time.Second // without anybody, after which it ends
	controlWait = 10 * time.Second
	lockWait    = 5 * time.Second
)

// ErrServed is within the error of [Serve] if another process serves the scenario, or cannot be kept from it.
var ErrServed = errors.New("the simulated platform cannot be shared from here")

// Serve starts the simulated platform for every process that finds it through Dir, and returns once ctx ends or nobody has been there for
// a while. What changes is kept soon after.
func Serve(ctx context.Context, o Options) error {
	if o.Dir == "" {
		return errors.New("a simulated platform that others share needs a folder")
	}
	if o.Scenario == "" {
		o.Scenario = Documented
	}
	unlock, err := lockSoon(ctx, o.Dir, o.Scenario)
	if err != nil {
		return err
	}
	defer unlock()
	s, err := Start(ctx, o)
	if err != nil {
		return err
	}
	if err := s.Certificates.Program(controlHost); err != nil {
		return errors.Join(err, s.Close())
	}
	token := make([]byte, 16)
	if _, err := rand.Read(token); err != nil {
		return errors.Join(err, s.Close())
	}
	g := &governor{sim: s, token: hex.EncodeToString(token), end: make(chan struct{}, 1)}
	g.left = time.Now()
	s.hosts.control.Store(g)
	entry := served{PID: os.Getpid(), Address: s.hosts.listener.Addr().String(), Token: g.token, Roots: s.Certificates.PEM(), Format: keptFormat}
	file := servedFile(o.Dir, s.scenario)
	if err := writeEntry(file, entry); err != nil {
		return errors.Join(err, s.Close())
	}
	err = g.mind(ctx)
	return errors.Join(err, removeEntry(file, entry.Token), s.Close())
}

// lockSoon waits a while for a process that is about to end.
func lockSoon(ctx context.Context, dir, scenario string) (unlock func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	for {
		unlock, err := lockFolder(dir, scenario)
		if err == nil {
			return unlock, nil
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func writeEntry(file string, entry served) error {
	text, err := json.Marshal(entry)
	if err != nil {
		return err
	}
	temporary := fmt.Sprintf("%s.%d", file, os.Getpid())
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(temporary, text, 0o600), os.Rename(temporary, file)); err != nil {
		return fmt.Errorf("telling others where the simulated platform is: %w", err)
	}
	return nil
}

// removeEntry takes the entry away, unless it is another's by now.
func removeEntry(file, token string) error {
	if entry, err := readEntry(file); err != nil || entry.Token != token {
		return nil
	}
	return os.Remove(file)
}

func readEntry(file string) (served, error) {
	var entry served
	text, err := os.ReadFile(file)
	if err != nil {
		return entry, err
	}
	if err := json.Unmarshal(text, &entry); err != nil {
		return entry, err
	}
	if entry.Format != keptFormat {
		return entry, errors.New("another version of gonogo serves the simulated platform")
	}
	return entry, nil
}

// mind keeps what changes, and returns when it is time to end.
func (g *governor) mind(ctx context.Context) error {
	ticker := time.NewTicker(saveEvery)
	defer ticker.Stop()
	kept := int64(0)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-g.end:
			return nil
		case <-ticker.C:
		}
		if changes := g.sim.changes(); changes != kept {
			if err := g.sim.save(); err != nil {
				return err
			}
			kept = changes
		}
		if g.alone() > serveGrace {
			return nil
		}
	}
}

// governor answers those who share a simulated platform: what a command in the same process would ask of its Sim.
type governor struct {
	sim   *Sim
	token string
	end   chan struct{}

	holders
}

// outlook is what one who joins is told.
type outlook struct {
	Now      time.Time              `json:"now"`
	Label    string                 `json:"label"`
	Faults   map[string]faults.Kind `json:"faults"`
	Switches []Switch               `json:"switches"`
}

func (g *governor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte("Bearer "+g.token)) != 1 {
		http.Error(w, "this is governed by the processes of one person", http.StatusUnauthorized)
		return
	}
	var answer any
	var err error
	switch r.Method + " " + r.URL.Path {
	case "GET /outlook":
		answer = outlook{Now: g.sim.Now(), Label: g.sim.Label(), Faults: g.sim.Faults(), Switches: g.sim.Switches()}
	case "GET /dial":
		answer = g.sim.hosts.look(r.URL.Query().Get("host"))
	case "GET /env":
		value, set := g.sim.getenv(r.URL.Query().Get("name"))
		answer = variable{value, set}
	case "GET /checkout":
		answer, err = g.sim.Checkout()
	case "POST /toggle":
		err = g.sim.Toggle(r.URL.Query().Get("key"))
	case "POST /fault":
		err = g.sim.SetFault(r.URL.Query().Get("connection"), faults.Kind(r.URL.Query().Get("kind")))
	case "POST /end":
		g.finish()
	case "GET /hold":
		g.hold(w, r)
		return
	default:
		http.NotFound(w, r)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

// variable is one of the simulated platform's environment.
type variable struct {
	Value string `json:"value"`
	Set   bool   `json:"set"`
}

func (g *governor) finish() {
	select {
	case g.end <- struct{}{}:
	default:
	}
}

// hold keeps the platform up for as long as the request lasts.
func (g *governor) hold(w http.ResponseWriter, r *http.Request) {
	g.come()
	defer g.leave()
	w.WriteHeader(http.StatusOK)
	if err := http.NewResponseController(w).Flush(); err != nil {
		return
	}
	select {
	case <-r.Context().Done():
	case <-g.sim.ended:
	}
}

// pool reads the authorities of an entry.
func (e served) pool() (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(bytes.TrimSpace(e.Roots)) {
		return nil, errors.New("the entry of the simulated platform holds no certificate")
	}
	return pool, nil
}
