package apply_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/actions/actiontest"
	"github.com/254carbon/gonogo/actions/apply"
	"github.com/254carbon/gonogo/internal/sim"
	"github.com/254carbon/gonogo/internal/sim/simtest"
	"github.com/254carbon/gonogo/probes"
)

var (
	scalers    = schema.GroupVersionResource{Group: "autoscaling", Version: "v2", Resource: "horizontalpodautoscalers"}
	configMaps = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
)

// world is the simulated platform with the action over it, and a folder as its checkout.
type world struct {
	simtest.World
	params apply.Params
	deps   apply.Deps
	folder string
}

func start(t *testing.T) *world {
	t.Helper()
	base := simtest.Start(t, sim.Options{Tick: 100 * time.Millisecond})
	declared, _ := base.Profile.Action("apply")
	w := &world{World: base, params: *declared.Params.(*apply.Params), folder: t.TempDir()}
	w.params.Patience = 5 * time.Second
	w.deps = apply.Deps{
		Cluster: base.Platform.Cluster.Writer(), Folder: func() (string, error) { return w.folder, nil }, Pause: simtest.Pause(20 * time.Millisecond),
	}
	return w
}

func (w *world) action() actions.Action {
	return apply.New(actions.Spec{ID: "apply", Kind: "apply", Title: "Apply"}, w.params, w.deps)
}

// try plans for manifests with a text.
func (w *world) try(t *testing.T, text string) (actions.Plan, error) {
	t.Helper()
	simtest.Must(t, os.WriteFile(filepath.Join(w.folder, "m.yaml"), []byte(text), 0o600))
	w.params.Objects = nil
	in, err := w.action().Spec().Settle(actions.Inputs{"files": "*.yaml"})
	simtest.Must(t, err)
	p, err := w.action().Plan(t.Context(), in)
	p.Inputs = in
	return p, err
}

// damage takes one autoscaler away and lets the other one grow.
func (w *world) damage(t *testing.T) {
	t.Helper()
	simtest.Must(t, w.Kube.Delete(scalers, "data-platform", "trino-hpa"))
	_, err := w.Kube.Mutate(scalers, "data-platform", "superset-hpa", func(o map[string]any) {
		o["spec"].(map[string]any)["maxReplicas"] = int64(40)
		o["metadata"].(map[string]any)["annotations"] = map[string]any{"note": "kept"}
	})
	simtest.Must(t, err)
}

func TestAutoscalersAreActivated(t *testing.T) {
	var w *world
	actiontest.Suite(t, actiontest.Options{
		New:    func(t *testing.T) actions.Action { w = start(t); w.damage(t); return w.action() },
		Writes: func() int { return w.Writes() },
	})
	for _, id := range []probes.ID{"hpa-trino", "hpa-superset"} {
		if r := w.Ask(t, id); r.Status != probes.Pass {
			t.Errorf("%s: %s: %s (%v)", id, r.Status, r.Summary, r.Err)
		}
	}
	o, err := w.Kube.Get(scalers, "data-platform", "superset-hpa")
	simtest.Must(t, err)
	if notes, _ := o["metadata"].(map[string]any)["annotations"].(map[string]any); notes["note"] != "kept" {
		t.Error("what the manifest does not name was changed")
	}
}

