package images_test

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/internal/sim/oci"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/images"
	"github.com/254carbon/gonogo/probes/kube/kubefake"
	"github.com/254carbon/gonogo/probes/probetest"
)

type object = map[string]any

var pods = schema.GroupVersionResource{Version: "v1", Resource: "pods"}

// pod makes a pod of a Deployment that runs images, each written as IMAGE or IMAGE=IMAGEID.
func pod(deployment, name, phase string, run ...string) object {
	var containers, states []any
	for i, text := range run {
		image, id, _ := strings.Cut(text, "=")
		container := fmt.Sprintf("c%d", i)
		containers = append(containers, object{"name": container, "image": image})
		states = append(states, object{"name": container, "image": image, "imageID": id})
	}
	return object{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": object{
			"name": deployment + "-" + name, "namespace": "data", "labels": object{"pod-template-hash": "abc"},
			"ownerReferences": []any{object{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": deployment + "-abc", "uid": "u", "controller": true}},
		},
		"spec": object{"containers": containers}, "status": object{"phase": phase, "containerStatuses": states},
	}
}

const mirror = "harbor.254carbon.com/254carbon/"

func origin(objects ...object) func(*testing.T) probes.Probe {
	return func(*testing.T) probes.Probe { return originOf(kubefake.New(objects...).Serve(pods)) }
}

func originOf(c *kubefake.Cluster) probes.Probe {
	return images.NewOrigin(c, images.OriginParams{Declared: probes.Declared{
		Images: []probes.Image{{Key: "trino", Source: "trinodb/trino:424", Digest: oci.Digest("trinodb/trino:424")}},
		Exempt: []probes.Exemption{
			{Image: "docker.io/velero/*", Reason: "comes first"}, {Image: "docker.io/library/portal", Reason: "built here"}, {Image: "docker.io/*/pro*er", Reason: "a test"},
		},
	}})
}

func TestOrigin(t *testing.T) {
	trino, other := oci.Digest("trinodb/trino:424"), oci.Digest("other")
	bad := func(name string, says []string, objects ...object) probetest.World {
		return probetest.World{Name: name, Want: probes.Fail, Says: says, New: origin(objects...)}
	}
	good := func(name string, says []string, objects ...object) probetest.World {
		return probetest.World{Name: name, Want: probes.Pass, Says: says, New: origin(objects...)}
	}
	worlds := []probetest.World{
		bad("nothing runs", []string{"no container runs at all"}),
		bad("only what has ended", []string{"no container runs at all"}, pod("job", "1", "Succeeded", "redis:7"), pod("job", "2", "Failed", "redis:7")),
		bad("a name without a registry", []string{"1 of 2 containers come", "web (nginx)"}, pod("web", "1", "Running", "nginx:1.25", mirror+"trino:424")),
		bad("its full name", []string{"1 of 1 container comes", "web (nginx)"}, pod("web", "1", "Running", "docker.io/library/nginx")),
		bad("another name of Docker Hub", []string{"web (bitnami/nginx)"}, pod("web", "1", "Running", "registry-1.docker.io/bitnami/nginx@"+other)),
		bad("waits to be pulled", []string{"web (nginx)"}, pod("web", "1", "Pending", "nginx")),
		bad("the largest first", []string{"4 of 4", "b (redis), a (nginx), c (nginx)"},
			pod("a", "1", "Running", "nginx"), pod("b", "1", "Running", "redis"), pod("b", "2", "Running", "redis"), pod("c", "1", "Running", "nginx")),
		bad("more than can be named", []string{"7 of 7", "and 2 more"}, pod("a", "1", "Running", "a/1", "a/2", "a/3", "a/4", "a/5", "a/6", "a/7")),
		bad("loaded under another name", []string{"web (registry.local/web, loaded as bitnami/nginx)"}, pod("web", "1", "Running", "registry.local/web:1=docker.io/bitnami/nginx@"+other)),
		bad("loaded under the mirror's name, other bytes", []string{"loaded as trinodb/trino"}, pod("trino", "1", "Running", mirror+"trino:424=docker.io/trinodb/trino@"+other)),
		bad("named by its id", []string{"web (nginx)"}, pod("web", "1", "Running", other+"=docker-pullable://nginx@"+other)),
		bad("an exemption that fits no more than its beginning", []string{"web (velerox/a)"}, pod("web", "1", "Running", "velerox/a")),
		bad("an exemption without a star that is longer", []string{"web (portal/next)"}, pod("web", "1", "Running", "portal/next")),
		good("the mirror", []string{"0 of 2 containers come from Docker Hub"}, pod("trino", "1", "Running", mirror+"trino:424="+mirror+"trino@"+trino, "quay.io/a/b:1")),
		good("the mirror's bytes under the name of the original", nil, pod("trino", "1", "Running", mirror+"trino:424=docker.io/trinodb/trino@"+trino)),
		good("exempt", []string{"0 of 3", "3 exempt ones aside"}, pod("velero", "1", "Running", "velero/velero:v1", "portal:1.4", "some/properer")),
		good("loaded, and exempt", nil, pod("web", "1", "Running", "localhost/velero:1=docker.io/velero/velero@"+other)),
		good("a registry that sounds like it", nil, pod("web", "1", "Running", "docker.io.example.com/nginx:1")),
		good("no status yet", nil, pod("web", "1", "Pending", "quay.io/a/b:1")),
	}
	probetest.Suite{
		New:    origin(pod("trino", "1", "Running", mirror+"trino:424")),
		Worlds: worlds,
		Errors: []probetest.Failure{
			{Name: "pods may not be listed", Says: []string{"listing pods", "forbidden"}, New: func(*testing.T) probes.Probe { return originOf(kubefake.New().Forbid(pods)) }},
			{Name: "some namespaces may not be seen", Says: []string{"only data"}, New: func(*testing.T) probes.Probe {
				return originOf(kubefake.New(pod("trino", "1", "Running", mirror+"trino:424")).Narrow("only data may be seen"))
			}},
			{Name: "an image that is named by nothing but its id", Says: []string{"container c0 of pod data/web-1", "origin"},
				New: origin(pod("web", "1", "Running", other+"="+other), pod("trino", "1", "Running", mirror+"trino:424"))},
		},
		Hanging: func(*testing.T) probes.Probe { return originOf(kubefake.New().Hang()) },
	}.Run(t)
}

// TestOriginIsWoken holds that the probe hears of a pod that comes.
func TestOriginIsWoken(t *testing.T) {
	c := kubefake.New(pod("trino", "1", "Running", mirror+"trino:424"))
	p := originOf(c)
	woken := 0
	stop := p.(probes.Watching).Watch(func() { woken++ })
	defer stop()
	c.Add(pod("web", "1", "Running", "nginx"))
	if obs, err := p.Observe(t.Context()); err != nil || obs.Status != probes.Fail || woken == 0 {
		t.Errorf("%s %q (%v), woken %d times", obs.Status, obs.Summary, err, woken)
	}
}

// FuzzOrigin holds that whatever a pod and a runtime say of images makes an answer or an error, and never a pass for a plain name.
func FuzzOrigin(f *testing.F) {
	for _, seed := range []string{"", "nginx", "a@b", "///", "docker.io/", "@", ":", "sha256:" + strings.Repeat("a", 64), "docker-pullable://x@y"} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, image, id string) {
		p := originOf(kubefake.New(pod("web", "1", "Running", image+"="+id)))
		obs, err := p.Observe(t.Context())
		if err == nil && (obs.Summary == "" || len(obs.Evidence) == 0) {
			t.Errorf("%q %q: %+v", image, id, obs)
		}
	})
}
