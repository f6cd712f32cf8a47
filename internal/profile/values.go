package profile

import (
	"fmt"
	"math/big"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/254carbon/gonogo/probes"
)

// Number is an exact number, as it was written. The zero value is 0.
type Number struct{ rat *big.Rat }

// Rat returns the number; the caller may change what it gets.
func (v Number) Rat() *big.Rat {
	if v.rat == nil {
		return new(big.Rat)
	}
	return new(big.Rat).Set(v.rat)
}

// MarshalYAML writes the number as it is read.
func (v Number) MarshalYAML() (any, error) {
	text := probes.FormatRat(v.Rat())
	tag := "!!int"
	if strings.Contains(text, ".") {
		tag = "!!float"
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: text}, nil
}

// decimal bounds numbers so that no notation of a few characters makes one of millions of digits.
var decimal = regexp.MustCompile(`^-?[0-9]{1,9}(\.[0-9]{1,9})?$`)

func (v *Number) readNode(d decoder, n *yaml.Node, path string) {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!int" && n.Tag != "!!float" || !decimal.MatchString(n.Value) {
		d.mismatch(n, path, "a number", "write one like 3 or 0.5")
		return
	}
	v.rat, _ = new(big.Rat).SetString(n.Value)
	if v.rat.Sign() < 0 {
		d.add(d.pos(n), "%s must not be negative; write 0 or more", named(path))
	}
}

// Effort is an estimate of work: "2h", "90m", "2h-3h", "3d-5d"; a day has 8 working hours.
type Effort probes.Effort

// MarshalYAML writes the estimate as it is read, in whole minutes.
func (e Effort) MarshalYAML() (any, error) { return e.String(), nil }

// IsZero reports whether nothing was estimated.
func (e Effort) IsZero() bool { return probes.Effort(e).IsZero() }

// String writes the estimate as a profile does.
func (e Effort) String() string {
	if e.Min == e.Max {
		return workText(e.Min)
	}
	return workText(e.Min) + "-" + workText(e.Max)
}

const workDay = 8 * time.Hour

func workText(d time.Duration) string {
	switch {
	case d == 0:
		return "0h"
	case d%workDay == 0:
		return fmt.Sprintf("%dd", d/workDay)
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dm", d/time.Minute)
}

var workPart = regexp.MustCompile(`^([0-9]{1,4}(?:\.[0-9]{1,2})?)([dhm])`)

// ParseEffort is the inverse of [Effort.String].
func ParseEffort(text string) (Effort, error) {
	low, high, ranged := strings.Cut(strings.ReplaceAll(text, "–", "-"), "-")
	least, ok := parseWork(strings.TrimSpace(low))
	most := least
	if ranged {
		var also bool
		most, also = parseWork(strings.TrimSpace(high))
		ok = ok && also
	}
	switch {
	case !ok:
		return Effort{}, fmt.Errorf("%q is no estimate; write one like 2h, 2h-3h or 3d-5d (a day has 8 hours)", shown(text))
	case most < least:
		return Effort{}, fmt.Errorf("%q ends before it begins; write the smaller estimate first", shown(text))
	}
	return Effort{Min: least, Max: most}, nil
}

func parseWork(text string) (time.Duration, bool) {
	var sum time.Duration
	for rest := text; rest != ""; {
		m := workPart.FindStringSubmatch(rest)
		if m == nil {
			return 0, false
		}
		count, _ := strconv.ParseFloat(m[1], 64)
		unit := map[string]time.Duration{"d": workDay, "h": time.Hour, "m": time.Minute}[m[2]]
		sum += time.Duration(count * float64(unit)).Round(time.Minute)
		rest = rest[len(m[0]):]
	}
	return sum, text != ""
}

func (e *Effort) readNode(d decoder, n *yaml.Node, path string) {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!str" {
		d.mismatch(n, path, "an estimate of work", "write one like 2h, 2h-3h or 3d-5d (a day has 8 hours)")
		return
	}
	parsed, err := ParseEffort(n.Value)
	if err != nil {
		d.add(d.pos(n), "%s: %v", named(path), err)
		return
	}
	*e = parsed
}

// Date is a day, of which it holds the first moment in UTC.
type Date struct{ time.Time }

