package world

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// clusterAge is how old the cluster is, of every scenario but as-found.
const clusterAge = 40 * 24 * time.Hour

// plan is a scenario at a time.
type plan struct {
	scenario Scenario
	now      time.Time
	built    time.Time // when the cluster was
}

func planOf(scenario Scenario, now time.Time) (*plan, error) {
	if !slices.Contains(Scenarios(), scenario) {
		return nil, fmt.Errorf("unknown scenario %q", scenario)
	}
	return &plan{scenario: scenario, now: now, built: scenario.built(now)}, nil
}

func (p *plan) ready() bool { return p.scenario == Ready }

// image is where the scenario runs an image from.
func (p *plan) image(source string) string {
	if p.ready() {
		return mirrored(source)
	}
	return source
}

// ControlPlane is the name of the platform's first node.
const ControlPlane = "dev-cluster-control-plane"

func (p *plan) nodeNames() []string {
	if p.ready() {
		return []string{ControlPlane, "k8s-worker-1", "k8s-worker-2"}
	}
	return []string{ControlPlane}
}

// WorkloadNamespaces are the namespaces in which the platform's own workloads run.
func WorkloadNamespaces() []string {
	return []string{"cloudflare-tunnel", "data-platform", "monitoring", "registry", "vault-prod"}
}

func (p *plan) namespaces() []object {
	levels := map[string]string{
		"cloudflare-tunnel": "restricted", "data-platform": "baseline", "monitoring": "baseline", "registry": "baseline", "vault-prod": "restricted",
		"velero": "privileged", "cert-manager": "", "ingress-nginx": "", "kyverno": "", "local-path-storage": "", "default": "", "kube-system": "",
		"kube-node-lease": "", "kube-public": "",
	}
	var all []object
	for _, name := range sortedKeys(levels) {
		level := levels[name]
		labels := map[string]string{"kubernetes.io/metadata.name": name}
		if level != "" {
			labels["pod-security.kubernetes.io/enforce"] = level
			labels["pod-security.kubernetes.io/warn"] = "restricted"
		}
		all = append(all, create("v1", "Namespace", "", name, labels, object{
			"spec": object{"finalizers": []any{"kubernetes"}}, "status": object{"phase": "Active"},
		}))
		if level != "" {
			all = append(all, create("v1", "ServiceAccount", name, "default", nil, nil))
		}
	}
	return all
}

func (p *plan) nodes() []object {
	var all []object
	for i, name := range p.nodeNames() {
		all = append(all, nodeObject(name, i == 0, i+1, p.now, p.built)...)
	}
	for _, l := range []string{"kube-controller-manager", "kube-scheduler", "apiserver-" + hash("apiserver")} {
		labels := map[string]string(nil)
		if strings.HasPrefix(l, "apiserver") {
			labels = map[string]string{"apiserver.kubernetes.io/identity": "kube-apiserver"}
		}
		all = append(all, lease("kube-system", l, labels, ControlPlane+"_"+hash(l), 15, p.now))
	}
	return all
}

func lease(namespace, name string, labels map[string]string, holder string, seconds int, now time.Time) object {
	return create("coordination.k8s.io/v1", "Lease", namespace, name, labels, object{"spec": object{
		"holderIdentity": holder, "leaseDurationSeconds": seconds, "renewTime": microStamp(now), "acquireTime": microStamp(now.Add(-24 * time.Hour)),
	}})
}

