package profile

import (
	"bytes"
	"fmt"
	"reflect"

	"go.yaml.in/yaml/v4"

	"github.com/254carbon/gonogo/probes"
)

// Show writes the profile as it takes effect: as YAML that [Load] reads, defaults filled in, secrets as references.
func (p *Profile) Show() ([]byte, error) {
	doc := *p.doc
	doc.Connections = p.Connections
	doc.Components = make([]componentDoc, len(p.Components))
	for i, c := range p.Components {
		doc.Components[i] = p.doc.Components[i]
		doc.Components[i].Checks = make([]checkDoc, len(c.Checks))
		for j, check := range c.Checks {
			effective, err := check.document(p.doc.Components[i].Checks[j])
			if err != nil {
				return nil, fmt.Errorf("writing check %s: %w", check.Spec.ID, err)
			}
			doc.Components[i].Checks[j] = effective
		}
	}
	doc.Actions = map[string]*Action{}
	for _, a := range p.Actions {
		doc.Actions[string(a.ID)] = &a
	}
	text, err := dump(&doc)
	if err != nil {
		return nil, fmt.Errorf("writing profile: %w", err)
	}
	return text, nil
}

// document returns a check as it could have been written without relying on any default.
func (c Check) document(written checkDoc) (checkDoc, error) {
	if written.Every.IsZero() {
		written.Every = Interval{Span: c.Spec.Every}
	}
	written.Timeout, written.Confirm = span(c.Spec.Timeout), &c.Spec.Confirm
	if c.Params == nil {
		written.With = Raw{}
		return written, nil
	}
	text, err := dump(c.Params)
	if err != nil {
		return checkDoc{}, err
	}
	var node yaml.Node
	if err := yaml.Load(text, &node); err != nil {
		return checkDoc{}, fmt.Errorf("reading back the parameters: %w", err)
	}
	written.With = Raw{}
	if len(node.Content) == 1 && len(node.Content[0].Content) > 0 {
		written.With.node = node.Content[0]
	}
	return written, nil
}

func dump(value any) ([]byte, error) {
	var b bytes.Buffer
	dumper, err := yaml.NewDumper(&b, yaml.WithIndent(2), yaml.WithLineWidth(-1))
	if err != nil {
		return nil, err
	}
	if err := dumper.Dump(value); err != nil {
		return nil, err
	}
	if err := dumper.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// SameConnections reports whether two profiles lead to the same systems with the same credentials.
func SameConnections(a, b *Profile) bool {
	was, err := dump(a.Connections)
	if err != nil {
		return false
	}
	is, err := dump(b.Connections)
	return err == nil && bytes.Equal(was, is)
}

// Same reports whether a check asks the same question of the same system in both profiles and claims the same, so that an answer to one
// is an answer to the other.
func Same(before, after *Profile, id probes.ID) bool {
	old, ok := before.Check(id)
	now, also := after.Check(id)
	if !ok || !also || old.Kind != now.Kind || old.Spec.Title != now.Spec.Title || old.Spec.Exempt != now.Spec.Exempt {
		return false
	}
	if !reflect.DeepEqual(old.Params, now.Params) {
		return false
	}
	was, err := dump(before.connection(old.Spec.Connection))
	if err != nil {
		return false
	}
	is, err := dump(after.connection(now.Spec.Connection))
	return err == nil && bytes.Equal(was, is)
}

// connection returns what is configured for a connection, or nil.
func (p *Profile) connection(name string) any {
	v := reflect.ValueOf(p.Connections)
	for _, f := range fields(v.Type()) {
		if f.name == name {
			return v.FieldByIndex(f.index).Interface()
		}
	}
	return nil
}
