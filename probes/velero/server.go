package velero

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/probes"
)

// ServerParams are the parameters of the kind velero.server.
type ServerParams struct {
	Namespace    string   `yaml:"namespace,omitempty" jsonschema:"description=namespace of the installation"`
	Deployment   string   `yaml:"deployment,omitempty" jsonschema:"description=name of the server's Deployment"`
	Image        string   `yaml:"image,omitempty" jsonschema:"description=last part of the repository that the server's image comes from"`
	ClusterRoles []string `yaml:"clusterRoles,omitempty" jsonschema:"description=cluster roles that give the server enough rights"`
	NodeAgent    string   `yaml:"nodeAgent,omitempty" jsonschema:"description=whether node agents are needed: auto looks at how volumes are backed up,enum=auto,enum=required,enum=off"`
	DaemonSet    string   `yaml:"daemonSet,omitempty" jsonschema:"description=name of the node agents' DaemonSet"`
}

// Validate reports what is wrong with the parameters.
func (p *ServerParams) Validate() error {
	switch {
	case p.Namespace == "" || p.Deployment == "" || p.DaemonSet == "" || p.Image == "":
		return fmt.Errorf("namespace, deployment, daemonSet and image must not be empty")
	case len(p.ClusterRoles) == 0:
		return fmt.Errorf("clusterRoles must name at least one role")
	case !slices.Contains([]string{"auto", "required", "off"}, p.NodeAgent):
		return fmt.Errorf("nodeAgent must be auto, required or off, not %q", p.NodeAgent)
	}
	return nil
}

// ServerInfo describes the kind velero.server.
func ServerInfo() probes.KindInfo {
	return probes.KindInfo{
		Name: "velero.server",
		About: "Looks whether Velero's server is ready, runs Velero's image under a service account with the rights it needs, and has node agents where " +
			"volumes are backed up through them, from the objects.",
		Connection: Connection, OnChange: true, Every: time.Minute, Timeout: 10 * time.Second, Confirm: 2,
		Params: func() any {
			return &ServerParams{
				Namespace: DefaultNamespace, Deployment: "velero", Image: "velero", ClusterRoles: []string{"cluster-admin", "velero"},
				NodeAgent: "auto", DaemonSet: "node-agent",
			}
		},
	}
}

// NewServer returns a probe of the kind velero.server. Parameters must be valid.
func NewServer(objects Objects, p ServerParams) probes.Probe {
	return serverProbe{objects: objects, params: p}
}

type serverProbe struct {
	objects Objects
	params  ServerParams
}

var _ probes.Watching = serverProbe{}

func appsResource(plural string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: plural}
}

func accountsResource() schema.GroupVersionResource {
	return schema.GroupVersionResource{Version: "v1", Resource: "serviceaccounts"}
}

func rbacResource(plural string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: plural}
}

func (p serverProbe) Watch(wake func()) func() {
	return watchAll(p.objects, wake, appsResource("deployments"), appsResource("daemonsets"), accountsResource(),
		rbacResource("clusterrolebindings"), schedulesResource())
}

func (p serverProbe) Observe(ctx context.Context) (probes.Observation, error) {
	asking := &serverAsking{params: p.params, reader: reader{objects: p.objects, namespace: p.params.Namespace}}
	for _, look := range []func(context.Context) error{asking.definitions, asking.deployment, asking.account, asking.nodeAgent} {
		if err := look(ctx); err != nil {
			if missing := (notInstalledError{}); errors.As(err, &missing) {
				return missing.observation(), nil
			}
			return probes.Observation{}, err
		}
	}
	return asking.answer(), nil
}

// serverAsking is the state of one asking.
type serverAsking struct {
	reader
	params    ServerParams
	schedules list
	server    *appsv1.Deployment // nil if there is none
	version   string
	evidence  []probes.Evidence
	wrong     []string // causes of a failure
	short     []string // causes of a warning
	ratio     probes.Ratio
}

func (a *serverAsking) note(e probes.Evidence, r probes.Request, cause string) {
	if e.Wanting = cause != ""; e.Wanting {
		a.wrong = append(a.wrong, cause)
	}
	a.evidence = append(a.evidence, e.From(r))
}

// definitions looks whether the cluster knows what Velero works with.
func (a *serverAsking) definitions(ctx context.Context) (err error) {
	for _, r := range []schema.GroupVersionResource{backupsResource(), locationsResource()} {
		if _, err := a.list(ctx, r); err != nil {
			return err
		}
	}
	a.schedules, err = a.list(ctx, schedulesResource())
	return err
}

func (a *serverAsking) deployment(ctx context.Context) error {
	seen, err := a.list(ctx, appsResource("deployments"))
	if err != nil {
		return err
	}
	name := a.params.Deployment
	e := probes.Evidence{Subject: fmt.Sprintf("deployment %s/%s", a.namespace, name), Want: "ready, of image " + a.params.Image, Got: "does not exist"}
	o, err := find(seen, name)
	switch {
	case err != nil:
		return err
	case o == nil:
		a.note(e, seen.Request, fmt.Sprintf("there is no deployment %s in %s: the server does not run", name, a.namespace))
		return nil
	}
	if a.server, err = decode[appsv1.Deployment](o); err != nil {
		return err
	}
	d := a.server
	desired := int32(1)
	if d.Spec.Replicas != nil {
		desired = *d.Spec.Replicas
	}
	image := serverImage(d.Spec.Template.Spec)
	a.version = version(image)
	e.Got = fmt.Sprintf("%d of %d ready, image %s", d.Status.ReadyReplicas, desired, orNothing(image))
	cause := ""
	switch {
	case path.Base(repository(image)) != a.params.Image:
		cause = fmt.Sprintf("deployment %s runs %s, which is not Velero", name, orNothing(image))
	case desired == 0:
		cause = fmt.Sprintf("deployment %s is scaled to zero", name)
	case d.Status.ReadyReplicas < 1:
		cause = fmt.Sprintf("deployment %s has no ready pod%s", name, stuck(d))
	}
	a.note(e, seen.Request, cause)
	return nil
}

