package kube

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// The resources that the probes of this package read.
func nodesResource() schema.GroupVersionResource {
	return schema.GroupVersionResource{Version: "v1", Resource: "nodes"}
}
func podsResource() schema.GroupVersionResource {
	return schema.GroupVersionResource{Version: "v1", Resource: "pods"}
}

func appsResource(plural string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: plural}
}

// named is how many things a summary names before it counts the rest.
const named = 5

// enumerate joins words and counts those beyond what a line can name.
func enumerate(words []string) string {
	if more := len(words) - named; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(words[:named], ", "), more)
	}
	return strings.Join(words, ", ")
}

// plural writes "1 node", "2 nodes".
func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// because puts a controller's reason and message into one phrase.
func because(reason, message string) string {
	switch {
	case reason == "" && message == "":
		return "no reason given"
	case message == "":
		return reason
	case reason == "":
		return message
	}
	return reason + ": " + message
}

// moment writes a time of a cluster; all of them are in UTC.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

// watchAll watches several resources and returns one stop for all, which may be called again.
func watchAll(watch func(schema.GroupVersionResource, func()) func(), wake func(), resources ...schema.GroupVersionResource) func() {
	stops := make([]func(), 0, len(resources))
	for _, r := range resources {
		stops = append(stops, watch(r, wake))
	}
	return func() {
		for _, stop := range stops {
			stop()
		}
		stops = nil
	}
}

// oldest is the earlier of two times at which something was confirmed; zero means that nothing is known.
func oldest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
