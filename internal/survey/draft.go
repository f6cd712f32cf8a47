package survey

import (
	"fmt"
	"slices"
	"strings"

	"github.com/254carbon/gonogo/probes"
)

// Draft is a profile in the making. Checks can be dropped from it before it is written.
type Draft struct {
	Platform   string
	Context    string
	found      Found
	components []*component
	dropped    []drop
}

type component struct {
	id, title, comment string
	checks             []*check
}

type check struct {
	id, title, probe string
	connection       string // beyond the cluster
	with             any
	gate             bool
	every            string
	remedy           string
	comment          string
}

type drop struct {
	id     probes.ID
	reason string
}

// NewDraft drafts the profile of a platform from what was found. context is written into it if it is not empty.
func NewDraft(platform, context string, f Found) *Draft {
	d := &Draft{Platform: platform, Context: context, found: f}
	for _, part := range []func(Found) *component{nodes, workloads, autoscaling, hosts, guards, monitoring, backups, registry} {
		if c := part(f); c != nil && len(c.checks) > 0 {
			d.components = append(d.components, c)
		}
	}
	return d
}

// Drop takes a check out of the draft; why is written in its place.
func (d *Draft) Drop(id probes.ID, why string) {
	for _, c := range d.components {
		before := len(c.checks)
		c.checks = slices.DeleteFunc(c.checks, func(k *check) bool { return k.id == string(id) })
		if len(c.checks) < before {
			d.dropped = append(d.dropped, drop{id, why})
		}
	}
	d.components = slices.DeleteFunc(d.components, func(c *component) bool { return len(c.checks) == 0 })
}

// Checks counts the checks that are left, and those that were dropped.
func (d *Draft) Checks() (left, dropped int) {
	for _, c := range d.components {
		left += len(c.checks)
	}
	return left, len(d.dropped)
}

// uses reports whether a check that is left is asked over a connection.
func (d *Draft) uses(connection string) bool {
	return slices.ContainsFunc(d.components, func(c *component) bool {
		return slices.ContainsFunc(c.checks, func(k *check) bool { return k.connection == connection })
	})
}

func nodes(f Found) *component {
	c := &component{id: "nodes", title: "Nodes"}
	if f.Nodes.Ready == 0 {
		return nil
	}
	type params struct {
		Min     int `yaml:"min"`
		Workers int `yaml:"workers"`
	}
	c.checks = append(c.checks, &check{
		id: "nodes-ready", title: readyNodes(f.Nodes), probe: "kubernetes.nodes",
		with: params{f.Nodes.Ready, f.Nodes.Workers}, gate: true, every: "watch",
		comment: "as many as there are now; raise it to what production needs", remedy: "kubectl get nodes names the one that is not Ready.",
	})
	if f.Nodes.ControlPlane > 0 {
		type plane struct {
			Nodes int  `yaml:"nodes"`
			Etcd  bool `yaml:"etcd"`
		}
		c.checks = append(c.checks, &check{
			id: "control-plane", title: "The control plane is ready and reaches its etcd", probe: "kubernetes.controlplane",
			with: plane{f.Nodes.ControlPlane, true}, every: "1m", remedy: "kubectl get --raw '/readyz?verbose' says what is not ready.",
		})
	}
	if f.Metrics {
		c.checks = append(c.checks, &check{
			id: "metrics-api", title: "The metrics API is Available and serves data", probe: "kubernetes.metrics", every: "1m",
			remedy: "kubectl get apiservice v1beta1.metrics.k8s.io says why it is not Available.",
		})
	}
	return c
}

func readyNodes(n Nodes) string {
	if n.Ready == 1 {
		return "A node is Ready"
	}
	return fmt.Sprintf("At least %d nodes are Ready, workers among them: %d", n.Ready, n.Workers)
}

