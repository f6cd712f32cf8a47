package kube

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/254carbon/gonogo/probes"
)

// enforcers are repositories of images that enforce NetworkPolicies from a DaemonSet, by the last parts of their paths.
var enforcers = []string{
	"calico/node", "cilium/cilium", "cloudnativelabs/kube-router", "weaveworks/weave-npc", "antrea/antrea-agent-ubuntu", "antrea/antrea-agent-ubi",
	"antrea/antrea-ubuntu", "networking/kube-network-policies", "ovn-kubernetes/ovn-kube-u", "ovn-kubernetes/ovn-kube-f",
	"eks/aws-network-policy-agent", "containernetworking/azure-npm", "kubeovn/kube-ovn", "rancher/hardened-calico", "aojea/kindnetd",
}

// plainNetworks are network plugins that leave NetworkPolicies alone.
var plainNetworks = []string{"flannel/flannel", "flannel-io/flannel", "coreos/flannel", "rancher/flannel", "rancher/mirrored-flannelcni-flannel", "rancher/hardened-flannel"}

// kindnet enforces policies since it has carried their implementation, which its images tell by their date.
var kindnetTag = regexp.MustCompile(`(?:^|/)kindest/kindnetd:v(\d{8})`)

const kindnetEnforces = "20240723"

// switchedOff are the arguments and variables by which a plugin is told not to enforce, each with the values that say so.
var switchedOff = []struct {
	name string
	off  []string
}{
	{"--enable-network-policy", []string{"false"}},     // AWS's node agent
	{"--run-firewall", []string{"false"}},              // kube-router
	{"--disable-network-policy", []string{"true", ""}}, // k3s
	{"--enable-policy", []string{"never"}},             // Cilium
	{"EXPECT_NPC", []string{"0"}},                      // Weave
}

// enforced looks for a DaemonSet that enforces policies, ready on every node, or a distribution that does it by itself. A plugin that nobody
// here knows is an error: the profile can name it.
func (p *PolicyPart) enforced(ctx context.Context, r *reader, f *findings) error {
	seen, err := r.list(ctx, appsResource("daemonsets"), "")
	if err != nil {
		return err
	}
	nodes, err := r.cluster.Nodes(ctx)
	if err != nil {
		return fmt.Errorf("listing nodes: %w", err)
	}
	e := probes.Evidence{Subject: "network plugin", Want: "one that enforces NetworkPolicies, ready on every node"}.From(seen.Request)
	plain, fault := "", ""
	for _, o := range seen.Items {
		d, err := typed[appsv1.DaemonSet](r, o)
		if err != nil {
			return err
		}
		image, enforces, why := p.enforces(d)
		switch {
		case image == "":
		case !enforces:
			plain = fmt.Sprintf("daemonset %s/%s runs %s, which %s", d.Namespace, d.Name, image, why)
		default:
			roll, err := r.rollout(o)
			if err != nil {
				return err
			}
			if fault = everywhere(d, roll, len(nodes.Items)); fault != "" {
				continue
			}
			e.Got = fmt.Sprintf("daemonset %s/%s runs %s, ready on %s", d.Namespace, d.Name, image, plural(int(roll.ready), "node"))
			f.add(e, "")
			f.good = append(f.good, d.Name+" enforces them")
			return nil
		}
	}
	if fault == "" && plain == "" {
		if off := k3sOff(nodes.Items); off != "" {
			plain = off
		} else if e.Got = builtInto(nodes.Items); e.Got != "" {
			f.add(e.From(nodes.Request), "")
			f.good = append(f.good, e.Got)
			return nil
		}
	}
	switch {
	case fault != "":
	case seen.Note != "":
		return fmt.Errorf("looking for a network plugin that enforces policies: %s", seen.Note)
	case plain != "":
		fault = "policies are not enforced: " + plain
	default:
		return errors.New("whether policies are enforced cannot be told: no DaemonSet runs a network plugin that is known; if one enforces them, name its image " +
			"under enforcers")
	}
	e.Got = fault
	f.add(e, fault)
	return nil
}

// everywhere says what is wrong with where an enforcer runs, or nothing: a node that it leaves out lets everything through.
func everywhere(d *appsv1.DaemonSet, roll *rollout, nodes int) string {
	name := d.Namespace + "/" + d.Name + ", which enforces policies,"
	switch want := roll.enough(Workload{}); {
	case roll.ready < want || roll.ready == 0:
		return fmt.Sprintf("%s is ready on %d of %s", name, roll.ready, plural(int(roll.desired), "node"))
	case int(roll.desired) < nodes:
		return fmt.Sprintf("%s is meant for %d of %s, and leaves the others out", name, roll.desired, plural(nodes, "node"))
	}
	return ""
}

// enforces finds the image of a network plugin among a DaemonSet's containers.
func (p *PolicyPart) enforces(d *appsv1.DaemonSet) (image string, enforces bool, why string) {
	off := ""
	for _, c := range d.Spec.Template.Spec.Containers {
		off = cmp.Or(off, toldNotTo(c))
	}
	for _, c := range d.Spec.Template.Spec.Containers {
		is := func(path string) bool { return strings.HasSuffix(Repository(c.Image), "/"+path) }
		switch {
		case slices.ContainsFunc(enforcers, is) || slices.ContainsFunc(p.Enforcers, is):
			if off != "" {
				return c.Image, false, "is told not to enforce them by " + off
			}
			return c.Image, true, ""
		case is("kindest/kindnetd"):
			tag := kindnetTag.FindStringSubmatch(c.Image)
			switch {
			case tag == nil:
				return c.Image, false, "does not say by its tag whether it is of a time that enforces them"
			case tag[1] < kindnetEnforces:
				return c.Image, false, "does not enforce them yet"
			}
			return c.Image, true, ""
		case slices.ContainsFunc(plainNetworks, is):
			image, why = c.Image, "does not enforce them"
		}
	}
	return image, false, why
}

// toldNotTo returns the argument or variable by which a container is told not to enforce policies, or nothing.
func toldNotTo(c corev1.Container) string {
	args := slices.Concat(c.Command, c.Args)
	for _, o := range switchedOff {
		for i, a := range args {
			name, value, given := strings.Cut(a, "=")
			if !given && i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
				value = args[i+1]
			}
			if name == o.name && slices.Contains(o.off, strings.ToLower(value)) {
				return a
			}
		}
		for _, v := range c.Env {
			if v.Name == o.name && slices.Contains(o.off, strings.ToLower(v.Value)) {
				return v.Name + "=" + v.Value
			}
		}
	}
	return ""
}

// k3sArgs is the annotation in which k3s tells with what its node was started.
const k3sArgs = "k3s.io/node-args"

// k3sOff says which node's k3s was told not to enforce policies, or nothing.
func k3sOff(nodes []*corev1.Node) string {
	for _, n := range nodes {
		var args []string
		if json.Unmarshal([]byte(n.Annotations[k3sArgs]), &args) != nil {
			continue
		}
		if off := toldNotTo(corev1.Container{Args: args}); off != "" {
			return fmt.Sprintf("k3s of node %s was started with %s", n.Name, off)
		}
	}
	return ""
}

// builtInto says that every node runs a distribution whose own process enforces policies, or nothing.
func builtInto(nodes []*corev1.Node) string {
	for _, n := range nodes {
		if !strings.Contains(n.Status.NodeInfo.KubeletVersion, "+k3s") {
			return ""
		}
	}
	if len(nodes) == 0 {
		return ""
	}
	return "k3s itself enforces them"
}
