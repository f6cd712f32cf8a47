package prom

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An expression is one of these nodes.
type (
	numberNode   float64
	selectorNode struct {
		name     string
		matchers []matcher
		window   time.Duration // of a range selector; 0 for an instant one
	}
	callNode struct {
		name string
		args []node
	}
	aggregateNode struct {
		op   string
		by   []string
		k    node // of topk and bottomk
		over node
	}
	binaryNode struct {
		op          string
		left, right node
	}
	node any
)

type matcher struct {
	label, op, value string
	pattern          *regexp.Regexp
}

// A badQueryError is a query that is no PromQL; an unsupportedError is PromQL beyond what is simulated.
type (
	badQueryError    struct{ text string }
	unsupportedError struct{ text string }
)

func (e badQueryError) Error() string { return e.text }
func (e unsupportedError) Error() string {
	return "the simulated Prometheus does not evaluate " + e.text
}

var (
	functions  = map[string]int{"time": 0, "timestamp": 1, "max_over_time": 1, "min_over_time": 1, "increase": 1, "absent": 1, "vector": 1}
	aggregates = []string{"count", "sum", "max", "min", "avg", "topk", "bottomk"}
	// operators by precedence, loosest first
	operators = [][]string{{"or"}, {"and", "unless"}, {"==", "!=", "<=", ">=", "<", ">"}, {"+", "-"}, {"*", "/", "%"}}
	lexeme    = regexp.MustCompile(`^(?:(\s+)|([0-9]+[smhdwy])|([0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?)|([a-zA-Z_:][a-zA-Z0-9_:]*)|("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(=~|!~|==|!=|<=|>=|[-+*/%^<>=(){}\[\],@]))`)
)

const maxDepth = 50

type parser struct {
	tokens []string
	next   int
	depth  int
}

// parse reads an expression.
func parse(query string) (node, error) {
	p := &parser{}
	for rest := query; rest != ""; {
		m := lexeme.FindStringSubmatch(rest)
		if m == nil {
			return nil, badQueryError{fmt.Sprintf("1:%d: parse error: unexpected character: %q", len(query)-len(rest)+1, rest[0])}
		}
		if m[1] == "" {
			p.tokens = append(p.tokens, m[0])
		}
		rest = rest[len(m[0]):]
	}
	if len(p.tokens) == 0 {
		return nil, badQueryError{"unknown position: parse error: no expression found in input"}
	}
	n, err := p.binary(0)
	if err != nil {
		return nil, err
	}
	if p.next < len(p.tokens) {
		return nil, p.unexpected()
	}
	return n, nil
}

func (p *parser) peek() string {
	if p.next < len(p.tokens) {
		return p.tokens[p.next]
	}
	return ""
}

func (p *parser) accept(token string) bool {
	if p.peek() != token {
		return false
	}
	p.next++
	return true
}

func (p *parser) expect(token string) error {
	if !p.accept(token) {
		return p.unexpected()
	}
	return nil
}

func (p *parser) unexpected() error {
	switch t := p.peek(); t {
	case "":
		return badQueryError{"parse error: unexpected end of input"}
	case "^", "@", "offset", "on", "ignoring", "bool", "without", "group_left", "group_right":
		return unsupportedError{t}
	default:
		return badQueryError{fmt.Sprintf("parse error: unexpected %q", t)}
	}
}

func (p *parser) binary(level int) (node, error) {
	if level == len(operators) {
		return p.unary()
	}
	left, err := p.binary(level + 1)
	for err == nil && slices.Contains(operators[level], strings.ToLower(p.peek())) {
		op := strings.ToLower(p.peek())
		p.next++
		if slices.Contains([]string{"bool", "on", "ignoring"}, p.peek()) {
			return nil, p.unexpected()
		}
		var right node
		if right, err = p.binary(level + 1); err == nil {
			left = binaryNode{op: op, left: left, right: right}
		}
	}
	return left, err
}

func (p *parser) unary() (node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, unsupportedError{"an expression as deep as this"}
	}
	defer func() { p.depth-- }()
	t := p.peek()
	switch {
	case p.accept("-"):
		n, err := p.unary()
		return binaryNode{op: "-", left: numberNode(0), right: n}, err
	case p.accept("("):
		n, err := p.binary(0)
		if err == nil {
			err = p.expect(")")
		}
		return n, err
	case t == "{":
		return p.selector("")
	case t == "" || strings.ContainsAny(t[:1], `"'`):
		return nil, p.unexpected()
	}
	if v, err := strconv.ParseFloat(t, 64); err == nil && t != "" {
		p.next++
		return numberNode(v), nil
	}
	if !isName(t) {
		return nil, p.unexpected()
	}
	p.next++
	switch args, isFunction := functions[t]; {
	case slices.Contains(aggregates, t) && (p.peek() == "(" || p.peek() == "by" || p.peek() == "without"):
		return p.aggregate(t)
	case isFunction && p.peek() == "(":
		return p.call(t, args)
	case p.peek() == "(":
		return nil, unsupportedError{"the function " + t}
	}
	return p.selector(t)
}

