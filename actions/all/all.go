// Package all is the one list of the kinds of actions: it joins each kind's name with its parameters and what it needs of the platform.
package all

import (
	"fmt"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/actions/access"
	"github.com/254carbon/gonogo/actions/apply"
	"github.com/254carbon/gonogo/actions/backups"
	"github.com/254carbon/gonogo/actions/backuptest"
	"github.com/254carbon/gonogo/actions/join"
	"github.com/254carbon/gonogo/actions/mirror"
	"github.com/254carbon/gonogo/actions/script"
	"github.com/254carbon/gonogo/internal/platform"
	"github.com/254carbon/gonogo/internal/profile"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/command"
	"github.com/254carbon/gonogo/probes/edge"
	"github.com/254carbon/gonogo/probes/files"
)

// kind is a line of the list.
type kind struct {
	info  actions.KindInfo
	needs []string // connections
	build func(spec actions.Spec, params any, x *platform.Platform) (actions.Action, error)
}

// list has a line for each kind. To add a kind, add a line.
func list() []kind {
	return []kind{
		{mirror.Info(), []string{"kubernetes", "harbor"}, func(spec actions.Spec, params any, x *platform.Platform) (actions.Action, error) {
			return mirror.New(spec, *params.(*mirror.Params), mirror.Deps{
				Cluster: x.Cluster.Writer(), Projects: x.Harbor, Quotas: x.Harbor, Logins: x.Harbor, Admin: x.HarborAdmin, Host: x.HarborHost,
				Copier: x.Copiers, Hide: x.Mask.Add, Patches: x.PatchFolder(), Now: x.Now,
			}), nil
		}},
		{backups.Info(), []string{"kubernetes"}, func(spec actions.Spec, params any, x *platform.Platform) (actions.Action, error) {
			return backups.New(spec, *params.(*backups.Params), backups.Deps{Cluster: x.Cluster.Writer()}), nil
		}},
		{backuptest.Info(), []string{"kubernetes"}, func(spec actions.Spec, params any, x *platform.Platform) (actions.Action, error) {
			d := backuptest.Deps{Cluster: x.Cluster.Writer(), Record: x.Evidence, Log: x.PodLog, Fetch: x.Fetch, By: platform.By(), Now: x.Now}
			if x.MinIO != nil {
				d.Store = x.MinIO
			}
			return backuptest.New(spec, *params.(*backuptest.Params), d), nil
		}},
		{join.Info(), []string{"kubernetes"}, func(spec actions.Spec, params any, x *platform.Platform) (actions.Action, error) {
			return join.New(spec, *params.(*join.Params), join.Deps{Cluster: x.Cluster.Writer(), Hide: x.Mask.Add, Folder: x.JoinFolder(), Now: x.Now}), nil
		}},
		{apply.Info(), []string{"kubernetes"}, func(spec actions.Spec, params any, x *platform.Platform) (actions.Action, error) {
			return applying(spec, x)(*params.(*apply.Params)), nil
		}},
		{access.Info(), []string{"cloudflare"}, func(spec actions.Spec, params any, x *platform.Platform) (actions.Action, error) {
			return access.New(spec, *params.(*access.Params), access.Deps{
				API: x.CloudflareWriter, Folder: x.UndoFolder(), Now: x.Now,
				Outside: func(team, host string, paths []string) probes.Probe {
					return edge.New(x.Outside, edge.Params{Team: team, Hosts: []string{host}, Paths: paths}, x.Now)
				},
				Visit: x.Outside.Visit, Hide: x.Mask.Add, Apply: applying(spec, x), Script: scripting(spec, x),
			}), nil
		}},
		{script.Info(), []string{"checkout"}, func(spec actions.Spec, params any, x *platform.Platform) (actions.Action, error) {
			return scripting(spec, x)(*params.(*script.Params)), nil
		}},
	}
}

// applying makes actions that apply manifests; nil without a cluster.
func applying(spec actions.Spec, x *platform.Platform) func(p apply.Params) actions.Action {
	if x.Cluster == nil {
		return nil
	}
	d := apply.Deps{Cluster: x.Cluster.Writer(), ReadOnly: x.ReadOnly}
	if x.Checkout != nil {
		d.Folder = x.Checkout.Folder
	}
	return func(p apply.Params) actions.Action { return apply.New(spec, p, d) }
}

// scripting makes actions that run scripts; nil without a checkout.
func scripting(spec actions.Spec, x *platform.Platform) func(p script.Params) actions.Action {
	if x.Checkout == nil {
		return nil
	}
	return func(p script.Params) actions.Action {
		return script.New(spec, p, script.Deps{
			Folder: x.Checkout.Folder, Name: x.Checkout.Name(), Secrets: x.Secrets, Environ: command.Usual(x.Environ), Defects: files.Defects,
		})
	}
}

// Kinds describes every kind of action.
func Kinds() []actions.KindInfo {
	var infos []actions.KindInfo
	for _, k := range list() {
		infos = append(infos, k.info)
	}
	return infos
}

// Specs describes the actions of a profile, in its order, whether gonogo can do them or not.
func Specs(p *profile.Profile) []actions.Spec {
	var all []actions.Spec
	for _, a := range p.Actions {
		all = append(all, specOf(p, a))
	}
	return all
}

// specOf is what the profile alone says of an action.
func specOf(p *profile.Profile, a profile.Action) actions.Spec {
	s := actions.Spec{ID: a.ID, Kind: a.Kind, Title: a.Title, Key: a.Key, Estimate: probes.Effort(a.Estimate)}
	for _, k := range list() {
		if k.info.Name == a.Kind {
			s.About = k.info.About
		}
	}
	for _, c := range p.Checks() {
		if c.Spec.Action == a.ID {
			s.Mends = append(s.Mends, c.Spec.ID)
		}
	}
	return s
}

// Build returns an action of a profile over the connections of a platform. The error says why it cannot be done.
func Build(p *profile.Profile, id probes.ID, x *platform.Platform) (actions.Action, error) {
	a, ok := p.Action(id)
	if !ok {
		return nil, fmt.Errorf("there is no action %q in profile %s", id, p.Name)
	}
	for _, k := range list() {
		if k.info.Name != a.Kind {
			continue
		}
		for _, connection := range k.needs {
			if err := x.Trouble(connection); err != nil {
				return nil, err
			}
		}
		return k.build(specOf(p, a), a.Params, x)
	}
	return nil, fmt.Errorf("%s is done by hand: gonogo knows no action of the kind %q", a.Title, a.Kind)
}
