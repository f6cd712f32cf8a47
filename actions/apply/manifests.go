package apply

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/254carbon/gonogo/probes"
)

// Bounds of what is read.
const (
	maxFile    = 1 << 20
	maxObjects = 200
)

// checkPattern reports what is wrong with a pattern of files: it must stay in the checkout.
func checkPattern(pattern string) error {
	if pattern == "" || filepath.IsAbs(pattern) || slices.Contains(strings.Split(filepath.ToSlash(pattern), "/"), "..") {
		return fmt.Errorf("%q is not a pattern of files in the checkout, such as k8s/autoscaling/*.yaml", probes.Clean(pattern, 200))
	}
	if _, err := filepath.Match(pattern, ""); err != nil {
		return fmt.Errorf("%q: %w", probes.Clean(pattern, 200), err)
	}
	return nil
}

// read reads the objects of the files that patterns name, in their order.
func read(folder string, patterns []string) ([]*unstructured.Unstructured, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fmt.Errorf("opening the checkout: %w", err)
	}
	defer func() { _ = root.Close() }()
	var all []*unstructured.Unstructured
	for _, pattern := range patterns {
		names, err := filepath.Glob(filepath.Join(folder, pattern))
		if err != nil {
			return nil, fmt.Errorf("looking for %s: %w", pattern, err)
		}
		if len(names) == 0 {
			return nil, fmt.Errorf("there is no file %s in the checkout", probes.Clean(pattern, 200))
		}
		slices.Sort(names)
		for _, name := range names {
			short, err := filepath.Rel(folder, name)
			if err != nil {
				return nil, err
			}
			text, err := readFile(root, short)
			if err != nil {
				return nil, fmt.Errorf("reading %s: %w", short, err)
			}
			found, err := decode(text)
			if err != nil {
				return nil, fmt.Errorf("reading %s: %w", short, err)
			}
			if all = append(all, found...); len(all) > maxObjects {
				return nil, fmt.Errorf("the manifests hold more than %d objects", maxObjects)
			}
		}
	}
	return all, nil
}

func readFile(root *os.Root, name string) ([]byte, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("it has more than %d bytes", maxFile)
	}
	return text, err
}

// unfilled finds places that a template would fill in. What is written so in a manifest means something else than it says.
var unfilled = regexp.MustCompile(`\{\{.*?\}\}|\$\{[A-Za-z_][A-Za-z0-9_]*\}`)

// decode reads the objects of a text, lists taken apart.
func decode(text []byte) ([]*unstructured.Unstructured, error) {
	if place := unfilled.Find(text); place != nil {
		return nil, fmt.Errorf("it is a template: nobody has filled in %s", probes.Clean(string(place), 60))
	}
	var all []*unstructured.Unstructured
	documents := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for n := 1; ; n++ {
		o := &unstructured.Unstructured{}
		err := documents.Decode(&o.Object)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", n, err)
		}
		if len(o.Object) == 0 {
			continue
		}
		if o.IsList() {
			err := meta.EachListItem(o, func(item runtime.Object) error {
				u, ok := item.(*unstructured.Unstructured)
				if !ok {
					return errors.New("it is no object")
				}
				u, err := whole(u)
				all = append(all, u)
				return err
			})
			if err != nil {
				return nil, fmt.Errorf("document %d: %w", n, err)
			}
			continue
		}
		if o, err = whole(o); err != nil {
			return nil, fmt.Errorf("document %d: %w", n, err)
		}
		all = append(all, o)
	}
}

// whole is an object without what only the API server may say of it, if it is one that can be applied.
func whole(o *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	o = &unstructured.Unstructured{Object: runtime.DeepCopyJSON(numbers(o.Object))}
	switch {
	case o.GetAPIVersion() == "" || o.GetKind() == "":
		return nil, errors.New("it has no apiVersion or no kind")
	case o.GetName() == "" && o.GetGenerateName() != "":
		return nil, fmt.Errorf("a %s with generateName is another one each time: name it", o.GetKind())
	case o.GetName() == "":
		return nil, fmt.Errorf("a %s has no name", o.GetKind())
	}
	for _, field := range []string{"managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink"} {
		unstructured.RemoveNestedField(o.Object, "metadata", field)
	}
	unstructured.RemoveNestedField(o.Object, "status")
	return o, nil
}

// numbers makes whole numbers of the kind that objects have.
func numbers(m map[string]any) map[string]any {
	var walk func(v any) any
	walk = func(v any) any {
		switch v := v.(type) {
		case int:
			return int64(v)
		case uint64:
			return int64(v) //nolint:gosec // of a manifest that somebody wrote
		case []any:
			all := make([]any, len(v))
			for i := range v {
				all[i] = walk(v[i])
			}
			return all
		case map[string]any:
			all := make(map[string]any, len(v))
			for k, value := range v {
				all[k] = walk(value)
			}
			return all
		case float64:
			if v == float64(int64(v)) {
				return int64(v)
			}
			return v
		case nil, string, bool, int64:
			return v
		}
		return fmt.Sprint(v) // a date, as YAML reads some texts
	}
	made, _ := walk(m).(map[string]any)
	return made
}
