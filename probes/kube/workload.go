package kube

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Workload is a workload as it is declared to be. It must exist, be rolled out, have a replica, be ready, and its pods must run the
// declared image.
type Workload struct {
	Kind                 string `yaml:"kind" jsonschema:"description=what controls its pods,enum=Deployment,enum=StatefulSet,enum=DaemonSet"`
	Namespace            string `yaml:"namespace" jsonschema:"description=the namespace it is in"`
	Name                 string `yaml:"name,omitempty" jsonschema:"description=its name; or use selector"`
	Selector             string `yaml:"selector,omitempty" jsonschema:"description=label selector that finds it where names differ between installations"`
	Image                string `yaml:"image,omitempty" jsonschema:"description=repository of the image that its pods must run, without tag; empty for any"`
	EverySchedulableNode bool   `yaml:"everySchedulableNode,omitempty" jsonschema:"description=whether it must be ready on every node that takes pods"`
	MinReady             int32  `yaml:"minReady,omitempty" jsonschema:"description=how many pods must be ready; 0 for all that it wants and during a rollout for all that the rollout may not take away,minimum=0"`
}

// String names the workload for people.
func (w Workload) String() string {
	if w.Name == "" {
		return fmt.Sprintf("%s %s (%s)", strings.ToLower(w.Kind), w.Namespace, w.Selector)
	}
	return fmt.Sprintf("%s %s/%s", strings.ToLower(w.Kind), w.Namespace, w.Name)
}

// Validate reports what is wrong with the declaration.
func (w Workload) Validate() error {
	switch w.Kind {
	case "Deployment", "StatefulSet", "DaemonSet":
	default:
		return fmt.Errorf("kind must be Deployment, StatefulSet or DaemonSet, not %q", w.Kind)
	}
	switch {
	case w.Namespace == "":
		return fmt.Errorf("%s has no namespace", w)
	case (w.Name == "") == (w.Selector == ""):
		return fmt.Errorf("a workload in %s needs either a name or a selector", w.Namespace)
	case w.MinReady < 0:
		return fmt.Errorf("%s: minReady must not be negative", w)
	case w.EverySchedulableNode && w.Kind != "DaemonSet":
		return fmt.Errorf("%s: everySchedulableNode is for a DaemonSet", w)
	}
	if w.Selector != "" {
		if _, err := labels.Parse(w.Selector); err != nil {
			return fmt.Errorf("%s: selector: %w", w, err)
		}
	}
	if err := validRepository(w.Image); err != nil {
		return fmt.Errorf("%s: %w", w, err)
	}
	return nil
}

func (w Workload) resource() schema.GroupVersionResource {
	return appsResource(strings.ToLower(w.Kind) + "s")
}

func (w Workload) wanted() string {
	want := "exists, rolled out, ready"
	if w.EverySchedulableNode {
		want += " on every schedulable node"
	}
	if w.MinReady > 0 {
		want += fmt.Sprintf(" with at least %d", w.MinReady)
	}
	if w.Image != "" {
		want += ", runs " + w.Image
	}
	return want
}

// trouble is the kind of thing that is wrong with a workload.
type trouble string

const (
	fine        trouble = ""
	gone        trouble = "gone"
	stopped     trouble = "scaled to zero"
	unready     trouble = "not ready"
	placeholder trouble = "not what was declared"
)

// finding is what one declared workload amounts to. Detail says it in words that follow the workload's name.
type finding struct {
	trouble trouble
	name    string
	detail  string
}

// validWorkloads checks a list of declarations and the mirrors that go with them.
func validWorkloads(list []Workload, mirrors []string) error {
	for _, w := range list {
		if err := w.Validate(); err != nil {
			return err
		}
	}
	for _, m := range mirrors {
		if host, _, _ := strings.Cut(m, "/"); host == "" || host == "*" || strings.Contains(m, "://") {
			return fmt.Errorf("mirror %q must begin with a registry's host, as in harbor.example.com/project", m)
		}
	}
	return nil
}
