package sim_test

import (
	"strings"
	"testing"

	"github.com/254carbon/gonogo/internal/platform"
	"github.com/254carbon/gonogo/internal/profile"
	"github.com/254carbon/gonogo/internal/sim"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/all"
)

// TestTheCredentialIsMended holds what the documented platform says of its images once its registry credential works: nothing was ever
// mirrored.
func TestTheCredentialIsMended(t *testing.T) {
	s, err := sim.Start(t.Context(), sim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if err := s.Toggle("6"); err != nil {
		t.Fatal(err)
	}
	p, err := profile.Builtin(profile.DefaultName, all.Kinds())
	if err != nil {
		t.Fatal(err)
	}
	p = s.Profile(p)
	x, err := platform.Open(p, s.Platform(platform.Options{ReadOnly: true}))
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	before := len(s.Requests())
	for _, want := range []struct {
		check  probes.ID
		status probes.Status
		says   string
	}{
		{"harbor-credentials", probes.Pass, "may push to 254carbon"},
		{"harbor-robot", probes.Fail, "there is no robot account robot$254carbon+mirror"},
		{"images-mirrored", probes.Fail, "33 of 33 images are not in harbor.254carbon.com/254carbon"},
		{"images-origin", probes.Fail, "36 of 75 containers come from Docker Hub: "}, // it would be, were it not blocked
	} {
		check, _ := p.Check(want.check)
		probe, err := all.Build(check, x)
		if err != nil {
			t.Fatal(err)
		}
		r := probes.Ask(t.Context(), probes.Check{Spec: check.Spec, Probe: probe}, s.Now)
		if r.Err != nil || r.Status != want.status || !strings.Contains(r.Summary, want.says) {
			t.Errorf("%s: %s %q (%v), want %s %q", want.check, r.Status, r.Summary, r.Err, want.status, want.says)
		}
	}
	heads, manifests := 0, 0
	for _, r := range s.Requests()[before:] {
		switch {
		case r.Connection == "upstream":
			t.Errorf("the originals were asked: %s %s", r.Method, r.Path)
		case strings.Contains(r.Path, "/manifests/") && r.Method == "HEAD":
			heads++
		case strings.Contains(r.Path, "/manifests/"):
			manifests++
		}
	}
	if heads != 33 || manifests != 0 {
		t.Errorf("%d HEADs and %d other requests for manifests, want 33 and none", heads, manifests)
	}
}
