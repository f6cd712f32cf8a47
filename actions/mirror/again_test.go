package mirror_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/actions/mirror"
	"github.com/254carbon/gonogo/internal/sim/kubeapi"
)

var (
	depl = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	secr = schema.GroupVersionResource{Version: "v1", Resource: "secrets"}
)

func setImage(o map[string]any, image string) {
	o["spec"].(map[string]any)["template"].(map[string]any)["spec"].(map[string]any)["containers"].([]any)[0].(map[string]any)["image"] = image
}

func podSpec(t *testing.T, w *world, name string) string {
	o, err := w.Kube.Get(depl, "data-platform", name)
	must(t, err)
	text, _ := json.Marshal(o["spec"].(map[string]any)["template"].(map[string]any)["spec"])
	return string(text)
}

func TestASecondRewriteKeepsThePullSecret(t *testing.T) {
	w := start(t, false)
	if f := w.carry(t, w.plan(t, actions.Inputs{"apply": "true"}), 1, &said{}, nil); len(f) > 0 {
		t.Fatal(f)
	}
	change(t, w, depl, "data-platform", "redis", func(o map[string]any) { setImage(o, "redis:7.2") })
	p := w.plan(t, actions.Inputs{"apply": "true"})
	if f := w.carry(t, p, 1, &said{}, nil); len(f) > 0 {
		t.Error(f)
	}
	if s := podSpec(t, w, "redis"); !strings.Contains(s, `"imagePullSecrets":[{"name":"harbor-credentials"}]`) {
		t.Errorf("the pull secret is gone: %s", s)
	}
}

func TestTheSameTagWithAnotherDigestIsAnotherImage(t *testing.T) {
	w := start(t, false)
	const other = "redis:7.2@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	change(t, w, depl, "data-platform", "redis", func(o map[string]any) { setImage(o, other) })
	p := w.plan(t, actions.Inputs{"apply": "true"})
	copied := false
	for _, s := range p.Steps {
		if s.Group == "copy" && strings.Contains(string(s.Data), "sha256:aaaa") {
			copied = true
		}
		if s.ID == "rewrite Deployment data-platform/redis" && !copied {
			t.Errorf("points to a digest that no step copies: %v", s.Detail)
		}
	}
}

func TestAKustomizationLeavesOutWhatItCannotTellApart(t *testing.T) {
	w := start(t, false, func(p *mirror.Params, _ *mirror.Deps) {
		for _, i := range p.Declared.Images {
			if i.Key == "redis" {
				i.Key, i.Source = "redis6", "redis:6.2"
				p.Declared.Images = append(slices.Clone(p.Declared.Images), i)
				break
			}
		}
	})
	change(t, w, depl, "data-platform", "trino-worker", func(o map[string]any) { setImage(o, "redis:6.2") })
	folder := filepath.Join(t.TempDir(), "p")
	in, err := w.action.Spec().Settle(actions.Inputs{"folder": folder})
	must(t, err)
	p, err := w.action.Plan(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	p.Inputs = in
	for _, s := range p.Steps {
		if s.ID == "patches" {
			d, err := w.action.Open(t.Context(), p, t.TempDir())
			must(t, err)
			must(t, d.Do(t.Context(), s, &said{}))
			must(t, d.Close())
		}
	}
	text, err := os.ReadFile(filepath.Join(folder, "kustomization.yaml"))
	must(t, err)
	if strings.Contains(string(text), "name: redis\n") || !slices.ContainsFunc(p.Notes, func(n string) bool {
		return strings.Contains(n, "cannot tell apart; the patch of each workload has it: redis")
	}) {
		t.Errorf("%s\n%v", text, p.Notes)
	}
}

func TestAPullSecretKeepsOtherLogins(t *testing.T) {
	w := start(t, false)
	cfg := `{"auths":{"ghcr.io":{"auth":"dTpw"},"harbor.254carbon.com":{"auth":"eDp5"}}}`
	_, err := w.Kube.Apply(map[string]any{"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
		"metadata": map[string]any{"namespace": "data-platform", "name": "harbor-credentials"},
		"data":     map[string]any{".dockerconfigjson": base64.StdEncoding.EncodeToString([]byte(cfg))}})
	must(t, err)
	w.carry(t, w.plan(t, actions.Inputs{"apply": "true"}), 1, &said{}, nil)
	o, err := w.Kube.Get(secr, "data-platform", "harbor-credentials")
	must(t, err)
	raw, _ := base64.StdEncoding.DecodeString(o["data"].(map[string]any)[".dockerconfigjson"].(string))
	if !strings.Contains(string(raw), "ghcr.io") {
		t.Errorf("the login at ghcr.io is gone")
	}
}

func TestAPodOfAnotherRunProvesNoPull(t *testing.T) {
	w := start(t, false)
	in := actions.Inputs{"apply": "true"}
	p := w.plan(t, in)
	nodes, err := w.Kube.List(schema.GroupVersionResource{Version: "v1", Resource: "nodes"}, "", nil)
	must(t, err)
	for _, n := range nodes { // left by a run of another image that was killed and never resumed
		name := n["metadata"].(map[string]any)["name"].(string)
		_, err := w.Kube.Apply(map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"namespace": "default", "name": "gonogo-pull-" + strings.ToLower(name), "labels": map[string]any{"gonogo.254carbon.com/canary": "mirror"}},
			"spec": map[string]any{"nodeName": name, "containers": []any{map[string]any{"name": "pull", "image": "old.example/x:1"}}}, "status": map[string]any{"phase": "Succeeded", "containerStatuses": []any{map[string]any{"name": "pull", "state": map[string]any{"terminated": map[string]any{"exitCode": int64(0)}}}}}})
		must(t, err)
	}
	for _, s := range p.Steps {
		if s.ID == "canary" { // nothing was copied, no pull secret exists: the try must fail
			d, err := w.action.Open(t.Context(), p, t.TempDir())
			must(t, err)
			if err := d.Do(t.Context(), s, &said{}); err == nil {
				t.Errorf("a stale pod counts as a pull of an image that is not there")
			}
			must(t, d.Close())
		}
	}
}

