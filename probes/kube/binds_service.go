package kube

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/254carbon/gonogo/probes"
)

// servicePart asks whether Services have endpoints.
type servicePart struct{ *Scope }

func (p servicePart) reads() []schema.GroupVersionResource { return endpointResources() }

// endpointResources are what following a Service reads.
func endpointResources() []schema.GroupVersionResource {
	return []schema.GroupVersionResource{coreResource("services"), groupResource("discovery.k8s.io", "endpointslices"), podsResource()}
}

func (p servicePart) ask(ctx context.Context, r *reader, f *findings) error {
	seen, err := r.in(ctx, coreResource("services"), p.Namespaces)
	if err != nil {
		return err
	}
	asked, bad := 0, len(f.faults)
	for _, o := range seen.Items {
		s, err := typed[corev1.Service](r, o)
		if err != nil {
			return err
		}
		if len(s.Spec.Selector) == 0 {
			continue
		}
		asked++
		e := probes.Evidence{Subject: "service " + s.Namespace + "/" + s.Name, Want: "selects a pod that is ready"}.From(seen.Request)
		ready, fault, err := r.endpoints(ctx, s, nil)
		if err != nil {
			return err
		}
		e.Got = plural(ready, "ready endpoint")
		if fault != "" {
			e.Got = fault
			fault = e.Subject + " " + fault
		}
		f.add(e, fault)
	}
	if asked == 0 {
		e := probes.Evidence{Subject: "services", Want: "at least one with a selector", Got: "none" + noted(seen.Note)}.From(seen.Request)
		f.add(e, "there is no Service with a selector")
	}
	f.good = append(f.good, fmt.Sprintf("%d of %s with ready pods", asked-(len(f.faults)-bad), plural(asked, "service")))
	return nil
}

func noted(note string) string {
	if note == "" {
		return ""
	}
	return " (" + note + ")"
}

// serviceNamed returns a Service, or nil if there is none.
func (r *reader) serviceNamed(ctx context.Context, namespace, name string) (*corev1.Service, error) {
	seen, err := r.list(ctx, coreResource("services"), namespace)
	if err != nil {
		return nil, err
	}
	o, err := find(seen, namespace, name)
	if o == nil || err != nil {
		return nil, err
	}
	return typed[corev1.Service](r, o)
}

// portNamed finds a port of a Service by its name or, if that is empty, its number.
func portNamed(s *corev1.Service, name string, number int32) *corev1.ServicePort {
	for i := range s.Spec.Ports {
		if p := &s.Spec.Ports[i]; name != "" && p.Name == name || name == "" && p.Port == number {
			return p
		}
	}
	return nil
}

// endpoints counts the ready endpoints of a Service that serve a port, or with nil any. The fault follows the Service's name.
func (r *reader) endpoints(ctx context.Context, s *corev1.Service, port *corev1.ServicePort) (ready int, fault string, err error) {
	if s.Spec.Type == corev1.ServiceTypeExternalName {
		return 0, "leads out of the cluster, to " + s.Spec.ExternalName, nil
	}
	all, err := r.slicesOf(ctx, s.Namespace, s.Name)
	if err != nil {
		return 0, "", err
	}
	known, open := map[string]bool{}, map[string]bool{} // endpoint → ready; those with the port
	for _, o := range all {
		slice, err := typed[discoveryv1.EndpointSlice](r, o)
		if err != nil {
			return 0, "", err
		}
		serves := port == nil || hasPort(slice, port.Name)
		for i := range slice.Endpoints {
			e := &slice.Endpoints[i]
			c := e.Conditions // a Service may publish pods that are not ready as ready
			isReady := (c.Ready == nil || *c.Ready) && (c.Serving == nil || *c.Serving) && (c.Terminating == nil || !*c.Terminating)
			key := strings.Join(e.Addresses, ",")
			if e.TargetRef != nil { // one pod may have addresses of two families
				key = e.TargetRef.Kind + "/" + e.TargetRef.Name
			}
			known[key] = known[key] || isReady
			if isReady && serves {
				open[key] = true
			}
		}
	}
	if len(open) > 0 {
		return len(open), "", nil
	}
	if len(known) == 0 && len(s.Spec.Selector) > 0 {
		pods, err := r.labelsIn(ctx, s.Namespace)
		if err != nil {
			return 0, "", err
		}
		selector := selectorOf(s.Spec.Selector)
		matcher, err := metav1.LabelSelectorAsSelector(selector)
		if err != nil {
			return 0, "has a selector that makes no sense: " + err.Error(), nil
		}
		if !anySelected(matcher, pods) {
			return 0, noPod(selector, pods), nil
		}
	}
	up := 0
	for _, isReady := range known {
		up += one(isReady)
	}
	if up > 0 {
		return 0, fmt.Sprintf("has %s, and none serves its port %s", plural(up, "ready endpoint"), portLabel(port)), nil
	}
	return 0, fmt.Sprintf("has no ready endpoint (%d of %d ready)", up, len(known)), nil
}

func hasPort(slice *discoveryv1.EndpointSlice, name string) bool {
	for _, p := range slice.Ports {
		if p.Name == nil && name == "" || p.Name != nil && *p.Name == name {
			return true
		}
	}
	return false
}

func portLabel(p *corev1.ServicePort) string {
	if p.Name != "" {
		return p.Name
	}
	return fmt.Sprint(p.Port)
}

// portNames lists the ports of a Service.
func portNames(s *corev1.Service) string {
	if len(s.Spec.Ports) == 0 {
		return "none"
	}
	var names []string
	for i := range s.Spec.Ports {
		names = append(names, portLabel(&s.Spec.Ports[i]))
	}
	return enumerate(names)
}

// leads follows the name of a Service and of one of its ports to ready endpoints, and says how it went.
func (r *reader) leads(ctx context.Context, namespace, service string, port intstr.IntOrString) (got, fault string, err error) {
	s, err := r.serviceNamed(ctx, namespace, service)
	if err != nil {
		return "", "", err
	}
	called := "service " + namespace + "/" + service
	if s == nil {
		return "", called + " does not exist", nil
	}
	name := ""
	if port.Type == intstr.String {
		name = port.StrVal
	}
	p := portNamed(s, name, port.IntVal)
	if p == nil {
		return "", fmt.Sprintf("%s has no port %s (it has %s)", called, port.String(), portNames(s)), nil
	}
	ready, fault, err := r.endpoints(ctx, s, p)
	if err != nil || fault != "" {
		return "", called + " " + fault, err
	}
	return fmt.Sprintf("%s:%s, %s", called, portLabel(p), plural(ready, "ready endpoint")), "", nil
}
