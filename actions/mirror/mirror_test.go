package mirror_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/actions/actiontest"
	acts "github.com/254carbon/gonogo/actions/all"
	"github.com/254carbon/gonogo/actions/mirror"
	"github.com/254carbon/gonogo/internal/platform"
	"github.com/254carbon/gonogo/internal/profile"
	"github.com/254carbon/gonogo/internal/sim"
	"github.com/254carbon/gonogo/internal/sim/harbor"
	"github.com/254carbon/gonogo/probes/all"
)

// world is the simulated platform with the action over it.
type world struct {
	*sim.Sim
	action   actions.Action
	platform *platform.Platform
	params   *mirror.Params
}

func start(t *testing.T, readOnly bool, change ...func(*mirror.Params, *mirror.Deps)) *world {
	t.Helper()
	s, err := sim.Start(t.Context(), sim.Options{Tick: 20 * time.Millisecond})
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	p, err := profile.Builtin(profile.DefaultName, all.Kinds(), acts.Kinds()...)
	must(t, err)
	p = s.Profile(p)
	x, err := platform.Open(p, s.Platform(platform.Options{Log: slog.New(slog.DiscardHandler), ReadOnly: readOnly, StateDir: t.TempDir()}))
	must(t, err)
	t.Cleanup(x.Close)
	declared, _ := p.Action("mirror")
	params := *declared.Params.(*mirror.Params)
	params.Declared = p.Declared() // the digests of the simulated images
	params.Rollout = 20 * time.Second
	d := mirror.Deps{
		Cluster: x.Cluster.Writer(), Projects: x.Harbor, Quotas: x.Harbor, Logins: x.Harbor, Admin: x.HarborAdmin, Host: x.HarborHost,
		Copier: x.Copiers, Hide: x.Mask.Add, Patches: x.PatchFolder(), Now: s.Now,
		Pause: func(ctx context.Context, _ time.Duration) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(10 * time.Millisecond):
				return nil
			}
		},
	}
	for _, f := range change {
		f(&params, &d)
	}
	w := &world{Sim: s, platform: x, params: &params}
	w.action = mirror.New(actions.Spec{ID: "mirror", Kind: "mirror", Title: "Mirror images"}, params, d)
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) plan(t *testing.T, in actions.Inputs) actions.Plan {
	t.Helper()
	in, err := w.action.Spec().Settle(in)
	must(t, err)
	p, err := w.action.Plan(t.Context(), in)
	must(t, err)
	p.Inputs = in
	must(t, p.Validate())
	return p
}

// said keeps what steps say.
type said struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *said) Log(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.WriteString(line + "\n")
}
func (s *said) Progress(_, _ actions.Amount)    {}
func (s *said) Waiting(why string, _ time.Time) { s.Log(why) }

// carry carries a plan out, each step twice, as after a crash that nobody noted, unless once says otherwise.
func (w *world) carry(t *testing.T, p actions.Plan, times int, out *said, before func(actions.Step)) (failed map[string]error) {
	t.Helper()
	folder := t.TempDir()
	failed = map[string]error{}
	for _, s := range p.Steps {
		if slices.ContainsFunc(s.Needs, func(id string) bool { return failed[id] != nil }) {
			continue
		}
		if before != nil {
			before(s)
		}
		for range times {
			d, err := w.action.Open(t.Context(), p, folder) // another process each time
			must(t, err)
			err = d.Do(t.Context(), s, out)
			must(t, d.Close())
			if err != nil {
				failed[s.ID] = err
				break
			}
		}
	}
	return failed
}

func TestThePlatformIsTakenOffDockerHub(t *testing.T) {
	var w *world
	actiontest.Suite(t, actiontest.Options{
		New:     func(t *testing.T) actions.Action { w = start(t, false); return w.action },
		Inputs:  actions.Inputs{"apply": "true"},
		Writes:  func() int { return w.Writes() },
		Secrets: func() []string { return w.secrets(t) },
	})
	w.Harbor.Change(func(s *harbor.State) {
		robots := 0
		for _, r := range s.Robots {
			if r.Login() == harbor.MirrorRobot {
				robots++
			}
		}
		if robots != 1 || len(s.Artifacts) != 33 {
			t.Errorf("%d robot accounts, %d artifacts", robots, len(s.Artifacts))
		}
	})
	if after := w.plan(t, actions.Inputs{"apply": "true"}); len(after.Steps) != 0 || after.Already != 33 || after.Worst() != actions.Reads {
		t.Errorf("a second run plans %d steps: %+v", len(after.Steps), after.Steps)
	}
}

