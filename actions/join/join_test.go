package join_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/actions/actiontest"
	"github.com/254carbon/gonogo/actions/join"
	"github.com/254carbon/gonogo/internal/platform"
	"github.com/254carbon/gonogo/internal/profile"
	"github.com/254carbon/gonogo/internal/sim"
	"github.com/254carbon/gonogo/probes/all"
)

var secrets = schema.GroupVersionResource{Version: "v1", Resource: "secrets"}

type world struct {
	*sim.Sim
	platform *platform.Platform
	action   actions.Action
	file     string
	hash     string // of its authority's key
	late     time.Duration
}

// start is the simulated platform, made by kubeadm if wanted, with the action over it.
func start(t *testing.T, kubeadm bool) *world {
	t.Helper()
	s, err := sim.Start(t.Context(), sim.Options{})
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	p, err := profile.Builtin(profile.DefaultName, all.Kinds())
	must(t, err)
	x, err := platform.Open(s.Profile(p), s.Platform(platform.Options{Log: slog.New(slog.DiscardHandler), StateDir: t.TempDir()}))
	must(t, err)
	t.Cleanup(x.Close)
	w := &world{Sim: s, platform: x, file: filepath.Join(t.TempDir(), "deep", "kubeadm-join.sh")}
	params := *join.Info().Params().(*join.Params)
	w.action = join.New(actions.Spec{ID: "join-command", Kind: "join-command", Title: "Join worker nodes"}, params, join.Deps{
		Cluster: x.Cluster.Writer(), Hide: x.Mask.Add, Folder: filepath.Dir(w.file), Now: func() time.Time { return s.Now().Add(w.late) },
	})
	if !kubeadm {
		return w
	}
	nodes, err := s.Kube.List(schema.GroupVersionResource{Version: "v1", Resource: "nodes"}, "", nil)
	must(t, err)
	for _, n := range nodes {
		name := n["metadata"].(map[string]any)["name"].(string)
		_, err := s.Kube.Mutate(schema.GroupVersionResource{Version: "v1", Resource: "nodes"}, "", name, func(o map[string]any) { delete(o["spec"].(map[string]any), "providerID") })
		must(t, err)
	}
	w.configMap(t, "kube-system", "kubeadm-config", nil)
	authority, hash := newAuthority(t)
	w.hash = hash
	w.configMap(t, "kube-public", "cluster-info", map[string]any{"kubeconfig": clusterInfo("https://192.168.1.228:6443", authority)})
	return w
}

func clusterInfo(server, authority string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: Config\nclusters:\n- name: \"\"\n  cluster:\n    certificate-authority-data: %s\n    server: %s\n",
		base64.StdEncoding.EncodeToString([]byte(authority)), server)
}

func (w *world) configMap(t *testing.T, namespace, name string, data map[string]any) {
	t.Helper()
	_, err := w.Kube.Apply(map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"namespace": namespace, "name": name}, "data": data})
	must(t, err)
}

// newAuthority makes a certificate authority, and names its key as openssl would.
func newAuthority(t *testing.T) (text, hash string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kubernetes"}, IsCA: true, BasicConstraintsValid: true, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	must(t, err)
	sum := sha256.Sum256(public)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), "sha256:" + hex.EncodeToString(sum[:])
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) plan(t *testing.T, in actions.Inputs) actions.Plan {
	t.Helper()
	in, err := w.action.Spec().Settle(in)
	must(t, err)
	p, err := w.action.Plan(t.Context(), in)
	must(t, err)
	must(t, p.Validate())
	p.Inputs = in
	return p
}

func (w *world) carry(t *testing.T, p actions.Plan) {
	t.Helper()
	d, err := w.action.Open(t.Context(), p, t.TempDir())
	must(t, err)
	for _, s := range p.Steps {
		must(t, d.Do(t.Context(), s, &actiontest.Told{}))
		if done, err := d.Done(t.Context(), s); err != nil || !done {
			t.Errorf("%s is not done: %v", s.ID, err)
		}
	}
	must(t, d.Close())
}

// made are the bootstrap tokens of the cluster.
func (w *world) made(t *testing.T) []map[string]any {
	t.Helper()
	list, err := w.Kube.List(secrets, "kube-system", nil)
	must(t, err)
	var some []map[string]any
	for _, o := range list {
		if o["type"] == "bootstrap.kubernetes.io/token" {
			some = append(some, o)
		}
	}
	return some
}

var line = regexp.MustCompile(`^kubeadm join 192\.168\.1\.228:6443 --token ([a-z0-9]{6})\.([a-z0-9]{16}) --discovery-token-ca-cert-hash (sha256:[0-9a-f]{64})\n$`)