func TestThePlanIsADifference(t *testing.T) {
	w := start(t)
	w.damage(t)
	p, err := w.action().Plan(t.Context(), nil)
	simtest.Must(t, err)
	var got []string
	for _, s := range p.Steps {
		got = append(got, s.Effect.String()+" "+s.Target+": "+strings.Join(s.Detail, "; "))
	}
	want := []string{
		`creates data-platform/trino-hpa: spec.maxReplicas: 5; spec.metrics: [{"resource":{"name":"cpu","target":{"averageUtilization":70,"type":"Utilization"}},"type":"Resource"},{"resource":{"na…; ` +
			"spec.minReplicas: 2; spec.scaleTargetRef.apiVersion: apps/v1; spec.scaleTargetRef.kind: Deployment; spec.scaleTargetRef.name: trino-worker",
		"updates data-platform/superset-hpa: spec.maxReplicas: 40 → 4",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// lonely is what the platform has for PostgreSQL's availability: two pods, each with a database of its own, behind one Service.
const lonely = `
apiVersion: v1
kind: Service
metadata: {name: postgres-shared-service, namespace: data-platform}
spec: {selector: {app: postgres-shared}, ports: [{port: 5432}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: postgres-shared, namespace: data-platform}
spec:
  replicas: 2
  serviceName: postgres-shared-headless
  selector: {matchLabels: {app: postgres-shared}}
  template:
    metadata: {labels: {app: postgres-shared}}
    spec:
      containers:
      - name: postgres
        image: postgres:15
        env: [{name: POSTGRES_DB, value: datahub}, {name: POSTGRES_HOST_AUTH_METHOD, value: trust}]
      %s
`

func TestTwoUnrelatedDatabasesAreRefused(t *testing.T) {
	w := start(t)
	_, err := w.try(t, fmt.Sprintf(lonely, ""))
	var refused *actions.RefusedError
	if !errors.As(err, &refused) {
		t.Fatalf("%v", err)
	}
	for _, says := range []string{"StatefulSet data-platform/postgres-shared has 2 replicas of PostgreSQL", "(postgres-shared-service)", "2 unrelated databases", "pg_basebackup"} {
		if !strings.Contains(err.Error(), says) {
			t.Errorf("%q does not say %q", err, says)
		}
	}
	// One that follows the other is none of that: its script says so, among the manifests or in the cluster.
	follows := fmt.Sprintf(lonely, "volumes: [{name: init, configMap: {name: init}}]")
	if _, err := w.try(t, follows+"\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: init, namespace: data-platform}\ndata: {a.sh: pg_basebackup -R}\n"); err != nil {
		t.Error(err)
	}
	if _, err := w.try(t, follows); !errors.As(err, &refused) {
		t.Errorf("%v", err)
	}
	_, err = w.Kube.Apply(map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"namespace": "data-platform", "name": "init"}, "data": map[string]any{"a": "primary_conninfo"}})
	simtest.Must(t, err)
	if _, err := w.try(t, follows); err != nil {
		t.Error(err)
	}
	if _, err := w.try(t, strings.Replace(fmt.Sprintf(lonely, ""), "replicas: 2", "replicas: 1", 1)); err != nil {
		t.Error(err)
	}
	// A script that runs once the database is there comes too late.
	initialised := strings.Replace(follows, "        image: postgres:15\n", "        image: postgres:15\n        volumeMounts: [{name: init, mountPath: /docker-entrypoint-initdb.d}]\n", 1)
	if _, err := w.try(t, initialised); !errors.As(err, &refused) {
		t.Errorf("%v", err)
	}
	// A manifest that only raises the number is judged by what would come of it.
	_, err = w.Kube.Apply(map[string]any{"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": map[string]any{"namespace": "data-platform", "name": "pg"}, "spec": map[string]any{
		"replicas": int64(1), "template": map[string]any{"spec": map[string]any{"containers": []any{map[string]any{"name": "p", "image": "postgres:15"}}}},
	}})
	simtest.Must(t, err)
	if _, err := w.try(t, "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: pg, namespace: data-platform}\nspec: {replicas: 2}\n"); !errors.As(err, &refused) {
		t.Errorf("%v", err)
	}
}

// What is up to date needs no step in read-only mode either.
func TestReadOnlyPlansNothingForWhatIsThere(t *testing.T) {
	w := start(t)
	w.deps.ReadOnly = true
	if p, err := w.action().Plan(t.Context(), nil); err != nil || len(p.Steps) > 0 || p.Already != 2 {
		t.Errorf("%+v %v", p.Steps, err)
	}
}

