package kube_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/kube"
	"github.com/254carbon/gonogo/probes/kube/kubefake"
	"github.com/254carbon/gonogo/probes/probetest"
)

func namespace(name string, labels object) object {
	return object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": name, "labels": labels}}
}

func objectsProbe(p kube.ObjectsParams, c *kubefake.Cluster) func(*testing.T) probes.Probe {
	return func(t *testing.T) probes.Probe {
		t.Helper()
		now := func() time.Time { return time.Date(2025, 10, 20, 12, 0, 0, 0, time.UTC) }
		probe, err := kube.NewObjects(c, p, now)
		if err != nil {
			t.Fatal(err)
		}
		return probe
	}
}

const podSecurity = `has(object.metadata.labels) && 'pod-security.kubernetes.io/enforce' in object.metadata.labels ? '' : 'has no Pod Security label'`

func TestObjectsEach(t *testing.T) {
	enforced := object{"pod-security.kubernetes.io/enforce": "baseline", "workload": "yes"}
	p := kube.ObjectsParams{Resource: "v1/namespaces", Selector: "workload=yes", Each: podSecurity, Want: "an enforced level"}
	in := func(objects ...object) func(*testing.T) probes.Probe {
		return objectsProbe(p, kubefake.New(objects...))
	}
	allowed := p
	allowed.AllowEmpty = true
	plain := kube.ObjectsParams{Resource: "v1/namespaces", Each: "object.metadata.name.startsWith('data')"}
	strict := kube.ObjectsParams{Resource: "v1/namespaces", Each: "object.metadata.labels['x'] == 'y'"}
	costly := kube.ObjectsParams{Resource: "v1/namespaces", Each: "objects.all(a, objects.all(b, objects.all(c, objects.all(d, objects.all(e, a.metadata.name != '')))))"}
	odd := kube.ObjectsParams{Resource: "v1/namespaces", Each: "object.metadata.generation"}
	var many []object
	for range 60 {
		many = append(many, namespace("x", nil))
	}
	namespaces := schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	one := kubefake.New(namespace("a", nil))
	probetest.Suite{
		New:     in(namespace("data-platform", enforced), namespace("other", nil)),
		Hanging: objectsProbe(p, kubefake.New().Hang()),
		Worlds: []probetest.World{
			{Name: "one does not hold", New: in(namespace("data-platform", object{"workload": "yes"}), namespace("vault-prod", enforced)), Want: probes.Fail,
				Says: []string{"data-platform has no Pod Security label", "1 of 2", "an enforced level"}, Shows: []string{"namespace data-platform"}},
			{Name: "none there", New: in(), Want: probes.Fail, Says: []string{"no objects found"}},
			{Name: "none that match", New: in(namespace("a", nil)), Want: probes.Fail, Says: []string{"no objects found"}},
			{Name: "none there and that is well", New: objectsProbe(allowed, kubefake.New()), Want: probes.Pass},
			{Name: "a bool", New: objectsProbe(plain, one), Want: probes.Fail, Says: []string{"a (1 of 1 object)"}, Shows: []string{"does not hold"}},
		},
		Errors: []probetest.Failure{
			{Name: "a field that is not there", New: objectsProbe(strict, one), Says: []string{"namespace a", "evaluating each", "no such key"}},
			{Name: "too costly", New: objectsProbe(costly, kubefake.New(many...)), Says: []string{"cost"}},
			{Name: "neither bool nor string", New: objectsProbe(odd, kubefake.New(func() object {
				n := namespace("a", nil)
				n["metadata"].(object)["generation"] = int64(3)
				return n
			}())), Says: []string{"int"}},
			{Name: "not allowed", New: objectsProbe(p, kubefake.New().Forbid(namespaces)), Is: apierrors.IsForbidden, Says: []string{"listing namespaces"}},
		},
	}.Run(t)
}

