package kube

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/probes"
)

// MetricsParams are the parameters of the kind kubernetes.metrics.
type MetricsParams struct {
	MaxAge time.Duration `yaml:"maxAge,omitempty" jsonschema:"description=how old the newest sample of a node may be"`
}

// Validate reports what is wrong with the parameters.
func (p *MetricsParams) Validate() error {
	if p.MaxAge <= 0 {
		return fmt.Errorf("maxAge must be positive, it is %s", p.MaxAge)
	}
	return nil
}

// MetricsInfo describes the kind kubernetes.metrics.
func MetricsInfo() probes.KindInfo {
	return probes.KindInfo{
		Name: "kubernetes.metrics",
		About: "Asks whether the resource metrics API is Available and serves fresh samples of nodes, which autoscalers depend on; from its APIService and " +
			"from what it serves.",
		Connection: "kubernetes", Every: time.Minute, Timeout: 10 * time.Second, Confirm: 2,
		Params: func() any { return &MetricsParams{MaxAge: 5 * time.Minute} },
	}
}

// NewMetrics returns a probe of the kind kubernetes.metrics. Parameters must be valid. The clock is that of ages; nil for the machine's.
func NewMetrics(objects Objects, p MetricsParams, now func() time.Time) probes.Probe {
	if now == nil {
		now = time.Now
	}
	return metricsProbe{objects: objects, params: p, now: now}
}

type metricsProbe struct {
	objects Objects
	params  MetricsParams
	now     func() time.Time
}

const metricsAPI = "v1beta1.metrics.k8s.io"

// Observe asks whether the API is Available before it asks the API, which would only wait for a server that is not there. The samples come
// from a collection that is read again and again rather than watched, so that their own time counts, not that of reading.
func (p metricsProbe) Observe(ctx context.Context) (probes.Observation, error) {
	registered, err := p.objects.List(ctx, schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"}, "")
	if err != nil {
		return probes.Observation{}, fmt.Errorf("listing API services: %w", err)
	}
	api, err := find(registered, "", metricsAPI)
	if err != nil {
		return probes.Observation{}, err
	}
	available := probes.Evidence{Subject: "API service " + metricsAPI, Want: "Available", Got: "Available"}.From(registered.Request)
	if fault := apiFault(api); fault != "" {
		available.Got, available.Wanting = fault, true
		return probes.Observation{
			Status: probes.Fail, Summary: "the metrics API " + fault, Evidence: []probes.Evidence{available}, Confirmed: registered.Confirmed,
		}, nil
	}
	seen, err := p.objects.List(ctx, schema.GroupVersionResource{Group: "metrics.k8s.io", Version: "v1beta1", Resource: "nodes"}, "")
	served := probes.Evidence{Subject: "samples of nodes", Want: "at least one, not older than " + p.params.MaxAge.String()}.From(
		requestOr(seen.Request, schema.GroupVersionResource{Group: "metrics.k8s.io", Version: "v1beta1", Resource: "nodes"}))
	fault := ""
	switch {
	case apierrors.IsNotFound(err) || apierrors.IsServiceUnavailable(err):
		fault, served.Got = "is Available but does not answer", err.Error()
	case err != nil:
		return probes.Observation{}, fmt.Errorf("listing the metrics of nodes: %w", err)
	default:
		served.Got, fault, err = p.samples(seen.Items)
	}
	if err != nil && fault == "" {
		return probes.Observation{}, err
	}
	obs := probes.Observation{Status: probes.Pass, Summary: "the metrics API serves " + served.Got, Confirmed: oldest(registered.Confirmed, seen.Confirmed)}
	if fault != "" {
		served.Wanting = true
		obs.Status, obs.Summary = probes.Fail, "the metrics API "+fault
	}
	obs.Evidence = []probes.Evidence{available, served}
	return obs, nil
}

// apiFault says why the API is not Available, or nothing.
func apiFault(api *unstructured.Unstructured) string {
	if api == nil {
		return "is not registered"
	}
	conditions, _, _ := unstructured.NestedSlice(api.Object, "status", "conditions")
	for _, item := range conditions {
		c, _ := item.(map[string]any)
		if c["type"] != "Available" {
			continue
		}
		if c["status"] == "True" {
			return ""
		}
		reason, _ := c["reason"].(string)
		message, _ := c["message"].(string)
		return "is not Available: " + because(reason, message)
	}
	return "is not Available: nobody has checked it"
}

// samples describes what is served, and says what is wrong with it. Samples of the future say that clocks differ, which is not knowing.
func (p metricsProbe) samples(items []*unstructured.Unstructured) (got, fault string, err error) {
	if len(items) == 0 {
		return "no samples", "is Available but serves no samples", nil
	}
	var newest time.Time
	for _, o := range items {
		raw, _, _ := unstructured.NestedString(o.Object, "timestamp")
		if at, err := time.Parse(time.RFC3339, raw); err == nil && at.After(newest) {
			newest = at
		}
	}
	age := p.now().Sub(newest)
	switch {
	case newest.IsZero():
		return "samples without a time", "serves samples without a time", nil
	case age < -2*time.Minute:
		return "", "", fmt.Errorf("the newest sample of a node is of %s, in the future: the clocks of the cluster and of this machine differ", moment(newest))
	case age > p.params.MaxAge:
		return "samples of " + moment(newest), fmt.Sprintf("serves nothing newer than %s, %s ago", moment(newest), age.Round(time.Second)), nil
	}
	return fmt.Sprintf("samples of %s, the newest of %s", plural(len(items), "node"), moment(newest)), "", nil
}