func workloads(f Found) *component {
	c := &component{id: "workloads", title: "Workloads", comment: "every workload outside of the system's namespaces, with the image that it runs now: take out what may go"}
	type service struct {
		Name      string     `yaml:"name"`
		Workloads []Workload `yaml:"workloads"`
	}
	var services []service
	for _, w := range f.Workloads {
		if n := len(services); n == 0 || services[n-1].Name != w.Namespace {
			services = append(services, service{Name: w.Namespace})
		}
		last := &services[len(services)-1]
		last.Workloads = append(last.Workloads, w)
	}
	for _, s := range services {
		c.checks = append(c.checks, &check{
			id: "inventory-" + s.Name, title: "Every workload of " + s.Name + " is there, ready, and runs its image", probe: "kubernetes.inventory",
			with: map[string]any{"services": []service{s}}, every: "watch", remedy: "kubectl -n " + s.Name + " get pods shows what is not ready.",
		})
	}
	if len(f.Services) > 0 {
		c.checks = append(c.checks, &check{
			id: "services-bind", title: "Every Service has a ready endpoint", probe: "kubernetes.binds", with: map[string]any{"services": scope{f.Services}}, every: "watch",
			remedy: "kubectl get endpointslices -A shows which Service selects no ready pod.",
		})
	}
	return c
}

// scope is the namespaces that a check looks in.
type scope struct {
	Namespaces []string `yaml:"namespaces"`
}

func autoscaling(f Found) *component {
	if len(f.Scalers) == 0 {
		return nil
	}
	return &component{id: "autoscaling", title: "Autoscaling", checks: []*check{{
		id: "autoscalers", title: "Every autoscaler binds its target and has current metrics", probe: "kubernetes.hpa",
		with: map[string]any{"targets": f.Scalers}, every: "watch", remedy: "kubectl describe hpa says why it cannot scale.",
	}}}
}

func hosts(f Found) *component {
	c := &component{id: "access", title: "Access"}
	if len(f.Hosts) > 0 {
		c.checks = append(c.checks, &check{
			id: "ingresses-bind", title: "Every host's Ingress leads to a Service with ready endpoints", probe: "kubernetes.binds",
			with: map[string]any{"ingresses": map[string]any{"hosts": f.Hosts}}, every: "watch", remedy: "kubectl get ingress,endpointslices -A shows where it ends.",
		})
	}
	type expect struct {
		Status     []int `yaml:"status"`
		TLSMinDays int   `yaml:"tlsMinDays"`
	}
	type target struct {
		Name   string `yaml:"name"`
		URL    string `yaml:"url"`
		Expect expect `yaml:"expect"`
	}
	const days = 21
	var targets []target
	for _, p := range f.Pages {
		targets = append(targets, target{p.Host, "https://" + p.Host + "/", expect{[]int{p.Status}, days}})
	}
	if len(targets) > 0 {
		c.checks = append(c.checks, &check{
			id: "hosts-answer", title: fmt.Sprintf("Every host answers as it did, with a certificate that is valid for %d more days", days), probe: "http",
			with: map[string]any{"targets": targets}, every: "5m", comment: "the statuses are those that each host answered to this machine; write what it should answer",
			remedy: "curl -i the host that the evidence names.",
		})
	}
	if f.Issued {
		c.checks = append(c.checks, &check{
			id: "certificates", title: "Every certificate of cert-manager is Ready", probe: "kubernetes", every: "watch",
			with: struct {
				Resource string `yaml:"resource"`
				Want     string `yaml:"want"`
				Each     string `yaml:"each"`
			}{
				"cert-manager.io/v1/certificates", "a Certificate that is Ready",
				"object.?status.conditions.orValue([]).exists(c, c.type == 'Ready' && c.status == 'True') ? '' : 'it is not Ready'",
			},
			remedy: "kubectl get certificate,certificaterequest,order -A says what hangs.",
		})
	}
	return c
}

func guards(f Found) *component {
	c := &component{id: "guards", title: "Guards"}
	if len(f.Budgets) > 0 {
		c.checks = append(c.checks, &check{
			id: "budgets-bind", title: "Every PodDisruptionBudget selects pods and allows a disruption", probe: "kubernetes.binds",
			with: map[string]any{"budgets": scope{f.Budgets}}, every: "watch", remedy: "kubectl get pdb -A shows which one allows none.",
		})
	}
	if len(f.Policies) > 0 {
		c.checks = append(c.checks, &check{
			id: "policies-bind", title: "The namespaces deny by default what comes in, and every NetworkPolicy binds", probe: "kubernetes.binds",
			with: map[string]any{"policies": scope{f.Policies}}, every: "watch", comment: "the namespaces that have a NetworkPolicy; add those that should",
			remedy: "Give each namespace a default-deny, and label the namespaces that policies refer to.",
		})
	}
	return c
}

