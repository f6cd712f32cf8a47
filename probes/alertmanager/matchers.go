package alertmanager

import (
	"regexp/syntax"
	"slices"
	"strings"
)

// conditions are the conditions of a route, in whichever of the three ways they are written.
func (r route) conditions() []matcher {
	var all []matcher
	for label, value := range r.Match {
		all = append(all, matcher{Name: label, Value: value})
	}
	for label, value := range r.MatchRE {
		all = append(all, matcher{Name: label, Value: value, IsRegex: true})
	}
	for _, text := range r.Matchers {
		text = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(text), "{"), "}")
		for _, one := range splitConditions(text) {
			if m, ok := parseCondition(one); ok {
				all = append(all, m)
			}
		}
	}
	return all
}

// splitConditions cuts a text at the commas outside of quotes.
func splitConditions(text string) []string {
	var all []string
	quoted, escaped, from := false, false, 0
	for i, c := range text {
		switch {
		case escaped:
			escaped = false
		case c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			all, from = append(all, text[from:i]), i+1
		}
	}
	return append(all, text[from:])
}

func parseCondition(text string) (matcher, bool) {
	at := strings.IndexAny(text, "=!")
	if at < 0 {
		return matcher{}, false
	}
	m := matcher{Name: strings.Trim(strings.TrimSpace(text[:at]), `"`)}
	for _, op := range []string{"=~", "!~", "!=", "="} {
		if rest, ok := strings.CutPrefix(text[at:], op); ok {
			equal := op[0] == '='
			m.IsRegex, m.IsEqual, m.Value = strings.HasSuffix(op, "~"), &equal, strings.Trim(strings.TrimSpace(rest), `"'`)
			return m, true
		}
	}
	return matcher{}, false
}

// everything reports whether a condition holds for every alert, which has a name and maybe no other label.
func (m matcher) everything() bool { return m.any() && (m.Name == "alertname" || m.matches("")) }

// names are the values that the condition takes, if it is positive and they can be counted.
func (m matcher) names() ([]string, bool) {
	switch {
	case !m.equal():
		return nil, false
	case !m.IsRegex:
		return []string{m.Value}, true
	}
	re, err := syntax.Parse(m.Value, syntax.Perl)
	if err != nil {
		return nil, false
	}
	return texts(re)
}

// most is how many values of a regular expression are counted.
const most = 64

// texts are the texts that a regular expression stands for, if they can be counted.
func texts(re *syntax.Regexp) ([]string, bool) {
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginText, syntax.OpEndText, syntax.OpBeginLine, syntax.OpEndLine:
		return []string{""}, true
	case syntax.OpLiteral:
		return []string{string(re.Rune)}, re.Flags&syntax.FoldCase == 0
	case syntax.OpCapture:
		return texts(re.Sub[0])
	case syntax.OpQuest:
		some, ok := texts(re.Sub[0])
		return append(slices.Clone(some), ""), ok
	case syntax.OpCharClass:
		var all []string
		for i := 0; i+1 < len(re.Rune); i += 2 {
			for c := re.Rune[i]; c <= re.Rune[i+1]; c++ {
				if all = append(all, string(c)); len(all) > most {
					return nil, false
				}
			}
		}
		return all, true
	case syntax.OpAlternate:
		var all []string
		for _, sub := range re.Sub {
			some, ok := texts(sub)
			if all = append(all, some...); !ok || len(all) > most {
				return nil, false
			}
		}
		return all, true
	case syntax.OpConcat:
		all := []string{""}
		for _, sub := range re.Sub {
			some, ok := texts(sub)
			if !ok || len(all)*len(some) > most {
				return nil, false
			}
			var longer []string
			for _, a := range all {
				for _, b := range some {
					longer = append(longer, a+b)
				}
			}
			all = longer
		}
		return all, true
	}
	return nil, false
}