func TestObjectsExpr(t *testing.T) {
	prom := func(status string) object {
		return object{
			"apiVersion": "monitoring.coreos.com/v1", "kind": "Prometheus", "metadata": object{"name": "k8s", "namespace": "monitoring"},
			"status": object{"conditions": []any{condition("Available", status, "", "")}},
		}
	}
	p := kube.ObjectsParams{
		Resource: "monitoring.coreos.com/v1/prometheuses", Namespace: "monitoring",
		With: map[string]kube.Collection{"operators": {Resource: "apps/v1/deployments", Namespace: "monitoring", Selector: "app=operator"}},
		Expr: `!operators.exists(o, o.status.readyReplicas > 0) ? 'the operator is not ready' :
  !objects.exists(o, o.status.conditions.exists(c, c.type == 'Available' && c.status == 'True')) ? 'no Prometheus is Available' : ''`,
	}
	operator := deployment("operator", "quay.io/prometheus-operator/prometheus-operator:v0.86.1", 1)
	in := func(list ...object) func(*testing.T) probes.Probe { return objectsProbe(p, kubefake.New(list...)) }
	age := kube.ObjectsParams{Resource: "v1/namespaces", Expr: "objects.all(o, now - timestamp(o.metadata.creationTimestamp) < duration('24h'))"}
	old := namespace("old", nil)
	old["metadata"].(object)["creationTimestamp"] = "2025-10-19T11:59:59Z"
	young := namespace("young", nil)
	young["metadata"].(object)["creationTimestamp"] = "2025-10-19T12:00:01Z"
	probetest.Suite{
		New:     in(append(operator, prom("True"))...),
		Hanging: objectsProbe(p, kubefake.New().Hang()),
		Worlds: []probetest.World{
			{Name: "operator gone", New: in(prom("True")), Want: probes.Fail, Says: []string{"the operator is not ready"}},
			{Name: "not available", New: in(append(operator[:1:1], prom("False"))...), Want: probes.Fail, Says: []string{"no Prometheus is Available"}, Shows: []string{"k8s"}},
			{Name: "definition not installed", New: in(operator...), Want: probes.Fail, Says: []string{"no Prometheus"}, Shows: []string{"does not serve"}},
			{Name: "by the clock", New: objectsProbe(age, kubefake.New(young)), Want: probes.Pass},
			{Name: "by the clock, too old", New: objectsProbe(age, kubefake.New(young, old)), Want: probes.Fail, Says: []string{"2 objects", "24h"}},
		},
		Errors: []probetest.Failure{
			{Name: "not all seen, holds", New: objectsProbe(age, kubefake.New(young).Narrow("only the namespaces a, b")), Says: []string{"only the namespaces a, b"}},
			{Name: "not all seen, does not hold", New: objectsProbe(age, kubefake.New(old).Narrow("only the namespaces a, b")), Says: []string{"only the namespaces a, b"}},
			{Name: "of nothing that is served everything holds", Says: []string{"does not serve example.com/v1/widgets"},
				New: objectsProbe(kube.ObjectsParams{Resource: "example.com/v1/widgets", Expr: "objects.all(o, o.ready)"}, kubefake.New())},
		},
	}.Run(t)
}

func TestObjectsParams(t *testing.T) {
	for _, c := range []struct {
		name string
		p    kube.ObjectsParams
		says string // empty: valid
	}{
		{"whole", kube.ObjectsParams{Resource: "v1/pods", Expr: "true"}, ""},
		{"group", kube.ObjectsParams{Resource: "apps/v1/deployments", Each: "object.spec.replicas > 1"}, ""},
		{"optional types", kube.ObjectsParams{Resource: "v1/pods", Each: "object.?spec.nodeName.orValue('') != ''"}, ""},
		{"no version", kube.ObjectsParams{Resource: "pods", Expr: "true"}, "group/version/plural"},
		{"kind", kube.ObjectsParams{Resource: "apps/v1/Deployment", Expr: "true"}, "lower case"},
		{"secrets", kube.ObjectsParams{Resource: "v1/secrets", Expr: "true"}, "do not read secrets"},
		{"secrets by the back door", kube.ObjectsParams{Resource: "v1/pods", Expr: "true", With: map[string]kube.Collection{"s": {Resource: "v1/secrets"}}}, "do not read secrets"},
		{"selector", kube.ObjectsParams{Resource: "v1/pods", Selector: "a in", Expr: "true"}, "selector"},
		{"neither", kube.ObjectsParams{Resource: "v1/pods"}, "either expr or each"},
		{"both", kube.ObjectsParams{Resource: "v1/pods", Expr: "true", Each: "true"}, "either expr or each"},
		{"empty for expr", kube.ObjectsParams{Resource: "v1/pods", Expr: "true", AllowEmpty: true}, "allowEmpty"},
		{"unknown name", kube.ObjectsParams{Resource: "v1/pods", Expr: "true &&\n  objectz.size() > 0"}, "expr:2:3: undeclared reference to 'objectz'"},
		{"syntax", kube.ObjectsParams{Resource: "v1/pods", Each: "object.("}, "each:1:8"},
		{"a number", kube.ObjectsParams{Resource: "v1/pods", Expr: "size(objects)"}, "it yields a int"},
		{"object in expr", kube.ObjectsParams{Resource: "v1/pods", Expr: "object.x"}, "undeclared reference to 'object'"},
		{"reserved", kube.ObjectsParams{Resource: "v1/pods", Expr: "true", With: map[string]kube.Collection{"now": {Resource: "v1/pods"}}}, "cannot be the name"},
	} {
		err := c.p.Validate()
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.name, err, c.says)
		}
	}
}

// TestObjectsEndsWithContext holds that an expression that runs long is interrupted.
func TestObjectsEndsWithContext(t *testing.T) {
	var many []object
	for range 2000 {
		many = append(many, namespace("x", nil))
	}
	p := kube.ObjectsParams{Resource: "v1/namespaces", Expr: "objects.all(a, objects.all(b, a.metadata.name == b.metadata.name))"}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := objectsProbe(p, kubefake.New(many...))(t).Observe(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > time.Second {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
}

func TestKinds(t *testing.T) {
	for _, k := range []probes.KindInfo{kube.NodesInfo(), kube.HPAInfo(), kube.WorkloadsInfo(), kube.InventoryInfo(), kube.ObjectsInfo()} {
		if k.Name == "" || k.About == "" || k.Connection != "kubernetes" || !k.OnChange || k.Every <= 0 || k.Timeout <= 0 || k.Confirm < 1 {
			t.Errorf("%+v is not whole", k)
		}
		if _, ok := k.Params().(interface{ Validate() error }); !ok {
			t.Errorf("%s: its parameters cannot be validated", k.Name)
		}
	}
}
