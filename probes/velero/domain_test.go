package velero

import (
	"context"
	"errors"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/kube/kubefake"
	"github.com/254carbon/gonogo/probes/probetest"
)

// hosts answers lookups from a table; what is not in it is not known.
type hosts map[string][]string

func (h hosts) LookupHost(_ context.Context, host string) ([]string, error) {
	if found, ok := h[host]; ok {
		return found, nil
	}
	return nil, errors.New("no such host")
}

// at is the default location with its store at an address.
func at(url string) object { return locationOf("default", object{"spec.config": object{"s3Url": url}}) }

// within is an object of a namespace.
func within(namespace, apiVersion, kind, name string, settings object) object {
	o := thing(apiVersion, kind, name, settings)
	o["metadata"].(object)["namespace"] = namespace
	return o
}

func serviceOf(name string, spec object) object {
	return within("data-platform", "v1", "Service", name, object{"spec": spec})
}

func endpointsOf(service string, endpoints ...any) object {
	return within("data-platform", "discovery.k8s.io/v1", "EndpointSlice", service+"-x", object{
		"metadata.labels.kubernetes~io/service-name": service, "addressType": "IPv4", "endpoints": endpoints,
	})
}

func written(address string) object { return object{"addresses": []any{address}} }

// minio is a Service with its pod.
func minio() []object {
	pod := within("data-platform", "v1", "Pod", "minio-0", object{"spec.nodeName": "cpu1", "status.phase": "Running"})
	pod["metadata"].(object)["ownerReferences"] = []any{object{"kind": "StatefulSet", "name": "minio", "controller": true, "apiVersion": "apps/v1", "uid": "x"}}
	return []object{
		serviceOf("minio-service", object{"clusterIP": "10.96.0.7", "clusterIPs": []any{"10.96.0.7"}, "selector": object{"app": "minio"}}),
		endpointsOf("minio-service", object{"addresses": []any{"10.244.0.9"}, "targetRef": object{"kind": "Pod", "name": "minio-0", "namespace": "data-platform"}}),
		pod,
		within("", "v1", "Node", "cpu1", object{
			"spec.podCIDR":     "10.244.0.0/24",
			"status.addresses": []any{object{"type": "InternalIP", "address": "192.168.1.228"}, object{"type": "Hostname", "address": "cpu1.lan"}},
		}),
	}
}

func ingressOf(host, service string) object {
	return within("data-platform", "networking.k8s.io/v1", "Ingress", "store", object{"spec.rules": []any{object{
		"host": host, "http": object{"paths": []any{object{"path": "/", "pathType": "Prefix", "backend": object{"service": object{"name": service}}}}},
	}}})
}

