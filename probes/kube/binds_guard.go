package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/probes"
)

// guardPart asks whether workloads are guarded against the loss of a node and against being drained away, and have room to grow by a pod.
type guardPart []WorkloadRef

func (p guardPart) reads() []schema.GroupVersionResource {
	return append(resourcesOf(p), groupResource("policy", "poddisruptionbudgets"), coreResource("resourcequotas"), podsResource())
}

func (p guardPart) ask(ctx context.Context, r *reader, f *findings) error {
	var namespaces []string
	for _, w := range p {
		if !slices.Contains(namespaces, w.Namespace) {
			namespaces = append(namespaces, w.Namespace)
		}
	}
	if err := (quotaPart{&Scope{Namespaces: namespaces}}).ask(ctx, r, f); err != nil { // first, as it is about all of them
		return err
	}
	guarded := 0
	for _, w := range p {
		roll, request, err := r.workload(ctx, w)
		if err != nil {
			return err
		}
		e := probes.Evidence{Subject: w.String(), Want: "kept apart, one disruption budget that allows a disruption, room for a pod more"}.From(request)
		var faults []string
		got := ""
		if roll == nil {
			faults = []string{"does not exist"}
		} else if got, faults, err = p.judge(ctx, r, w, roll); err != nil {
			return err
		}
		fault := strings.Join(faults, ", ")
		if e.Got = got; fault != "" {
			e.Got = fault
			fault = w.Name + " " + fault
		}
		guarded += one(fault == "")
		f.add(e, fault)
	}
	f.good = append(f.good, fmt.Sprintf("%d of %s guarded", guarded, plural(len(p), "workload")))
	return nil
}

// judge judges one workload that exists. The faults follow its name.
func (p guardPart) judge(ctx context.Context, r *reader, w WorkloadRef, roll *rollout) (got string, faults []string, err error) {
	pods, err := r.podsOf(ctx, w)
	if err != nil {
		return "", nil, err
	}
	apart, fault, err := r.keptApart(ctx, w.Namespace, roll.template)
	if err != nil {
		return "", nil, err
	}
	if fault != "" {
		faults = append(faults, fault)
	}
	budget, fault, err := r.guard(ctx, w, pods, roll.template)
	if err != nil {
		return "", nil, err
	}
	if fault != "" {
		faults = append(faults, fault)
	}
	fault, err = r.noRoom(ctx, w, roll.template)
	if fault != "" {
		faults = append(faults, fault)
	}
	return apart + ", " + budget, faults, err
}

// keptApart says what keeps the pods of a template on different nodes, or why nothing does: what is there may be about other pods, or about
// places that are all one.
func (r *reader) keptApart(ctx context.Context, namespace string, t *corev1.PodTemplateSpec) (how, fault string, err error) {
	missed := ""
	for _, rule := range apartRules(t) {
		how, fault, err := r.keeps(ctx, rule, namespace, t.Labels)
		if err != nil || how != "" {
			return how, "", err
		}
		missed = fault
	}
	if missed != "" {
		return "", "is kept apart by nothing: its " + missed, nil
	}
	return "", "has neither topology spread nor anti-affinity", nil
}

// apartRule is a rule by which pods keep away from each other.
type apartRule struct {
	what, by string
	key      string
	pods     *metav1.LabelSelector
	// of anti-affinity: the namespaces that it is about; none and nil for its own
	namespaces []string
	selected   *metav1.LabelSelector
}

func apartRules(t *corev1.PodTemplateSpec) []apartRule {
	var rules []apartRule
	for _, c := range t.Spec.TopologySpreadConstraints {
		rules = append(rules, apartRule{what: "topology spread", by: "spread over ", key: c.TopologyKey, pods: c.LabelSelector})
	}
	if t.Spec.Affinity == nil || t.Spec.Affinity.PodAntiAffinity == nil {
		return rules
	}
	anti := t.Spec.Affinity.PodAntiAffinity
	terms := slices.Clone(anti.RequiredDuringSchedulingIgnoredDuringExecution)
	for _, preferred := range anti.PreferredDuringSchedulingIgnoredDuringExecution {
		terms = append(terms, preferred.PodAffinityTerm)
	}
	for _, term := range terms {
		rules = append(rules, apartRule{
			what: "anti-affinity", by: "anti-affinity over ", key: term.TopologyKey, pods: term.LabelSelector, namespaces: term.Namespaces, selected: term.NamespaceSelector,
		})
	}
	return rules
}