func TestALineIsWritten(t *testing.T) {
	var w *world
	actiontest.Suite(t, actiontest.Options{
		New:    func(t *testing.T) actions.Action { w = start(t, true); return w.action },
		Writes: func() int { return w.Writes() },
		Secrets: func() []string {
			text, err := os.ReadFile(w.file)
			must(t, err)
			m := line.FindStringSubmatch(string(text))
			if m == nil {
				t.Fatal("the file holds no line to join with")
			}
			return []string{m[2]}
		},
	})
	text, err := os.ReadFile(w.file)
	must(t, err)
	if m := line.FindStringSubmatch(string(text)); m == nil || m[3] != w.hash {
		t.Errorf("the hash of the authority is not %s", w.hash)
	}
	about, err := os.Stat(w.file)
	must(t, err)
	if about.Mode().Perm() != 0o600 {
		t.Errorf("the file is %s", about.Mode())
	}
	made := w.made(t)
	if len(made) != 1 {
		t.Fatalf("%d tokens were made", len(made))
	}
	expiration, err := base64.StdEncoding.DecodeString(made[0]["data"].(map[string]any)["expiration"].(string))
	must(t, err)
	ends, err := time.Parse(time.RFC3339, string(expiration))
	must(t, err)
	if left := ends.Sub(w.Now()); left > time.Hour || left < 55*time.Minute {
		t.Errorf("it lasts %s", left)
	}
}

func TestATokenThatEndsIsReplaced(t *testing.T) {
	w := start(t, true)
	w.carry(t, w.plan(t, nil))
	before, err := os.ReadFile(w.file)
	must(t, err)
	must(t, os.Chmod(w.file, 0o644)) //nolint:gosec // what must be noticed
	if p := w.plan(t, nil); len(p.Steps) != 1 || p.Steps[0].ID != "file" {
		t.Errorf("of a file that others can read: %+v", p.Steps)
	}
	w.late = 55 * time.Minute
	w.carry(t, w.plan(t, nil))
	after, err := os.ReadFile(w.file)
	must(t, err)
	if len(w.made(t)) != 2 || string(before) == string(after) {
		t.Error("a token that is about to end was handed out again")
	}
	about, err := os.Stat(w.file)
	must(t, err)
	if about.Mode().Perm() != 0o600 {
		t.Errorf("the file is %s", about.Mode())
	}
}

func TestRevoking(t *testing.T) {
	w := start(t, true)
	w.carry(t, w.plan(t, nil))
	other := map[string]any{
		"apiVersion": "v1", "kind": "Secret", "type": "bootstrap.kubernetes.io/token", "metadata": map[string]any{"namespace": "kube-system", "name": "bootstrap-token-abcdef"},
	}
	_, err := w.Kube.Apply(other)
	must(t, err)
	revoke := actions.Inputs{"revoke": "true"}
	p := w.plan(t, revoke)
	if p.Worst() != actions.Deletes || len(p.Steps) != 2 {
		t.Errorf("%+v", p.Steps)
	}
	forged := p
	forged.Steps = []actions.Step{{ID: "revoke bootstrap-token-abcdef", Title: "x", Effect: actions.Deletes}}
	d, err := w.action.Open(t.Context(), forged, t.TempDir())
	must(t, err)
	if err := d.Do(t.Context(), forged.Steps[0], &actiontest.Told{}); err == nil || !strings.Contains(err.Error(), "is not a token of gonogo's") {
		t.Errorf("another's token is deleted: %v", err)
	}
	w.carry(t, p)
	if _, err := os.Stat(w.file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is still there: %v", err)
	}
	if left := w.made(t); len(left) != 1 || left[0]["metadata"].(map[string]any)["name"] != "bootstrap-token-abcdef" {
		t.Errorf("left are %v", left)
	}
	if p := w.plan(t, revoke); len(p.Steps) != 0 {
		t.Errorf("a second plan: %+v", p.Steps)
	}
}

func TestWhatCannotBeJoinedIsRefused(t *testing.T) {
	refused := func(t *testing.T, w *world, says string) {
		t.Helper()
		in, err := w.action.Spec().Settle(nil)
		must(t, err)
		_, err = w.action.Plan(t.Context(), in)
		var refusal *actions.RefusedError
		if !errors.As(err, &refusal) || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want a refusal with %q", err, says)
		}
	}
	t.Run("kind", func(t *testing.T) { refused(t, start(t, false), "is a container of kind") })
	configMaps := schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	w := start(t, true)
	must(t, w.Kube.Delete(configMaps, "kube-public", "cluster-info"))
	refused(t, w, "kubeadm init phase bootstrap-token")
	must(t, w.Kube.Delete(configMaps, "kube-system", "kubeadm-config"))
	refused(t, w, "kubeadm did not make this cluster")
}

func TestHostileClusterInfo(t *testing.T) {
	w := start(t, true)
	authority, _ := newAuthority(t)
	for _, text := range []string{
		"", "{", clusterInfo("http://192.168.1.228:6443", authority), clusterInfo("https://a;reboot", authority), clusterInfo(`"https://$(reboot)"`, authority),
		clusterInfo("https://192.168.1.228:6443", "no certificate"),
	} {
		w.configMap(t, "kube-public", "cluster-info", map[string]any{"kubeconfig": text})
		in, err := w.action.Spec().Settle(nil)
		must(t, err)
		if p, err := w.action.Plan(t.Context(), in); err == nil {
			t.Errorf("%q gives the plan %+v", text, p)
		}
	}
}
