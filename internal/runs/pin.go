package runs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/254carbon/gonogo/actions"
)

// identify returns the UID of the cluster that is asked, and refuses another than the pinned one.
func (e *Engine) identify(ctx context.Context) (string, error) {
	uid, err := e.Cluster(ctx)
	if err != nil {
		return "", err
	}
	return uid, e.compare(uid)
}

// confirm refuses a cluster that is not the plan's. With pin, the first one that is changed is the only one from then on.
func (e *Engine) confirm(ctx context.Context, want string, pin bool) error {
	uid, err := e.identify(ctx)
	if err != nil {
		return err
	}
	if uid != want {
		return actions.Refuse("this plan was made for the cluster %s, and the one that answers is %s: plan again", orNone(want), uid)
	}
	if !pin || e.Pinned != "" {
		return nil
	}
	if _, err := os.Stat(e.pinFile()); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(e.pinFile()), 0o700); err != nil {
		return fmt.Errorf("pinning the cluster: %w", err)
	}
	if err := writeWhole(e.pinFile(), []byte(uid+"\n")); err != nil {
		return fmt.Errorf("pinning the cluster: %w", err)
	}
	return nil
}

func orNone(uid string) string {
	if uid == "" {
		return "of an unknown UID"
	}
	return uid
}

func (e *Engine) pinFile() string {
	return filepath.Join(e.StateDir, "clusters", slug(e.Platform)+".uid")
}

// compare refuses a cluster that is not the one of the profile or of the first run.
func (e *Engine) compare(uid string) error {
	if e.Pinned != "" && e.Pinned != uid {
		return actions.Refuse("the profile is for the cluster %s (cluster.uid), and the one that answers is %s: nothing is done to another cluster", e.Pinned, uid)
	}
	text, err := os.ReadFile(e.pinFile())
	if errors.Is(err, fs.ErrNotExist) || e.Pinned != "" {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading which cluster is this platform's: %w", err)
	}
	if known := strings.TrimSpace(string(text)); known != uid {
		return actions.Refuse("runs on this machine changed the cluster %s, and the one that answers is %s: if the platform has moved, write cluster.uid into its profile",
			known, uid)
	}
	return nil
}
