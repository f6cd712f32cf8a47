package profile

import (
	"fmt"
	"maps"
	"math/big"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/254carbon/gonogo/probes"
)

func hundred() *big.Rat { return big.NewRat(100, 1) }

// checks returns every check as it was written.
func (b *builder) checks() []*checkDoc {
	var all []*checkDoc
	for i := range b.doc.Components {
		for j := range b.doc.Components[i].Checks {
			all = append(all, &b.doc.Components[i].Checks[j])
		}
	}
	return all
}

func (b *builder) components() []Component {
	seen, checks := map[probes.ID]Pos{}, map[probes.ID]Pos{}
	if at, ok := b.doc.keys["components"]; ok && len(b.doc.Components) == 0 {
		b.add(at, "components is empty; declare at least one")
	}
	var all []Component
	for i := range b.doc.Components {
		c := &b.doc.Components[i]
		b.id(c.place, "component", c.ID, seen)
		if c.Declared != nil && (*c.Declared < 0 || *c.Declared > 100) {
			b.add(c.of("declared"), "declared must be a percentage from 0 to 100, not %d", *c.Declared)
		}
		if at, ok := c.keys["checks"]; ok && len(c.Checks) == 0 {
			b.add(at, "component %s has no checks; declare at least one", c.ID)
		}
		done := Component{Pos: c.self, Component: probes.Component{ID: c.ID, Title: c.Title, Weight: c.Weight.Rat(), Declared: c.Declared}}
		if c.Effort != nil {
			done.Remaining, done.Invested = probes.Effort(c.Effort.Remaining), probes.Effort(c.Effort.Invested)
		}
		for j := range c.Checks {
			b.id(c.Checks[j].place, "check", c.Checks[j].ID, checks)
			done.Checks = append(done.Checks, b.check(c.ID, &c.Checks[j]))
		}
		all = append(all, done)
	}
	return all
}

// check makes a check of what was written, with the defaults of its kind.
func (b *builder) check(component probes.ID, c *checkDoc) Check {
	spec := probes.Spec{
		ID: c.ID, Component: component, Title: c.Title, Probe: c.Probe, Weight: c.Weight.Rat(), Gate: c.Gate,
		Remedy: c.Remedy, Action: c.Action.id, Effort: probes.Effort(c.Effort),
	}
	for _, by := range c.BlockedBy {
		spec.BlockedBy = append(spec.BlockedBy, by.id)
	}
	done := Check{Spec: spec, Kind: c.Probe, Pos: c.self}
	kind, ok := b.kinds[c.Probe]
	if !ok {
		if at, written := c.keys["probe"]; written {
			b.add(at, "unknown probe %q; %s", shown(c.Probe), instead(c.Probe, slices.Collect(maps.Keys(b.kinds))))
		}
		return done
	}
	b.timing(c, kind, &done.Spec)
	done.Params = b.params(c, kind)
	connections := kind.ConnectionsOf(done.Params)
	done.Spec.Connection = kind.Connection
	if kind.Connection != "" && len(connections) > 0 {
		done.Spec.Connection = connections[0]
	}
	done.Spec.Exempt = b.exempt(c, kind, connections)
	return done
}

// timing fills in when a check is asked: what is written, else what its kind says.
func (b *builder) timing(c *checkDoc, kind probes.KindInfo, spec *probes.Spec) {
	spec.Every, spec.Timeout, spec.Confirm, spec.OnChange = kind.Every, kind.Timeout, max(1, kind.Confirm), kind.OnChange
	switch {
	case c.Every.Watch && !kind.OnChange:
		b.add(c.of("every"), "probe %s cannot watch; write how often it is asked, like %s", kind.Name, kind.Every)
	case c.Every.Watch:
		spec.Every, spec.OnChange = watchInterval, true
	case c.Every.Span > 0:
		spec.Every = c.Every.Span
	}
	if spec.Every < kind.MinEvery {
		b.add(c.of("every"), "probe %s may not be asked more often than every %s", kind.Name, kind.MinEvery)
	}
	if c.Timeout > 0 {
		spec.Timeout = time.Duration(c.Timeout)
	}
	if c.Confirm != nil {
		spec.Confirm = *c.Confirm
		if spec.Confirm < 1 || spec.Confirm > 10 {
			b.add(c.of("confirm"), "confirm must be from 1 to 10, not %d", spec.Confirm)
		}
	}
}

