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
		if s.Effect == actions.Reads || json.Unmarshal(s.Data, &c) != nil || c.Kind.one() == "" { // of the services' own part, a try of a way in
			continue
		}
		k.Changes = append(k.Changes, c)
	}
	if len(k.Changes) == 0 {
		return nil
	}
	path, err := a.keptAt(k.Plan)
	if err != nil || path != "" {
		return err
	}
	path = filepath.Join(a.Folder, "before-"+k.At.UTC().Format("20060102T150405.000000000")+"-"+short(k.Plan)+".json")
	return k.write(path)
}

func short(digest string) string { return strings.TrimPrefix(digest, "sha256:")[:12] }

// keptAt is where the state before a plan is kept, or nothing.
func (a action) keptAt(plan string) (string, error) {
	there, err := filepath.Glob(filepath.Join(a.Folder, "before-*-"+short(plan)+".json"))
	if err != nil || len(there) == 0 {
		return "", err
	}
	slices.Sort(there)
	return there[len(there)-1], nil
}

// write writes what is kept, whole or not at all.
func (k kept) write(path string) error {
	raw, err := json.MarshalIndent(k, "", " ")
	if err != nil {
		return fmt.Errorf("keeping the state before: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("keeping the state before: %w", err)
	}
	if err := errors.Join(os.WriteFile(path+".new", raw, 0o600), os.Rename(path+".new", path)); err != nil {
		return fmt.Errorf("keeping the state before: %w", err)
	}
	return nil
}

// keepMade notes which thing a change made, so that going back takes that one away and no other.
func (a action) keepMade(p actions.Plan, c change, id string) error {
	if a.Folder == "" || p.Inputs.Switch(inputRollback) {
		return nil
	}
	path, err := a.keptAt(p.Digest())
	if err != nil || path == "" {
		return err
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("keeping the state before: %w", err)
	}
	var k kept
	if err := json.Unmarshal(raw, &k); err != nil {
		return fmt.Errorf("keeping the state before: %w", err)
	}
	for i := range k.Changes {
		if k.Changes[i].Kind == c.Kind && k.Changes[i].ID == "" && k.Changes[i].Key == c.Key {
			k.Changes[i].Made = id
		}
	}
	return k.write(path)
}

// earlier returns what was kept last, or nil.
func (a action) earlier() (*kept, error) {
	if a.Folder == "" {
		return nil, nil
	}
	names, err := filepath.Glob(filepath.Join(a.Folder, "before-*.json"))
	if err != nil {
		return nil, fmt.Errorf("looking for the state before: %w", err)
	}
	slices.Sort(names)
	slices.Reverse(names)
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
		return &k, nil
	}
	return nil, nil
}

// rollback plans to restore what the last run changed, the last change first. What somebody changed since stays, and what that needs.
func (x *planner) rollback(ctx context.Context) error {
	lost := actions.Refuse("there is nothing to go back to: no earlier run on this machine changed anything that is still as it left it")
	k, err := x.earlier()
	if err != nil {
		return err
	}
	if k == nil {
		return lost
	}
	slices.Reverse(k.Changes)
	going := map[string]bool{} // the ids of applications that go, or are given back other policies
	for _, c := range k.Changes {
		x.back(c, going)
	}
	if len(x.plan.Steps) == 0 {
		return lost
	}
	x.plan.Summary = fmt.Sprintf("%d changes to Access taken back, made by the run of %s", len(x.plan.Steps), k.At.UTC().Format("2 Jan 2006 15:04 MST"))
	x.note("hosts whose applications are taken away are open to anyone again")
	if len(x.Integrations) > 0 || x.Params.Script != nil {
		x.note("the services' own part stays as it is: what trusts the login at the edge is open without it, so take it back by hand first")
	}
	return x.rights(ctx, false)
}

// back plans to take one change back. Applications come before the policies that they refer to.
func (x *planner) back(c change, going map[string]bool) {
	now := x.find(c)
	if c.Made != "" {
		now = x.byID(c.Kind, c.Made)
	}
	switch {
	case now == nil:
		return
	case !x.is(c, now):
		if len(x.difference(c.Kind, now, orEmpty(c.Before))) > 0 {
			x.note("%s %s is not as that run left it, and stays", c.Kind.one(), c.Key)
		}
		return
	case c.ID == "" && c.Kind == Providers:
		x.note("the login method %s stays: by itself it lets nobody in", c.Key)
	case c.ID == "" && c.Kind == Policies && x.staysIn(now, going) != "":
		x.note("the policy %s stays, since the application %s refers to it", c.Key, x.staysIn(now, going))
	case c.ID == "":
		going[text(now, "id")] = true
		body, _ := x.API.Writable(c.Kind, now)
		x.add(change{Kind: c.Kind, ID: text(now, "id"), Key: c.Key, Before: body, Delete: true}, fmt.Sprintf("Delete %s %s", c.Kind.one(), c.Key))
	default:
		going[c.ID] = true
		x.add(change{Kind: c.Kind, ID: c.ID, Key: c.Key, Body: c.Before, Before: c.Body}, fmt.Sprintf("Restore %s %s", c.Kind.one(), c.Key))
	}
}

// staysIn names an application that refers to a policy and is not taken back.
func (x *planner) staysIn(policy Object, going map[string]bool) string {
	for _, app := range x.things[Apps] {
		if !going[text(app, "id")] && slices.ContainsFunc(x.references(app), func(r reference) bool { return r.id == text(policy, "id") }) {
			return text(app, "name")
		}
	}
	return ""
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
