package world_test

import (
	"context"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/internal/platform/prom"
	"github.com/254carbon/gonogo/internal/sim/kubeapi"
	"github.com/254carbon/gonogo/internal/sim/oci"
	simulated "github.com/254carbon/gonogo/internal/sim/prom"
	"github.com/254carbon/gonogo/internal/sim/world"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/evidence"
	"github.com/254carbon/gonogo/probes/images"
	"github.com/254carbon/gonogo/probes/kube"
	"github.com/254carbon/gonogo/probes/kube/kubefake"
	"github.com/254carbon/gonogo/probes/postgres"
	"github.com/254carbon/gonogo/probes/velero"
)

var noon = time.Date(2025, 10, 20, 12, 0, 0, 0, time.UTC)

func seed(t *testing.T, scenario world.Scenario, now time.Time) *kubeapi.Store {
	t.Helper()
	s := kubeapi.NewStore(kubeapi.StoreOptions{Now: func() time.Time { return now }})
	if err := world.Seed(s, scenario, now); err != nil {
		t.Fatal(err)
	}
	return s
}

// cluster is what a reader sees of a store.
func cluster(t *testing.T, s *kubeapi.Store) *kubefake.Cluster {
	t.Helper()
	c := kubefake.New()
	for _, r := range kubeapi.Builtin() {
		all, err := s.List(r.GVR(), "", nil)
		if err != nil {
			t.Fatal(err)
		}
		c.Serve(r.GVR())
		c.Add(all...)
	}
	return c
}

