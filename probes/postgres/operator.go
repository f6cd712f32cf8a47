package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/probes"
)

var clustersResource = schema.GroupVersionResource{Group: "postgresql.cnpg.io", Version: "v1", Resource: "clusters"}

// clusterStatus is what is read of a CloudNativePG Cluster.
type clusterStatus struct {
	Status struct {
		Phase           string              `json:"phase"`
		CurrentPrimary  string              `json:"currentPrimary"`
		TargetPrimary   string              `json:"targetPrimary"`
		FailingSince    string              `json:"currentPrimaryFailingSinceTimestamp"`
		InstancesStatus map[string][]string `json:"instancesStatus"`
		Reported        map[string]struct {
			IsPrimary bool `json:"isPrimary"`
		} `json:"instancesReportedState"`
	} `json:"status"`
}

// operator reads what CloudNativePG says of its Cluster. It counts an instance as healthy that is ready, so that lag is not known.
func (p replicationProbe) operator(ctx context.Context) (picture, error) {
	namespace, name, _ := strings.Cut(p.params.Cluster, "/")
	list, err := p.sources.Objects.List(ctx, clustersResource, namespace)
	seen := picture{
		request: list.Request, confirmed: list.Confirmed, want: "healthy, as CloudNativePG sees it", empty: "the Cluster has no healthy instance besides its primary",
	}
	if apierrors.IsNotFound(err) {
		seen.only = "CloudNativePG is not installed: the cluster does not serve " + clustersResource.GroupResource().String()
		seen.request = probes.Request{Source: "GET /apis/postgresql.cnpg.io/v1", Repeat: "kubectl api-resources --api-group=postgresql.cnpg.io"}
		return seen, nil
	}
	if err != nil {
		return picture{}, fmt.Errorf("listing clusters.postgresql.cnpg.io in %s: %w", namespace, err)
	}
	for _, o := range list.Items {
		if o.GetName() != name || o.GetNamespace() != namespace {
			continue
		}
		var c clusterStatus
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &c); err != nil {
			return picture{}, fmt.Errorf("reading cluster %s: %w", p.params.Cluster, err)
		}
		c.draw(&seen)
		return seen, nil
	}
	if list.Note != "" {
		return picture{}, errIncomplete("looking for cluster "+p.params.Cluster, list.Note)
	}
	seen.only = fmt.Sprintf("there is no CloudNativePG Cluster %s", p.params.Cluster)
	return seen, nil
}

// draw puts what the operator says into a picture.
func (c clusterStatus) draw(seen *picture) {
	s := c.Status
	var primaries []string
	for _, pod := range slices.Sorted(maps.Keys(s.Reported)) {
		if s.Reported[pod].IsPrimary {
			primaries = append(primaries, pod)
		}
	}
	if s.CurrentPrimary != "" && !slices.Contains(primaries, s.CurrentPrimary) {
		primaries = append([]string{s.CurrentPrimary}, primaries...)
	}
	for _, pod := range primaries {
		seen.primaries = append(seen.primaries, member{name: pod, pod: pod})
	}
	for _, state := range slices.Sorted(maps.Keys(s.InstancesStatus)) {
		for _, pod := range s.InstancesStatus[state] {
			if slices.Contains(primaries, pod) {
				continue
			}
			seen.followers = append(seen.followers, member{name: pod, pod: pod})
			one := standby{name: pod, got: state}
			if state != "healthy" {
				one.fault = "is " + probes.Clean(state, 40)
			}
			seen.standbys = append(seen.standbys, one)
		}
	}
	switch {
	case s.FailingSince != "":
		seen.faults = append(seen.faults, "CloudNativePG says that the primary is failing since "+probes.Clean(s.FailingSince, 40))
	case s.TargetPrimary != "" && s.TargetPrimary != s.CurrentPrimary:
		seen.faults = append(seen.faults, fmt.Sprintf("CloudNativePG is making %s the primary: %s", probes.Clean(s.TargetPrimary, 60), probes.Clean(s.Phase, 100)))
	}
}
