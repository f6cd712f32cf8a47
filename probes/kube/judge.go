package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/254carbon/gonogo/probes"
)

// judge looks at the workloads of one asking. It reads each collection once.
type judge struct {
	cluster   Cluster
	mirrors   mirrored
	lists     map[string]probes.Seen[*unstructured.Unstructured] // by resource and namespace
	pods      map[string]map[string][]*Pod                       // by namespace, then by kind/name of the workload
	nodes     []*corev1.Node                                     // those that take pods; nil until read
	confirmed time.Time
}

func newJudge(c Cluster, mirrors mirrored) *judge {
	return &judge{
		cluster: c, mirrors: mirrors,
		lists: map[string]probes.Seen[*unstructured.Unstructured]{}, pods: map[string]map[string][]*Pod{},
	}
}

// look judges one declared workload and returns the evidence.
func (j *judge) look(ctx context.Context, w Workload) (finding, probes.Evidence, error) {
	e := probes.Evidence{Subject: w.String(), Want: w.wanted(), Wanting: true}
	seen, err := j.list(ctx, w)
	if err != nil {
		return finding{}, e, err
	}
	e = e.From(seen.Request)
	matches, err := w.match(seen)
	if err != nil {
		return finding{}, e, err
	}
	result := finding{trouble: gone, name: w.shortName(), detail: "does not exist"}
	for _, o := range matches {
		if result, err = j.inspect(ctx, w, o); err != nil {
			return finding{}, e, err
		}
		if result.trouble != fine {
			break
		}
	}
	e.Got, e.Wanting = result.detail, result.trouble != fine
	if len(matches) > 1 {
		e.Got = result.name + " " + e.Got
	}
	return result, e, nil
}

func (w Workload) shortName() string {
	if w.Name == "" {
		return w.Selector
	}
	return w.Name
}

func (w Workload) match(seen probes.Seen[*unstructured.Unstructured]) ([]*unstructured.Unstructured, error) {
	if w.Name != "" {
		o, err := find(seen, w.Namespace, w.Name)
		if o == nil || err != nil {
			return nil, err
		}
		return []*unstructured.Unstructured{o}, nil
	}
	selector, err := labels.Parse(w.Selector)
	if err != nil {
		return nil, fmt.Errorf("reading the selector of %s: %w", w, err)
	}
	var list []*unstructured.Unstructured
	for _, o := range seen.Items {
		if o.GetNamespace() == w.Namespace && selector.Matches(labels.Set(o.GetLabels())) {
			list = append(list, o)
		}
	}
	if len(list) == 0 && seen.Note != "" {
		return nil, fmt.Errorf("looking for %s: %s", w, seen.Note)
	}
	return list, nil
}

// inspect judges a workload that exists.
func (j *judge) inspect(ctx context.Context, w Workload, o *unstructured.Unstructured) (finding, error) {
	f := finding{name: o.GetName()}
	r, err := rolloutOf(o)
	if err != nil {
		return f, err
	}
	pods, err := j.podsOf(ctx, w.Namespace, r.objectRef)
	if err != nil {
		return f, err
	}
	if f.trouble, f.detail = j.wrongImage(w, r, pods); f.trouble != fine {
		return f, nil
	}
	switch {
	case r.desired == 0 && w.Kind == "DaemonSet":
		f.trouble, f.detail = stopped, "is to run on no node"
	case r.desired == 0:
		f.trouble, f.detail = stopped, "is scaled to zero"
	case r.unseen:
		f.trouble, f.detail = unready, "was changed and its controller has not looked at it since"
	case r.stuck != "":
		f.trouble, f.detail = unready, "does not get on with its rollout: "+r.stuck+ailing(pods)
	case r.ready < r.enough(w):
		f.trouble, f.detail = unready, fmt.Sprintf("has %d of %d ready%s", r.ready, r.enough(w), ailing(pods))
	}
	if f.trouble == fine && w.EverySchedulableNode {
		f.trouble, f.detail, err = j.uncovered(ctx, pods)
	}
	if f.trouble == fine && err == nil {
		f.detail = fmt.Sprintf("%d of %d ready", r.ready, r.desired)
		if r.moving {
			f.detail += ", rollout in progress"
		}
		if w.Image != "" {
			f.detail += ", runs " + running(w, pods, j.mirrors)
		}
	}
	return f, err
}

// wrongImage looks at what is to run and then at what does: pods may be of an older or a patched template.
func (j *judge) wrongImage(w Workload, r rollout, pods []*Pod) (trouble, string) {
	if w.Image == "" {
		return fine, ""
	}
	var declared []string
	for _, c := range r.template.Spec.Containers {
		declared = append(declared, c.Image)
	}
	if !j.anyOf(w, declared) {
		return placeholder, fmt.Sprintf("is to run %s, not %s", enumerate(declared), w.Image)
	}
	var right int32
	for _, p := range pods {
		images := p.images()
		switch {
		case j.anyOf(w, images):
			right += int32(one(p.Ready))
		case !r.moving:
			return placeholder, fmt.Sprintf("pod %s runs %s, not %s", p.Name, enumerate(images), w.Image)
		}
	}
	if r.desired > 0 && r.ready > 0 && right == 0 {
		return placeholder, fmt.Sprintf("has no ready pod that runs %s", w.Image)
	}
	return fine, ""
}

