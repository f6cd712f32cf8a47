package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/probes"
)

// Open implements [actions.Action].
func (a action) Open(ctx context.Context, p actions.Plan, folder string) (actions.Doer, error) {
	d := &doer{action: a, plan: p, inputs: p.Inputs, test: testPrefix + strings.TrimPrefix(p.Digest(), "sha256:")[:12]}
	for _, part := range []func() (actions.Action, bool){a.applied, a.scripted} {
		inner, wanted := part()
		if !wanted || inner == nil {
			continue
		}
		opened, err := inner.Open(ctx, p, folder)
		if err != nil {
			return nil, err
		}
		d.parts = append(d.parts, opened)
	}
	return d, nil
}

// doer carries out steps.
type doer struct {
	action
	plan   actions.Plan
	inputs actions.Inputs
	test   string         // the name of what the positive test makes
	parts  []actions.Doer // of the services' own part

	mu   sync.Mutex
	seen map[Kind]look
}

// look is what was read of one kind, and when.
type look struct {
	things []Object
	at     time.Time
}

// fresh is how long what was read may be used, while nobody but this run changes anything that it knows of.
const fresh = 20 * time.Second

// Close implements [actions.Doer].
func (d *doer) Close() error {
	var errs []error
	for _, part := range d.parts {
		errs = append(errs, part.Close())
	}
	return errors.Join(errs...)
}

// part is who carries out a step of the services' own part, or nil.
func (d *doer) part(s actions.Step) actions.Doer {
	switch _, applied := d.applied(); {
	case strings.HasPrefix(s.ID, "apply ") && applied:
		return d.parts[0]
	case s.ID == "run" && len(d.parts) > 0:
		return d.parts[len(d.parts)-1]
	}
	return nil
}

// account reads the account, or what is known of it if that is fresh.
func (d *doer) account(ctx context.Context) (*account, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	x := &account{things: map[Kind][]Object{}}
	for _, k := range []Kind{Providers, Policies, Apps} {
		seen, ok := d.seen[k]
		if !ok || time.Since(seen.at) > fresh {
			things, err := d.API.List(ctx, k)
			if err != nil {
				return nil, err
			}
			seen = look{things, time.Now()}
			if d.seen == nil {
				d.seen = map[Kind]look{}
			}
			d.seen[k] = seen
		}
		x.things[k] = slices.Clone(seen.things)
	}
	return x, nil
}

// forget has a kind read again.
func (d *doer) forget(k Kind) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.seen, k)
}

// wrote takes in what the API answered to a write.
func (d *doer) wrote(k Kind, id string, o Object) {
	d.mu.Lock()
	defer d.mu.Unlock()
	seen := d.seen[k]
	seen.things = slices.Clone(seen.things)
	seen.things = slices.DeleteFunc(seen.things, func(known Object) bool { return text(known, "id") == id })
	if o != nil {
		seen.things = append(seen.things, o)
	}
	if d.seen != nil {
		d.seen[k] = seen
	}
}

// Done implements [actions.Doer].
func (d *doer) Done(ctx context.Context, s actions.Step) (bool, error) {
	if part := d.part(s); part != nil {
		return part.Done(ctx, s)
	}
	if s.Effect == actions.Reads || s.ID == stepPositive || s.ID == stepNothing {
		return false, nil
	}
	var c change
	if err := json.Unmarshal(s.Data, &c); err != nil {
		return false, fmt.Errorf("reading the step %s: %w", s.ID, err)
	}
	d.forget(c.Kind)
	x, err := d.account(ctx)
	if err != nil {
		return false, err
	}
	return x.is(c, x.find(c)), nil
}

// Do implements [actions.Doer].
func (d *doer) Do(ctx context.Context, s actions.Step, r actions.Reporter) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if part := d.part(s); part != nil {
		return part.Do(ctx, s, r)
	}
	switch {
	case s.ID == stepPositive:
		return d.positive(ctx, s, r)
	case s.ID == stepNothing:
		return d.nothing(ctx, r)
	case s.ID == stepRights:
		return d.try(ctx, r)
	case s.ID == stepOperator:
		return d.operator(ctx, s, r)
	case strings.HasPrefix(s.ID, validate):
		return d.look(ctx, s, r)
	}
	var c change
	if err := json.Unmarshal(s.Data, &c); err != nil {
		return fmt.Errorf("reading the step %s: %w", s.ID, err)
	}
	for _, line := range s.Detail {
		r.Log(line)
	}
	if err := d.keep(d.plan); err != nil { // before anything is changed
		return err
	}
	return d.change(ctx, c, r)
}

// try asks what the token may do, by requests that change nothing.
func (d *doer) try(ctx context.Context, r actions.Reporter) error {
	missing, err := d.API.Try(ctx, kindsOf(d.inputs.Switch(inputPositive))...)
	if blocked := (*BlockedError)(nil); errors.As(err, &blocked) {
		if err := d.wait(ctx, blocked, r); err != nil {
			return err
		}
		return d.try(ctx, r)
	}
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return &actions.StopError{Err: fmt.Errorf("the token of the actions for Cloudflare lacks the permission group %q; nothing was changed", strings.Join(missing, `", "`))}
	}
	return nil
}

