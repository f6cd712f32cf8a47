package kube

import (
	"strings"
	"testing"

	"github.com/254carbon/gonogo/probes"
)

func TestRepository(t *testing.T) {
	for image, want := range map[string]string{
		"nginx":                                "docker.io/library/nginx",
		"nginx:1.25":                           "docker.io/library/nginx",
		"index.docker.io/library/nginx:1":      "docker.io/library/nginx",
		"trinodb/trino:424@sha256:00":          "docker.io/trinodb/trino",
		"localhost:5000/trinodb/trino":         "localhost:5000/trinodb/trino",
		"localhost/trino:1":                    "localhost/trino",
		"registry:5000/a/b:2":                  "registry:5000/a/b",
		"docker.elastic.co/elasticsearch/es:8": "docker.elastic.co/elasticsearch/es",
		"ghcr.io/apache/hudi:hudi-0.13.0":      "ghcr.io/apache/hudi",
		"":                                     "docker.io/library/",
	} {
		if got := Repository(image); got != want {
			t.Errorf("%q: %q, want %q", image, got, want)
		}
	}
}

func TestSameRepository(t *testing.T) {
	var declared MirrorNames
	declared.Declare(probes.Declared{Images: []probes.Image{{Key: "ingress", Source: "registry.k8s.io/ingress-nginx/controller:v1"}, {Key: "web", Source: "nginx:1"}}})
	mirrors := mirrored{prefixes: []string{"harbor.254carbon.com/*", "mirror.example/deep/er/"}, names: declared.Names}
	for _, c := range []struct {
		image, declared string
		want            bool
	}{
		{"grafana/grafana:10.2.0", "grafana/grafana", true},
		{"docker.io/grafana/grafana:10.2.0", "grafana/grafana", true},
		{"nginx:1.25", "grafana/grafana", false},
		{"evil.example/grafana/grafana:10.2.0", "grafana/grafana", false},
		{"harbor.254carbon.com/platform/grafana/grafana:1", "grafana/grafana", true},
		{"harbor.254carbon.com/platform/docker.io/grafana/grafana@sha256:1", "grafana/grafana", true},
		{"harbor.254carbon.com/platform/nginx:1", "nginx", true},
		{"harbor.254carbon.com/platform/library/nginx:1", "nginx", true},
		{"harbor.254carbon.com/platform/quay.io/jetstack/cert-manager-controller:1", "quay.io/jetstack/cert-manager-controller", true},
		{"harbor.254carbon.com/platform/quay.io/grafana/grafana:1", "grafana/grafana", false},
		{"harbor.254carbon.com/platform/nginx:1", "grafana/grafana", false},
		{"harbor.254carbon.com/grafana:1", "grafana", false}, // no project
		{"mirror.example/deep/er/nginx", "nginx", true},
		{"mirror.example/deep/nginx", "nginx", false},
		{"harbor.254carbon.com/platform/ingress:v1", "registry.k8s.io/ingress-nginx/controller", true},
		{"harbor.254carbon.com/platform/web@sha256:1", "nginx", true},
		{"harbor.254carbon.com/platform/web:1", "registry.k8s.io/ingress-nginx/controller", false},
		{"harbor.254carbon.com/ingress:v1", "registry.k8s.io/ingress-nginx/controller", false}, // no project
		{"evil.example/platform/ingress:v1", "registry.k8s.io/ingress-nginx/controller", false},
	} {
		if got := sameRepository(c.image, c.declared, mirrors); got != c.want {
			t.Errorf("%s for %s: %v", c.image, c.declared, got)
		}
	}
}

func FuzzRepository(f *testing.F) {
	for _, seed := range []string{"", "a", "a:b", "a@b", "h.o:1/p:t@d", "///", ":", "@", "/:@"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, image string) {
		r := Repository(image)
		if strings.Contains(r, "@") {
			t.Errorf("%q keeps a digest: %q", image, r)
		}
		if !sameRepository(image, image, mirrored{}) {
			t.Errorf("%q is not itself", image)
		}
		below(r, "a/*/"+image)
	})
}
