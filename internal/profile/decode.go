package profile

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/254carbon/gonogo/probes"
)

// decoder fills Go values from YAML nodes by their yaml tags, strictly: a key that no field has, a value of another type, and a missing
// key that is tagged as required are faults with their place. It goes on after a fault, so that all of them are found at once.
type decoder struct{ *collector }

// nodeReader is implemented by values with a notation of their own.
type nodeReader interface {
	readNode(d decoder, n *yaml.Node, path string)
}

// located is implemented by values that remember where they were written.
type located interface {
	locate(self Pos, keys map[string]Pos)
}

// place is embedded in what remembers where it was written.
type place struct {
	self Pos
	keys map[string]Pos
}

func (p *place) locate(self Pos, keys map[string]Pos) { p.self, p.keys = self, keys }

// of returns where the value of a key was written, or where the key is missing from.
func (p *place) of(key string) Pos {
	if at, ok := p.keys[key]; ok {
		return at
	}
	return p.self
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	secretType   = reflect.TypeFor[probes.SecretRef]()
)

// into fills v, which must be settable, from n.
func (d decoder) into(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		d.add(d.pos(n), "%s has no value; write one, or remove the key", named(path))
		return
	}
	if v.Kind() == reflect.Pointer {
		fresh := reflect.New(v.Type().Elem())
		if !v.IsNil() { // keep the defaults of what it points to
			fresh.Elem().Set(v.Elem())
		}
		d.into(n, fresh.Elem(), path)
		v.Set(fresh)
		return
	}
	if d.custom(n, v, path) {
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.structure(n, v, path)
	case reflect.Slice:
		d.list(n, v, path)
	case reflect.Map:
		d.table(n, v, path)
	case reflect.String:
		if n.Kind != yaml.ScalarNode || n.Tag != "!!str" {
			d.mismatch(n, path, "text", "put it in quotes if it is meant as text")
			return
		}
		v.SetString(n.Value)
	case reflect.Bool:
		if n.Kind != yaml.ScalarNode || n.Value != "true" && n.Value != "false" {
			d.mismatch(n, path, "true or false", "write true or false")
			return
		}
		v.SetBool(n.Value == "true")
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		d.whole(n, v, path)
	case reflect.Float32, reflect.Float64:
		f, err := strconv.ParseFloat(n.Value, 64)
		if n.Kind != yaml.ScalarNode || n.Tag != "!!int" && n.Tag != "!!float" || err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			d.mismatch(n, path, "a number", "write one like 0.5")
			return
		}
		v.SetFloat(f)
	default: // an interface: whatever YAML says it is
		if err := n.Load(v.Addr().Interface()); err != nil {
			d.mismatch(n, path, "something else", "see gonogo profile schema")
		}
	}
}

// custom reads values with a notation of their own and reports whether this was one.
func (d decoder) custom(n *yaml.Node, v reflect.Value, path string) bool {
	switch v.Type() {
	case durationType:
		v.SetInt(int64(d.duration(n, path)))
		return true
	case secretType:
		v.Set(reflect.ValueOf(d.secret(n, path)))
		return true
	}
	switch own := v.Addr().Interface().(type) {
	case nodeReader:
		own.readNode(d, n, path)
	case yaml.Unmarshaler:
		if err := own.UnmarshalYAML(n); err != nil {
			d.add(d.pos(n), "%s: %v", named(path), err)
		}
	case encoding.TextUnmarshaler:
		if n.Kind != yaml.ScalarNode {
			d.mismatch(n, path, "text", "see gonogo profile schema")
		} else if err := own.UnmarshalText([]byte(n.Value)); err != nil {
			d.add(d.pos(n), "%s: %v", named(path), err)
		}
	default:
		return false
	}
	return true
}

// field is one key that a struct knows.
type field struct {
	name     string
	index    []int
	required bool
	filled   bool // a text that must not be empty
}

// fields lists the keys of a struct by its yaml tags, those of inlined structs among them.
func fields(t reflect.Type) []field {
	var all []field
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case name == "-" || !f.IsExported() || f.Anonymous && strings.Contains(options, "inline") || skipped(t, f.Index):
			continue
		case name == "":
			name = strings.ToLower(f.Name)
		}
		rules := strings.Split(f.Tag.Get("jsonschema"), ",")
		all = append(all, field{
			name: name, index: f.Index, required: slices.Contains(rules, "required"),
			filled: f.Type.Kind() == reflect.String && slices.Contains(rules, "minLength=1"),
		})
	}
	return all
}

// skipped reports whether a promoted field belongs to a struct that is not inlined.
func skipped(t reflect.Type, index []int) bool {
	for i := 1; i < len(index); i++ {
		outer := t.FieldByIndex(index[:i])
		if !outer.IsExported() || !strings.Contains(outer.Tag.Get("yaml"), ",inline") {
			return true
		}
	}
	return false
}

