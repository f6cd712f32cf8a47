package files

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// defect is something about a script that parses and yet does not do what it seems to, as far as that can be seen without running it.
type defect struct {
	line uint
	what string // never a secret
}

// Defects says, line by line, what is known to be wrong with a script: why it does not parse, and what it does that is not what it seems.
// The name helps where the text does not say which shell it is for. Nothing is run, and no secret of the script is in what is said.
func Defects(name string, text []byte) []string {
	first, _, _ := strings.Cut(string(text), "\n")
	s := script{name: name, kind: interpreter(first)}
	s.parse(text)
	said := slices.Clone(s.faults)
	for _, d := range s.defects {
		said = append(said, fmt.Sprintf("line %d: %s", d.line, d.what))
	}
	return said
}

// defects looks for the known ones, in the order of their lines:
//
//   - a counter that begins at 0 and is counted with ((x++)) under set -e: the first time the value is 0, which ends the script;
//   - kubectl get -l as a condition: it succeeds when it finds nothing;
//   - a token or password that stands in the script;
//   - a judgement by auth-url annotations of Ingresses, which say nothing about what guards the door.
func defects(file *syntax.File, text []byte) []defect {
	var all []defect
	seen := conditions(file)
	all = append(all, endingCounters(file, text, seen)...)
	all = append(all, blindConditions(seen)...)
	all = append(all, hardCoded(file)...)
	all = append(all, annotations(text)...)
	slices.SortStableFunc(all, func(a, b defect) int { return cmp.Compare(a.line, b.line) })
	return slices.Compact(all)
}

// conditions returns the statements whose failure is looked at, so that it does not end a script under set -e.
func conditions(file *syntax.File) map[*syntax.Stmt]bool {
	seen := map[*syntax.Stmt]bool{}
	syntax.Walk(file, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.IfClause:
			for _, s := range n.Cond {
				seen[s] = true
			}
		case *syntax.WhileClause:
			for _, s := range n.Cond {
				seen[s] = true
			}
		case *syntax.BinaryCmd:
			if n.Op == syntax.AndStmt || n.Op == syntax.OrStmt {
				seen[n.X] = true
			}
		case *syntax.Stmt:
			if n.Negated {
				seen[n] = true
			}
		}
		return true
	})
	return seen
}

func endingCounters(file *syntax.File, text []byte, seen map[*syntax.Stmt]bool) []defect {
	begins := map[string]string{} // first value, by variable
	var all []defect
	told := map[string]bool{}
	strict := errexit(file, text)
	syntax.Walk(file, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.Assign:
			if n.Name != nil && !n.Naked {
				if _, known := begins[n.Name.Value]; !known {
					begins[n.Name.Value] = "?"
					if value, ok := literal(n.Value); ok {
						begins[n.Name.Value] = value
					}
				}
			}
		case *syntax.Stmt:
			name := counted(n.Cmd)
			first, assigned := begins[name]
			if name == "" || told[name] || seen[n] || !strict(n.Pos()) || assigned && first != "0" && first != "" {
				return true
			}
			told[name] = true
			all = append(all, defect{n.Pos().Line(), fmt.Sprintf("((%s++)) is 0 the first time, which ends the script under set -e", name)})
		}
		return true
	})
	return all
}

// counted returns the variable that a command does nothing but count up afterwards.
func counted(c syntax.Command) string {
	var x syntax.ArithmExpr
	switch c := c.(type) {
	case *syntax.ArithmCmd:
		x = c.X
	case *syntax.LetClause:
		x = c.Exprs[len(c.Exprs)-1]
	}
	u, ok := x.(*syntax.UnaryArithm)
	if !ok || !u.Post || u.Op != syntax.Inc {
		return ""
	}
	if w, ok := u.X.(*syntax.Word); ok {
		return w.Lit()
	}
	return ""
}

// errexit says where a script ends with the first command that fails.
func errexit(file *syntax.File, text []byte) func(syntax.Pos) bool {
	type turn struct {
		at uint
		on bool
	}
	first, _, _ := strings.Cut(string(text), "\n")
	turns := []turn{{0, strings.HasPrefix(first, "#!") && slices.ContainsFunc(strings.Fields(first), shortE)}}
	syntax.Walk(file, func(n syntax.Node) bool {
		call, ok := n.(*syntax.CallExpr)
		if !ok || len(call.Args) < 2 || call.Args[0].Lit() != "set" {
			return true
		}
		for i, arg := range call.Args[1:] {
			word := arg.Lit()
			long := i > 0 && word == "errexit" && strings.HasSuffix(call.Args[i].Lit(), "o")
			switch {
			case shortE(word), long && strings.HasPrefix(call.Args[i].Lit(), "-"):
				turns = append(turns, turn{call.Pos().Offset(), true})
			case strings.HasPrefix(word, "+") && strings.Contains(word, "e"), long:
				turns = append(turns, turn{call.Pos().Offset(), false})
			}
		}
		return true
	})
	return func(p syntax.Pos) bool {
		on := false
		for _, t := range turns {
			if t.at <= p.Offset() {
				on = t.on
			}
		}
		return on
	}
}

