package world

import (
	"strings"
)

// The registry that the platform mirrors images to.
const (
	HarborHost    = "harbor.254carbon.com"
	HarborProject = "254carbon"
)

// MirrorImages are the images that the platform wants in its own registry: 33 of them.
func MirrorImages() []string {
	return strings.Fields(`
registry.k8s.io/ingress-nginx/controller:v1.8.1
quay.io/jetstack/cert-manager-controller:v1.13.0
quay.io/jetstack/cert-manager-webhook:v1.13.0
quay.io/jetstack/cert-manager-cainjector:v1.13.0
prom/prometheus:v2.48.0
grafana/grafana:10.2.0
grafana/loki:2.9.3
grafana/promtail:2.9.3
prom/alertmanager:v0.26.0
amd64/doris:2.0.0
trinodb/trino:424
apache/superset:4.0.1
linkedin/datahub-gms:v0.12.0
minio/minio:RELEASE.2024-01-11T08-13-15Z
minio/mc:RELEASE.2024-01-11T03-23-48Z
hashicorp/vault:1.15.0
postgres:15.5
redis:7.2
confluentinc/cp-kafka:7.5.0
confluentinc/cp-zookeeper:7.5.0
confluentinc/cp-schema-registry:7.5.0
docker.elastic.co/elasticsearch/elasticsearch:8.10.2
docker.elastic.co/kibana/kibana:8.10.2
apache/dolphinscheduler:3.1.5
bitnami/spark:3.5.0
flink:1.17.1
apache/seatunnel:2.3.4
ghcr.io/tabulario/iceberg-rest:0.6.0
treeverse/lakefs:v1.26.0
ghcr.io/apache/hudi:hudi-0.13.0
busybox:latest
curlimages/curl:latest
alpine:latest`)
}

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
	for _, m := range MirrorImages() {
		if m == image {
			return HarborHost + "/" + HarborProject + "/" + image
		}
	}
	return image
}

// imageID is what a runtime reports of an image: the digest, under the repository.
func imageID(image string) string {
	repository, original := repositoryOf(image), strings.TrimPrefix(image, HarborHost+"/"+HarborProject+"/")
	host, _, found := strings.Cut(repository, "/")
	switch {
	case !found:
		repository = "docker.io/library/" + repository
	case !strings.Contains(host, "."):
		repository = "docker.io/" + repository
	}
	return repository + "@" + digest("image "+original)
}

// repositoryOf is an image without its tag.
func repositoryOf(image string) string {
	if i := strings.LastIndex(image, ":"); i > strings.LastIndex(image, "/") {
		return image[:i]
	}
	return image
}
