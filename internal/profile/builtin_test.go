package profile_test

import (
	"encoding/csv"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/254carbon/gonogo/internal/profile"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/alertmanager"
	"github.com/254carbon/gonogo/probes/catalogue"
	"github.com/254carbon/gonogo/probes/certificates"
	"github.com/254carbon/gonogo/probes/cloudflare"
	"github.com/254carbon/gonogo/probes/command"
	"github.com/254carbon/gonogo/probes/edge"
	"github.com/254carbon/gonogo/probes/evidence"
	"github.com/254carbon/gonogo/probes/files"
	"github.com/254carbon/gonogo/probes/grafana"
	"github.com/254carbon/gonogo/probes/harbor"
	"github.com/254carbon/gonogo/probes/images"
	"github.com/254carbon/gonogo/probes/kube"
	"github.com/254carbon/gonogo/probes/loki"
	"github.com/254carbon/gonogo/probes/monitors"
	"github.com/254carbon/gonogo/probes/postgres"
	"github.com/254carbon/gonogo/probes/prometheus"
	"github.com/254carbon/gonogo/probes/velero"
	"github.com/254carbon/gonogo/probes/web"
)

// realKinds are the kinds that the built-in profile is written for.
func realKinds() []probes.KindInfo {
	return []probes.KindInfo{
		files.Info(), evidence.Info(),
		kube.ObjectsInfo(), kube.MetricsInfo(), kube.NodesInfo(), kube.HPAInfo(), kube.WorkloadsInfo(), kube.InventoryInfo(),
		kube.BindsInfo(), kube.RBACInfo(), kube.SpreadInfo(), kube.ControlPlaneInfo(),
		velero.ServerInfo(), velero.StorageInfo(), velero.SchedulesInfo(), velero.BackupsInfo(), velero.DomainInfo(),
		prometheus.TargetsInfo(), monitors.Info(), prometheus.PromQLInfo(), cloudflare.APIKind(), cloudflare.TunnelKind(), cloudflare.AccessKind(), cloudflare.RoutesKind(), edge.Info(), certificates.Info(),
		harbor.HealthKind(), harbor.DoorKind(), harbor.CredentialsKind(), harbor.RobotKind(), images.MirroredInfo(), images.OriginInfo(),
		grafana.Info(), loki.Info(), alertmanager.Info(),
		web.Info(), command.Info(),
		catalogue.Info(), postgres.ReplicationInfo(),
	}
}

