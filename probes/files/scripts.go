package files

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"runtime"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/254carbon/gonogo/probes"
)

// Scripts is the rule that scripts are there, executable, and parse.
type Scripts struct {
	Names   []string `yaml:"names,omitempty" jsonschema:"description=scripts that must be there"`
	Files   []string `yaml:"files,omitempty" jsonschema:"description=patterns of more scripts; ** stands for any folders"`
	Min     int      `yaml:"min,omitempty" jsonschema:"minimum=0,description=how many scripts there must be at least"`
	Sourced []string `yaml:"sourced,omitempty" jsonschema:"description=patterns of files that other scripts read in; they need not be executable"`
	Defects string   `yaml:"defects,omitempty" jsonschema:"enum=report,enum=warn,enum=ignore,description=what becomes of known defects that can be seen without running a script; report by default"`
}

func (s Scripts) validate() error {
	if len(s.Names) == 0 && len(s.Files) == 0 {
		return fmt.Errorf("scripts: neither names nor files; say which scripts")
	}
	for _, name := range s.Names {
		if err := validateName("scripts: names", name); err != nil {
			return err
		}
	}
	if s.Min < 0 || s.Min == 0 && len(s.Names) == 0 {
		return fmt.Errorf("scripts: min must be at least 1")
	}
	if !slices.Contains([]string{"", "report", "warn", "ignore"}, s.Defects) {
		return fmt.Errorf("scripts: defects must be report, warn or ignore, not %q", s.Defects)
	}
	return errors.Join(validatePatterns("scripts: files", s.Files), validatePatterns("scripts: sourced", s.Sourced))
}

// script is what was seen of one.
type script struct {
	name    string
	kind    string   // "bash", "python3"
	faults  []string // why it cannot be run
	defects []defect
	parsed  bool // else nobody here knows its language
}

