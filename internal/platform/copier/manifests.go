package copier

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"

	"github.com/254carbon/gonogo/actions/mirror"
)

var manifestTypes = strings.Join([]string{
	string(types.OCIImageIndex), string(types.DockerManifestList), string(types.OCIManifestSchema1), string(types.DockerManifestSchema2),
}, ", ")

func (p place) pull() []string { return []string{"repository:" + p.repo + ":pull"} }

// push is the scope for writing, and for reading where blobs are mounted from.
func (p place) push(from ...string) []string {
	scopes := []string{"repository:" + p.repo + ":push,pull"}
	for _, repo := range from {
		scopes = append(scopes, "repository:"+repo+":pull")
	}
	return scopes
}

// head asks which manifest a tag or digest names.
func (p place) head(ctx context.Context, id string, r mirror.Reporter) (digest string, found bool, err error) {
	a := ask{method: http.MethodHead, url: p.repo + "/manifests/" + id, scopes: p.pull(), header: http.Header{"Accept": {manifestTypes}}}
	response, err := p.host.do(ctx, a, r)
	if err != nil {
		return "", false, err
	}
	defer drain(response)
	switch response.StatusCode {
	case http.StatusOK:
		digest = response.Header.Get("Docker-Content-Digest")
		if digest == "" {
			return p.weigh(ctx, id, r)
		}
		return digest, true, nil
	case http.StatusNotFound:
		return "", false, nil
	}
	return "", false, answerError(response)
}

// weigh reads the manifest of a registry that does not tell digests.
func (p place) weigh(ctx context.Context, id string, r mirror.Reporter) (digest string, found bool, err error) {
	m, err := p.manifest(ctx, id, r)
	if err != nil {
		return "", false, err
	}
	return m.digest, true, nil
}

// manifest is one manifest as its registry serves it.
type manifest struct {
	digest string
	kind   types.MediaType
	text   []byte
}

// manifest reads a manifest. One that is asked for by its digest has that digest.
func (p place) manifest(ctx context.Context, id string, r mirror.Reporter) (manifest, error) {
	a := ask{method: http.MethodGet, url: p.repo + "/manifests/" + id, scopes: p.pull(), header: http.Header{"Accept": {manifestTypes}}}
	response, err := p.host.do(ctx, a, r)
	if err != nil {
		return manifest{}, err
	}
	if response.StatusCode != http.StatusOK {
		return manifest{}, answerError(response)
	}
	defer drain(response)
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return manifest{}, fmt.Errorf("reading the manifest %s: %w", id, err)
	}
	if len(text) > maxAnswer {
		return manifest{}, fmt.Errorf("the manifest %s is larger than any", id)
	}
	sum, _, err := v1.SHA256(bytes.NewReader(text))
	if err != nil {
		return manifest{}, err
	}
	if strings.HasPrefix(id, "sha256:") && sum.String() != id {
		return manifest{}, fmt.Errorf("%w: the manifest %s is one of %s", mirror.ErrDigest, id, sum)
	}
	kind := types.MediaType(response.Header.Get("Content-Type"))
	var told struct {
		MediaType types.MediaType `json:"mediaType"`
	}
	if json.Unmarshal(text, &told) == nil && told.MediaType != "" {
		kind = told.MediaType
	}
	return manifest{digest: sum.String(), kind: kind, text: text}, nil
}

// put writes a manifest under a tag or its digest.
func (p place) put(ctx context.Context, id string, m manifest, r mirror.Reporter) error {
	a := ask{
		method: http.MethodPut, url: p.repo + "/manifests/" + id, scopes: p.push(), header: http.Header{"Content-Type": {string(m.kind)}},
		body: func() (io.Reader, int64) { return bytes.NewReader(m.text), int64(len(m.text)) },
	}
	response, err := p.host.do(ctx, a, r)
	if err != nil {
		return fmt.Errorf("writing the manifest %s: %w", id, err)
	}
	if response.StatusCode != http.StatusCreated && response.StatusCode != http.StatusOK {
		return fmt.Errorf("writing the manifest %s: %w", id, answerError(response))
	}
	drain(response)
	return nil
}

