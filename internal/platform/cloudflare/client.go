// Package cloudflare is gonogo's client of Cloudflare's API: the vendor's client of Zero Trust over our own transport, with one limiter,
// one decoder of errors, bounded answers, and credentials that come from the caller and never from the environment.
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
	"slices"
	"strings"
	"time"

	"github.com/cloudflare/cloudflare-go/v7/option"
	"github.com/cloudflare/cloudflare-go/v7/zero_trust"
	"golang.org/x/time/rate"

	"github.com/254carbon/gonogo/probes"
	probe "github.com/254carbon/gonogo/probes/cloudflare"
)

// DefaultURL is Cloudflare's own API.
const DefaultURL = "https://api.cloudflare.com/client/v4"

// Options say which account is asked about, where and how.
type Options struct {
	// BaseURL of the API; empty for Cloudflare's own.
	BaseURL string
	// Transport carries every request. It is required.
	Transport http.RoundTripper
	// Account returns the account's id. It is called for each request that needs it, as Token is.
	Account func(ctx context.Context) (string, error)
	// Token returns the token that gonogo itself reads with; nil if there is none.
	Token func(ctx context.Context) (string, error)
	// Rate is how many requests a second are sent in the long run; 0 for half of what Cloudflare allows.
	Rate float64
	// Now stamps answers; nil for the machine's clock. Pauses are measured on the machine's own clock.
	Now func() time.Time
}

// Client asks one account of Cloudflare. It is safe for concurrent use.
type Client struct {
	base    *url.URL
	account func(ctx context.Context) (string, error)
	token   func(ctx context.Context) (string, error)
	now     func() time.Time
	http    *http.Client
	zero    *zero_trust.ZeroTrustService
	refused refusals
}

var (
	_ probe.Tokens  = (*Client)(nil)
	_ probe.Tunnels = (*Client)(nil)
	_ probe.Access  = (*Client)(nil)
	_ probe.Routing = (*Client)(nil)
)

// New returns a client. It asks nothing.
func New(o Options) (*Client, error) {
	if o.BaseURL == "" {
		o.BaseURL = DefaultURL
	}
	base, err := url.Parse(o.BaseURL)
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" || base.User != nil || base.RawQuery != "" {
		return nil, errors.New("the address of Cloudflare's API must look like " + DefaultURL)
	}
	if o.Transport == nil || o.Account == nil {
		return nil, errors.New("a client of Cloudflare needs a transport and an account")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	base.Path = strings.TrimRight(base.Path, "/") + "/"
	c := &Client{base: base, account: o.Account, token: o.Token, now: o.Now}
	c.http = &http.Client{
		Transport:     newAnswers(o.Transport, o.Now, rate.Limit(cmp.Or(o.Rate, perSecond))),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	// The vendor's client retries ten times by default, writes too.
	c.zero = zero_trust.NewZeroTrustService(option.WithBaseURL(base.String()), option.WithHTTPClient(c.http), option.WithMaxRetries(0))
	return c, nil
}

// request describes a request for people; variable names the variable that holds the token.
func (c *Client) request(path, variable string) probes.Request {
	address := c.base.String() + path
	return probes.Request{Source: "GET " + address, Repeat: fmt.Sprintf(`curl -sS -H "Authorization: Bearer $%s" %s`, variable, probes.ShellWord(address))}
}

// The variables that stand for tokens in the commands shown to people.
const (
	readerVariable   = "CLOUDFLARE_READ_TOKEN"
	platformVariable = "CLOUDFLARE_API_TOKEN"
)

// accountID returns the account's id, fit for a path.
func (c *Client) accountID(ctx context.Context) (string, error) {
	id, err := c.account(ctx)
	if err != nil {
		return "", fmt.Errorf("finding the id of the Cloudflare account: %w", err)
	}
	id = strings.TrimSpace(id)
	if id == "" || strings.ContainsFunc(id, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '-'
	}) {
		return "", errors.New("the id of the Cloudflare account is not one: it is 32 digits and letters, as the dashboard's address shows it")
	}
	return id, nil
}

// auth returns the option that carries gonogo's own token.
func (c *Client) auth(ctx context.Context, permission string) (option.RequestOption, error) {
	if c.token == nil {
		return nil, fmt.Errorf("gonogo has no reading token for Cloudflare: it needs the permission group %q", permission)
	}
	token, err := c.token(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading gonogo's own token for Cloudflare: %w", err)
	}
	return option.WithAPIToken(strings.TrimSpace(token)), nil
}