// exempt decides the condition of a check: why it does not apply, or nothing if it does.
func (b *builder) exempt(c *checkDoc, kind probes.KindInfo, needed []string) string {
	connections := b.doc.Connections
	if w := c.When; w != nil {
		switch {
		case (w.Connection == "") == (w.Env == ""):
			b.add(w.self, "when wants exactly one condition; write {connection: NAME} or {env: NAME}")
		case w.Connection != "" && !isConnection(w.Connection):
			b.add(w.of("connection"), "unknown connection %q; %s", shown(w.Connection), instead(w.Connection, ConnectionNames()))
		case w.Env != "" && !envName.MatchString(w.Env):
			b.add(w.of("env"), "when.env must be the name of an environment variable")
		case w.Connection != "" && !connections.Has(w.Connection):
			return "the profile configures no connection " + w.Connection
		case w.Env != "" && os.Getenv(w.Env) == "":
			return "the environment variable " + w.Env + " is not set"
		}
	}
	for _, name := range needed {
		if isConnection(name) && !connections.Has(name) {
			b.add(c.of("probe"), "probe %s asks over the connection %s, which is not declared; declare it under connections, or write when: {connection: %s}",
				kind.Name, name, name)
		}
	}
	return ""
}

// params decodes the parameters of a check strictly into those of its kind.
func (b *builder) params(c *checkDoc, kind probes.KindInfo) any {
	return b.paramsOf(c.place, c.With, kind.Params, string(c.ID)+".with", "probe "+kind.Name)
}

// paramsOf decodes the parameters that stand under with strictly into those of a kind.
func (b *builder) paramsOf(at place, with Raw, of func() any, path, who string) any {
	if of == nil {
		if !with.IsZero() && len(with.node.Content) > 0 {
			b.add(at.of("with"), "%s takes no parameters; remove with", who)
		}
		return nil
	}
	params := of()
	before := len(b.faults)
	node := with.node
	if node == nil { // so that what must be written is missed
		node = &yaml.Node{Kind: yaml.MappingNode, Line: at.self.Line, Column: at.self.Column}
	}
	decoder{b.collector}.into(node, reflect.ValueOf(params).Elem(), path)
	if about, ok := params.(probes.Declaring); ok {
		about.Declare(b.declared)
	}
	valid, ok := params.(interface{ Validate() error })
	if !ok || len(b.faults) > before {
		return params
	}
	if err := valid.Validate(); err != nil {
		b.add(b.blame(at, with, err), "%s: %v", path, err)
	}
	return params
}

// blame returns the place of the parameter that an error begins with, or else that of all of them.
func (b *builder) blame(at place, with Raw, err error) Pos {
	word, _, _ := strings.Cut(err.Error(), " ")
	word, _, _ = strings.Cut(strings.TrimSuffix(word, ":"), "[")
	if n := with.node; n != nil {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == word {
				return b.pos(n.Content[i+1])
			}
		}
	}
	return at.of("with")
}

// references reports blockers and actions that are not declared, and checks that block each other.
func (b *builder) references() {
	known, actions := map[probes.ID]bool{}, map[probes.ID]bool{}
	for _, c := range b.checks() {
		known[c.ID] = true
	}
	for id := range b.doc.Actions {
		actions[probes.ID(id)] = true
	}
	for _, c := range b.checks() {
		for _, by := range c.BlockedBy {
			if by.id != "" && !known[by.id] {
				b.dangling(by, "check", known)
			}
		}
		if c.Action.id != "" && !actions[c.Action.id] {
			b.dangling(c.Action, "action", actions)
		}
	}
	if len(known) == len(b.checks()) { // else a double id would close circles that are none
		b.cycles()
	}
}

// cycles reports every check that blocks itself over others, each circle once.
func (b *builder) cycles() {
	byID := map[probes.ID]*checkDoc{}
	for _, c := range b.checks() {
		byID[c.ID] = c
	}
	done := map[probes.ID]bool{}
	var path []probes.ID
	var visit func(id probes.ID, from ref)
	visit = func(id probes.ID, from ref) {
		if i := slices.Index(path, id); i >= 0 {
			circle := append(slices.Clone(path[i:]), id)
			words := make([]string, len(circle))
			for n, c := range circle {
				words[n] = string(c)
			}
			b.add(from.pos, "checks block each other: %s; remove one of these blockers", strings.Join(words, " ← "))
			return
		}
		if done[id] || byID[id] == nil {
			return
		}
		path = append(path, id)
		for _, by := range byID[id].BlockedBy {
			visit(by.id, by)
		}
		path = path[:len(path)-1]
		done[id] = true
	}
	for _, c := range b.checks() {
		visit(c.ID, ref{})
	}
}

// span is a time span that is more than nothing.
type span time.Duration

// MarshalYAML writes the span as it is read.
func (s span) MarshalYAML() (any, error) { return time.Duration(s).String(), nil }

// IsZero reports whether nothing was written.
func (s span) IsZero() bool { return s == 0 }

func (s *span) readNode(d decoder, n *yaml.Node, path string) {
	got := d.duration(n, path)
	if _, told := d.at[d.pos(n)]; !told && (got < 100*time.Millisecond || got > 10*time.Minute) {
		d.add(d.pos(n), "%s: %s is no sensible deadline; write one between 100ms and 10m", named(path), fmt.Sprint(got))
	}
	*s = span(got)
}
