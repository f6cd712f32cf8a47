package files

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// Readme is the rule that a file was changed lately.
type Readme struct {
	Path   string        `yaml:"path,omitempty" jsonschema:"description=the file; README.md by default"`
	Within time.Duration `yaml:"within" jsonschema:"description=how long ago its last change may be"`
}

// clockSkew is how far in the future a change may be before its time says nothing.
const clockSkew = time.Hour

func (r Readme) path() string {
	if r.Path == "" {
		return "README.md"
	}
	return r.Path
}

func (r Readme) validate() error {
	if r.Within <= 0 {
		return fmt.Errorf("readme: within must be more than nothing")
	}
	return validateName("readme: path", r.path())
}

func validateName(key, name string) error {
	if name == "" || path.IsAbs(name) || name != path.Clean(name) || strings.HasPrefix(name, "..") || strings.Contains(name, `\`) {
		return fmt.Errorf("%s: %q must be a file of the checkout, relative to it", key, name)
	}
	return nil
}

func (l look) readme(r Readme) (probes.Observation, error) {
	name := r.path()
	e := probes.Evidence{Subject: name, Want: "changed within " + span(r.Within)}.
		From(l.from(name, "git -C "+l.word("")+" log -1 --format='%h %cI' -- "+probes.ShellWord(name)))
	fail := func(got, summary string) (probes.Observation, error) {
		e.Got, e.Wanting = got, true
		return probes.Observation{Status: probes.Fail, Summary: summary, Evidence: []probes.Evidence{e}}, nil
	}
	text, _, err := l.read(name)
	switch {
	case l.ctx.Err() != nil:
		return probes.Observation{}, l.ctx.Err()
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, errNoText):
		return fail("cannot be read", fmt.Sprintf("there is no %s that could be read", name))
	case err != nil:
		return probes.Observation{}, fmt.Errorf("reading %s: %w", name, err)
	case prose(text) == 0:
		return fail("is empty", name+" is empty")
	}
	change, err := l.tree.Changed(l.ctx, name, l.now.Add(-r.Within))
	if err != nil {
		return probes.Observation{}, fmt.Errorf("looking for the last change of %s: %w", name, err)
	}
	age := l.now.Sub(change.At)
	switch {
	case change.At.IsZero():
		return fail("before that", fmt.Sprintf("%s was not changed within %s", name, span(r.Within)))
	case age < -clockSkew:
		return probes.Observation{}, fmt.Errorf("%s was changed %s in the future (%s): the clocks differ", name, span(-age), change.How)
	case age > r.Within:
		return fail(fmt.Sprintf("%s, %s", day(change.At), change.How), fmt.Sprintf("%s was last changed %s ago (%s)", name, span(age), change.How))
	}
	e.Got = fmt.Sprintf("%s, %s", day(change.At), change.How)
	return probes.Observation{
		Status: probes.Pass, Summary: fmt.Sprintf("%s was changed %s ago (%s)", name, span(max(0, age)), change.How), Evidence: []probes.Evidence{e},
	}, nil
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04Z") }

// span writes a time span in the unit that says most.
func span(d time.Duration) string {
	const twoDays = 48 * time.Hour
	switch {
	case d >= twoDays:
		return plural(int(d/(24*time.Hour)), "day")
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d h", int(d/time.Hour))
	}
	return fmt.Sprintf("%d min", int(d/time.Minute))
}