const dateForm = "2006-01-02"

// MarshalYAML writes the day as it is read.
func (t Date) MarshalYAML() (any, error) {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!timestamp", Value: t.Format(dateForm)}, nil
}

// End is the first moment after the day.
func (t Date) End() time.Time { return t.AddDate(0, 0, 1) }

func (t *Date) readNode(d decoder, n *yaml.Node, path string) {
	day, err := time.Parse(dateForm, n.Value)
	if n.Kind != yaml.ScalarNode || err != nil {
		d.mismatch(n, path, "a date that exists", "write one like 2026-12-31")
		return
	}
	t.Time = day
}

// Interval says how often a check is asked: a time span, or "watch" for when something changed.
type Interval struct {
	Watch bool
	Span  time.Duration
}

// watchInterval is how often a check that is fed by a watch is asked besides.
const watchInterval = 30 * time.Second

// IsZero reports whether nothing was said.
func (i Interval) IsZero() bool { return i == Interval{} }

// MarshalYAML writes the interval as it is read.
func (i Interval) MarshalYAML() (any, error) {
	if i.Watch {
		return "watch", nil
	}
	return i.Span.String(), nil
}

func (i *Interval) readNode(d decoder, n *yaml.Node, path string) {
	if n.Kind == yaml.ScalarNode && n.Value == "watch" {
		*i = Interval{Watch: true}
		return
	}
	span, err := time.ParseDuration(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil {
		d.mismatch(n, path, "an interval", "write one like 30s, 10m or 24h, or watch")
		return
	}
	if span < time.Second || span > 30*24*time.Hour {
		d.add(d.pos(n), "%s: %s is no sensible interval; write one between 1s and 720h", named(path), shown(n.Value))
		return
	}
	*i = Interval{Span: span}
}

// Value is a text that may also be kept elsewhere: it is no secret, but differs from place to place.
type Value struct {
	Text string
	Ref  probes.SecretRef // if Text is empty
}

// IsZero reports whether there is neither a text nor a place.
func (v Value) IsZero() bool { return v.Text == "" && v.Ref.IsZero() }

// MarshalYAML writes the value as it is read.
func (v Value) MarshalYAML() (any, error) {
	if v.Text != "" {
		return v.Text, nil
	}
	return v.Ref, nil
}

func (v *Value) readNode(d decoder, n *yaml.Node, path string) {
	if n.Kind == yaml.MappingNode {
		v.Ref = d.secret(n, path)
		return
	}
	d.into(n, reflect.ValueOf(&v.Text).Elem(), path)
}

// ref is an id that must be declared elsewhere, and where it was written.
type ref struct {
	id  probes.ID
	pos Pos
}

func (r ref) MarshalYAML() (any, error) { return string(r.id), nil }

func (r ref) IsZero() bool { return r.id == "" }

func (r *ref) readNode(d decoder, n *yaml.Node, path string) {
	r.pos = d.pos(n)
	d.into(n, reflect.ValueOf(&r.id).Elem(), path)
}

// Raw is a part of a profile that is checked by whoever uses it.
type Raw struct {
	node *yaml.Node
	file string
}

// IsZero reports whether nothing was written.
func (r Raw) IsZero() bool { return r.node == nil }

// MarshalYAML writes what was read.
func (r Raw) MarshalYAML() (any, error) {
	if r.node == nil {
		return map[string]any{}, nil
	}
	var plain any // aliases written out: their anchors may be elsewhere
	if err := r.node.Load(&plain); err != nil {
		return nil, fmt.Errorf("writing a raw part of the profile: %w", err)
	}
	return plain, nil
}

// Decode fills into, a pointer to a struct with yaml tags, strictly: what it does not know is an error with its place. Nothing written
// leaves it as it is.
func (r Raw) Decode(into any) error {
	if r.node == nil {
		return nil
	}
	c := newCollector(r.file)
	decoder{c}.into(r.node, reflect.ValueOf(into).Elem(), "with")
	return c.err()
}

func (r *Raw) readNode(d decoder, n *yaml.Node, path string) {
	if n.Kind != yaml.MappingNode {
		d.mismatch(n, path, "a mapping", "write keys and values")
		return
	}
	r.node, r.file = n, d.file
}
