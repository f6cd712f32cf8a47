package platform

import (
	"context"
	"fmt"

	"github.com/254carbon/gonogo/internal/platform/postgres"
	"github.com/254carbon/gonogo/internal/profile"
	"github.com/254carbon/gonogo/probes"
	asked "github.com/254carbon/gonogo/probes/postgres"
)

func (x *Platform) openPostgres(c *profile.Postgres, o Options) error {
	if c == nil {
		return notConfigured("postgres")
	}
	x.Postgres = x.postgresAt(c.Read.DSN, o)
	x.PostgresAt = func(dsn probes.SecretRef) asked.Database { return x.postgresAt(dsn, o) }
	return nil
}

// postgresAt is the server that a connection string leads to.
func (x *Platform) postgresAt(dsn probes.SecretRef, o Options) *postgres.Client {
	return postgres.New(postgres.Options{
		Place: dsn.String(), Dial: o.Dial, Mask: x.Mask.Add,
		DSN: func(ctx context.Context) (string, error) {
			text, err := x.Secrets.Resolve(ctx, dsn)
			if err != nil {
				return "", fmt.Errorf("finding gonogo's reading credential for PostgreSQL: %w", err)
			}
			return text, nil
		},
	})
}
