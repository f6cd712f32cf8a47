package mirror

import (
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const someDigest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestNames(t *testing.T) {
	for reference, want := range map[string][3]string{
		"redis":                              {"docker.io/library/redis", "latest", "docker.io/library/redis:latest"},
		"redis:7.2":                          {"docker.io/library/redis", "7.2", "docker.io/library/redis:7.2"},
		"docker.io/library/redis:7.2":        {"docker.io/library/redis", "7.2", "docker.io/library/redis:7.2"},
		"index.docker.io/grafana/grafana:1":  {"docker.io/grafana/grafana", "1", "docker.io/grafana/grafana:1"},
		"quay.io/a/b@" + someDigest:          {"quay.io/a/b", digestTag(someDigest), "quay.io/a/b@" + someDigest},
		"quay.io/a/b:v1@" + someDigest:       {"quay.io/a/b", "v1", "quay.io/a/b:v1"},
		"localhost:5000/x/y:z":               {"localhost__5000/x/y", "z", "localhost:5000/x/y:z"},
		"registry.example:8443/deep/er/x:1.": {"", "", ""},
	} {
		repository, tag, _, err := nameOf(reference)
		if want[0] == "" {
			continue // some parsers take it, some do not; it must not panic
		}
		if err != nil || repository != want[0] || tag != want[1] {
			t.Errorf("%s: %s, %s, %v", reference, repository, tag, err)
		}
		if back, ok := Original(repository, tag); !ok || back != want[2] {
			t.Errorf("%s leads back to %s, %v", reference, back, ok)
		}
	}
	if _, ok := Original("grafana", "10"); ok {
		t.Error("a name that the profile gave leads nowhere")
	}
	if full("redis:7") != full("docker.io/library/redis:7") || full("redis:7") == full("redis:8") || full("a/b@"+someDigest) == full("a/b") {
		t.Error("full names do not tell images apart")
	}
}

func FuzzNames(f *testing.F) {
	for _, seed := range []string{"redis", "a.b:5000/c/d:e", "quay.io/x@" + someDigest, "localhost/x", "a__b/c", "x.y/z__w:1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, reference string) {
		repository, tag, digest, err := nameOf(reference)
		if err != nil {
			return
		}
		back, ok := Original(repository, tag)
		if !ok {
			t.Fatalf("%q has the name %s:%s, which leads nowhere", reference, repository, tag)
		}
		there, err := name.ParseReference(back)
		if err != nil {
			t.Fatalf("%q leads back to %q, which is none: %v", reference, back, err)
		}
		ref, _ := name.ParseReference(reference)
		if there.Context().Name() != ref.Context().Name() {
			t.Errorf("%q leads back to %q", reference, back)
		}
		if digest != "" && strings.HasPrefix(tag, byDigestOnly) && !strings.HasSuffix(back, digest) && tagOf(reference, "") == "latest" {
			t.Errorf("%q leads back to %q", reference, back)
		}
	})
}

func TestWhatIsLeftAlone(t *testing.T) {
	a := action{Params: *Info().Params().(*Params)}
	workload := func(namespace string, metadata map[string]any, image string) Workload {
		metadata["name"], metadata["namespace"] = "x", namespace
		return Workload{
			Kind: "Deployment", Namespace: namespace, Name: "x", Containers: []Container{{Name: "x", Image: image}},
			object: &unstructured.Unstructured{Object: map[string]any{"metadata": metadata, "spec": map[string]any{}}},
		}
	}
	for says, w := range map[string]Workload{
		"":                 workload("apps", map[string]any{}, "redis:7"),
		"registry needs":   workload("kube-system", map[string]any{}, "redis:7"),
		"Argo CD manages":  workload("apps", map[string]any{"labels": map[string]any{"argocd.argoproj.io/instance": "x"}}, "redis:7"),
		"Argo CD":          workload("apps", map[string]any{"annotations": map[string]any{"argocd.argoproj.io/tracking-id": "x"}}, "redis:7"),
		"Flux manages":     workload("apps", map[string]any{"labels": map[string]any{"kustomize.toolkit.fluxcd.io/name": "x"}}, "redis:7"),
		"Helm manages":     workload("apps", map[string]any{"labels": map[string]any{"app.kubernetes.io/managed-by": "Helm"}}, "redis:7"),
		"Helm":             workload("apps", map[string]any{"annotations": map[string]any{"meta.helm.sh/release-name": "x"}}, "redis:7"),
		"a part of Harbor": workload("apps", map[string]any{}, "goharbor/harbor-core:v2"),
		"Prometheus k8s makes it": workload("apps", map[string]any{"ownerReferences": []any{
			map[string]any{"kind": "Prometheus", "name": "k8s", "controller": true, "apiVersion": "v1", "uid": "u"},
		}}, "redis:7"),
	} {
		if got := a.spared(w, nil); says == "" && got != "" || !strings.Contains(got, says) {
			t.Errorf("got %q, want %q", got, says)
		}
		if got := a.spared(w, []string{w.Namespace + "/x"}); got != "" {
			t.Errorf("forced: %q", got)
		}
	}
}

func TestPatternsOfExemptions(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"docker.io/goharbor/*", "docker.io/goharbor/core", true}, {"docker.io/goharbor/*", "docker.io/x/goharbor/core", false},
		{"*/redis", "docker.io/library/redis", true}, {"a*b*c", "aXbYc", true}, {"a*b*c", "aXc", false}, {"a", "a", true}, {"a", "ab", false}, {"*", "", true},
	} {
		if matches(c.pattern, c.text) != c.want {
			t.Errorf("%s over %s is %v", c.pattern, c.text, !c.want)
		}
	}
}
