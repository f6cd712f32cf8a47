package images

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/kube"
)

// OriginParams are the parameters of images.origin. What is exempt, and which digests are those of the mirror, the profile declares at its
// top.
type OriginParams struct {
	Declared probes.Declared `yaml:"-"`
}

// Declare takes over the images and exemptions of the profile.
func (p *OriginParams) Declare(d probes.Declared) { p.Declared = d }

// OriginInfo describes images.origin.
func OriginInfo() probes.KindInfo {
	return probes.KindInfo{
		Name: "images.origin",
		About: "Sorts the containers of the pods that run or are to run by the registry that their image comes from, by its name and by the digest " +
			"that the runtime reports; outside the profile's exemptions none may come from Docker Hub.",
		Connection: "kubernetes", OnChange: true, Every: time.Minute, Timeout: 10 * time.Second, Confirm: 2,
		Params: func() any { return &OriginParams{} },
	}
}

// NewOrigin returns a probe that passes if no container outside the exemptions comes from Docker Hub.
func NewOrigin(pods kube.Pods, p OriginParams) probes.Probe {
	o := originProbe{pods: pods, exempt: p.Declared.Exempt, mirrored: map[string]bool{}}
	for _, image := range p.Declared.Images {
		if digest := locked(image); digest != "" {
			o.mirrored[digest] = true
		}
	}
	return o
}

type originProbe struct {
	pods     kube.Pods
	exempt   []probes.Exemption
	mirrored map[string]bool // digests that the mirror holds
}

var _ probes.Watching = originProbe{}

func podsResource() schema.GroupVersionResource {
	return schema.GroupVersionResource{Version: "v1", Resource: "pods"}
}

func (p originProbe) Watch(wake func()) func() { return p.pods.Watch(podsResource(), wake) }

// dockerHub is how names of images on Docker Hub begin in full.
const dockerHub = "docker.io/"

// origin is where an image comes from.
type origin struct {
	registry   string
	repository string // short, for people
	hub        bool   // Docker Hub, and not exempt
	exempt     string // the reason, if it is
	loaded     string // its name on Docker Hub, if it is known there under another one
}

// use is what one workload runs from one place.
type use struct {
	workload   string
	repository string
	loaded     string
	containers int
	example    string // an image, as a pod names it
}

// Observe sorts the containers of the pods as the watch shows them now.
func (p originProbe) Observe(ctx context.Context) (probes.Observation, error) {
	seen, err := p.pods.Pods(ctx, "")
	if err != nil {
		return probes.Observation{}, fmt.Errorf("listing pods: %w", err)
	}
	total := 0
	unnamed := ""
	counts := map[string]int{}
	exempted := map[string]int{}
	uses := map[string]*use{}
	for _, pod := range seen.Items {
		if pod.Finished() {
			continue
		}
		for _, c := range pod.Containers {
			total++
			from, ok := p.origin(c)
			if !ok {
				unnamed = cmp.Or(unnamed, fmt.Sprintf("container %s of pod %s/%s", c.Name, pod.Namespace, pod.Name))
				continue
			}
			counts[from.registry]++
			if from.exempt != "" {
				exempted[from.exempt]++
			}
			if !from.hub {
				continue
			}
			name := workloadOf(pod)
			key := name + " " + from.repository
			if uses[key] == nil {
				uses[key] = &use{workload: name, repository: from.repository, loaded: from.loaded, example: c.Image}
			}
			uses[key].containers++
		}
	}
	obs := probes.Observation{Status: probes.Pass, Confirmed: seen.Confirmed}
	wanting := p.report(&obs, uses, seen.Request)
	obs.Evidence = append(obs.Evidence, registries(counts, exempted, seen.Request)...)
	switch {
	case wanting > 0:
		obs.Status = probes.Fail
		obs.Summary = fmt.Sprintf("%d of %s from Docker Hub: %s", wanting, containersCome(total), workloads(uses))
	case total == 0 && seen.Note == "":
		return probes.Observation{
			Status: probes.Fail, Summary: "no container runs at all", Confirmed: seen.Confirmed,
			Evidence: []probes.Evidence{probes.Evidence{Subject: "containers", Want: "at least one", Got: "none", Wanting: true}.From(seen.Request)},
		}, nil
	case seen.Note != "":
		return probes.Observation{}, fmt.Errorf("listing pods: %s", seen.Note)
	case unnamed != "":
		return probes.Observation{}, fmt.Errorf("sorting %d containers by origin: %s names its image by nothing but an id, which says nothing of its origin", total, unnamed)
	default:
		obs.Summary = fmt.Sprintf("0 of %s from Docker Hub", containersCome(total))
		if n := sum(exempted); n > 0 {
			obs.Summary += fmt.Sprintf(", %d exempt ones aside", n)
		}
	}
	return obs, nil
}

