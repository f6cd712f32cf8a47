//go:build e2e

package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/internal/labtest"
)

// operatorResource is one of the resources of the Prometheus Operator.
func operatorResource(plural string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "monitoring.coreos.com", Version: "v1", Resource: plural}
}

// defineOperator makes the API server serve the operator's resources, whatever stands in their specs.
func defineOperator(t *testing.T, lab *labtest.Lab) {
	t.Helper()
	definitions := lab.Dynamic().Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	for kind, plural := range map[string]string{"ServiceMonitor": "servicemonitors", "PodMonitor": "podmonitors", "Prometheus": "prometheuses"} {
		_, err := definitions.Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": map[string]any{"name": plural + ".monitoring.coreos.com"},
			"spec": map[string]any{
				"group": "monitoring.coreos.com", "scope": "Namespaced",
				"names": map[string]any{"kind": kind, "plural": plural, "singular": strings.ToLower(kind)},
				"versions": []any{map[string]any{"name": "v1", "served": true, "storage": true, "schema": map[string]any{"openAPIV3Schema": map[string]any{
					"type": "object", "properties": map[string]any{"spec": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
				}}}},
			},
		}}, metav1.CreateOptions{})
		must(t, err)
		must(t, labtest.WaitFor(t.Context(), "waiting for "+plural, time.Minute, 200*time.Millisecond, func(ctx context.Context) (bool, error) {
			_, err := lab.Dynamic().Resource(operatorResource(plural)).List(ctx, metav1.ListOptions{})
			return err == nil, err
		}))
	}
}

// operate makes an object of the operator's.
func operate(t *testing.T, lab *labtest.Lab, namespace, kind, plural, name string, spec map[string]any) {
	t.Helper()
	_, err := lab.Dynamic().Resource(operatorResource(plural)).Namespace(namespace).Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "monitoring.coreos.com/v1", "kind": kind, "metadata": map[string]any{"name": name}, "spec": spec,
	}}, metav1.CreateOptions{})
	must(t, err)
}

// TestMonitors follows monitors over a real API server to the scrape pools of a real Prometheus, called as the operator calls them.
func TestMonitors(t *testing.T) {
	t.Parallel()
	lab := sharedLab(t)
	const namespace = "monitored"
	document := scraped + checks(`
- {id: binds, title: t, probe: prometheus.monitors, weight: 1, with: {monitors: [{namespace: monitored, serviceMonitors: [web], podMonitors: [web]}]}}
- {id: mixed, title: t, probe: prometheus.monitors, weight: 1, with: {monitors: [{namespace: monitored, serviceMonitors: [web, down, unlabelled, no-port, unscraped, gone], podMonitors: [none]}]}}
`)
	s := newStation(t, kubeconfig(t, lab, labtest.Viewer), document)
	d, _ := s.check(t)
	d.want(t, "binds", "fail", "does not serve servicemonitors", "the Prometheus Operator is not installed")

	defineOperator(t, lab)
	for _, name := range []string{"web", "down"} {
		_, err := lab.Serve(t.Context(), labtest.Backend{Namespace: namespace, Name: name, Port: 9090, Target: lab.Prometheus()})
		must(t, err)
	}
	monitor := func(app, port string) map[string]any {
		return map[string]any{"selector": map[string]any{"matchLabels": map[string]any{"app": app}}, "endpoints": []any{map[string]any{"port": port}}}
	}
	pods := func(app, port string) map[string]any {
		return map[string]any{"selector": map[string]any{"matchLabels": map[string]any{"app": app}}, "podMetricsEndpoints": []any{map[string]any{"port": port}}}
	}
	operate(t, lab, namespace, "ServiceMonitor", "servicemonitors", "web", monitor("web", "http"))
	operate(t, lab, namespace, "PodMonitor", "podmonitors", "web", pods("web", "http"))
	d, _ = s.check(t)
	d.want(t, "binds", "fail", "no Prometheus object")
	everything := map[string]any{}
	operate(t, lab, namespace, "Prometheus", "prometheuses", "k8s", map[string]any{"serviceMonitorSelector": everything, "podMonitorSelector": everything})

	operate(t, lab, namespace, "ServiceMonitor", "servicemonitors", "down", monitor("down", "http"))
	operate(t, lab, namespace, "ServiceMonitor", "servicemonitors", "unlabelled", monitor("nobody", "http"))
	operate(t, lab, namespace, "ServiceMonitor", "servicemonitors", "no-port", monitor("web", "metrics"))
	operate(t, lab, namespace, "ServiceMonitor", "servicemonitors", "unscraped", monitor("web", "http"))
	operate(t, lab, namespace, "PodMonitor", "podmonitors", "none", pods("nobody", "http"))
	d, _ = s.check(t, "--read-only")
	d.want(t, "binds", "pass", "2 of 2 monitors bind, 2 targets up")
	d.want(t, "mixed", "fail", "6 of 7 monitors bind nothing", "down: target 127.0.0.1:1 is down", "unlabelled: no Service with app=nobody in monitored",
		"no-port: Service web has no port metrics, only http", "unscraped: Prometheus has no target of it", "gone: does not exist", "no running Pod with app=nobody")

	file, _ := serviceAccount(t, lab, "monitors", rbacv1.PolicyRule{
		APIGroups: []string{"monitoring.coreos.com"}, Resources: []string{"servicemonitors", "podmonitors", "prometheuses"}, Verbs: []string{"get", "list", "watch"},
	})
	d, _ = newStation(t, file, document).check(t)
	d.want(t, "binds", "unknown", "services")
}