func (l look) scripts(s Scripts) (probes.Observation, error) {
	found, err := l.find(s.Files)
	if err != nil {
		return probes.Observation{}, err
	}
	names := slices.Clone(s.Names)
	for _, name := range found {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	var causes []string
	var evidence []probes.Evidence
	var suspects []script
	count := 0
	foreign := map[string]int{} // scripts that are not parsed, by their language
	for _, name := range names {
		script, is, err := l.script(name, s, slices.Contains(s.Names, name))
		if err != nil {
			return probes.Observation{}, err
		}
		if !is {
			continue
		}
		count++
		if !script.parsed && len(script.faults) == 0 {
			foreign[cmp.Or(script.kind, "unknown")]++
			evidence = append(evidence, probes.Evidence{Subject: script.name, Want: "executable, parses", Got: "executable; " + cmp.Or(script.kind, "its language") + " is not parsed here"}.
				From(l.from(name, l.byHand(script))))
		}
		if len(script.faults) > 0 {
			causes = append(causes, name+" "+script.faults[0])
			evidence = append(evidence, probes.Evidence{
				Subject: name, Want: "executable, parses", Got: strings.Join(script.faults, "; "), Wanting: true,
			}.From(l.from(name, l.byHand(script))))
		}
		if len(script.defects) > 0 && s.Defects != "ignore" {
			suspects = append(suspects, script)
		}
	}
	want := "at least " + plural(s.Min, "script")
	if s.Min == 0 {
		want = plural(len(s.Names), "script")
	}
	all := probes.Evidence{Subject: "scripts", Want: want + ", executable, each parses", Got: plural(count, "script"), Wanting: count < s.Min}
	if all.Wanting {
		causes = append(causes, fmt.Sprintf("%s, %d are needed", plural(count, "script"), s.Min))
	}
	evidence = append(evidence, all.From(l.from("", fmt.Sprintf("find %s -name '*.sh' -exec bash -n {} \\;", l.word("")))))
	evidence = append(evidence, l.defective(suspects, s.Defects == "warn")...)
	summary := fmt.Sprintf("%s, executable, each parses", plural(count, "script"))
	if len(foreign) > 0 {
		var words []string
		unparsed := 0
		for _, kind := range slices.Sorted(maps.Keys(foreign)) {
			words, unparsed = append(words, kind), unparsed+foreign[kind]
		}
		summary = fmt.Sprintf("%s, executable, %d of them parse; not parsed: %d of %s", plural(count, "script"), count-unparsed, unparsed, strings.Join(words, ", "))
	}
	switch {
	case len(causes) > 0:
		return probes.Observation{Status: probes.Fail, Summary: enumerate(causes), Evidence: evidence}, nil
	case len(suspects) == 0:
		return probes.Observation{Status: probes.Pass, Summary: summary, Evidence: evidence}, nil
	case s.Defects == "warn":
		first := suspects[0].defects[0]
		return probes.Observation{
			Status: probes.Warn, Ratio: probes.Part(1, 2), Evidence: evidence,
			Summary: fmt.Sprintf("%d of %s with known defects: %s:%d %s", len(suspects), plural(count, "script"), suspects[0].name, first.line, first.what),
		}, nil
	}
	return probes.Observation{
		Status: probes.Pass, Summary: fmt.Sprintf("%s; known defects in %d of them", summary, len(suspects)), Evidence: evidence,
	}, nil
}

// defective is the evidence of defects, which never shows a secret.
func (l look) defective(suspects []script, wanting bool) []probes.Evidence {
	var all []probes.Evidence
	for _, s := range suspects {
		texts := make([]string, len(s.defects))
		for i, d := range s.defects {
			texts[i] = fmt.Sprintf("line %d: %s", d.line, d.what)
		}
		all = append(all, probes.Evidence{
			Subject: "defects of " + s.name, Want: "none that can be seen", Got: strings.Join(texts, "; "), Wanting: wanting,
		}.From(l.from(s.name, fmt.Sprintf("sed -n '%dp' %s", s.defects[0].line, l.word(s.name)))))
	}
	return all
}

// byHand is the command that shows what is wrong with a script without running it.
func (l look) byHand(s script) string {
	shell := s.kind
	if !slices.Contains([]string{"bash", "sh", "dash", "ksh", "zsh"}, shell) {
		return "ls -l " + l.word(s.name) + " && head -1 " + l.word(s.name)
	}
	return "ls -l " + l.word(s.name) + " && " + shell + " -n " + l.word(s.name)
}

// script looks at one file. What is not wanted by name and does not look like a script is none.
func (l look) script(name string, s Scripts, byName bool) (script, bool, error) {
	found := script{name: name}
	text, mode, err := l.read(name)
	switch {
	case l.ctx.Err() != nil:
		return found, false, l.ctx.Err()
	case errors.Is(err, fs.ErrNotExist):
		found.faults = []string{"is missing"}
		return found, true, nil
	case errors.Is(err, errNoText) && !byName && !looksLikeOne(name):
		return found, false, nil
	case errors.Is(err, errNoText):
		found.faults = []string{err.Error()}
		return found, true, nil
	case err != nil:
		return found, false, fmt.Errorf("reading %s: %w", name, err)
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	found.kind = interpreter(string(line))
	if !byName && !looksLikeOne(name) && found.kind == "" {
		return found, false, nil
	}
	sourced := matches(s.Sourced, name)
	switch {
	case len(bytes.TrimSpace(text)) == 0:
		found.faults = append(found.faults, "is empty")
		return found, true, nil
	case bytes.HasPrefix(text, []byte("\xef\xbb\xbf")):
		found.faults = append(found.faults, "begins with a byte order mark, so that its first line is not seen")
	case bytes.HasSuffix(line, []byte("\r")):
		found.faults = append(found.faults, "has Windows line ends, so that its interpreter is not found")
	case found.kind == "" && !sourced:
		found.faults = append(found.faults, "has no #! line")
	}
	if mode&0o111 == 0 && !sourced && runtime.GOOS != "windows" {
		found.faults = append(found.faults, "is not executable")
	}
	found.parse(text)
	return found, true, nil
}

// looksLikeOne reports whether a name is a script's.
func looksLikeOne(name string) bool {
	return slices.Contains([]string{".sh", ".bash", ".ksh", ".zsh", ".bats", ".py"}, path.Ext(name))
}

// interpreter is the program of a #! line, empty if it is none.
func interpreter(line string) string {
	rest, ok := strings.CutPrefix(strings.TrimPrefix(line, "\xef\xbb\xbf"), "#!")
	if !ok {
		return ""
	}
	words := strings.Fields(rest)
	if len(words) > 0 && path.Base(words[0]) == "env" {
		words = slices.DeleteFunc(words[1:], func(w string) bool { return strings.HasPrefix(w, "-") || strings.Contains(w, "=") })
	}
	if len(words) == 0 {
		return ""
	}
	return path.Base(words[0])
}

// dialects are the shells that can be parsed.
var dialects = map[string]syntax.LangVariant{
	"bash": syntax.LangBash, "sh": syntax.LangPOSIX, "dash": syntax.LangPOSIX, "ash": syntax.LangPOSIX,
	"ksh": syntax.LangMirBSDKorn, "mksh": syntax.LangMirBSDKorn, "zsh": syntax.LangZsh, "bats": syntax.LangBats,
}

// parse reads a script as its shell would and notes what is wrong. Scripts of other interpreters are not looked into.
func (s *script) parse(text []byte) {
	lang, ok := dialects[s.kind]
	if s.kind == "" && path.Ext(s.name) != ".py" {
		lang, ok = syntax.LangBash, true
	}
	if !ok {
		return
	}
	file, err := syntax.NewParser(syntax.Variant(lang)).Parse(bytes.NewReader(text), "")
	if err != nil {
		s.faults = append(s.faults, "does not parse: "+withoutSource(err))
		return
	}
	s.parsed, s.defects = true, defects(file, text)
}

// withoutSource says where and why a script does not parse, without the text there, which may be a secret.
func withoutSource(err error) string {
	var parse syntax.ParseError
	var lang syntax.LangError
	switch {
	case errors.As(err, &parse):
		return fmt.Sprintf("line %d: %s", parse.Pos.Line(), parse.Text)
	case errors.As(err, &lang):
		return fmt.Sprintf("line %d: %s", lang.Pos.Line(), lang.Feature+" are not for "+lang.LangUsed.String())
	}
	return "it cannot be read as a script"
}
