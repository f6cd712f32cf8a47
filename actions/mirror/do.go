package mirror

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/254carbon/gonogo/actions"
)

// lookAgain is the pause between two looks at what takes its time.
const lookAgain = time.Second

// doer carries out the steps of a plan.
type doer struct {
	action
	work   work
	in     actions.Inputs
	copier Copier
	run    string // what tells the pods of this run from those that another has left

	mu   sync.Mutex
	auth []string // the credential of the robot, once it was read
}

// Open implements [actions.Action].
func (a action) Open(_ context.Context, p actions.Plan, folder string) (actions.Doer, error) {
	sum := sha256.Sum256([]byte(folder))
	d := &doer{action: a, in: p.Inputs, run: hex.EncodeToString(sum[:4])}
	if err := json.Unmarshal(p.Data, &d.work); err != nil {
		return nil, fmt.Errorf("reading the plan: %w", err)
	}
	copier, err := a.Copier(folder, a.Params.Push, d.credential)
	if err != nil {
		return nil, err
	}
	d.copier = copier
	return d, nil
}

// credential is the robot's, read when it is first needed: after the step that makes it.
func (d *doer) credential(ctx context.Context) (username, password string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.auth == nil {
		username, password, why, err := d.kept(ctx)
		if err != nil {
			return "", "", err
		}
		if why != "" {
			return "", "", errors.New(why)
		}
		d.auth = []string{username, password}
	}
	return d.auth[0], d.auth[1], nil
}

// Close implements [actions.Doer].
func (d *doer) Close() error { return d.copier.Close() }

// data reads the data of a step.
func data[T any](s actions.Step) (T, error) {
	var t T
	if err := json.Unmarshal(s.Data, &t); err != nil {
		return t, fmt.Errorf("reading the step %s: %w", s.ID, err)
	}
	return t, nil
}

// Done implements [actions.Doer].
func (d *doer) Done(ctx context.Context, s actions.Step) (bool, error) {
	switch kind, rest, _ := strings.Cut(s.ID, " "); kind {
	case "project":
		_, err := d.Projects.Project(ctx, d.Project)
		return err == nil, nil //nolint:nilerr // one that cannot be seen is created, which tells
	case "robot":
		state, err := d.standing(ctx)
		return state.works, err
	case "copy":
		return false, nil // copying looks itself, by the one HEAD that it costs
	case "pull-secret":
		return d.pullable(ctx, rest)
	case "canary-cleanup":
		t, err := data[tryPull](s)
		if err != nil {
			return false, err
		}
		left, err := d.canaryPods(ctx, t)
		return err == nil && len(left) == 0, err
	case "rewrite":
		r, err := data[Rewrite](s)
		if err != nil {
			return false, err
		}
		return d.settled(ctx, r)
	case "patches":
		w, err := data[patchWork](s)
		if err != nil {
			return false, err
		}
		return w.written(), nil
	}
	return false, nil
}

// Do implements [actions.Doer].
func (d *doer) Do(ctx context.Context, s actions.Step, r actions.Reporter) error {
	switch kind, rest, _ := strings.Cut(s.ID, " "); kind {
	case "project":
		return d.ensureProject(ctx, r)
	case "robot":
		return d.ensureRobot(ctx, r)
	case "copy":
		return d.copy(ctx, s, r)
	case "pull-secret":
		return d.ensurePullSecret(ctx, rest)
	case "canary", "canary-cleanup":
		t, err := data[tryPull](s)
		if err != nil {
			return err
		}
		if s.Cleanup {
			return d.removePods(ctx, t)
		}
		return d.tryNodes(ctx, t, r)
	case "rewrite":
		w, err := data[Rewrite](s)
		if err != nil {
			return err
		}
		return d.rewriteWorkload(ctx, w, r)
	case "patches":
		w, err := data[patchWork](s)
		if err != nil {
			return err
		}
		return w.write(r)
	}
	return fmt.Errorf("there is no step %s in this action", s.ID)
}

// copy copies one image.
func (d *doer) copy(ctx context.Context, s actions.Step, r actions.Reporter) error {
	c, err := data[Copy](s)
	if err != nil {
		return err
	}
	job := Job{Source: byDigest(c.Source, c.Digest), Target: d.push(c), Digest: c.Digest, Platforms: d.work.Platforms, Referrers: d.work.Referrers}
	digest, err := d.copier.Copy(ctx, job, bytesReporter{r})
	switch {
	case errors.Is(err, ErrQuota), errors.Is(err, ErrDenied):
		return &actions.StopError{Err: err}
	case err != nil:
		return err
	}
	r.Log(c.Key + " is " + digest)
	return nil
}

// bytesReporter tells a step's reporter of bytes.
type bytesReporter struct{ actions.Reporter }

// Bytes implements [Reporter].
func (b bytesReporter) Bytes(done, total int64) {
	units := int64(0)
	if done >= total {
		units = 1
	}
	b.Progress(actions.Amount{Units: units, Bytes: done}, actions.Amount{Units: 1, Bytes: total})
}
