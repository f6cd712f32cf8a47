package kube

import (
	"context"
	"fmt"
	"maps"
	"slices"

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
		fault := exceeded(q)
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
// and refuses every new pod.
func exceeded(q *corev1.ResourceQuota) string {
	var over []string
	for _, name := range slices.Sorted(maps.Keys(q.Spec.Hard)) {
		hard := q.Spec.Hard[name]
		used, known := q.Status.Used[name]
		switch {
		case !known:
			return fmt.Sprintf("is of unknown use: its controller has not counted %s", name)
		case used.Cmp(hard) > 0:
			over = append(over, fmt.Sprintf("%s %s of %s", name, used.String(), hard.String()))
		}
	}
	if len(over) == 0 {
		return ""
	}
	return "is exceeded: " + enumerate(over) + " used, so that no pod can be made"
}

// noRoom says which quota leaves no room for one more pod of a workload, or nothing. Quotas of some pods only are left alone.
func (r *reader) noRoom(ctx context.Context, w WorkloadRef, t *corev1.PodTemplateSpec) (string, error) {
	seen, err := r.list(ctx, coreResource("resourcequotas"), w.Namespace)
	if err != nil {
		return "", err
	}
	asks := requestsOf(t)
	for _, o := range seen.Items {
		q, err := typed[corev1.ResourceQuota](r, o)
		if err != nil {
			return "", err
		}
		if len(q.Spec.Scopes) > 0 || q.Spec.ScopeSelector != nil || exceeded(q) != "" {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(q.Spec.Hard)) {
			more, hard, used := asked(asks, name), q.Spec.Hard[name], q.Status.Used[name]
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
func asked(requests corev1.ResourceList, counted corev1.ResourceName) resource.Quantity {
	switch counted {
	case corev1.ResourcePods, "count/pods":
		return resource.MustParse("1")
	case corev1.ResourceRequestsCPU, corev1.ResourceCPU:
		return requests[corev1.ResourceCPU]
	case corev1.ResourceRequestsMemory, corev1.ResourceMemory:
		return requests[corev1.ResourceMemory]
	}
	return resource.Quantity{}
}