// origin tells where a container's image comes from: from where its name leads, which is where the next node pulls it from; or, if its name
// leads elsewhere but the runtime knows the same bytes from Docker Hub only, from there. Bytes that the mirror holds too are the mirror's.
// It reports false if nothing names a repository.
func (p originProbe) origin(c kube.Container) (origin, bool) {
	known, digest, hasDigest := strings.Cut(strings.TrimPrefix(c.ImageID, "docker-pullable://"), "@")
	name := c.Image
	if isID(name) {
		if !hasDigest {
			return origin{}, false
		}
		name = known
	}
	full := kube.Repository(name)
	from := p.named(full)
	if from.hub || from.exempt != "" || !hasDigest || p.mirrored[digest] {
		return from, true
	}
	if was := kube.Repository(known); was != full && strings.HasPrefix(was, dockerHub) {
		if under := p.named(was); under.hub {
			from.hub, from.loaded, from.registry = true, was, "docker.io"
		}
	}
	return from, true
}

// named is where a full repository name leads.
func (p originProbe) named(full string) origin {
	registry, _, _ := strings.Cut(full, "/")
	from := origin{registry: registry, repository: strings.TrimPrefix(strings.TrimPrefix(full, dockerHub), "library/")}
	if !strings.HasPrefix(full, dockerHub) {
		return from
	}
	for _, e := range p.exempt {
		if matches(e.Image, full) {
			from.exempt = e.Image
			return from
		}
	}
	from.hub = true
	return from
}

// matches reports whether a pattern, in which * stands for any text, covers a full repository name.
func matches(pattern, full string) bool {
	parts := strings.Split(pattern, "*")
	if !strings.HasPrefix(full, parts[0]) {
		return false
	}
	rest := full[len(parts[0]):]
	for i, part := range parts[1:] {
		if i == len(parts)-2 {
			return strings.HasSuffix(rest, part)
		}
		at := strings.Index(rest, part)
		if at < 0 {
			return false
		}
		rest = rest[at+len(part):]
	}
	return rest == ""
}

// isID reports whether an image is named by nothing but its id.
func isID(image string) bool {
	id := strings.TrimPrefix(image, "sha256:")
	return len(id) == 64 && strings.Trim(id, "0123456789abcdef") == ""
}

// workloadOf names what a pod belongs to.
func workloadOf(pod *kube.Pod) string {
	if _, name := pod.Workload(); name != "" {
		return pod.Namespace + "/" + name
	}
	return pod.Namespace + "/" + pod.Name
}

// sorted lists uses, those of most containers first.
func sorted(uses map[string]*use) []*use {
	list := make([]*use, 0, len(uses))
	for _, u := range uses {
		list = append(list, u)
	}
	slices.SortFunc(list, func(a, b *use) int {
		return cmp.Or(b.containers-a.containers, cmp.Compare(a.workload, b.workload), cmp.Compare(a.repository, b.repository))
	})
	return list
}

// report adds evidence of every use and returns how many containers they are.
func (p originProbe) report(obs *probes.Observation, uses map[string]*use, r probes.Request) int {
	n := 0
	for _, u := range sorted(uses) {
		n += u.containers
		got := fmt.Sprintf("%s, %s", u.example, plural(u.containers, "container"))
		if u.loaded != "" {
			got += ", whose bytes the runtime knows as " + u.loaded
		}
		obs.Evidence = append(obs.Evidence, probes.Evidence{Subject: u.workload, Want: "an image of the mirror, or one that is exempt", Got: got, Wanting: true}.From(r))
	}
	return n
}

// workloads names the workloads of a summary, each with what it runs.
func workloads(uses map[string]*use) string {
	var words []string
	for _, u := range sorted(uses) {
		_, name, _ := strings.Cut(u.workload, "/")
		what := u.repository
		if u.loaded != "" {
			what += ", loaded as " + strings.TrimPrefix(u.loaded, dockerHub)
		}
		words = append(words, fmt.Sprintf("%s (%s)", name, what))
	}
	return enumerate(words)
}

// registries is evidence of how many containers come from where.
func registries(counts, exempted map[string]int, r probes.Request) []probes.Evidence {
	var all []probes.Evidence
	for _, name := range keys(counts) {
		all = append(all, probes.Evidence{Subject: "from " + name, Want: "counted", Got: plural(counts[name], "container")}.From(r))
	}
	for _, name := range keys(exempted) {
		all = append(all, probes.Evidence{Subject: "exempt: " + name, Want: "counted", Got: plural(exempted[name], "container")}.From(r))
	}
	return all
}

func keys(counts map[string]int) []string {
	list := make([]string, 0, len(counts))
	for name := range counts {
		list = append(list, name)
	}
	slices.SortFunc(list, func(a, b string) int { return cmp.Or(counts[b]-counts[a], cmp.Compare(a, b)) })
	return list
}

func sum(counts map[string]int) int {
	n := 0
	for _, c := range counts {
		n += c
	}
	return n
}

func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

func containersCome(n int) string {
	if n == 1 {
		return "1 container comes"
	}
	return fmt.Sprintf("%d containers come", n)
}
