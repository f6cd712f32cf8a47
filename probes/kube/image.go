package kube

import (
	"fmt"
	"slices"
	"strings"

	"github.com/254carbon/gonogo/probes"
)

// Repository is the registry and path of an image reference, in full and without tag and digest: "nginx:1.25" is
// "docker.io/library/nginx".
func Repository(image string) string {
	image, _, _ = strings.Cut(image, "@")
	if colon := strings.LastIndexByte(image, ':'); colon > strings.LastIndexByte(image, '/') {
		image = image[:colon]
	}
	host, path, found := strings.Cut(image, "/")
	if !found || !strings.ContainsAny(host, ".:") && host != "localhost" {
		host, path = "docker.io", image
	}
	switch host {
	case "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com":
		host = "docker.io"
	}
	if host == "docker.io" && !strings.Contains(path, "/") {
		path = "library/" + path
	}
	return host + "/" + path
}

// mirrored says where the copies of images are. A prefix is one such as "harbor.example.com/project"; a segment * stands for any one.
// Names are what the profile calls the mirrored images below it, by the repository of the original.
type mirrored struct {
	prefixes []string
	names    map[string][]string
}

// sameRepository reports whether an image comes from the declared repository, directly or through a mirror, below which the declared
// repository may stand in full (…/docker.io/library/nginx), without its host (…/library/nginx), in short (…/nginx), or under the name that
// the profile gives it.
func sameRepository(image, declared string, mirrors mirrored) bool {
	have, want := Repository(image), Repository(declared)
	if have == want {
		return true
	}
	_, path, _ := strings.Cut(want, "/")
	short := strings.TrimPrefix(path, "library/")
	for _, prefix := range mirrors.prefixes {
		rest, ok := below(have, prefix)
		if ok && (rest == want || rest == path || rest == short || slices.Contains(mirrors.names[want], rest)) {
			return true
		}
	}
	return false
}

// MirrorNames are the names of mirrored images, by the repository of the original, as a profile declares them at its top. It is a part of
// the parameters of kinds that compare images.
type MirrorNames struct {
	Names map[string][]string `yaml:"-"`
}

// Declare takes the names over.
func (m *MirrorNames) Declare(d probes.Declared) {
	m.Names = make(map[string][]string, len(d.Images))
	for _, image := range d.Images {
		original := Repository(image.Source)
		m.Names[original] = append(m.Names[original], image.Key)
	}
}

// below returns what follows a mirror's prefix.
func below(image, mirror string) (rest string, ok bool) {
	have, prefix := strings.Split(image, "/"), strings.Split(strings.Trim(mirror, "/"), "/")
	if len(have) <= len(prefix) {
		return "", false
	}
	for i, p := range prefix {
		if p != have[i] && (p != "*" || i == 0) {
			return "", false
		}
	}
	return strings.Join(have[len(prefix):], "/"), true
}

// validRepository reports what is wrong with a declared repository.
func validRepository(declared string) error {
	switch {
	case strings.ContainsAny(declared, " \t\n"):
		return fmt.Errorf("image %q has blanks in it", declared)
	case strings.Contains(declared, "@"):
		return fmt.Errorf("image %q names a digest; the check compares repositories", declared)
	case strings.LastIndexByte(declared, ':') > strings.LastIndexByte(declared, '/'):
		return fmt.Errorf("image %q names a tag; the check compares repositories", declared)
	}
	return nil
}