// tree is an image with everything that it is made of.
type tree struct {
	manifest
	parts []tree
	blobs []v1.Descriptor
}

// size adds up the distinct blobs.
func (t tree) size() int64 {
	seen, sum := map[string]bool{}, int64(0)
	var add func(t tree)
	add = func(t tree) {
		for _, b := range t.blobs {
			if !seen[b.Digest.String()] {
				seen[b.Digest.String()] = true
				sum += b.Size
			}
		}
		for _, part := range t.parts {
			add(part)
		}
	}
	add(t)
	return sum
}

const maxDepth = 4 // of indexes within each other

// tree reads the manifests of an image, of the chosen platforms if there are any.
func (c *Copier) tree(ctx context.Context, p place, digest string, platforms []string, r mirror.Reporter) (tree, error) {
	return c.grow(ctx, p, digest, platforms, r, maxDepth)
}

func (c *Copier) grow(ctx context.Context, p place, digest string, platforms []string, r mirror.Reporter, depth int) (tree, error) {
	m, err := p.manifest(ctx, digest, r)
	if err != nil {
		return tree{}, err
	}
	t := tree{manifest: m}
	switch {
	case depth == 0:
		return t, errors.New("its indexes lie too deep in each other")
	case m.kind.IsIndex():
		return t, c.branch(ctx, p, &t, platforms, r, depth)
	case m.kind.IsImage(), m.kind == types.OCIManifestSchema1, m.kind == types.DockerManifestSchema2:
	default:
		return t, fmt.Errorf("a manifest of the kind %q cannot be copied", m.kind)
	}
	image, err := v1.ParseManifest(bytes.NewReader(m.text))
	if err != nil {
		return t, fmt.Errorf("its manifest %s cannot be read", m.digest)
	}
	for _, blob := range append([]v1.Descriptor{image.Config}, image.Layers...) {
		if blob.Size < 0 || blob.Digest.Algorithm != "sha256" {
			return t, fmt.Errorf("its manifest %s names a blob that cannot be: %s", m.digest, blob.Digest)
		}
		if len(blob.URLs) == 0 { // what is to be fetched elsewhere is not the registry's
			t.blobs = append(t.blobs, blob)
		}
	}
	return t, nil
}

// branch reads the parts of an index.
func (c *Copier) branch(ctx context.Context, p place, t *tree, platforms []string, r mirror.Reporter, depth int) error {
	index, err := v1.ParseIndexManifest(bytes.NewReader(t.text))
	if err != nil {
		return fmt.Errorf("its index %s cannot be read", t.digest)
	}
	if len(platforms) > 0 {
		index.Manifests = slices.DeleteFunc(index.Manifests, func(d v1.Descriptor) bool { return !chosen(d, platforms) })
		if len(index.Manifests) == 0 {
			return fmt.Errorf("it has none of the platforms %s", strings.Join(platforms, ", "))
		}
		if t.text, err = json.Marshal(index); err != nil {
			return err
		}
		sum, _, err := v1.SHA256(bytes.NewReader(t.text))
		if err != nil {
			return err
		}
		t.digest = sum.String()
	}
	for _, d := range index.Manifests {
		part, err := c.grow(ctx, p, d.Digest.String(), nil, r, depth-1)
		if err != nil {
			return err
		}
		t.parts = append(t.parts, part)
	}
	return nil
}

// chosen reports whether a part of an index is of one of the platforms: "linux/arm64", "linux/arm/v7".
func chosen(d v1.Descriptor, platforms []string) bool {
	if d.Platform == nil {
		return false
	}
	name := d.Platform.OS + "/" + d.Platform.Architecture
	return slices.Contains(platforms, name) || slices.Contains(platforms, name+"/"+d.Platform.Variant)
}