func isName(t string) bool {
	c := t[0]
	return c == '_' || c == ':' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func (p *parser) call(name string, want int) (node, error) {
	args, err := p.arguments()
	if err == nil && len(args) != want {
		err = badQueryError{fmt.Sprintf("parse error: expected %d argument(s) in call to %q, got %d", want, name, len(args))}
	}
	return callNode{name: name, args: args}, err
}

func (p *parser) arguments() (args []node, err error) {
	if err = p.expect("("); err != nil || p.accept(")") {
		return nil, err
	}
	for {
		arg, err := p.binary(0)
		if err != nil {
			return nil, err
		}
		args = append(args, arg)
		if !p.accept(",") {
			return args, p.expect(")")
		}
	}
}

func (p *parser) aggregate(op string) (node, error) {
	by, err := p.by()
	if err != nil {
		return nil, err
	}
	args, err := p.arguments()
	if err != nil {
		return nil, err
	}
	if by == nil {
		if by, err = p.by(); err != nil {
			return nil, err
		}
	}
	n := aggregateNode{op: op, by: by}
	if op == "topk" || op == "bottomk" {
		if len(args) == 2 {
			n.k, args = args[0], args[1:]
		}
		if by != nil {
			return nil, unsupportedError{op + " by labels"}
		}
	}
	if len(args) != 1 || (n.k == nil) == (op == "topk" || op == "bottomk") {
		return nil, badQueryError{fmt.Sprintf("parse error: wrong number of arguments for aggregate expression %q", op)}
	}
	n.over = args[0]
	return n, nil
}

// by reads a list of labels, which is nil where there is none.
func (p *parser) by() ([]string, error) {
	if !p.accept("by") {
		return nil, nil
	}
	if err := p.expect("("); err != nil {
		return nil, err
	}
	labels := []string{}
	for !p.accept(")") {
		t := p.peek()
		if t == "" || !isName(t) {
			return nil, p.unexpected()
		}
		p.next++
		labels = append(labels, t)
		if !p.accept(",") && p.peek() != ")" {
			return nil, p.unexpected()
		}
	}
	return labels, nil
}

func (p *parser) selector(name string) (node, error) {
	n := selectorNode{name: name}
	if p.accept("{") {
		for !p.accept("}") {
			m, err := p.matcher()
			if err != nil {
				return nil, err
			}
			n.matchers = append(n.matchers, m)
			if !p.accept(",") && p.peek() != "}" {
				return nil, p.unexpected()
			}
		}
	}
	if name == "" && len(n.matchers) == 0 {
		return nil, badQueryError{"parse error: vector selector must contain at least one non-empty matcher"}
	}
	if p.accept("[") {
		var err error
		if n.window, err = duration(p.peek()); err != nil {
			return nil, err
		}
		p.next++
		return n, p.expect("]")
	}
	return n, nil
}

func (p *parser) matcher() (m matcher, err error) {
	t := p.peek()
	if t == "" || !isName(t) {
		return m, p.unexpected()
	}
	m.label = t
	p.next++
	if m.op = p.peek(); !slices.Contains([]string{"=", "!=", "=~", "!~"}, m.op) {
		return m, p.unexpected()
	}
	p.next++
	if m.value, err = text(p.peek()); err != nil {
		return m, p.unexpected()
	}
	p.next++
	if strings.HasSuffix(m.op, "~") {
		if m.pattern, err = regexp.Compile("^(?:" + m.value + ")$"); err != nil {
			return m, badQueryError{"parse error: " + err.Error()}
		}
	}
	return m, nil
}

func (m matcher) matches(v string) bool {
	switch m.op {
	case "=":
		return v == m.value
	case "!=":
		return v != m.value
	case "=~":
		return m.pattern.MatchString(v)
	}
	return !m.pattern.MatchString(v)
}

func text(token string) (string, error) {
	if len(token) > 2 && token[0] == '\'' {
		token = `"` + strings.ReplaceAll(strings.ReplaceAll(token[1:len(token)-1], `"`, `\"`), `\'`, `'`) + `"`
	} else if token == "''" {
		return "", nil
	}
	return strconv.Unquote(token)
}

func duration(token string) (time.Duration, error) {
	units := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour, 'y': 365 * 24 * time.Hour}
	if len(token) < 2 || len(token) > 7 {
		return 0, badQueryError{fmt.Sprintf("parse error: bad duration %q", token)}
	}
	n, err := strconv.Atoi(token[:len(token)-1])
	unit := units[token[len(token)-1]]
	if err != nil || n == 0 || unit == 0 || n > 10000 {
		return 0, badQueryError{fmt.Sprintf("parse error: bad duration %q", token)}
	}
	return time.Duration(n) * unit, nil
}