func builtin(t *testing.T) *profile.Profile {
	t.Helper()
	p, err := profile.Builtin(profile.DefaultName, realKinds())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// row is what the table of checks says of one check, and what the profile does.
type row struct {
	Component, Points, Check, Claim, Weight, Gate, BlockedBy, Every string
}

// TestBuiltinIsTheTable holds that the built-in profile has exactly the checks of the table, in its order.
func TestBuiltinIsTheTable(t *testing.T) {
	f, err := os.Open("../../testdata/platform/checks.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table := csv.NewReader(f)
	table.Comma = '\t'
	lines, err := table.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var want, got []row
	kinds := map[string]string{}
	for _, l := range lines[1:] {
		want = append(want, row{l[0], l[1], l[2], l[3], l[4], l[5], l[6], every(t, l[9])})
		kinds[l[2]] = l[10]
	}
	p := builtin(t)
	for _, c := range p.Components {
		for _, check := range c.Checks {
			s := check.Spec
			r := row{
				Component: string(c.ID), Points: probes.FormatRat(c.Weight), Check: string(s.ID), Claim: s.Title, Weight: probes.FormatRat(s.Weight),
			}
			if s.Gate {
				r.Gate = "gate"
			}
			var by []string
			for _, id := range s.BlockedBy {
				by = append(by, string(id))
			}
			r.BlockedBy = strings.Join(by, ",")
			r.Every = s.Every.String()
			if s.OnChange && s.Every == 30*time.Second {
				r.Every = "watch"
			}
			got = append(got, r)
			if check.Kind != kinds[r.Check] {
				t.Errorf("check %s: probe %s, the table says %s", s.ID, check.Kind, kinds[r.Check])
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("table and profile differ (-table +profile):\n%s", diff)
	}
	if len(got) != 47 {
		t.Errorf("%d checks", len(got))
	}
}

func every(t *testing.T, text string) string {
	if text == "watch" {
		return text
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d.String()
}

// TestBuiltinIsWhole holds what the table does not say.
func TestBuiltinIsWhole(t *testing.T) {
	p := builtin(t)
	total, gates, used := new(big.Rat), 0, map[probes.ID]bool{}
	var ha probes.Effort
	for _, c := range p.Components {
		total.Add(total, c.Weight)
		if c.Declared == nil {
			t.Errorf("component %s: the status document's claim is missing", c.ID)
		}
		for _, check := range c.Checks {
			s := check.Spec
			if len(s.Remedy) < 40 || len(s.Remedy) > 300 || !strings.HasSuffix(s.Remedy, ".") {
				t.Errorf("check %s: remedy %q is not a sentence or two that help", s.ID, s.Remedy)
			}
			if s.Gate {
				gates++
			}
			if s.Action != "" {
				used[s.Action] = true
			}
			if c.ID == "multi-node-ha" {
				ha = ha.Add(s.Effort)
			}
		}
	}
	if total.Cmp(big.NewRat(100, 1)) != 0 || gates != 11 || len(p.Components) != 11 {
		t.Errorf("%s points, %d gates, %d components", probes.FormatRat(total), gates, len(p.Components))
	}
	if want := (probes.Effort{Min: 3 * probes.Workday, Max: 5 * probes.Workday}); ha != want {
		t.Errorf("multi-node HA takes %s, the status document says %s", ha, want)
	}
	for _, a := range p.Actions {
		if !used[a.ID] && a.Kind != "script" || a.Estimate.IsZero() { // a script is the old way, for whoever wants it
			t.Errorf("action %s mends nothing or has no estimate", a.ID)
		}
	}
	if len(p.Services) != 10 || len(p.Images) != 33 || probes.FormatRat(p.Threshold) != "95" {
		t.Errorf("%d services, %d images, threshold %s", len(p.Services), len(p.Images), probes.FormatRat(p.Threshold))
	}
	if _, err := probes.NewChecklist(p.Outline()); err != nil {
		t.Error(err)
	}
}

// TestInventoryIsOfTheServices holds that the inventory asks for the workload and image of each declared service.
func TestInventoryIsOfTheServices(t *testing.T) {
	p := builtin(t)
	check, _ := p.Check("services-inventory")
	inventory := check.Params.(*kube.InventoryParams)
	for _, s := range p.Services {
		at := slices.IndexFunc(inventory.Services, func(i kube.InventoryService) bool { return i.Name == string(s.ID) })
		if at < 0 {
			t.Errorf("service %s is not in the inventory", s.ID)
			continue
		}
		if !slices.ContainsFunc(inventory.Services[at].Workloads, func(w kube.Workload) bool {
			return w.Kind == s.Workload.Kind && w.Namespace == s.Workload.Namespace && w.Name == s.Workload.Name && w.Image == s.Image
		}) {
			t.Errorf("service %s: its workload %+v with %s is not in the inventory", s.ID, s.Workload, s.Image)
		}
	}
	if len(inventory.Services) != len(p.Services) {
		t.Errorf("%d services in the inventory, %d declared", len(inventory.Services), len(p.Services))
	}
}

func TestOpen(t *testing.T) {
	kinds := realKinds()
	if p, err := profile.Open("254carbon", kinds); err != nil || p.Name != "254carbon" {
		t.Errorf("%v, %v", p, err)
	}
	if _, err := profile.Open("254carbn", kinds); err == nil || !strings.Contains(err.Error(), `did you mean "254carbon"?`) {
		t.Errorf("misspelt: %v", err)
	}
	if _, err := profile.Open("./nowhere.yaml", kinds); err == nil || !strings.Contains(err.Error(), "nowhere.yaml") {
		t.Errorf("no such file: %v", err)
	}
	if _, err := profile.Open(t.TempDir(), kinds); err == nil || !strings.Contains(err.Error(), "is not a file") {
		t.Errorf("a directory: %v", err)
	}
}

// TestShow holds that the effective profile says the same as the one it was made from, and again the same of itself.
func TestShow(t *testing.T) {
	p := builtin(t)
	text, err := p.Show()
	if err != nil {
		t.Fatal(err)
	}
	again, err := profile.Load("254carbon.yaml", text, realKinds())
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	rat := cmp.Comparer(func(a, b *big.Rat) bool { return a.Cmp(b) == 0 })
	if diff := cmp.Diff(p.Outline(), again.Outline(), rat); diff != "" {
		t.Errorf("outline (-written +shown):\n%s", diff)
	}
	for _, c := range p.Checks() {
		if !profile.Same(p, again, c.Spec.ID) {
			t.Errorf("check %s differs", c.Spec.ID)
		}
	}
	twice, err := again.Show()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(text), string(twice)); diff != "" {
		t.Errorf("shown twice (-first +second):\n%s", diff)
	}
	if !strings.Contains(string(text), "timeout: 10s") || !strings.Contains(string(text), "env: HARBOR_PASSWORD") {
		t.Error("a default or a reference is missing")
	}
}

func TestSame(t *testing.T) {
	p := mustLoad(t, base)
	for name, c := range map[string]struct {
		from, to string
		same     bool
	}{
		"weight":     {"weight: 0.5", "weight: 2", true},
		"interval":   {"every: 30s", "every: 1m", true},
		"remedy":     {"Add a node.", "Add two.", true},
		"other":      {"threshold: 95", "threshold: 90", true},
		"title":      {"The door is right", "The door is good", false},
		"connection": {"harbor.example.com", "registry.example.com", false},
		"gone":       {"id: door", "id: gate", false},
	} {
		src := strings.Replace(base, c.from, c.to, 1)
		src = strings.Replace(src, "- {check: door, by", "- {check: nodes, by", 1)
		if got := profile.Same(p, mustLoad(t, src), "door"); got != c.same {
			t.Errorf("%s: %v", name, got)
		}
	}
	if profile.Same(p, mustLoad(t, strings.Replace(base, "{min: 2}", "{min: 4}", 1)), "nodes") {
		t.Error("other parameters ask another question")
	}
}

func TestNamespaces(t *testing.T) {
	want := []string{"cloudflare-tunnel", "data-platform", "ingress-nginx", "monitoring", "registry", "vault-prod", "velero"}
	if diff := cmp.Diff(want, builtin(t).Namespaces()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
