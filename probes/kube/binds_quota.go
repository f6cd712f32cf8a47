package kube

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/probes"
)

// quotaPart asks whether quotas are kept. A namespace without one has nothing to exceed.
type quotaPart struct{ *Scope }

func (p quotaPart) reads() []schema.GroupVersionResource {
	return []schema.GroupVersionResource{coreResource("resourcequotas")}
}

func (p quotaPart) ask(ctx context.Context, r *reader, f *findings) error {
	seen, err := r.in(ctx, coreResource("resourcequotas"), p.Namespaces)
	if err != nil {
		return err
	}
	kept := 0
	for _, o := range seen.Items {
		q, err := typed[corev1.ResourceQuota](r, o)
		if err != nil {
			return err
		}
		e := probes.Evidence{Subject: "quota " + q.Namespace + "/" + q.Name, Want: "no more used than allowed", Got: quotaUse(q)}.From(seen.Request)
		fault, err := exceeded(q)
		if err != nil {
			return err
		}
		if fault != "" {
			fault = e.Subject + " " + fault
		}
		kept += one(fault == "")
		f.add(e, fault)
	}
	if len(seen.Items) > 0 {
		f.good = append(f.good, fmt.Sprintf("%d of %s kept%s", kept, plural(len(seen.Items), "quota"), noted(seen.Note)))
	} else {
		f.good = append(f.good, "no quota to keep"+noted(seen.Note))
	}
	return nil
}

// quotaUse writes what is used of what is allowed.
func quotaUse(q *corev1.ResourceQuota) string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(q.Spec.Hard)) {
		hard, used := q.Spec.Hard[name], q.Status.Used[name]
		words = append(words, fmt.Sprintf("%s %s of %s", name, used.String(), hard.String()))
	}
	if len(words) == 0 {
		return "limits nothing"
	}
	return enumerate(words)
}

// exceeded says what of a quota is used beyond what is allowed now, or nothing. That is possible: a quota that is lowered evicts nobody,
// and refuses every new pod. What its controller has not counted yet is an error.
func exceeded(q *corev1.ResourceQuota) (string, error) {
	var over []string
	for _, name := range slices.Sorted(maps.Keys(q.Spec.Hard)) {
		hard := q.Spec.Hard[name]
		used, known := q.Status.Used[name]
		switch {
		case !known:
			return "", fmt.Errorf("quota %s/%s is of unknown use: its controller has not counted %s yet", q.Namespace, q.Name, name)
		case used.Cmp(hard) > 0:
			over = append(over, fmt.Sprintf("%s %s of %s", name, used.String(), hard.String()))
		}
	}
	if len(over) == 0 {
		return "", nil
	}
	return "is exceeded: " + enumerate(over) + " used, so that no pod can be made", nil
}

// noRoom says which quota leaves no room for one more pod of a workload, or nothing. A quota that is exceeded is a fault of its own.
func (r *reader) noRoom(ctx context.Context, w WorkloadRef, t *corev1.PodTemplateSpec) (string, error) {
	seen, err := r.list(ctx, coreResource("resourcequotas"), w.Namespace)
	if err != nil {
		return "", err
	}
	for _, o := range seen.Items {
		q, err := typed[corev1.ResourceQuota](r, o)
		if err != nil {
			return "", err
		}
		if !scoped(q, t) {
			continue
		}
		over, err := exceeded(q)
		if err != nil {
			return "", err
		}
		if over != "" {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(q.Spec.Hard)) {
			more, hard, used := asked(t, name), q.Spec.Hard[name], q.Status.Used[name]
			used = used.DeepCopy()
			if used.Add(more); used.Cmp(hard) > 0 && !more.IsZero() {
				before := q.Status.Used[name]
				return fmt.Sprintf("has no room for one more pod: it asks for %s of %s, and %s of %s in quota %s are used", more.String(), name, before.String(), hard.String(), q.Name), nil
			}
		}
	}
	return "", nil
}

// asked is how much of what a quota counts one pod takes.
func asked(t *corev1.PodTemplateSpec, counted corev1.ResourceName) resource.Quantity {
	switch counted {
	case corev1.ResourcePods, "count/pods":
		return resource.MustParse("1")
	case corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage:
		return sumOf(t, counted, requested)
	}
	if name, ok := strings.CutPrefix(string(counted), "requests."); ok {
		return sumOf(t, corev1.ResourceName(name), requested)
	}
	if name, ok := strings.CutPrefix(string(counted), "limits."); ok {
		return sumOf(t, corev1.ResourceName(name), func(c corev1.Container) corev1.ResourceList { return c.Resources.Limits })
	}
	return resource.Quantity{}
}

// requested is what a container asks for: where it names a limit alone, that.
func requested(c corev1.Container) corev1.ResourceList {
	asks := maps.Clone(c.Resources.Limits)
	if asks == nil {
		asks = corev1.ResourceList{}
	}
	maps.Copy(asks, c.Resources.Requests)
	return asks
}

// sumOf is what a pod takes of a resource: its containers together, or one of those before them if that takes more.
func sumOf(t *corev1.PodTemplateSpec, name corev1.ResourceName, of func(corev1.Container) corev1.ResourceList) resource.Quantity {
	var total resource.Quantity
	for _, c := range t.Spec.Containers {
		total.Add(of(c)[name])
	}
	for _, c := range t.Spec.InitContainers {
		if first := of(c)[name]; first.Cmp(total) > 0 {
			total = first
		}
	}
	total.Add(t.Spec.Overhead[name])
	return total
}

// scoped reports whether a quota counts the pods of a template.
func scoped(q *corev1.ResourceQuota, t *corev1.PodTemplateSpec) bool {
	for _, s := range q.Spec.Scopes {
		if !within(corev1.ScopedResourceSelectorRequirement{ScopeName: s, Operator: corev1.ScopeSelectorOpExists}, t) {
			return false
		}
	}
	if q.Spec.ScopeSelector == nil {
		return true
	}
	for _, s := range q.Spec.ScopeSelector.MatchExpressions {
		if !within(s, t) {
			return false
		}
	}
	return true
}

// within reports whether the pods of a template are of a scope.
func within(s corev1.ScopedResourceSelectorRequirement, t *corev1.PodTemplateSpec) bool {
	switch s.ScopeName {
	case corev1.ResourceQuotaScopeTerminating:
		return t.Spec.ActiveDeadlineSeconds != nil
	case corev1.ResourceQuotaScopeNotTerminating:
		return t.Spec.ActiveDeadlineSeconds == nil
	case corev1.ResourceQuotaScopeBestEffort:
		return bestEffort(t)
	case corev1.ResourceQuotaScopeNotBestEffort:
		return !bestEffort(t)
	case corev1.ResourceQuotaScopePriorityClass:
		in := slices.Contains(s.Values, t.Spec.PriorityClassName)
		switch s.Operator {
		case corev1.ScopeSelectorOpIn:
			return in
		case corev1.ScopeSelectorOpNotIn:
			return !in
		case corev1.ScopeSelectorOpDoesNotExist:
			return t.Spec.PriorityClassName == ""
		}
		return t.Spec.PriorityClassName != ""
	}
	return false // what a pod's affinity to other namespaces asks for is counted by nobody here
}

// bestEffort reports whether no container asks for anything.
func bestEffort(t *corev1.PodTemplateSpec) bool {
	return !slices.ContainsFunc(slices.Concat(t.Spec.InitContainers, t.Spec.Containers), func(c corev1.Container) bool {
		return len(c.Resources.Requests)+len(c.Resources.Limits) > 0
	})
}
