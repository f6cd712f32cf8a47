//go:build e2e

package e2e

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/254carbon/gonogo/internal/labtest"
)

// TestKubeconfigTrouble has every way in which a cluster cannot be entered end in one clear sentence, and the rest of the check go on.
func TestKubeconfigTrouble(t *testing.T) {
	t.Parallel()
	lab := sharedLab(t)
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "well") }))
	t.Cleanup(page.Close)
	files := t.TempDir()
	garbage := filepath.Join(files, "garbage")
	must(t, os.WriteFile(garbage, []byte("apiVersion: v1\nkind: Config\nclusters: [what\n"), 0o600))
	good := kubeconfig(t, lab, labtest.Viewer)
	unknown, err := lab.Kubeconfig("lab", "nobody-has-this-token")
	must(t, err)
	nodeReader := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"nodes"}, Verbs: []string{"get", "list", "watch"}}
	token, err := lab.ServiceAccount(t.Context(), "e2e-accounts", "expiring", nodeReader)
	must(t, err)
	valid, err := lab.Kubeconfig("lab", resign(t, lab, token, time.Now().Add(time.Hour)))
	must(t, err)
	expired, err := lab.Kubeconfig("lab", resign(t, lab, token, time.Now().Add(-time.Minute)))
	must(t, err)

	for name, c := range map[string]struct {
		kubeconfig string
		args       []string
		words      []string
	}{
		"missing":        {filepath.Join(files, "none"), nil, []string{"reading kubeconfig", "no such file"}},
		"a folder":       {files, nil, []string{"reading kubeconfig", "is a directory"}},
		"no YAML":        {garbage, nil, []string{"reading kubeconfig " + garbage}},
		"wrong context":  {good, []string{"--context", "prod"}, []string{`has no context "prod": it has lab`}},
		"no kubeconfig":  {"", nil, []string{"no Kubernetes cluster is configured"}},
		"unknown token":  {unknown, nil, []string{"the API server refuses the credential (401 Unauthorized)", "log in again"}},
		"expired token":  {expired, nil, []string{"the API server refuses the credential (401 Unauthorized)", "has expired"}},
		"a right missed": {kubeconfig(t, lab, labtest.Outsider), nil, []string{"a right is missing", `cannot list resource "nodes"`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStation(t, c.kubeconfig, checks(threeNodes+fmt.Sprintf(
				"- {id: page, title: t, probe: http, weight: 1, with: {url: %q, expect: {contains: well}}}\n", page.URL)))
			began := time.Now()
			o := s.run(t, append(c.args, "check", "-o", "json")...)
			var d document
			must(t, json.Unmarshal([]byte(o.stdout), &d))
			d.want(t, "page", "pass")
			d.want(t, "nodes", "unknown", c.words...)
			sentence := d.of(t, "nodes").Error
			if strings.Contains(sentence, "\n") || strings.Contains(sentence, "listing nodes: listing") || sentence == "" || len(sentence) > 400 {
				t.Errorf("not one sentence: %q", sentence)
			}
			if strings.Contains(o.stdout+o.stderr, "panic") || strings.Contains(o.stderr, "goroutine") {
				t.Errorf("standard error: %s", o.stderr)
			}
			if o.code != 3 || d.Verdict != "UNKNOWN" {
				t.Errorf("exit code %d, verdict %s: want UNKNOWN", o.code, d.Verdict)
			}
			t.Logf("%v: %s", time.Since(began).Round(10*time.Millisecond), sentence)
		})
	}
	t.Run("the same token before it expires", func(t *testing.T) {
		t.Parallel()
		s := newStation(t, valid, checks(strings.Replace(threeNodes, "min: 3", "min: 2", 1)))
		d, _ := s.check(t)
		d.want(t, "nodes", "pass")
	})
}

// resign makes a service account's token one that expires at another time, signed as the API server would.
func resign(t *testing.T, lab *labtest.Lab, token string, expires time.Time) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(lab.Dir(), "sa-key.pem"))
	must(t, err)
	block, _ := pem.Decode(text)
	key, err := x509.ParseECPrivateKey(block.Bytes)
	must(t, err)
	parts := strings.Split(token, ".")
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	must(t, err)
	var claims map[string]any
	must(t, json.Unmarshal(body, &claims))
	claims["exp"] = expires.Unix()
	claims["iat"], claims["nbf"] = expires.Add(-2*time.Hour).Unix(), expires.Add(-2*time.Hour).Unix()
	body, err = json.Marshal(claims)
	must(t, err)
	signed := parts[0] + "." + base64.RawURLEncoding.EncodeToString(body)
	sum := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	must(t, err)
	const size = 32
	signature := append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}