// tunnelRead is the permission group for tunnels; newer accounts call it Cloudflare One Connector: cloudflared Read.
const tunnelRead = "Cloudflare Tunnel Read"

// maxTunnels is how many tunnels of one name are looked at; names of tunnels that are not deleted are unique.
const maxTunnels = 100

// Tunnel finds a tunnel by its id, or else by its name among those not deleted.
func (c *Client) Tunnel(ctx context.Context, id, name string) (probe.Tunnel, error) {
	account, err := c.accountID(ctx)
	if err != nil {
		return probe.Tunnel{}, err
	}
	auth, err := c.auth(ctx, tunnelRead)
	if err != nil {
		return probe.Tunnel{}, err
	}
	path := "accounts/" + account + "/cfd_tunnel"
	if id != "" {
		path += "/" + url.PathEscape(id)
		found := probe.Tunnel{Request: c.request(path, readerVariable)}
		// Fields are set by hand because the function that sets them is in the package that imports every product of the vendor.
		var params zero_trust.TunnelCloudflaredGetParams
		params.AccountID.Value, params.AccountID.Present = account, true
		t, err := c.zero.Tunnels.Cloudflared.Get(ctx, url.PathEscape(id), params, auth)
		if err != nil {
			return found, ownRefusal(err, tunnelRead)
		}
		if !strings.EqualFold(t.ID, id) {
			return found, errors.New("the answer is about another tunnel")
		}
		found.ID, found.Name, found.Status, found.Deleted = t.ID, t.Name, string(t.Status), !t.DeletedAt.IsZero()
		return found, nil
	}
	found := probe.Tunnel{Request: c.request(path+"?is_deleted=false&name="+url.QueryEscape(name), readerVariable)}
	var params zero_trust.TunnelCloudflaredListParams
	params.AccountID.Value, params.AccountID.Present = account, true
	params.Name.Value, params.Name.Present = name, true
	params.IsDeleted.Present = true
	params.PerPage.Value, params.PerPage.Present = maxTunnels, true
	page, err := c.zero.Tunnels.Cloudflared.List(ctx, params, auth)
	if err != nil {
		return found, ownRefusal(err, tunnelRead)
	}
	if !isList(page.JSON.Result.Raw()) {
		return found, errUnlike
	}
	for _, t := range page.Result {
		if t.ID == "" || t.Name == "" {
			return found, errUnlike
		}
		if t.Name == name && t.DeletedAt.IsZero() {
			found.ID, found.Name, found.Status = t.ID, t.Name, string(t.Status)
			return found, nil
		}
	}
	return found, fmt.Errorf("tunnel %s: %w", name, probe.ErrNotFound)
}

// Connections lists a tunnel's connections by their own endpoint; the list within a tunnel is being emptied.
func (c *Client) Connections(ctx context.Context, id string) (probe.Connections, error) {
	account, err := c.accountID(ctx)
	if err != nil {
		return probe.Connections{}, err
	}
	auth, err := c.auth(ctx, tunnelRead)
	if err != nil {
		return probe.Connections{}, err
	}
	id = url.PathEscape(id)
	list := probe.Connections{Request: c.request("accounts/"+account+"/cfd_tunnel/"+id+"/connections", readerVariable)}
	var params zero_trust.TunnelCloudflaredConnectionGetParams
	params.AccountID.Value, params.AccountID.Present = account, true
	page, err := c.zero.Tunnels.Cloudflared.Connections.Get(ctx, id, params, auth)
	if err != nil {
		return list, ownRefusal(err, tunnelRead)
	}
	if !isList(page.JSON.Result.Raw()) {
		return list, errUnlike
	}
	for _, connector := range page.Result {
		if !isList(connector.JSON.Conns.Raw()) {
			return list, errUnlike
		}
		for _, conn := range connector.Conns {
			// The vendor's client has no field for this, although the API answers with it.
			pending := conn.JSON.ExtraFields["is_pending_reconnect"].Raw() == "true"
			list.Items = append(list.Items, probe.Connected{Colo: probes.Clean(conn.ColoName, 20), Pending: pending})
		}
	}
	return list, nil
}