// secrets are those of the platform.
func (w *world) secrets(t *testing.T) []string {
	t.Helper()
	a := harbor.DemoAccounts()
	all := []string{a.Reader.Password, a.Platform.Password, a.Admin.Password}
	w.Harbor.Change(func(s *harbor.State) {
		for _, r := range s.Robots {
			all = append(all, r.Secret)
		}
	})
	return all
}

func TestOnlyThePlannedFieldsChange(t *testing.T) {
	w := start(t, false)
	p := w.plan(t, actions.Inputs{"apply": "true"})
	deployments := schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	before, err := w.Kube.Get(deployments, "data-platform", "trino-worker")
	must(t, err)
	if failed := w.carry(t, p, 1, &said{}, nil); len(failed) > 0 {
		t.Fatal(failed)
	}
	after, err := w.Kube.Get(deployments, "data-platform", "trino-worker")
	must(t, err)
	text := func(o map[string]any, drop ...string) string {
		raw, err := json.Marshal(o["spec"])
		must(t, err)
		s := string(raw)
		for _, d := range drop {
			s = strings.Replace(s, d, "", 1)
		}
		return s
	}
	now := strings.Replace(text(after, `"imagePullSecrets":[{"name":"harbor-credentials"}],`), "harbor.254carbon.com/254carbon/trino:424", "trinodb/trino:424", 1)
	now = strings.Replace(now, `{"cpu":"1","memory":"4Gi"}`, `{"cpu":"1000m","memory":"4096Mi"}`, 1) // the same, as API servers write it
	if now != text(before) {
		t.Errorf("more has changed:\n%s\n%s", text(before), now)
	}
	fields, err := json.Marshal(after["metadata"].(map[string]any)["managedFields"])
	must(t, err)
	want := `{"f:spec":{"f:template":{"f:spec":{"f:containers":{"k:{\"name\":\"trino-worker\"}":{".":{},"f:image":{},"f:name":{}}},"f:imagePullSecrets":{"k:{\"name\":\"harbor-credentials\"}":{}}}}}}`
	if !strings.Contains(string(fields), want) {
		t.Errorf("gonogo owns other fields: %s", fields)
	}
}

func TestWhatDoesNotBecomeReadyIsTakenBack(t *testing.T) {
	w := start(t, false, func(p *mirror.Params, _ *mirror.Deps) { p.Rollout = 2 * time.Second })
	p := w.plan(t, actions.Inputs{"apply": "true"})
	const broken = "rewrite Deployment data-platform/redis"
	failed := w.carry(t, p, 1, &said{}, func(s actions.Step) {
		if s.ID == broken { // somebody removes the copy
			w.Harbor.Change(func(s *harbor.State) {
				s.Artifacts = slices.DeleteFunc(s.Artifacts, func(a harbor.Artifact) bool { return a.Repository == "254carbon/redis" })
			})
		}
	})
	err := failed[broken]
	if err == nil || len(failed) != 1 || !strings.Contains(err.Error(), "did not become ready") || !strings.Contains(err.Error(), "ImagePullBackOff") ||
		!strings.Contains(err.Error(), "taken back, and it is ready with them") {
		t.Errorf("%v", failed)
	}
	o, err := w.Kube.Get(schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}, "data-platform", "redis")
	must(t, err)
	if text, _ := json.Marshal(o["spec"]); !strings.Contains(string(text), `"image":"redis:7.2"`) || strings.Contains(string(text), "harbor-credentials") {
		t.Errorf("%s", text)
	}
}

