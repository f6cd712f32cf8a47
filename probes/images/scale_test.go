package images_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/254carbon/gonogo/internal/sim/oci"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/images"
	"github.com/254carbon/gonogo/probes/kube/kubefake"
)

// TestALargePlatform asks both questions about 200 images and 500 pods that run them, and holds what that costs the registry: one HEAD for
// each image, at most eight at once, a few tokens, and no manifest.
func TestALargePlatform(t *testing.T) {
	var mu sync.Mutex
	heads, fetched, tokens, flying, most := map[string]int{}, 0, 0, 0, 0
	w := newWorld()
	harbor := w.harbor
	w.handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		manifest := strings.Contains(r.URL.Path, "/manifests/")
		mu.Lock()
		switch {
		case manifest && r.Method == http.MethodHead:
			heads[r.URL.Path]++
			flying++
			most = max(most, flying)
		case manifest:
			fetched++
		case r.URL.Path == "/service/token":
			tokens++
		}
		mu.Unlock()
		if !manifest {
			harbor.ServeHTTP(rw, r)
			return
		}
		time.Sleep(2 * time.Millisecond)
		status(http.StatusOK, "Docker-Content-Digest", oci.Digest(r.URL.Path), "Content-Type", "application/vnd.oci.image.index.v1+json", "Content-Length", "7")(rw, r)
		mu.Lock()
		flying--
		mu.Unlock()
	})
	w.params.Images = nil
	for i := range 200 {
		key := fmt.Sprintf("image-%03d", i)
		w.params.Images = append(w.params.Images, probes.Image{
			Key: key, Source: fmt.Sprintf("somebody/%s:1", key), Digest: oci.Digest("/v2/254carbon/" + key + "/manifests/1"),
		})
	}
	obs, err := w.probe(t).Observe(t.Context())
	if err != nil || obs.Status != probes.Pass || !strings.HasPrefix(obs.Summary, "200 of 200") {
		t.Fatalf("%s %q, %v", obs.Status, obs.Summary, err)
	}
	for path, n := range heads {
		if n != 1 {
			t.Errorf("%s was asked for %d times", path, n)
		}
	}
	if len(heads) != 200 || fetched != 0 || most > 8 || tokens > 4 {
		t.Errorf("%d HEADs, %d manifests, at most %d at once, %d tokens", len(heads), fetched, most, tokens)
	}

	cluster := kubefake.New()
	for i := range 500 {
		image := w.params.Images[i%200]
		name := mirror + image.Key + ":1"
		if i >= 490 {
			name = image.Source
		}
		cluster.Add(pod(fmt.Sprintf("app-%d", i%200), fmt.Sprint(i), "Running", name+"="+mirror+image.Key+"@"+image.Digest))
	}
	before := len(heads)
	obs, err = images.NewOrigin(cluster, images.OriginParams{Declared: probes.Declared{Images: w.params.Images}}).Observe(t.Context())
	if err != nil || obs.Status != probes.Fail || !strings.HasPrefix(obs.Summary, "10 of 500 containers come from Docker Hub") || len(heads) != before {
		t.Errorf("%s %q, %v", obs.Status, obs.Summary, err)
	}
}
