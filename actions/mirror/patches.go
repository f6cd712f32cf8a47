package mirror

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/254carbon/gonogo/actions"
)

// patchWork is the data of the step that writes patch files.
type patchWork struct {
	Folder string            `json:"folder"`
	Files  map[string]string `json:"files"` // texts, by name
}

// patches plans patch files: the images for a kustomization, and a strategic merge patch for each workload.
func (p *planner) patches(todo []Rewrite) error {
	w := patchWork{Folder: p.patchFolder(p.in), Files: map[string]string{}}
	if w.Folder == "" {
		p.missing("there is no folder for patch files: name one with folder=")
		return nil
	}
	kustomization := map[string]any{"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component"}
	images := map[string]map[string]any{}
	ambiguous := map[string]bool{} // one repository of which two copies have names of their own: a kustomization cannot tell its tags apart
	for _, r := range todo {
		for _, c := range r.Changes {
			if c.From == c.To {
				continue
			}
			from, _, _ := strings.Cut(c.From, "@")
			name, _ := split(from)
			to, _, _ := strings.Cut(c.To, "@")
			newName, _ := split(to)
			if known := images[name]; known != nil && known["newName"] != newName {
				ambiguous[name] = true
			}
			images[name] = map[string]any{"name": name, "newName": newName} // tags and digests stay as they are
		}
		text, err := yaml.Marshal(r.object(p.PullSecret, func(c Change) string { return c.To }).Object)
		if err != nil {
			return fmt.Errorf("writing the patch of %s: %w", r.place(), err)
		}
		w.Files[strings.ToLower(r.Namespace+"."+r.Kind+"."+r.Name)+".yaml"] = string(text)
	}
	var list []any
	for _, name := range slices.Sorted(maps.Keys(images)) {
		if !ambiguous[name] {
			list = append(list, images[name])
		}
	}
	if len(ambiguous) > 0 {
		p.note("The kustomization leaves out what has several copies, whose tags it cannot tell apart; the patch of each workload has it: %s",
			strings.Join(slices.Sorted(maps.Keys(ambiguous)), ", "))
	}
	kustomization["images"] = list
	text, err := yaml.Marshal(kustomization)
	if err != nil {
		return fmt.Errorf("writing the kustomization: %w", err)
	}
	w.Files["kustomization.yaml"] = string(text)
	if w.written() {
		p.note("%d workloads pull from elsewhere; their patch files are in %s, and set apply=true changes the cluster.", len(todo), w.Folder)
		return nil
	}
	data, err := json.Marshal(w)
	if err != nil {
		return err
	}
	var detail []string
	for _, r := range todo {
		for _, line := range r.lines() {
			detail = append(detail, r.place()+" "+line)
		}
	}
	p.step(actions.Step{
		ID: "patches", Title: fmt.Sprintf("Write %d patch files", len(w.Files)), Target: w.Folder, Effect: actions.Creates, Detail: detail, Data: data,
	})
	p.note("The cluster is left as it is: apply the patch files in %s, with their kustomization as a component or one by one, or set apply=true.", w.Folder)
	return nil
}

// split takes a reference without a digest apart.
func split(reference string) (name, tag string) {
	if colon := strings.LastIndexByte(reference, ':'); colon > strings.LastIndexByte(reference, '/') {
		return reference[:colon], reference[colon+1:]
	}
	return reference, ""
}

// written reports whether every file is there as it should be.
func (w patchWork) written() bool {
	for name, want := range w.Files {
		got, err := os.ReadFile(filepath.Join(w.Folder, name))
		if err != nil || !bytes.Equal(got, []byte(want)) {
			return false
		}
	}
	return true
}

// write writes the files.
func (w patchWork) write(r actions.Reporter) error {
	if err := os.MkdirAll(w.Folder, 0o755); err != nil {
		return fmt.Errorf("making the folder for patch files: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(w.Files)) {
		if err := os.WriteFile(filepath.Join(w.Folder, name), []byte(w.Files[name]), 0o644); err != nil { //nolint:gosec // for others to read
			return fmt.Errorf("writing a patch file: %w", err)
		}
	}
	r.Log(fmt.Sprintf("%d patch files are in %s", len(w.Files), w.Folder))
	return nil
}
