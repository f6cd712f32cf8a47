package survey

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// maxAnswer is how much of an answer is read.
const maxAnswer = 1 << 20

// get asks for a path of a Service, or with an empty one for a URL.
func (s *surveyor) get(ctx context.Context, service, address string) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, nil, err
	}
	resp, _, err := s.x.Web.Fetch(ctx, service, r)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return resp.StatusCode, body, err
}

// maxHosts is how many hosts are knocked at.
const maxHosts = 50

// hosts looks for the hosts of Ingresses, and what answers there.
func (s *surveyor) hosts(ctx context.Context) {
	for _, o := range s.list(ctx, resource("networking.k8s.io", "v1", "ingresses")) {
		for _, rule := range each(o.Object, "spec", "rules") {
			host, _ := rule["host"].(string)
			if !strings.Contains(host, "*") {
				s.found.Hosts = append(s.found.Hosts, host)
			}
		}
	}
	s.found.Hosts = unique(s.found.Hosts)
	hosts := s.found.Hosts[:min(len(s.found.Hosts), maxHosts)]
	status := make([]int, len(hosts))
	var group sync.WaitGroup
	turn := make(chan struct{}, 8)
	for i, host := range hosts {
		group.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			status[i], _, _ = s.get(ctx, "", (&url.URL{Scheme: "https", Host: host, Path: "/"}).String())
		})
	}
	group.Wait()
	for i, host := range hosts {
		if status[i] == 0 || status[i] >= http.StatusInternalServerError {
			s.found.Silent = append(s.found.Silent, host)
			continue
		}
		s.found.Pages = append(s.found.Pages, Page{host, status[i]})
	}
}

// prometheus looks for a Service behind which a Prometheus answers, the operator's own ones first.
func (s *surveyor) prometheus(ctx context.Context) {
	type candidate struct {
		service string
		rank    int
	}
	var all []candidate
	for _, o := range s.list(ctx, resource("", "v1", "services")) {
		labels := o.GetLabels()
		rank := 9
		switch {
		case labels["self-monitor"] == "true", labels["operated-prometheus"] == "true":
			rank = 0
		case labels["app.kubernetes.io/name"] == "prometheus", labels["app"] == "prometheus", labels["app"] == "kube-prometheus-stack-prometheus":
			rank = 1
		case strings.Contains(o.GetName(), "prometheus"):
			rank = 2
		}
		for _, port := range each(o.Object, "spec", "ports") {
			n, _, _ := unstructured.NestedInt64(port, "port")
			name, _ := port["name"].(string)
			if rank < 9 && (n == 9090 || name == "http-web" || name == "web" || rank == 1 && n == 80) {
				all = append(all, candidate{o.GetNamespace() + "/" + o.GetName() + ":" + strconv.FormatInt(n, 10), rank})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), strings.Compare(a.service, b.service))
	})
	for _, c := range all[:min(len(all), 8)] {
		if p, err := s.targets(ctx, c.service); err == nil {
			s.found.Prometheus = p
			s.monitors(ctx)
			return
		}
	}
}

// monitors looks for what the Prometheus Operator is told to scrape.
func (s *surveyor) monitors(ctx context.Context) {
	by := map[string]*Monitors{}
	of := func(namespace string) *Monitors {
		if by[namespace] == nil {
			by[namespace] = &Monitors{Namespace: namespace}
		}
		return by[namespace]
	}
	for _, o := range s.list(ctx, resource("monitoring.coreos.com", "v1", "servicemonitors")) {
		m := of(o.GetNamespace())
		m.ServiceMonitors = append(m.ServiceMonitors, o.GetName())
	}
	for _, o := range s.list(ctx, resource("monitoring.coreos.com", "v1", "podmonitors")) {
		m := of(o.GetNamespace())
		m.PodMonitors = append(m.PodMonitors, o.GetName())
	}
	for _, namespace := range slices.Sorted(maps.Keys(by)) {
		s.found.Monitors = append(s.found.Monitors, *by[namespace])
	}
}

// targets asks a Prometheus which targets are up.
func (s *surveyor) targets(ctx context.Context, service string) (Prometheus, error) {
	const query = "count by (job) (up == 1)"
	_, body, err := s.get(ctx, service, "/api/v1/query?"+url.Values{"query": {query}}.Encode())
	if err != nil {
		return Prometheus{}, err
	}
	var answer struct {
		Status string
		Data   struct {
			ResultType string
			Result     []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Status != "success" || answer.Data.ResultType != "vector" {
		return Prometheus{}, fmt.Errorf("service %s does not answer as a Prometheus", service)
	}
	p := Prometheus{Service: service}
	for _, sample := range answer.Data.Result {
		value, _ := sample.Value[1].(string)
		if n, err := strconv.Atoi(value); err == nil {
			p.Up += n
			p.Jobs = append(p.Jobs, sample.Metric["job"])
		}
	}
	p.Jobs = unique(p.Jobs)
	return p, nil
}

// velero looks for Velero's default location and its schedules.
func (s *surveyor) velero(ctx context.Context) {
	v := &s.found.Velero
	for _, o := range s.list(ctx, resource("velero.io", "v1", "backupstoragelocations")) {
		usual, _, _ := unstructured.NestedBool(o.Object, "spec", "default")
		if v.Namespace != "" && !usual && o.GetName() != "default" {
			continue
		}
		v.Namespace, v.Location = o.GetNamespace(), o.GetName()
		v.Bucket, v.Prefix = text(o, "spec", "objectStorage", "bucket"), text(o, "spec", "objectStorage", "prefix")
	}
	for _, o := range s.list(ctx, resource("velero.io", "v1", "schedules")) {
		paused, _, _ := unstructured.NestedBool(o.Object, "spec", "paused")
		if o.GetNamespace() == v.Namespace && v.Namespace != "" && !paused {
			v.Schedules = append(v.Schedules, Schedule{o.GetName(), text(o, "spec", "schedule")})
		}
	}
	v.Server = slices.ContainsFunc(s.found.Workloads, func(w Workload) bool {
		return w.Kind == "Deployment" && w.Namespace == v.Namespace && w.Name == "velero"
	})
}

// harbor looks for a Harbor: among the hosts of Ingresses, and those that images come from.
func (s *surveyor) harbor(ctx context.Context) {
	var hosts []string
	for _, host := range s.found.Hosts {
		if strings.Contains(host, "harbor") || strings.Contains(host, "registry") {
			hosts = append(hosts, host)
		}
	}
	for _, w := range s.found.Workloads {
		if host, _, ok := strings.Cut(w.Image, "/"); ok && strings.Contains(host, ".") && !public(host) {
			hosts = append(hosts, host)
		}
	}
	for _, host := range unique(hosts)[:min(len(unique(hosts)), 8)] {
		base := (&url.URL{Scheme: "https", Host: host}).String()
		_, body, err := s.get(ctx, "", base+"/api/v2.0/health")
		var health struct {
			Status     string
			Components []struct{ Name string }
		}
		if err == nil && json.Unmarshal(body, &health) == nil && health.Status != "" && len(health.Components) > 0 {
			s.found.Harbor = base
			return
		}
	}
}

// public reports whether a registry is one of those that everybody uses, which are no Harbor of the platform's.
func public(host string) bool {
	for _, known := range []string{"docker.io", "quay.io", "ghcr.io", "gcr.io", "registry.k8s.io", "mcr.microsoft.com", "public.ecr.aws", "docker.elastic.co", "registry.gitlab.com"} {
		if host == known || strings.HasSuffix(host, "."+known) {
			return true
		}
	}
	return false
}
