package monitors

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/kube"
)

func operatorResource(plural string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "monitoring.coreos.com", Version: "v1", Resource: plural}
}

func serviceMonitors() schema.GroupVersionResource { return operatorResource("servicemonitors") }
func podMonitors() schema.GroupVersionResource     { return operatorResource("podmonitors") }
func prometheuses() schema.GroupVersionResource    { return operatorResource("prometheuses") }

func servicesResource() schema.GroupVersionResource {
	return schema.GroupVersionResource{Version: "v1", Resource: "services"}
}

func namespacesResource() schema.GroupVersionResource {
	return schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
}

func slicesResource() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "discovery.k8s.io", Version: "v1", Resource: "endpointslices"}
}

// spec is what is read of a ServiceMonitor or PodMonitor.
type spec struct {
	Selector          metav1.LabelSelector `json:"selector"`
	NamespaceSelector struct {
		Any        bool     `json:"any"`
		MatchNames []string `json:"matchNames"`
	} `json:"namespaceSelector"`
	Endpoints           []endpoint `json:"endpoints"`
	PodMetricsEndpoints []endpoint `json:"podMetricsEndpoints"`
}

// endpoint is one port that a monitor scrapes; one that names none scrapes all.
type endpoint struct {
	Port       string              `json:"port"`
	PortNumber *int32              `json:"portNumber"`
	TargetPort *intstr.IntOrString `json:"targetPort"`
}

// pod is the port of the pods, by name or number; empty if a Service's port is meant.
func (e endpoint) pod() string {
	switch {
	case e.PortNumber != nil:
		return fmt.Sprint(*e.PortNumber)
	case e.TargetPort != nil:
		return e.TargetPort.String()
	}
	return ""
}

// in reports whether a monitor looks into a namespace.
func (s spec) in(own, namespace string) bool {
	switch names := s.NamespaceSelector.MatchNames; {
	case s.NamespaceSelector.Any:
		return true
	case len(names) > 0:
		return slices.Contains(names, namespace)
	}
	return own == namespace
}

func (s spec) where(own string) string {
	switch names := s.NamespaceSelector.MatchNames; {
	case s.NamespaceSelector.Any:
		return "any namespace"
	case len(names) > 0:
		return strings.Join(names, ", ")
	}
	return own
}

// picker is what is read of a Prometheus: the monitors that it picks up. A selector that is not there picks nothing, one of namespaces that
// is not there picks the own.
type picker struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		ServiceMonitorSelector          *metav1.LabelSelector `json:"serviceMonitorSelector"`
		ServiceMonitorNamespaceSelector *metav1.LabelSelector `json:"serviceMonitorNamespaceSelector"`
		PodMonitorSelector              *metav1.LabelSelector `json:"podMonitorSelector"`
		PodMonitorNamespaceSelector     *metav1.LabelSelector `json:"podMonitorNamespaceSelector"`
	} `json:"spec"`
}

func (k picker) picks(m monitor, have map[string]string, namespaces map[string]map[string]string) (bool, error) {
	selector, where := k.Spec.ServiceMonitorSelector, k.Spec.ServiceMonitorNamespaceSelector
	if m.pod {
		selector, where = k.Spec.PodMonitorSelector, k.Spec.PodMonitorNamespaceSelector
	}
	ok, err := selects(selector, have)
	if err != nil || !ok {
		return false, err
	}
	if where == nil {
		return k.Namespace == m.namespace, nil
	}
	return selects(where, namespaces[m.namespace])
}

// selects reports whether a selector selects what has those labels; none selects nothing, an empty one everything.
func selects(selector *metav1.LabelSelector, have map[string]string) (bool, error) {
	s, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return false, fmt.Errorf("reading a selector: %w", err)
	}
	return s.Matches(labels.Set(have)), nil
}

// view is what one asking sees of the cluster.
type view struct {
	monitors   map[monitor]*unstructured.Unstructured
	pickers    []picker
	namespaces map[string]map[string]string // their labels
	services   []*corev1.Service
	pods       []*kube.Pod
	confirmed  time.Time

	monitorLists map[bool]probes.Seen[*unstructured.Unstructured]
	pickerList   probes.Seen[*unstructured.Unstructured]
	serviceList  probes.Request
	podList      probes.Request
	note         string // what could not be seen of Services and Pods
	unserved     map[bool]bool
}

