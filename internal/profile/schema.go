package profile

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/invopop/jsonschema"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/probes"
)

// Schema returns the JSON Schema (draft 2020-12) of a profile whose checks may use the given kinds of probes, and its actions those of actions. It is made from the types that
// [Load] fills, so that an editor offers and refuses what Load does, as far as a schema can say it.
func Schema(kinds []probes.KindInfo, acts ...actions.KindInfo) ([]byte, error) {
	r := &jsonschema.Reflector{
		Anonymous: true, FieldNameTag: "yaml", RequiredFromJSONSchemaTags: true, ExpandedStruct: true, Mapper: ownNotation, Namer: typeName,
	}
	root := r.Reflect(&document{})
	root.ID = "https://254carbon.com/schemas/gonogo-profile-v1.json"
	root.Title = "Profile of gonogo"
	root.Description = "What is claimed of a platform, how each claim is asked, and what it is worth."
	check, ok := root.Definitions[typeName(reflect.TypeFor[checkDoc]())]
	if !ok {
		return nil, fmt.Errorf("making the schema: no definition of a check")
	}
	if root.Definitions == nil {
		root.Definitions = jsonschema.Definitions{}
	}
	action, ok := root.Definitions[typeName(reflect.TypeFor[Action]())]
	if !ok {
		return nil, fmt.Errorf("making the schema: no definition of an action")
	}
	probe := &jsonschema.Schema{Description: "Kind of the probe"}
	for _, k := range slices.SortedFunc(slices.Values(kinds), func(a, b probes.KindInfo) int { return strings.Compare(a.Name, b.Name) }) {
		probe.OneOf = append(probe.OneOf, &jsonschema.Schema{Const: k.Name, Description: k.About})
		check.AllOf = append(check.AllOf, withOf(r, root, "probe", k.Name, k.About, "with."+k.Name, k.Params))
	}
	check.Properties.Set("probe", probe)
	for _, k := range slices.SortedFunc(slices.Values(acts), func(a, b actions.KindInfo) int { return strings.Compare(a.Name, b.Name) }) {
		action.AllOf = append(action.AllOf, withOf(r, root, "kind", k.Name, k.About, "action."+k.Name, k.Params))
	}
	text, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing the schema: %w", err)
	}
	return append(text, '\n'), nil
}

// withOf describes the parameters of a kind, where the key that names the kind names this one.
func withOf(r *jsonschema.Reflector, root *jsonschema.Schema, key, kind, about, name string, params func() any) *jsonschema.Schema {
	with := &jsonschema.Schema{Type: "object", AdditionalProperties: jsonschema.FalseSchema}
	if params != nil {
		with = r.ReflectFromType(reflect.TypeOf(params()))
		maps.Copy(root.Definitions, with.Definitions)
		with.Definitions, with.Version = nil, ""
	}
	with.Title, with.Description = "Parameters of "+kind, about
	root.Definitions[name] = with
	then := &jsonschema.Schema{Properties: jsonschema.NewProperties()}
	then.Properties.Set("with", &jsonschema.Schema{Ref: "#/$defs/" + name})
	if len(with.Required) > 0 {
		then.Required = []string{"with"}
	}
	condition := &jsonschema.Schema{Properties: jsonschema.NewProperties(), Required: []string{key}}
	condition.Properties.Set(key, &jsonschema.Schema{Const: kind})
	return &jsonschema.Schema{If: condition, Then: then}
}

// typeName names definitions so that the types of two packages do not meet.
func typeName(t reflect.Type) string {
	if t.Name() == "" {
		return "" // lists, maps: written out where they are
	}
	return path.Base(t.PkgPath()) + "." + strings.TrimSuffix(t.Name(), "Doc")
}

func pattern(expr, description string) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: expr, Description: description}
}

// ownNotation describes the types that are written in a way of their own.
func ownNotation(t reflect.Type) *jsonschema.Schema {
	switch t {
	case durationType, reflect.TypeFor[span]():
		return pattern(`^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$|^0$`, "A time span: 30s, 10m, 24h")
	case reflect.TypeFor[Interval]():
		return pattern(`^(watch|(\d+(\.\d+)?(ms|s|m|h))+)$`, "A time span from 1s to 720h, or watch")
	case reflect.TypeFor[Effort]():
		return pattern(`^(\d+(\.\d+)?[dhm])+([-–](\d+(\.\d+)?[dhm])+)?$`, "An estimate of work: 2h, 2h-3h, 3d-5d; a day has 8 hours")
	case reflect.TypeFor[Date]():
		return pattern(`^\d{4}-\d{2}-\d{2}$`, "A day: 2026-12-31")
	case reflect.TypeFor[Number]():
		return &jsonschema.Schema{Type: "number", Minimum: "0"}
	case reflect.TypeFor[probes.ID](), reflect.TypeFor[ref]():
		return pattern(idForm.String(), "An id: small letters, digits, dots and hyphens")
	case reflect.TypeFor[Raw]():
		return &jsonschema.Schema{Type: "object"}
	case reflect.TypeFor[Value]():
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "string", MinLength: new(uint64(1))}, secretSchema()}}
	case secretType:
		return secretSchema()
	case reflect.TypeFor[actions.Effect]():
		return &jsonschema.Schema{Type: "string", Enum: []any{"reads", "creates", "updates", "deletes"}}
	}
	return nil
}

// secretSchema describes a reference to a secret: exactly one of the places.
func secretSchema() *jsonschema.Schema {
	s := &jsonschema.Schema{
		Type: "object", AdditionalProperties: jsonschema.FalseSchema, Properties: jsonschema.NewProperties(),
		MinProperties: new(uint64(1)), MaxProperties: new(uint64(1)), Description: "Where a secret is kept; the secret itself is never written here",
	}
	s.Properties.Set("env", pattern(envName.String(), "Name of an environment variable"))
	s.Properties.Set("file", &jsonschema.Schema{Type: "string", MinLength: new(uint64(1)), Description: "Path of a file that holds nothing else"})
	s.Properties.Set("secret", pattern(secretName.String(), "namespace/name/key of a Kubernetes Secret"))
	s.Properties.Set("command", &jsonschema.Schema{
		Type: "array", Items: &jsonschema.Schema{Type: "string"}, MinItems: new(uint64(1)), Description: "Command that prints the secret, word by word",
	})
	return s
}
