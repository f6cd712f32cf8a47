package mirror

import (
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/probes"
)

var applications = schema.GroupVersionResource{Group: "argoproj.io", Version: "v1alpha1", Resource: "applications"}

// argo is what the Applications of a cluster say that they manage. Argo CD need not mark the objects themselves in a way of its own.
type argo struct {
	asked bool
	of    map[string]string // the Application, by kind and place
	err   error             // why it is not known
}

// byArgo says that an Application manages a workload, or that this cannot be ruled out, or nothing.
func (p *planner) byArgo(w Workload, forced []string) string {
	if slices.Contains(forced, w.place()) {
		return ""
	}
	if !p.argo.asked {
		p.argo = p.askArgo()
	}
	switch app := p.argo.of[w.Kind+" "+w.place()]; {
	case app != "":
		return "Argo CD manages it: change its source"
	case p.argo.err != nil && w.object.GetLabels()["app.kubernetes.io/instance"] != "":
		return fmt.Sprintf("it may be Argo CD's, which cannot be seen (%s)", probes.Clean(p.argo.err.Error(), 200))
	}
	return ""
}

func (p *planner) askArgo() argo {
	a := argo{asked: true, of: map[string]string{}}
	all, err := p.Cluster.List(p.ctx, applications, "")
	if apierrors.IsNotFound(err) {
		return a // there is no Argo CD
	}
	a.err = err
	for _, o := range all {
		resources, _, _ := unstructured.NestedSlice(o.Object, "status", "resources")
		for _, item := range resources {
			m, _ := item.(map[string]any)
			a.of[fmt.Sprintf("%v %v/%v", m["kind"], m["namespace"], m["name"])] = o.GetName()
		}
	}
	return a
}
