// Package command asks by running a program: what it exits with and prints is the answer.
//
// A program that exits with 0 answers yes, with one of the codes that the profile lists no, and with any other that it could not ask. What
// it prints on standard output is either a text, whose first line becomes the summary, or one JSON object:
//
//	{"status": "warn", "ratio": "1/2", "summary": "3 of 4 mirrors in sync", "evidence": [
//	  {"subject": "mirror d", "want": "in sync", "got": "2 h behind", "wanting": true}]}
//
// The status may be more exact than an exit code of 0 ("warn" or "fail"), but it may not contradict another.
package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// Secrets resolves references to secrets. The error wraps [probes.ErrNoSecret] if the secret is not there.
type Secrets interface {
	Resolve(ctx context.Context, ref probes.SecretRef) (string, error)
}

// Params are the parameters of the kind command.
type Params struct {
	Argv    []string                    `yaml:"argv" jsonschema:"description=the program and its arguments; no shell is involved,minItems=1"`
	Dir     string                      `yaml:"dir,omitempty" jsonschema:"description=folder to run in"`
	Env     map[string]probes.SecretRef `yaml:"env,omitempty" jsonschema:"description=variables that the program gets besides the usual ones (PATH and HOME and KUBECONFIG and proxies …)"`
	Fail    []int                       `yaml:"fail,omitempty" jsonschema:"description=exit codes that mean no; any other but 0 means that it could not ask"`
	Trusted bool                        `yaml:"trusted,omitempty" jsonschema:"description=whether it only reads so that it may run in read-only mode"`
}

func variable() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`) }

// Validate reports what is wrong with the parameters.
func (p *Params) Validate() error {
	switch {
	case len(p.Argv) == 0 || p.Argv[0] == "":
		return errors.New("argv must name a program")
	case slices.ContainsFunc(p.Argv, func(a string) bool { return strings.ContainsRune(a, 0) }):
		return errors.New("argv must not hold a zero byte")
	}
	for _, code := range p.Fail {
		if code < 1 || code > 255 {
			return fmt.Errorf("fail holds %d, which is not an exit code between 1 and 255", code)
		}
	}
	name := variable()
	for _, n := range names(p.Env) {
		if !name.MatchString(n) {
			return fmt.Errorf("env: %q is no name of a variable", n)
		}
		if err := p.Env[n].Validate(); err != nil {
			return fmt.Errorf("env %s: %w", n, err)
		}
	}
	return nil
}

func names(env map[string]probes.SecretRef) []string {
	var list []string
	for n := range env {
		list = append(list, n)
	}
	slices.Sort(list)
	return list
}

// Info describes the kind command.
func Info() probes.KindInfo {
	return probes.KindInfo{
		Name:  "command",
		About: "Runs a program without a shell and judges by its exit code and by what it prints, a text or JSON.",
		Every: 5 * time.Minute, Timeout: 30 * time.Second, Confirm: 2,
		Params: func() any { return &Params{Fail: []int{1}} },
	}
}

// Options are what programs run with.
type Options struct {
	ReadOnly bool     // run only those that the profile trusts
	Secrets  Secrets  // resolves the variables of Params.Env; may be nil if there are none
	Environ  []string // of which a program gets the usual variables, never all; nil for os.Environ()
}

// New returns a probe of the kind command. Parameters must be valid.
func New(p Params, o Options) probes.Probe {
	if o.Environ == nil {
		o.Environ = os.Environ()
	}
	return probe{params: p, options: o}
}

type probe struct {
	params  Params
	options Options
}

// ErrNotTrusted is the error of a program that is not run, because nothing can keep it from changing something.
var ErrNotTrusted = errors.New("a command's effects cannot be guarded: not run in read-only mode unless the profile says trusted: true")

func (p probe) Observe(ctx context.Context) (probes.Observation, error) {
	if p.options.ReadOnly && !p.params.Trusted {
		return probes.Observation{}, ErrNotTrusted
	}
	env, mask, err := p.environment(ctx)
	if err != nil {
		return probes.Observation{}, err
	}
	done, err := run(ctx, p.params.Argv, p.params.Dir, env)
	if err != nil {
		return probes.Observation{}, fmt.Errorf("running %s: %w", p.name(), masked{err, mask})
	}
	done.stdout, done.stderr = mask.bytes(done.stdout), mask.bytes(done.stderr)
	obs, err := p.judge(done)
	if err != nil {
		return probes.Observation{}, fmt.Errorf("running %s: %w", p.name(), err)
	}
	request := p.request()
	for i := range obs.Evidence {
		obs.Evidence[i] = obs.Evidence[i].From(request)
	}
	return obs, nil
}

func (p probe) name() string { return filepath.Base(p.params.Argv[0]) }

// judge makes an answer of what the program did.
func (p probe) judge(d finished) (probes.Observation, error) {
	no := slices.Contains(p.params.Fail, d.code)
	if d.code != 0 && !no {
		return probes.Observation{}, fmt.Errorf("it exited with %d%s", d.code, after(d.said()))
	}
	r, err := parse(d.stdout)
	if err != nil {
		return probes.Observation{}, err
	}
	switch {
	case r.status == probes.Pending: // a text
		r.summary, r.status = d.said(), probes.Pass
		if no {
			r.status = probes.Fail
		}
	case no && r.status != probes.Fail:
		return probes.Observation{}, fmt.Errorf("it says %s, but exited with %d", r.status, d.code)
	}
	if r.summary == "" {
		r.summary = fmt.Sprintf("%s exited with %d", p.name(), d.code)
	}
	obs := probes.Observation{Status: r.status, Ratio: r.ratio, Summary: r.summary, Evidence: r.evidence}
	wanting := slices.ContainsFunc(obs.Evidence, func(e probes.Evidence) bool { return e.Wanting })
	if len(obs.Evidence) == 0 || obs.Status != probes.Pass && !wanting {
		obs.Evidence = append([]probes.Evidence{{
			Subject: "command " + p.name(), Want: "exit code 0 and nothing said against it",
			Got: fmt.Sprintf("exit code %d%s", d.code, after(r.summary)), Wanting: obs.Status != probes.Pass,
		}}, obs.Evidence...)
	}
	return obs, nil
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

func after(said string) string {
	if said == "" {
		return ""
	}
	return ": " + said
}

// request says how a person runs the program; secrets are variables.
func (p probe) request() probes.Request {
	var words []string
	for _, n := range names(p.params.Env) {
		from := n
		if ref := p.params.Env[n]; ref.Env != "" {
			from = ref.Env
		}
		words = append(words, fmt.Sprintf(`%s="$%s"`, n, from))
	}
	for _, a := range p.params.Argv {
		words = append(words, probes.ShellWord(a))
	}
	r := probes.Request{Source: "command " + strings.Join(p.params.Argv, " "), Repeat: strings.Join(words, " ")}
	if p.params.Dir != "" {
		r.Repeat = "cd " + probes.ShellWord(p.params.Dir) + " && " + r.Repeat
	}
	return r
}
