package lease

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/internal/platform/cluster"
)

// Event is what the platform is told of a run that ended.
type Event struct {
	Lease, Run, Who, Outcome, Plan string
	Good                           bool
	At                             time.Time
}

// Announce leaves an Event beside the Lease, where `kubectl get events` shows it.
func Announce(ctx context.Context, c *cluster.Cluster, namespace string, e Event) error {
	kind := "Warning"
	if e.Good {
		kind = "Normal"
	}
	at := e.At.UTC().Format(time.RFC3339)
	name := fmt.Sprintf("%s.%x", e.Lease, e.At.UnixNano())
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Event",
		"metadata":       map[string]any{"namespace": namespace, "name": name},
		"involvedObject": map[string]any{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "namespace": namespace, "name": e.Lease},
		"reason":         "GonogoRun", "message": fmt.Sprintf("%s of %s: %s (plan %s)", e.Run, e.Who, e.Outcome, e.Plan), "type": kind,
		"source": map[string]any{"component": "gonogo"}, "firstTimestamp": at, "lastTimestamp": at, "count": int64(1),
		"eventTime": nil, "reportingComponent": "gonogo", "reportingInstance": e.Who,
	}}
	return c.Object(schema.GroupVersionResource{Version: "v1", Resource: "events"}, namespace, name).
		Change(ctx, object, func(*unstructured.Unstructured) error { return nil })
}
