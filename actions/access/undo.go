package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/254carbon/gonogo/actions"
)

// kept is the state before a run, as it is kept on this machine.
type kept struct {
	At      time.Time `json:"at"`
	Plan    string    `json:"plan"` // its digest
	Changes []change  `json:"changes"`
}

// keep writes what a plan is about to change, before anything is. A plan that is resumed keeps what was there at first.
func (a action) keep(p actions.Plan) error {
	if a.Folder == "" || p.Inputs.Switch(inputRollback) {
		return nil
	}
	k := kept{At: a.Now(), Plan: p.Digest()}
	for _, s := range p.Steps {
		var c change
		if s.Effect == actions.Reads || json.Unmarshal(s.Data, &c) != nil {
			continue
		}
		k.Changes = append(k.Changes, c)
	}
	if len(k.Changes) == 0 {
		return nil
	}
	short := strings.TrimPrefix(k.Plan, "sha256:")[:12]
	if there, err := filepath.Glob(filepath.Join(a.Folder, "before-*-"+short+".json")); err == nil && len(there) > 0 {
		return nil
	}
	raw, err := json.MarshalIndent(k, "", " ")
	if err != nil {
		return fmt.Errorf("keeping the state before: %w", err)
	}
	if err := os.MkdirAll(a.Folder, 0o700); err != nil {
		return fmt.Errorf("keeping the state before: %w", err)
	}
	path := filepath.Join(a.Folder, "before-"+k.At.UTC().Format("20060102T150405")+"-"+short+".json")
	if err := os.WriteFile(path+".new", raw, 0o600); err != nil {
		return fmt.Errorf("keeping the state before: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("keeping the state before: %w", err)
	}
	return nil
}

// earlier returns what was kept, the newest first.
func (a action) earlier() ([]kept, error) {
	if a.Folder == "" {
		return nil, nil
	}
	names, err := filepath.Glob(filepath.Join(a.Folder, "before-*.json"))
	if err != nil {
		return nil, fmt.Errorf("looking for the state before: %w", err)
	}
	slices.Sort(names)
	slices.Reverse(names)
	var all []kept
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading the state before: %w", err)
		}
		var k kept
		if err := json.Unmarshal(raw, &k); err != nil {
			return nil, fmt.Errorf("reading the state before in %s: %w", name, err)
		}
		all = append(all, k)
	}
	return all, nil
}

// rollback plans to restore what the last run changed, the last change first. What somebody changed since stays.
func (x *planner) rollback(ctx context.Context) error {
	all, err := x.earlier()
	if err != nil {
		return err
	}
	for _, k := range all {
		slices.Reverse(k.Changes)
		for _, c := range k.Changes {
			x.back(c)
		}
		if len(x.plan.Steps) > 0 {
			x.plan.Summary = fmt.Sprintf("%d changes to Access taken back, made by the run of %s", len(x.plan.Steps), k.At.UTC().Format("2 Jan 2006 15:04 MST"))
			x.note("hosts whose applications are taken away are open to anyone again")
			return x.rights(ctx, false)
		}
	}
	return actions.Refuse("%v", errLost)
}

// back plans to take one change back.
func (x *planner) back(c change) {
	now := x.find(c)
	switch {
	case now == nil:
		return
	case !x.is(c, now):
		if len(x.difference(c.Kind, now, orEmpty(c.Before))) > 0 {
			x.note("%s %s is not as that run left it, and stays", c.Kind.one(), c.Key)
		}
		return
	case c.ID == "":
		body, _ := x.API.Writable(c.Kind, now)
		x.add(change{Kind: c.Kind, ID: text(now, "id"), Key: c.Key, Before: body, Delete: true}, fmt.Sprintf("Delete %s %s", c.Kind.one(), c.Key))
	default:
		x.add(change{Kind: c.Kind, ID: c.ID, Key: c.Key, Body: c.Before, Before: c.Body}, fmt.Sprintf("Restore %s %s", c.Kind.one(), c.Key))
	}
}

func orEmpty(o Object) Object {
	if o == nil {
		return Object{}
	}
	return o
}

// find returns the thing that a change is about, as it is now, or nil.
func (x *account) find(c change) Object {
	if c.ID != "" {
		return x.byID(c.Kind, c.ID)
	}
	var found []Object
	switch c.Kind {
	case Apps:
		found = x.hosting(c.Key)
	case Policies:
		found = x.named(Policies, c.Key)
	case Providers:
		return x.provider(c.Key)
	}
	if len(found) == 0 {
		return nil
	}
	return found[0]
}

// is reports whether a thing is as a change wants it.
func (x *account) is(c change, now Object) bool {
	if c.Delete {
		return now == nil
	}
	return now != nil && len(x.difference(c.Kind, now, c.Body)) == 0
}
