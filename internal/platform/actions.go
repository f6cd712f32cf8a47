package platform

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/254carbon/gonogo/actions/mirror"
	"github.com/254carbon/gonogo/internal/platform/copier"
	"github.com/254carbon/gonogo/internal/platform/harbor"
	"github.com/254carbon/gonogo/internal/platform/transport"
	"github.com/254carbon/gonogo/internal/profile"
)

// Limits of copying images.
const (
	maxLayer       = 1 << 40         // bytes of one answer
	layerPatience  = 5 * time.Minute // for a registry that weighs a layer before it answers
	idleToRegistry = 16              // connections
)

// openActions prepares what only actions need. Nothing is resolved before an action wants it, in read-only mode nothing ever is.
func (x *Platform) openActions(p *profile.Profile, o Options) error {
	if p.Connections.Harbor == nil || x.Harbor == nil {
		return nil
	}
	c := p.Connections.Harbor
	var writer func(ctx context.Context) (string, string, error)
	if w := c.Write; w != nil {
		writer = func(ctx context.Context) (string, string, error) {
			if o.ReadOnly {
				return "", "", errors.New("in read-only mode it is not looked for")
			}
			user, err := x.Secrets.Name(ctx, w.Username)
			if err != nil {
				return "", "", fmt.Errorf("finding the credential of the actions for Harbor: %w", err)
			}
			password, err := x.Secrets.Resolve(ctx, w.Password)
			if err != nil {
				return "", "", fmt.Errorf("finding the credential of the actions for Harbor: %w", err)
			}
			return user, password, nil
		}
	}
	x.HarborAdmin = x.Harbor.Admin(writer, x.Mask.Add)
	x.HarborAdmin.ReadOnly = o.ReadOnly
	base, err := url.Parse(c.URL)
	if err != nil {
		return err
	}
	roots, err := trust(c.CA, o.Roots)
	if err != nil {
		return err
	}
	x.Copiers = func(folder, own string, credential func(ctx context.Context) (string, string, error)) (mirror.Copier, error) {
		if credential == nil {
			credential, own = x.reader(c), base.Host
		}
		made, err := copier.New(copier.Options{
			Transport: transport.New(transport.Options{
				Dial: o.Dial, Roots: roots, Now: o.Now, ReadOnly: o.ReadOnly, MaxBody: maxLayer, Patience: layerPatience, Idle: idleToRegistry,
			}),
			Credential: func(ctx context.Context, host string) (string, string, error) {
				if host != own || credential == nil {
					return "", "", nil
				}
				return credential(ctx)
			},
			Plain: func(host string) bool { return host == base.Host && base.Scheme == "http" }, Folder: folder,
		})
		if err != nil {
			return nil, err
		}
		return made, nil
	}
	return nil
}

// PatchFolder is where an action writes patch files, if nobody names another folder; empty for nowhere.
func (x *Platform) PatchFolder() string { return x.patches }

// JoinFolder is where an action writes how nodes join, if nobody names a file; empty for nowhere.
func (x *Platform) JoinFolder() string { return x.joining }

// UndoFolder is where the action that sets up single sign-on keeps the state before; empty for nowhere.
func (x *Platform) UndoFolder() string { return x.undo }

// reader finds gonogo's own reading credential for Harbor; nil if there is none.
func (x *Platform) reader(c *profile.Harbor) func(ctx context.Context) (string, string, error) {
	if c.Read == nil {
		return nil
	}
	return func(ctx context.Context) (string, string, error) {
		user, err := x.Secrets.Name(ctx, c.Read.Username)
		if err != nil {
			return "", "", fmt.Errorf("finding gonogo's reading credential for Harbor: %w", err)
		}
		password, err := x.Secrets.Resolve(ctx, c.Read.Password)
		if err != nil {
			return "", "", fmt.Errorf("finding gonogo's reading credential for Harbor: %w", err)
		}
		return user, password, nil
	}
}

var _ mirror.Admin = (*harbor.Admin)(nil)