// stuck says why a deployment does not get on, if it does not.
func stuck(d *appsv1.Deployment) string {
	for _, c := range d.Status.Conditions {
		bad := c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse ||
			c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue
		if bad {
			return fmt.Sprintf(" (%s: %s)", c.Reason, c.Message)
		}
	}
	return ""
}

// serverImage is the image of the container that is the server: the one named velero, or the only one.
func serverImage(spec corev1.PodSpec) string {
	for _, c := range spec.Containers {
		if c.Name == "velero" {
			return c.Image
		}
	}
	if len(spec.Containers) > 0 {
		return spec.Containers[0].Image
	}
	return ""
}

// repository is an image without its tag and digest.
func repository(image string) string {
	image, _, _ = strings.Cut(image, "@")
	if i := strings.LastIndex(image, ":"); i > strings.LastIndex(image, "/") {
		return image[:i]
	}
	return image
}

// version is the tag of an image, or empty if it has none.
func version(image string) string {
	image, _, _ = strings.Cut(image, "@")
	return strings.TrimPrefix(strings.TrimPrefix(image, repository(image)), ":")
}

// nodeAgent looks at the agents that read volumes on each node, where backups go through them.
func (a *serverAsking) nodeAgent(ctx context.Context) error {
	if a.params.NodeAgent == "off" {
		return nil
	}
	why, err := a.agentNeeded()
	if err != nil {
		return err
	}
	seen, err := a.list(ctx, appsResource("daemonsets"))
	if err != nil {
		return err
	}
	name := a.params.DaemonSet
	o, err := find(seen, name)
	if err != nil && why != "" {
		return err
	}
	e := probes.Evidence{Subject: fmt.Sprintf("daemonset %s/%s", a.namespace, name), Want: "ready on each of its nodes"}
	if o == nil {
		if why != "" {
			e.Got = "does not exist"
			a.note(e, seen.Request, fmt.Sprintf("there is no daemonset %s, but %s", name, why))
		}
		return nil
	}
	d, err := decode[appsv1.DaemonSet](o)
	if err != nil {
		return err
	}
	ready, desired := d.Status.NumberReady, d.Status.DesiredNumberScheduled
	e.Got = fmt.Sprintf("ready on %d of %d nodes", ready, desired)
	cause := ""
	switch {
	case desired == 0 && why != "":
		cause = fmt.Sprintf("daemonset %s runs on no node, but %s", name, why)
	case ready == 0 && desired > 0:
		cause = fmt.Sprintf("daemonset %s is ready on none of %s", name, plural(int(desired), "node"))
	}
	a.note(e, seen.Request, cause)
	if cause == "" && ready < desired {
		a.evidence[len(a.evidence)-1].Wanting = true
		a.short = append(a.short, fmt.Sprintf("daemonset %s is ready on %d of %d nodes: volumes on the others are not backed up", name, ready, desired))
		a.ratio = probes.Part(int64(ready), int64(desired))
	}
	return nil
}

// agentNeeded says why node agents are needed, or nothing if they are not.
func (a *serverAsking) agentNeeded() (string, error) {
	if a.params.NodeAgent == "required" {
		return "it is required", nil
	}
	if a.server != nil {
		for _, c := range a.server.Spec.Template.Spec.Containers {
			for _, arg := range slices.Concat(c.Command, c.Args) {
				for _, flag := range []string{"--default-volumes-to-fs-backup", "--default-snapshot-move-data"} {
					if arg == flag || arg == flag+"=true" {
						return "the server is started with " + flag, nil
					}
				}
			}
		}
	}
	for _, o := range a.schedules.Items {
		s, err := decode[schedule](o)
		if err != nil {
			return "", err
		}
		switch t := s.Spec.Template; {
		case t.DefaultVolumesToFsBackup != nil && *t.DefaultVolumesToFsBackup:
			return fmt.Sprintf("schedule %s backs up volumes through their file systems", s.Name), nil
		case t.SnapshotMoveData != nil && *t.SnapshotMoveData:
			return fmt.Sprintf("schedule %s moves the data of snapshots", s.Name), nil
		}
	}
	return "", nil
}

func (a *serverAsking) answer() probes.Observation {
	obs := probes.Observation{Status: probes.Pass, Evidence: a.evidence, Confirmed: a.confirmed}
	switch {
	case len(a.wrong) > 0:
		obs.Status, obs.Summary = probes.Fail, enumerate(slices.Concat(a.wrong, a.short))
	case len(a.short) > 0:
		obs.Status, obs.Ratio, obs.Summary = probes.Warn, a.ratio, enumerate(a.short)
	default:
		obs.Summary = strings.TrimSpace("Velero "+a.version) + " is ready and has the rights it needs"
	}
	return obs
}
