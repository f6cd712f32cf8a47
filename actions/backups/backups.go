// Package backups mends how a platform is backed up: it gives Velero the schedules that the profile declares, and takes them out of their
// pause.
package backups

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/robfig/cron/v3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/actions"
)

// Params are the parameters of the kind backup-schedule.
type Params struct {
	Namespace string        `yaml:"namespace,omitempty" jsonschema:"description=namespace of the installation of Velero"`
	Schedules []Schedule    `yaml:"schedules" jsonschema:"required,minItems=1,description=the schedules that there must be"`
	Patience  time.Duration `yaml:"patience,omitempty" jsonschema:"description=how long Velero may take to accept a schedule"`
}

// Schedule is one that there must be. What it does not say of a schedule that is there already stays as it is.
type Schedule struct {
	Name       string            `yaml:"name" json:"name"`
	Cron       string            `yaml:"cron" json:"cron" jsonschema:"description=when it runs: five fields\\, as Velero reads them"`
	TTL        time.Duration     `yaml:"ttl,omitempty" json:"ttl,omitempty" jsonschema:"description=how long its backups are kept"`
	Namespaces []string          `yaml:"namespaces" json:"namespaces" jsonschema:"description=what it backs up"`
	Labels     map[string]string `yaml:"labels,omitempty" json:"labels,omitempty" jsonschema:"description=only objects with these labels"`
	Location   string            `yaml:"location,omitempty" json:"location,omitempty" jsonschema:"description=storage location; empty for the default one"`
	Volumes    *bool             `yaml:"snapshotVolumes,omitempty" json:"volumes,omitempty" jsonschema:"description=whether volumes are backed up by snapshots"`
}

var objectName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?$`)

// Validate reports what is wrong with the parameters.
func (p *Params) Validate() error {
	switch {
	case !objectName.MatchString(p.Namespace):
		return fmt.Errorf("namespace %q is not the name of a namespace", p.Namespace)
	case len(p.Schedules) == 0:
		return errors.New("schedules must name at least one schedule")
	case p.Patience <= 0:
		return errors.New("patience must be longer than nothing")
	}
	seen := map[string]bool{}
	for _, s := range p.Schedules {
		switch {
		case !objectName.MatchString(s.Name):
			return fmt.Errorf("%q is not the name of a schedule", s.Name)
		case seen[s.Name]:
			return fmt.Errorf("schedule %s is declared twice", s.Name)
		case len(s.Namespaces) == 0:
			return fmt.Errorf("schedule %s names no namespaces: write [\"*\"] for all", s.Name)
		case s.TTL < 0:
			return fmt.Errorf("ttl of schedule %s must not be negative", s.Name)
		}
		if _, err := cron.ParseStandard(s.Cron); err != nil {
			return fmt.Errorf("cron of schedule %s: %w", s.Name, err)
		}
		seen[s.Name] = true
	}
	return nil
}

// Info describes the kind.
func Info() actions.KindInfo {
	return actions.KindInfo{
		Name:   "backup-schedule",
		About:  "Creates the backup schedules that the profile declares, unpauses them, and takes back what was changed about them.",
		Params: func() any { return &Params{Namespace: "velero", Patience: 2 * time.Minute} },
	}
}

// Cluster is what the action needs of Kubernetes. Get returns nil for what is not there.
type Cluster interface {
	List(ctx context.Context, resource schema.GroupVersionResource, namespace string) ([]*unstructured.Unstructured, error)
	Get(ctx context.Context, resource schema.GroupVersionResource, namespace, name string) (*unstructured.Unstructured, error)
	Apply(ctx context.Context, resource schema.GroupVersionResource, o *unstructured.Unstructured, manager string) (*unstructured.Unstructured, error)
	CanI(ctx context.Context, verb, group, resource, subresource, namespace, name string) (allowed bool, why string, err error)
}

// Deps are what the action needs of the platform.
type Deps struct {
	Cluster Cluster
	// Pause waits between two looks at what Velero makes of a schedule; nil for a pause on the machine's clock.
	Pause func(ctx context.Context, d time.Duration) error
}

// New returns the action.
func New(spec actions.Spec, p Params, d Deps) actions.Action {
	if d.Pause == nil {
		d.Pause = actions.Pause
	}
	return action{spec: spec, Params: p, Deps: d}
}

type action struct {
	Params
	Deps
	spec actions.Spec
}

// Spec implements [actions.Action].
func (a action) Spec() actions.Spec { return a.spec }

var (
	schedules = schema.GroupVersionResource{Group: "velero.io", Version: "v1", Resource: "schedules"}
	locations = schema.GroupVersionResource{Group: "velero.io", Version: "v1", Resource: "backupstoragelocations"}
)

// same reports whether two lists hold the same texts, in any order.
func same(a, b []string) bool {
	return slices.Equal(slices.Compact(slices.Sorted(slices.Values(a))), slices.Compact(slices.Sorted(slices.Values(b))))
}
