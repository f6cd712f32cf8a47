package sim

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/254carbon/gonogo/internal/sim/checkout"
)

// folder is the checkout of the simulated platform's repository. It is made when somebody looks: beside the other state, where the next
// command finds it as a person left it, or else for this process alone.
type folder struct {
	mu   sync.Mutex
	dir  string
	err  error
	lent bool // to be removed at the end
}

// Checkout returns the folder that the simulated platform calls ~/hmco.
func (s *Sim) Checkout() (string, error) {
	f := s.checkout
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dir != "" || f.err != nil {
		return f.dir, f.err
	}
	if f.dir, f.lent, f.err = makeFolder(s.dir, checkout.Options{AsFound: s.scenario == AsFound}); f.err != nil {
		f.err = fmt.Errorf("making the checkout of the simulated platform: %w", f.err)
	}
	return f.dir, f.err
}

// makeFolder makes the checkout within a folder, unless it is there already, whole or not at all.
func makeFolder(within string, o checkout.Options) (dir string, lent bool, err error) {
	if within != "" {
		dir = filepath.Join(within, "checkout-"+checkout.Version())
		if _, err := os.Stat(dir); err == nil {
			return dir, false, nil
		}
		if err := os.MkdirAll(within, 0o700); err != nil {
			return "", false, err
		}
	}
	made, err := os.MkdirTemp(within, "gonogo-demo-*")
	if err != nil {
		return "", false, err
	}
	if err := checkout.Make(made, Epoch, o); err != nil {
		return "", false, errors.Join(err, os.RemoveAll(made))
	}
	if within == "" {
		return made, true, nil
	}
	if err := os.Rename(made, dir); err != nil { // another process was faster
		if _, missing := os.Stat(dir); missing != nil {
			return "", false, errors.Join(err, os.RemoveAll(made))
		}
		return dir, false, os.RemoveAll(made)
	}
	return dir, false, nil
}

// remove removes a folder that nobody else can know of. One that is asked for later is not made any more.
func (f *folder) remove() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	dir := f.dir
	f.dir, f.err = "", errors.New("the simulated platform has ended")
	if !f.lent {
		return nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("removing the checkout of the simulated platform: %w", err)
	}
	return nil
}
