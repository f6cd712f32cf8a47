package profile_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/254carbon/gonogo/internal/profile"
	"github.com/254carbon/gonogo/probes"
)

// declaring are parameters of a kind that is about what the profile declares.
type declaring struct {
	Project  string          `yaml:"project"`
	Declared probes.Declared `yaml:"-"`
}

func (p *declaring) Declare(d probes.Declared) { p.Declared = d }

func (p *declaring) Validate() error {
	if len(p.Declared.Images) == 0 {
		return errors.New("the profile declares no images")
	}
	return nil
}

const declared = `services:
- id: trino
  name: Trino
  workload: {kind: Deployment, namespace: data, name: coordinator}
  image: trinodb/trino
  host: trino.example.com
  protected: true
  mirror: trino
images:
- {key: trino, source: "trinodb/trino:424"}
- {key: redis, source: "redis:7.2", digest: "sha256:` + `1111111111111111111111111111111111111111111111111111111111111111"}
exempt:
- {image: "docker.io/velero/*", reason: comes first}
`

func loadDeclared(t *testing.T, src string) (*profile.Profile, error) {
	t.Helper()
	kinds := append(testKinds(), probes.KindInfo{Name: "about", Every: time.Minute, Timeout: time.Second, Params: func() any { return &declaring{} }})
	src = strings.Replace(src, "    probe: registry\n", "    probe: about\n    with: {project: p}\n", 1)
	return profile.Load("test.yaml", []byte(src), kinds)
}

// TestDeclared holds that what stands at the top of a profile reaches the parameters of the kinds that are about it, and that a lock adds
// the digests that are missing, to a profile of its own.
func TestDeclared(t *testing.T) {
	p, err := loadDeclared(t, strings.Replace(base, "components:\n", declared+"components:\n", 1))
	if err != nil {
		t.Fatal(err)
	}
	one, two := "sha256:"+strings.Repeat("1", 64), "sha256:"+strings.Repeat("2", 64)
	want := probes.Declared{
		Services: []probes.Service{{
			ID: "trino", Name: "Trino", Kind: "Deployment", Namespace: "data", Workload: "coordinator", Image: "trinodb/trino",
			Host: "trino.example.com", Protected: true, Mirror: "trino",
		}},
		Images: []probes.Image{{Key: "trino", Source: "trinodb/trino:424"}, {Key: "redis", Source: "redis:7.2", Digest: one}},
		Exempt: []probes.Exemption{{Image: "docker.io/velero/*", Reason: "comes first"}},
	}
	got := func(p *profile.Profile) probes.Declared {
		c, _ := p.Check("door")
		return c.Params.(*declaring).Declared
	}
	if diff := cmp.Diff(want, got(p)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	locked := p.Locked(map[string]string{"trinodb/trino:424": two, "redis:7.2": two, "other": two})
	if diff := cmp.Diff(want, got(p)); diff != "" {
		t.Errorf("the profile changed (-want +got):\n%s", diff)
	}
	want.Images[0].Digest = two // and redis keeps the digest of the profile
	if diff := cmp.Diff(want, got(locked)); diff != "" {
		t.Errorf("locked (-want +got):\n%s", diff)
	}
	if profile.Same(p, locked, "door") || !profile.Same(p, locked, "nodes") {
		t.Error("another lock asks another question of the checks that are about it, and of no other")
	}
	text, err := locked.Show()
	if err != nil || !strings.Contains(string(text), two) || strings.Contains(string(text), "Declared") {
		t.Errorf("%v\n%s", err, text)
	}
	if _, err := loadDeclared(t, base); err == nil || !strings.Contains(err.Error(), "declares no images") {
		t.Errorf("nothing declared: %v", err)
	}
}
