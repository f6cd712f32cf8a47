package join

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/cert"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/actions/kube"
	"github.com/254carbon/gonogo/probes"
)

// entrance is how a machine finds the cluster and tells it from another: what a plan keeps.
type entrance struct {
	Endpoint string   `json:"endpoint"` // host:port
	Hashes   []string `json:"hashes"`   // of the keys of the cluster's authorities
	File     string   `json:"file"`
	Revoke   bool     `json:"revoke,omitempty"`
}

// Plan implements [actions.Action].
func (a action) Plan(ctx context.Context, in actions.Inputs) (actions.Plan, error) {
	p := actions.Plan{Parallel: 1}
	file, err := a.file(in)
	if err != nil {
		return p, err
	}
	e := entrance{File: file, Revoke: in.Switch(inRevoke)}
	if !e.Revoke {
		if err := a.find(ctx, &e); err != nil {
			return p, err
		}
	}
	if p.Data, err = json.Marshal(e); err != nil {
		return p, fmt.Errorf("planning: %w", err)
	}
	missing, err := a.missing(ctx, e.Revoke)
	if err != nil {
		return p, err
	}
	if p.Missing = missing; len(missing) > 0 {
		p.Summary = "permissions are missing"
		return p, nil
	}
	tokens, err := a.tokens(ctx)
	if err != nil {
		return p, err
	}
	if e.Revoke {
		return a.planRevoke(p, e, tokens), nil
	}
	return a.planJoin(p, e, tokens), nil
}

func (a action) planJoin(p actions.Plan, e entrance, tokens []token) actions.Plan {
	live := usable(tokens, a.Now())
	if live == nil {
		p.Steps = append(p.Steps, actions.Step{
			ID: "token", Title: "Create a bootstrap token", Target: system, Effect: actions.Creates,
			Detail: []string{fmt.Sprintf("valid for %s, for joining nodes and nothing else", a.Lasts), "kept as a Secret bootstrap-token-… labelled " + label + "=" + owner},
		})
	} else {
		p.Already++
	}
	if live == nil || !e.written(*live) {
		p.Steps = append(p.Steps, actions.Step{
			ID: "file", Title: "Write the join line", Target: e.File, Effect: actions.Creates,
			Detail: []string{fmt.Sprintf("kubeadm join %s --token (kept back) --discovery-token-ca-cert-hash %s", e.Endpoint, strings.Join(e.Hashes, ", ")), "readable by you alone (0600)"},
		})
	} else {
		p.Already++
	}
	p.Summary = "the line that a worker joins " + e.Endpoint + " with"
	p.Notes = append(p.Notes, "on each worker, with kubeadm and a kubelet of the cluster's version: copy "+e.File+" there and run sudo sh "+filepath.Base(e.File),
		"whoever has the file can join a node while the token lasts; revoke=true ends that")
	return p
}

func (a action) planRevoke(p actions.Plan, e entrance, tokens []token) actions.Plan {
	for _, t := range tokens {
		p.Steps = append(p.Steps, actions.Step{ID: "revoke " + t.name, Title: "Delete a bootstrap token", Target: system + "/" + t.name, Effect: actions.Deletes})
	}
	if _, err := os.Lstat(e.File); err == nil {
		p.Steps = append(p.Steps, actions.Step{ID: "remove", Title: "Delete the file with the join line", Target: e.File, Effect: actions.Deletes})
	}
	p.Summary = fmt.Sprintf("%d tokens of gonogo to revoke", len(tokens))
	p.Notes = append(p.Notes, "nodes that have joined stay: they have certificates of their own by now")
	return p
}

// find learns from the cluster itself how it is joined, and refuses one that kubeadm did not make.
func (a action) find(ctx context.Context, e *entrance) error {
	all, err := a.Cluster.List(ctx, nodes, "")
	if err != nil {
		return fmt.Errorf("listing nodes: %w", err)
	}
	for _, n := range all {
		if id, _, _ := unstructured.NestedString(n.Object, "spec", "providerID"); strings.HasPrefix(id, "kind://") {
			return actions.Refuse("node %s is a container of kind, and no machine can join a cluster of kind: workers are named in its configuration when it is "+
				"created (kind create cluster --config), or the platform moves to a cluster that kubeadm makes", probes.Clean(n.GetName(), 100))
		}
	}
	made, err := a.Cluster.Get(ctx, configMaps, system, "kubeadm-config")
	if err != nil {
		return fmt.Errorf("looking whether kubeadm made the cluster: %w", err)
	}
	if made == nil {
		return actions.Refuse("kubeadm did not make this cluster: ConfigMap kube-system/kubeadm-config is not there; join nodes as its distribution does")
	}
	info, err := a.Cluster.Get(ctx, configMaps, "kube-public", "cluster-info")
	if err != nil {
		return fmt.Errorf("reading how the cluster is found: %w", err)
	}
	if info == nil {
		return actions.Refuse("ConfigMap kube-public/cluster-info is not there, from which a machine learns how to trust the cluster: " +
			"kubeadm init phase bootstrap-token on the control plane makes it")
	}
	text, _, _ := unstructured.NestedString(info.Object, "data", "kubeconfig")
	if err := e.read(text); err != nil {
		return fmt.Errorf("reading ConfigMap kube-public/cluster-info: %w", err)
	}
	return nil
}

// read takes the endpoint and the authorities out of a kubeconfig with one cluster.
func (e *entrance) read(text string) error {
	config, err := clientcmd.Load([]byte(text))
	if err != nil || len(config.Clusters) != 1 {
		return errors.New("it holds no kubeconfig with one cluster")
	}
	for _, c := range config.Clusters {
		u, err := url.Parse(c.Server)
		if err != nil || u.Scheme != "https" || u.Host == "" || probes.ShellWord(u.Host) != u.Host {
			return errors.New("its server is no https address")
		}
		e.Endpoint = u.Host
		if u.Port() == "" {
			e.Endpoint += ":443"
		}
		authorities, err := cert.ParseCertsPEM(c.CertificateAuthorityData)
		if err != nil {
			return fmt.Errorf("its certificate authority cannot be read: %w", err)
		}
		for _, authority := range authorities {
			e.Hashes = append(e.Hashes, pin(authority))
		}
	}
	return nil
}

// pin is kubeadm's name of an authority: the digest of its public key.
func pin(c *x509.Certificate) string {
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// missing names the rights that are missing.
func (a action) missing(ctx context.Context, revoke bool) ([]string, error) {
	verbs := []string{"list", "get", "create"}
	if revoke {
		verbs = []string{"list", "delete"}
	}
	var rights []kube.Right
	for _, verb := range verbs {
		rights = append(rights, kube.Right{Verb: verb, Resource: secrets.GroupResource(), Namespace: system})
	}
	return kube.Missing(ctx, a.Cluster, rights...)
}

// spare is how long a token must last to be worth handing out.
const spare = 10 * time.Minute

// usable returns a token that lasts for a while, or nil.
func usable(tokens []token, now time.Time) *token {
	for i := range tokens {
		if tokens[i].ends.Sub(now) >= spare {
			return &tokens[i]
		}
	}
	return nil
}
