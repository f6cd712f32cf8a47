package prom

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// sample is one series at the moment of evaluation.
type sample struct {
	labels map[string]string // __name__ among them
	value  float64
	at     time.Time // of the last real sample; only known directly behind a selector
}

// A result is a vector or a scalar.
type result struct {
	vector []sample
	scalar *float64
}

func scalar(v float64) result { return result{scalar: &v} }

// eval evaluates an expression at a moment. The state must not change meanwhile.
func (s *Server) eval(n node, now time.Time) (result, error) {
	switch n := n.(type) {
	case numberNode:
		return scalar(float64(n)), nil
	case selectorNode:
		if n.window > 0 {
			return result{}, unsupportedError{"a range vector outside of a function"}
		}
		return result{vector: s.instant(n, now)}, nil
	case callNode:
		return s.call(n, now)
	case aggregateNode:
		return s.aggregate(n, now)
	case binaryNode:
		left, err := s.eval(n.left, now)
		if err != nil {
			return result{}, err
		}
		right, err := s.eval(n.right, now)
		if err != nil {
			return result{}, err
		}
		return binary(n.op, left, right)
	}
	return result{}, unsupportedError{"this"}
}

func (s *Server) selected(n selectorNode) (list []*series) {
	for _, m := range s.series {
		ok := n.name == "" || m.labels["__name__"] == n.name
		for _, match := range n.matchers {
			ok = ok && match.matches(m.labels[match.label])
		}
		if ok {
			list = append(list, m)
		}
	}
	return list
}

// instant is each series' last value, if it has one that is not older than the server looks back.
func (s *Server) instant(n selectorNode, now time.Time) (list []sample) {
	for _, m := range s.selected(n) {
		if v, at, ok := m.last(now); ok && now.Sub(at) <= s.lookback {
			list = append(list, sample{labels: m.labels, value: v, at: at})
		}
	}
	return list
}

func (s *Server) call(n callNode, now time.Time) (result, error) {
	if n.name == "time" {
		return scalar(seconds(now)), nil
	}
	sel, direct := n.args[0].(selectorNode)
	if strings.HasSuffix(n.name, "_over_time") || n.name == "increase" {
		if !direct || sel.window == 0 {
			return result{}, badQueryError{"parse error: expected type range vector in call to function " + n.name}
		}
		return s.overTime(n.name, sel, now), nil
	}
	arg, err := s.eval(n.args[0], now)
	if err != nil {
		return result{}, err
	}
	if isVector := arg.scalar == nil; isVector == (n.name == "vector") {
		return result{}, badQueryError{"parse error: wrong type of argument in call to function " + n.name}
	}
	switch n.name {
	case "vector":
		return result{vector: []sample{{value: *arg.scalar}}}, nil
	case "absent":
		return absent(sel, arg), nil
	}
	list := make([]sample, 0, len(arg.vector)) // timestamp
	for _, x := range arg.vector {
		at := now // of anything but a selector, the moment of evaluation, as in the real one
		if direct {
			at = x.at
		}
		list = append(list, sample{labels: unnamed(x.labels), value: seconds(at)})
	}
	return result{vector: list}, nil
}

func absent(sel selectorNode, arg result) result {
	if len(arg.vector) > 0 {
		return result{vector: []sample{}}
	}
	labels := map[string]string{}
	for _, m := range sel.matchers {
		if m.op == "=" {
			labels[m.label] = m.value
		}
	}
	return result{vector: []sample{{labels: labels, value: 1}}}
}

func (s *Server) overTime(name string, n selectorNode, now time.Time) result {
	var list []sample
	for _, m := range s.selected(n) {
		if name == "increase" { // exact, where the real one extrapolates from samples
			if grown, ok := m.increase(now.Add(-n.window), now); ok {
				list = append(list, sample{labels: unnamed(m.labels), value: grown})
			}
			continue
		}
		values := m.within(now.Add(-n.window), now)
		if len(values) == 0 {
			continue
		}
		v := slices.Max(values)
		if name == "min_over_time" {
			v = slices.Min(values)
		}
		list = append(list, sample{labels: unnamed(m.labels), value: v})
	}
	return result{vector: list}
}

