package velero

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/probes"
)

// follower finds out what of a cluster, if anything, a host leads to. Names of Services are told by their form and never looked up
// elsewhere, since elsewhere they mean nothing.
type follower struct {
	cluster DomainCluster
	hosts   Hosts
	*reader
	home string // namespace that a short name is meant in
	turn int    // how many names led to names so far
}

// place is where something was followed to.
type place int

const (
	outside place = iota
	inside
	nowhere
)

// end is what a trail leads to: the steps in words, and the request that shows the last of them.
type end struct {
	where   place
	steps   []string
	request probes.Request
}

func (e end) after(step string) end {
	e.steps = append([]string{step}, e.steps...)
	return e
}

// Limits of a trail.
const (
	mostTurns   = 8
	lookupLimit = 2 * time.Second
)

// host follows the host of an address.
func (w *follower) host(ctx context.Context, host string) (end, error) {
	if w.turn++; w.turn > mostTurns {
		return end{where: nowhere, steps: []string{"names that lead round in circles"}}, nil
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if ip, err := netip.ParseAddr(host); err == nil {
		return w.address(ctx, ip.Unmap())
	}
	if host == "localhost" {
		return end{where: inside, steps: []string{"Velero's own pod"}}, nil
	}
	services, err := decoded[corev1.Service](ctx, w, servicesResource(), "")
	if err != nil {
		return end{}, err
	}
	if namespace, name, certain, ok := serviceName(host, w.home); ok {
		if s := services.find(namespace, name); s != nil {
			return w.service(ctx, services, s)
		}
		if certain && services.note == "" {
			return end{where: nowhere, steps: []string{fmt.Sprintf("Service %s/%s, which does not exist", namespace, name)}, request: services.request}, nil
		}
	}
	found, ok, err := w.named(ctx, host, services)
	if err != nil || ok {
		return found, err
	}
	return w.elsewhere(ctx, host)
}

// serviceName reads a host as the name of a Service, as a pod in the namespace home would. It is certain if it can be nothing else.
func serviceName(host, home string) (namespace, name string, certain, ok bool) {
	parts := strings.Split(host, ".")
	switch at := slices.Index(parts, "svc"); {
	case at >= 2:
		rest := strings.Join(parts[at+1:], ".")
		return parts[at-1], parts[at-2], rest == "" || rest == "cluster.local", true
	case len(parts) == 1:
		return home, host, true, true
	case len(parts) == 2:
		return parts[1], parts[0], false, true
	}
	return "", "", false, false
}

// named looks whether an Ingress, a load balancer or a node of the cluster goes by the name.
func (w *follower) named(ctx context.Context, host string, services items[corev1.Service]) (end, bool, error) {
	ingresses, err := decoded[networkingv1.Ingress](ctx, w, ingressesResource(), "")
	if err != nil {
		return end{}, false, err
	}
	for _, i := range ingresses.items {
		if e, ok, err := w.ingress(ctx, host, i, services); err != nil || ok {
			if e.request.Source == "" {
				e.request = ingresses.request
			}
			return e, ok, err
		}
	}
	for _, s := range services.items {
		balanced := slices.ContainsFunc(s.Status.LoadBalancer.Ingress, func(i corev1.LoadBalancerIngress) bool { return strings.EqualFold(i.Hostname, host) })
		published := slices.Contains(strings.Split(s.Annotations["external-dns.alpha.kubernetes.io/hostname"], ","), host)
		if balanced || published {
			e, err := w.service(ctx, services, s)
			return e, true, err
		}
	}
	nodes, err := decoded[corev1.Node](ctx, w, nodesResource(), "")
	if err != nil {
		return end{}, false, err
	}
	for _, n := range nodes.items {
		for _, a := range n.Status.Addresses {
			if strings.EqualFold(a.Address, host) {
				return end{where: inside, steps: []string{"node " + n.Name}, request: nodes.request}, true, nil
			}
		}
	}
	if note := ingresses.note + services.note + nodes.note; note != "" {
		return end{}, false, fmt.Errorf("whether %s leads back into the cluster cannot be told: %s", host, note)
	}
	return end{}, false, nil
}

// ingress follows the rules that an Ingress has for a host.
func (w *follower) ingress(ctx context.Context, host string, i *networkingv1.Ingress, services items[corev1.Service]) (end, bool, error) {
	var last end
	met := false
	for _, rule := range i.Spec.Rules {
		if !matchesHost(strings.ToLower(rule.Host), host) || rule.HTTP == nil {
			continue
		}
		for _, p := range rule.HTTP.Paths {
			if p.Backend.Service == nil {
				continue
			}
			e := end{where: nowhere, steps: []string{fmt.Sprintf("Service %s/%s, which does not exist", i.Namespace, p.Backend.Service.Name)}, request: services.request}
			if s := services.find(i.Namespace, p.Backend.Service.Name); s != nil {
				var err error
				if e, err = w.service(ctx, services, s); err != nil {
					return end{}, false, err
				}
			}
			if e = e.after("Ingress " + i.Namespace + "/" + i.Name); !met || e.where == inside {
				last, met = e, true
			}
		}
	}
	return last, met, nil
}

// matchesHost reports whether the host of a rule, which may begin with a wildcard for one label, is that host.
func matchesHost(rule, host string) bool {
	if suffix, ok := strings.CutPrefix(rule, "*."); ok {
		_, rest, cut := strings.Cut(host, ".")
		return cut && rest == suffix
	}
	return rule == host
}

// elsewhere looks up a name that the cluster does not know.
func (w *follower) elsewhere(ctx context.Context, host string) (end, error) {
	if w.hosts == nil {
		return end{where: outside, steps: []string{"no host of this cluster"}}, nil
	}
	within, cancel := context.WithTimeout(ctx, lookupLimit)
	defer cancel()
	found, err := w.hosts.LookupHost(within, host)
	if err != nil {
		if ctx.Err() != nil {
			return end{}, fmt.Errorf("looking up %s: %w", host, ctx.Err())
		}
		return end{where: outside, steps: []string{"no host of this cluster, and not known here"}}, nil
	}
	for _, text := range found {
		ip, err := netip.ParseAddr(text)
		if err != nil {
			continue
		}
		if e, err := w.address(ctx, ip.Unmap()); err != nil || e.where != outside {
			return e.after(text), err
		}
	}
	return end{where: outside, steps: []string{"no host and no address of this cluster"}}, nil
}

// address follows an IP address: to a Service, a node or the pods of one.
func (w *follower) address(ctx context.Context, ip netip.Addr) (end, error) {
	if ip.IsLoopback() || ip.IsUnspecified() {
		return end{where: inside, steps: []string{"Velero's own pod"}}, nil
	}
	services, err := decoded[corev1.Service](ctx, w, servicesResource(), "")
	if err != nil {
		return end{}, err
	}
	for _, s := range services.items {
		own := append(slices.Concat(s.Spec.ClusterIPs, s.Spec.ExternalIPs), s.Spec.ClusterIP)
		for _, i := range s.Status.LoadBalancer.Ingress {
			own = append(own, i.IP)
		}
		if slices.ContainsFunc(own, func(text string) bool { return sameAddress(text, ip) }) {
			return w.service(ctx, services, s)
		}
	}
	nodes, err := decoded[corev1.Node](ctx, w, nodesResource(), "")
	if err != nil {
		return end{}, err
	}
	for _, n := range nodes.items {
		for _, a := range n.Status.Addresses {
			if sameAddress(a.Address, ip) {
				return end{where: inside, steps: []string{"node " + n.Name}, request: nodes.request}, nil
			}
		}
		for _, cidr := range append(slices.Clone(n.Spec.PodCIDRs), n.Spec.PodCIDR) {
			if prefix, err := netip.ParsePrefix(cidr); err == nil && prefix.Contains(ip) {
				return end{where: inside, steps: []string{"a pod on node " + n.Name}, request: nodes.request}, nil
			}
		}
	}
	if note := services.note + nodes.note; note != "" {
		return end{}, fmt.Errorf("whether %s is an address of the cluster cannot be told: %s", ip, note)
	}
	return end{where: outside, steps: []string{"no address of this cluster"}}, nil
}

func sameAddress(text string, ip netip.Addr) bool {
	other, err := netip.ParseAddr(text)
	return err == nil && other.Unmap() == ip
}

// service follows a Service to what it sends to: another name, addresses that somebody wrote down, or pods.
func (w *follower) service(ctx context.Context, services items[corev1.Service], s *corev1.Service) (end, error) {
	step := fmt.Sprintf("Service %s/%s", s.Namespace, s.Name)
	if s.Spec.Type == corev1.ServiceTypeExternalName {
		e, err := w.host(ctx, s.Spec.ExternalName)
		return e.after(step + " (" + s.Spec.ExternalName + ")"), err
	}
	slicesSeen, err := decoded[discoveryv1.EndpointSlice](ctx, w, slicesResource(), s.Namespace)
	if err != nil {
		return end{}, err
	}
	var pods, addresses []string
	for _, slice := range slicesSeen.items {
		if slice.Labels[discoveryv1.LabelServiceName] != s.Name {
			continue
		}
		for _, e := range slice.Endpoints {
			switch {
			case e.TargetRef != nil && e.TargetRef.Kind == "Pod":
				pods = append(pods, e.TargetRef.Name)
			default:
				addresses = append(addresses, e.Addresses...)
			}
		}
	}
	if len(s.Spec.Selector) > 0 || len(pods) > 0 {
		to, err := w.workload(ctx, s.Namespace, pods)
		return end{where: inside, steps: []string{step, to}, request: services.request}, err
	}
	last := end{where: nowhere, steps: []string{"no endpoint"}, request: slicesSeen.request}
	for i, a := range addresses {
		e, err := w.host(ctx, a)
		if err != nil {
			return end{}, err
		}
		if e = e.after(a); i == 0 || e.where == inside {
			last = e
		}
	}
	return last.after(step), nil
}

// workload says who runs the pods and where.
func (w *follower) workload(ctx context.Context, namespace string, names []string) (string, error) {
	if len(names) == 0 {
		return "no pod at the moment", nil
	}
	slices.Sort(names)
	seen, err := w.cluster.Pods(ctx, namespace)
	if err != nil {
		return "", fmt.Errorf("listing pods in %s: %w", namespace, err)
	}
	for _, p := range seen.Items {
		if p.Name != names[0] || p.Namespace != namespace {
			continue
		}
		owner := "pod " + p.Name
		switch hash := p.Labels["pod-template-hash"]; {
		case p.OwnerKind == "ReplicaSet" && hash != "":
			owner = "Deployment " + strings.TrimSuffix(p.OwnerName, "-"+hash)
		case p.OwnerKind != "":
			owner = p.OwnerKind + " " + p.OwnerName
		}
		where := "on no node"
		if p.Node != "" {
			where = "on node " + p.Node
		}
		if more := len(names) - 1; more > 0 {
			where += fmt.Sprintf(" and %d more", more)
		}
		return owner + " " + where, nil
	}
	return "pod " + names[0], nil
}

// items is a collection decoded.
type items[T any] struct {
	items   []*T
	note    string
	request probes.Request
	keys    []string // namespace/name of each
}

func (all items[T]) find(namespace, name string) *T {
	if i := slices.Index(all.keys, namespace+"/"+name); i >= 0 {
		return all.items[i]
	}
	return nil
}

// decoded reads and decodes a collection.
func decoded[T any](ctx context.Context, w *follower, r schema.GroupVersionResource, namespace string) (items[T], error) {
	seen, err := w.listIn(ctx, r, namespace)
	all := items[T]{note: seen.Note, request: seen.Request}
	if err != nil {
		return all, err
	}
	for _, o := range seen.Items {
		one, err := decode[T](o)
		if err != nil {
			return all, err
		}
		all.items, all.keys = append(all.items, one), append(all.keys, key(o))
	}
	return all, nil
}

func key(o *unstructured.Unstructured) string { return o.GetNamespace() + "/" + o.GetName() }