func change(t *testing.T, w *world, gvr schema.GroupVersionResource, ns, name string, f func(map[string]any)) {
	t.Helper()
	_, err := w.Kube.Mutate(gvr, ns, name, func(o kubeapi.Object) { f(o) })
	must(t, err)
}

func TestAContainerThatComesLaterCostsTheOthersNothing(t *testing.T) {
	w := start(t, false, func(p *mirror.Params, _ *mirror.Deps) { p.Rollout = 3e9 })
	in := actions.Inputs{"apply": "true"}
	if f := w.carry(t, w.plan(t, in), 1, &said{}, nil); len(f) > 0 {
		t.Fatal(f)
	}
	change(t, w, depl, "data-platform", "redis", func(o map[string]any) {
		spec := o["spec"].(map[string]any)["template"].(map[string]any)["spec"].(map[string]any)
		spec["containers"] = append(spec["containers"].([]any), map[string]any{"name": "side", "image": "busybox:latest"})
	})
	if f := w.carry(t, w.plan(t, in), 1, &said{}, nil); len(f) > 0 {
		t.Error(f)
	}
	if s := podSpec(t, w, "redis"); strings.Count(s, `"image":`) != 2 {
		t.Errorf("a container has no image: %s", s)
	}
}

func TestImagesOfManifestsAreMirroredToo(t *testing.T) {
	folder := t.TempDir()
	must(t, os.WriteFile(filepath.Join(folder, "cron.yaml"), []byte(`apiVersion: v1
kind: ConfigMap
metadata: {name: x}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: a, image: "treeverse/lakefs:v1.26.0"}, {name: b, image: "nginx:1.29@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"}]}}}}}
`), 0o600))
	must(t, os.WriteFile(filepath.Join(folder, "values.yaml"), []byte("{{ not: yaml"), 0o600))
	p := start(t, false).plan(t, actions.Inputs{"manifests": folder})
	if !slices.ContainsFunc(p.Steps, func(s actions.Step) bool {
		return strings.HasPrefix(s.Target, "harbor.254carbon.com/254carbon/docker.io/library/nginx:digest-sha256-bbbb")
	}) {
		t.Errorf("%s", p.Summary)
	}
	w := start(t, false)
	in, err := w.action.Spec().Settle(actions.Inputs{"manifests": "/nowhere/at/all"})
	must(t, err)
	if _, err := w.action.Plan(t.Context(), in); err == nil || !strings.Contains(err.Error(), "reading the manifests of /nowhere/at/all") {
		t.Errorf("%v", err)
	}
}

func TestACredentialInAFolder(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "robot")
	w := start(t, false, func(p *mirror.Params, _ *mirror.Deps) { p.Credential, p.Folder = "", folder })
	p := w.plan(t, nil)
	if p.Steps[0].ID != "robot" || !strings.Contains(p.Steps[0].Target, "folder "+folder) {
		t.Fatalf("%+v", p.Steps[0])
	}
	p.Steps = p.Steps[:2]
	if failed := w.carry(t, p, 2, &said{}, nil); len(failed) > 0 {
		t.Fatal(failed)
	}
	info, err := os.Stat(filepath.Join(folder, "password"))
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("others may read it: %v", info.Mode())
	}
	if again := w.plan(t, nil); again.Steps[0].ID == "robot" {
		t.Errorf("it is not found again: %+v", again.Steps[0])
	}
}

func TestNamesByATemplate(t *testing.T) {
	template := func(name string) *world {
		w := start(t, false, func(p *mirror.Params, _ *mirror.Deps) { p.Name = name })
		change(t, w, depl, "data-platform", "redis", func(o map[string]any) { setImage(o, "nginx:1.29") })
		change(t, w, depl, "data-platform", "lakefs", func(o map[string]any) { setImage(o, "quay.io/library/nginx:1.29") })
		return w
	}
	in := actions.Inputs{}
	w := template("copies/{host}/{repository}")
	w.params.Origins = []string{"docker.io"}
	settled, err := w.action.Spec().Settle(in)
	must(t, err)
	if _, err := w.action.Plan(t.Context(), settled); err == nil || !strings.Contains(err.Error(), "nginx:1.29") { // which is not among the simulated originals
		t.Errorf("%v", err)
	}
	for says, change := range map[string]func(*mirror.Params){
		"lacks {repository}":    func(p *mirror.Params) { p.Name = "{host}" },
		"one of the two":        func(p *mirror.Params) { p.Folder = "/x" },
		"no absolute path":      func(p *mirror.Params) { p.Credential, p.Folder = "", "x" },
		"push \"a/b\" is not a": func(p *mirror.Params) { p.Push = "a/b" },
	} {
		p := mirror.Info().Params().(*mirror.Params)
		p.Project, p.Credential = "x", "a/b"
		change(p)
		if err := p.Validate(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %q", err, says)
		}
	}
}