// errUnlike is the error of an answer of another shape. The vendor's client decodes leniently: it makes an empty list of what is none, and
// that nothing was understood must not become that nothing is there.
var errUnlike = errors.New("the answer has another shape than Cloudflare documents")

func isList(raw string) bool { return strings.HasPrefix(strings.TrimSpace(raw), "[") }

// ownRefusal words the refusal of gonogo's own token.
func ownRefusal(err error, permission string) error {
	err = plain(err)
	var status *StatusError
	if !errors.As(err, &status) {
		return err
	}
	switch {
	case status.has(7003):
		return fmt.Errorf("the account is not known to Cloudflare: check its id: %w", status)
	case status.Code == http.StatusUnauthorized, status.Code == http.StatusForbidden, status.has(10000, 9109):
		return fmt.Errorf("gonogo's reading token for Cloudflare was refused (%d): it needs the permission group %q: %w", status.Code, permission, status)
	case status.Code == http.StatusNotFound:
		return fmt.Errorf("%w: %w", probe.ErrNotFound, status)
	}
	return err
}

// verified is the result of the endpoints that verify a token.
type verified struct {
	ID        string     `json:"id"`
	Status    string     `json:"status"`
	NotBefore *time.Time `json:"not_before"`
	ExpiresOn *time.Time `json:"expires_on"`
}

// Verify asks what Cloudflare says of a token: one of a user, or else one that the account owns.
func (c *Client) Verify(ctx context.Context, token string) (probe.Token, error) {
	answer := probe.Token{Request: c.request("user/tokens/verify", platformVariable)}
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		answer.Refused, answer.Reason, answer.At = true, "it holds characters that no token has", c.now()
		answer.Until = answer.At
		return answer, nil
	}
	release, err := c.refused.turn(ctx)
	if err != nil {
		return answer, err
	}
	defer release()
	if before, left, ok := c.refused.known(token); ok {
		answer.Refused, answer.Reason, answer.At, answer.Remembered, answer.Until = true, before.reason, before.at, true, c.now().Add(left)
		return answer, nil
	}
	result, err := c.verify(ctx, "user/tokens/verify", token)
	refusal := asRefusal(err)
	if refusal != nil {
		account, accountErr := c.accountID(ctx)
		if accountErr != nil {
			return answer, fmt.Errorf("the token is none of a user (%w), and whether it is the account's cannot be asked: %w", refusal, accountErr)
		}
		answer.Request = c.request("accounts/"+account+"/tokens/verify", platformVariable)
		result, err = c.verify(ctx, "accounts/"+account+"/tokens/verify", token)
		if second := asRefusal(err); second != nil {
			answer.Refused, answer.Reason, answer.At = true, second.Error(), c.now()
			answer.Until = answer.At.Add(retryRefused)
			c.refused.remember(token, answer.Reason, answer.At)
			return answer, nil
		}
	}
	if err != nil {
		return answer, plain(err)
	}
	answer.At, answer.Status = c.now(), probes.Clean(result.Status, 40)
	if result.NotBefore != nil {
		answer.NotBefore = *result.NotBefore
	}
	if result.ExpiresOn != nil {
		answer.Expires = *result.ExpiresOn
	}
	return answer, nil
}

// asRefusal returns the error if it says that the token itself is not accepted, else nil.
func asRefusal(err error) *StatusError {
	var status *StatusError
	if !errors.As(err, &status) {
		return nil
	}
	known := status.has(1000, 6003, 6111, 9109, 10000)
	if status.Code == http.StatusUnauthorized || known && slices.Contains([]int{http.StatusBadRequest, http.StatusForbidden}, status.Code) {
		return status
	}
	return nil
}

func (c *Client) verify(ctx context.Context, path, token string) (verified, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base.String()+path, nil)
	if err != nil {
		return verified{}, fmt.Errorf("building the request for %s: %w", path, err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := c.http.Do(req)
	if err != nil {
		return verified{}, plain(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read whole already
	var envelope struct{ Result verified }
	body, err := io.ReadAll(resp.Body)
	if err == nil {
		err = json.NewDecoder(bytes.NewReader(body)).Decode(&envelope)
	}
	if err != nil {
		return verified{}, fmt.Errorf("the answer to GET %s is not the JSON it should be: %w", path, err)
	}
	return envelope.Result, nil
}
