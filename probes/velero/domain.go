package velero

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/kube"
)

// DomainParams are the parameters of the kind velero.domain.
type DomainParams struct {
	Namespace string     `yaml:"namespace,omitempty" jsonschema:"description=namespace of the installation"`
	Schedules []Declared `yaml:"schedules,omitempty" jsonschema:"description=schedules whose storage locations count besides the default one"`
}

// Validate reports what is wrong with the parameters.
func (p *DomainParams) Validate() error {
	switch {
	case p.Namespace == "":
		return fmt.Errorf("namespace must not be empty")
	case len(p.Schedules) > 0:
		return validateDeclared(p.Schedules)
	}
	return nil
}

// DomainInfo describes the kind velero.domain.
func DomainInfo() probes.KindInfo {
	return probes.KindInfo{
		Name: "velero.domain",
		About: "Follows the address of each storage location in use to what answers there, from the cluster's Services, Ingresses, EndpointSlices and nodes: " +
			"backups that are kept in the cluster that they protect are lost with it.",
		Connection: Connection, OnChange: true, Every: 5 * time.Minute, Timeout: 10 * time.Second, Confirm: 2,
		Params: func() any { return &DomainParams{Namespace: DefaultNamespace} },
	}
}

// DomainCluster reads everything that an address can lead to.
type DomainCluster interface {
	Objects
	kube.Pods
}

// Hosts finds the addresses of a host name that the cluster does not know.
type Hosts interface {
	LookupHost(ctx context.Context, host string) ([]string, error)
}

// NewDomain returns a probe of the kind velero.domain. Parameters must be valid. Hosts may be nil: then the name of a host is all that is
// known of it.
func NewDomain(c DomainCluster, hosts Hosts, p DomainParams) probes.Probe {
	return domainProbe{cluster: c, hosts: hosts, params: p}
}

type domainProbe struct {
	cluster DomainCluster
	hosts   Hosts
	params  DomainParams
}

var _ probes.Watching = domainProbe{}

func (p domainProbe) Watch(wake func()) func() {
	return watchAll(p.cluster, wake, locationsResource(), schedulesResource(), servicesResource(), ingressesResource())
}

func (p domainProbe) Observe(ctx context.Context) (probes.Observation, error) {
	r := &reader{objects: p.cluster, namespace: p.params.Namespace}
	used, seen, err := p.used(ctx, r)
	if missing := (notInstalledError{}); errors.As(err, &missing) {
		return missing.observation(), nil
	}
	if err != nil {
		return probes.Observation{}, err
	}
	var findings []finding
	var blind error
	for _, u := range used {
		f, err := p.follow(ctx, r, u, seen.Request)
		if err != nil {
			blind = errors.Join(blind, err)
			continue
		}
		findings = append(findings, f)
	}
	if blind != nil && !wanting(findings) {
		return probes.Observation{}, blind
	}
	obs := conclude(findings)
	obs.Confirmed = r.confirmed
	if obs.Status == probes.Pass {
		obs.Summary = fmt.Sprintf("location %s keeps its backups outside: %s", used[0].name, findings[0].evidence.Got)
		if len(used) > 1 {
			obs.Summary = fmt.Sprintf("%d of %d locations in use keep their backups outside", len(used), len(used))
		}
	}
	return obs, nil
}

// use is a location that backups are written to.
type use struct {
	name     string
	by       string // who writes there
	location *location
}

// used are the default location and those that the declared schedules name, in this order.
func (p domainProbe) used(ctx context.Context, r *reader) ([]use, list, error) {
	seen, err := r.list(ctx, locationsResource())
	if err != nil {
		return nil, seen, err
	}
	byName, defaults := map[string]*location{}, []use{}
	for _, o := range seen.Items {
		l, err := decode[location](o)
		if err != nil {
			return nil, seen, err
		}
		byName[l.Name] = l
		if l.Spec.Default {
			defaults = append(defaults, use{name: l.Name, by: "by default", location: l})
		}
	}
	if seen.Note != "" {
		return nil, seen, fmt.Errorf("looking for the backup storage locations in use: %s", seen.Note)
	}
	all := defaults
	if len(all) == 0 {
		all = append(all, use{name: "default", by: "by default"})
	}
	if len(p.params.Schedules) == 0 {
		return all, seen, nil
	}
	schedules, err := r.list(ctx, schedulesResource())
	if err != nil {
		return nil, seen, err
	}
	for _, d := range p.params.Schedules {
		o, err := find(schedules, d.Name)
		if err != nil || o == nil { // a schedule that is missing is for the check of schedules to say
			if err != nil {
				return nil, seen, err
			}
			continue
		}
		s, err := decode[schedule](o)
		if err != nil {
			return nil, seen, err
		}
		to := s.Spec.Template.StorageLocation
		if to != "" && !slices.ContainsFunc(all, func(u use) bool { return u.name == to }) {
			all = append(all, use{name: to, by: "by schedule " + d.Name, location: byName[to]})
		}
	}
	return all, seen, nil
}

