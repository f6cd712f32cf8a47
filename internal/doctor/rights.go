package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/internal/platform/cluster"
)

// right is one thing that the credential for the cluster must be allowed to do.
type right struct {
	verb, group, resource, subresource, namespace, name string
}

func (r right) what() string {
	what := r.resource
	if r.subresource != "" {
		what += "/" + r.subresource
	}
	if r.group != "" {
		what += "." + r.group
	}
	if r.name != "" {
		what += " " + r.name
	}
	return what
}

// atOnce is how many questions about rights are under way at once.
const atOnce = 8

// rights asks the API server which of the rights that the checks need are missing. What is listed and watched is what the checks
// themselves have registered for and read, so it cannot be out of date.
func (e *examination) rights(ctx context.Context) {
	const area = "kubernetes"
	if e.broken[area] || e.Platform.Cluster == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 3*tryFor)
	defer cancel()
	resources := e.read
	findings := make([]*Finding, len(resources))
	var group sync.WaitGroup
	turn := make(chan struct{}, atOnce)
	for i, r := range resources {
		group.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			findings[i] = e.reading(ctx, r)
		})
	}
	group.Wait()
	missing := 0
	for _, f := range findings {
		if f != nil {
			e.add(*f)
			missing++
		}
	}
	if len(resources) > 0 && missing == 0 {
		e.add(Finding{Area: area, Subject: "rights", State: OK, Text: fmt.Sprintf("may list and watch everything that the checks read: %d resources", len(resources))})
	}
	services, may := e.services(), 0
	for _, target := range services {
		if e.proxy(ctx, target) {
			may++
		}
	}
	if may > 0 {
		e.add(Finding{Area: area, Subject: "services", State: OK, Text: fmt.Sprintf("may reach %d of %d through the API server (services/proxy)", may, len(services))})
	}
}

// reading asks for the rights on one resource; nil is all of them.
func (e *examination) reading(ctx context.Context, r schema.GroupVersionResource) *Finding {
	f := &Finding{Area: "kubernetes", Subject: "right to read " + right{group: r.Group, resource: r.Resource}.what(), State: Missing}
	f.Do = fmt.Sprintf("Grant {apiGroups: [%q], resources: [%s], verbs: [get, list, watch]} to gonogo's account with a ClusterRole.", r.Group, r.Resource)
	list, err := e.may(ctx, right{verb: "list", group: r.Group, resource: r.Resource})
	if err != nil {
		f.State, f.Text, f.Do = Wrong, err.Error(), "Grant create on selfsubjectaccessreviews.authorization.k8s.io, which every account has unless it was taken away."
		return f
	}
	watch, err := e.may(ctx, right{verb: "watch", group: r.Group, resource: r.Resource})
	switch {
	case err != nil:
		f.State, f.Text = Wrong, err.Error()
		return f
	case list && watch:
		return nil
	case list:
		f.State, f.Text = Note, "may list but not watch: changes are seen later, when it is listed again"
		return f
	}
	could, cannot := e.readingIn(ctx, r)
	switch {
	case len(could) == 0:
		f.Text = "may not list them in any namespace"
	case len(cannot) == 0:
		f.State, f.Text = Note, "may list them only in the namespaces that the profile names ("+strings.Join(could, ", ")+"): what is elsewhere is not seen"
	default:
		f.Text = "may list them in " + strings.Join(could, ", ") + ", but not in " + strings.Join(cannot, ", ")
	}
	return f
}

// readingIn asks in which of the profile's namespaces a resource may be listed.
func (e *examination) readingIn(ctx context.Context, r schema.GroupVersionResource) (could, cannot []string) {
	for _, ns := range e.Profile.Namespaces() {
		if ok, err := e.may(ctx, right{verb: "list", group: r.Group, resource: r.Resource, namespace: ns}); err == nil && ok {
			could = append(could, ns)
		} else {
			cannot = append(cannot, ns)
		}
	}
	return could, cannot
}

func (e *examination) may(ctx context.Context, r right) (bool, error) {
	ok, _, err := e.Platform.Cluster.CanI(ctx, r.verb, r.group, r.resource, r.subresource, r.namespace, r.name)
	return ok, err
}

// proxy asks for the right to reach a Service through the API server, or where gonogo may write, through a port-forward. It reports
// whether there is nothing to say.
func (e *examination) proxy(ctx context.Context, target cluster.ServiceTarget) bool {
	name := target.Scheme + ":" + target.Name + ":" + target.Port
	proxy := right{verb: "get", resource: "services", subresource: "proxy", namespace: target.Namespace, name: name}
	f := Finding{Area: "kubernetes", Subject: "right to reach " + target.String(), State: Missing}
	switch ok, err := e.may(ctx, proxy); {
	case err != nil:
		f.State, f.Text = Wrong, err.Error()
	case ok:
		return true
	default:
		f.Text = "may not get services/proxy in namespace " + target.Namespace
		f.Do = fmt.Sprintf("Grant {apiGroups: [\"\"], resources: [services/proxy], resourceNames: [%q], verbs: [get]} in namespace %s.", name, target.Namespace)
		forward, forwardErr := e.may(ctx, right{verb: "create", resource: "pods", subresource: "portforward", namespace: target.Namespace})
		if forwardErr == nil && forward && !e.Platform.ReadOnly {
			f.State, f.Text = Note, "goes through a port-forward, as services/proxy may not be got; in read-only mode that is not done"
		}
	}
	e.add(f)
	return false
}

// servicesOf lists the Services that the parameters of a check name.
func servicesOf(params any) []string {
	var all []string
	walk(params, func(name string, value any) {
		if text, ok := value.(string); ok && name == "service" && text != "" {
			all = append(all, text)
		}
	})
	return all
}

// services lists the Services that the profile's checks and connections reach through the API server.
func (e *examination) services() []cluster.ServiceTarget {
	named := map[string]bool{}
	if p := e.Profile.Connections.Prometheus; p != nil && p.Service != "" {
		named[p.Service] = true
	}
	for _, c := range e.Profile.Checks() {
		if c.Spec.Exempt == "" {
			for _, service := range servicesOf(c.Params) {
				named[service] = true
			}
		}
	}
	var targets []cluster.ServiceTarget
	for text := range named {
		if target, err := cluster.ParseServiceTarget(text); err == nil {
			targets = append(targets, target)
		}
	}
	slices.SortFunc(targets, func(a, b cluster.ServiceTarget) int { return strings.Compare(a.String(), b.String()) })
	return targets
}
