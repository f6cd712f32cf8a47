// Package mirror takes a platform off the registries of others: it copies the images that the platform uses to its own Harbor, locked to their
// digests, makes sure of the project, the robot account and the pull secrets that this needs, and points workloads to the copies, as patch
// files or in the cluster, one at a time, taking back what does not become ready.
package mirror

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/harbor"
)

// Params are the parameters of the kind mirror. The images and exemptions are those that the profile declares at its top.
type Params struct {
	Project    string        `yaml:"project" jsonschema:"required,minLength=1,description=Harbor project that takes the images"`
	Push       string        `yaml:"push,omitempty" jsonschema:"description=host that images are pushed to\\, if it is not Harbor's own: a way around a proxy that refuses large bodies"`
	Pull       string        `yaml:"pull,omitempty" jsonschema:"description=host that workloads pull from\\, if the nodes know the registry by another name than gonogo; localhost in it is the node itself"`
	Robot      string        `yaml:"robot,omitempty" jsonschema:"description=name of the robot account within the project"`
	Days       int           `yaml:"days,omitempty" jsonschema:"minimum=15,description=days that a new robot account lasts"`
	Credential string        `yaml:"credential,omitempty" jsonschema:"description=namespace/name of the Kubernetes Secret that keeps the robot's username and password"`
	Folder     string        `yaml:"folder,omitempty" jsonschema:"description=folder of this machine that keeps them instead\\, in two files that nobody else can read: username and password"`
	Name       string        `yaml:"name,omitempty" jsonschema:"description=name within the project of images that the profile does not list\\, made of {host} and {repository}"`
	PullSecret string        `yaml:"pullSecret,omitempty" jsonschema:"description=name of the pull secret in each namespace"`
	Quota      int64         `yaml:"quota,omitempty" jsonschema:"description=bytes that a new project may store; -1 for no limit"`
	Origins    []string      `yaml:"origins,omitempty" jsonschema:"description=registries whose images are mirrored also where the profile does not list them"`
	Protect    []string      `yaml:"protect,omitempty" jsonschema:"description=namespaces whose workloads are left as they are unless forced: what the registry itself needs to start"`
	Parallel   int           `yaml:"parallel,omitempty" jsonschema:"minimum=1,maximum=16,description=images copied at once"`
	Rollout    time.Duration `yaml:"rollout,omitempty" jsonschema:"description=how long a workload may take to become ready before it is taken back"`
	Canary     string        `yaml:"canary,omitempty" jsonschema:"description=namespace of the pods that try a pull on every node"`

	Declared probes.Declared `yaml:"-"`
}

// Declare takes over the images and exemptions of the profile.
func (p *Params) Declare(d probes.Declared) { p.Declared = d }

var (
	projectName = regexp.MustCompile(`^[a-z0-9]+(?:[._-][a-z0-9]+)*$`)
	objectName  = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)
	pathName    = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?/[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)
)

// Validate reports what is wrong with the parameters.
func (p *Params) Validate() error {
	switch {
	case !projectName.MatchString(p.Project):
		return fmt.Errorf("project %q is not the name of a Harbor project", p.Project)
	case !projectName.MatchString(p.Robot):
		return fmt.Errorf("robot %q is not the name of a robot account", p.Robot)
	case (p.Credential == "") == (p.Folder == ""):
		return errors.New("credential names a Secret, or folder a folder of this machine: one of the two")
	case p.Credential != "" && !pathName.MatchString(p.Credential):
		return fmt.Errorf("credential %q is not namespace/name of a Secret", p.Credential)
	case p.Folder != "" && !filepath.IsAbs(p.Folder):
		return fmt.Errorf("folder %q is no absolute path", p.Folder)
	case !strings.Contains(p.Name, "{repository}"):
		return fmt.Errorf("name %q lacks {repository}, without which images share a name", p.Name)
	case strings.Contains(p.Push, "/"):
		return fmt.Errorf("push %q is not a host: write no scheme and no path", p.Push)
	case !objectName.MatchString(p.PullSecret):
		return fmt.Errorf("pullSecret %q is not the name of a Secret", p.PullSecret)
	case strings.Contains(p.Pull, "/"):
		return fmt.Errorf("pull %q is not a host: write no scheme and no path", p.Pull)
	case p.Days < 15:
		return errors.New("days must be at least 15")
	case p.Rollout <= 0:
		return errors.New("rollout must be longer than nothing")
	}
	return nil
}

// Info describes the kind.
func Info() actions.KindInfo {
	return actions.KindInfo{
		Name:  "mirror",
		About: "Copies the platform's images to its own Harbor, locked to their digests, and points workloads to the copies.",
		Key:   "m",
		Params: func() any {
			return &Params{
				Robot: "mirror", Days: 365, PullSecret: "harbor-credentials", Quota: -1, Origins: []string{"docker.io"}, Parallel: 8, Rollout: 5 * time.Minute,
				Canary: "default", Name: "{host}/{repository}",
				Protect: []string{
					"kube-system", "kube-flannel", "calico-system", "tigera-operator", "cilium", "ingress-nginx", "cert-manager", "cloudflare-tunnel", "registry", "harbor",
					"local-path-storage", "local-storage", "storage", "openebs", "longhorn-system", "rook-ceph", "velero", "istio-system", "kyverno",
				},
			}
		},
	}
}

