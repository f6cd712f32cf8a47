package platform

import (
	"context"
	"errors"
	"fmt"

	"github.com/254carbon/gonogo/internal/platform/cloudflare"
	"github.com/254carbon/gonogo/internal/profile"
)

func (x *Platform) openCloudflare(c *profile.Cloudflare, o Options) error {
	if c == nil {
		return notConfigured("cloudflare")
	}
	co := cloudflare.Options{BaseURL: c.APIURL, Transport: x.transport(o, nil), Now: o.Now}
	co.Account = func(ctx context.Context) (string, error) {
		if c.Account.Text != "" {
			return c.Account.Text, nil
		}
		account, err := x.Secrets.Name(ctx, c.Account.Ref)
		if err != nil {
			return "", fmt.Errorf("finding the Cloudflare account: %w", err)
		}
		return account, nil
	}
	if c.Read != nil {
		co.Token = func(ctx context.Context) (string, error) {
			token, err := x.Secrets.Resolve(ctx, c.Read.Token)
			if err != nil {
				return "", fmt.Errorf("finding gonogo's reading token for Cloudflare: %w", err)
			}
			return token, nil
		}
	}
	client, err := cloudflare.New(co)
	if err != nil {
		return err
	}
	var write func(ctx context.Context) (string, error)
	if c.Write != nil {
		write = func(ctx context.Context) (string, error) {
			if o.ReadOnly {
				return "", errors.New("in read-only mode the token of the actions for Cloudflare is not looked for")
			}
			token, err := x.Secrets.Resolve(ctx, c.Write.Token)
			if err != nil {
				return "", fmt.Errorf("finding the token of the actions for Cloudflare: %w", err)
			}
			return token, nil
		}
	}
	x.Cloudflare, x.CloudflareWriter = client, client.Writer(write)
	x.CloudflareWriter.ReadOnly = o.ReadOnly
	return nil
}
