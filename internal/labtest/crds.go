package labtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// crdResource is where custom resource definitions are created.
func crdResource() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
}

// applyCRDs creates the definitions in a folder whose file names contain only, and
// waits until the API server serves them.
func (l *Lab) applyCRDs(ctx context.Context, folder, only string) error {
	files, err := filepath.Glob(filepath.Join(folder, "*"+only+"*.yaml"))
	if err != nil {
		return fmt.Errorf("listing custom resource definitions: %w", err)
	}
	if len(files) == 0 {
		return fmt.Errorf("listing custom resource definitions: none in %s", folder)
	}
	var names []string
	for _, file := range files {
		objects, err := readObjects(file)
		if err != nil {
			return err
		}
		for _, object := range objects {
			_, err := l.dynamic.Resource(crdResource()).Create(ctx, object, metav1.CreateOptions{})
			if err != nil && !apierrors.IsAlreadyExists(err) {
				return fmt.Errorf("creating the custom resource definition %s: %w", object.GetName(), err)
			}
			names = append(names, object.GetName())
		}
	}
	for _, name := range names {
		err := WaitFor(ctx, "waiting for the custom resource definition "+name, startLimit, retry, func(ctx context.Context) (bool, error) {
			crd, err := l.dynamic.Resource(crdResource()).Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return false, err
			}
			return hasCondition(crd, "Established"), nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// hasCondition tells whether a condition of the object's status is True.
func hasCondition(object *unstructured.Unstructured, kind string) bool {
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	for _, entry := range conditions {
		condition, ok := entry.(map[string]any)
		if ok && condition["type"] == kind && condition["status"] == "True" {
			return true
		}
	}
	return false
}

// readObjects reads the documents of a YAML file.
func readObjects(path string) ([]*unstructured.Unstructured, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading objects: %w", err)
	}
	var objects []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(string(text)), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(object)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading objects in %s: %w", path, err)
		}
		if len(object.Object) > 0 {
			objects = append(objects, object)
		}
	}
}