// exporter is a Prometheus that sees PostgreSQL replicate.
func exporter(t *testing.T) *prom.Client {
	t.Helper()
	s := simulated.New(func() time.Time { return noon })
	s.SetReplication(true)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	client, err := prom.New(prom.Options{BaseURL: server.URL, Client: server.Client()})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// declaredImages is what the platform's profile declares of images.
func declaredImages() probes.Declared {
	var d probes.Declared
	for _, image := range oci.Images() {
		d.Images = append(d.Images, probes.Image{Key: image.Key, Source: image.Source, Digest: oci.Digest(image.Source)})
	}
	for _, e := range world.ExemptImages() {
		d.Exempt = append(d.Exempt, probes.Exemption{Image: e.Repository, Reason: e.Reason})
	}
	return d
}

// names are what the mirrored images are called.
func names() kube.MirrorNames {
	var names kube.MirrorNames
	names.Declare(declaredImages())
	return names
}

// checks are the platform's checks that this world can answer, by the ids of its profile.
func checks(t *testing.T, c *kubefake.Cluster, now time.Time) map[probes.ID]probes.Probe {
	t.Helper()
	clock := func() time.Time { return now }
	mirrors := []string{world.HarborHost + "/" + world.HarborProject}
	var inventory kube.InventoryParams
	inventory.Mirrors = mirrors
	inventory.MirrorNames = names()
	for _, s := range world.Services() {
		declared := kube.InventoryService{Name: s.Name}
		for _, w := range s.Workloads {
			declared.Workloads = append(declared.Workloads, kube.Workload{Kind: w.Kind, Namespace: w.Namespace, Name: w.Name, Image: w.Image})
		}
		inventory.Services = append(inventory.Services, declared)
	}
	var declared []velero.Declared
	for _, s := range world.BackupSchedules() {
		declared = append(declared, velero.Declared{Name: s.Name, Cron: s.Cron})
	}
	server := velero.ServerInfo().Params().(*velero.ServerParams)
	storage := velero.StorageInfo().Params().(*velero.StorageParams)
	storage.Name, storage.Bucket, storage.Prefix = world.BackupLocation, world.BackupBucket, world.BackupPrefix
	schedules := velero.SchedulesInfo().Params().(*velero.SchedulesParams)
	schedules.Schedules = declared
	backups := velero.BackupsInfo().Params().(*velero.BackupsParams)
	backups.Schedules = declared
	replication := postgres.ReplicationInfo().Params().(*postgres.ReplicationParams)
	replication.Source, replication.Service = postgres.Exporter, "data-platform/postgres-shared-service"
	general := func(p kube.ObjectsParams) probes.Probe {
		probe, err := kube.NewObjects(c, p, clock)
		if err != nil {
			t.Fatal(err)
		}
		return probe
	}
	return map[probes.ID]probes.Probe{
		"prometheus-operator": general(kube.ObjectsParams{
			Resource: "monitoring.coreos.com/v1/prometheuses",
			With:     map[string]kube.Collection{"operators": {Resource: "apps/v1/deployments", Selector: "app.kubernetes.io/component=prometheus-operator"}},
			Expr: `!operators.exists(o, o.?status.readyReplicas.orValue(0) > 0) ? 'no Prometheus Operator is ready' :
				size(objects) == 0 ? 'there is no Prometheus' :
				objects.exists(o, o.?status.conditions.orValue([]).exists(c, c.type == 'Available' && c.status == 'True')) ? '' : 'no Prometheus is Available'`,
		}),
		"log-shipper": kube.NewWorkloads(c, kube.WorkloadsParams{Mirrors: mirrors, MirrorNames: names(), AnyOf: []kube.Workload{
			{Kind: "DaemonSet", Namespace: "monitoring", Name: "promtail", Image: "grafana/promtail", EverySchedulableNode: true},
			{Kind: "DaemonSet", Namespace: "monitoring", Name: "alloy", Image: "grafana/alloy", EverySchedulableNode: true},
		}}),
		"portal-ready": kube.NewWorkloads(c, kube.WorkloadsParams{Mirrors: mirrors, MirrorNames: names(), Workloads: []kube.Workload{
			{Kind: "Deployment", Namespace: "data-platform", Name: "portal", Image: "254carbon-portal"},
		}}),
		"images-origin":         images.NewOrigin(c, images.OriginParams{Declared: declaredImages()}),
		"postgres-replication":  postgres.NewReplication(postgres.Sources{Objects: c, Querier: exporter(t)}, *replication),
		"velero-ready":          velero.NewServer(c, *server),
		"backup-failure-domain": velero.NewDomain(c, nil, velero.DomainParams{Namespace: velero.DefaultNamespace, Schedules: declared}),
		"backup-location":       velero.NewStorage(c, nil, *storage, clock),
		"backup-schedules":      velero.NewSchedules(c, *schedules, clock),
		"backup-newest":         velero.NewBackups(c, *backups, clock),
		"hpa-trino":             kube.NewHPA(c, kube.HPAParams{Namespace: "data-platform", Name: "trino-hpa"}),
		"hpa-superset":          kube.NewHPA(c, kube.HPAParams{Namespace: "data-platform", Name: "superset-hpa"}),
		"services-inventory":    kube.NewInventory(c, inventory),
		"pod-security": general(kube.ObjectsParams{
			Resource: "v1/namespaces", Want: "Pod Security enforced in the workload namespaces",
			Expr: `['` + strings.Join(world.WorkloadNamespaces(), `','`) + `'].map(n, !objects.exists(o, o.metadata.name == n && o.metadata.?labels[?'pod-security.kubernetes.io/enforce'].orValue('privileged') != 'privileged') ? n : '').filter(n, n != '').join(', ')`,
		}),
		"ingress-binds":    kube.NewBinds(c, kube.BindsParams{Ingresses: &kube.IngressPart{Hosts: protectedHosts()}}),
		"network-policies": kube.NewBinds(c, kube.BindsParams{Policies: &kube.PolicyPart{Namespaces: world.WorkloadNamespaces(), Everywhere: true, Enforced: true}}),
		"rbac":             kube.NewRBAC(c, kube.RBACParams{Admins: []string{"velero/velero"}}),
		"workload-guards":  kube.NewBinds(c, kube.BindsParams{Workloads: critical()}),
		"replicas-spread":  kube.NewSpread(c, kube.SpreadParams{Workloads: critical()}),
		"metrics-api":      kube.NewMetrics(c, kube.MetricsParams{MaxAge: 5 * time.Minute}, clock),
		"test-backup":      evidence.New(recordIn{c}, c, "test-backup", evidence.Params{Proof: "backup", Within: 7 * 24 * time.Hour}, clock),
		"restore-verified": evidence.New(recordIn{c}, c, "restore-verified", evidence.Params{Proof: "restore", Within: 30 * 24 * time.Hour}, clock),
		"worker-nodes":     kube.NewNodes(c, kube.NodesParams{Min: 3, Workers: 2}),
	}
}

// protectedHosts are the hosts of the nine services and the portal.
func protectedHosts() []string {
	var all []string
	for name := range strings.FieldsSeq("portal grafana superset datahub trino doris vault minio dolphin lakefs") {
		all = append(all, name+".254carbon.com")
	}
	return all
}

// critical are the workloads that must outlive a node.
func critical() []kube.WorkloadRef {
	all := []kube.WorkloadRef{
		{Kind: "Deployment", Namespace: "cloudflare-tunnel", Name: "cloudflared"}, {Kind: "StatefulSet", Namespace: "data-platform", Name: "postgres-shared"},
	}
	for _, name := range []string{"portal", "superset-web", "datahub-frontend", "trino-worker", "dolphinscheduler-api"} {
		all = append(all, kube.WorkloadRef{Kind: "Deployment", Namespace: "data-platform", Name: name})
	}
	return all
}

// recordIn reads the evidence record of a cluster in memory.
type recordIn struct{ *kubefake.Cluster }

func (r recordIn) Read(ctx context.Context) (probes.Seen[evidence.Entry], error) {
	all, err := r.List(ctx, schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}, "default")
	seen := probes.Seen[evidence.Entry]{Request: all.Request}
	for _, o := range all.Items {
		data, _ := o.Object["data"].(map[string]any)
		for key, text := range data {
			if o.GetName() == evidence.ObjectName {
				seen.Items = append(seen.Items, evidence.Decode(key, text.(string)))
			}
		}
	}
	return seen, err
}

