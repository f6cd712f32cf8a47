//go:build e2e

package e2e

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/254carbon/gonogo/internal/labtest"
	"github.com/254carbon/gonogo/internal/platform/minio"
	"github.com/254carbon/gonogo/internal/platform/transport"
)

// TestMinIO looks for buckets in a real MinIO, with the guard of read-only mode before every request.
func TestMinIO(t *testing.T) {
	t.Parallel()
	store := labtest.Start(t, labtest.Options{MinIO: true}).MinIO()
	must(t, store.Bucket("254carbon-backups"))
	look := func(name, secret string) (string, error) {
		t.Helper()
		c, err := minio.New(minio.Options{
			URL: store.URL, Transport: transport.Wrap(http.DefaultTransport, transport.Options{ReadOnly: true}),
			Keys: func(context.Context) (string, string, error) { return store.AccessKey, secret, nil },
		})
		must(t, err)
		b, request, err := c.Bucket(t.Context(), name, "cluster-backups")
		t.Logf("%s: %+v %v, by %s", name, b, err, request.Source)
		switch {
		case err != nil:
			return "", err
		case !b.Exists:
			return "missing", nil
		case b.Holds:
			return "full", nil
		}
		return "empty, versioning " + b.Versioning + ", lock " + b.Lock, nil
	}
	for name, want := range map[string]string{"254carbon-backups": "empty, versioning off, lock off", "velero-backups": "missing"} {
		if got, err := look(name, store.SecretKey); err != nil || got != want {
			t.Errorf("%s is %q (%v), want %q", name, got, err, want)
		}
	}
	if got, err := look("254carbon-backups", "hunter22hunter22"); err == nil || !strings.Contains(err.Error(), "refuses gonogo's own credential") || strings.Contains(err.Error(), "hunter22") {
		t.Errorf("with a wrong secret: %q %v", got, err)
	}
}
