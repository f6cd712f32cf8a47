package platform

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"strings"

	"github.com/254carbon/gonogo/internal/platform/cluster"
	"github.com/254carbon/gonogo/internal/platform/transport"
	"github.com/254carbon/gonogo/probes"
)

// Fetch gets a URL that a system of the platform signed, as it is written: one of a Service of the cluster through a port-forward, any other
// directly. The caller closes the body, which is bounded. Redirects are not followed. The URL is a secret: errors do not hold it.
func (x *Platform) Fetch(ctx context.Context, address string) (*http.Response, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return nil, errors.New("its address is not one")
	}
	for _, values := range u.Query() {
		for _, value := range values {
			if len(value) > 16 {
				x.Mask.Add(value)
			}
		}
	}
	rt := x.direct
	if target, ok := inCluster(u); ok {
		if x.Cluster == nil {
			return nil, x.trouble["kubernetes"]
		}
		if rt, err = x.Cluster.Forwarded(target); err != nil {
			return nil, err
		}
		rt = transport.Wrap(rt, transport.Options{ReadOnly: x.ReadOnly})
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, errors.New("its address is not one")
	}
	resp, err := transport.Client(rt).Do(req)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		return nil, fmt.Errorf("asking %s: %w", probes.Clean(u.Host, 200), err)
	}
	return resp, nil
}

// inCluster reads name.namespace.svc[.cluster.local][:port] as a Service.
func inCluster(u *url.URL) (cluster.ServiceTarget, bool) {
	labels := strings.Split(strings.TrimSuffix(u.Hostname(), "."), ".")
	if len(labels) < 3 || labels[2] != "svc" {
		return cluster.ServiceTarget{}, false
	}
	t := cluster.ServiceTarget{Scheme: u.Scheme, Namespace: labels[1], Name: labels[0], Port: u.Port()}
	if t.Port == "" {
		t.Port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return t, true
}

// PodLog reads the newest lines of a pod's log.
func (x *Platform) PodLog(ctx context.Context, namespace, pod string) (string, error) {
	const most = 64 << 10
	body, _, err := x.Cluster.Raw(ctx, "/api/v1/namespaces/"+url.PathEscape(namespace)+"/pods/"+url.PathEscape(pod)+"/log?tailLines=50", most)
	return string(body), err
}

// By is who answers for what this process does: user@host.
func By() string {
	name, host := "somebody", "somewhere"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	return name + "@" + host
}
