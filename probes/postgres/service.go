package postgres

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/probes"
)

var (
	servicesResource = schema.GroupVersionResource{Version: "v1", Resource: "services"}
	slicesResource   = schema.GroupVersionResource{Group: "discovery.k8s.io", Version: "v1", Resource: "endpointslices"}
)

// backend is what a Service sends to.
type backend struct {
	pod       string
	addresses []string
}

func (b backend) String() string {
	if b.pod != "" {
		return "pod " + b.pod
	}
	return strings.Join(b.addresses, ", ")
}

// is reports whether the backend is that server.
func (b backend) is(m member) bool {
	if b.pod != "" && m.pod != "" {
		return b.pod == m.pod
	}
	return slices.ContainsFunc(b.addresses, func(a string) bool { return slices.Contains(m.addresses, a) })
}

// service judges whether the write Service selects exactly the primary.
func (p replicationProbe) service(ctx context.Context, seen picture) (causes []string, evidence []probes.Evidence, err error) {
	namespace, name, _ := strings.Cut(p.params.Service, "/")
	services, err := p.sources.Objects.List(ctx, servicesResource, namespace)
	if err != nil {
		return nil, nil, fmt.Errorf("listing services in %s: %w", namespace, err)
	}
	e := probes.Evidence{Subject: "write Service " + p.params.Service, Want: "selects exactly the primary", Wanting: true}
	found := false
	for _, o := range services.Items {
		found = found || o.GetName() == name && o.GetNamespace() == namespace
	}
	if !found {
		if services.Note != "" {
			return nil, nil, errIncomplete("looking for service "+p.params.Service, services.Note)
		}
		e.Got = "does not exist"
		return []string{fmt.Sprintf("the write Service %s does not exist", p.params.Service)}, []probes.Evidence{e.From(services.Request)}, nil
	}
	ready, request, err := p.backends(ctx, namespace, name)
	if err != nil {
		return nil, nil, err
	}
	cause, err := p.chosen(ready, seen)
	if err != nil {
		return nil, nil, err
	}
	words := make([]string, len(ready))
	for i, b := range ready {
		words[i] = b.String()
	}
	if e.Got, e.Wanting = "selects "+strings.Join(words, " and "), cause != ""; len(ready) == 0 {
		e.Got = "selects nothing that is ready"
	}
	if cause != "" {
		causes = append(causes, cause)
	}
	return causes, []probes.Evidence{e.From(request)}, nil
}

// backends are the ready endpoints of a Service, each once.
func (p replicationProbe) backends(ctx context.Context, namespace, name string) ([]backend, probes.Request, error) {
	seen, err := p.sources.Objects.List(ctx, slicesResource, namespace)
	if err != nil {
		return nil, seen.Request, fmt.Errorf("listing endpointslices in %s: %w", namespace, err)
	}
	if seen.Note != "" {
		return nil, seen.Request, errIncomplete("looking for the endpoints of service "+name, seen.Note)
	}
	var all []backend
	for _, o := range seen.Items {
		var s discoveryv1.EndpointSlice
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &s); err != nil {
			return nil, seen.Request, fmt.Errorf("reading endpointslice %s: %w", o.GetName(), err)
		}
		if s.Labels[discoveryv1.LabelServiceName] != name {
			continue
		}
		for _, e := range s.Endpoints {
			if e.Conditions.Ready != nil && !*e.Conditions.Ready {
				continue
			}
			b := backend{addresses: e.Addresses}
			if e.TargetRef != nil && e.TargetRef.Kind == "Pod" {
				b.pod = e.TargetRef.Name
			}
			// A pod with two families of addresses is in a slice for each.
			if i := slices.IndexFunc(all, func(other backend) bool { return b.pod != "" && other.pod == b.pod }); i >= 0 {
				all[i].addresses = append(all[i].addresses, b.addresses...)
				continue
			}
			all = append(all, b)
		}
	}
	slices.SortFunc(all, func(a, b backend) int { return strings.Compare(a.String(), b.String()) })
	return all, seen.Request, nil
}

// chosen says what is wrong with what the Service selects, or nothing.
func (p replicationProbe) chosen(ready []backend, seen picture) (string, error) {
	service := "the write Service " + p.params.Service
	var written, read, others []string
	for _, b := range ready {
		switch {
		case slices.ContainsFunc(seen.primaries, b.is):
			written = append(written, b.String())
		case slices.ContainsFunc(seen.followers, b.is):
			read = append(read, b.String())
		default:
			others = append(others, b.String())
		}
	}
	switch {
	case len(ready) == 0:
		return service + " selects nothing that is ready", nil
	case len(written) > 1:
		return fmt.Sprintf("%s selects %d primaries, %s: unrelated databases behind one Service", service, len(written), strings.Join(written, " and ")), nil
	case len(read) > 0:
		return fmt.Sprintf("%s selects a standby, %s", service, strings.Join(read, " and ")), nil
	case len(written) == 1 && len(others) == 0, len(seen.primaries) == 0:
		return "", nil
	case len(written) == 1:
		return fmt.Sprintf("%s selects %s besides the primary", service, strings.Join(others, " and ")), nil
	case len(ready) > 1:
		return fmt.Sprintf("%s selects %d servers, %s, of which one at most is the primary", service, len(ready), strings.Join(others, " and ")), nil
	case !placed(seen.primaries[0]):
		return "", fmt.Errorf("whether %s selects the primary cannot be told: nothing ties the primary %s to a pod", service, seen.primaries[0].name)
	}
	return fmt.Sprintf("%s selects %s, and the primary is %s", service, strings.Join(others, " and "), seen.primaries[0].name), nil
}

// placed reports whether it is known where a server is: an address on the loopback interface only says that somebody else led there.
func placed(m member) bool {
	return m.pod != "" || slices.ContainsFunc(m.addresses, func(a string) bool {
		ip, err := netip.ParseAddr(a)
		return err == nil && !ip.IsLoopback() && !ip.IsUnspecified()
	})
}
