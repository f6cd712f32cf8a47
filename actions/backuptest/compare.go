package backuptest

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/actions/kube"
	"github.com/254carbon/gonogo/probes"
)

func base64Of(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// compare compares what came back with what went in.
func (d *doer) compare(ctx context.Context, r actions.Reporter) error {
	began := d.Now()
	wrong, digest, err := d.objects(ctx, r)
	if err != nil {
		return err
	}
	if d.chosen.Volume {
		faults, err := d.volume(ctx, r)
		wrong = append(wrong, faults...)
		if err != nil && len(wrong) == 0 {
			return err
		}
		if err != nil {
			r.Log(err.Error())
		}
		digest += d.Bytes
	}
	if len(wrong) > 0 {
		text := strings.Join(wrong, "; ")
		return errors.Join(fmt.Errorf("what came back is not what went in: %s", text), d.wanting(text))
	}
	if d.Equal.IsZero() {
		now := d.Now()
		rto := max(d.Back.Sub(d.state.Restore)+now.Sub(began), 100*time.Millisecond).Seconds() // what lay between is nobody's waiting
		if err := d.note(func() { d.Equal, d.RTO, d.Found = now, rto, fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(digest))) }); err != nil {
			return err
		}
	}
	r.Log(fmt.Sprintf("RTO: %.1f s from the begin of the restore until its content was found equal", d.RTO))
	return nil
}

// objects compares the objects, and returns what is wrong and, of what is not, a text that stands for it.
func (d *doer) objects(ctx context.Context, r actions.Reporter) (wrong []string, equal string, err error) {
	for _, want := range []struct {
		resource schema.GroupVersionResource
		kind     string
		fields   map[string]any
	}{
		{configMaps, "ConfigMap", map[string]any{"data": d.configData()}},
		{secrets, "Secret", map[string]any{"data": d.secretData(), "type": "Opaque"}},
	} {
		o, err := d.Cluster.Get(ctx, want.resource, d.scratch(), canaryName)
		if err != nil {
			return nil, "", err
		}
		if faults := d.differs(want.kind, o, want.fields); len(faults) > 0 {
			wrong = append(wrong, faults...)
			continue
		}
		for _, field := range slices.Sorted(maps.Keys(want.fields)) {
			equal += fmt.Sprintf("%s %s %v\n", want.kind, field, want.fields[field])
		}
		r.Log(want.kind + " " + canaryName + ": equal")
	}
	return wrong, equal, nil
}

// volume compares the claim and the bytes behind it.
func (d *doer) volume(ctx context.Context, r actions.Reporter) ([]string, error) {
	o, err := d.Cluster.Get(ctx, claims, d.scratch(), canaryName)
	if err != nil {
		return nil, err
	}
	want, _, _ := unstructured.NestedMap(d.claim("").Object, "spec")
	if faults := d.differs("PersistentVolumeClaim", o, map[string]any{"spec": want}); len(faults) > 0 {
		return faults, nil
	}
	sum, err := d.sum(ctx, d.scratch(), r)
	switch {
	case err != nil:
		return nil, err
	case sum != d.Bytes:
		return []string{fmt.Sprintf("the bytes of the volume are others (sha256 %s, not %s)", sum[:12], d.Bytes[:12])}, nil
	}
	r.Log("1 MiB of bytes: equal")
	return nil, nil
}

// differs says how an object differs from what went in, field by field, without showing any content.
func (d *doer) differs(kind string, o *unstructured.Unstructured, fields map[string]any) []string {
	if o == nil {
		return []string{fmt.Sprintf("%s %s is missing", kind, canaryName)}
	}
	var wrong []string
	if from := o.GetLabels()["velero.io/backup-name"]; from != d.canary() {
		wrong = append(wrong, fmt.Sprintf("%s %s was not restored by Velero from this backup", kind, canaryName))
	}
	if o.GetLabels()[runLabel] != d.Suffix {
		wrong = append(wrong, fmt.Sprintf("%s %s: its label %s is missing", kind, canaryName, runLabel))
	}
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		wrong = append(wrong, unlike(fmt.Sprintf("%s %s: %s", kind, canaryName, field), fields[field], o.Object[field], kind == "PersistentVolumeClaim")...)
	}
	return wrong
}

// unlike says where two values differ, by path. Where more is allowed, only what is wanted is looked at.
func unlike(path string, want, got any, more bool) []string {
	wanted, ok := want.(map[string]any)
	if !ok {
		if !reflect.DeepEqual(want, got) {
			return []string{path + " is another"}
		}
		return nil
	}
	have, _ := got.(map[string]any)
	var wrong []string
	for _, k := range slices.Sorted(maps.Keys(wanted)) {
		if _, there := have[k]; !there {
			wrong = append(wrong, path+"."+k+" is missing")
			continue
		}
		wrong = append(wrong, unlike(path+"."+k, wanted[k], have[k], more)...)
	}
	for _, k := range slices.Sorted(maps.Keys(have)) {
		if _, there := wanted[k]; !there && !more {
			wrong = append(wrong, path+"."+probes.Clean(k, 60)+" was not there before")
		}
	}
	return wrong
}

