// Package join makes what a machine needs to become a node of a cluster that kubeadm made: a bootstrap token that ends by itself, and the
// line to run, in a file that nobody else can read. The token is shown nowhere.
package join

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/actions"
)

// Params are the parameters of the kind join-command.
type Params struct {
	Lasts time.Duration `yaml:"lasts,omitempty" jsonschema:"description=how long a token can be used to join"`
}

// Validate reports what is wrong with the parameters.
func (p *Params) Validate() error {
	if p.Lasts < 10*time.Minute || p.Lasts > 24*time.Hour {
		return fmt.Errorf("lasts must be between 10m and 24h, not %s", p.Lasts)
	}
	return nil
}

// Info describes the kind.
func Info() actions.KindInfo {
	return actions.KindInfo{
		Name:   "join-command",
		About:  "Makes a bootstrap token that ends by itself and writes the kubeadm join line to a file that nobody else can read; revoke=true takes both away.",
		Params: func() any { return &Params{Lasts: time.Hour} },
	}
}

// Inputs of the action.
const (
	inRevoke = "revoke"
	inFile   = "file"
)

// Cluster is what the action needs of Kubernetes. Get returns nil for what is not there.
type Cluster interface {
	List(ctx context.Context, resource schema.GroupVersionResource, namespace string) ([]*unstructured.Unstructured, error)
	Get(ctx context.Context, resource schema.GroupVersionResource, namespace, name string) (*unstructured.Unstructured, error)
	Create(ctx context.Context, resource schema.GroupVersionResource, o *unstructured.Unstructured) (*unstructured.Unstructured, error)
	Delete(ctx context.Context, resource schema.GroupVersionResource, namespace, name string) error
	CanI(ctx context.Context, verb, group, resource, subresource, namespace, name string) (allowed bool, why string, err error)
}

// Deps are what the action needs of the platform.
type Deps struct {
	Cluster Cluster
	// Hide keeps a secret off every screen from now on.
	Hide func(secret string)
	// Folder takes the file, if the person names none; empty for nowhere.
	Folder string
	Now    func() time.Time
}

// New returns the action.
func New(spec actions.Spec, p Params, d Deps) actions.Action {
	spec.Inputs = []actions.Input{
		{Name: inRevoke, Title: "Revoke", About: "true takes the token and the file away again", Default: "false", Options: []string{"false", "true"}},
		{Name: inFile, Title: "File for the line", About: "an absolute path; empty for gonogo's own folder"},
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

// file is where the line is written.
func (a action) file(in actions.Inputs) (string, error) {
	switch path := in[inFile]; {
	case path == "" && a.Folder == "":
		return "", &actions.InputError{Name: inFile, Err: errors.New("there is no folder for it: name one, /…")}
	case path == "":
		return filepath.Join(a.Folder, "kubeadm-join.sh"), nil
	case !filepath.IsAbs(path):
		return "", &actions.InputError{Name: inFile, Err: fmt.Errorf("%q is no absolute path", path)}
	default:
		return filepath.Clean(path), nil
	}
}

var (
	nodes      = schema.GroupVersionResource{Version: "v1", Resource: "nodes"}
	secrets    = schema.GroupVersionResource{Version: "v1", Resource: "secrets"}
	configMaps = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
)

const system = "kube-system"
