package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/254carbon/gonogo/actions"
)

// cleaning is how long what the positive test made may take to be removed, whatever became of the run.
const cleaning = 2 * time.Minute

// positive lets a program in for a moment: a service token, a policy for it, and a page of the host that must not be the login. All of it is
// removed at once, however that ends.
func (d *doer) positive(ctx context.Context, s actions.Step, r actions.Reporter) (err error) {
	var p probe
	if err := json.Unmarshal(s.Data, &p); err != nil {
		return fmt.Errorf("reading the step %s: %w", s.ID, err)
	}
	if err := d.nothing(ctx, r); err != nil { // of an earlier process
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleaning)
		defer cancel()
		if left := d.nothing(ctx, r); left != nil {
			err = errors.Join(err, fmt.Errorf("taking away what this made: %w", left))
		}
	}()
	token, err := d.API.Create(ctx, ServiceTokens, Object{"name": d.test, "duration": "1h"})
	if err != nil {
		return err
	}
	id, secret := text(token, "client_id"), text(token, "client_secret")
	if id == "" || secret == "" {
		return errors.New("the service token that was made has no secret")
	}
	if d.Hide != nil {
		d.Hide(secret)
	}
	policy, err := d.API.Create(ctx, Policies, Object{
		"name": d.test, "decision": "non_identity", "exclude": []any{}, "require": []any{},
		"include": []any{map[string]any{"service_token": map[string]any{"token_id": text(token, "id")}}},
	})
	if err != nil {
		return err
	}
	if err := d.attach(ctx, p.Host, text(policy, "id")); err != nil {
		return err
	}
	r.Log("a service token may pass to " + p.Host + " for a moment")
	return d.enter(ctx, p.Host, http.Header{"Cf-Access-Client-Id": {id}, "Cf-Access-Client-Secret": {secret}}, r)
}

// attach adds a policy to the application of a host.
func (d *doer) attach(ctx context.Context, host, policy string) error {
	d.forget(Apps)
	d.forget(Policies)
	x, err := d.account(ctx)
	if err != nil {
		return err
	}
	found := x.hosting(host)
	if len(found) != 1 {
		return fmt.Errorf("%s has %d applications, not one", host, len(found))
	}
	refs := x.references(found[0])
	if slices.ContainsFunc(refs, func(r reference) bool { return r.own }) {
		return fmt.Errorf("the application of %s has policies of its own, which do not mix with others", host)
	}
	body, unknown := d.API.Writable(Apps, found[0])
	if len(unknown) > 0 {
		return fmt.Errorf("the application of %s has fields that gonogo does not know (%s)", host, strings.Join(unknown, ", "))
	}
	last := 0.0
	for _, r := range refs {
		last = max(last, r.precedence)
	}
	body["policies"] = append(links(refs), map[string]any{"id": policy, "precedence": last + 1})
	_, err = d.API.Replace(ctx, Apps, text(found[0], "id"), body)
	d.forget(Apps)
	return err
}

// enter asks for a page with the token until it is not the login that answers.
func (d *doer) enter(ctx context.Context, host string, header http.Header, r actions.Reporter) error {
	ctx, cancel := context.WithTimeoutCause(ctx, d.Patience, errLate)
	defer cancel()
	defer r.Waiting("", time.Time{})
	for last := ""; ; {
		said, in := d.visit(ctx, host, header)
		if in {
			r.Log(host + " answers " + said + " to a program with the token")
			return nil
		}
		if ctx.Err() == nil && said != last {
			last = said
			r.Waiting(said, time.Time{})
		}
		if d.Pause(ctx, 2*time.Second) == nil {
			continue
		}
		if !errors.Is(context.Cause(ctx), errLate) {
			return ctx.Err()
		}
		return fmt.Errorf("%s does not let a program with a token in after %s: %s", host, d.Patience, last)
	}
}

// visit asks once, and reports whether it was let in.
func (d *doer) visit(ctx context.Context, host string, header http.Header) (said string, in bool) {
	ctx, cancel := context.WithTimeout(ctx, once)
	defer cancel()
	resp, err := d.Visit(ctx, host, header)
	if err != nil {
		return err.Error(), false
	}
	_ = resp.Body.Close()
	said = fmt.Sprintf("%d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	to, err := resp.Location()
	switch {
	case err == nil && strings.HasSuffix(strings.ToLower(to.Hostname()), ".cloudflareaccess.com"):
		return said + " to the login", false
	case resp.StatusCode == http.StatusForbidden || resp.Header.Get("Cf-Access-Domain") != "":
		return said + " by Access", false
	case resp.StatusCode >= 500:
		return said + ": it is let in, and the service does not answer", false
	}
	return said, true
}

// nothing sees that nothing is left of tries of a way in: no policy attached, no policy, no token. Nobody else makes things of those names
// while this run holds the lock. What may or may not have had its effect is looked at again.
func (d *doer) nothing(ctx context.Context, r actions.Reporter) error {
	for i := 0; ; i++ {
		err := d.remove(ctx, r)
		var uncertain *UncertainError
		var blocked *BlockedError
		switch {
		case errors.As(err, &blocked):
			err = d.wait(ctx, blocked, r)
		case errors.As(err, &uncertain) && i < 2*looks:
			err = d.Pause(ctx, time.Second)
		default:
			return err
		}
		if err != nil {
			return err
		}
	}
}

func (d *doer) remove(ctx context.Context, r actions.Reporter) error {
	for _, k := range []Kind{Apps, Policies} {
		d.forget(k)
	}
	x, err := d.account(ctx)
	if err != nil {
		return err
	}
	for _, policy := range x.things[Policies] {
		if !strings.HasPrefix(text(policy, "name"), testPrefix) {
			continue
		}
		for _, app := range x.things[Apps] {
			refs := x.references(app)
			rest := slices.DeleteFunc(slices.Clone(refs), func(r reference) bool { return r.id == text(policy, "id") })
			if len(rest) == len(refs) {
				continue
			}
			body, unknown := d.API.Writable(Apps, app)
			if len(unknown) > 0 {
				return fmt.Errorf("the application %s has fields that gonogo does not know (%s): take the policy %s off it by hand", text(app, "name"), strings.Join(unknown, ", "), text(policy, "name"))
			}
			body["policies"] = links(rest)
			d.forget(Apps)
			if _, err := d.API.Replace(ctx, Apps, text(app, "id"), body); err != nil {
				return err
			}
		}
		if err := d.API.Delete(ctx, Policies, text(policy, "id")); err != nil {
			return err
		}
		d.forget(Policies)
		r.Log("the policy " + text(policy, "name") + " is gone")
	}
	tokens, err := d.API.List(ctx, ServiceTokens)
	if err != nil {
		return err
	}
	for _, token := range tokens {
		if name := text(token, "name"); strings.HasPrefix(name, testPrefix) {
			if err := d.API.Delete(ctx, ServiceTokens, text(token, "id")); err != nil {
				return err
			}
			r.Log("the service token " + name + " is gone")
		}
	}
	return nil
}