// real are the objects of a namespace that a sample is about, by kind and name. What belongs to something else, and what the cluster makes by
// itself, is not restored for its own sake.
func (d *doer) real(ctx context.Context, space string) (map[string]*unstructured.Unstructured, error) {
	all := map[string]*unstructured.Unstructured{}
	for kind, resource := range map[string]schema.GroupVersionResource{"ConfigMap": configMaps, "Secret": secrets} {
		items, err := d.Cluster.List(ctx, resource, space)
		if err != nil {
			return nil, fmt.Errorf("listing %s in %s: %w", resource.Resource, space, err)
		}
		for _, o := range items {
			made := o.GetLabels()["velero.io/exclude-from-backup"] == "true" || len(o.GetOwnerReferences()) > 0 || o.GetName() == "kube-root-ca.crt" || kube.Text(o, "type") == "kubernetes.io/service-account-token"
			if !made {
				all[kind+" "+o.GetName()] = o
			}
		}
	}
	return all, nil
}

func anys(texts []string) []any {
	all := make([]any, len(texts))
	for i, text := range texts {
		all[i] = text
	}
	return all
}

func (d *doer) backUpSample(ctx context.Context, r actions.Reporter) error {
	if d.Before == nil {
		before := map[string]string{}
		for _, space := range d.chosen.Sample {
			all, err := d.real(ctx, space)
			if err != nil {
				return err
			}
			for key, o := range all {
				if len(o.GetFinalizers()) > 0 {
					return fmt.Errorf("%s in %s has finalizers (%s), with which a copy could not be taken away again: leave that namespace out of the sample",
						probes.Clean(key, 200), space, probes.Clean(strings.Join(o.GetFinalizers(), ", "), 200))
				}
				before[space+" "+key] = o.GetResourceVersion()
			}
			r.Log(fmt.Sprintf("%s: %d objects", space, len(all)))
		}
		if err := d.note(func() { d.Before = before }); err != nil {
			return err
		}
	}
	o, err := d.velero(ctx, "Backup", backups, d.sampleBackup(), map[string]any{
		"includedNamespaces": anys(d.chosen.Sample), "includedResources": anys(kinds(false)), "includeClusterResources": false,
		"storageLocation": d.chosen.Location, "ttl": "1h0m0s", "snapshotVolumes": false,
	}, r)
	if err != nil {
		return errors.Join(err, d.wrongBackup(o))
	}
	return nil
}

func (d *doer) restoreSample(ctx context.Context, r actions.Reporter) error {
	mapping := map[string]any{}
	for i, space := range d.chosen.Sample {
		if err := d.enclose(ctx, d.sampleSpace(i)); err != nil {
			return err
		}
		mapping[space] = d.sampleSpace(i)
	}
	o, err := d.velero(ctx, "Restore", restores, d.sampleBackup(), map[string]any{
		"backupName": d.sampleBackup(), "includedNamespaces": anys(d.chosen.Sample), "includedResources": anys(kinds(false)),
		"namespaceMapping": mapping, "restorePVs": false, "existingResourcePolicy": "none",
	}, r)
	if err != nil && o != nil && slices.Contains(measured, phaseOf(o)) {
		return errors.Join(err, d.wanting("the restore of the sample is "+phaseOf(o)+because(o)))
	}
	return err
}

// compareSample compares what came back of real namespaces with what is there, as far as that did not change since.
func (d *doer) compareSample(ctx context.Context, r actions.Reporter) error {
	var wrong []string
	equal, changed := 0, 0
	var empty []string
	for i, space := range d.chosen.Sample {
		live, err := d.real(ctx, space)
		if err != nil {
			return err
		}
		back, err := d.real(ctx, d.sampleSpace(i))
		if err != nil {
			return err
		}
		before := equal + len(wrong)
		for _, key := range slices.Sorted(maps.Keys(live)) {
			o := live[key]
			switch version, there := d.Before[space+" "+key]; {
			case !there:
			case version != o.GetResourceVersion():
				changed++
			case back[key] == nil:
				wrong = append(wrong, fmt.Sprintf("%s in %s is missing", probes.Clean(key, 200), space))
			default:
				faults := len(wrong)
				for _, field := range []string{"data", "binaryData", "type", "immutable"} {
					wrong = append(wrong, unlike(fmt.Sprintf("%s in %s: %s", probes.Clean(key, 200), space, field), orMap(o.Object[field]), orMap(back[key].Object[field]), false)...)
				}
				if len(wrong) == faults {
					equal++
				}
			}
		}
		if equal+len(wrong) == before {
			empty = append(empty, space)
		}
	}
	r.Log(fmt.Sprintf("%d objects equal, %d changed meanwhile and were not compared", equal, changed))
	if len(wrong) > 0 {
		text := strings.Join(wrong[:min(len(wrong), 5)], "; ")
		if more := len(wrong) - 5; more > 0 {
			text += fmt.Sprintf("; and %d more", more)
		}
		return errors.Join(fmt.Errorf("what came back of the sample is not what is there: %s", text), d.wanting(text))
	}
	if len(empty) > 0 {
		return fmt.Errorf("nothing could be compared of %s: it holds nothing of the sample's kinds, or all of it changed meanwhile", strings.Join(empty, ", "))
	}
	return d.note(func() { d.Sampled = equal })
}

// orMap is an empty map for what is not there, which is the same.
func orMap(v any) any {
	if v == nil {
		return map[string]any{}
	}
	return v
}
