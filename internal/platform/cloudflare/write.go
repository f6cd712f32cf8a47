package cloudflare

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/cloudflare/cloudflare-go/v7/zero_trust"

	"github.com/254carbon/gonogo/actions/access"
	"github.com/254carbon/gonogo/probes"
)

// The permission groups for Access, as whoever changes it needs them. The dashboard calls Write Edit.
const (
	appsWrite = "Access: Apps and Policies Write"
	orgWrite  = "Access: Organizations, Identity Providers, and Groups Write"
)

// Writer changes an account's Access settings. It is safe for concurrent use.
type Writer struct {
	c *Client
	// token finds the token of the actions; nil if there is none.
	token func(ctx context.Context) (string, error)
	// ReadOnly says that the token is not to be looked for.
	ReadOnly bool
}

var _ access.API = (*Writer)(nil)

// Writer returns what changes the account, with the token of the actions, which is not looked for before it is needed. Requests keep to the
// limits of the client. Lists are read with the client's own token if it has one.
func (c *Client) Writer(token func(ctx context.Context) (string, error)) *Writer {
	return &Writer{c: c, token: token}
}

// with returns the same client with another token to read with.
func (c *Client) with(token func(ctx context.Context) (string, error)) *Client {
	return &Client{base: c.base, account: c.account, http: c.http, now: c.now, token: token}
}

// kindOf says where things of a kind are, and who may change them.
func kindOf(k access.Kind) (path, read, write string) {
	switch k {
	case access.Apps:
		return "access/apps", appsRead, appsWrite
	case access.Policies:
		return "access/policies", appsRead, appsWrite
	case access.Providers:
		return "access/identity_providers", orgRead, orgWrite
	case access.ServiceTokens:
		return "access/service_tokens", "Access: Service Tokens Read", "Access: Service Tokens Write"
	}
	panic("cloudflare: there is no kind " + string(k))
}

// List implements [access.API].
func (w *Writer) List(ctx context.Context, k access.Kind) ([]access.Object, error) {
	path, permission, _ := kindOf(k)
	reader := w.c
	if reader.token == nil {
		reader = w.c.with(w.secret)
	}
	all, _, err := readList[access.Object](ctx, reader, path, permission)
	var blocked *blockedError
	if errors.As(err, &blocked) {
		return nil, &access.BlockedError{Err: fmt.Errorf("listing %s: %w", k, err), Until: blocked.until}
	}
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", k, err)
	}
	for _, o := range all {
		if id, _ := o["id"].(string); id == "" && k != access.ServiceTokens {
			return nil, fmt.Errorf("listing %s: %w", k, errUnlike)
		}
	}
	return all, nil
}

// Hosts implements [access.API].
func (w *Writer) Hosts(ctx context.Context, tunnel string) ([]string, error) {
	t, err := w.c.Tunnel(ctx, "", tunnel)
	if err != nil {
		return nil, fmt.Errorf("looking for the tunnel %s: %w", tunnel, err)
	}
	routes, err := w.c.Routes(ctx, t.ID)
	if err != nil {
		return nil, fmt.Errorf("reading what the tunnel %s routes: %w", tunnel, err)
	}
	var hosts []string
	for _, r := range routes.Items {
		if r.Host != "" && !slices.Contains(hosts, r.Host) {
			hosts = append(hosts, r.Host)
		}
	}
	return hosts, nil
}

// Create implements [access.API].
func (w *Writer) Create(ctx context.Context, k access.Kind, body access.Object) (access.Object, error) {
	path, _, permission := kindOf(k)
	return w.write(ctx, http.MethodPost, path, permission, body)
}

// Replace implements [access.API].
func (w *Writer) Replace(ctx context.Context, k access.Kind, id string, body access.Object) (access.Object, error) {
	path, _, permission := kindOf(k)
	return w.write(ctx, http.MethodPut, path+"/"+url.PathEscape(id), permission, body)
}

// Delete implements [access.API].
func (w *Writer) Delete(ctx context.Context, k access.Kind, id string) error {
	path, _, permission := kindOf(k)
	_, err := w.write(ctx, http.MethodDelete, path+"/"+url.PathEscape(id), permission, nil)
	if errors.Is(err, errGone) {
		return nil
	}
	return err
}

var errGone = errors.New("it is not there")

