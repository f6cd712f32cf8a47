package kubeapi

import (
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
)

// selection is a parsed labelSelector and fieldSelector.
type selection struct {
	labels labels.Selector
	fields fields.Selector
}

func parseSelection(r Resource, labelSelector, fieldSelector string) (selection, error) {
	l, err := labels.Parse(labelSelector)
	if err != nil {
		return selection{}, apierrors.NewBadRequest(fmt.Sprintf("unable to parse requirement: %v", err))
	}
	f, err := fields.ParseSelector(fieldSelector)
	if err != nil {
		return selection{}, apierrors.NewBadRequest(err.Error())
	}
	for _, req := range f.Requirements() {
		if !selectable(r, req.Field) {
			return selection{}, apierrors.NewBadRequest(notSelectable(r, req.Field))
		}
	}
	return selection{l, f}, nil
}

func notSelectable(r Resource, field string) string {
	if selectable(r, "status.phase") || selectable(r, "type") || selectable(r, "reason") {
		return "field label not supported: " + field
	}
	return fmt.Sprintf("%q is not a known field selector: only \"metadata.name\", \"metadata.namespace\"", field)
}

// everything says that no object is left out.
func (s selection) everything() bool { return s.labels.Empty() && s.fields.Empty() }

func (s selection) matches(obj Object) bool {
	return s.labels.Matches(labelsOf(obj)) && s.fields.Matches(fieldsOf(obj))
}

// labelsOf reads an object's labels without copying them.
type labelsOf Object

func (l labelsOf) Has(label string) bool { _, ok := l.Lookup(label); return ok }

func (l labelsOf) Get(label string) string { v, _ := l.Lookup(label); return v }

func (l labelsOf) Lookup(label string) (string, bool) {
	m, _ := metaOf(Object(l))["labels"].(Object)
	v, ok := m[label].(string)
	return v, ok
}

// fieldsOf reads an object's fields by their dotted path.
type fieldsOf Object

func (f fieldsOf) Has(field string) bool { return dig(Object(f), field) != "" }

func (f fieldsOf) Get(field string) string {
	v := dig(Object(f), field)
	if v == "" && (field == "spec.unschedulable" || field == "spec.hostNetwork") {
		return "false"
	}
	return v
}

// selectable says which fields the API server indexes for selection.
func selectable(r Resource, field string) bool {
	if field == "metadata.name" || field == "metadata.namespace" && r.Namespaced {
		return true
	}
	switch r.Group + "/" + r.Plural {
	case "/pods":
		switch field {
		case "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork",
			"status.phase", "status.podIP", "status.nominatedNodeName":
			return true
		}
	case "/namespaces":
		return field == "status.phase"
	case "/nodes":
		return field == "spec.unschedulable"
	case "/secrets":
		return field == "type"
	case "/services":
		return field == "spec.clusterIP" || field == "spec.type"
	case "/events":
		switch field {
		case "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
			"involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath",
			"reason", "reportingComponent", "source", "type":
			return true
		}
	case "batch/jobs":
		return field == "status.successful"
	case "apps/replicasets", "/replicationcontrollers":
		return field == "status.replicas"
	}
	return false
}