func TestManifestsAreReadStrictly(t *testing.T) {
	const head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: data-platform}\n"
	for says, text := range map[string]string{
		"it is a template: nobody has filled in {{ .Values.x }}": head + "data: {a: '{{ .Values.x }}'}",
		"nobody has filled in ${TUNNEL}":                         head + "data: {a: '${TUNNEL}'}",
		"it has no apiVersion or no kind":                        "kind: ConfigMap\nmetadata: {name: a}",
		"is another one each time: name it":                      "apiVersion: batch/v1\nkind: Job\nmetadata: {generateName: a-, namespace: x}",
		"a ConfigMap has no name":                                "apiVersion: v1\nkind: ConfigMap\nmetadata: {namespace: x}",
		"is there twice":                                         head + "---\n" + head,
		"names no namespace":                                     "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}",
		"document 1":                                             "a: [",
		"there is nothing to apply":                              "# nothing\n---\n",
	} {
		if _, err := start(t).try(t, text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %q", err, says)
		}
	}
	w := start(t)
	p, err := w.try(t, head+"---\napiVersion: doris.com/v1\nkind: DorisCluster\nmetadata: {name: d, namespace: data-platform}\n")
	if err != nil || !strings.Contains(strings.Join(p.Missing, "\n"), "the cluster serves no DorisCluster of doris.com/v1") {
		t.Errorf("%v %v", p.Missing, err)
	}
	for _, pattern := range []string{"/etc/passwd", "../x.yaml", "[", "none.yaml"} {
		if _, err := w.action().Plan(t.Context(), actions.Inputs{"files": pattern}); err == nil {
			t.Errorf("%s is read", pattern)
		}
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	w := start(t)
	p, err := w.try(t, "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: data-platform}\nstringData: {password: hunter22hunter22}\n")
	simtest.Must(t, err)
	text, err := json.Marshal(p)
	simtest.Must(t, err)
	if strings.Contains(string(text), "hunter22") || !strings.Contains(string(text), "stringData.password: (secret)") {
		t.Errorf("%s", text)
	}
	d, err := w.action().Open(t.Context(), p, t.TempDir())
	simtest.Must(t, err)
	simtest.Must(t, d.Do(t.Context(), p.Steps[0], &actiontest.Told{}))
	o, err := w.Kube.Get(schema.GroupVersionResource{Version: "v1", Resource: "secrets"}, "data-platform", "s")
	if err != nil || o["kind"] != "Secret" {
		t.Errorf("%v %v", o, err)
	}
}

func TestWhatSomethingElseManagesIsLeft(t *testing.T) {
	w := start(t)
	_, err := w.Kube.Apply(map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "data": map[string]any{"a": "1"}, "metadata": map[string]any{
		"namespace": "data-platform", "name": "a", "annotations": map[string]any{"meta.helm.sh/release-name": "x"},
	}})
	simtest.Must(t, err)
	p, err := w.try(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: data-platform}\ndata: {a: '2'}\n")
	if err != nil || len(p.Steps) > 0 || !strings.Contains(strings.Join(p.Notes, "\n"), "ConfigMap data-platform/a is left as it is (data.a: 1 → 2): Helm manages it") {
		t.Errorf("%+v %v", p, err)
	}
}

// An autoscaler that cannot scale is applied, and the step says why it fails.
func TestAnAutoscalerWithoutATarget(t *testing.T) {
	w := start(t)
	w.params.Patience = 300 * time.Millisecond
	p, err := w.try(t, "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: h, namespace: data-platform}\n"+
		"spec: {maxReplicas: 2, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: nobody}}\n")
	simtest.Must(t, err)
	d, err := w.action().Open(t.Context(), p, t.TempDir())
	simtest.Must(t, err)
	if err := d.Do(t.Context(), p.Steps[0], &actiontest.Told{}); err == nil || !strings.Contains(err.Error(), "does not scale: not within 300ms: FailedGetScale") {
		t.Errorf("%v", err)
	}
}

func TestInReadOnlyModeTheDifferenceIsItsOwn(t *testing.T) {
	w := start(t)
	w.damage(t)
	w.deps.ReadOnly = true
	p, err := w.action().Plan(t.Context(), nil)
	if err != nil || len(p.Steps) != 2 || !strings.Contains(strings.Join(p.Notes, "\n"), "the API server was not asked") {
		t.Errorf("%+v %v", p, err)
	}
	for _, r := range w.Requests() {
		if r.Method == "PATCH" {
			t.Errorf("it sent %s %s", r.Method, r.Path)
		}
	}
}

func TestParamsAreRefused(t *testing.T) {
	good := func() *apply.Params { return apply.Info().Params().(*apply.Params) }
	simtest.Must(t, good().Validate())
	for says, change := range map[string]func(*apply.Params){
		"patience must be longer": func(p *apply.Params) { p.Patience = 0 },
		"not a pattern of files":  func(p *apply.Params) { p.Files = []string{"../a"} },
		"number 1 is a Secret": func(p *apply.Params) {
			p.Objects = []map[string]any{{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "s"}}}
		},
		"objects: number 1: it ha": func(p *apply.Params) { p.Objects = []map[string]any{{"kind": "ConfigMap"}} },
	} {
		p := good()
		change(p)
		if err := p.Validate(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %q", err, says)
		}
	}
}