// keeps says how a rule keeps pods with these labels apart, or why it does not.
func (r *reader) keeps(ctx context.Context, rule apartRule, namespace string, own map[string]string) (how, fault string, err error) {
	selector, err := metav1.LabelSelectorAsSelector(rule.pods)
	if err != nil || !selector.Matches(labels.Set(own)) {
		return "", rule.what + " is about other pods (" + describeSelector(rule.pods) + ")", nil
	}
	here, err := r.concernsNamespace(ctx, rule, namespace)
	if err != nil {
		return "", "", err
	}
	if !here {
		return "", rule.what + " is about pods of other namespaces", nil
	}
	if rule.key == corev1.LabelHostname {
		return rule.by + rule.key, "", nil
	}
	nodes, err := r.cluster.Nodes(ctx)
	if err != nil {
		return "", "", fmt.Errorf("listing nodes: %w", err)
	}
	places := map[string]bool{}
	for _, n := range nodes.Items {
		if place, ok := n.Labels[rule.key]; ok {
			places[place] = true
		}
	}
	switch len(places) {
	case 0:
		return "", fmt.Sprintf("%s is over %s, which no node carries", rule.what, rule.key), nil
	case 1:
		return "", fmt.Sprintf("%s is over %s, which is the same on every node", rule.what, rule.key), nil
	}
	return rule.by + rule.key, "", nil
}

// concernsNamespace reports whether a rule is about the pods of a namespace, being of it itself.
func (r *reader) concernsNamespace(ctx context.Context, rule apartRule, namespace string) (bool, error) {
	switch {
	case slices.Contains(rule.namespaces, namespace), len(rule.namespaces) == 0 && rule.selected == nil:
		return true, nil
	case rule.selected == nil:
		return false, nil
	}
	selector, err := metav1.LabelSelectorAsSelector(rule.selected)
	if err != nil || selector.Empty() {
		return err == nil, nil //nolint:nilerr // a selector that makes no sense selects nothing
	}
	seen, err := r.list(ctx, coreResource("namespaces"), "")
	if err != nil {
		return false, err
	}
	o, err := find(seen, "", namespace)
	return o != nil && selector.Matches(labels.Set(o.GetLabels())), err
}

// guard finds the one budget that selects the pods of a workload. Without pods it is the one that would.
func (r *reader) guard(ctx context.Context, w WorkloadRef, pods []*Pod, t *corev1.PodTemplateSpec) (got, fault string, err error) {
	seen, err := r.list(ctx, groupResource("policy", "poddisruptionbudgets"), w.Namespace)
	if err != nil {
		return "", "", err
	}
	every, err := r.labelsIn(ctx, w.Namespace)
	if err != nil {
		return "", "", err
	}
	mine := groupAlike(pods)
	if len(pods) == 0 {
		mine = []alike{{t.Labels, 0}}
	}
	var own, idle []*policyv1.PodDisruptionBudget
	for _, o := range seen.Items {
		b, err := typed[policyv1.PodDisruptionBudget](r, o)
		if err != nil {
			return "", "", err
		}
		selector, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
		switch {
		case err != nil:
		case anySelected(selector, mine):
			own = append(own, b)
		case !anySelected(selector, every) && strings.Contains(b.Name, strings.Split(w.Name, "-")[0]):
			idle = append(idle, b)
		}
	}
	slices.SortStableFunc(idle, func(a, b *policyv1.PodDisruptionBudget) int { // the one that is called after the workload first
		return one(strings.HasPrefix(b.Name, w.Name)) - one(strings.HasPrefix(a.Name, w.Name))
	})
	switch {
	case len(own) > 1:
		return "", fmt.Sprintf("is selected by %d disruption budgets (%s), which makes every eviction fail", len(own), budgetNames(own)), nil
	case len(own) == 0 && len(idle) > 0:
		return "", fmt.Sprintf("has no disruption budget: pdb %s/%s %s", idle[0].Namespace, idle[0].Name, noPod(idle[0].Spec.Selector, every)), nil
	case len(own) == 0:
		return "", "has no disruption budget", nil
	}
	if fault := budgetFault(own[0]); fault != "" {
		return "", "is guarded by pdb " + own[0].Name + ", which " + fault, nil
	}
	return fmt.Sprintf("pdb %s allows %s", own[0].Name, plural(int(own[0].Status.DisruptionsAllowed), "disruption")), "", nil
}

