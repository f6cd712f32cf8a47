// Package lease lets one operator at a time do something to a platform: a Lease of coordination.k8s.io that its holder renews, which frees
// itself when the holder is gone. Times are the API server's, so that the clocks of operators do not matter.
package lease

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/internal/platform/cluster"
	"github.com/254carbon/gonogo/probes"
)

// How a lease is kept.
const (
	duration = 40 * time.Second // after which a holder that says nothing is gone
	renewal  = 10 * time.Second
	patience = 15 * time.Second // for one exchange
)

// Options say what is locked, where, and by whom.
type Options struct {
	Cluster   *cluster.Cluster
	Namespace string
	Name      string // of the Lease
	Holder    string // unique to this attempt
	// Gone reports whether a holder is known to be gone before its lease has run out; may be nil.
	Gone func(holder string) bool
}

// Lease is a lock that is held. It is renewed until Release.
type Lease struct {
	o       Options
	object  *cluster.Object
	offset  time.Duration // of the API server's clock to this machine's
	stop    context.CancelFunc
	renewed sync.WaitGroup
	lost    chan struct{}
	why     error // why it was lost, before lost is closed
}

var leases = schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"}

// Acquire takes the lock. If another holds it, the error is an [actions.RefusedError] that says who, and since when.
func Acquire(ctx context.Context, o Options) (*Lease, error) {
	l := &Lease{o: o, object: o.Cluster.Object(leases, o.Namespace, o.Name), lost: make(chan struct{})}
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	before := time.Now()
	clock, err := o.Cluster.Clock(bounded)
	if err != nil {
		return nil, err
	}
	l.offset = clock.Sub(before)
	if err := l.write(bounded, l.take); err != nil {
		return nil, err
	}
	renewing, stop := context.WithCancel(context.WithoutCancel(ctx))
	l.stop = stop
	l.renewed.Go(func() { l.renew(renewing) })
	return l, nil
}

// Lost is closed when the lock is another's, or could not be renewed for so long that it may be.
func (l *Lease) Lost() <-chan struct{} { return l.lost }

// Why says why the lock was lost, once it was.
func (l *Lease) Why() error { return l.why }

// Release gives the lock back, unless it is another's by now.
func (l *Lease) Release(ctx context.Context) error {
	l.stop()
	l.renewed.Wait()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := l.write(ctx, func(s spec) (spec, error) {
		if s.holder != l.o.Holder {
			return s, errNotOurs
		}
		s.holder = ""
		return s, nil
	})
	if errors.Is(err, errNotOurs) {
		return nil
	}
	return err
}

func (l *Lease) now() time.Time { return time.Now().Add(l.offset).UTC() }

// spec is what a Lease says.
type spec struct {
	holder            string
	acquired, renewed time.Time
	duration          time.Duration
	changes           int64
}

var errNotOurs = errors.New("the lock is another's")

// take makes the lock ours, if it is nobody's.
func (l *Lease) take(s spec) (spec, error) {
	now := l.now()
	if s.holder != "" && s.holder != l.o.Holder && now.Before(s.renewed.Add(s.duration)) && (l.o.Gone == nil || !l.o.Gone(s.holder)) {
		return s, actions.Refuse("%s does this already, since %s: one operator at a time", probes.Clean(Who(s.holder), 200), s.acquired.UTC().Format("2 January 15:04:05 UTC"))
	}
	if s.holder != l.o.Holder {
		s.acquired, s.changes = now, s.changes+1
	}
	s.holder, s.renewed, s.duration = l.o.Holder, now, duration
	return s, nil
}

// renew keeps the lock until ctx ends or it is lost.
func (l *Lease) renew(ctx context.Context) {
	ticker := time.NewTicker(renewal)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		bounded, cancel := context.WithTimeout(ctx, patience)
		err := l.write(bounded, func(s spec) (spec, error) {
			if s.holder != l.o.Holder {
				return s, fmt.Errorf("%w: %s took it", errNotOurs, probes.Clean(Who(s.holder), 200))
			}
			s.renewed = l.now()
			return s, nil
		})
		cancel()
		switch {
		case err == nil:
			last = time.Now()
		case errors.Is(err, errNotOurs), time.Since(last) > duration-renewal:
			if ctx.Err() == nil {
				l.why = fmt.Errorf("losing the lock: %w", err)
				close(l.lost)
			}
			return
		}
	}
}

// write changes what the Lease says.
func (l *Lease) write(ctx context.Context, edit func(spec) (spec, error)) error {
	template := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
		"metadata": map[string]any{"namespace": l.o.Namespace, "name": l.o.Name, "labels": map[string]any{"app.kubernetes.io/managed-by": "gonogo"}},
	}}
	return l.object.Change(ctx, template, func(o *unstructured.Unstructured) error {
		after, err := edit(read(o))
		if err != nil {
			return err
		}
		return unstructured.SetNestedMap(o.Object, map[string]any{
			"holderIdentity": after.holder, "leaseDurationSeconds": int64(after.duration / time.Second), "leaseTransitions": after.changes,
			"acquireTime": after.acquired.UTC().Format(metav1.RFC3339Micro), "renewTime": after.renewed.UTC().Format(metav1.RFC3339Micro),
		}, "spec")
	})
}

// read reads a Lease; what it does not say is zero, and so long over.
func read(o *unstructured.Unstructured) spec {
	var s spec
	s.holder, _, _ = unstructured.NestedString(o.Object, "spec", "holderIdentity")
	s.changes, _, _ = unstructured.NestedInt64(o.Object, "spec", "leaseTransitions")
	seconds, _, _ := unstructured.NestedInt64(o.Object, "spec", "leaseDurationSeconds")
	s.duration = time.Duration(min(max(seconds, 0), 3600)) * time.Second
	for field, into := range map[string]*time.Time{"acquireTime": &s.acquired, "renewTime": &s.renewed} {
		text, _, _ := unstructured.NestedString(o.Object, "spec", field)
		*into, _ = time.Parse(time.RFC3339, text)
	}
	return s
}
