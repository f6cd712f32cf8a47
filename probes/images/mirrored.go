package images

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/harbor"
)

// MirroredParams are the parameters of images.mirrored. The images are those that the profile declares at its top.
type MirroredParams struct {
	Project  string         `yaml:"project" jsonschema:"description=Harbor project that holds the mirrored images"`
	Upstream string         `yaml:"upstream,omitempty" jsonschema:"enum=warn,description=warn asks the original registries too whether a tag has moved since it was locked; by default they are not asked"`
	Images   []probes.Image `yaml:"-"`
}

// Declare takes over which images are required.
func (p *MirroredParams) Declare(d probes.Declared) { p.Images = d.Images }

var (
	projectName = regexp.MustCompile(`^[a-z0-9]+(?:[._-][a-z0-9]+)*$`)
	keyName     = regexp.MustCompile(`^[a-z0-9]+(?:(?:\.|_{1,2}|-+|/)[a-z0-9]+)*$`)
	tagName     = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)
	digestName  = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

// Validate reports what is wrong with the parameters or with the images that the profile declares.
func (p *MirroredParams) Validate() error {
	switch {
	case !projectName.MatchString(p.Project):
		return fmt.Errorf("project: %q is not the name of a Harbor project", p.Project)
	case p.Upstream != "" && p.Upstream != "warn":
		return fmt.Errorf("upstream: %q is not warn", p.Upstream)
	case len(p.Images) == 0:
		return errors.New("the profile declares no images; list them under images")
	}
	for _, image := range p.Images {
		tag, digest := version(image.Source)
		if !keyName.MatchString(image.Key) || !tagName.MatchString(tag) || digest != "" && !digestName.MatchString(digest) {
			return fmt.Errorf("image %s: %q cannot be mirrored under that name", image.Key, image.Source)
		}
	}
	return nil
}

// version returns the tag of a reference, latest if it has none, and its digest, empty if it has none.
func version(reference string) (tag, digest string) {
	reference, digest, _ = strings.Cut(reference, "@")
	if colon := strings.LastIndexByte(reference, ':'); colon > strings.LastIndexByte(reference, '/') {
		return reference[colon+1:], digest
	}
	return "latest", digest
}

// MirroredInfo describes images.mirrored.
func MirroredInfo() probes.KindInfo {
	return probes.KindInfo{
		Name: "images.mirrored",
		About: "Asks Harbor which manifest each mirrored image names, by HEAD alone and with gonogo's own credential, and compares the digests " +
			"with those that the profile locks.",
		Connection: harbor.Connection, Every: 15 * time.Minute, Timeout: 20 * time.Second, Confirm: 2,
		Params: func() any { return &MirroredParams{} },
	}
}

// NewMirrored returns a probe that passes if every declared image is in the mirror with its locked digest. Parameters must be valid.
// upstream is asked only if the parameters say so.
func NewMirrored(mirror Mirror, projects harbor.Projects, upstream Registry, p MirroredParams) probes.Probe {
	return mirroredProbe{mirror: mirror, projects: projects, upstream: upstream, params: p}
}

type mirroredProbe struct {
	mirror   Mirror
	projects harbor.Projects
	upstream Registry
	params   MirroredParams
}

// trouble is what can be wrong with an image, the worst first.
type trouble int

const (
	missing trouble = iota
	different
	unlocked
	unasked
	fine
)

// finding is what one image amounts to.
type finding struct {
	image    probes.Image
	trouble  trouble
	err      error // of what could not be asked
	evidence probes.Evidence
}

// Observe looks at the project first, which also tells whether gonogo's credential is accepted, and then asks for every image.
func (p mirroredProbe) Observe(ctx context.Context) (probes.Observation, error) {
	place := p.mirror.Host() + "/" + p.params.Project
	project, err := p.projects.Project(ctx, p.params.Project)
	switch {
	case errors.Is(err, harbor.ErrNotFound):
		return probes.Observation{
			Status: probes.Fail, Summary: fmt.Sprintf("the project %s does not exist in Harbor, so none of %d images is mirrored", p.params.Project, len(p.params.Images)),
			Evidence: []probes.Evidence{probes.Evidence{Subject: "project " + p.params.Project, Want: "exists", Got: "does not exist", Wanting: true}.From(project.Request)},
		}, nil
	case err != nil:
		return probes.Observation{}, fmt.Errorf("looking at project %s: %w", p.params.Project, err)
	}
	references := make([]string, len(p.params.Images))
	for i, image := range p.params.Images {
		references[i] = place + "/" + image.Key + ":" + tagOf(image)
	}
	heads := p.mirror.Heads(ctx, references)
	found := map[trouble][]finding{}
	for i, image := range p.params.Images {
		f := p.judge(image, references[i], heads[references[i]])
		found[f.trouble] = append(found[f.trouble], f)
	}
	obs := probes.Observation{Status: probes.Pass}
	for t := missing; t <= fine; t++ {
		for _, f := range found[t] {
			obs.Evidence = append(obs.Evidence, f.evidence)
		}
	}
	total := len(p.params.Images)
	if len(found[missing])+len(found[different])+len(found[unlocked]) > 0 {
		obs.Status, obs.Summary = probes.Fail, wanting(found, total, place)
		return obs, nil
	}
	if n := len(found[unasked]); n > 0 {
		return probes.Observation{}, fmt.Errorf("asking for %d of %d images, the first being %s: %w", n, total, found[unasked][0].image.Key, found[unasked][0].err)
	}
	obs.Summary = fmt.Sprintf("%d of %d images are in %s with their locked digests", total, total, place)
	if p.params.Upstream == "warn" {
		p.moved(ctx, &obs)
	}
	return obs, nil
}