func budgetNames(list []*policyv1.PodDisruptionBudget) string {
	var names []string
	for _, b := range list {
		names = append(names, b.Name)
	}
	return enumerate(names)
}

// budgetFault says why a budget that selects pods allows no disruption, or nothing.
func budgetFault(b *policyv1.PodDisruptionBudget) string {
	s := b.Status
	switch {
	case s.ObservedGeneration < b.Generation || s.ObservedGeneration == 0 && s.ExpectedPods == 0:
		return "has not been looked at by its controller since it was changed"
	case s.DisruptionsAllowed < 1:
		return fmt.Sprintf("allows no disruption: %d of %d pods healthy, %d needed", s.CurrentHealthy, s.ExpectedPods, s.DesiredHealthy)
	}
	return ""
}

// budgetPart asks whether disruption budgets bind.
type budgetPart struct{ *Scope }

func (p budgetPart) reads() []schema.GroupVersionResource {
	return []schema.GroupVersionResource{groupResource("policy", "poddisruptionbudgets"), podsResource()}
}

func (p budgetPart) ask(ctx context.Context, r *reader, f *findings) error {
	seen, err := r.in(ctx, groupResource("policy", "poddisruptionbudgets"), p.Namespaces)
	if err != nil {
		return err
	}
	for _, o := range seen.Items {
		b, err := typed[policyv1.PodDisruptionBudget](r, o)
		if err != nil {
			return err
		}
		pods, err := r.labelsIn(ctx, b.Namespace)
		if err != nil {
			return err
		}
		e := probes.Evidence{Subject: "pdb " + b.Namespace + "/" + b.Name, Want: "selects pods and allows a disruption"}.From(seen.Request)
		selector, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
		fault := ""
		switch {
		case err != nil:
			fault = "has a selector that makes no sense: " + err.Error()
		case !anySelected(selector, pods):
			fault = noPod(b.Spec.Selector, pods)
		default:
			fault = budgetFault(b)
		}
		e.Got = fmt.Sprintf("selects %s, allows %s", plural(int(b.Status.ExpectedPods), "pod"), plural(int(b.Status.DisruptionsAllowed), "disruption"))
		if fault != "" {
			e.Got = fault
			fault = e.Subject + " " + fault
		}
		f.add(e, fault)
	}
	return f.total(seen.Request, seen.Note, "disruption budget", len(seen.Items), "binds and allows a disruption")
}

// total counts what a part asked, and is not content with nothing.
func (f *findings) total(request probes.Request, note, what string, asked int, want string) error {
	if asked == 0 {
		e := probes.Evidence{Subject: what + "s", Want: "at least one, and each " + want, Got: "none" + noted(note)}.From(request)
		if note != "" {
			return fmt.Errorf("looking for a %s: %s", what, note)
		}
		f.add(e, "there is no "+what)
		return nil
	}
	f.good = append(f.good, fmt.Sprintf("each of %s %s%s", plural(asked, what), want, noted(note)))
	return nil
}
