package world

import (
	"strings"

	"github.com/254carbon/gonogo/internal/sim/oci"
)

// The registry that the platform mirrors images to.
const (
	HarborHost    = "harbor.254carbon.com"
	HarborProject = "254carbon"
)

// ExemptImage is a repository that need not come from the platform's own registry, and why.
type ExemptImage struct{ Repository, Reason string }

// ExemptImages are the repositories that the platform runs from elsewhere.
func ExemptImages() []ExemptImage {
	return []ExemptImage{
		{"docker.io/goharbor/*", "the registry cannot serve its own images before it runs"},
		{"docker.io/kindest/*", "part of the node image"},
		{"docker.io/cloudflare/cloudflared", "the way to the registry leads through it"},
		{"docker.io/velero/*", "must start when the registry is lost"},
		{"docker.io/library/254carbon-portal", "built here and loaded into the nodes"},
		{"docker.io/254carbon/portal-services", "built here and loaded into the nodes"},
		{"docker.io/linkedin/datahub-frontend-react", "not yet on the list of images to mirror"},
		{"registry.k8s.io/*", "part of the cluster"},
		{"quay.io/prometheus-operator/*", "not from Docker Hub"},
		{"ghcr.io/kubeflow/*", "not from Docker Hub"},
		{"ghcr.io/kyverno/*", "not from Docker Hub"},
	}
}

// mirrored is where an image is found in the platform's registry, if it is one of those that are mirrored.
func mirrored(image string) string {
	for _, m := range oci.Images() {
		if m.Source == image {
			return HarborHost + "/" + HarborProject + "/" + m.Key + ":" + m.Tag()
		}
	}
	return image
}

// digestOf is the digest of an image, under whichever name: of the images that are mirrored it is the true one.
func digestOf(image string) string {
	for _, m := range oci.Images() {
		if image == m.Source || image == HarborHost+"/"+HarborProject+"/"+m.Key+":"+m.Tag() {
			return oci.Digest(m.Source)
		}
	}
	return digest("image " + image)
}

// imageID is what a runtime reports of an image: the digest, under the repository.
func imageID(image string) string {
	repository := repositoryOf(image)
	host, _, found := strings.Cut(repository, "/")
	switch {
	case !found:
		repository = "docker.io/library/" + repository
	case !strings.Contains(host, "."):
		repository = "docker.io/" + repository
	}
	return repository + "@" + digestOf(image)
}

// repositoryOf is an image without its tag.
func repositoryOf(image string) string {
	if i := strings.LastIndex(image, ":"); i > strings.LastIndex(image, "/") {
		return image[:i]
	}
	return image
}
