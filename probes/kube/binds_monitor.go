package kube

import (
	"context"
	"fmt"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/254carbon/gonogo/probes"
)

// scalerPart asks whether autoscalers have a target. Whether they do their work is the kind kubernetes.hpa's to ask.
type scalerPart struct{ *Scope }

func (p scalerPart) reads() []schema.GroupVersionResource {
	return []schema.GroupVersionResource{hpaResource(), appsResource("deployments"), appsResource("statefulsets")}
}

func (p scalerPart) ask(ctx context.Context, r *reader, f *findings) error {
	seen, err := r.in(ctx, hpaResource(), p.Namespaces)
	if err != nil {
		return err
	}
	for _, o := range seen.Items {
		h, err := typed[autoscalingv2.HorizontalPodAutoscaler](r, o)
		if err != nil {
			return err
		}
		ref := h.Spec.ScaleTargetRef
		e := probes.Evidence{
			Subject: "autoscaler " + h.Namespace + "/" + h.Name, Want: "its target exists", Got: strings.ToLower(ref.Kind) + " " + ref.Name,
		}.From(seen.Request)
		fault, err := hpaProbe{objects: r.cluster}.missingTarget(ctx, h)
		if err != nil {
			return err
		}
		if fault != "" {
			e.Got = fault
			fault = e.Subject + " " + fault
		}
		f.add(e, fault)
	}
	return f.total(seen.Request, seen.Note, "autoscaler", len(seen.Items), "has its target")
}

// monitorPart asks whether monitors select something that can be scraped. Whether it is scraped only Prometheus knows.
type monitorPart struct{ *Scope }

const operatorGroup = "monitoring.coreos.com"

func (p monitorPart) reads() []schema.GroupVersionResource {
	return append(endpointResources(), groupResource(operatorGroup, "servicemonitors"), groupResource(operatorGroup, "podmonitors"), coreResource("namespaces"))
}

// monitor is what matters of a ServiceMonitor or PodMonitor.
type monitor struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Selector          metav1.LabelSelector `json:"selector"`
		NamespaceSelector struct {
			Any        bool     `json:"any"`
			MatchNames []string `json:"matchNames"`
		} `json:"namespaceSelector"`
		Endpoints           []scraped `json:"endpoints"`
		PodMetricsEndpoints []scraped `json:"podMetricsEndpoints"`
	} `json:"spec"`
}

// scraped is what a monitor says of a port.
type scraped struct {
	Port       string              `json:"port"`
	TargetPort *intstr.IntOrString `json:"targetPort"`
}

func (p monitorPart) ask(ctx context.Context, r *reader, f *findings) error {
	asked, note := 0, ""
	var request probes.Request
	for _, kind := range []struct {
		plural string
		binds  func(context.Context, *reader, *monitor, []string) (string, string, error)
	}{{"servicemonitors", serviceMonitorBinds}, {"podmonitors", podMonitorBinds}} {
		resource := groupResource(operatorGroup, kind.plural)
		seen, err := r.in(ctx, resource, p.Namespaces)
		if apierrors.IsNotFound(err) {
			e := probes.Evidence{Subject: kind.plural, Want: "at least one", Got: "the cluster does not serve this resource"}.From(requestOr(seen.Request, resource))
			f.add(e, "the cluster does not serve "+kind.plural+"."+operatorGroup+": the Prometheus Operator is not installed")
			return nil
		}
		if err != nil {
			return err
		}
		asked += len(seen.Items)
		request, note = seen.Request, seen.Note
		for _, o := range seen.Items {
			m, err := typed[monitor](r, o)
			if err != nil {
				return err
			}
			e := probes.Evidence{Subject: subject(o), Want: "selects something with the port that it names"}.From(seen.Request)
			in, err := m.namespaces(ctx, r)
			if err != nil {
				return err
			}
			got, fault, err := kind.binds(ctx, r, m, in)
			if err != nil {
				return err
			}
			if e.Got = got; fault != "" {
				e.Got = fault
				fault = e.Subject + " " + fault
			}
			f.add(e, fault)
		}
	}
	return f.total(request, note, "monitor", asked, "selects what it is to scrape")
}

// namespaces are those that a monitor looks in: its own if it names none.
func (m *monitor) namespaces(ctx context.Context, r *reader) ([]string, error) {
	switch names := m.Spec.NamespaceSelector; {
	case names.Any:
		seen, err := r.list(ctx, coreResource("namespaces"), "")
		if err != nil {
			return nil, err
		}
		var all []string
		for _, o := range seen.Items {
			all = append(all, o.GetName())
		}
		return all, nil
	case len(names.MatchNames) > 0:
		return names.MatchNames, nil
	}
	return []string{m.Namespace}, nil
}

// serviceMonitorBinds follows a ServiceMonitor to Services that carry its labels and have its ports, with endpoints.
func serviceMonitorBinds(ctx context.Context, r *reader, m *monitor, in []string) (got, fault string, err error) {
	selector, err := metav1.LabelSelectorAsSelector(&m.Spec.Selector)
	if err != nil {
		return "", "has a selector that makes no sense: " + err.Error(), nil
	}
	var chosen []*corev1.Service
	for _, ns := range in {
		seen, err := r.list(ctx, coreResource("services"), ns)
		if err != nil {
			return "", "", err
		}
		for _, o := range seen.Items {
			s, err := typed[corev1.Service](r, o)
			if err != nil {
				return "", "", err
			}
			if selector.Matches(labels.Set(s.Labels)) {
				chosen = append(chosen, s)
			}
		}
	}
	switch {
	case len(chosen) == 0:
		return "", fmt.Sprintf("selects no service (%s)", describeSelector(&m.Spec.Selector)), nil
	case len(m.Spec.Endpoints) == 0:
		return "", "names no port", nil
	}
	for _, endpoint := range m.Spec.Endpoints {
		if got, fault, err = scrapes(ctx, r, chosen, endpoint); err != nil || fault != "" {
			return "", fault, err
		}
	}
	return got, "", nil
}

// scrapes says which of the Services can be scraped at a port, or why none can.
func scrapes(ctx context.Context, r *reader, chosen []*corev1.Service, endpoint scraped) (got, fault string, err error) {
	for _, s := range chosen {
		port := portNamed(s, endpoint.Port, -1)
		called := "service " + s.Namespace + "/" + s.Name
		if endpoint.Port != "" && port == nil {
			fault = fmt.Sprintf("selects %s, which has no port named %s (it has %s)", called, endpoint.Port, portNames(s))
			continue
		}
		ready, wrong, err := r.endpoints(ctx, s, port)
		if err != nil {
			return "", "", err
		}
		if wrong == "" {
			return fmt.Sprintf("selects %s, %s", called, plural(ready, "ready endpoint")), "", nil
		}
		fault = fmt.Sprintf("selects %s, which %s", called, wrong)
	}
	return "", fault, nil
}

// podMonitorBinds follows a PodMonitor to pods.
func podMonitorBinds(ctx context.Context, r *reader, m *monitor, in []string) (got, fault string, err error) {
	selector, err := metav1.LabelSelectorAsSelector(&m.Spec.Selector)
	if err != nil {
		return "", "has a selector that makes no sense: " + err.Error(), nil
	}
	var all []alike
	for _, ns := range in {
		pods, err := r.labelsIn(ctx, ns)
		if err != nil {
			return "", "", err
		}
		if n := countSelected(selector, pods); n > 0 {
			return "selects " + plural(n, "pod"), "", nil
		}
		all = append(all, pods...)
	}
	return "", noPod(&m.Spec.Selector, all), nil
}