// follow looks where one location in use keeps its backups.
func (p domainProbe) follow(ctx context.Context, r *reader, u use, request probes.Request) (finding, error) {
	f := finding{evidence: probes.Evidence{
		Subject: fmt.Sprintf("location %s, used %s", u.name, u.by), Want: "kept outside of this cluster",
	}.From(request)}
	if u.location == nil {
		f.evidence.Got = "does not exist"
		f.cause = fmt.Sprintf("location %s, used %s, does not exist: nothing is kept anywhere", u.name, u.by)
		return f, nil
	}
	at, err := u.location.endpoint()
	if err != nil {
		return finding{}, err
	}
	if at.wrong != "" {
		f.evidence.Got, f.cause = at.wrong, fmt.Sprintf("location %s leads nowhere: %s", u.name, at.wrong)
		return f, nil
	}
	if at.host == "" {
		f.evidence.Got = at.text
		return f, nil
	}
	w := &follower{cluster: p.cluster, hosts: p.hosts, reader: r, home: p.params.Namespace}
	end, err := w.host(ctx, at.host)
	if err != nil {
		return finding{}, fmt.Errorf("following location %s to %s: %w", u.name, at.text, err)
	}
	chain := strings.Join(append([]string{at.text}, end.steps...), " → ")
	f.evidence.Got = chain
	if end.request.Source != "" {
		f.evidence = f.evidence.From(end.request)
	}
	switch end.where {
	case inside:
		f.cause = fmt.Sprintf("location %s keeps its backups in the cluster that they protect: %s", u.name, chain)
	case nowhere:
		f.cause = fmt.Sprintf("location %s leads nowhere: %s", u.name, chain)
	}
	return f, nil
}

// endpoint is where a location says that its store is.
type endpoint struct {
	text  string
	host  string // empty for a cloud's own service, which no address is written for
	wrong string // why it can be nowhere
}

// clouds are the stores whose address nobody writes down unless it is another one.
var clouds = map[string]string{"aws": "AWS S3", "gcp": "Google Cloud Storage", "azure": "Azure Blob Storage", "alibabacloud": "Alibaba Cloud OSS"}

// addressKeys are the settings in which the plug-ins take another address than their cloud's own.
var addressKeys = []string{"s3Url", "storageAccountURI", "storeEndpoint", "endpoint"}

func (l *location) endpoint() (endpoint, error) {
	for _, key := range addressKeys {
		raw := l.Spec.Config[key]
		if raw == "" {
			continue
		}
		u, err := url.Parse(raw)
		if (err != nil || u.Host == "") && !strings.Contains(raw, "/") { // some plug-ins take a host alone
			u, err = url.Parse("//" + raw)
		}
		if err != nil || u.Hostname() == "" {
			return endpoint{wrong: fmt.Sprintf("its %s is no URL with a host", key)}, nil
		}
		text := u.Host
		if u.Scheme != "" {
			text = u.Scheme + "://" + u.Host
		}
		return endpoint{text: text, host: u.Hostname()}, nil
	}
	_, provider, ok := strings.Cut(l.Spec.Provider, "/")
	if !ok {
		provider = l.Spec.Provider
	}
	cloud, ok := clouds[provider]
	if !ok {
		return endpoint{}, fmt.Errorf("location %s: gonogo does not know where provider %s keeps what it is given", l.Name, orNothing(l.Spec.Provider))
	}
	if region := l.Spec.Config["region"]; region != "" {
		cloud += " in " + region
	}
	return endpoint{text: cloud}, nil
}

func servicesResource() schema.GroupVersionResource {
	return schema.GroupVersionResource{Version: "v1", Resource: "services"}
}

func nodesResource() schema.GroupVersionResource {
	return schema.GroupVersionResource{Version: "v1", Resource: "nodes"}
}

func ingressesResource() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "networking.k8s.io", Version: "v1", Resource: "ingresses"}
}

func slicesResource() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "discovery.k8s.io", Version: "v1", Resource: "endpointslices"}
}