// shortE reports whether a word is a group of options with e in it: -e, -eu, -euo.
func shortE(word string) bool {
	return len(word) > 1 && word[0] == '-' && word[1] != '-' && strings.Contains(word, "e")
}

// blindConditions finds kubectl get with a selector whose success is taken for a finding.
func blindConditions(seen map[*syntax.Stmt]bool) []defect {
	var all []defect
	for s := range seen {
		call, ok := s.Cmd.(*syntax.CallExpr)
		if !ok || len(call.Args) < 3 || call.Args[0].Lit() != "kubectl" {
			continue
		}
		get, selects := false, false
		for _, arg := range call.Args[1:] {
			word := prefix(arg)
			get = get || word == "get"
			selects = selects || strings.HasPrefix(word, "-l") || strings.HasPrefix(word, "--selector")
		}
		if get && selects {
			all = append(all, defect{call.Pos().Line(), "kubectl get -l succeeds when it finds nothing, so that this condition cannot fail"})
		}
	}
	return all
}

// prefix is how a word begins, as far as it is plain.
func prefix(w *syntax.Word) string {
	if len(w.Parts) == 0 {
		return ""
	}
	if lit, ok := w.Parts[0].(*syntax.Lit); ok {
		return lit.Value
	}
	return ""
}

// literal is the text of a word that holds nothing that a shell would replace.
func literal(w *syntax.Word) (string, bool) {
	if w == nil {
		return "", true
	}
	var b strings.Builder
	var add func(parts []syntax.WordPart) bool
	add = func(parts []syntax.WordPart) bool {
		for _, part := range parts {
			switch part := part.(type) {
			case *syntax.Lit:
				b.WriteString(part.Value)
			case *syntax.SglQuoted:
				b.WriteString(part.Value)
			case *syntax.DblQuoted:
				if !add(part.Parts) {
					return false
				}
			default:
				return false
			}
		}
		return true
	}
	plain := add(w.Parts)
	return b.String(), plain && b.Len() > 0
}

var (
	secretName = regexp.MustCompile(`(?i)(^|_)(token|passw(or)?d|passwd|secret|api_?key|(access|secret)_?key|credential)s?$`)
	secretText = regexp.MustCompile(`(?i)(bearer |x-auth-key: ?|--(?:token|password|api-key)=)[a-z0-9._~+/=-]{16,}|\b(gh[pousr]_|glpat-|xox[bpa]-|AKIA|eyJ)[A-Za-z0-9._-]{16,}`)
	noSecret   = regexp.MustCompile(`(?i)change.?me|placeholder|your[-_ ]|example|dummy|redacted|<|\*\*|xxx|^(none|null|true|false|.{0,5})$|^/|^\./|://`)
)

// hardCoded finds secrets that stand in a script. What is said of them is where, never what.
func hardCoded(file *syntax.File) []defect {
	var all []defect
	syntax.Walk(file, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.Assign:
			value, ok := literal(n.Value)
			if ok && n.Name != nil && secretName.MatchString(n.Name.Value) && !noSecret.MatchString(value) {
				all = append(all, defect{n.Pos().Line(), "a secret stands in the script, as the value of " + n.Name.Value})
				return false
			}
		case *syntax.Word:
			for _, part := range n.Parts {
				if secretText.MatchString(plainOf(part)) && !noSecret.MatchString(secretText.FindString(plainOf(part))) {
					all = append(all, defect{n.Pos().Line(), "a secret stands in the script"})
					return false
				}
			}
		}
		return true
	})
	return all
}

func plainOf(part syntax.WordPart) string {
	text, _ := literal(&syntax.Word{Parts: []syntax.WordPart{part}})
	return text
}

func annotations(text []byte) []defect {
	var all []defect
	n := uint(0)
	for line := range strings.Lines(string(text)) {
		n++
		if strings.Contains(line, "auth-url") && !strings.HasPrefix(strings.TrimSpace(line), "#") {
			all = append(all, defect{n, "judges by the annotation auth-url of an Ingress, which says nothing about what guards the door"})
			break
		}
	}
	return all
}
