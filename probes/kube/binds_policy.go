package kube

import (
	"context"
	"fmt"
	"maps"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/probes"
)

// PolicyPart asks whether NetworkPolicies bind.
type PolicyPart struct {
	Namespaces []string `yaml:"namespaces,omitempty" jsonschema:"description=the namespaces that must deny by default what comes in, and whose policies must bind"`
	Everywhere bool     `yaml:"everywhere,omitempty" jsonschema:"description=whether the policies of all other namespaces must bind too"`
	Enforced   bool     `yaml:"enforced,omitempty" jsonschema:"description=whether a network plugin that enforces policies must be there"`
	Enforcers  []string `yaml:"enforcers,omitempty" jsonschema:"description=repositories of images that enforce policies, besides those that are known to"`
}

func (p *PolicyPart) validate() error {
	if len(p.Namespaces) == 0 && !p.Everywhere && !p.Enforced {
		return fmt.Errorf("nothing is asked: name namespaces, everywhere or enforced")
	}
	if len(p.Enforcers) > 0 && !p.Enforced {
		return fmt.Errorf("enforcers are for enforced")
	}
	for _, repository := range p.Enforcers {
		if err := validRepository(repository); err != nil || repository == "" {
			return fmt.Errorf("enforcer %q is no repository of an image", repository)
		}
	}
	return nil
}

func (p *PolicyPart) reads() []schema.GroupVersionResource {
	all := []schema.GroupVersionResource{groupResource("networking.k8s.io", "networkpolicies"), coreResource("namespaces"), podsResource()}
	if p.Enforced {
		all = append(all, appsResource("daemonsets"), nodesResource())
	}
	return all
}

func (p *PolicyPart) ask(ctx context.Context, r *reader, f *findings) error {
	if len(p.Namespaces) > 0 || p.Everywhere {
		if err := p.binds(ctx, r, f); err != nil {
			return err
		}
	}
	if p.Enforced {
		return p.enforced(ctx, r, f)
	}
	return nil
}

func (p *PolicyPart) binds(ctx context.Context, r *reader, f *findings) error {
	scope := p.Namespaces
	if p.Everywhere {
		scope = nil
	}
	seen, err := r.in(ctx, groupResource("networking.k8s.io", "networkpolicies"), scope)
	if err != nil {
		return err
	}
	known, err := r.list(ctx, coreResource("namespaces"), "")
	if err != nil {
		return err
	}
	by := map[string][]*networkingv1.NetworkPolicy{}
	for _, o := range seen.Items {
		policy, err := typed[networkingv1.NetworkPolicy](r, o)
		if err != nil {
			return err
		}
		by[policy.Namespace] = append(by[policy.Namespace], policy)
	}
	denied := 0
	for _, ns := range p.Namespaces {
		e := probes.Evidence{Subject: "namespace " + ns, Want: "a default-deny that selects its pods"}.From(seen.Request)
		pods, err := r.podsIn(ctx, ns)
		if err != nil {
			return err
		}
		got, fault := defaultDeny(ns, by[ns], pods, known.Items)
		if fault != "" && len(by[ns]) == 0 && seen.Note != "" {
			return fmt.Errorf("looking for the policies of %s: %s", ns, seen.Note)
		}
		denied += one(fault == "")
		e.Got = got
		f.add(e, fault)
	}
	w := &policyWorld{reader: r}
	for _, o := range known.Items {
		w.namespaces = append(w.namespaces, space{o.GetName(), o.GetLabels()})
	}
	bound := 0
	for _, ns := range slices.Sorted(maps.Keys(by)) {
		for _, policy := range by[ns] {
			e := probes.Evidence{Subject: "networkpolicy " + ns + "/" + policy.Name, Want: "selects pods, and namespaces that exist"}.From(seen.Request)
			got, fault, err := w.judge(ctx, policy)
			if err != nil {
				return err
			}
			if e.Got = got; fault != "" {
				e.Got = fault
				fault = "policy " + ns + "/" + policy.Name + " " + fault
			}
			bound += one(fault == "")
			f.add(e, fault)
		}
	}
	if len(p.Namespaces) > 0 {
		f.good = append(f.good, fmt.Sprintf("%d of %s with a default-deny", denied, plural(len(p.Namespaces), "namespace")))
	}
	f.good = append(f.good, fmt.Sprintf("%d of %d policies bind%s", bound, len(seen.Items), noted(seen.Note)))
	return nil
}

// defaultDeny looks for a policy that selects every pod of a namespace and lets nothing in, and for one that undoes it.
func defaultDeny(ns string, policies []*networkingv1.NetworkPolicy, pods []*Pod, known []*unstructured.Unstructured) (got, fault string) {
	if !slices.ContainsFunc(known, func(o *unstructured.Unstructured) bool { return o.GetName() == ns }) {
		return "does not exist", "namespace " + ns + " does not exist"
	}
	deny := ""
	for _, policy := range policies {
		if !everyPod(&policy.Spec.PodSelector) || !directed(policy, networkingv1.PolicyTypeIngress) {
			continue
		}
		for _, rule := range policy.Spec.Ingress {
			if open(rule) {
				return policy.Name + " lets everything in", fmt.Sprintf("%s/%s lets everything in, whatever is denied by default", ns, policy.Name)
			}
		}
		if len(policy.Spec.Ingress) == 0 {
			deny = policy.Name
		}
	}
	switch {
	case deny == "":
		return "no policy denies by default", "namespace " + ns + " has no default-deny"
	case len(pods) == 0:
		return deny + " selects no pod: there is none", fmt.Sprintf("%s/%s selects no pod: the namespace has none", ns, deny)
	}
	return fmt.Sprintf("%s selects %s", deny, plural(len(pods), "pod")), ""
}

