package velero

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/kube/kubefake"
	"github.com/254carbon/gonogo/probes/probetest"
)

type buckets struct {
	shows Bucket
	err   error
	host  string
}

func (b buckets) Host() string { return b.host }

func (b buckets) Bucket(_ context.Context, name, prefix string) (Bucket, probes.Request, error) {
	return b.shows, probes.Request{Source: "GET s3://" + name + "/" + prefix, Repeat: "mc ls store/" + name}, b.err
}

func TestStorage(t *testing.T) {
	newWith := func(b Buckets, objects ...object) func(*testing.T) probes.Probe {
		return func(*testing.T) probes.Probe {
			p := StorageInfo().Params().(*StorageParams)
			p.Bucket = "254carbon-backups"
			if err := p.Validate(); err != nil {
				t.Fatal(err)
			}
			return NewStorage(cluster(objects...), b, *p, clock)
		}
	}
	one := func(over object) func(*testing.T) probes.Probe { return newWith(nil, locationOf("default", over)) }
	on := func(c func() *kubefake.Cluster) func(*testing.T) probes.Probe {
		return always(c, func(c *kubefake.Cluster) probes.Probe {
			return NewStorage(c, nil, StorageParams{Namespace: "velero", ValidationFrequency: time.Minute}, clock)
		})
	}
	fail := func(name string, p func(*testing.T) probes.Probe, says ...string) probetest.World {
		return probetest.World{Name: name, New: p, Want: probes.Fail, Says: says}
	}
	probetest.Suite{
		New: one(nil),
		Worlds: []probetest.World{
			fail("not installed", on(func() *kubefake.Cluster { return kubefake.New() }), "not installed"),
			fail("no location", newWith(nil), "no backup storage location in velero"),
			fail("none is default", one(object{"spec.default": false}), "no location is the default", "of default"),
			fail("two are default", newWith(nil, locationOf("a", nil), locationOf("b", nil)), "2 locations"),
			fail("unavailable", one(object{"status.phase": "Unavailable", "status.message": "AccessDenied: \x1b[31mno"}), "Unavailable: AccessDenied"),
			fail("never validated", one(object{"status": nil}), "never validated"),
			fail("no time of validation", one(object{"status.lastValidationTime": nil}), "never validated"),
			fail("stale while Available", one(object{"status.lastValidationTime": ago(4 * time.Minute)}), "says Available", "4 min ago", "server is dead"),
			fail("stale by its own frequency", one(object{"spec.validationFrequency": "10s"}), "server is dead"),
			fail("another bucket", one(object{"spec.objectStorage.bucket": "velero-backups"}), "velero-backups, not 254carbon-backups"),
			fail("no object storage", one(object{"spec.objectStorage": nil}), "names no bucket"),
			fail("read only", one(object{"spec.accessMode": "ReadOnly"}), "ReadOnly"),
			fail("the bucket does not exist", newWith(buckets{}, locationOf("default", nil)), "bucket 254carbon-backups", "does not exist"),
			fail("fails whatever the store says", newWith(buckets{err: errors.New("refused")}, locationOf("default", object{"status.phase": "Unavailable"})), "Unavailable"),
			fail("the bucket is empty", newWith(buckets{shows: Bucket{Exists: true}}, locationOf("default", nil), backupOf("a", "daily", time.Hour, object{"spec.storageLocation": "default"})),
				"empty under \"cluster-backups\"", "1 backup there Completed"),
			{Name: "empty as yet", Want: probes.Pass, New: newWith(buckets{shows: Bucket{Exists: true}}, locationOf("default", nil),
				backupOf("a", "daily", time.Hour, object{"spec.storageLocation": "other"}))},
			{Name: "nothing to look with", Want: probes.Pass, Shows: []string{"not looked at", "as Velero found"},
				New: newWith(buckets{err: fmt.Errorf("MINIO_ACCESS_KEY: %w", probes.ErrNoSecret)}, locationOf("default", nil))},
			{Name: "a Service of the cluster", Want: probes.Pass, New: newWith(buckets{shows: Bucket{Exists: true, Holds: true}, host: "s3.example.org"},
				locationOf("default", object{"spec.config.s3Url": "http://minio-service.data-platform.svc:9000"}))},
			{Name: "slower frequency", New: one(object{"spec.validationFrequency": "1h", "status.lastValidationTime": ago(2 * time.Hour)}), Want: probes.Pass},
			{
				Name: "validation switched off", Want: probes.Pass, Shows: []string{"not demanded"},
				New: one(object{"spec.validationFrequency": "0s", "status.lastValidationTime": ago(1000 * time.Hour)}),
			},
			{Name: "a second location", New: newWith(nil, locationOf("default", nil), locationOf("other", object{"spec.default": false, "status.phase": "Unavailable"})), Want: probes.Pass},
			{Name: "the bucket exists", New: newWith(buckets{shows: Bucket{Exists: true, Holds: true, Versioning: "Enabled"}}, locationOf("default", nil)), Want: probes.Pass, Shows: []string{"GET s3://254carbon-backups/cluster-backups", "versioning Enabled"}},
			{Name: "clocks apart by a little", New: one(object{"status.lastValidationTime": ago(-30 * time.Second)}), Want: probes.Pass},
		},
		Errors: []probetest.Failure{
			{
				Name: "forbidden", Is: apierrors.IsForbidden, Says: []string{"listing backupstoragelocations.velero.io in velero"},
				New: on(func() *kubefake.Cluster { return cluster().Forbid(locationsResource()) }),
			},
			{Name: "unauthorised", Is: apierrors.IsUnauthorized, New: on(func() *kubefake.Cluster {
				return cluster().Refuse(locationsResource(), apierrors.NewUnauthorized("expired"))
			})},
			{Name: "only a part seen", New: on(func() *kubefake.Cluster { return cluster().Narrow("only the namespaces a, b") }), Says: []string{"only the namespaces"}},
			{Name: "wrong type", New: one(object{"spec.default": "yes"}), Says: []string{"reading backupstoragelocation default"}},
			{Name: "a time that is none", New: one(object{"status.lastValidationTime": "yesterday"}), Says: []string{"reading backupstoragelocation"}},
			{Name: "clocks apart", New: one(object{"status.lastValidationTime": ago(-time.Hour)}), Says: []string{"clocks"}},
			{Name: "another store", Says: []string{"writes to backups.example.org", "leads to s3.example.org"},
				New: newWith(buckets{shows: Bucket{Exists: true}, host: "s3.example.org"}, locationOf("default", object{"spec.config.s3Url": "https://backups.example.org"}))},
			{Name: "the store refuses", New: newWith(buckets{err: errors.New("403 Forbidden")}, locationOf("default", nil)), Says: []string{"looking for bucket 254carbon-backups", "403"}},
		},
		Hanging: on(func() *kubefake.Cluster { return cluster().Hang() }),
	}.Run(t)
}

func TestStorageIsAsFreshAsItsSource(t *testing.T) {
	c := cluster(locationOf("default", nil))
	seenAt := noon.Add(-42 * time.Second)
	p := NewStorage(confirmedAt{c, seenAt}, nil, StorageParams{Namespace: "velero", ValidationFrequency: time.Minute}, clock)
	obs, err := p.Observe(t.Context())
	if err != nil || !obs.Confirmed.Equal(seenAt) {
		t.Errorf("confirmed %s (%v), want %s", obs.Confirmed, err, seenAt)
	}
}