// Inputs of the action.
const (
	inApply     = "apply"
	inFolder    = "folder"
	inPlatforms = "platforms"
	inReferrers = "referrers"
	inForce     = "force"
	inManifests = "manifests"
)

// With fills in what every action of this kind asks a person.
func With(s actions.Spec) actions.Spec {
	yesNo := []string{"false", "true"}
	s.Inputs = []actions.Input{
		{Name: inApply, Title: "Point workloads to the copies", About: "true changes the cluster, one workload at a time; false writes patch files", Default: "false", Options: yesNo},
		{Name: inFolder, Title: "Folder for patch files", About: "where they are written when the cluster is left as it is; empty for gonogo's own"},
		{Name: inPlatforms, Title: "Platforms", About: "such as linux/amd64,linux/arm64; empty keeps all, and with them the digests"},
		{Name: inReferrers, Title: "Copy signatures and SBOMs too", Default: "false", Options: yesNo},
		{Name: inManifests, Title: "Folder with manifests", About: "whose images are mirrored too, although they do not run yet"},
		{Name: inForce, Title: "Force these workloads", About: "namespace/name,… of workloads that are otherwise left as they are"},
	}
	return s
}

// Cluster is what the action needs of Kubernetes. Get returns nil for what is not there.
type Cluster interface {
	List(ctx context.Context, resource schema.GroupVersionResource, namespace string) ([]*unstructured.Unstructured, error)
	Get(ctx context.Context, resource schema.GroupVersionResource, namespace, name string) (*unstructured.Unstructured, error)
	Apply(ctx context.Context, resource schema.GroupVersionResource, o *unstructured.Unstructured, manager string) (*unstructured.Unstructured, error)
	Create(ctx context.Context, resource schema.GroupVersionResource, o *unstructured.Unstructured) (*unstructured.Unstructured, error)
	Delete(ctx context.Context, resource schema.GroupVersionResource, namespace, name string) error
	CanI(ctx context.Context, verb, group, resource, subresource, namespace, name string) (allowed bool, why string, err error)
}

// Admin changes Harbor with the credential of the actions.
type Admin interface {
	// Known reports whether there is such a credential; its error says why not.
	Known(ctx context.Context) error
	CreateProject(ctx context.Context, name string, quota int64) error
	// FindRobot looks a robot account of a project up by its full name; an id of 0 is none.
	FindRobot(ctx context.Context, project, login string) (id int64, robot harbor.Robot, err error)
	// CreateRobot makes a robot account that may push and pull. taken is true if there is one of that name already.
	CreateRobot(ctx context.Context, project, name string, days int) (login, secret string, taken bool, err error)
	// RefreshRobot gives a robot account a new secret.
	RefreshRobot(ctx context.Context, id int64) (secret string, err error)
	DeleteRobot(ctx context.Context, id int64) error
}

// Deps are what the action needs of the platform.
type Deps struct {
	Cluster  Cluster
	Projects harbor.Projects
	Quotas   harbor.Quotas
	Logins   harbor.Logins
	Admin    Admin
	// Host is Harbor's own, for pushing.
	Host string
	// Copier returns one that remembers in a folder; credential says how it logs in at a host, nil for gonogo's own reading credential.
	Copier func(folder, host string, credential func(ctx context.Context) (username, password string, err error)) (Copier, error)
	// Hide keeps a secret off every screen from now on.
	Hide    func(secret string)
	Patches string // folder for patch files, if the person names none
	Now     func() time.Time
	// Pause waits between two looks at a rollout.
	Pause func(ctx context.Context, d time.Duration) error
}

// New returns the action.
func New(spec actions.Spec, p Params, d Deps) actions.Action {
	if p.Pull == "" {
		p.Pull = d.Host
	}
	if p.Push == "" {
		p.Push = d.Host
	}
	if d.Pause == nil {
		d.Pause = actions.Pause
	}
	return action{spec: With(spec), Params: p, Deps: d}
}

type action struct {
	Params
	Deps
	spec actions.Spec
}

// Spec implements [actions.Action].
func (a action) Spec() actions.Spec { return a.spec }

// secretPlace is the namespace and name of the Secret with the robot's credential.
func (a action) secretPlace() (namespace, name string) {
	namespace, name, _ = strings.Cut(a.Params.Credential, "/")
	return namespace, name
}

// login is the full name of the robot account.
func (a action) login() string { return "robot$" + a.Project + "+" + a.Robot }

// push is where a copy is written, and pull where workloads read it.
func (a action) push(c Copy) string {
	return a.Params.Push + "/" + a.Project + "/" + c.Name + ":" + c.Tag
}
func (a action) pull(c Copy) string {
	return a.Params.Pull + "/" + a.Project + "/" + c.Name + ":" + c.Tag
}

// list takes a comma-separated input apart.
func list(text string) []string {
	var all []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			all = append(all, part)
		}
	}
	return all
}

// patchFolder is where patch files go.
func (a action) patchFolder(in actions.Inputs) string {
	if in[inFolder] != "" {
		return in[inFolder]
	}
	return a.Patches
}

// key makes the ID of a step.
func key(words ...string) string { return strings.Join(words, " ") }

// sorted returns a sorted copy without doubles.
func sorted(texts []string) []string { return slices.Compact(slices.Sorted(slices.Values(texts))) }