// write sends one request that changes something, once.
func (w *Writer) write(ctx context.Context, method, path, permission string, body access.Object) (access.Object, error) {
	token, err := w.secret(ctx)
	if err != nil {
		return nil, err
	}
	account, err := w.c.accountID(ctx)
	if err != nil {
		return nil, err
	}
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("writing the request: %w", err)
		}
		sent = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, w.c.base.String()+"accounts/"+account+"/"+path, sent)
	if err != nil {
		return nil, fmt.Errorf("building the request for %s: %w", path, err)
	}
	req.GetBody = nil // a request that may have had its effect is not sent again by the transport
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := w.c.http.Do(req)
	if err != nil {
		return nil, writeError(plain(err), permission)
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct{ Result access.Object }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, &access.UncertainError{Err: errUnlike}
	}
	return answer.Result, nil
}

func (w *Writer) secret(ctx context.Context) (string, error) {
	if w.token == nil {
		return "", errors.New("there is no token to change Cloudflare with: write connections.cloudflare.write.token in the profile")
	}
	token, err := w.token(ctx)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(token), nil
}

// writeError sorts the failures of a request that changes something: those of which is certain that they changed nothing, and the rest.
func writeError(err error, permission string) error {
	var status *StatusError
	var blocked *blockedError
	switch {
	case errors.As(err, &blocked):
		return &access.BlockedError{Err: err, Until: blocked.until}
	case !errors.As(err, &status), status.Code >= 500:
		return &access.UncertainError{Err: err}
	case status.Code == http.StatusNotFound && !status.has(7003):
		return fmt.Errorf("%w: %w", errGone, status)
	case status.Code == http.StatusUnauthorized, status.Code == http.StatusForbidden, status.has(10000, 9109):
		return fmt.Errorf("the token of the actions for Cloudflare was refused: it needs the permission group %q: %w", permission, status)
	}
	return err
}

// Rights implements [access.API]: it reads what Cloudflare tells a token about itself, which few tokens may ask.
func (w *Writer) Rights(ctx context.Context, kinds ...access.Kind) (missing []string, known bool, err error) {
	switch {
	case w.ReadOnly:
		return nil, false, nil
	case w.token == nil:
		return []string{"a token to change Cloudflare with: write connections.cloudflare.write.token in the profile"}, true, nil
	}
	token, err := w.secret(ctx)
	if err != nil {
		return nil, false, err
	}
	v, err := w.c.Verify(ctx, token)
	switch {
	case err != nil:
		return nil, false, fmt.Errorf("verifying the token of the actions for Cloudflare: %w", err)
	case v.Refused:
		return []string{"a token for Cloudflare that it accepts: it refuses the one of connections.cloudflare.write (" + v.Reason + ")"}, true, nil
	case v.Status != "active":
		return []string{"a token for Cloudflare that is active: the one of connections.cloudflare.write is " + cmp.Or(v.Status, "of unknown state")}, true, nil
	}
	granted, err := w.granted(ctx)
	if err != nil {
		return nil, false, nil //nolint:nilerr // most tokens may not ask this: the step that tries tells
	}
	for _, k := range kinds {
		_, _, group := kindOf(k)
		if !slices.Contains(granted, group) {
			missing = append(missing, "the permission group \""+group+"\" of the token for Cloudflare")
		}
	}
	return missing, true, nil
}

