package harbor

import (
	"time"

	"github.com/254carbon/gonogo/internal/sim/oci"
	"github.com/254carbon/gonogo/probes"
)

// imageMutations are what can have become of the mirrored images.
func imageMutations() []Mutation {
	change := func(name, about string, harmless bool, words []string, change func(s *State, now time.Time)) Mutation {
		m := Mutation{Name: name, About: about, Harmless: harmless, Words: words, Apply: func(server *Server) {
			server.Change(func(s *State) { change(s, server.now()) })
		}}
		if !harmless {
			m.Checks = []probes.ID{"images-mirrored"}
		}
		return m
	}
	const trino, grafana = PlatformProject + "/trino", PlatformProject + "/grafana"
	other := oci.Digest("somebody/built-this:1")
	return []Mutation{
		change("image-deleted", "A mirrored image was deleted.", false, []string{"1 of 33", "not in harbor.254carbon.com/254carbon", "trino"}, func(s *State, _ time.Time) {
			s.Untag(trino, "424")
		}),
		change("image-other-tag", "An image was pushed under another tag than the original's.", false, []string{"1 of 33", "not in", "trino"}, func(s *State, now time.Time) {
			s.Untag(trino, "424")
			s.Push(trino, "latest", oci.Digest("trinodb/trino:424"), now)
		}),
		change("image-replaced", "Somebody pushed another image under the tag.", false, []string{"another digest", "grafana"}, func(s *State, now time.Time) {
			s.Push(grafana, "10.2.0", oci.Digest("grafana/loki:2.9.3"), now)
		}),
		change("images-all-gone", "Everything was deleted by a clean-up that went too far.", false, []string{"33 of 33", "not in"}, func(s *State, _ time.Time) {
			s.Artifacts = nil
		}),
		change("images-of-another-project", "The images are in another project.", false, []string{"33 of 33", "not in"}, func(s *State, _ time.Time) {
			for i := range s.Artifacts {
				s.Artifacts[i].Repository = PublicProject + s.Artifacts[i].Repository[len(PlatformProject):]
			}
		}),
		change("image-deleted-and-replaced", "One image is gone and another one was replaced.", false,
			[]string{"1 of 33 images are not in", "trino", "1 of 33 have another digest", "grafana"}, func(s *State, now time.Time) {
				s.Untag(trino, "424")
				s.Push(grafana, "10.2.0", oci.Digest("grafana/loki:2.9.3"), now)
			}),
		change("image-more-tags", "An image has more tags, and there are images that nobody asked for.", true, nil, func(s *State, now time.Time) {
			s.Push(trino, "stable", oci.Digest("trinodb/trino:424"), now)
			s.Push(PlatformProject+"/our-own", "1", other, now)
		}),
	}
}