func everyPod(s *metav1.LabelSelector) bool { return len(s.MatchLabels)+len(s.MatchExpressions) == 0 }

// directed reports whether a policy is about a direction. Without types it is about what comes in, and about what goes out if it has rules.
func directed(policy *networkingv1.NetworkPolicy, direction networkingv1.PolicyType) bool {
	if len(policy.Spec.PolicyTypes) > 0 {
		return slices.Contains(policy.Spec.PolicyTypes, direction)
	}
	return direction == networkingv1.PolicyTypeIngress || len(policy.Spec.Egress) > 0
}

// open reports whether a rule lets everything in on every port.
func open(rule networkingv1.NetworkPolicyIngressRule) bool {
	if len(rule.Ports) > 0 {
		return false
	}
	return len(rule.From) == 0 || slices.ContainsFunc(rule.From, func(peer networkingv1.NetworkPolicyPeer) bool {
		anyAddress := peer.IPBlock != nil && len(peer.IPBlock.Except) == 0 && (peer.IPBlock.CIDR == "0.0.0.0/0" || peer.IPBlock.CIDR == "::/0")
		anyNamespace := peer.NamespaceSelector != nil && everyPod(peer.NamespaceSelector) && (peer.PodSelector == nil || everyPod(peer.PodSelector))
		return anyAddress || anyNamespace
	})
}

// policyWorld is what policies refer to.
type policyWorld struct {
	reader     *reader
	namespaces []space
}

// space is a namespace.
type space struct {
	name   string
	labels labels.Set
}

// judge says whether a policy selects pods and relies on nothing that is not there. The fault follows the policy's name.
func (w *policyWorld) judge(ctx context.Context, policy *networkingv1.NetworkPolicy) (got, fault string, err error) {
	pods, err := w.reader.labelsIn(ctx, policy.Namespace)
	if err != nil {
		return "", "", err
	}
	selector, err := metav1.LabelSelectorAsSelector(&policy.Spec.PodSelector)
	if err != nil {
		return "", "has a selector that makes no sense: " + err.Error(), nil
	}
	selected := countSelected(selector, pods)
	if selected == 0 {
		return "", noPod(&policy.Spec.PodSelector, pods), nil
	}
	for _, rule := range rulesOf(policy) {
		if fault, err := w.peers(ctx, policy.Namespace, rule); fault != "" || err != nil {
			return "", fault, err
		}
	}
	return "selects " + plural(selected, "pod"), "", nil
}

// policyRule is one rule of a policy, of either direction.
type policyRule struct {
	where string // "from" or "to"
	peers []networkingv1.NetworkPolicyPeer
}

func rulesOf(policy *networkingv1.NetworkPolicy) []policyRule {
	var all []policyRule
	if directed(policy, networkingv1.PolicyTypeIngress) {
		for _, rule := range policy.Spec.Ingress {
			all = append(all, policyRule{"from", rule.From})
		}
	}
	if directed(policy, networkingv1.PolicyTypeEgress) {
		for _, rule := range policy.Spec.Egress {
			all = append(all, policyRule{"to", rule.To})
		}
	}
	return all
}

// peers judges a rule: each namespace selector must match a namespace, and somebody must be meant.
func (w *policyWorld) peers(ctx context.Context, own string, rule policyRule) (fault string, err error) {
	in := make([][]string, len(rule.peers)) // the namespaces of each
	for i, peer := range rule.peers {
		in[i] = []string{own}
		if peer.NamespaceSelector != nil {
			if in[i], fault = w.selected(peer.NamespaceSelector); fault != "" {
				return fault, nil
			}
		}
	}
	nobody := ""
	for i, peer := range rule.peers {
		if peer.PodSelector == nil { // an address, or whole namespaces
			return "", nil
		}
		selector, err := metav1.LabelSelectorAsSelector(peer.PodSelector)
		if err != nil {
			return "has a selector that makes no sense: " + err.Error(), nil
		}
		var all []alike
		for _, ns := range in[i] {
			pods, err := w.reader.labelsIn(ctx, ns)
			if err != nil {
				return "", err
			}
			if anySelected(selector, pods) {
				return "", nil
			}
			all = append(all, pods...)
		}
		nobody = fmt.Sprintf("allows nobody: what it allows %s in %s %s", rule.where, enumerate(in[i]), noPod(peer.PodSelector, all))
	}
	return nobody, nil
}

// selected returns the namespaces that a selector matches, or says which label is missing.
func (w *policyWorld) selected(s *metav1.LabelSelector) (names []string, fault string) {
	selector, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		return nil, "has a selector that makes no sense: " + err.Error()
	}
	for _, ns := range w.namespaces {
		if selector.Matches(ns.labels) {
			names = append(names, ns.name)
		}
	}
	if len(names) > 0 {
		return names, ""
	}
	fault = "relies on a namespace with " + describeSelector(s) + ", and there is none"
	for _, key := range slices.Sorted(maps.Keys(s.MatchLabels)) {
		for _, ns := range w.namespaces {
			if value := s.MatchLabels[key]; ns.name == value && ns.labels[key] != value {
				return nil, fmt.Sprintf("relies on label %s=%s, which namespace %s lacks", key, value, value)
			}
		}
	}
	return nil, fault
}
