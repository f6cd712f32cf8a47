package kube_test

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/kube"
	"github.com/254carbon/gonogo/probes/kube/kubefake"
)

// fixture is a small cluster, written as YAML, that tests change one thing of.
type fixture struct {
	t       *testing.T
	objects []object
}

func objectsOf(t *testing.T, text string) []object {
	t.Helper()
	var all []object
	for document := range strings.SplitSeq(text, "\n---\n") {
		var o object
		if err := yaml.Unmarshal([]byte(document), &o); err != nil {
			t.Fatalf("%v in:\n%s", err, document)
		}
		all = append(all, o)
	}
	return all
}

type change func(*fixture)

// edit changes the object of a kind and name.
func edit(kind, name string, edits ...func(object)) change {
	return func(f *fixture) {
		at := f.find(kind, name)
		for _, e := range edits {
			e(f.objects[at])
		}
	}
}

func (f *fixture) find(kind, name string) int {
	at := slices.IndexFunc(f.objects, func(o object) bool { return o["kind"] == kind && sub(o, "metadata")["name"] == name })
	if at < 0 {
		f.t.Fatalf("there is no %s %s", kind, name)
	}
	return at
}

func remove(kind, name string) change {
	return func(f *fixture) { at := f.find(kind, name); f.objects = slices.Delete(f.objects, at, at+1) }
}

func removeKind(kind string) change {
	return func(f *fixture) {
		f.objects = slices.DeleteFunc(f.objects, func(o object) bool { return o["kind"] == kind })
	}
}

func add(text string) change {
	return func(f *fixture) { f.objects = append(f.objects, objectsOf(f.t, text)...) }
}

// clusterOf is the fixture, changed.
func clusterOf(t *testing.T, text string, changes ...change) *kubefake.Cluster {
	t.Helper()
	f := &fixture{t, objectsOf(t, text)}
	for _, c := range changes {
		c(f)
	}
	return kubefake.New(f.objects...)
}

// at returns an element of a list within an object.
func at(o object, i int, path ...string) object {
	last := len(path) - 1
	list, _ := sub(o, path[:last]...)[path[last]].([]any)
	return list[i].(object)
}

func bindsIn(text string, p kube.BindsParams) func(changes ...change) func(*testing.T) probes.Probe {
	return func(changes ...change) func(*testing.T) probes.Probe {
		return func(t *testing.T) probes.Probe { return kube.NewBinds(clusterOf(t, text, changes...), p) }
	}
}