// nodeObject returns a Ready node and its lease. Index makes its addresses.
func nodeObject(name string, controlPlane bool, index int, now, since time.Time) []object {
	labels := map[string]string{
		"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", "topology.kubernetes.io/zone": fmt.Sprintf("rack-%d", index),
	}
	if controlPlane {
		labels["node-role.kubernetes.io/control-plane"] = ""
	} else {
		labels["node-role.kubernetes.io/worker"] = ""
	}
	heart := func(kind, status, reason, message string) object {
		c := condition(kind, status, reason, message, since)
		c["lastHeartbeatTime"] = stamp(now)
		return c
	}
	size := object{"cpu": "52", "memory": "792723456Ki", "pods": "250", "ephemeral-storage": "1921802500Ki"}
	node := create("v1", "Node", "", name, labels, object{
		"spec": object{"podCIDR": fmt.Sprintf("10.244.%d.0/24", index-1), "providerID": "kind://docker/dev-cluster/" + name},
		"status": object{
			"capacity": size, "allocatable": size,
			"addresses": []any{
				object{"type": "InternalIP", "address": fmt.Sprintf("172.19.0.%d", index+1)}, object{"type": "Hostname", "address": name},
			},
			"conditions": []any{
				heart("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
				heart("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
				heart("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
				heart("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
			},
			"nodeInfo": object{
				"kubeletVersion": "v1.31.0", "containerRuntimeVersion": "containerd://1.7.18", "osImage": "Debian GNU/Linux 12 (bookworm)",
				"kernelVersion": "6.8.0-45-generic", "architecture": "amd64", "operatingSystem": "linux",
			},
		},
	})
	node["metadata"].(object)["creationTimestamp"] = stamp(since)
	return []object{node, lease("kube-node-lease", name, nil, name, 40, now)}
}

// systemPods are those that no controller makes.
func (p *plan) systemPods() []object {
	var all []object
	images := map[string]string{
		"etcd": "registry.k8s.io/etcd:3.5.15-0", "kube-apiserver": "registry.k8s.io/kube-apiserver:v1.31.0",
		"kube-controller-manager": "registry.k8s.io/kube-controller-manager:v1.31.0", "kube-scheduler": "registry.k8s.io/kube-scheduler:v1.31.0",
	}
	for _, component := range sortedKeys(images) {
		spec := object{"containers": []any{object{"name": component, "image": images[component]}}, "hostNetwork": true, "nodeName": ControlPlane}
		pod := create("v1", "Pod", "kube-system", component+"-"+ControlPlane, map[string]string{"component": component, "tier": "control-plane"}, object{
			"spec": spec, "status": runningStatus(spec, "172.19.0.2", p.built),
		})
		sub(pod, "metadata")["ownerReferences"] = []any{object{
			"apiVersion": "v1", "kind": "Node", "name": ControlPlane, "uid": uid("Node", ControlPlane), "controller": true,
		}}
		all = append(all, pod)
	}
	return all
}

func (p *plan) workloads() []object {
	ports := map[string]string{} // by namespace/app
	for _, s := range platformServices() {
		ports[s.namespace+"/"+s.app] += " " + s.ports
	}
	var all []object
	for _, a := range apps() {
		all = append(all, p.workload(a, strings.Fields(ports[a.namespace+"/"+a.name]+" "+a.ports)))
	}
	return all
}

func (p *plan) workload(a app, ports []string) object {
	labels := map[string]string{"app": a.name}
	for k, v := range a.labels {
		labels[k] = v
	}
	template := map[string]string{}
	for k, v := range labels {
		template[k] = v
	}
	if a.name == "postgres-shared" && p.ready() {
		template["replication"] = "streaming"
	}
	container := object{
		"name": a.name, "image": p.image(a.image),
		"resources": object{"requests": object{"cpu": fmt.Sprintf("%dm", a.cpu), "memory": fmt.Sprintf("%dMi", a.memory)}},
	}
	if len(a.args) > 0 {
		args := []any{}
		for _, arg := range a.args {
			args = append(args, arg)
		}
		container["args"] = args
	}
	if len(ports) > 0 {
		container["ports"] = portList(ports, "containerPort")
	}
	containers := []any{container}
	if a.sidecar != "" {
		containers = append(containers, object{"name": "sidecar", "image": p.image(a.sidecar)})
	}
	spec := object{"containers": containers}
	if a.account != "" {
		spec["serviceAccountName"] = a.account
	}
	if a.critical {
		spec["affinity"] = apart(a.name)
		spec["topologySpreadConstraints"] = []any{object{
			"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": object{"matchLabels": object{"app": a.name}},
		}}
	}
	body := object{
		"selector": object{"matchLabels": object{"app": a.name}},
		"template": object{"metadata": object{"labels": anyMap(template)}, "spec": spec},
	}
	switch a.kind {
	case deployment:
		body["strategy"] = object{"type": "RollingUpdate", "rollingUpdate": object{"maxUnavailable": "25%", "maxSurge": "25%"}}
	case statefulSet:
		body["serviceName"] = a.name
		body["updateStrategy"] = object{"type": "RollingUpdate"}
	case daemonSet:
		body["updateStrategy"] = object{"type": "RollingUpdate", "rollingUpdate": object{"maxUnavailable": 1}}
	}
	if a.kind != daemonSet {
		body["replicas"] = a.replicas
	}
	return create("apps/v1", a.kind, a.namespace, a.name, labels, object{"spec": body})
}

// apart asks, without insisting, for pods of an app on different nodes.
func apart(app string) object {
	return object{"podAntiAffinity": object{"preferredDuringSchedulingIgnoredDuringExecution": []any{object{
		"weight":          100,
		"podAffinityTerm": object{"topologyKey": "kubernetes.io/hostname", "labelSelector": object{"matchLabels": object{"app": app}}},
	}}}}
}

// portList turns name=port words into ports with their number under key.
func portList(words []string, key string) []any {
	var all []any
	seen := map[string]bool{}
	for _, w := range words {
		portName, value, _ := strings.Cut(w, "=")
		n, err := strconv.Atoi(value)
		if err != nil || seen[portName] {
			continue
		}
		seen[portName] = true
		port := object{"name": portName, key: n, "protocol": "TCP"}
		if key == "port" {
			port["targetPort"] = portName
		}
		all = append(all, port)
	}
	return all
}

func (p *plan) services() []object {
	list := platformServices()
	write := service{namespace: "data-platform", name: "postgres-shared-service", app: "postgres-shared", ports: "postgres=5432"}
	if p.ready() {
		write.only = map[string]string{"role": "primary"}
		list = append(list, service{namespace: "data-platform", name: "postgres-shared-standby", app: "postgres-shared", ports: "postgres=5432", only: map[string]string{"role": "standby"}})
	}
	var all []object
	for _, s := range append(list, write) {
		label, kind := s.label, "ClusterIP"
		if label == "" {
			label = s.app
		}
		if s.name == "ingress-nginx-controller" {
			kind = "LoadBalancer"
		}
		selector := map[string]string{"app": s.app}
		for k, v := range s.only {
			selector[k] = v
		}
		ip := clusterIP(s.namespace + "/" + s.name)
		if s.headless {
			ip = "None"
		}
		all = append(all, create("v1", "Service", s.namespace, s.name, map[string]string{"app": label}, object{"spec": object{
			"type": kind, "clusterIP": ip, "selector": anyMap(selector), "ports": portList(strings.Fields(s.ports), "port"),
		}}))
	}
	return all
}

func clusterIP(name string) string {
	h := digest(name)
	a, _ := strconv.ParseUint(h[7:9], 16, 8)
	b, _ := strconv.ParseUint(h[9:11], 16, 8)
	return fmt.Sprintf("10.%d.%d.%d", 96, a, b)
}

func (p *plan) ingresses() []object {
	all := []object{create("networking.k8s.io/v1", "IngressClass", "", "nginx", nil, object{"spec": object{"controller": "k8s.io/ingress-nginx"}})}
	for _, r := range routes() {
		all = append(all, create("networking.k8s.io/v1", "Ingress", r.namespace, r.name, nil, object{"spec": object{
			"ingressClassName": "nginx",
			"tls":              []any{object{"hosts": []any{r.host}, "secretName": strings.TrimSuffix(r.name, "-ingress") + "-tls"}},
			"rules": []any{object{"host": r.host, "http": object{"paths": []any{object{
				"path": "/", "pathType": "Prefix", "backend": object{"service": object{"name": r.service, "port": object{"name": r.port}}},
			}}}}},
		}}))
	}
	return all
}