func TestPatchFilesByDefault(t *testing.T) {
	w := start(t, false)
	folder := filepath.Join(t.TempDir(), "patches")
	in := actions.Inputs{"folder": folder}
	p := w.plan(t, in)
	if failed := w.carry(t, p, 1, &said{}, nil); len(failed) > 0 {
		t.Fatal(failed)
	}
	text, err := os.ReadFile(filepath.Join(folder, "kustomization.yaml"))
	must(t, err)
	for _, want := range []string{"- name: trinodb/trino\n  newName: harbor.254carbon.com/254carbon/trino\n", "kind: Component"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the kustomization lacks %q:\n%s", want, text)
		}
	}
	if text, err = os.ReadFile(filepath.Join(folder, "data-platform.deployment.redis.yaml")); err != nil || !strings.Contains(string(text), "image: harbor.254carbon.com/254carbon/redis:7.2") {
		t.Errorf("%s, %v", text, err)
	}
	for _, r := range w.Requests() {
		if r.Method == "PATCH" && strings.Contains(r.Path, "/apps/") {
			t.Errorf("the cluster was changed: %s", r.Path)
		}
	}
	if after := w.plan(t, in); len(after.Steps) != 0 {
		t.Errorf("a second run plans %+v", after.Steps)
	}
}

func TestWithoutAnAdministrator(t *testing.T) {
	w := start(t, false, func(_ *mirror.Params, d *mirror.Deps) { d.Admin = nobody{} })
	p := w.plan(t, nil)
	if len(p.Missing) != 1 {
		t.Fatalf("%v", p.Missing)
	}
	for _, want := range []string{"Projects → 254carbon → Robot Accounts", "create the robot account mirror", "kubectl create secret generic -n registry harbor-robot --from-literal=username='robot$254carbon+mirror'"} {
		if !strings.Contains(p.Missing[0], want) {
			t.Errorf("the step by hand lacks %q: %s", want, p.Missing[0])
		}
	}
}

// nobody has no administrator's credential.
type nobody struct{ mirror.Admin }

func (nobody) Known(context.Context) error { return errors.New("the profile names none") }

func TestReadOnlyModePlansAndChangesNothing(t *testing.T) {
	w := start(t, true)
	p := w.plan(t, actions.Inputs{"apply": "true"})
	if len(p.Steps) < 60 {
		t.Errorf("%d steps", len(p.Steps))
	}
	failed := w.carry(t, p, 1, &said{}, nil)
	for _, s := range p.Steps {
		if s.Effect != actions.Reads && !s.Cleanup && len(s.Needs) == 0 && failed[s.ID] == nil {
			t.Errorf("%s was let through", s.ID)
		}
	}
	if n := w.Writes(); n > 0 {
		t.Errorf("%d requests were no reads: %+v", n, w.Requests())
	}
}

// broken copies nothing.
type broken struct {
	mirror.Copier
	err error
}

func (b broken) Copy(context.Context, mirror.Job, mirror.Reporter) (string, error) { return "", b.err }

func TestWhatCopyingFailsWith(t *testing.T) {
	for _, c := range []struct {
		err  error
		stop bool
	}{{mirror.ErrQuota, true}, {mirror.ErrDenied, true}, {mirror.ErrDigest, false}, {errors.New("cut"), false}} {
		w := start(t, false, func(_ *mirror.Params, d *mirror.Deps) {
			make := d.Copier
			d.Copier = func(folder, host string, credential func(context.Context) (string, string, error)) (mirror.Copier, error) {
				real, err := make(folder, host, credential)
				return broken{real, fmt.Errorf("copying: %w", c.err)}, err
			}
		})
		p := w.plan(t, nil)
		at := slices.IndexFunc(p.Steps, func(s actions.Step) bool { return s.Group == "copy" })
		d, err := w.action.Open(t.Context(), p, t.TempDir())
		must(t, err)
		err = d.Do(t.Context(), p.Steps[at], &said{})
		var stop *actions.StopError
		if !errors.Is(err, c.err) || errors.As(err, &stop) != c.stop || !p.Steps[at].Lenient {
			t.Errorf("%v ends with %v", c.err, err)
		}
		must(t, d.Close())
	}
}

func TestInputsThatMakeNoSense(t *testing.T) {
	w := start(t, false)
	for says, in := range map[string]actions.Inputs{
		"not like linux/amd64": {"platforms": "amd64"},
		"no workload x/y":      {"force": "x/y"},
	} {
		in, err := w.action.Spec().Settle(in)
		must(t, err)
		if _, err := w.action.Plan(t.Context(), in); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
}
