package secrets

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/254carbon/gonogo/probes"
)

type cluster map[string]string

func (c cluster) Secret(_ context.Context, namespace, name, key string) (string, error) {
	value, ok := c[namespace+"/"+name+"/"+key]
	if !ok {
		return "", fmt.Errorf("secret %s in %s: %w", name, namespace, probes.ErrNoSecret)
	}
	return value, nil
}

func TestResolve(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "token")
	large := filepath.Join(dir, "large")
	for name, text := range map[string]string{path: "from-file\n", large: strings.Repeat("x", maxSecret+1)} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := Resolver{
		Getenv: func(name string) (string, bool) {
			v, ok := map[string]string{"SET": "from-env", "EMPTY": ""}[name]
			return v, ok
		},
		Cluster: cluster{"registry/robot/password": "from-secret"},
		Mask:    &Mask{},
	}
	tests := []struct {
		name    string
		ref     probes.SecretRef
		want    string
		missing bool
	}{
		{"variable", probes.SecretRef{Env: "SET"}, "from-env", false},
		{"variable that is not set", probes.SecretRef{Env: "UNSET"}, "", true},
		{"empty variable", probes.SecretRef{Env: "EMPTY"}, "", true},
		{"file", probes.SecretRef{File: path}, "from-file", false},
		{"no such file", probes.SecretRef{File: path + "x"}, "", true},
		{"a directory", probes.SecretRef{File: dir}, "", false},
		{"too large", probes.SecretRef{File: large}, "", false},
		{"secret", probes.SecretRef{Secret: "registry/robot/password"}, "from-secret", false},
		{"no such secret", probes.SecretRef{Secret: "registry/robot/other"}, "", true},
		{"odd secret", probes.SecretRef{Secret: "registry/robot"}, "", false},
		{"command", probes.SecretRef{Command: []string{"echo", "from-command"}}, "from-command", false},
		{"command that fails", probes.SecretRef{Command: []string{"false"}}, "", false},
		{"two places", probes.SecretRef{Env: "SET", File: path}, "", false},
		{"nowhere", probes.SecretRef{}, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := r.Resolve(t.Context(), tt.ref)
			if got != tt.want || (err == nil) != (tt.want != "") || errors.Is(err, probes.ErrNoSecret) != tt.missing {
				t.Errorf("%q, %v; want %q, missing %v", got, err, tt.want, tt.missing)
			}
		})
	}
	r.ReadOnly = true
	if _, err := r.Resolve(t.Context(), probes.SecretRef{Command: []string{"echo", "x"}}); err == nil {
		t.Error("a command ran in read-only mode")
	}
}

func TestMaskTakesEveryFormOut(t *testing.T) {
	var m Mask
	m.Add("s3cr3t/with +odd")
	m.Add("line one\nline two")
	m.Add("ab") // too short to mask
	for _, text := range []string{
		"user:s3cr3t/with +odd@host", "?p=s3cr3t%2Fwith+%2Bodd", "s3cr3t%2Fwith%20+odd", "czNjcjN0L3dpdGggK29kZA==", "it said line two",
	} {
		got := m.Apply(text)
		if got == text || strings.Contains(got, "s3cr3t") || strings.Contains(got, "line two") {
			t.Errorf("%q became %q", text, got)
		}
	}
	if got := m.Apply("about"); got != "about" {
		t.Errorf("%q", got)
	}
}

func TestMaskSeesWhatWillBeShown(t *testing.T) {
	m := &Mask{}
	m.Add("hunter2secret")
	m.Add("two  blanks\there")
	m.Add(`quo"te\d<>`)
	show := func(text string) string {
		r := probes.Ask(t.Context(), probes.Check{
			Spec:  probes.Spec{ID: "x", Timeout: time.Minute},
			Probe: m.Wrap(probes.ProbeFunc(func(context.Context) (probes.Observation, error) { return probes.Observation{}, errors.New(text) })),
		}, nil)
		return r.Err.Error()
	}
	basic := func(user string) string { return base64.StdEncoding.EncodeToString([]byte(user + ":hunter2secret")) }
	for _, text := range []string{
		"it said hunter\x1b[0m2secret", "hun\u200bter2secret", "\x1b]0;t\x07hunter2\x00secret", "a two  blanks\there b",
		`{"password":"quo\"te\\d<>"}`, `{"password":"quo\"te\\d\u003c\u003e"}`, fmt.Sprintf("%q", `quo"te\d<>`),
		"Authorization: Basic " + basic("u"), "Authorization: Basic " + basic("us"), "Authorization: Basic " + basic("use"),
	} {
		got := show(text)
		for _, part := range []string{"hunter2", "ter2secret", "blanks", "quo", basic("u")[8:16], basic("us")[8:16], basic("use")[8:16]} {
			if strings.Contains(got, part) {
				t.Errorf("%q is shown as %q", text, got)
			}
		}
	}
}

func TestAPanicShowsNoSecret(t *testing.T) {
	m := &Mask{}
	m.Add("hunter2")
	r := probes.Ask(t.Context(), probes.Check{
		Spec:  probes.Spec{ID: "x", Timeout: time.Minute},
		Probe: m.Wrap(probes.ProbeFunc(func(context.Context) (probes.Observation, error) { panic("no room for hunter2") })),
	}, nil)
	if r.Err == nil || !strings.Contains(r.Err.Error(), "crashed") || strings.Contains(r.Err.Error(), "hunter2") {
		t.Errorf("error %v", r.Err)
	}
}

func TestWrappedProbesShowNoSecret(t *testing.T) {
	m := &Mask{}
	m.Add("hunter2")
	p := m.Wrap(probes.ProbeFunc(func(context.Context) (probes.Observation, error) {
		e := probes.Evidence{Subject: "hunter2", Want: "hunter2", Got: "hunter2", Source: "hunter2", Repeat: "curl -u a:hunter2"}
		return probes.Observation{Status: probes.Fail, Summary: "hunter2 is wrong", Evidence: []probes.Evidence{e}}, nil
	}))
	o, err := p.Observe(t.Context())
	if err != nil || strings.Contains(fmt.Sprint(o), "hunter2") {
		t.Errorf("%v, %v", o, err)
	}
	cause := errors.New("dialing with hunter2")
	_, err = m.Wrap(probes.ProbeFunc(func(context.Context) (probes.Observation, error) { return probes.Observation{}, cause })).Observe(t.Context())
	if !errors.Is(err, cause) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error %v", err)
	}
}
