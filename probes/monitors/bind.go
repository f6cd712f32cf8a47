package monitors

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/kube"
)

// bind follows a monitor to what it selects, and says where it ends if it ends before. What may lie where gonogo may not look is an error.
func (w *view) bind(v *verdict) error {
	m, seen := v.monitor, w.monitorLists[v.monitor.pod]
	o := w.monitors[m]
	switch {
	case w.unserved[m.pod]:
		v.fail(requestOr(seen.Request), "the cluster does not serve %s: the Prometheus Operator is not installed", strings.Fields(m.String())[0]+"s")
		return nil
	case o == nil && seen.Note != "":
		return fmt.Errorf("%s", seen.Note)
	case o == nil:
		v.fail(seen.Request, "does not exist")
		return nil
	}
	s, err := specOf(o)
	if err != nil {
		return err
	}
	if picked, err := w.picked(v, o.GetLabels()); err != nil || !picked {
		return err
	}
	selector, err := metav1.LabelSelectorAsSelector(&s.Selector)
	if err != nil {
		return fmt.Errorf("reading its selector: %w", err)
	}
	endpoints := s.Endpoints
	if m.pod {
		endpoints = s.PodMetricsEndpoints
	}
	if v.endpoints = len(endpoints); v.endpoints == 0 {
		v.fail(seen.Request, "names no endpoint to scrape")
		return nil
	}
	if m.pod {
		return w.bindPods(v, s, selector, endpoints)
	}
	return w.bindServices(v, s, selector, endpoints)
}

// picked reports whether some Prometheus picks the monitor up.
func (w *view) picked(v *verdict, have map[string]string) (bool, error) {
	for _, k := range w.pickers {
		if ok, err := k.picks(v.monitor, have, w.namespaces); ok || err != nil {
			return ok, err
		}
	}
	switch {
	case w.pickerList.Note != "":
		return false, fmt.Errorf("looking for the Prometheus that picks it up: %s", w.pickerList.Note)
	case len(w.pickers) == 0:
		v.fail(requestOr(w.pickerList.Request), "there is no Prometheus object that would pick it up")
	default:
		v.fail(w.pickerList.Request, "no Prometheus picks it up: %s", w.because(v.monitor, have))
	}
	return false, nil
}

// because says what the first Prometheus selects that the monitor is not.
func (w *view) because(m monitor, have map[string]string) string {
	k := w.pickers[0]
	selector, where := k.Spec.ServiceMonitorSelector, k.Spec.ServiceMonitorNamespaceSelector
	if m.pod {
		selector, where = k.Spec.PodMonitorSelector, k.Spec.PodMonitorNamespaceSelector
	}
	if ok, err := selects(selector, have); err == nil && ok {
		if where == nil {
			return fmt.Sprintf("%s looks only into its own namespace %s", k.Name, k.Namespace)
		}
		return fmt.Sprintf("%s looks only into namespaces with %s", k.Name, metav1.FormatLabelSelector(where))
	}
	if selector == nil {
		return k.Name + " has no selector for it"
	}
	return fmt.Sprintf("%s wants the label %s", k.Name, metav1.FormatLabelSelector(selector))
}

// bindServices looks for the Services that a monitor selects, and for a port of it on one of them.
func (w *view) bindServices(v *verdict, s spec, selector labels.Selector, endpoints []endpoint) error {
	var found, bound []string
	var ports []string
	for _, svc := range w.services {
		if !s.in(v.monitor.namespace, svc.Namespace) || !selector.Matches(labels.Set(svc.Labels)) {
			continue
		}
		found = append(found, svc.Name)
		for _, p := range svc.Spec.Ports {
			ports = append(ports, portName(p))
		}
		if slices.ContainsFunc(endpoints, func(e endpoint) bool { return w.offers(svc, e) }) {
			bound = append(bound, svc.Name)
			v.services = append(v.services, svc.Namespace+"/"+svc.Name)
		}
	}
	switch {
	case len(bound) > 0:
		v.selects = "service " + enumerate(bound)
	case w.note != "":
		return fmt.Errorf("looking for its Services: %s", w.note)
	case len(found) == 0:
		v.fail(w.serviceList, "no Service with %s in %s", wordOf(s.Selector), s.where(v.monitor.namespace))
	default:
		v.fail(w.serviceList, "%s", withoutPort(found, ports, endpoints))
	}
	return nil
}