// push writes a tree: what it is made of first, then itself, so that nothing names what is not there.
func (c *Copier) push(ctx context.Context, source, target place, t tree, id string, r *counter) error {
	work, inner := errgroup.WithContext(ctx)
	work.SetLimit(4)
	var leaves func(t tree)
	seen := map[string]bool{}
	leaves = func(t tree) {
		for _, blob := range t.blobs {
			if seen[blob.Digest.String()] {
				continue
			}
			seen[blob.Digest.String()] = true
			work.Go(func() error { return c.blob(inner, source, target, blob, r) })
		}
		for _, part := range t.parts {
			leaves(part)
		}
	}
	leaves(t)
	if err := work.Wait(); err != nil {
		return err
	}
	return c.names(ctx, target, t, id, r)
}

// names writes the manifests of a tree, the innermost first.
func (c *Copier) names(ctx context.Context, target place, t tree, id string, r mirror.Reporter) error {
	for _, part := range t.parts {
		if _, found, err := target.head(ctx, part.digest, r); err == nil && found {
			continue
		}
		if err := c.names(ctx, target, part, part.digest, r); err != nil {
			return err
		}
	}
	return target.put(ctx, id, t.manifest, r)
}

// referrers copies what refers to an image: by the registry's own list where it has one, and by the tags that cosign uses.
func (c *Copier) referrers(ctx context.Context, source, target place, digest string, r *counter) error {
	response, err := source.host.do(ctx, ask{method: http.MethodGet, url: source.repo + "/referrers/" + digest, scopes: source.pull()}, r)
	if err != nil {
		return err
	}
	if response.StatusCode == http.StatusOK {
		index, err := v1.ParseIndexManifest(io.LimitReader(response.Body, maxAnswer))
		drain(response)
		if err != nil {
			return errors.New("the list of what refers to it cannot be read")
		}
		for _, d := range index.Manifests {
			if err := c.along(ctx, source, target, d.Digest.String(), d.Digest.String(), r); err != nil {
				return err
			}
		}
	} else {
		drain(response)
	}
	plain := strings.Replace(digest, ":", "-", 1)
	for _, tag := range []string{plain, plain + ".sig", plain + ".att", plain + ".sbom"} {
		found, there, err := source.head(ctx, tag, r)
		if err != nil {
			return err
		}
		if there {
			if err := c.along(ctx, source, target, found, tag, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// along copies one thing that refers to an image.
func (c *Copier) along(ctx context.Context, source, target place, digest, id string, r *counter) error {
	if there, found, err := target.head(ctx, id, r); err == nil && found && there == digest {
		return nil
	}
	t, err := c.tree(ctx, source, digest, nil, r)
	if err != nil {
		return err
	}
	r.Bytes(0, t.size())
	return c.push(ctx, source, target, t, id, r)
}

// Budget implements [mirror.Copier].
func (c *Copier) Budget(ctx context.Context, reference string) (mirror.Budget, error) {
	p, id, err := c.parse(reference)
	if err != nil {
		return mirror.Budget{}, err
	}
	a := ask{method: http.MethodHead, url: p.repo + "/manifests/" + id, scopes: p.pull(), header: http.Header{"Accept": {manifestTypes}}}
	response, err := p.host.do(ctx, a, silent{})
	if err != nil {
		return mirror.Budget{}, err
	}
	defer drain(response)
	left, window, ok := allowance(response.Header.Get("Ratelimit-Remaining"))
	limit, _, _ := allowance(response.Header.Get("Ratelimit-Limit"))
	return mirror.Budget{Known: ok, Left: left, Limit: limit, Window: window}, nil
}

// allowance reads "100;w=21600".
func allowance(text string) (n int, window time.Duration, ok bool) {
	number, rest, _ := strings.Cut(text, ";")
	n, err := strconv.Atoi(strings.TrimSpace(number))
	if err != nil || n < 0 {
		return 0, 0, false
	}
	if w, found := strings.CutPrefix(strings.TrimSpace(rest), "w="); found {
		if seconds, err := strconv.Atoi(w); err == nil {
			window = time.Duration(seconds) * time.Second
		}
	}
	return n, window, true
}
