package join

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/254carbon/gonogo/actions"
)

// How gonogo's own tokens are told from others.
const (
	label = "app.kubernetes.io/managed-by"
	owner = "gonogo"
	kind  = "bootstrap.kubernetes.io/token"
)

// token is a bootstrap token that gonogo made.
type token struct {
	name       string // of its Secret
	id, secret string
	ends       time.Time
}

var (
	tokenID     = regexp.MustCompile(`^[a-z0-9]{6}$`)
	tokenSecret = regexp.MustCompile(`^[a-z0-9]{16}$`)
)

// tokens lists gonogo's bootstrap tokens, and hides them.
func (a action) tokens(ctx context.Context) ([]token, error) {
	all, err := a.Cluster.List(ctx, secrets, system)
	if err != nil {
		return nil, fmt.Errorf("listing the bootstrap tokens in %s: %w", system, err)
	}
	var some []token
	for _, o := range all {
		if t, ok := a.token(o); ok {
			some = append(some, t)
		}
	}
	return some, nil
}

// token reads a Secret, if it is a bootstrap token of gonogo's.
func (a action) token(o *unstructured.Unstructured) (token, bool) {
	if made, _, _ := unstructured.NestedString(o.Object, "type"); made != kind || o.GetLabels()[label] != owner {
		return token{}, false
	}
	data, _, _ := unstructured.NestedStringMap(o.Object, "data")
	value := func(key string) string {
		text, err := base64.StdEncoding.DecodeString(data[key])
		if err != nil {
			return ""
		}
		return string(text)
	}
	t := token{name: o.GetName(), id: value("token-id"), secret: value("token-secret")}
	t.ends, _ = time.Parse(time.RFC3339, value("expiration")) // one without an end is not handed out
	if t.secret != "" {
		a.Hide(t.secret)
	}
	if !tokenID.MatchString(t.id) || !tokenSecret.MatchString(t.secret) {
		t.ends = time.Time{}
	}
	return t, true
}

// line is what a worker runs.
func (e entrance) line(t token) string {
	words := []string{"kubeadm join", e.Endpoint, "--token", t.id + "." + t.secret}
	for _, hash := range e.Hashes {
		words = append(words, "--discovery-token-ca-cert-hash", hash)
	}
	return strings.Join(words, " ") + "\n"
}

// written reports whether the line of a token is in its file, and nobody else can read it.
func (e entrance) written(t token) bool {
	about, err := os.Lstat(e.File)
	if err != nil || !about.Mode().IsRegular() || about.Mode().Perm()&0o077 != 0 {
		return false
	}
	text, err := os.ReadFile(e.File)
	return err == nil && bytes.Equal(text, []byte(e.line(t)))
}

// Open implements [actions.Action].
func (a action) Open(_ context.Context, p actions.Plan, _ string) (actions.Doer, error) {
	d := doer{action: a}
	if err := json.Unmarshal(p.Data, &d.at); err != nil {
		return nil, fmt.Errorf("reading the plan: %w", err)
	}
	return d, nil
}

type doer struct {
	action
	at entrance
}

// Close implements [actions.Doer].
func (doer) Close() error { return nil }

// Done implements [actions.Doer].
func (d doer) Done(ctx context.Context, s actions.Step) (bool, error) {
	switch kind, name, _ := strings.Cut(s.ID, " "); kind {
	case "token", "file":
		tokens, err := d.tokens(ctx)
		if err != nil {
			return false, err
		}
		live := usable(tokens, d.Now())
		return live != nil && (kind == "token" || d.at.written(*live)), nil
	case "revoke":
		o, err := d.Cluster.Get(ctx, secrets, system, name)
		return err == nil && o == nil, err
	default:
		_, err := os.Lstat(d.at.File)
		return errors.Is(err, os.ErrNotExist), nil
	}
}

// Do implements [actions.Doer].
func (d doer) Do(ctx context.Context, s actions.Step, r actions.Reporter) error {
	switch kind, name, _ := strings.Cut(s.ID, " "); kind {
	case "token":
		return d.ensure(ctx, r)
	case "file":
		return d.write(ctx, r)
	case "revoke":
		return d.revoke(ctx, name)
	default:
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := os.Remove(d.at.File); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("deleting the file with the join line: %w", err)
		}
		return nil
	}
}

// ensure makes a token, unless there is one that lasts.
func (d doer) ensure(ctx context.Context, r actions.Reporter) error {
	tokens, err := d.tokens(ctx)
	if err != nil {
		return err
	}
	if live := usable(tokens, d.Now()); live != nil {
		r.Log("a token is there, valid until " + live.ends.UTC().Format(time.RFC3339))
		return nil
	}
	id, secret := strings.ToLower(rand.Text()[:6]), strings.ToLower(rand.Text()[:16]) // letters and digits
	d.Hide(secret)
	ends := d.Now().Add(d.Lasts).UTC().Truncate(time.Second).Format(time.RFC3339)
	_, err = d.Cluster.Create(ctx, secrets, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Secret", "type": kind,
		"metadata": map[string]any{"namespace": system, "name": "bootstrap-token-" + id, "labels": map[string]any{label: owner}},
		"data": encoded(map[string]string{
			"token-id": id, "token-secret": secret, "expiration": ends, "usage-bootstrap-authentication": "true", "usage-bootstrap-signing": "true",
			"auth-extra-groups": "system:bootstrappers:kubeadm:default-node-token", "description": "made by gonogo, to join worker nodes",
		}),
	}})
	if err != nil {
		return fmt.Errorf("creating a bootstrap token: %w", err)
	}
	r.Log("Secret " + system + "/bootstrap-token-" + id + " is valid until " + ends)
	return nil
}

// encoded is the data of a Secret as the API server keeps them.
func encoded(data map[string]string) map[string]any {
	all := map[string]any{}
	for k, v := range data {
		all[k] = base64.StdEncoding.EncodeToString([]byte(v))
	}
	return all
}

// write puts the line into its file, whole or not at all.
func (d doer) write(ctx context.Context, r actions.Reporter) error {
	tokens, err := d.tokens(ctx)
	if err != nil {
		return err
	}
	live := usable(tokens, d.Now())
	if live == nil {
		return errors.New("the token is gone or about to end: plan again")
	}
	folder := filepath.Dir(d.at.File)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("making the folder of the join line: %w", err)
	}
	f, err := os.CreateTemp(folder, ".kubeadm-join-*") // 0600
	if err != nil {
		return fmt.Errorf("writing the join line: %w", err)
	}
	_, err = f.WriteString(d.at.line(*live))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), d.at.File)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("writing the join line: %w", err)
	}
	r.Log("the line is in " + d.at.File + "; its token ends at " + live.ends.UTC().Format(time.RFC3339))
	return nil
}

// revoke deletes a token, if it is gonogo's.
func (d doer) revoke(ctx context.Context, name string) error {
	o, err := d.Cluster.Get(ctx, secrets, system, name)
	if err != nil || o == nil {
		return err
	}
	if _, ours := d.token(o); !ours {
		return fmt.Errorf("Secret %s/%s is not a token of gonogo's", system, name) //nolint:staticcheck // a kind
	}
	return d.Cluster.Delete(ctx, secrets, system, name)
}