// offers reports whether a Service has the port of an endpoint, or pods that have.
func (w *view) offers(svc *corev1.Service, e endpoint) bool {
	if port := e.pod(); port != "" {
		selector := labels.SelectorFromSet(svc.Spec.Selector)
		return len(svc.Spec.Selector) > 0 && slices.ContainsFunc(w.pods, func(p *kube.Pod) bool {
			return p.Namespace == svc.Namespace && selector.Matches(labels.Set(p.Labels)) && hasPort(p, port)
		})
	}
	return e.Port == "" || slices.ContainsFunc(svc.Spec.Ports, func(p corev1.ServicePort) bool { return p.Name == e.Port })
}

// bindPods looks for the Pods that a monitor selects, and for a port of it on one of them.
func (w *view) bindPods(v *verdict, s spec, selector labels.Selector, endpoints []endpoint) error {
	found, bound := 0, 0
	for _, p := range w.pods {
		if p.Phase != corev1.PodRunning || !s.in(v.monitor.namespace, p.Namespace) || !selector.Matches(labels.Set(p.Labels)) {
			continue
		}
		found++
		if slices.ContainsFunc(endpoints, func(e endpoint) bool {
			port := e.Port
			if port == "" {
				port = e.pod()
			}
			return port == "" || hasPort(p, port)
		}) {
			bound++
		}
	}
	switch {
	case bound > 0:
		v.selects = plural(bound, "pod")
	case w.note != "":
		return fmt.Errorf("looking for its Pods: %s", w.note)
	case found == 0:
		v.fail(w.podList, "no running Pod with %s in %s", wordOf(s.Selector), s.where(v.monitor.namespace))
	default:
		v.fail(w.podList, "%s selected, but none has the port %s", plural(found, "Pod"), portsOf(endpoints))
	}
	return nil
}

func hasPort(p *kube.Pod, port string) bool {
	return slices.ContainsFunc(p.Containers, func(c kube.Container) bool { return c.HasPort(port) })
}

// explain finds the cause of targets that are not up: a Service without a ready endpoint says more than that a connection was refused.
func (p probe) explain(ctx context.Context, w *view, all []*verdict) error {
	if !slices.ContainsFunc(all, func(v *verdict) bool { return v.short != "" && v.selects != "" && !v.monitor.pod }) {
		return nil
	}
	seen, err := p.objects.List(ctx, slicesResource(), "")
	if err != nil || seen.Note != "" {
		return nil //nolint:nilerr // the cause is only an extra
	}
	ready := map[string]bool{}
	for _, o := range seen.Items {
		s, err := decode[discoveryv1.EndpointSlice](o)
		if err != nil {
			return err
		}
		service := s.Namespace + "/" + s.Labels[discoveryv1.LabelServiceName]
		ready[service] = ready[service] || slices.ContainsFunc(s.Endpoints, func(e discoveryv1.Endpoint) bool {
			return e.Conditions.Ready == nil || *e.Conditions.Ready
		})
	}
	for _, v := range all {
		if v.short == "" || v.selects == "" || v.monitor.pod {
			continue
		}
		if !slices.ContainsFunc(v.services, func(s string) bool { return ready[s] }) {
			v.fail(seen.Request, "Service %s has no ready endpoint", strings.TrimPrefix(v.selects, "service "))
		}
	}
	return nil
}

// requestOr describes the request for a resource that the cluster knows nothing of.
func requestOr(have probes.Request) probes.Request {
	if have.Source != "" && have.Repeat != "" {
		return have
	}
	group := serviceMonitors().GroupVersion()
	return probes.Request{Source: "GET /apis/" + group.String(), Repeat: "kubectl api-resources --api-group=" + group.Group}
}

// withoutPort says what ports Services have instead of the one that is wanted.
func withoutPort(services, ports []string, wanted []endpoint) string {
	text := "Service " + services[0] + " has"
	if len(services) > 1 {
		text = "Services " + enumerate(services) + " have"
	}
	if len(ports) == 0 {
		return text + " no port at all"
	}
	return fmt.Sprintf("%s no port %s, only %s", text, portsOf(wanted), enumerate(ports))
}

func portName(p corev1.ServicePort) string {
	if p.Name == "" {
		return fmt.Sprint(p.Port)
	}
	return p.Name
}

func portsOf(endpoints []endpoint) string {
	var names []string
	for _, e := range endpoints {
		for _, name := range []string{e.Port, e.pod()} {
			if name != "" && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return strings.Join(names, " or ")
}

func wordOf(s metav1.LabelSelector) string {
	if text := metav1.FormatLabelSelector(&s); text != "<none>" {
		return text
	}
	return "any label"
}