// operator tests whether an address will be let in.
func (d *doer) operator(ctx context.Context, s actions.Step, r actions.Reporter) error {
	var p probe
	if err := json.Unmarshal(s.Data, &p); err != nil {
		return fmt.Errorf("reading the step %s: %w", s.ID, err)
	}
	x, err := d.account(ctx)
	if err != nil {
		return err
	}
	for _, policy := range p.Policies {
		body, err := x.resolve(policy)
		if err != nil {
			return err
		}
		// The tester knows people by the login that they took last; the one that everybody can take next time is no reason to keep them out.
		body["require"] = slices.DeleteFunc(slices.Clone(list(body, "require")), func(r any) bool { return x.rule(r) == "login_method "+d.Login })
		verdict, err := d.API.Test(ctx, body, p.Email)
		who := strings.Join(x.rules(list(policy, "include")), ", ")
		read := reads(x, policy, p.Email)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case verdict == KeptOut || err == nil && verdict == Untold && read == KeptOut:
			return &actions.StopError{Err: fmt.Errorf("%s would be kept out by a policy for %s: nothing that shuts anybody out was changed", p.Email, who)}
		case verdict == LetIn:
			r.Log("Access's policy tester: " + p.Email + " is let in (" + who + ")")
		case read == LetIn && err != nil:
			r.Log("Access's policy tester cannot be asked (" + err.Error() + "); as its rules read, the policy lets " + p.Email + " in (" + who + ")")
		case read == LetIn:
			r.Log("Access's policy tester does not know " + p.Email + ", who never logged in; as its rules read, the policy lets them in (" + who + ")")
		default:
			return &actions.StopError{Err: fmt.Errorf("whether %s would be let in by a policy for %s cannot be told: nothing that shuts anybody out was changed", p.Email, who)}
		}
	}
	return nil
}

// reads says what the rules of a policy mean for an address, as far as addresses and domains go.
func reads(x *account, policy Object, email string) Verdict {
	_, domain, _ := strings.Cut(email, "@")
	matches := func(rules []any) bool {
		for _, r := range x.rules(rules) {
			if r == "everyone" || strings.EqualFold(r, "email "+email) || strings.EqualFold(r, "email_domain "+domain) {
				return true
			}
		}
		return false
	}
	other := func(rules []any, known ...string) bool { // rules that need more than an address
		return slices.ContainsFunc(x.rules(rules), func(r string) bool {
			kind, _, _ := strings.Cut(r, " ")
			return !slices.Contains(known, kind)
		})
	}
	switch {
	case matches(list(policy, "exclude")):
		return KeptOut
	case other(list(policy, "exclude"), "email", "email_domain") || other(list(policy, "require"), "login_method"):
		return Untold
	case matches(list(policy, "include")):
		return LetIn
	case other(list(policy, "include"), "email", "email_domain", "everyone"):
		return Untold
	}
	return KeptOut
}

// looks is how often the account is read again after a write of which nobody knows whether it had its effect.
const looks = 4

// change brings one change about. No request is sent a second time before the account was read again.
func (d *doer) change(ctx context.Context, c change, r actions.Reporter) error {
	for again := 0; ; {
		x, err := d.known(ctx, r)
		if err != nil {
			return err
		}
		now := x.find(c)
		switch {
		case x.is(c, now):
			return nil
		case c.ID != "" && now == nil:
			return fmt.Errorf("%s %s is not there any more: plan again", c.Kind.one(), c.Key)
		case c.ID == "" && now != nil && c.Kind != Providers:
			return fmt.Errorf("somebody made %s %s meanwhile, and not as planned: plan again", c.Kind.one(), c.Key)
		case c.ID != "" && len(x.difference(c.Kind, now, c.Before)) > 0:
			return fmt.Errorf("somebody changed %s %s meanwhile (%s): plan again", c.Kind.one(), c.Key, strings.Join(x.difference(c.Kind, c.Before, now), "; "))
		}
		err = d.write(ctx, x, c, now)
		var blocked *BlockedError
		var uncertain *UncertainError
		switch {
		case err == nil:
			return nil
		case errors.As(err, &blocked):
			if err := d.wait(ctx, blocked, r); err != nil {
				return err
			}
		case errors.As(err, &uncertain):
			r.Log("it is not known whether this had its effect (" + err.Error() + "): looking")
			done, looked := d.settled(ctx, c, r)
			if looked != nil {
				return &actions.UnclearError{Err: errors.Join(err, looked)}
			}
			if done {
				r.Log("it had")
				return nil
			}
			if again++; c.ID != "" && again < looks { // to replace or delete twice is to do it once
				continue
			}
			return fmt.Errorf("it had no effect so far: resume to look again and go on: %w", err)
		default:
			return err
		}
	}
}

