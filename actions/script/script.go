// Package script runs a script of the platform's own repository, as an action that is planned, streamed and kept like any other. What a
// script does nobody can plan: its plan says what would be run, which of its known defects can be seen without running it, and that an
// interruption leaves an outcome that a person has to tell.
package script

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/probes"
)

// Params are the parameters of the kind script.
type Params struct {
	Script string                      `yaml:"script" jsonschema:"required,minLength=1,description=the script\\, by its path in the checkout; no shell is involved"`
	Args   []string                    `yaml:"args,omitempty" jsonschema:"description=its arguments; secrets are no arguments\\, because others see them in the list of processes"`
	Set    map[string]string           `yaml:"set,omitempty" jsonschema:"description=variables that it gets besides the usual ones\\, in plain text"`
	Env    map[string]probes.SecretRef `yaml:"env,omitempty" jsonschema:"description=variables that hold secrets"`
	Limit  time.Duration               `yaml:"limit,omitempty" jsonschema:"description=how long it may run"`
	Effect actions.Effect              `yaml:"effect,omitempty" jsonschema:"description=the gravest thing that it does; deletes asks for the platform's name"`
}

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Validate reports what is wrong with the parameters.
func (p *Params) Validate() error {
	switch {
	case p.Script == "":
		return errors.New("script must name a file of the checkout")
	case !filepath.IsLocal(filepath.FromSlash(p.Script)):
		return fmt.Errorf("script %q does not lie in the checkout", p.Script)
	case slices.ContainsFunc(p.Args, func(a string) bool { return strings.ContainsRune(a, 0) }):
		return errors.New("args must not hold a zero byte")
	case p.Limit <= 0:
		return errors.New("limit must be longer than nothing")
	}
	for _, name := range slices.Sorted(maps.Keys(p.Set)) {
		if !variable.MatchString(name) {
			return fmt.Errorf("set: %q is no name of a variable", name)
		}
		if _, twice := p.Env[name]; twice {
			return fmt.Errorf("%s stands in set and in env", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Env)) {
		if !variable.MatchString(name) {
			return fmt.Errorf("env: %q is no name of a variable", name)
		}
		if err := p.Env[name].Validate(); err != nil {
			return fmt.Errorf("env: %s: %w", name, err)
		}
	}
	return nil
}

// Info describes the kind.
func Info() actions.KindInfo {
	return actions.KindInfo{
		Name:   "script",
		About:  "Runs a script of the platform's checkout, without a shell, in a session of its own, with its output streamed.",
		Params: func() any { return &Params{Limit: time.Hour, Effect: actions.Updates} },
	}
}

// Secrets resolves references to secrets, and keeps what it found off every screen.
type Secrets interface {
	Resolve(ctx context.Context, ref probes.SecretRef) (string, error)
}

// Deps are what the action needs of the platform.
type Deps struct {
	// Folder returns the path of the checkout.
	Folder  func() (string, error)
	Name    string // what the checkout is called
	Secrets Secrets
	Environ []string // what every script gets
	// Defects says what is known to be wrong with a script of that name and text, without running it. No text holds a secret.
	Defects func(name string, text []byte) []string
}

// New returns the action.
func New(spec actions.Spec, p Params, d Deps) actions.Action {
	return action{spec: spec, params: p, deps: d}
}

type action struct {
	spec   actions.Spec
	params Params
	deps   Deps
}

// Spec implements [actions.Action].
func (a action) Spec() actions.Spec { return a.spec }

// run is the data of the one step.
type run struct {
	Script string        `json:"script"`
	Digest string        `json:"digest"` // of the script that was planned
	Args   []string      `json:"args,omitempty"`
	Limit  time.Duration `json:"limit"`
}

const (
	stepID   = "run"
	maxText  = 4 << 20 // of a script; no person writes more
	maxShown = 20      // defects
)

// Plan implements [actions.Action]: it looks at the script, and whether its secrets are there.
func (a action) Plan(ctx context.Context, in actions.Inputs) (actions.Plan, error) {
	p := actions.Plan{Action: a.spec.ID, Kind: a.spec.Kind, Title: a.spec.Title, Inputs: in, Mends: a.spec.Mends}
	p.Summary = "runs " + a.line()
	file, err := a.find()
	if err != nil {
		return p, err
	}
	if file.trouble != "" {
		p.Missing = append(p.Missing, file.trouble)
	}
	for _, name := range slices.Sorted(maps.Keys(a.params.Env)) {
		if _, err := a.deps.Secrets.Resolve(ctx, a.params.Env[name]); err != nil {
			p.Missing = append(p.Missing, probes.Clean(fmt.Sprintf("the value of %s: %v", name, err), 400))
		}
	}
	p.Notes = append(p.Notes,
		"A script's exit code is not its result: the checks that it is to mend are asked again afterwards.",
		"Interrupted, it leaves an outcome that nobody knows: it is not run again before a person says so.")
	if a.deps.Defects != nil {
		for n, defect := range a.deps.Defects(a.params.Script, file.text) {
			if n == maxShown {
				p.Notes = append(p.Notes, "… and more known defects")
				break
			}
			p.Notes = append(p.Notes, "Known defect: "+probes.Clean(defect, 400))
		}
	}
	data, err := json.Marshal(run{Script: a.params.Script, Digest: file.digest, Args: a.params.Args, Limit: a.params.Limit})
	if err != nil {
		return p, fmt.Errorf("keeping what is to be run: %w", err)
	}
	p.Steps = []actions.Step{{
		ID: stepID, Title: "Run " + a.line(), Target: path.Join(a.deps.Name, a.params.Script), Effect: a.params.Effect, Unrepeatable: true,
		Detail: a.detail(file.digest), Data: data,
	}}
	return p, nil
}

// line is what a person would type.
func (a action) line() string {
	words := []string{probes.ShellWord(a.params.Script)}
	for _, arg := range a.params.Args {
		words = append(words, probes.ShellWord(arg))
	}
	return probes.Clean(strings.Join(words, " "), 400)
}

func (a action) detail(digest string) []string {
	lines := []string{"in " + a.deps.Name, "at most " + a.params.Limit.String(), "as it is now: " + digest}
	for _, name := range slices.Sorted(maps.Keys(a.params.Set)) {
		lines = append(lines, probes.Clean(name+"="+probes.ShellWord(a.params.Set[name]), 400))
	}
	for _, name := range slices.Sorted(maps.Keys(a.params.Env)) {
		lines = append(lines, probes.Clean(fmt.Sprintf("%s from the %s", name, a.params.Env[name]), 400))
	}
	return lines
}

// found is a script as it lies in the checkout.
type found struct {
	dir     string // of the checkout
	path    string
	text    []byte
	digest  string
	trouble string // why it cannot be run
}

// find reads the script. That it is not there or not executable is no error, but no way to run it either.
func (a action) find() (found, error) {
	dir, err := a.deps.Folder()
	if err != nil {
		return found{}, fmt.Errorf("finding the checkout %s: %w", a.deps.Name, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return found{}, fmt.Errorf("opening the checkout %s: %w", a.deps.Name, err)
	}
	defer func() { _ = root.Close() }()
	f := found{dir: dir, path: filepath.Join(dir, filepath.FromSlash(a.params.Script))}
	info, err := root.Stat(a.params.Script)
	switch {
	case errors.Is(err, os.ErrNotExist):
		f.trouble = fmt.Sprintf("%s is not in the checkout %s", a.params.Script, a.deps.Name)
		return f, nil
	case err != nil:
		return f, fmt.Errorf("looking at %s: %w", a.params.Script, err)
	case !info.Mode().IsRegular() || info.Size() > maxText:
		f.trouble = fmt.Sprintf("%s is no script: it is not a file, or larger than any", a.params.Script)
		return f, nil
	case !executable(info):
		f.trouble = fmt.Sprintf("%s is not executable: chmod +x %s", a.params.Script, probes.ShellWord(a.params.Script))
	}
	if f.text, err = root.ReadFile(a.params.Script); err != nil {
		return f, fmt.Errorf("reading %s: %w", a.params.Script, err)
	}
	sum := sha256.Sum256(f.text)
	f.digest = "sha256:" + hex.EncodeToString(sum[:])
	return f, nil
}

// Open implements [actions.Action].
func (a action) Open(_ context.Context, _ actions.Plan, _ string) (actions.Doer, error) {
	return doer{a}, nil
}

type doer struct{ action }

// Done implements [actions.Doer]: of a script nobody can tell.
func (d doer) Done(context.Context, actions.Step) (bool, error) { return false, nil }

// Close implements [actions.Doer].
func (d doer) Close() error { return nil }

// Do runs the script to its end. An end that is not the script's own, by ctx or by its limit, leaves an [actions.UnclearError].
func (d doer) Do(ctx context.Context, s actions.Step, r actions.Reporter) error {
	var want run
	if err := json.Unmarshal(s.Data, &want); err != nil {
		return fmt.Errorf("reading what is to be run: %w", err)
	}
	file, err := d.find()
	switch {
	case err != nil:
		return err
	case file.trouble != "":
		return errors.New(file.trouble)
	case file.digest != want.Digest:
		return fmt.Errorf("%s is not the one that was planned any more: plan again", d.params.Script)
	case want.Script != d.params.Script:
		return fmt.Errorf("the profile names %s by now, not %s: plan again", d.params.Script, want.Script)
	}
	env, err := d.environment(ctx)
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeoutCause(ctx, want.Limit, fmt.Errorf("it was ended after %s, its limit", want.Limit))
	defer cancel()
	began := time.Now()
	return d.explain(limited, execute(limited, file.path, want.Args, file.dir, env, r.Log), time.Since(began))
}

// environment is what the script gets.
func (d doer) environment(ctx context.Context) ([]string, error) {
	env := slices.DeleteFunc(slices.Clone(d.deps.Environ), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		_, set := d.params.Set[name]
		_, secret := d.params.Env[name]
		return set || secret || name == "TERM"
	})
	if _, set := d.params.Set["TERM"]; !set {
		env = append(env, "TERM=dumb") // nobody draws here
	}
	for _, name := range slices.Sorted(maps.Keys(d.params.Set)) {
		env = append(env, name+"="+d.params.Set[name])
	}
	for _, name := range slices.Sorted(maps.Keys(d.params.Env)) {
		value, err := d.deps.Secrets.Resolve(ctx, d.params.Env[name])
		if err != nil {
			return nil, fmt.Errorf("finding the value of %s: %w", name, err)
		}
		env = append(env, name+"="+value)
	}
	return env, nil
}

// explain says how a script ended. Took is told because a script that fails at once and one that fails late have different causes.
func (d doer) explain(ctx context.Context, e ending, took time.Duration) error {
	after := took.Round(100 * time.Millisecond)
	switch {
	case e.notStarted != nil:
		return fmt.Errorf("starting %s: %w", d.params.Script, e.notStarted)
	case ctx.Err() != nil:
		return &actions.UnclearError{Err: fmt.Errorf("%s: %w", d.params.Script, context.Cause(ctx))}
	case e.signal != "":
		return &actions.UnclearError{Err: fmt.Errorf("%s was ended from outside after %s: %s", d.params.Script, after, e.signal)}
	case e.code != 0:
		return fmt.Errorf("%s ended with exit status %d after %s", d.params.Script, e.code, after)
	}
	return nil
}