// tagOf is the tag that the mirrored image has, which is that of the original.
func tagOf(image probes.Image) string {
	tag, _ := version(image.Source)
	return tag
}

// locked is the digest that an image must have; empty if none is locked. A source that names its digest needs no lock.
func locked(image probes.Image) string {
	_, digest := version(image.Source)
	return cmp.Or(image.Digest, digest)
}

func (p mirroredProbe) judge(image probes.Image, reference string, head Head) finding {
	f := finding{image: image, trouble: fine, evidence: probes.Evidence{
		Subject: reference, Want: locked(image), Got: head.Digest, TakenAt: head.At,
	}.From(head.Request)}
	if f.evidence.Want == "" {
		f.evidence.Want = "a locked digest of " + image.Source
	}
	switch want := locked(image); {
	case errors.Is(head.Err, ErrMissing):
		f.trouble, f.evidence.Got = missing, "not there (404)"
	case errors.Is(head.Err, ErrRefused):
		f.trouble = unasked
		f.err = fmt.Errorf("gonogo's reading credential for Harbor may not see it: it needs repository:pull in project %s: %w", p.params.Project, head.Err)
		f.evidence.Got = "could not be asked: " + head.Err.Error()
	case head.Err != nil:
		f.trouble, f.err, f.evidence.Got = unasked, head.Err, "could not be asked: "+head.Err.Error()
	case !digestName.MatchString(head.Digest):
		f.trouble, f.err, f.evidence.Got = unasked, errors.New("the answer names no digest"), "could not be asked: the answer names no digest"
	case want == "":
		f.trouble = unlocked
	case head.Digest != want:
		f.trouble = different
	}
	f.evidence.Wanting = f.trouble != fine
	return f
}

// wanting puts what is wrong into a line, the worst first.
func wanting(found map[trouble][]finding, total int, place string) string {
	var parts []string
	for t, words := range []string{
		missing:   "%d of %d images are not in " + place + ": %s",
		different: "%d of %d have another digest than the locked one: %s",
		unlocked:  "no digest is locked for %d of %d (gonogo profile lock): %s",
		unasked:   "%d of %d could not be asked for: %s",
	} {
		var keys []string
		for _, f := range found[trouble(t)] {
			keys = append(keys, f.image.Key)
		}
		if len(keys) > 0 {
			parts = append(parts, fmt.Sprintf(words, len(keys), total, enumerate(keys)))
		}
	}
	return strings.Join(parts, "; ")
}

// moved asks the original registries whether tags name something else by now. That is a warning of its own, and that they cannot be asked
// is a note: neither says anything against the mirror.
func (p mirroredProbe) moved(ctx context.Context, obs *probes.Observation) {
	var references []string
	for _, image := range p.params.Images {
		if _, pinned := version(image.Source); pinned == "" {
			references = append(references, image.Source)
		}
	}
	heads := p.upstream.Heads(ctx, references)
	var keys []string
	silent := 0
	for _, image := range p.params.Images {
		head, asked := heads[image.Source]
		e := probes.Evidence{Subject: "original " + image.Source, Want: locked(image), Got: head.Digest, TakenAt: head.At}.From(head.Request)
		switch {
		case !asked:
			continue
		case head.Err != nil:
			silent++
			e.Got = "could not be asked: " + head.Err.Error()
		case head.Digest == locked(image):
			continue
		default:
			e.Wanting = true
			keys = append(keys, image.Key)
		}
		obs.Evidence = append(obs.Evidence, e)
	}
	slices.SortStableFunc(obs.Evidence, func(a, b probes.Evidence) int { return cmp.Compare(rank(a), rank(b)) })
	if n := int64(len(p.params.Images)); len(keys) > 0 {
		obs.Status, obs.Ratio = probes.Warn, probes.Part(2*n-int64(len(keys)), 2*n)
		obs.Summary += fmt.Sprintf("; %d tags have moved at their origin since they were locked: %s", len(keys), enumerate(keys))
	}
	if silent > 0 {
		obs.Summary += fmt.Sprintf("; %d of %d originals could not be asked whether their tags moved", silent, len(references))
	}
}

func rank(e probes.Evidence) int {
	if e.Wanting {
		return 0
	}
	return 1
}