// known is the account, after a wait if Cloudflare takes no requests for a while.
func (d *doer) known(ctx context.Context, r actions.Reporter) (*account, error) {
	for {
		x, err := d.account(ctx)
		var blocked *BlockedError
		if !errors.As(err, &blocked) {
			return x, err
		}
		if err := d.wait(ctx, blocked, r); err != nil {
			return nil, err
		}
	}
}

// merged is a thing as it is now with what a change is about, so that what nobody planned to change stays.
func (d *doer) merged(x *account, c change, now Object) (Object, error) {
	body, unknown := d.API.Writable(c.Kind, now)
	if len(unknown) > 0 {
		return nil, fmt.Errorf("%s %s has fields by now that gonogo does not know (%s): plan again", c.Kind.one(), c.Key, strings.Join(unknown, ", "))
	}
	if c.Kind == Apps {
		body["policies"] = links(x.references(now))
	}
	for field, value := range c.Body {
		if !reflect.DeepEqual(value, c.Before[field]) {
			body[field] = value
		}
	}
	for field := range c.Before {
		if _, stays := c.Body[field]; !stays {
			delete(body, field)
		}
	}
	return body, nil
}

// write sends the one request of a change to a thing as it is now.
func (d *doer) write(ctx context.Context, x *account, c change, now Object) error {
	if c.Delete {
		if err := d.API.Delete(ctx, c.Kind, c.ID); err != nil {
			return err
		}
		d.wrote(c.Kind, c.ID, nil)
		return nil
	}
	body, err := c.Body, error(nil)
	if c.ID != "" {
		if body, err = d.merged(x, c, now); err != nil {
			return err
		}
	}
	if body, err = x.resolve(body); err != nil {
		return err
	}
	var o Object
	if c.ID == "" {
		o, err = d.API.Create(ctx, c.Kind, body)
	} else {
		o, err = d.API.Replace(ctx, c.Kind, c.ID, body)
	}
	if err != nil {
		return err
	}
	if text(o, "id") == "" {
		d.forget(c.Kind)
		return nil
	}
	d.wrote(c.Kind, text(o, "id"), o)
	if c.ID == "" {
		return d.keepMade(d.plan, c, text(o, "id"))
	}
	return nil
}

// settled reads the account again until a change is seen, a few times.
func (d *doer) settled(ctx context.Context, c change, r actions.Reporter) (bool, error) {
	var last error
	for i := range looks {
		if i > 0 {
			if err := d.Pause(ctx, time.Second); err != nil {
				return false, err
			}
		}
		d.forget(c.Kind)
		x, err := d.known(ctx, r)
		if last = err; err != nil || !x.is(c, x.find(c)) {
			continue
		}
		if c.ID == "" {
			return true, d.keepMade(d.plan, c, text(x.find(c), "id"))
		}
		return true, nil
	}
	return false, last
}

// longest is how long a run waits for Cloudflare to take requests again, at a time.
const longest = 20 * time.Minute

func (d *doer) wait(ctx context.Context, b *BlockedError, r actions.Reporter) error {
	left := b.Until.Sub(d.Now())
	if left > longest {
		return b
	}
	r.Waiting("Cloudflare takes no requests of this token for a while", b.Until)
	defer r.Waiting("", time.Time{})
	return d.Pause(ctx, max(left, time.Second))
}

var errLate = errors.New("too late")

// once is how long one look from outside may take.
const once = 20 * time.Second

// look looks at a host from outside until its protection is proven, or for so long that it should have been.
func (d *doer) look(ctx context.Context, s actions.Step, r actions.Reporter) error {
	var p probe
	if err := json.Unmarshal(s.Data, &p); err != nil {
		return fmt.Errorf("reading the step %s: %w", s.ID, err)
	}
	outside := d.Outside(d.Team, p.Host, d.Paths)
	within, cancel := context.WithTimeoutCause(ctx, d.Patience, errLate)
	defer cancel()
	for last := ""; ; {
		obs, err := func() (probes.Observation, error) {
			ctx, cancel := context.WithTimeout(within, once)
			defer cancel()
			return outside.Observe(ctx)
		}()
		said := obs.Summary
		if err != nil {
			said = err.Error()
		}
		if err == nil && obs.Status == probes.Pass {
			r.Waiting("", time.Time{})
			if len(obs.Evidence) > 0 {
				said = obs.Evidence[0].Got
			}
			r.Log(p.Host + " is " + said)
			return nil
		}
		if within.Err() == nil {
			last = said
			r.Waiting(said, time.Time{})
		}
		if d.Pause(within, 5*time.Second) == nil {
			continue
		}
		if !errors.Is(context.Cause(within), errLate) {
			return ctx.Err()
		}
		return fmt.Errorf("%s is not proven protected within %s: %s", p.Host, d.Patience, last)
	}
}
