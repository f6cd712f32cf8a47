package kube

import (
	"fmt"
	"strings"
)

// repository is the registry and path of an image reference, in full and without tag and digest: "nginx:1.25" is
// "docker.io/library/nginx".
func repository(image string) string {
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

// sameRepository reports whether an image comes from the declared repository, directly or through a mirror. A mirror is a prefix such as
// "harbor.example.com/project"; a segment * stands for any one. Below it, the declared repository may stand in full
// (…/docker.io/library/nginx), without its host (…/library/nginx) or in short (…/nginx).
func sameRepository(image, declared string, mirrors []string) bool {
	have, want := repository(image), repository(declared)
	if have == want {
		return true
	}
	_, path, _ := strings.Cut(want, "/")
	short := strings.TrimPrefix(path, "library/")
	for _, mirror := range mirrors {
		rest, ok := below(have, mirror)
		if ok && (rest == want || rest == path || rest == short) {
			return true
		}
	}
	return false
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