func (j *judge) anyOf(w Workload, images []string) bool {
	return slices.ContainsFunc(images, func(image string) bool { return sameRepository(image, w.Image, j.mirrors) })
}

// images are the images of the containers that do the pod's work.
func (p *Pod) images() []string {
	var list []string
	for _, c := range p.Containers {
		if !c.Init {
			list = append(list, c.Image)
		}
	}
	return list
}

// running is the image by which the declaration is met.
func running(w Workload, pods []*Pod, mirrors mirrored) string {
	for _, p := range pods {
		for _, image := range p.images() {
			if sameRepository(image, w.Image, mirrors) {
				return image
			}
		}
	}
	return w.Image
}

// ailing names what is wrong with pods that are not ready, or nothing.
func ailing(pods []*Pod) string {
	var words []string
	for _, p := range pods {
		switch {
		case p.Ready:
		case p.Waiting != "":
			words = append(words, fmt.Sprintf("pod %s %s%s", p.Name, p.Waiting, restarts(p)))
		case p.Phase == corev1.PodPending && p.Node == "":
			words = append(words, fmt.Sprintf("pod %s has no node", p.Name))
		default:
			words = append(words, fmt.Sprintf("pod %s not ready on %s%s", p.Name, p.Node, restarts(p)))
		}
	}
	if len(words) == 0 {
		return ""
	}
	return ": " + enumerate(words)
}

func restarts(p *Pod) string {
	if p.Restarts == 0 {
		return ""
	}
	return fmt.Sprintf(" (%s)", plural(int(p.Restarts), "restart"))
}

// uncovered names the schedulable nodes on which no pod is ready.
func (j *judge) uncovered(ctx context.Context, pods []*Pod) (trouble, string, error) {
	if err := j.readNodes(ctx); err != nil {
		return fine, "", err
	}
	ready := map[string]bool{}
	for _, p := range pods {
		ready[p.Node] = ready[p.Node] || p.Ready
	}
	var bare []string
	for _, n := range j.nodes {
		if !ready[n.Name] {
			bare = append(bare, n.Name)
		}
	}
	if len(bare) == 0 {
		return fine, "", nil
	}
	return unready, fmt.Sprintf("is not ready on %s%s", enumerate(bare), ailing(pods)), nil
}

func (j *judge) list(ctx context.Context, w Workload) (probes.Seen[*unstructured.Unstructured], error) {
	key := w.Kind + "/" + w.Namespace
	if seen, ok := j.lists[key]; ok {
		return seen, nil
	}
	seen, err := j.cluster.List(ctx, w.resource(), w.Namespace)
	if err != nil {
		return seen, fmt.Errorf("listing %s in %s: %w", w.resource().Resource, w.Namespace, err)
	}
	j.lists[key] = seen
	j.seen(seen.Confirmed)
	return seen, nil
}

// podsOf returns the living pods of a workload.
func (j *judge) podsOf(ctx context.Context, namespace, workload string) ([]*Pod, error) {
	if j.pods[namespace] == nil {
		seen, err := j.cluster.Pods(ctx, namespace)
		if err != nil {
			return nil, fmt.Errorf("listing pods in %s: %w", namespace, err)
		}
		j.seen(seen.Confirmed)
		by := map[string][]*Pod{}
		for _, p := range seen.Items {
			if p.Namespace == namespace && !p.Deleting && !p.Finished() {
				kind, name := p.Workload()
				by[kind+"/"+name] = append(by[kind+"/"+name], p)
			}
		}
		j.pods[namespace] = by
	}
	return j.pods[namespace][workload], nil
}

// readNodes keeps the nodes that take pods without being asked to tolerate anything.
func (j *judge) readNodes(ctx context.Context) error {
	if j.nodes != nil {
		return nil
	}
	seen, err := j.cluster.Nodes(ctx)
	if err != nil {
		return fmt.Errorf("listing nodes: %w", err)
	}
	j.seen(seen.Confirmed)
	j.nodes = []*corev1.Node{}
	for _, n := range seen.Items {
		closed := n.Spec.Unschedulable || slices.ContainsFunc(n.Spec.Taints, func(t corev1.Taint) bool {
			return t.Effect == corev1.TaintEffectNoSchedule || t.Effect == corev1.TaintEffectNoExecute
		})
		if !closed {
			j.nodes = append(j.nodes, n)
		}
	}
	return nil
}

// seen remembers the oldest confirmation: an answer from several sources is as fresh as the stalest.
func (j *judge) seen(at time.Time) { j.confirmed = oldest(j.confirmed, at) }

// kinds are the kinds that a list of declarations reads, each once.
func kinds(list []Workload) []string {
	var all []string
	for _, w := range list {
		if k := strings.ToLower(w.Kind) + "s"; !slices.Contains(all, k) {
			all = append(all, k)
		}
	}
	return all
}
