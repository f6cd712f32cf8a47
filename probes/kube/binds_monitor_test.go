package kube_test

import (
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/kube"
	"github.com/254carbon/gonogo/probes/kube/kubefake"
	"github.com/254carbon/gonogo/probes/probetest"
)

const watchers = doors + `
---
apiVersion: v1
kind: Namespace
metadata: {name: data-platform}
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: trino, namespace: monitoring}
spec: {selector: {matchLabels: {app: trino}}, namespaceSelector: {matchNames: [data-platform]}, endpoints: [{port: http}]}
---
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata: {name: pods, namespace: monitoring}
spec: {selector: {matchLabels: {app: trino}}, namespaceSelector: {any: true}, podMetricsEndpoints: [{port: http}]}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: trino-hpa, namespace: data-platform}
spec: {maxReplicas: 2, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: trino}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: trino, namespace: data-platform}
`

func TestMonitorsAndScalers(t *testing.T) {
	params := kube.BindsParams{Monitors: &kube.Scope{}, Scalers: &kube.Scope{}}
	labelled := edit("Service", "trino", set(object{"app": "trino"}, "metadata", "labels"))
	world := func(changes ...change) func(*testing.T) probes.Probe {
		return bindsIn(watchers, params)(append([]change{labelled}, changes...)...)
	}
	monitor := func(v any, path ...string) change { return edit("ServiceMonitor", "trino", set(v, path...)) }
	fails := func(name string, says []string, changes ...change) probetest.World {
		return probetest.World{Name: name, New: world(changes...), Want: probes.Fail, Says: says}
	}
	monitors := schema.GroupVersionResource{Group: "monitoring.coreos.com", Version: "v1", Resource: "servicemonitors"}
	probetest.Suite{
		New:     world(),
		Hanging: func(*testing.T) probes.Probe { return kube.NewBinds(kubefake.New().Hang(), params) },
		Worlds: []probetest.World{
			fails("selects no service", []string{"servicemonitor monitoring/trino selects no service (app=trino-coordinator)"}, monitor(object{"app": "trino-coordinator"}, "spec", "selector", "matchLabels")),
			fails("looks in its own namespace", []string{"selects no service"}, monitor(object{}, "spec", "namespaceSelector")),
			fails("no such port", []string{"service data-platform/trino, which has no port named metrics-jmx (it has http, metrics)"}, monitor([]any{object{"port": "metrics-jmx"}}, "spec", "endpoints")),
			fails("no endpoint", []string{"which has no ready endpoint"}, monitor([]any{object{"targetPort": int64(1)}}, "spec", "endpoints"), removeKind("EndpointSlice")),
			fails("names no port", []string{"names no port"}, monitor([]any{}, "spec", "endpoints")),
			fails("selects no pod", []string{"podmonitor monitoring/pods selects no pod (app=trinity)"}, edit("PodMonitor", "pods", set(object{"app": "trinity"}, "spec", "selector", "matchLabels"))),
			fails("no operator", []string{"does not serve servicemonitors.monitoring.coreos.com", "not installed"}, removeKind("ServiceMonitor"), removeKind("PodMonitor")),
			fails("the target is gone", []string{"autoscaler data-platform/trino-hpa has no target: deployment trino does not exist"}, remove("Deployment", "trino")),
			fails("no autoscaler", []string{"no autoscaler"}, removeKind("HorizontalPodAutoscaler")),
			{Name: "any port", New: world(monitor([]any{object{"targetPort": "http"}}, "spec", "endpoints")), Want: probes.Pass},
		},
		Errors: []probetest.Failure{
			{Name: "monitors not allowed", Is: apierrors.IsForbidden, Says: []string{"servicemonitors"}, New: func(t *testing.T) probes.Probe {
				return kube.NewBinds(clusterOf(t, watchers).Forbid(monitors), params)
			}},
			{Name: "of another shape", Says: []string{"decoding servicemonitor"}, New: world(monitor("all", "spec", "selector"))},
		},
	}.Run(t)
}
