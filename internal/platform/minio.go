package platform

import (
	"context"
	"fmt"

	"github.com/254carbon/gonogo/internal/platform/minio"
	"github.com/254carbon/gonogo/internal/profile"
)

func (x *Platform) openMinIO(c *profile.MinIO, o Options) error {
	if c == nil {
		return notConfigured("minio")
	}
	roots, err := trust(c.CA, o.Roots)
	if err != nil {
		return err
	}
	mo := minio.Options{URL: c.URL, Region: c.Region, Transport: x.transport(o, roots)}
	keys := func(k *profile.Keys, whose string) func(ctx context.Context) (string, string, error) {
		if k == nil {
			return nil
		}
		return func(ctx context.Context) (string, string, error) {
			access, err := x.Secrets.Name(ctx, k.AccessKey)
			if err != nil {
				return "", "", fmt.Errorf("finding %s for the object store: %w", whose, err)
			}
			secret, err := x.Secrets.Resolve(ctx, k.SecretKey)
			if err != nil {
				return "", "", fmt.Errorf("finding %s for the object store: %w", whose, err)
			}
			return access, secret, nil
		}
	}
	mo.Keys = keys(c.Read, "gonogo's reading credential")
	if !o.ReadOnly {
		mo.WriteKeys = keys(c.Write, "the credential of the actions")
	}
	x.MinIO, err = minio.New(mo)
	return err
}
