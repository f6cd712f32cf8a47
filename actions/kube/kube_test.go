package kube_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/actions/kube"
)

// allows lets its verbs through, and breaks at the verb "break".
type allows []string

func (a allows) CanI(_ context.Context, verb, _, _, _, _, _ string) (bool, string, error) {
	if verb == "break" {
		return false, "", errors.New("no answer")
	}
	why := ""
	if verb == "delete" {
		why = "nobody may\x1b[2J"
	}
	return slices.Contains(a, verb), why, nil
}

func TestMissingRightsAreNamed(t *testing.T) {
	schedules := schema.GroupResource{Group: "velero.io", Resource: "schedules"}
	right := func(verb, namespace string) kube.Right {
		return kube.Right{Verb: verb, Resource: schedules, Namespace: namespace}
	}
	got, err := kube.Missing(t.Context(), allows{"get"}, right("get", "velero"), right("patch", "velero"), right("delete", ""))
	want := []string{"the right to patch schedules.velero.io in velero", "the right to delete schedules.velero.io in the cluster: nobody may"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q (%v), want %q", got, err, want)
	}
	if got, err := kube.Missing(t.Context(), allows{"break"}, right("break", "velero")); err == nil || got != nil {
		t.Errorf("what could not be asked is %q", got)
	}
}
