package mirror

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
)

// Copy is an image and its name in the mirror.
type Copy struct {
	Key    string `json:"key"`    // short, for people and for steps
	Source string `json:"source"` // reference as it is used
	Digest string `json:"digest"` // locked
	Name   string `json:"name"`   // repository within the project
	Tag    string `json:"tag"`
	Exact  bool   `json:"exact,omitempty"` // only for who names this very digest
}

// Images that the profile lists have the name that it gives them. Of every other image the name says where it comes from:
//
//	project/host/repository:tag
//
// Host and repository are written in full (docker.io/library/redis), so that two images never share a name and a name leads back to its
// image: [Original] does. A port's colon becomes two underscores, which no host has. An image that is used by its digest alone gets a tag all
// the same, digest-sha256-<digest>, because a registry's clean-up removes what no tag names.
func nameOf(reference string) (repository, tag, digest string, err error) {
	ref, err := name.ParseReference(reference)
	if err != nil {
		return "", "", "", fmt.Errorf("%q is no reference to an image", reference)
	}
	host := ref.Context().RegistryStr()
	if host == name.DefaultRegistry {
		host = "docker.io"
	}
	repository = strings.ReplaceAll(host, ":", "__") + "/" + ref.Context().RepositoryStr()
	if d, ok := ref.(name.Digest); ok {
		digest = d.DigestStr()
	}
	return repository, tagOf(reference, digest), digest, nil
}

// tagOf is the tag of a reference: its own, also beside a digest; else one made of its digest, or latest.
func tagOf(reference, digest string) string {
	before, _, _ := strings.Cut(reference, "@")
	if colon := strings.LastIndexByte(before, ':'); colon > strings.LastIndexByte(before, '/') {
		return before[colon+1:]
	}
	if digest != "" {
		return digestTag(digest)
	}
	return "latest"
}

// byDigestOnly is how a tag begins that is made of a digest. Signatures have tags that begin with sha256- itself.
const byDigestOnly = "digest-sha256-"

func digestTag(digest string) string { return "digest-" + strings.Replace(digest, ":", "-", 1) }

// digestOf is the digest that a reference names, if it names one.
func digestOf(reference string) string {
	_, digest, _ := strings.Cut(reference, "@")
	return digest
}

// Original is the image that a name within the project was made from, as host/repository:tag or, for a tag made of a digest,
// host/repository@digest.
func Original(repository, tag string) (string, bool) {
	host, rest, ok := strings.Cut(repository, "/")
	if !ok || rest == "" {
		return "", false
	}
	host = strings.ReplaceAll(host, "__", ":")
	if !strings.ContainsAny(host, ".:") && host != "localhost" {
		return "", false // it has a name that the profile gave it
	}
	if digest, ok := strings.CutPrefix(tag, byDigestOnly); ok && len(digest) == 64 {
		return host + "/" + rest + "@sha256:" + digest, true
	}
	return host + "/" + rest + ":" + tag, true
}

// full is a reference with its host and path written out, its tag, and its digest if it has one: what tells whether two are the same.
func full(reference string) string {
	repository, tag, digest, err := nameOf(reference)
	if err != nil {
		return reference
	}
	text := repository + ":" + tag
	if digest != "" && strings.HasPrefix(tag, byDigestOnly) {
		text = repository + "@" + digest
	}
	return text
}

// hostOf is the registry of a reference, docker.io for Docker Hub.
func hostOf(reference string) string {
	repository, _, _, err := nameOf(reference)
	if err != nil {
		return ""
	}
	host, _, _ := strings.Cut(repository, "/")
	return strings.ReplaceAll(host, "__", ":")
}

// repositoryOf is a reference without tag and digest, in full.
func repositoryOf(reference string) string {
	repository, _, _, err := nameOf(reference)
	if err != nil {
		return cmp.Or(reference, "nothing")
	}
	return repository
}

// byDigest is a reference by its digest alone.
func byDigest(reference, digest string) string {
	before, _, _ := strings.Cut(reference, "@")
	if colon := strings.LastIndexByte(before, ':'); colon > strings.LastIndexByte(before, '/') {
		before = before[:colon]
	}
	return before + "@" + digest
}