func (r recordIn) Watch(func()) func() { return func() {} }

func ask(t *testing.T, s *kubeapi.Store, now time.Time) map[probes.ID]probes.Result {
	t.Helper()
	results := map[probes.ID]probes.Result{}
	for id, p := range checks(t, cluster(t, s), now) {
		results[id] = probes.Ask(t.Context(), probes.Check{Probe: p, Spec: probes.Spec{ID: id, Title: "t", Every: time.Minute, Timeout: 20 * time.Second, Confirm: 1}}, nil)
	}
	return results
}

func TestScenarios(t *testing.T) {
	for scenario, failing := range map[world.Scenario][]probes.ID{world.Ready: nil, world.Documented: remaining()} {
		t.Run(string(scenario), func(t *testing.T) {
			expect(t, ask(t, seed(t, scenario, noon), noon), failing)
		})
	}
	if _, err := world.Objects("nothing", noon); err == nil {
		t.Error("accepted a scenario that there is not")
	}
}

func expect(t *testing.T, results map[probes.ID]probes.Result, failing []probes.ID) {
	t.Helper()
	for id, r := range results {
		want := probes.Pass
		for _, f := range failing {
			if f == id {
				want = probes.Fail
			}
		}
		if r.Err != nil || r.Status != want {
			t.Errorf("%s: %s %q (%v), want %s", id, r.Status, r.Summary, r.Err, want)
		}
	}
}

// TestLife lets more than a day pass in steps, through every schedule, and asks again and again.
func TestLife(t *testing.T) {
	for _, start := range []time.Time{noon, noon.Add(-9*time.Hour - 23*time.Minute)} {
		s := seed(t, world.Ready, start)
		for passed := time.Duration(0); passed < 30*time.Hour; passed += 30 * time.Second {
			now := start.Add(passed)
			if passed >= 5*time.Minute && now.Minute()%59 != 0 {
				continue
			}
			if err := world.Tick(s, now); err != nil {
				t.Fatal(err)
			}
			if passed%(3*time.Hour) == 0 {
				expect(t, ask(t, s, now), nil)
			}
		}
	}
}

// TestRest holds that nothing is written when nothing is to be done, so that watchers are not woken.
func TestRest(t *testing.T) {
	s := seed(t, world.Ready, noon)
	if err := world.Tick(s, noon.Add(time.Second)); err != nil { // starts the backup that is due at noon
		t.Fatal(err)
	}
	before := s.Version()
	if err := world.Tick(s, noon.Add(2*time.Second)); err != nil {
		t.Fatal(err)
	}
	if after := s.Version(); after != before {
		t.Errorf("%d changes within a second of rest", after-before)
	}
}

// TestSame holds that the same scenario at the same time is the same, name by name.
func TestSame(t *testing.T) {
	var first, second strings.Builder
	if err := seed(t, world.Ready, noon).Snapshot(&first); err != nil {
		t.Fatal(err)
	}
	if err := seed(t, world.Ready, noon).Snapshot(&second); err != nil {
		t.Fatal(err)
	}
	if first.String() != second.String() {
		t.Error("two seeds differ")
	}
}