// granted lists the permission groups of a token of a user, if it may ask.
func (w *Writer) granted(ctx context.Context) ([]string, error) {
	reader := w.c.with(w.secret)
	body, err := reader.read(ctx, "user/tokens/verify", "")
	if err != nil {
		return nil, err
	}
	var verified struct{ Result struct{ ID string } }
	if err := json.Unmarshal(body, &verified); err != nil || verified.Result.ID == "" {
		return nil, errUnlike
	}
	body, err = reader.read(ctx, "user/tokens/"+url.PathEscape(verified.Result.ID), "API Tokens Read")
	if err != nil {
		return nil, err
	}
	account, err := w.c.accountID(ctx)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Result struct {
			Policies []struct {
				Effect    string
				Resources map[string]any
				Groups    []struct{ Name string } `json:"permission_groups"`
			}
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil || len(answer.Result.Policies) == 0 {
		return nil, errUnlike
	}
	var names, denied []string
	for _, p := range answer.Result.Policies {
		_, here := p.Resources["com.cloudflare.api.account."+account]
		_, all := p.Resources["com.cloudflare.api.account.*"]
		for _, g := range p.Groups {
			switch {
			case !here && !all:
			case p.Effect == "allow":
				names = append(names, g.Name)
			default:
				denied = append(denied, g.Name)
			}
		}
	}
	return slices.DeleteFunc(names, func(name string) bool { return slices.Contains(denied, name) }), nil
}

// nowhere is an id that nothing has, and tries how often it is asked for.
const (
	nowhere = "00000000-0000-0000-0000-000000000000"
	tries   = 5
)

// Try implements [access.API]: it asks to delete what does not exist, which changes nothing, and which only who may delete is told.
func (w *Writer) Try(ctx context.Context, kinds ...access.Kind) (missing []string, err error) {
	for _, k := range kinds {
		path, _, permission := kindOf(k)
		var err error
		for range tries { // an answer that is lost costs nothing here
			var lost *access.UncertainError
			if _, err = w.write(ctx, http.MethodDelete, path+"/"+nowhere, permission, nil); !errors.As(err, &lost) || ctx.Err() != nil {
				break
			}
		}
		var status *StatusError
		switch {
		case errors.Is(err, errGone):
		case errors.As(err, &status) && (status.Code == http.StatusForbidden || status.Code == http.StatusUnauthorized || status.has(10000, 9109)):
			missing = append(missing, permission)
		case errors.As(err, &status) && status.Code == http.StatusBadRequest: // it got as far as being read
		case err != nil:
			return nil, fmt.Errorf("trying whether the token may change %s: %w", k, err)
		}
	}
	return missing, nil
}

// Test implements [access.API] by Access's policy tester.
func (w *Writer) Test(ctx context.Context, policy access.Object, email string) (access.Verdict, error) {
	started, err := w.write(ctx, http.MethodPost, "access/policy-tests", appsWrite, access.Object{"policies": []any{policy}})
	if err != nil {
		return access.Untold, err
	}
	id, _ := started["id"].(string)
	if id == "" {
		return access.Untold, errUnlike
	}
	account, err := w.c.accountID(ctx)
	if err != nil {
		return access.Untold, err
	}
	reader := w.c.with(w.secret)
	for {
		body, err := reader.read(ctx, "accounts/"+account+"/access/policy-tests/"+url.PathEscape(id), appsRead)
		if err != nil {
			return access.Untold, err
		}
		var state struct{ Result struct{ Status string } }
		if err := json.Unmarshal(body, &state); err != nil {
			return access.Untold, errUnlike
		}
		if state.Result.Status == "complete" {
			break
		}
		if state.Result.Status == "exceeded time" || state.Result.Status == "blocked" {
			return access.Untold, fmt.Errorf("the policy tester ended with %s", state.Result.Status)
		}
		select {
		case <-ctx.Done():
			return access.Untold, ctx.Err()
		case <-time.After(time.Second):
		}
	}
	users, _, err := readList[struct{ Email, Status string }](ctx, reader, "access/policy-tests/"+url.PathEscape(id)+"/users", appsRead)
	if err != nil {
		return access.Untold, err
	}
	for _, u := range users {
		if strings.EqualFold(u.Email, email) {
			switch u.Status {
			case "approved":
				return access.LetIn, nil
			case "blocked":
				return access.KeptOut, nil
			}
		}
	}
	return access.Untold, nil
}

// Writable implements [access.API] by the vendor's types.
func (w *Writer) Writable(k access.Kind, o access.Object) (body access.Object, unknown []string) {
	may, shown := fieldsOf(k)
	body = access.Object{}
	for name, value := range o {
		switch {
		case slices.Contains(may, name):
			body[name] = value
		case !slices.Contains(shown, name) && value != nil:
			unknown = append(unknown, probes.Clean(name, 60))
		}
	}
	// Hosts in the deprecated form are shown beside destinations, which say the same where there are any.
	if destinations, _ := o["destinations"].([]any); len(destinations) > 0 {
		delete(body, "self_hosted_domains")
	}
	slices.Sort(unknown)
	return body, unknown
}

// fieldsOf are the fields that may be written of a kind, and those that are only shown.
func fieldsOf(k access.Kind) (may, shown []string) {
	usual := []string{"id", "uid", "created_at", "updated_at"}
	switch k {
	case access.Apps:
		may = tags[zero_trust.AccessApplicationUpdateParamsBodySelfHostedApplication]()
		shown = append(tags[zero_trust.AccessApplicationListResponseSelfHostedApplication](), "domain_type", "self_hosted_domains")
	case access.Policies:
		may = tags[zero_trust.AccessPolicyUpdateParams]()
		shown = append(tags[zero_trust.AccessPolicyListResponse](), "precedence")
	case access.Providers:
		may, shown = []string{"name", "type", "config", "scim_config"}, []string{"version", "reauth_on_warp"}
	}
	return may, append(shown, usual...)
}

// tags lists the names of a vendor's struct in JSON.
func tags[T any]() []string {
	var names []string
	for f := range reflect.TypeFor[T]().Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
			names = append(names, name)
		}
	}
	return names
}
