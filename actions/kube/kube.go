// Package kube holds what actions on a cluster share: whose an object is, and which rights are missing.
package kube

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/probes"
)

// ManagedBy says what manages an object and what to do instead of changing it, which it would change back; or nothing.
func ManagedBy(o *unstructured.Unstructured) string {
	labels, notes := o.GetLabels(), o.GetAnnotations()
	switch {
	case labels["argocd.argoproj.io/instance"] != "" || notes["argocd.argoproj.io/tracking-id"] != "":
		return "Argo CD manages it: change its source"
	case labels["kustomize.toolkit.fluxcd.io/name"] != "" || labels["helm.toolkit.fluxcd.io/name"] != "":
		return "Flux manages it: change its source"
	case strings.EqualFold(labels["app.kubernetes.io/managed-by"], "helm") || notes["meta.helm.sh/release-name"] != "":
		return "Helm manages it: change the values of its release"
	}
	return ""
}

// Right is what somebody may do to the objects of a resource. Without a namespace it is meant for the whole cluster.
type Right struct {
	Verb        string
	Resource    schema.GroupResource
	Subresource string // or nothing
	Namespace   string
}

// Reviewer asks the API server what the credential in use may do.
type Reviewer interface {
	CanI(ctx context.Context, verb, group, resource, subresource, namespace, name string) (allowed bool, why string, err error)
}

// Missing says in words which of the rights are missing, in their order. The error is that it could not be asked.
func Missing(ctx context.Context, r Reviewer, rights ...Right) ([]string, error) {
	var missing []string
	for _, want := range rights {
		what := want.Resource.String()
		if want.Subresource != "" {
			what += "/" + want.Subresource
		}
		text := fmt.Sprintf("the right to %s %s in %s", want.Verb, what, cmp.Or(want.Namespace, "the cluster"))
		allowed, why, err := r.CanI(ctx, want.Verb, want.Resource.Group, want.Resource.Resource, want.Subresource, want.Namespace, "")
		if err != nil {
			return nil, fmt.Errorf("asking for %s: %w", text, err)
		}
		if !allowed {
			missing = append(missing, strings.TrimSuffix(text+": "+probes.Clean(why, 200), ": "))
		}
	}
	return missing, nil
}

// Text is a text within an object, empty if there is none or no object.
func Text(o *unstructured.Unstructured, fields ...string) string {
	if o == nil {
		return ""
	}
	text, _, _ := unstructured.NestedString(o.Object, fields...)
	return text
}
