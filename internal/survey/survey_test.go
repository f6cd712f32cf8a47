package survey

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/254carbon/gonogo/internal/platform"
	"github.com/254carbon/gonogo/internal/profile"
	"github.com/254carbon/gonogo/internal/sim"
	"github.com/254carbon/gonogo/internal/sim/kubeapi"
	"github.com/254carbon/gonogo/probes/all"
)

// look looks at the simulated platform with an account that may do what may says.
func look(t *testing.T, may func(a kubeapi.Attributes) bool) (Found, error) {
	t.Helper()
	s, err := sim.Start(t.Context(), sim.Options{Scenario: sim.Documented})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	api := kubeapi.New(kubeapi.Options{Store: s.Kube, Authorizer: func(_ kubeapi.User, a kubeapi.Attributes) (bool, string) { return may(a), "" }})
	t.Cleanup(api.Close)
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	o := s.Platform(platform.Options{})
	o.Dial, o.REST = nil, &rest.Config{Host: server.URL}
	x, err := platform.Open(&profile.Profile{}, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.Close)
	x.Web = &platform.Web{} // hosts of the world outside are not to be knocked at
	found := &surveyor{x: x, tell: func(string) {}}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	uid, err := x.Cluster.UID(ctx)
	if err != nil {
		return Found{}, err
	}
	found.found.UID = uid
	for _, part := range []func(context.Context){found.nodes, found.workloads, found.guards, found.velero} {
		part(ctx)
	}
	return found.found, nil
}

func TestWhatMayNotBeReadIsSaid(t *testing.T) {
	found, err := look(t, func(a kubeapi.Attributes) bool { return a.Resource != "nodes" && a.Resource != "networkpolicies" })
	if err != nil {
		t.Fatal(err)
	}
	if found.Nodes.Ready != 0 || found.Policies != nil {
		t.Errorf("it found what it may not read: %+v, %v", found.Nodes, found.Policies)
	}
	text := written(t, NewDraft("Demo", "", found))
	for _, want := range []string{"# - could not be read: nodes: a right is missing", "# - could not be read: networkpolicies: a right is missing", "id: inventory-data-platform"} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	for _, not := range []string{"kubernetes.nodes", "policies-bind"} {
		if strings.Contains(text, not) {
			t.Errorf("it says %q", not)
		}
	}
}

func TestAClusterThatMayNotBeReadAtAll(t *testing.T) {
	if _, err := look(t, func(kubeapi.Attributes) bool { return false }); err == nil || !strings.Contains(err.Error(), "a right is missing") {
		t.Errorf("the error is %v", err)
	}
}

// written is the draft as a profile, which must be a valid one.
func written(t *testing.T, d *Draft) string {
	t.Helper()
	text, err := d.YAML()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := profile.Load("draft", text, all.Kinds()); err != nil {
		t.Fatalf("it is not valid: %v\n%s", err, text)
	}
	return string(text)
}

func TestForeignNamesStayWithinTheirPlace(t *testing.T) {
	const hostile = "x: \"y\" # {z}"
	found := Found{
		UID: "ab7d4e14-b479-41f2-a612-408ee994833b", Nodes: Nodes{Ready: 3, Workers: 2, ControlPlane: 1},
		Workloads:  []Workload{{"Deployment", "team", "api", "registry.example:5000/team/api"}, {"Deployment", "team", "yes", ""}, {"StatefulSet", "no", "null", "db"}},
		Idle:       []string{"Deployment team/off\nevil: true"},
		Hosts:      []string{"a.example", "true"},
		Pages:      []Page{{"a.example", 302}},
		Silent:     []string{"b.example\n- evil"},
		Prometheus: Prometheus{Service: "monitoring/prometheus:9090", Up: 2, Jobs: []string{hostile, "123"}},
		Velero:     Velero{Namespace: "velero", Location: "default", Bucket: hostile, Schedules: []Schedule{{"daily", "*/5 * * * *"}}},
		Harbor:     "https://harbor.example",
		Issued:     true, Metrics: true,
	}
	d := NewDraft("Plat: \"form\" # 1", "me@prod \\ \"x\"", found)
	d.Drop("metrics-api", "because\nevil: true")
	text := written(t, d)
	p, err := profile.Load("draft", []byte(text), all.Kinds())
	if err != nil {
		t.Fatal(err)
	}
	if p.Platform != "Plat: \"form\" # 1" || p.Connections.Kubernetes.Context != "me@prod \\ \"x\"" || p.Cluster.UID != found.UID {
		t.Errorf("it is of %q, context %q, cluster %q", p.Platform, p.Connections.Kubernetes.Context, p.Cluster.UID)
	}
	if strings.Contains(text, "\nevil") || !strings.Contains(text, "# - check metrics-api: it cannot be asked: because evil: true") {
		t.Errorf("foreign lines got out of their comment:\n%s", text)
	}
	if _, ok := p.Check("metrics-api"); ok {
		t.Error("a check that was dropped is there")
	}
}

func TestConnectionsGoWithTheirChecks(t *testing.T) {
	d := NewDraft("P", "", Found{UID: "ab7d4e14-b479-41f2-a612-408ee994833b", Nodes: Nodes{Ready: 1}, Harbor: "https://harbor.example"})
	if text := written(t, d); !strings.Contains(text, "\n  harbor:\n") {
		t.Errorf("Harbor has no connection:\n%s", text)
	}
	d.Drop("harbor-healthy", "down")
	d.Drop("harbor-door", "down")
	if text := written(t, d); strings.Contains(text, "\n  harbor:\n") || strings.Contains(text, "id: registry") {
		t.Errorf("Harbor is still there:\n%s", text)
	}
	if left, dropped := d.Checks(); left != 1 || dropped != 2 {
		t.Errorf("%d checks are left, %d were dropped", left, dropped)
	}
}

func TestRepository(t *testing.T) {
	for image, want := range map[string]string{
		"nginx": "nginx", "nginx:1.27": "nginx", "registry.example:5000/team/api": "registry.example:5000/team/api",
		"registry.example:5000/team/api:v1@sha256:abc": "registry.example:5000/team/api", "": "",
	} {
		if got := repository(image); got != want {
			t.Errorf("the repository of %q is %q, not %q", image, got, want)
		}
	}
}
