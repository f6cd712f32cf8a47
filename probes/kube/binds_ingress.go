package kube

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/254carbon/gonogo/probes"
)

// IngressPart asks whether hosts lead to endpoints. It never looks at the status of an Ingress: without a load balancer it stays empty.
type IngressPart struct {
	Hosts []string `yaml:"hosts,omitempty" jsonschema:"description=the hosts that must lead to endpoints; empty for every host of an Ingress"`
}

func (p *IngressPart) reads() []schema.GroupVersionResource {
	return append(endpointResources(), groupResource("networking.k8s.io", "ingresses"), groupResource("networking.k8s.io", "ingressclasses"))
}

// owner is a rule of an Ingress for a host.
type owner struct {
	ingress *networkingv1.Ingress
	paths   []networkingv1.HTTPIngressPath
}

func (o owner) String() string { return o.ingress.Namespace + "/" + o.ingress.Name }

// owners are the rules of all Ingresses by host, without those of challenges that are over in a minute.
func owners(r *reader, seen probes.Seen[*networkingv1.Ingress]) map[string][]owner {
	by := map[string][]owner{}
	for _, in := range seen.Items {
		if in.Labels["acme.cert-manager.io/http01-solver"] == "true" {
			continue
		}
		for _, rule := range in.Spec.Rules {
			var paths []networkingv1.HTTPIngressPath
			if rule.HTTP != nil {
				paths = rule.HTTP.Paths
			}
			if len(paths) == 0 && in.Spec.DefaultBackend != nil {
				paths = []networkingv1.HTTPIngressPath{{Path: "/", Backend: *in.Spec.DefaultBackend}}
			}
			host := strings.ToLower(rule.Host)
			by[host] = append(by[host], owner{in, paths})
		}
	}
	return by
}

func (p *IngressPart) ask(ctx context.Context, r *reader, f *findings) error {
	raw, err := r.list(ctx, groupResource("networking.k8s.io", "ingresses"), "")
	if err != nil {
		return err
	}
	seen := probes.Seen[*networkingv1.Ingress]{Note: raw.Note, Request: raw.Request}
	for _, o := range raw.Items {
		in, err := typed[networkingv1.Ingress](r, o)
		if err != nil {
			return err
		}
		seen.Items = append(seen.Items, in)
	}
	by := owners(r, seen)
	hosts := p.Hosts
	if len(hosts) == 0 {
		hosts = slices.Sorted(maps.Keys(by))
	}
	bad := len(f.faults)
	for _, host := range hosts {
		e := probes.Evidence{Subject: "host " + hostName(host), Want: "one Ingress, to a Service with ready endpoints"}.From(seen.Request)
		got, fault, err := p.follow(ctx, r, host, by, seen.Note)
		if err != nil {
			return err
		}
		e.Got = got
		if fault != "" {
			fault = hostName(host) + ": " + fault
		}
		f.add(e, fault)
	}
	if len(hosts) == 0 {
		e := probes.Evidence{Subject: "ingresses", Want: "at least one with a host", Got: "none" + noted(seen.Note)}.From(seen.Request)
		f.add(e, "there is no Ingress with a host")
	}
	f.good = append(f.good, fmt.Sprintf("%d of %s with ready endpoints", len(hosts)-(len(f.faults)-bad), plural(len(hosts), "host")))
	return nil
}

func hostName(host string) string {
	if host == "" {
		return "*"
	}
	return host
}

// follow judges one host: what was found, and what of it is wrong. Where not all Ingresses could be seen, one that was not is not missing.
func (p *IngressPart) follow(ctx context.Context, r *reader, host string, by map[string][]owner, note string) (got, fault string, err error) {
	own := by[strings.ToLower(host)]
	if len(own) == 0 {
		if _, parent, ok := strings.Cut(host, "."); ok {
			own = by["*."+strings.ToLower(parent)]
		}
	}
	switch {
	case len(own) == 0 && note != "":
		return "", "", fmt.Errorf("looking for the Ingress of %s: %s", host, note)
	case len(own) == 0:
		return "no Ingress has this host", "no Ingress has this host", nil
	}
	if twice := contested(own); twice != "" {
		return twice, twice, nil
	}
	var words []string
	for _, o := range own {
		if fault, err := r.classFault(ctx, o.ingress); fault != "" || err != nil {
			fault = fmt.Sprintf("ingress %s %s", o, fault)
			return fault, fault, err
		}
		if len(o.paths) == 0 {
			fault := fmt.Sprintf("ingress %s leads nowhere: it has no path", o)
			return fault, fault, nil
		}
		for _, path := range o.paths {
			got, fault, err := r.backend(ctx, o.ingress.Namespace, path.Backend)
			if err != nil {
				return "", "", err
			}
			if fault != "" {
				return fmt.Sprintf("ingress %s%s leads nowhere: %s", o, beyondRoot(path.Path), fault), fault, nil
			}
			words = append(words, fmt.Sprintf("ingress %s%s leads to %s", o, beyondRoot(path.Path), got))
		}
	}
	return enumerate(words), "", nil
}

func beyondRoot(path string) string {
	if path == "" || path == "/" {
		return ""
	}
	return " path " + path
}

// contested says that two Ingresses claim the same path of a host, of which a controller serves one and people know not which.
func contested(own []owner) string {
	type claim struct{ path, class string }
	first := map[claim]owner{}
	for _, o := range own {
		if o.ingress.Annotations["nginx.ingress.kubernetes.io/canary"] == "true" {
			continue
		}
		for _, p := range o.paths {
			path := strings.TrimSuffix(p.Path, "/")
			key := claim{path, className(o.ingress)}
			other, taken := first[key]
			if taken && other.ingress != o.ingress {
				return fmt.Sprintf("two Ingresses own it: %s and %s", other, o) + strings.Replace(beyondRoot(path), " path", ", both path", 1)
			}
			first[key] = o
		}
	}
	return ""
}

func className(in *networkingv1.Ingress) string {
	if in.Spec.IngressClassName != nil {
		return *in.Spec.IngressClassName
	}
	return in.Annotations["kubernetes.io/ingress.class"]
}

// classFault says that nobody serves an Ingress because its class does not exist, or nothing.
func (r *reader) classFault(ctx context.Context, in *networkingv1.Ingress) (string, error) {
	if in.Spec.IngressClassName == nil {
		return "", nil
	}
	seen, err := r.list(ctx, groupResource("networking.k8s.io", "ingressclasses"), "")
	if err != nil {
		return "", err
	}
	for _, o := range seen.Items {
		if o.GetName() == *in.Spec.IngressClassName {
			return "", nil
		}
	}
	return fmt.Sprintf("is of class %s, which does not exist: no controller serves it", *in.Spec.IngressClassName), nil
}

// backend follows what a path leads to.
func (r *reader) backend(ctx context.Context, namespace string, b networkingv1.IngressBackend) (got, fault string, err error) {
	switch {
	case b.Resource != nil:
		return "", fmt.Sprintf("%s %s is no Service", strings.ToLower(b.Resource.Kind), b.Resource.Name), nil
	case b.Service == nil:
		return "", "it names no Service", nil
	}
	port := intstr.FromInt32(b.Service.Port.Number)
	if b.Service.Port.Name != "" {
		port = intstr.FromString(b.Service.Port.Name)
	}
	return r.leads(ctx, namespace, b.Service.Name, port)
}
