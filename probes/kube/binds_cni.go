package kube

import (
	"context"
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

// enforced looks for a DaemonSet that enforces policies, ready on every node it is to be on, or a distribution that does it by itself.
func (p *PolicyPart) enforced(ctx context.Context, r *reader, f *findings) error {
	seen, err := r.list(ctx, appsResource("daemonsets"), "")
	if err != nil {
		return err
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
			if want := roll.enough(Workload{}); roll.ready < want || roll.ready == 0 {
				fault = fmt.Sprintf("%s/%s, which enforces policies, is ready on %d of %s", d.Namespace, d.Name, roll.ready, plural(int(roll.desired), "node"))
				continue
			}
			e.Got = fmt.Sprintf("daemonset %s/%s runs %s, ready on %s", d.Namespace, d.Name, image, plural(int(roll.ready), "node"))
			f.add(e, "")
			f.good = append(f.good, d.Name+" enforces them")
			return nil
		}
	}
	if fault == "" && plain == "" {
		nodes, err := r.cluster.Nodes(ctx)
		if err != nil {
			return fmt.Errorf("listing nodes: %w", err)
		}
		if e.Got = builtInto(nodes.Items); e.Got != "" {
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
		fault = "policies are not enforced: no DaemonSet runs a network plugin that is known to enforce them"
	}
	e.Got = fault
	f.add(e, fault)
	return nil
}

// enforces finds the image of a network plugin among a DaemonSet's containers.
func (p *PolicyPart) enforces(d *appsv1.DaemonSet) (image string, enforces bool, why string) {
	for _, c := range d.Spec.Template.Spec.Containers {
		is := func(path string) bool { return strings.HasSuffix(Repository(c.Image), "/"+path) }
		switch {
		case slices.ContainsFunc(enforcers, is) || slices.ContainsFunc(p.Enforcers, is):
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