func TestDomain(t *testing.T) {
	params := func() DomainParams { return *DomainInfo().Params().(*DomainParams) }
	over := func(c func() *kubefake.Cluster) func(*testing.T) probes.Probe {
		return always(c, func(c *kubefake.Cluster) probes.Probe { return NewDomain(c, nil, params()) })
	}
	on := func(objects ...object) func(*testing.T) probes.Probe {
		return over(func() *kubefake.Cluster { return cluster(append(minio(), objects...)...) })
	}
	looking := func(h hosts, objects ...object) func(*testing.T) probes.Probe {
		return always(func() *kubefake.Cluster { return cluster(append(minio(), objects...)...) },
			func(c *kubefake.Cluster) probes.Probe { return NewDomain(c, h, params()) })
	}
	scheduled := func(to string, objects ...object) func(*testing.T) probes.Probe {
		s := scheduleOf("daily-backup", "0 2 * * *", 0, object{"spec.template.storageLocation": to})
		return always(func() *kubefake.Cluster { return cluster(append(append(minio(), s), objects...)...) },
			func(c *kubefake.Cluster) probes.Probe {
				p := params()
				p.Schedules = []Declared{{Name: "daily-backup", Cron: "0 2 * * *"}, {Name: "missing", Cron: "0 2 * * *"}}
				return NewDomain(c, nil, p)
			})
	}
	fail := func(name string, p func(*testing.T) probes.Probe, says ...string) probetest.World {
		return probetest.World{Name: name, New: p, Want: probes.Fail, Says: says}
	}
	pass := func(name string, p func(*testing.T) probes.Probe, shows ...string) probetest.World {
		return probetest.World{Name: name, New: p, Want: probes.Pass, Shows: shows}
	}
	const chain = "Service data-platform/minio-service → StatefulSet minio on node cpu1"
	inner := at("http://minio-service.data-platform.svc.cluster.local:9000")
	probetest.Suite{
		New: on(at("https://backups.example.org")),
		Worlds: []probetest.World{
			pass("another host", on(at("https://backups.example.org")), "https://backups.example.org → no host of this cluster"),
			pass("an address elsewhere", on(at("https://10.20.30.40:9000")), "no address of this cluster"),
			pass("a cloud", on(locationOf("default", object{"spec.config.region": "eu-central-1"})), "AWS S3 in eu-central-1"),
			pass("a cloud's own name", on(locationOf("default", object{"spec.provider": "velero.io/gcp"})), "Google Cloud Storage"),
			pass("a host that is not known here", looking(hosts{}, at("https://backups.example.org")), "not known here"),
			pass("a host of another network", looking(hosts{"backups.example.org": {"203.0.113.9"}}, at("https://backups.example.org")), "no address of this cluster"),
			pass("a Service that leads out by name", on(at("http://offsite.data-platform.svc:9000"),
				serviceOf("offsite", object{"type": "ExternalName", "externalName": "backups.example.org"})), "Service data-platform/offsite (backups.example.org)"),
			pass("a Service that leads out by address", on(at("http://offsite.data-platform.svc"),
				serviceOf("offsite", object{"clusterIP": "10.96.0.8"}), endpointsOf("offsite", written("10.20.30.40"))), "10.20.30.40"),
			pass("the other location is inside", on(at("https://backups.example.org"), locationOf("local", object{
				"spec.default": false, "spec.config.s3Url": "http://minio-service.data-platform.svc:9000",
			})), "https://backups.example.org"),
			pass("two labels that are a public name", on(at("https://example.org")), "https://example.org"),
			pass("declared schedules write outside", scheduled("", at("https://backups.example.org"))),

			fail("a Service", on(inner), "in the cluster that they protect", chain),
			fail("a Service's short name", on(at("http://minio-service.data-platform:9000")), chain),
			fail("a Service under another cluster domain", on(at("http://minio-service.data-platform.svc.k8s.lan:9000/")), chain),
			fail("a pod of a Service", on(at("http://minio-0.minio-service.data-platform.svc:9000")), chain),
			fail("a host with a dot behind it", on(at("http://MinIO-Service.data-platform.svc.cluster.local.:9000")), chain),
			fail("a cluster address", on(at("http://10.96.0.7:9000")), chain),
			fail("a pod's address", on(at("http://10.244.0.9:9000")), "pod on node cpu1"),
			fail("a node's address", on(at("http://192.168.1.228:30900")), "node cpu1"),
			fail("a node's name", on(at("http://cpu1.lan:30900")), "node cpu1"),
			fail("itself", on(at("http://127.0.0.1:9000")), "Velero's own pod"),
			fail("itself by name", on(at("http://localhost:9000")), "Velero's own pod"),
			fail("an Ingress", on(at("https://s3.example.org"), ingressOf("s3.example.org", "minio-service")), "Ingress data-platform/store → "+chain),
			fail("an Ingress with a wildcard", on(at("https://s3.example.org"), ingressOf("*.example.org", "minio-service")), "Ingress data-platform/store"),
			fail("an Ingress to nothing", on(at("https://s3.example.org"), ingressOf("s3.example.org", "gone")), "Service data-platform/gone, which does not exist"),
			fail("a load balancer's address", on(at("http://192.168.1.240"), serviceOf("lb", object{"selector": object{"app": "minio"}, "externalIPs": []any{"192.168.1.240"}})), "Service data-platform/lb"),
			fail("a Service that leads back", on(at("http://offsite.data-platform.svc"), serviceOf("offsite", object{
				"type": "ExternalName", "externalName": "minio-service.data-platform.svc.cluster.local",
			})), "offsite", chain),
			fail("addresses of which one is inside", on(at("http://offsite.data-platform.svc"), serviceOf("offsite", object{"clusterIP": "10.96.0.8"}),
				endpointsOf("offsite", written("10.20.30.40"), written("192.168.1.228"))), "node cpu1"),
			fail("a Service with nothing behind it", on(at("http://offsite.data-platform.svc"), serviceOf("offsite", object{"clusterIP": "10.96.0.8"})), "leads nowhere", "no endpoint"),
			fail("round in circles", on(at("http://a.data-platform.svc"), serviceOf("a", object{"type": "ExternalName", "externalName": "a.data-platform.svc"})), "circles"),
			fail("a Service that does not exist", on(at("http://gone.data-platform.svc:9000")), "leads nowhere", "data-platform/gone"),
			fail("a host that resolves to a node", looking(hosts{"s3.example.org": {"192.168.1.228"}}, at("https://s3.example.org")), "192.168.1.228 → node cpu1"),
			fail("no URL", on(at("http://")), "s3Url is no URL"),
			fail("no location", on(), "location default", "does not exist"),
			fail("one that schedules use", scheduled("local", at("https://backups.example.org"), locationOf("local", object{
				"spec.default": false, "spec.config": object{"s3Url": "http://minio-service.data-platform.svc:9000"},
			})), "location local keeps its backups in the cluster"),
			fail("one that schedules use and nobody made", scheduled("offsite", at("https://backups.example.org")), "location offsite, used by schedule daily-backup, does not exist"),
			fail("not installed", over(func() *kubefake.Cluster { return kubefake.New() }), "not installed"),
		},
		Errors: []probetest.Failure{
			{Name: "locations forbidden", Is: apierrors.IsForbidden, New: over(func() *kubefake.Cluster { return cluster().Forbid(locationsResource()) })},
			{Name: "services forbidden", Is: apierrors.IsForbidden, Says: []string{"following location default to http://minio-service", "listing services"},
				New: over(func() *kubefake.Cluster { return cluster(inner).Forbid(servicesResource()) })},
			{Name: "ingresses forbidden", Is: apierrors.IsForbidden,
				New: over(func() *kubefake.Cluster { return cluster(at("https://s3.example.org")).Forbid(ingressesResource()) })},
			{Name: "only a part seen", Says: []string{"only the namespaces a, b"},
				New: over(func() *kubefake.Cluster {
					return cluster(at("https://s3.example.org")).Narrow("only the namespaces a, b")
				})},
			{Name: "an unknown provider", Says: []string{"does not know where provider tape"}, New: on(locationOf("default", object{"spec.provider": "tape"}))},
			{Name: "wrong type", Says: []string{"reading backupstoragelocation"}, New: on(locationOf("default", object{"spec.config": "x"}))},
		},
		Hanging: over(func() *kubefake.Cluster { return cluster(inner).Hang() }),
	}.Run(t)
}

func FuzzServiceName(f *testing.F) {
	for _, host := range []string{"", ".", "a", "a.b", "a.b.svc", "p.a.b.svc.cluster.local", "svc.svc.svc", "..svc"} {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		if _, name, certain, ok := serviceName(host, "velero"); certain && !ok {
			t.Errorf("%q is certainly the Service %q and none", host, name)
		}
	})
}
