package probes_test

import (
	"slices"
	"testing"

	"github.com/254carbon/gonogo/probes"
)

func TestSecretRefRequest(t *testing.T) {
	for _, test := range []struct {
		ref  probes.SecretRef
		want probes.Request
	}{
		{probes.SecretRef{Env: "TOKEN"}, probes.Request{Source: "environment variable TOKEN", Repeat: `test -n "$TOKEN" && echo set`}},
		{probes.SecretRef{File: "/run/it's"}, probes.Request{Source: "file /run/it's", Repeat: `wc -c '/run/it'\''s'`}},
		{probes.SecretRef{Secret: "registry/robot/password"}, probes.Request{
			Source: "secret registry/robot/password", Repeat: "kubectl describe secret -n registry robot # key password",
		}},
		{probes.SecretRef{Secret: "odd"}, probes.Request{Source: "secret odd", Repeat: "kubectl describe secret -n odd '' # key "}},
		{probes.SecretRef{Command: []string{"pass", "show", "a b"}}, probes.Request{Source: "command pass", Repeat: "pass show 'a b' | wc -c"}},
		{probes.SecretRef{}, probes.Request{Source: "nowhere", Repeat: "false # no place is named"}},
	} {
		if got := test.ref.Request(); got != test.want {
			t.Errorf("%+v: got %+v, want %+v", test.ref, got, test.want)
		}
	}
}

func TestShellWord(t *testing.T) {
	for text, want := range map[string]string{"": "''", "a-b.c": "a-b.c", "a b": "'a b'", "it's": `'it'\''s'`, "$(x)": "'$(x)'"} {
		if got := probes.ShellWord(text); got != want {
			t.Errorf("%q is quoted as %s, want %s", text, got, want)
		}
	}
}

// reachedBy are parameters that decide what a check asks over.
type reachedBy struct{ connections []string }

func (p *reachedBy) Connections() []string { return p.connections }

func TestParametersDecideConnections(t *testing.T) {
	kind := probes.KindInfo{Connection: "kubernetes", Others: []string{"harbor"}}
	for _, test := range []struct {
		params any
		want   []string
	}{
		{nil, []string{"kubernetes", "harbor"}},
		{&struct{}{}, []string{"kubernetes", "harbor"}},
		{&reachedBy{[]string{"postgres", "kubernetes"}}, []string{"postgres", "kubernetes"}},
		{&reachedBy{}, nil},
	} {
		if got := kind.ConnectionsOf(test.params); !slices.Equal(got, test.want) {
			t.Errorf("%T asks over %v, want %v", test.params, got, test.want)
		}
	}
}
