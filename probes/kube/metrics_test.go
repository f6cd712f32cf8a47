package kube_test

import (
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/kube"
	"github.com/254carbon/gonogo/probes/kube/kubefake"
	"github.com/254carbon/gonogo/probes/probetest"
)

func TestMetrics(t *testing.T) {
	now := time.Date(2025, 10, 20, 12, 0, 0, 0, time.UTC)
	api := func(conditions ...any) object {
		return object{
			"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": object{"name": "v1beta1.metrics.k8s.io"},
			"status": object{"conditions": conditions},
		}
	}
	available := api(condition("Available", "True", "Passed", "all checks passed"))
	sample := func(stamp any) object {
		return object{"apiVersion": "metrics.k8s.io/v1beta1", "kind": "NodeMetrics", "metadata": object{"name": "w1"}, "timestamp": stamp}
	}
	fresh, old := sample("2025-10-20T11:59:30Z"), sample("2025-10-20T11:50:00Z")
	on := func(c *kubefake.Cluster) func(*testing.T) probes.Probe {
		return func(*testing.T) probes.Probe {
			return kube.NewMetrics(c, kube.MetricsParams{MaxAge: 5 * time.Minute}, func() time.Time { return now })
		}
	}
	in := func(objects ...object) func(*testing.T) probes.Probe { return on(kubefake.New(objects...)) }
	nodes := schema.GroupVersionResource{Group: "metrics.k8s.io", Version: "v1beta1", Resource: "nodes"}
	services := schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"}
	probetest.Suite{
		New:     in(available, fresh, old),
		Hanging: on(kubefake.New().Hang()),
		Worlds: []probetest.World{
			{Name: "not registered", New: in(fresh), Want: probes.Fail, Says: []string{"not registered"}},
			{Name: "no server", New: in(api(condition("Available", "False", "MissingEndpoints", "endpoints for service/metrics-server have no addresses"))),
				Want: probes.Fail, Says: []string{"not Available", "MissingEndpoints"}},
			{Name: "never checked", New: in(api(), fresh), Want: probes.Fail, Says: []string{"nobody has checked"}},
			{Name: "available and empty", New: in(available), Want: probes.Fail, Says: []string{"serves no samples"}},
			{Name: "available and stale", New: in(available, old), Want: probes.Fail, Says: []string{"2025-10-20 11:50:00Z", "10m0s ago"}},
			{Name: "samples of no time", New: in(available, sample(nil)), Want: probes.Fail, Says: []string{"without a time"}},
			{Name: "not served after all", New: on(kubefake.New(available).Refuse(nodes, apierrors.NewNotFound(nodes.GroupResource(), ""))), Want: probes.Fail,
				Says: []string{"does not answer"}},
			{Name: "unavailable after all", New: on(kubefake.New(available).Refuse(nodes, apierrors.NewServiceUnavailable("no endpoints"))), Want: probes.Fail,
				Says: []string{"does not answer"}, Shows: []string{"no endpoints"}},
		},
		Errors: []probetest.Failure{
			{Name: "services not allowed", New: on(kubefake.New(available, fresh).Forbid(services)), Says: []string{"API services"}, Is: apierrors.IsForbidden},
			{Name: "metrics not allowed", New: on(kubefake.New(available, fresh).Forbid(nodes)), Says: []string{"metrics of nodes"}, Is: apierrors.IsForbidden},
			{Name: "clocks differ", New: in(available, sample("2025-10-20T12:30:00Z")), Says: []string{"clocks"}},
		},
	}.Run(t)
	if (&kube.MetricsParams{}).Validate() == nil {
		t.Error("accepted samples of no age")
	}
}