func (d decoder) structure(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		d.mismatch(n, path, "a mapping", "write keys and values")
		return
	}
	known := fields(v.Type())
	names := make([]string, len(known))
	for i, f := range known {
		names[i] = f.name
	}
	keys, misspelt := map[string]Pos{}, map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := slices.Index(names, key.Value)
		if at < 0 {
			misspelt[nearest(key.Value, names)] = true
			if len(names) == 0 {
				d.add(d.pos(key), "unknown key %q: %s has no keys; remove it", shown(key.Value), named(path))
			} else {
				d.add(d.pos(key), "unknown key %q in %s; %s", shown(key.Value), named(path), instead(key.Value, names))
			}
			continue
		}
		if _, twice := keys[key.Value]; twice {
			continue // told already
		}
		keys[key.Value] = d.pos(value)
		d.into(value, v.FieldByIndex(known[at].index), join(path, key.Value))
		if known[at].filled && strings.TrimSpace(v.FieldByIndex(known[at].index).String()) == "" {
			d.add(d.pos(value), "%s is empty; write what it is", join(path, key.Value))
		}
	}
	var missing []string
	for _, f := range known {
		if _, ok := keys[f.name]; f.required && !ok && !misspelt[f.name] {
			missing = append(missing, strconv.Quote(f.name))
		}
	}
	switch len(missing) {
	case 0:
	case 1:
		d.add(d.pos(n), "missing key %s in %s; write it", missing[0], named(path))
	default:
		d.add(d.pos(n), "missing keys %s in %s; write them", strings.Join(missing, ", "), named(path))
	}
	if l, ok := v.Addr().Interface().(located); ok {
		l.locate(d.pos(n), keys)
	}
}

func (d decoder) list(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.SequenceNode {
		d.mismatch(n, path, "a list", "write [one, two], or each on a line of its own after a dash")
		return
	}
	all := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, child := range n.Content {
		d.into(child, all.Index(i), fmt.Sprintf("%s[%d]", path, i))
	}
	v.Set(all)
}

func (d decoder) table(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode || v.Type().Key().Kind() != reflect.String {
		d.mismatch(n, path, "a mapping", "write keys and values")
		return
	}
	all := reflect.MakeMapWithSize(v.Type(), len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		item := reflect.New(v.Type().Elem()).Elem()
		d.into(value, item, join(path, key.Value))
		all.SetMapIndex(reflect.ValueOf(key.Value).Convert(v.Type().Key()), item)
	}
	v.Set(all)
}

var wholeNumber = regexp.MustCompile(`^-?[0-9]{1,18}$`)

func (d decoder) whole(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!int" || !wholeNumber.MatchString(n.Value) {
		d.mismatch(n, path, "a whole number", "write one like 3")
		return
	}
	i, _ := strconv.ParseInt(n.Value, 10, 64) // 18 digits fit
	switch {
	case v.CanInt() && !v.OverflowInt(i):
		v.SetInt(i)
	case v.CanUint() && i >= 0 && !v.OverflowUint(uint64(i)):
		v.SetUint(uint64(i))
	default:
		d.add(d.pos(n), "%s: %s is out of range", named(path), n.Value)
	}
}

// duration reads a time span, more than nothing unless it is written as 0.
func (d decoder) duration(n *yaml.Node, path string) time.Duration {
	span, err := time.ParseDuration(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil || span < 0 {
		d.mismatch(n, path, "a time span", "write one like 30s, 10m or 24h")
		return 0
	}
	return span
}

// mismatch reports a value of the wrong type. It shows the value only where no secret can be meant.
func (d decoder) mismatch(n *yaml.Node, path, want, fix string) {
	found := kindOf(n)
	if n.Kind == yaml.ScalarNode && showable(path) {
		found = fmt.Sprintf("%s (%s)", found, strconv.Quote(shown(n.Value)))
	}
	d.add(d.pos(n), "%s: want %s, found %s; %s", named(path), want, found, fix)
}

// showable reports whether the value of a path may stand in a message.
func showable(path string) bool {
	return !strings.HasPrefix(path, "connections") && !strings.HasPrefix(path, "with") && !strings.Contains(path, ".with") && !strings.Contains(strings.ToLower(path), "secret")
}

func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!int" || n.Tag == "!!float":
		return "a number"
	case n.Tag == "!!bool":
		return "true or false"
	case n.Tag == "!!timestamp":
		return "a date"
	case n.Tag == "!!null":
		return "nothing"
	}
	return "text"
}

var (
	envName    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)
	secretName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?/[a-z0-9]([a-z0-9.-]*[a-z0-9])?/[A-Za-z0-9._-]+$`)
)

// secret reads a reference to a secret. Nothing that was written in its place is ever shown.
func (d decoder) secret(n *yaml.Node, path string) probes.SecretRef {
	var ref probes.SecretRef
	if n.Kind != yaml.MappingNode {
		d.add(d.pos(n), "%s: a secret is never written in a profile (its text is not shown here); %s", named(path), secretPlaces)
		return ref
	}
	before := len(d.faults)
	d.structure(n, reflect.ValueOf(&ref).Elem(), path)
	if len(d.faults) > before {
		return probes.SecretRef{}
	}
	switch err := ref.Validate(); {
	case err != nil:
		d.add(d.pos(n), "%s: a secret is kept in exactly one place; %s", named(path), secretPlaces)
	case ref.Env != "" && !envName.MatchString(ref.Env):
		d.add(d.pos(n), "%s: env must be the name of an environment variable, like HARBOR_PASSWORD; what stands there is not shown", named(path))
	case ref.Secret != "" && !secretName.MatchString(ref.Secret):
		d.add(d.pos(n), "%s: secret must be namespace/name/key, like registry/reader/password; what stands there is not shown", named(path))
	case len(ref.Command) > 0 && ref.Command[0] == "":
		d.add(d.pos(n), "%s: command must begin with the program to run", named(path))
	default:
		return ref
	}
	return probes.SecretRef{}
}
