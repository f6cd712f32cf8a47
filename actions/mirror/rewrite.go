package mirror

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/actions/kube"
	"github.com/254carbon/gonogo/probes"
)

// Change is what becomes of one container's image.
type Change struct {
	Container string `json:"container"`
	Init      bool   `json:"init,omitempty"`
	From      string `json:"from"`
	To        string `json:"to"`
}

// Rewrite is what becomes of one workload.
type Rewrite struct {
	Kind      string   `json:"kind"`
	Namespace string   `json:"namespace"`
	Name      string   `json:"name"`
	Changes   []Change `json:"changes"`
	Secrets   []string `json:"secrets,omitempty"` // pull secrets that it has already
}

func (r Rewrite) place() string { return r.Kind + " " + r.Namespace + "/" + r.Name }

// copied finds the copy of an image.
func (p *planner) copied(image string) (Copy, bool) {
	digest := digestOf(image)
	i := slices.IndexFunc(p.work.Copies, func(c Copy) bool {
		return full(c.Source) == full(image) && (digest == "" && !c.Exact || digest != "" && c.Digest == digest)
	})
	if i < 0 {
		return Copy{}, false
	}
	return p.work.Copies[i], true
}

// to is the name of a copy as a workload writes it: with the digest, if the workload had one.
func (p *planner) to(c Copy, image string) string {
	if _, digest, ok := strings.Cut(image, "@"); ok {
		return p.pull(c) + "@" + digest
	}
	return p.pull(c)
}

// rewrite plans what becomes of the workloads that pull from elsewhere what the mirror has.
func (p *planner) rewrite(all []Workload) error {
	var todo []Rewrite
	needs := map[string][]string{} // steps, by place of the rewrite
	spared := map[string][]string{}
	forced := list(p.in[inForce])
	for _, f := range forced {
		if !slices.ContainsFunc(all, func(w Workload) bool { return w.place() == f }) {
			return &actions.InputError{Name: inForce, Err: fmt.Errorf("there is no workload %s; write namespace/name", probes.Clean(f, 200))}
		}
	}
	for _, w := range all {
		r := Rewrite{Kind: w.Kind, Namespace: w.Namespace, Name: w.Name}
		var keys []string
		for _, c := range w.Containers {
			if hostOf(c.Image) == p.Params.Pull { // what is not applied again would be taken away
				r.Changes = append(r.Changes, Change{Container: c.Name, Init: c.Init, From: c.Image, To: c.Image})
			} else if copied, ok := p.copied(c.Image); ok {
				r.Changes = append(r.Changes, Change{Container: c.Name, Init: c.Init, From: c.Image, To: p.to(copied, c.Image)})
				keys = append(keys, copied.Key)
			}
		}
		if len(keys) == 0 {
			continue
		}
		if why := cmp.Or(p.spared(w, forced), p.byArgo(w, forced)); why != "" {
			spared[why] = append(spared[why], w.Kind+" "+w.place())
			continue
		}
		r.Secrets = pullSecretsOf(templateOf(w.Kind, w.object))
		for _, k := range sorted(keys) {
			if !p.there[k] {
				needs[r.place()] = append(needs[r.place()], key("copy", k))
			}
		}
		todo = append(todo, r)
	}
	for _, why := range slices.Sorted(maps.Keys(spared)) {
		p.note("Left as they are, because %s: %s", why, strings.Join(spared[why], ", "))
	}
	switch {
	case len(todo) == 0:
		return nil
	case !p.in.Switch(inApply):
		return p.patches(todo)
	}
	return p.apply(todo, needs)
}

func pullSecretsOf(spec map[string]any) []string {
	items, _, _ := unstructured.NestedSlice(spec, "imagePullSecrets")
	var names []string
	for _, item := range items {
		if m, ok := item.(map[string]any); ok {
			if name, _ := m["name"].(string); name != "" {
				names = append(names, name)
			}
		}
	}
	return names
}

