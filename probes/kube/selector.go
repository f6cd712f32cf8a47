package kube

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// describeSelector writes a selector as kubectl -l takes it.
func describeSelector(s *metav1.LabelSelector) string {
	switch {
	case s == nil:
		return "no selector"
	case len(s.MatchLabels)+len(s.MatchExpressions) == 0:
		return "all"
	}
	return metav1.FormatLabelSelector(s)
}

// selectorOf makes a selector of a Service into one of the kind that all others are.
func selectorOf(matchLabels map[string]string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: matchLabels}
}

// alike are pods with the same labels.
type alike struct {
	labels map[string]string
	pods   int
}

// groupAlike groups pods by their labels, as far as these are one map: a large cluster's watch keeps the labels of a workload once.
func groupAlike(pods []*Pod) []alike {
	var groups []alike
	at := map[uintptr]int{}
	for _, p := range pods {
		key := reflect.ValueOf(p.Labels).Pointer()
		if i, ok := at[key]; ok {
			groups[i].pods++
			continue
		}
		at[key] = len(groups)
		groups = append(groups, alike{p.Labels, 1})
	}
	return groups
}

// countSelected counts the pods that a selector matches.
func countSelected(s labels.Selector, pods []alike) int {
	n := 0
	for _, p := range pods {
		if s.Matches(labels.Set(p.labels)) {
			n += p.pods
		}
	}
	return n
}

func anySelected(s labels.Selector, pods []alike) bool {
	return slices.ContainsFunc(pods, func(p alike) bool { return s.Matches(labels.Set(p.labels)) })
}

// noPod says that a selector selects no pod, and what pods carry that somebody may have meant.
func noPod(s *metav1.LabelSelector, pods []alike) string {
	if len(pods) == 0 {
		return fmt.Sprintf("selects no pod (%s; its namespace has none)", describeSelector(s))
	}
	near := nearest(s, pods)
	if near == "" {
		return fmt.Sprintf("selects no pod (%s)", describeSelector(s))
	}
	return fmt.Sprintf("selects no pod (%s; pods carry %s)", describeSelector(s), near)
}

// nearest names labels of pods that resemble those that no pod carries.
func nearest(s *metav1.LabelSelector, pods []alike) string {
	if s == nil {
		return ""
	}
	var found []string
	for _, key := range slices.Sorted(maps.Keys(s.MatchLabels)) {
		value := s.MatchLabels[key]
		var values []string
		carried := false
		for _, p := range pods {
			got, ok := p.labels[key]
			carried = carried || ok && got == value
			if ok && got != value && resembles(got, value) && !slices.Contains(values, key+"="+got) {
				values = append(values, key+"="+got)
			}
		}
		if !carried {
			slices.Sort(values)
			found = append(found, values...)
		}
	}
	return enumerate(found)
}

func resembles(a, b string) bool {
	first, _, _ := strings.Cut(a, "-")
	other, _, _ := strings.Cut(b, "-")
	return first == other || strings.Contains(a, b) || strings.Contains(b, a)
}
