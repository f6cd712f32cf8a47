package mirror

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// Bounds of a folder with manifests.
const (
	maxManifest  = 8 << 20 // bytes of a file
	maxManifests = 10_000  // files
)

// manifestImages are the images of the workloads and pods that the manifests of a folder declare. Files that are no manifests are passed over;
// without a folder there are none.
func manifestImages(folder string) (map[string]bool, error) {
	images := map[string]bool{}
	if folder == "" {
		return images, nil
	}
	files := 0
	err := filepath.WalkDir(folder, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if ext := filepath.Ext(name); !d.Type().IsRegular() || ext != ".yaml" && ext != ".yml" {
			return nil
		}
		if files++; files > maxManifests {
			return fmt.Errorf("it holds more than %d manifests", maxManifests)
		}
		info, err := d.Info()
		if err != nil || info.Size() > maxManifest {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		imagesOf(text, images)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the manifests of %s: %w", folder, err)
	}
	return images, nil
}

// imagesOf adds the images that the documents of a file declare, as far as it can be read.
func imagesOf(text []byte, images map[string]bool) {
	documents := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for {
		o := &unstructured.Unstructured{}
		err := documents.Decode(&o.Object)
		if errors.Is(err, io.EOF) || err != nil {
			return
		}
		spec := templateOf(o.GetKind(), o)
		if o.GetKind() == "Pod" {
			spec, _, _ = unstructured.NestedMap(o.Object, "spec")
		}
		for _, c := range containersOf(spec) {
			images[c.Image] = true
		}
	}
}