func (s *Server) aggregate(n aggregateNode, now time.Time) (result, error) {
	over, err := s.eval(n.over, now)
	if err != nil {
		return result{}, err
	}
	if over.scalar != nil {
		return result{}, badQueryError{"parse error: expected type instant vector in aggregation expression, got scalar"}
	}
	if n.k != nil {
		k, err := s.eval(n.k, now)
		if err != nil {
			return result{}, err
		}
		if k.scalar == nil {
			return result{}, badQueryError{"parse error: expected type scalar in aggregation parameter"}
		}
		return top(n.op, *k.scalar, over.vector), nil
	}
	groups := map[string][]sample{}
	for _, x := range over.vector {
		labels := map[string]string{}
		for _, l := range n.by {
			if v := x.labels[l]; v != "" {
				labels[l] = v
			}
		}
		x.labels = labels
		groups[key(labels)] = append(groups[key(labels)], x)
	}
	list := []sample{}
	for _, k := range slices.Sorted(maps.Keys(groups)) {
		group := groups[k]
		list = append(list, sample{labels: group[0].labels, value: fold(n.op, group)})
	}
	return result{vector: list}, nil
}

func fold(op string, group []sample) float64 {
	v := group[0].value
	for _, x := range group[1:] {
		switch op {
		case "max":
			v = max(v, x.value)
		case "min":
			v = min(v, x.value)
		default:
			v += x.value
		}
	}
	switch op {
	case "count":
		return float64(len(group))
	case "avg":
		return v / float64(len(group))
	}
	return v
}

func top(op string, k float64, list []sample) result {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b sample) int {
		if op == "topk" {
			a, b = b, a
		}
		return cmp.Compare(a.value, b.value)
	})
	return result{vector: list[:min(len(list), max(0, int(k)))]}
}

func binary(op string, left, right result) (result, error) {
	set := op == "and" || op == "or" || op == "unless"
	compares := slices.Contains(operators[2], op)
	switch {
	case set && (left.scalar != nil || right.scalar != nil):
		return result{}, badQueryError{"parse error: set operator " + op + " not allowed in binary scalar expression"}
	case left.scalar != nil && right.scalar != nil && compares:
		return result{}, badQueryError{"parse error: comparisons between scalars must use BOOL modifier"}
	case left.scalar != nil && right.scalar != nil:
		return scalar(arithmetic(op, *left.scalar, *right.scalar)), nil
	case op == "or":
		return result{vector: slices.Concat(left.vector, meet(right.vector, left.vector, false))}, nil
	case set:
		return result{vector: meet(left.vector, right.vector, op == "and")}, nil
	}
	list := []sample{}
	put := func(keep sample, a, b float64) {
		switch {
		case !compares:
			list = append(list, sample{labels: unnamed(keep.labels), value: arithmetic(op, a, b)})
		case holds(op, a, b):
			list = append(list, keep)
		}
	}
	switch {
	case right.scalar != nil:
		for _, x := range left.vector {
			put(x, x.value, *right.scalar)
		}
	case left.scalar != nil:
		for _, x := range right.vector {
			put(x, *left.scalar, x.value)
		}
	default:
		others := map[string]sample{}
		for _, x := range right.vector {
			others[key(unnamed(x.labels))] = x
		}
		for _, x := range left.vector {
			if other, ok := others[key(unnamed(x.labels))]; ok {
				put(x, x.value, other.value)
			}
		}
	}
	return result{vector: list}, nil
}

// meet keeps of a list what has, or has not, a counterpart with the same labels in another.
func meet(list, others []sample, want bool) (kept []sample) {
	known := map[string]bool{}
	for _, x := range others {
		known[key(unnamed(x.labels))] = true
	}
	for _, x := range list {
		if known[key(unnamed(x.labels))] == want {
			kept = append(kept, x)
		}
	}
	return kept
}

func arithmetic(op string, a, b float64) float64 {
	switch op {
	case "+":
		return a + b
	case "-":
		return a - b
	case "*":
		return a * b
	case "/":
		return a / b
	}
	return math.Mod(a, b)
}

func holds(op string, a, b float64) bool {
	switch op {
	case "==":
		return a == b
	case "!=":
		return a != b
	case "<=":
		return a <= b
	case ">=":
		return a >= b
	case "<":
		return a < b
	}
	return a > b
}

func unnamed(labels map[string]string) map[string]string {
	rest := maps.Clone(labels)
	delete(rest, "__name__")
	return rest
}

// key identifies a set of labels.
func key(labels map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		b.WriteString(name + "\x00" + labels[name] + "\x00")
	}
	return b.String()
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
