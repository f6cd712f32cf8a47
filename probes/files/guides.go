package files

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/254carbon/gonogo/probes"
)

// Guides is the rule that the guides of each role are there.
type Guides struct {
	Min   int    `yaml:"min" jsonschema:"minimum=1,description=how many different guides there must be at least"`
	Words int    `yaml:"words,omitempty" jsonschema:"minimum=0,description=words without headings below which a guide is a stub; 40 by default"`
	Roles []Role `yaml:"roles" jsonschema:"minItems=1,description=what there must be a guide for"`
}

// Role is something that there must be a guide for.
type Role struct {
	Name  string   `yaml:"name" jsonschema:"required,minLength=1"`
	Files []string `yaml:"files" jsonschema:"required,minItems=1,description=patterns of the Markdown files that may be its guide; ** stands for any folders"`
}

const defaultWords = 40

func (g Guides) validate() error {
	if g.Min < 1 {
		return fmt.Errorf("guides: min must be at least 1")
	}
	if len(g.Roles) == 0 {
		return fmt.Errorf("guides: no roles; name what there must be a guide for")
	}
	seen := map[string]bool{}
	for _, r := range g.Roles {
		if seen[r.Name] {
			return fmt.Errorf("guides: role %s is there twice", r.Name)
		}
		seen[r.Name] = true
		if len(r.Files) == 0 {
			return fmt.Errorf("guides: role %s has no files", r.Name)
		}
		if err := validatePatterns("guides: role "+r.Name, r.Files); err != nil {
			return err
		}
	}
	return nil
}

// guides counts guides by their content, so that copies of one are one.
func (l look) guides(g Guides) (probes.Observation, error) {
	var causes []string
	var evidence []probes.Evidence
	distinct := map[[sha256.Size]byte]bool{}
	covered := 0
	for _, role := range g.Roles {
		names, err := l.find(role.Files)
		if err != nil {
			return probes.Observation{}, err
		}
		var good, bad []string
		for _, name := range names {
			sum, why, err := l.guide(name, g)
			switch {
			case err != nil:
				return probes.Observation{}, err
			case why != "":
				bad = append(bad, name+" "+why)
			default:
				good = append(good, name)
				distinct[sum] = true
			}
		}
		e := probes.Evidence{Subject: "guide: " + role.Name, Want: strings.Join(role.Files, " or "), Got: strings.Join(good, ", ")}
		switch {
		case len(good) > 0:
			covered++
		case len(bad) > 0:
			e.Got, e.Wanting = strings.Join(bad, ", "), true
			causes = append(causes, fmt.Sprintf("no guide for %s: %s", role.Name, bad[0]))
		default:
			e.Got, e.Wanting = "no such file", true
			causes = append(causes, "no guide for "+role.Name)
		}
		evidence = append(evidence, e.From(l.from("", "wc -w "+strings.Join(l.words(role.Files), " "))))
	}
	count := probes.Evidence{
		Subject: "guides", Want: fmt.Sprintf("at least %d different ones", g.Min), Got: plural(len(distinct), "guide"), Wanting: len(distinct) < g.Min,
	}
	if count.Wanting {
		causes = append(causes, fmt.Sprintf("%s, %d are needed", plural(len(distinct), "guide"), g.Min))
	}
	evidence = append(evidence, count.From(l.from("", "find "+l.word("")+" -name '*.md' -size +0")))
	if len(causes) > 0 {
		return probes.Observation{Status: probes.Fail, Summary: enumerate(causes), Evidence: evidence}, nil
	}
	return probes.Observation{
		Status: probes.Pass, Summary: fmt.Sprintf("%s, %d of %d roles", plural(len(distinct), "guide"), covered, len(g.Roles)), Evidence: evidence,
	}, nil
}

func (l look) words(patterns []string) []string {
	all := make([]string, len(patterns))
	for i, p := range patterns { // a pattern is for the shell to expand
		all[i] = strings.TrimSuffix(l.word("."), "/.") + "/" + p
	}
	return all
}

// guide returns what tells a file from others, or why it is no guide.
func (l look) guide(name string, g Guides) (sum [sha256.Size]byte, why string, err error) {
	text, _, err := l.read(name)
	least := g.Words
	if least == 0 {
		least = defaultWords
	}
	switch n := prose(text); {
	case l.ctx.Err() != nil:
		return sum, "", l.ctx.Err()
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, errNoText): // which guides nobody
		return sum, "cannot be read", nil
	case err != nil:
		return sum, "", fmt.Errorf("reading %s: %w", name, err)
	case !utf8.Valid(text):
		return sum, "is no text", nil
	case conflicted(text):
		return sum, "holds the marks of a merge that was not finished", nil
	case n == 0:
		return sum, "is empty", nil
	case n < least:
		return sum, fmt.Sprintf("is a stub of %s", plural(n, "word")), nil
	}
	return sha256.Sum256(bytes.TrimSpace(text)), "", nil
}

// prose counts the words of a Markdown text without headings, comments and what stands before it.
func prose(text []byte) int {
	s := string(text)
	if rest, ok := strings.CutPrefix(s, "---\n"); ok { // front matter
		if _, after, ok := strings.Cut(rest, "\n---\n"); ok {
			s = after
		}
	}
	for {
		before, rest, ok := strings.Cut(s, "<!--")
		if !ok {
			break
		}
		_, after, _ := strings.Cut(rest, "-->")
		s = before + after
	}
	n, code := 0, false
	for line := range strings.Lines(s) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "```") {
			code = !code
			continue
		}
		if strings.HasPrefix(line, "#") && !code {
			continue
		}
		for _, word := range strings.Fields(line) {
			if strings.ContainsFunc(word, func(c rune) bool { return unicode.IsLetter(c) || unicode.IsDigit(c) }) {
				n++
			}
		}
	}
	return n
}

func conflicted(text []byte) bool {
	text = append([]byte("\n"), text...)
	return bytes.Contains(text, []byte("\n<<<<<<< ")) && bytes.Contains(text, []byte("\n>>>>>>> "))
}
