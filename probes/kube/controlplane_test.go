package kube_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/kube"
	"github.com/254carbon/gonogo/probes/kube/kubefake"
	"github.com/254carbon/gonogo/probes/probetest"
)

// paths answers raw reads by the beginning of their path.
type paths map[string]answer

type answer struct {
	body string
	err  error
}

func (p paths) Raw(ctx context.Context, path string, _ int64) ([]byte, probes.Request, error) {
	request := probes.Request{Source: "GET " + path, Repeat: "kubectl get --raw '" + path + "'"}
	for prefix, a := range p {
		if strings.HasPrefix(path, prefix) {
			return []byte(a.body), request, errors.Join(a.err, ctx.Err())
		}
	}
	<-ctx.Done()
	return nil, request, ctx.Err()
}

func TestControlPlane(t *testing.T) {
	now := time.Date(2025, 10, 20, 12, 0, 0, 0, time.UTC)
	lease := func(name string, age time.Duration) string {
		return fmt.Sprintf(`{"metadata":{"name":%q},"spec":{"renewTime":%q}}`, name, now.Add(-age).Format("2006-01-02T15:04:05.000000Z07:00"))
	}
	leases := func(items ...string) answer {
		return answer{body: `{"kind":"LeaseList","apiVersion":"coordination.k8s.io/v1","items":[` + strings.Join(items, ",") + `]}`}
	}
	const leasesAt, etcdAt = "/apis/coordination.k8s.io/", "/readyz/etcd"
	three := []object{node("cp1", "control-plane"), node("cp2", "control-plane"), node("cp3", "control-plane"), node("w1", "worker")}
	two := leases(lease("apiserver-a", 5*time.Second), lease("apiserver-b", 9*time.Second))
	fine := answer{body: "[+]etcd ok\nreadyz check passed\n"}
	world := func(nodes []object, l, e answer) func(*testing.T) probes.Probe {
		return func(*testing.T) probes.Probe {
			p := kube.ControlPlaneInfo().Params().(*kube.ControlPlaneParams)
			return kube.NewControlPlane(kubefake.New(nodes...), paths{leasesAt: l, etcdAt: e}, *p, func() time.Time { return now })
		}
	}
	internal := &apierrors.StatusError{ErrStatus: apierrors.NewInternalError(errors.New("x")).ErrStatus}
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "leases"}, "", errors.New("may not list"))
	probetest.Suite{
		New: world(three, two, fine),
		Hanging: func(*testing.T) probes.Probe {
			return kube.NewControlPlane(kubefake.New(three...), paths{}, kube.ControlPlaneParams{Etcd: true}, nil)
		},
		Worlds: []probetest.World{
			{Name: "one control plane", New: world(three[2:], two, fine), Want: probes.Fail, Says: []string{"1 control-plane node ready, want 3"}},
			{Name: "one is down", New: world(append([]object{node("cp0", "control-plane", conditions(condition("Ready", "False", "KubeletNotReady", "runtime is down")))}, three[1:]...), two, fine),
				Want: probes.Fail, Says: []string{"cp0 not ready", "2 control-plane nodes ready, want 3"}},
			{Name: "a cordoned one works", New: world(append([]object{node("cp0", "control-plane", cordon)}, three[1:]...), two, fine), Want: probes.Pass},
			{Name: "one API server is silent", New: world(three, leases(lease("apiserver-a", 5*time.Second), lease("apiserver-b", time.Hour)), fine), Want: probes.Fail,
				Says: []string{"1 API server alive, want 2", "apiserver-b"}},
			{Name: "a lease that was never renewed", New: world(three, leases(lease("a", 0), `{"metadata":{"name":"never"},"spec":{}}`), fine), Want: probes.Fail, Says: []string{"silent: never"}},
			{Name: "no leases", New: world(three, leases(), fine), Want: probes.Fail, Says: []string{"0 API servers alive"}},
			{Name: "etcd fails", New: world(three, two, answer{"[-]etcd failed: reason withheld\nreadyz check failed\n", internal}), Want: probes.Fail, Says: []string{"etcd fails"}},
			{Name: "a short ok", New: world(three, two, answer{body: "ok"}), Want: probes.Pass},
		},
		Errors: []probetest.Failure{
			{Name: "leases not allowed", New: world(three, answer{err: forbidden}, fine), Is: apierrors.IsForbidden, Says: []string{"leases"}},
			{Name: "etcd not allowed", New: world(three, two, answer{err: forbidden}), Is: apierrors.IsForbidden, Says: []string{"etcd"}},
			{Name: "an API server in trouble of another kind", New: world(three, two, answer{"oops", internal}), Says: []string{"etcd"}},
			{Name: "leases of another shape", New: world(three, answer{body: `{"kind":"Pod"}`}, fine), Says: []string{"no list of leases"}},
			{Name: "garbage of etcd", New: world(three, two, answer{body: "<html>"}), Says: []string{"neither ok nor not"}},
			{Name: "clocks differ", New: world(three, leases(lease("a", -time.Hour)), fine), Says: []string{"clocks"}},
			{Name: "nodes not allowed", Is: apierrors.IsForbidden, Says: []string{"nodes"}, New: func(*testing.T) probes.Probe {
				return kube.NewControlPlane(kubefake.New().Forbid(schema.GroupVersionResource{Version: "v1", Resource: "nodes"}), paths{}, kube.ControlPlaneParams{Nodes: 1}, nil)
			}},
		},
	}.Run(t)
	for _, p := range []kube.ControlPlaneParams{{}, {Nodes: -1}, {APIServers: 2}} {
		if err := p.Validate(); err == nil {
			t.Errorf("accepted %+v", p)
		}
	}
}
