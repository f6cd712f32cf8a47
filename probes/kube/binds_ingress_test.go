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

const doors = `
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: nginx}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: trino-ingress, namespace: data-platform}
spec:
  ingressClassName: nginx
  rules:
  - host: trino.example.com
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: trino, port: {name: http}}}}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: lake-ingress, namespace: data-platform, annotations: {kubernetes.io/ingress.class: nginx}}
spec:
  rules:
  - host: "*.lake.example.com"
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: trino, port: {number: 8080}}}}]}
---
apiVersion: v1
kind: Service
metadata: {name: trino, namespace: data-platform}
spec: {selector: {app: trino}, ports: [{name: http, port: 8080, targetPort: http}, {name: metrics, port: 9090}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: trino-x, namespace: data-platform, labels: {kubernetes.io/service-name: trino}}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints:
- {addresses: [10.0.0.1], conditions: {ready: true}}
- {addresses: [10.0.0.2], conditions: {ready: false}}
---
apiVersion: v1
kind: Pod
metadata: {name: trino-0, namespace: data-platform, labels: {app: trino}}
status: {phase: Running, conditions: [{type: Ready, status: "True"}]}
`

func TestIngresses(t *testing.T) {
	params := kube.BindsParams{Ingresses: &kube.IngressPart{Hosts: []string{"trino.example.com", "a.lake.example.com"}}}
	world := bindsIn(doors, params)
	ready := func(value any) func(object) {
		return func(o object) { sub(at(o, 0, "endpoints"), "conditions")["ready"] = value }
	}
	service := func(o object) object {
		return sub(at(sub(at(o, 0, "spec", "rules"), "http"), 0, "paths"), "backend")
	}
	names := func(name string) func(object) {
		return func(o object) { service(o)["service"].(object)["name"] = name }
	}
	port := func(value object) func(object) {
		return func(o object) { service(o)["service"].(object)["port"] = value }
	}
	second := func(path string) string {
		return `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: second, namespace: other}
spec:
  ingressClassName: nginx
  rules: [{host: Trino.example.com, http: {paths: [{path: ` + path + `, pathType: Prefix, backend: {service: {name: trino, port: {name: http}}}}]}}]
---
apiVersion: v1
kind: Service
metadata: {name: trino, namespace: other}
spec: {ports: [{name: http, port: 8080}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: trino-y, namespace: other, labels: {kubernetes.io/service-name: trino}}
ports: [{name: http, port: 8080}]
endpoints: [{addresses: [10.0.0.9]}]`
	}
	fails := func(name string, says []string, changes ...change) probetest.World {
		return probetest.World{Name: name, New: world(changes...), Want: probes.Fail, Says: says}
	}
	gvr := func(group, plural string) schema.GroupVersionResource {
		return schema.GroupVersionResource{Group: group, Version: "v1", Resource: plural}
	}
	refused := func(name string, r schema.GroupVersionResource) probetest.Failure {
		return probetest.Failure{Name: name + " not allowed", Says: []string{r.Resource}, Is: apierrors.IsForbidden, New: func(t *testing.T) probes.Probe {
			return kube.NewBinds(clusterOf(t, doors).Forbid(r), params)
		}}
	}
	probetest.Suite{
		New:     world(),
		Hanging: func(*testing.T) probes.Probe { return kube.NewBinds(kubefake.New().Hang(), params) },
		Worlds: []probetest.World{
			fails("nothing there", []string{"trino.example.com: no Ingress has this host"}, removeKind("Ingress")),
			fails("the service is not there", []string{"trino.example.com: service data-platform/trino-coordinator does not exist"}, edit("Ingress", "trino-ingress", names("trino-coordinator"))),
			fails("the service is in another namespace", []string{"service data-platform/trino does not exist"}, edit("Service", "trino", set("other", "metadata", "namespace"))),
			fails("no such port", []string{"has no port web (it has http, metrics)"}, edit("Ingress", "trino-ingress", port(object{"name": "web"}))),
			fails("no such number", []string{"has no port 80 "}, edit("Ingress", "trino-ingress", port(object{"number": int64(80)}))),
			fails("no pod is selected", []string{"service data-platform/trino selects no pod (app=coordinator-trino; pods carry app=trino)"},
				edit("Service", "trino", set(object{"app": "coordinator-trino"}, "spec", "selector")), removeKind("EndpointSlice")),
			fails("no endpoint is ready", []string{"no ready endpoint (0 of 2 ready)"}, edit("EndpointSlice", "trino-x", ready(false))),
			fails("no slice", []string{"no ready endpoint (0 of 0 ready)"}, removeKind("EndpointSlice")),
			fails("no pod has the port", []string{"1 ready endpoint, and none serves its port metrics"}, edit("Ingress", "trino-ingress", port(object{"name": "metrics"}))),
			fails("slice of another service", []string{"no ready endpoint"}, edit("EndpointSlice", "trino-x", set(object{"kubernetes.io/service-name": "other"}, "metadata", "labels"))),
			fails("leads out of the cluster", []string{"out of the cluster, to example.org"},
				edit("Service", "trino", set("ExternalName", "spec", "type"), set("example.org", "spec", "externalName"))),
			fails("two own it", []string{"two Ingresses own it", "data-platform/trino-ingress", "other/second"}, add(second("/"))),
			fails("class is not there", []string{"class traefik, which does not exist"}, edit("Ingress", "trino-ingress", set("traefik", "spec", "ingressClassName"))),
			fails("no paths", []string{"it has no path"}, edit("Ingress", "trino-ingress", set([]any{object{"host": "trino.example.com"}}, "spec", "rules"))),
			fails("a bucket", []string{"storagebucket x is no Service"}, edit("Ingress", "trino-ingress", func(o object) {
				b := service(o)
				delete(b, "service")
				b["resource"] = object{"kind": "StorageBucket", "name": "x"}
			})),
			{Name: "no word on readiness is ready", New: world(edit("EndpointSlice", "trino-x", ready(nil))), Want: probes.Pass},
			{Name: "a pod of two address families is one", Want: probes.Pass, Shows: []string{"service data-platform/trino:http, 1 ready endpoint"}, New: world(edit("EndpointSlice", "trino-x", set([]any{
				object{"addresses": []any{"10.0.0.1"}, "targetRef": object{"kind": "Pod", "name": "trino-0"}},
				object{"addresses": []any{"fd00::1"}, "targetRef": object{"kind": "Pod", "name": "trino-0"}},
			}, "endpoints")))},
			{Name: "another path is another's", New: world(add(second("/ui"))), Want: probes.Pass, Shows: []string{"path /ui"}},
			{Name: "a canary is no owner", New: world(add(second("/")), edit("Ingress", "second", set(object{"nginx.ingress.kubernetes.io/canary": "true"}, "metadata", "annotations"))), Want: probes.Pass},
			{Name: "a challenge is no owner", New: world(add(second("/")), edit("Ingress", "second", set(object{"acme.cert-manager.io/http01-solver": "true"}, "metadata", "labels"))), Want: probes.Pass},
			{Name: "an empty status says nothing", New: world(edit("Ingress", "trino-ingress", set(object{"loadBalancer": object{}}, "status"))), Want: probes.Pass},
			{Name: "only the default backend", New: world(edit("Ingress", "trino-ingress", set([]any{object{"host": "trino.example.com"}}, "spec", "rules"),
				set(object{"service": object{"name": "trino", "port": object{"number": int64(8080)}}}, "spec", "defaultBackend"))), Want: probes.Pass},
			{Name: "every host", New: bindsIn(doors, kube.BindsParams{Ingresses: &kube.IngressPart{}})(edit("Service", "trino", set([]any{}, "spec", "ports"))),
				Want: probes.Fail, Says: []string{"*.lake.example.com", "trino.example.com", "it has none"}},
			{Name: "no host at all", New: bindsIn(doors, kube.BindsParams{Ingresses: &kube.IngressPart{}})(removeKind("Ingress")), Want: probes.Fail, Says: []string{"no Ingress with a host"}},
		},
		Errors: []probetest.Failure{
			refused("ingresses", gvr("networking.k8s.io", "ingresses")), refused("classes", gvr("networking.k8s.io", "ingressclasses")),
			refused("services", gvr("", "services")), refused("slices", gvr("discovery.k8s.io", "endpointslices")),
			{Name: "not all seen", Says: []string{"only the namespace a"}, New: func(t *testing.T) probes.Probe {
				return kube.NewBinds(clusterOf(t, doors, removeKind("Ingress")).Narrow("only the namespace a"), params)
			}},
			{Name: "of another shape", Says: []string{"decoding ingress data-platform/trino-ingress"}, New: world(edit("Ingress", "trino-ingress", set("many", "spec", "rules")))},
			{Name: "a slice of another shape", Says: []string{"decoding endpointslice"}, New: world(edit("EndpointSlice", "trino-x", set("many", "endpoints")))},
		},
	}.Run(t)
}

func TestServices(t *testing.T) {
	in := func(changes ...change) func(*testing.T) probes.Probe {
		return bindsIn(doors, kube.BindsParams{Services: &kube.Scope{Namespaces: []string{"data-platform"}}})(changes...)
	}
	probetest.Suite{
		New: in(),
		Hanging: func(*testing.T) probes.Probe {
			return kube.NewBinds(kubefake.New().Hang(), kube.BindsParams{Services: &kube.Scope{}})
		},
		Worlds: []probetest.World{
			{Name: "selects nothing", New: in(edit("Service", "trino", set(object{"app": "x"}, "spec", "selector")), removeKind("EndpointSlice")), Want: probes.Fail,
				Says: []string{"service data-platform/trino selects no pod (app=x)"}},
			{Name: "none", New: in(removeKind("Service")), Want: probes.Fail, Says: []string{"no Service with a selector"}},
			{Name: "without a selector it is somebody's own", New: in(add("{apiVersion: v1, kind: Service, metadata: {name: x, namespace: data-platform}, spec: {ports: [{port: 1}]}}")), Want: probes.Pass},
		},
	}.Run(t)
}
