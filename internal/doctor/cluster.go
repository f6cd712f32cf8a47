package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// maxSkew is how far the clocks may be apart before ages mislead.
const maxSkew = 5 * time.Second

// cluster tries the connection to the cluster: its API server, which cluster it is, and its clock.
func (e *examination) cluster(ctx context.Context) {
	const area = "kubernetes"
	if !e.needsCluster() {
		return
	}
	c := e.Platform.Cluster
	if c == nil {
		e.fault(area, "connection", e.Platform.Trouble(area).Error(), "Name a kubeconfig with --kubeconfig or KUBECONFIG, and a context with --context or connections.kubernetes.context.")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, tryFor)
	defer cancel()
	const most = 64 << 10
	body, _, err := c.Raw(ctx, "/version", most)
	var version struct{ GitVersion string }
	switch {
	case apierrors.IsUnauthorized(err):
		e.fault(area, "credential", err.Error(), "Log in to "+e.where()+" again, as for kubectl.")
		return
	case err != nil:
		e.fault(area, "connection", because(err), "Make sure that kubectl works with the same kubeconfig and context ("+e.where()+").")
		return
	case json.Unmarshal(body, &version) != nil || version.GitVersion == "":
		e.fault(area, "connection", "the answer to /version is not that of a Kubernetes API server", "Look at what answers at "+c.Server()+".")
		return
	}
	e.add(Finding{Area: area, Subject: "connection", State: OK, Text: fmt.Sprintf("Kubernetes %s, %s", version.GitVersion, e.where())})
	e.identity(ctx)
	e.skew(ctx)
}

// where names the cluster as the kubeconfig does.
func (e *examination) where() string {
	if name := e.Platform.Context(); name != "" && name != e.Platform.Cluster.Server() {
		return fmt.Sprintf("context %s, %s", name, e.Platform.Cluster.Server())
	}
	return e.Platform.Cluster.Server()
}

// needsCluster reports whether anything of the profile is asked of the cluster or through it.
func (e *examination) needsCluster() bool {
	prometheus := e.Profile.Connections.Prometheus
	return len(e.uses["kubernetes"]) > 0 || prometheus != nil && prometheus.Service != "" || e.Profile.Cluster.UID != ""
}

// identity compares the cluster with the one that the profile is pinned to.
func (e *examination) identity(ctx context.Context) {
	f := Finding{Area: "kubernetes", Subject: "cluster", State: OK}
	uid, err := e.Platform.Cluster.UID(ctx)
	pinned := e.Profile.Cluster.UID
	switch {
	case err != nil:
		f.State, f.Text, f.Do = Wrong, err.Error(), "Grant get on the namespace kube-system, whose UID tells clusters apart."
	case pinned == "":
		f.State, f.Text, f.Do = Note, uid+", which the profile does not pin", "Write cluster: {uid: "+uid+"} into the profile, so that nothing is ever done to another cluster."
	case pinned != uid:
		f.State, f.Text = Wrong, fmt.Sprintf("it is %s, but the profile is about %s", uid, pinned)
		f.Do = "Choose the context that leads to the profile's cluster; if it was made anew, write the new UID into the profile."
	default:
		f.Text = uid + ", as the profile pins it"
	}
	e.add(f)
}

// skew compares the clocks: ages are computed from both.
func (e *examination) skew(ctx context.Context) {
	before := e.Now()
	server, err := e.Platform.Cluster.Clock(ctx)
	if err != nil {
		e.add(Finding{Area: "kubernetes", Subject: "clock", State: Note, Text: err.Error()})
		return
	}
	after := e.Now()
	// The date of an answer has no fractions: it is up to a second old when it is written.
	ahead := max(before.Sub(server.Add(time.Second)), 0)
	behind := max(server.Sub(after), 0)
	f := Finding{Area: "kubernetes", Subject: "clock", State: OK, Text: "the API server's and this machine's agree"}
	if off := max(ahead, behind); off > maxSkew {
		f.State, f.Do = Wrong, "Let both machines follow a time server (chrony, systemd-timesyncd): ages and expiries are computed from both clocks."
		f.Text = fmt.Sprintf("this machine's is %s ahead of the API server's", off.Round(time.Second))
		if behind > 0 {
			f.Text = fmt.Sprintf("this machine's is %s behind the API server's", off.Round(time.Second))
		}
	}
	e.add(f)
}
