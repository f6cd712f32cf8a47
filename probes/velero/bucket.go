package velero

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/254carbon/gonogo/probes"
)

// inStore looks at the bucket in the object store itself. Without a credential to look with, what Velero found when it validated the
// location stands alone, and the evidence says so.
func (p storageProbe) inStore(ctx context.Context, r *reader, l *location) ([]finding, error) {
	if err := p.sameStore(l); err != nil {
		return nil, err
	}
	prefix := ""
	if l.Spec.ObjectStorage != nil {
		prefix = l.Spec.ObjectStorage.Prefix
	}
	b, request, err := p.buckets.Bucket(ctx, l.bucket(), prefix)
	f := finding{evidence: probes.Evidence{Subject: "bucket " + l.bucket(), Want: "exists", Got: "exists"}.From(request)}
	switch {
	case errors.Is(err, probes.ErrNoSecret):
		f.evidence.Want = "exists, as Velero found when it validated the location"
		f.evidence.Got = "not looked at: " + err.Error()
		return []finding{f}, nil
	case err != nil:
		return nil, fmt.Errorf("looking for bucket %s: %w", l.bucket(), err)
	case !b.Exists:
		f.evidence.Got = "does not exist"
		f.cause = fmt.Sprintf("bucket %s, which location %s uses, does not exist", l.bucket(), l.Name)
		return []finding{f}, nil
	}
	for _, trait := range []struct{ name, word string }{{"versioning", b.Versioning}, {"object lock", b.Lock}} {
		if trait.word != "" {
			f.evidence.Got += fmt.Sprintf(", %s %s", trait.name, trait.word)
		}
	}
	content, err := p.content(ctx, r, l, b, prefix)
	if err != nil {
		return nil, err
	}
	return []finding{f, {evidence: content.evidence.From(request), cause: content.cause}}, nil
}

// content looks whether something is stored where Completed backups should be.
func (p storageProbe) content(ctx context.Context, r *reader, l *location, b Bucket, prefix string) (finding, error) {
	f := finding{evidence: probes.Evidence{
		Subject: fmt.Sprintf("objects in %s/%s", l.bucket(), prefix), Want: "some, if there are backups", Got: "some",
	}}
	if b.Holds {
		return f, nil
	}
	f.evidence.Got = "none"
	seen, err := r.list(ctx, backupsResource())
	if err != nil {
		return f, err
	}
	done := 0
	for _, o := range seen.Items {
		one, err := decode[backup](o)
		if err != nil {
			return f, err
		}
		if one.stage() == completed && (one.Spec.StorageLocation == l.Name || one.Spec.StorageLocation == "") {
			done++
		}
	}
	if done > 0 {
		f.evidence.Got = fmt.Sprintf("none, and %s of this location Completed", plural(done, "backup"))
		f.cause = fmt.Sprintf("bucket %s is empty under %q, although %s there Completed", l.bucket(), prefix, plural(done, "backup"))
	}
	return f, nil
}

// sameStore reports whether the location writes to another store than the one that gonogo would look at. A host of the cluster's own, which
// has other names outside, cannot be compared.
func (p storageProbe) sameStore(l *location) error {
	at, err := l.endpoint()
	if err != nil || at.host == "" || at.host == p.buckets.Host() {
		return nil //nolint:nilerr // a store whose address is not written down cannot be compared
	}
	if _, err := netip.ParseAddr(at.host); err == nil {
		return nil
	}
	if _, _, _, ok := serviceName(at.host, p.params.Namespace); ok {
		return nil
	}
	return fmt.Errorf("location %s writes to %s, and gonogo's connection %s leads to %s: only one of them can be the store of the backups",
		l.Name, at.host, Store, p.buckets.Host())
}