// look reads the objects. The answer is as fresh as the stalest of them.
func (p probe) look(ctx context.Context) (*view, error) {
	w := &view{
		monitors: map[monitor]*unstructured.Unstructured{}, namespaces: map[string]map[string]string{},
		monitorLists: map[bool]probes.Seen[*unstructured.Unstructured]{}, unserved: map[bool]bool{},
	}
	for pod, r := range map[bool]schema.GroupVersionResource{false: serviceMonitors(), true: podMonitors()} {
		if !slices.ContainsFunc(p.monitors, func(m monitor) bool { return m.pod == pod }) {
			continue
		}
		seen, err := p.list(ctx, w, r)
		if w.unserved[pod] = apierrors.IsNotFound(err); err != nil && !w.unserved[pod] {
			return nil, err
		}
		w.monitorLists[pod] = seen
		for _, o := range seen.Items {
			w.monitors[monitor{pod, o.GetNamespace(), o.GetName()}] = o
		}
	}
	for _, read := range []func(context.Context, *view) error{p.readPickers, p.readNamespaces, p.readServices, p.readPods} {
		if err := read(ctx, w); err != nil {
			return nil, err
		}
	}
	return w, nil
}

func (p probe) list(ctx context.Context, w *view, r schema.GroupVersionResource) (probes.Seen[*unstructured.Unstructured], error) {
	seen, err := p.objects.List(ctx, r, "")
	if err != nil {
		return seen, fmt.Errorf("listing %s: %w", r.GroupResource(), err)
	}
	w.confirm(seen.Confirmed)
	return seen, nil
}

func (w *view) confirm(at time.Time) {
	if w.confirmed.IsZero() || !at.IsZero() && at.Before(w.confirmed) {
		w.confirmed = at
	}
}

func (p probe) readPickers(ctx context.Context, w *view) error {
	seen, err := p.list(ctx, w, prometheuses())
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	w.pickerList = seen
	for _, o := range seen.Items {
		k, err := decode[picker](o)
		if err != nil {
			return err
		}
		w.pickers = append(w.pickers, *k)
	}
	return nil
}

// readNamespaces reads them only if a Prometheus chooses among them.
func (p probe) readNamespaces(ctx context.Context, w *view) error {
	chooses := func(s *metav1.LabelSelector) bool { return s != nil && len(s.MatchLabels)+len(s.MatchExpressions) > 0 }
	if !slices.ContainsFunc(w.pickers, func(k picker) bool {
		return chooses(k.Spec.ServiceMonitorNamespaceSelector) || chooses(k.Spec.PodMonitorNamespaceSelector)
	}) {
		return nil
	}
	seen, err := p.list(ctx, w, namespacesResource())
	for _, o := range seen.Items {
		w.namespaces[o.GetName()] = o.GetLabels()
	}
	return err
}

func (p probe) readServices(ctx context.Context, w *view) error {
	seen, err := p.list(ctx, w, servicesResource())
	if err != nil {
		return err
	}
	w.serviceList, w.note = seen.Request, seen.Note
	for _, o := range seen.Items {
		s, err := decode[corev1.Service](o)
		if err != nil {
			return err
		}
		w.services = append(w.services, s)
	}
	return nil
}

// readPods reads them only if there is a monitor of pods or of their ports.
func (p probe) readPods(ctx context.Context, w *view) error {
	wanted := false
	for _, m := range p.monitors {
		o := w.monitors[m]
		if o == nil {
			continue
		}
		s, err := specOf(o)
		if err != nil {
			return err
		}
		wanted = wanted || m.pod || slices.ContainsFunc(s.Endpoints, func(e endpoint) bool { return e.pod() != "" })
	}
	if !wanted {
		return nil
	}
	seen, err := p.objects.Pods(ctx, "")
	if err != nil {
		return fmt.Errorf("listing pods: %w", err)
	}
	w.confirm(seen.Confirmed)
	w.pods, w.podList = seen.Items, seen.Request
	if w.note == "" {
		w.note = seen.Note
	}
	return nil
}

func decode[T any](o *unstructured.Unstructured) (*T, error) {
	into := new(T)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, into); err != nil {
		return nil, fmt.Errorf("reading %s %s/%s: %w", strings.ToLower(o.GetKind()), o.GetNamespace(), o.GetName(), err)
	}
	return into, nil
}

func specOf(o *unstructured.Unstructured) (spec, error) {
	whole, err := decode[struct {
		Spec *spec `json:"spec"`
	}](o)
	if err != nil {
		return spec{}, err
	}
	if whole.Spec == nil {
		return spec{}, fmt.Errorf("reading %s %s/%s: %w", strings.ToLower(o.GetKind()), o.GetNamespace(), o.GetName(), errors.New("it has no spec"))
	}
	return *whole.Spec, nil
}
