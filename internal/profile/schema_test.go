package profile_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"github.com/254carbon/gonogo/internal/profile"
	"github.com/254carbon/gonogo/probes"
)

func compiled(t *testing.T, kinds []probes.KindInfo) *jsonschema.Schema {
	t.Helper()
	text, err := profile.Schema(kinds)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("profile.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("profile.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// asJSON is what an editor's YAML support hands to a validator.
func asJSON(t *testing.T, src []byte) any {
	t.Helper()
	var value any
	if err := yaml.Load(src, &value); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	// A YAML date becomes a JSON time; editors see it as it is written.
	text = bytes.ReplaceAll(text, []byte(`T00:00:00Z"`), []byte(`"`))
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// TestSchemaOfBuiltin holds that the schema takes the built-in profile, as it is written and as it is shown.
func TestSchemaOfBuiltin(t *testing.T) {
	schema := compiled(t, realKinds())
	source, _ := profile.BuiltinSource(profile.DefaultName)
	if err := schema.Validate(asJSON(t, source)); err != nil {
		t.Errorf("as it is written: %v", err)
	}
	shown, err := builtin(t).Show()
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(asJSON(t, shown)); err != nil {
		t.Errorf("as it is shown: %v", err)
	}
}

// TestSchemaRefuses holds that the schema refuses what it can of what loading refuses.
func TestSchemaRefuses(t *testing.T) {
	schema := compiled(t, testKinds())
	if err := schema.Validate(asJSON(t, []byte(base))); err != nil {
		t.Fatalf("the good profile: %v", err)
	}
	for name, c := range map[string]struct{ from, to string }{
		"typo":              {"    weight: 3\n", "    wieght: 3\n"},
		"unknown probe":     {"probe: registry", "probe: regestry"},
		"literal password":  {"password: {env: HARBOR_PASSWORD}", "password: " + secret},
		"two places":        {"{env: HARBOR_PASSWORD}", "{env: A, file: b}"},
		"parameter typo":    {"{min: 2}", "{min: 2, graze: 1m}"},
		"parameter type":    {"{min: 2}", "{min: two}"},
		"parameter missing": {"{min: 2}", "{grace: 1m}"},
		"with missing":      {"    with: {min: 2}\n", ""},
		"inlined parameter": {"{min: 2}", "{min: 2, note: 3}"},
		"no parameters":     {"    every: 30s", "    with: {a: 1}"},
		"negative weight":   {"weight: 0.5", "weight: -1"},
		"bad interval":      {"every: 30s", "every: 30 s"},
		"bad effort":        {"effort: 3d-5d", "effort: 3 days"},
		"missing platform":  {"platform: Test\n", ""},
		"declared":          {"declared: 100", "declared: 120"},
		"bad date":          {"expires: 2026-12-31", "expires: soon"},
	} {
		if strings.Count(base, c.from) != 1 {
			t.Fatalf("%s: %q is not there once", name, c.from)
		}
		src := []byte(strings.Replace(base, c.from, c.to, 1))
		if err := schema.Validate(asJSON(t, src)); err == nil {
			t.Errorf("%s: the schema takes it", name)
		}
		if _, err := profile.Load("test.yaml", src, testKinds()); err == nil {
			t.Errorf("%s: it loads", name)
		}
	}
}

func TestSchemaExplains(t *testing.T) {
	text, err := profile.Schema(realKinds())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"const": "kubernetes.nodes"`, "Counts the nodes", "how many nodes must be ready", `"with.velero.storage"`} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("the schema lacks %s", want)
		}
	}
}