func monitoring(f Found) *component {
	if f.Prometheus.Service == "" || f.Prometheus.Up == 0 {
		return nil
	}
	type params struct {
		Min  int      `yaml:"min"`
		Jobs []string `yaml:"jobs,omitempty"`
	}
	c := &component{id: "monitoring", title: "Monitoring", checks: []*check{{
		id: "targets-up", title: fmt.Sprintf("At least %d targets are up and every job has one", f.Prometheus.Up), probe: "prometheus.targets",
		connection: "prometheus", with: params{f.Prometheus.Up, f.Prometheus.Jobs}, gate: true, every: "30s", comment: "as many as are up now",
		remedy: "Open Status → Targets in Prometheus, and mend what the evidence calls down.",
	}}}
	if len(f.Monitors) > 0 {
		c.checks = append(c.checks, &check{
			id: "monitors-bind", title: "Every monitor selects a Service or Pod and yields a target that is up", probe: "prometheus.monitors",
			connection: "prometheus", with: map[string]any{"monitors": f.Monitors}, every: "1m",
			remedy: "Give each Service the label and the named port that its monitor selects.",
		})
	}
	return c
}

func backups(f Found) *component {
	v := f.Velero
	if v.Namespace == "" {
		return nil
	}
	c := &component{id: "backups", title: "Backups"}
	if v.Server {
		c.checks = append(c.checks, &check{
			id: "velero-server", title: "Velero's server and its rights are there", probe: "velero.server", with: scopeOf(v.Namespace), every: "watch",
			remedy: "kubectl -n " + v.Namespace + " get deploy,ds,sa shows what is missing.",
		})
	}
	type storage struct {
		Namespace string `yaml:"namespace"`
		Name      string `yaml:"name"`
		Bucket    string `yaml:"bucket,omitempty"`
		Prefix    string `yaml:"prefix,omitempty"`
	}
	c.checks = append(c.checks, &check{
		id: "backup-location", title: "The location of backups is Available and freshly validated", probe: "velero.storage",
		with: storage{v.Namespace, v.Location, v.Bucket, v.Prefix}, every: "1m", remedy: "kubectl -n " + v.Namespace + " describe backupstoragelocation " + v.Location + " says why it is not.",
	})
	type schedules struct {
		Namespace string     `yaml:"namespace"`
		Schedules []Schedule `yaml:"schedules"`
	}
	if len(v.Schedules) > 0 {
		c.checks = append(c.checks,
			&check{
				id: "backup-schedules", title: "Every schedule is enabled and missed no run", probe: "velero.schedules",
				with: schedules{v.Namespace, v.Schedules}, every: "1m", remedy: "kubectl -n " + v.Namespace + " get schedules shows which is paused.",
			},
			&check{
				id: "backup-newest", title: "The newest backup of every schedule is Completed, without errors, and in time", probe: "velero.backups",
				with: schedules{v.Namespace, v.Schedules}, gate: true, every: "1m", remedy: "velero backup describe NAME --details says what failed.",
			})
	}
	return c
}

func scopeOf(namespace string) any { return map[string]string{"namespace": namespace} }

func registry(f Found) *component {
	if f.Harbor == "" {
		return nil
	}
	return &component{id: "registry", title: "Registry", checks: []*check{
		{
			id: "harbor-healthy", title: "Harbor answers and every component is healthy", probe: "harbor.health", connection: "harbor", every: "30s",
			remedy: "Read the log of the component that the evidence names.",
		},
		{
			id: "harbor-door", title: "/v2/ at " + strings.TrimPrefix(f.Harbor, "https://") + " is Harbor's core", probe: "harbor.door", connection: "harbor", every: "5m",
			remedy: "Route /v2/ and /service/ of the host to Harbor's core.",
		},
	}}
}
