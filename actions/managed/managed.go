// Package managed tells whose objects are, so that actions do not change what something else would change back.
package managed

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// By says what manages an object and what to do instead of changing it, or nothing.
func By(o *unstructured.Unstructured) string {
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