// apply plans the change of the cluster: pull secrets, a pull that is tried on every node, and the workloads one after the other.
func (p *planner) apply(todo []Rewrite, needs map[string][]string) error {
	namespaces := map[string]bool{p.Canary: true}
	for _, r := range todo {
		namespaces[r.Namespace] = true
	}
	p.work.Namespace = slices.Sorted(maps.Keys(namespaces))
	for _, namespace := range p.work.Namespace {
		fine, err := p.pullable(p.ctx, namespace)
		if err != nil {
			return fmt.Errorf("looking at the pull secret of %s: %w", namespace, err)
		}
		if fine && len(p.base) == 0 {
			continue
		}
		data, err := json.Marshal(namespace)
		if err != nil {
			return err
		}
		p.step(actions.Step{
			ID: key("pull-secret", namespace), Title: "Write the pull secret of " + namespace, Target: "Secret " + namespace + "/" + p.PullSecret, Effect: actions.Updates,
			Needs: slices.Clone(p.base), Data: data,
		})
	}
	canary, err := p.canary(todo, needs)
	if err != nil {
		return err
	}
	for _, r := range todo {
		data, err := json.Marshal(r)
		if err != nil {
			return err
		}
		needed := append(slices.Clone(needs[r.place()]), "canary")
		if _, ok := p.plan.Step(key("pull-secret", r.Namespace)); ok {
			needed = append(needed, key("pull-secret", r.Namespace))
		}
		p.step(actions.Step{
			ID: key("rewrite", r.place()), Title: "Point " + r.place() + " to the mirror", Target: r.place(), Effect: actions.Updates, Needs: needed, Detail: r.lines(), Data: data,
		})
	}
	p.step(canary)
	return nil
}

// lines are the changes for people.
func (r Rewrite) lines() []string {
	var all []string
	for _, c := range r.Changes {
		if c.From != c.To {
			all = append(all, fmt.Sprintf("%s: %s → %s", c.Container, c.From, c.To))
		}
	}
	return all
}

// object is what is applied: the images, and the pull secret, and nothing else.
func (r Rewrite) object(pullSecret string, to func(Change) string) *unstructured.Unstructured {
	spec := map[string]any{}
	for _, part := range in {
		var items []any
		for _, c := range r.Changes {
			if c.Init == part.init {
				items = append(items, map[string]any{"name": c.Container, "image": to(c)})
			}
		}
		if items != nil {
			spec[part.field] = items
		}
	}
	if pullSecret != "" {
		spec["imagePullSecrets"] = []any{map[string]any{"name": pullSecret}}
	}
	o := &unstructured.Unstructured{Object: map[string]any{}}
	for _, k := range kinds {
		if k.kind == r.Kind {
			o.SetAPIVersion(k.resource.GroupVersion().String())
			_ = unstructured.SetNestedMap(o.Object, spec, append(slices.Clone(k.template), "spec")...) // maps and texts alone
		}
	}
	o.SetKind(r.Kind)
	o.SetNamespace(r.Namespace)
	o.SetName(r.Name)
	return o
}

// rewritten reports whether a workload has the images of a rewrite.
func (r Rewrite) rewritten(o *unstructured.Unstructured, pullSecret string) bool {
	spec := templateOf(r.Kind, o)
	now := containersOf(spec)
	for _, c := range r.Changes {
		if !slices.Contains(now, Container{Name: c.Container, Image: c.To, Init: c.Init}) {
			return false
		}
	}
	return slices.Contains(pullSecretsOf(spec), pullSecret)
}

// rights asks what the plan needs and the credential may not.
func (p *planner) rights() error {
	wanted := map[kube.Right]bool{}
	want := func(verb string, resource schema.GroupVersionResource, namespace string) {
		wanted[kube.Right{Verb: verb, Resource: resource.GroupResource(), Namespace: namespace}] = true
	}
	for _, s := range p.plan.Steps {
		switch kind, rest, _ := strings.Cut(s.ID, " "); kind {
		case "robot":
			if p.Params.Folder != "" {
				continue
			}
			namespace, _ := p.secretPlace()
			want("patch", secrets, namespace)
			want("get", secrets, namespace)
		case "pull-secret":
			want("patch", secrets, rest)
		case "canary":
			want("list", nodes, "")
			for _, verb := range []string{"create", "get", "list", "delete"} {
				want(verb, pods, p.Canary)
			}
		case "rewrite":
			var r Rewrite
			if err := json.Unmarshal(s.Data, &r); err != nil {
				return err
			}
			want("patch", resourceOf(r.Kind), r.Namespace)
		}
	}
	rights := slices.SortedFunc(maps.Keys(wanted), func(a, b kube.Right) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	missing, err := kube.Missing(p.ctx, p.Cluster, rights...)
	p.plan.Missing = append(p.plan.Missing, missing...)
	return err
}
