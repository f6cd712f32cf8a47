// Package apply puts named manifests into the cluster by server-side apply: of each object the fields that the manifest names and no others,
// after the API server has said what would come of it. What would do harm is refused with the reason.
package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/actions"
)

// Params are the parameters of the kind apply.
type Params struct {
	Files     []string         `yaml:"files,omitempty" jsonschema:"description=manifests of the checkout\\, as patterns such as k8s/autoscaling/*.yaml"`
	Objects   []map[string]any `yaml:"objects,omitempty" jsonschema:"description=objects that stand in the profile itself"`
	Namespace string           `yaml:"namespace,omitempty" jsonschema:"description=of objects that name none"`
	Patience  time.Duration    `yaml:"patience,omitempty" jsonschema:"description=how long an autoscaler may take until it has metrics"`
}

// Validate reports what is wrong with the parameters.
func (p *Params) Validate() error {
	if p.Patience <= 0 {
		return errors.New("patience must be longer than nothing")
	}
	for _, pattern := range p.Files {
		if err := checkPattern(pattern); err != nil {
			return fmt.Errorf("files: %w", err)
		}
	}
	for i, o := range p.Objects {
		if o["kind"] == "Secret" {
			return fmt.Errorf("objects: number %d is a Secret: a profile holds none, so let its manifest stand elsewhere (files), or make it by hand", i+1)
		}
		if _, err := whole(&unstructured.Unstructured{Object: o}); err != nil {
			return fmt.Errorf("objects: number %d: %w", i+1, err)
		}
	}
	return nil
}

const inputFiles = "files"

// Info describes the kind.
func Info() actions.KindInfo {
	return actions.KindInfo{
		Name:   "apply",
		About:  "Applies named manifests on the API server's side: the fields that they name and no others, after a dry run that shows what changes.",
		Params: func() any { return &Params{Patience: 3 * time.Minute} },
	}
}

// Cluster is what the action needs of Kubernetes. Get returns nil for what is not there. DryApply keeps nothing.
type Cluster interface {
	Get(ctx context.Context, resource schema.GroupVersionResource, namespace, name string) (*unstructured.Unstructured, error)
	Apply(ctx context.Context, resource schema.GroupVersionResource, o *unstructured.Unstructured, manager string) (*unstructured.Unstructured, error)
	DryApply(ctx context.Context, resource schema.GroupVersionResource, o *unstructured.Unstructured, manager string) (*unstructured.Unstructured, error)
	Resource(ctx context.Context, kind schema.GroupVersionKind) (r schema.GroupVersionResource, namespaced, found bool, err error)
	CanI(ctx context.Context, verb, group, resource, subresource, namespace, name string) (allowed bool, why string, err error)
}

// Deps are what the action needs of the platform.
type Deps struct {
	Cluster  Cluster
	Folder   func() (string, error) // of the checkout; nil if there is none
	ReadOnly bool                   // the API server cannot be asked to try
	// Pause waits between two looks; nil for a pause on the machine's clock.
	Pause func(ctx context.Context, d time.Duration) error
}

// New returns the action.
func New(spec actions.Spec, p Params, d Deps) actions.Action {
	if d.Pause == nil {
		d.Pause = actions.Pause
	}
	spec.Inputs = []actions.Input{{Name: inputFiles, Title: "Manifests", About: "patterns in the checkout, by commas", Default: strings.Join(p.Files, ",")}}
	return action{spec: spec, Params: p, Deps: d}
}

type action struct {
	Params
	Deps
	spec actions.Spec
}

// Spec implements [actions.Action].
func (a action) Spec() actions.Spec { return a.spec }

// manager is who the API server notes for the fields that are applied.
const manager = "gonogo"

// named names an object for people.
func named(o *unstructured.Unstructured) string {
	text := o.GetKind() + " " + o.GetName()
	if ns := o.GetNamespace(); ns != "" {
		text = o.GetKind() + " " + ns + "/" + o.GetName()
	}
	return text
}

// before orders objects as they depend on each other: what others stand in or refer to goes first.
func before(o *unstructured.Unstructured) int {
	order := []string{"Namespace", "CustomResourceDefinition", "PriorityClass", "StorageClass", "ServiceAccount", "Secret", "ConfigMap", "ResourceQuota", "LimitRange"}
	if i := slices.Index(order, o.GetKind()); i >= 0 {
		return i
	}
	return len(order)
}
