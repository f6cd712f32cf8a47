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
	if c.Read != nil {
		mo.Keys = func(ctx context.Context) (string, string, error) {
			access, err := x.Secrets.Name(ctx, c.Read.AccessKey)
			if err != nil {
				return "", "", fmt.Errorf("finding gonogo's reading credential for the object store: %w", err)
			}
			secret, err := x.Secrets.Resolve(ctx, c.Read.SecretKey)
			if err != nil {
				return "", "", fmt.Errorf("finding gonogo's reading credential for the object store: %w", err)
			}
			return access, secret, nil
		}
	}
	x.MinIO, err = minio.New(mo)
	return err
}