// TestImages holds that what runs is either on the list of images to mirror or exempt, and in the ready scenario from the platform's registry.
func TestImages(t *testing.T) {
	const mirror = world.HarborHost + "/" + world.HarborProject + "/"
	originals, copies := map[string]bool{}, map[string]bool{}
	for _, m := range oci.Images() {
		originals[m.Source], copies[mirror+m.Key+":"+m.Tag()] = true, true
	}
	for _, scenario := range []world.Scenario{world.Documented, world.Ready} {
		all, err := cluster(t, seed(t, scenario, noon)).Pods(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		if len(all.Items) < 60 {
			t.Errorf("%s has only %d pods", scenario, len(all.Items))
		}
		for _, p := range all.Items {
			for _, c := range p.Containers {
				switch {
				case originals[c.Image] || copies[c.Image]:
					if copies[c.Image] != (scenario == world.Ready) {
						t.Errorf("%s: pod %s runs %s", scenario, p.Name, c.Image)
					}
				case !exempt(c.ImageID):
					t.Errorf("%s: pod %s runs %s (%s), which is neither to be mirrored nor exempt", scenario, p.Name, c.Image, c.ImageID)
				}
			}
		}
	}
}

func exempt(imageID string) bool {
	repository, _, _ := strings.Cut(imageID, "@")
	for _, e := range world.ExemptImages() {
		if prefix, wild := strings.CutSuffix(e.Repository, "*"); repository == e.Repository || wild && strings.HasPrefix(repository, prefix) {
			return true
		}
	}
	return false
}

// remaining are the checks that fail of the documented platform.
func remaining() []probes.ID {
	return []probes.ID{"worker-nodes", "replicas-spread", "backup-failure-domain", "postgres-replication", "images-origin", "test-backup", "restore-verified"}
}

// TestJoin takes the documented platform to three nodes.
func TestJoin(t *testing.T) {
	s := seed(t, world.Documented, noon)
	expect(t, ask(t, s, noon), remaining())
	for range 2 { // a second time does no harm
		if err := world.JoinWorkers(s, noon); err != nil {
			t.Fatal(err)
		}
	}
	left := slices.DeleteFunc(remaining(), func(id probes.ID) bool { return id == "worker-nodes" })
	expect(t, ask(t, s, noon), left) // pods that run stay where they are
	if err := world.Respread(s, noon); err != nil {
		t.Fatal(err)
	}
	expect(t, ask(t, s, noon), slices.DeleteFunc(left, func(id probes.ID) bool { return id == "replicas-spread" }))
}

// TestEviction holds that pods leave a node that stays silent, and that it gets its own back when it answers again.
func TestEviction(t *testing.T) {
	s := seed(t, world.Ready, noon)
	nodes := schema.GroupVersionResource{Version: "v1", Resource: "nodes"}
	readyIs := func(status string, at time.Time) {
		t.Helper()
		_, err := s.Mutate(nodes, "", "k8s-worker-2", func(n map[string]any) {
			for _, item := range n["status"].(map[string]any)["conditions"].([]any) {
				if c := item.(map[string]any); c["type"] == "Ready" {
					c["status"], c["lastTransitionTime"], c["lastHeartbeatTime"] = status, at.Format(time.RFC3339), at.Format(time.RFC3339)
				}
			}
		})
		if err == nil {
			err = world.Tick(s, at)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	readyIs("Unknown", noon)
	lost := ask(t, s, noon)
	if r := lost["services-inventory"]; r.Status != probes.Fail {
		t.Errorf("services-inventory: %s %q right after a node fell silent", r.Status, r.Summary)
	}
	later := noon.Add(6 * time.Minute)
	if err := world.Tick(s, later); err != nil {
		t.Fatal(err)
	}
	moved, err := cluster(t, s).Pods(t.Context(), "data-platform")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range moved.Items {
		if p.OwnerKind == "ReplicaSet" && p.Node == "k8s-worker-2" {
			t.Errorf("pod %s is still bound to a silent node", p.Name)
		}
	}
	readyIs("True", later)
	expect(t, ask(t, s, later), nil)
}
