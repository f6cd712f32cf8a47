// Package registry is gonogo's client of OCI registries: it asks which manifest a reference names, by HEAD alone, over our own transport,
// a few at a time, with one token for many repositories where a registry gives one.
package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/images"
)

// Parallel is how many requests for manifests are under way at once.
const Parallel = 8

// maxScopes bounds the repositories of one token by the length of their names in the request for it: servers take lines of 8 KiB.
const maxScopes = 4000

// Options are the settings of [New].
type Options struct {
	// Transport carries every request. It is required: there is no default that could leave certificates unverified.
	Transport http.RoundTripper
	// Credential returns the user name and password to ask with; nil asks anonymously. It goes to the registry's own token service only.
	Credential func(ctx context.Context) (username, password string, err error)
	// Mirror is the host of the one registry that this client is for; empty for any.
	Mirror string
	// Plain reaches the registry over HTTP without TLS. Registries on loopback may always be reached so.
	Plain bool
	// Redirects follows redirects, as public registries need it.
	Redirects bool
	// User is the name of the variables that stand for the credential in commands for people; empty for none.
	User string
	// Now stamps answers; nil for the machine's clock.
	Now func() time.Time
}

// Client asks registries. It is safe for concurrent use.
type Client struct {
	Options
	slots chan struct{}
}

var _ images.Mirror = (*Client)(nil)

// New returns a client. It asks nothing.
func New(o Options) (*Client, error) {
	if o.Transport == nil {
		return nil, errors.New("a client of registries needs a transport")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Client{Options: o, slots: make(chan struct{}, Parallel)}, nil
}

// Host is the host of the registry that the client is for.
func (c *Client) Host() string { return c.Mirror }

// Heads asks which manifest each reference names.
func (c *Client) Heads(ctx context.Context, references []string) map[string]images.Head {
	heads := make(map[string]images.Head, len(references))
	byHost := map[string]*host{}
	var hosts []*host
	for _, text := range slices.Compact(slices.Sorted(slices.Values(references))) {
		ref, err := c.parse(text)
		if err != nil {
			heads[text] = images.Head{Err: err, At: c.Now()}
			continue
		}
		registry := ref.Context().Registry
		h := byHost[registry.RegistryStr()]
		if h == nil {
			h = &host{client: c, registry: registry, answers: answers{next: c.Transport, host: registry.RegistryStr(), plain: c.Plain || loopback(registry.RegistryStr()), redirects: c.Redirects}}
			byHost[registry.RegistryStr()] = h
			hosts = append(hosts, h)
		}
		h.asks = append(h.asks, &ask{text: text, ref: ref})
	}
	var all sync.WaitGroup
	for _, h := range hosts {
		all.Go(func() { h.heads(ctx) })
	}
	all.Wait()
	for _, h := range hosts {
		for _, a := range h.asks {
			a.head.Request = c.request(a.ref)
			heads[a.text] = a.head
		}
	}
	return heads
}

func (c *Client) parse(text string) (name.Reference, error) {
	var options []name.Option
	if c.Plain {
		options = append(options, name.Insecure)
	}
	ref, err := name.ParseReference(text, options...)
	if err != nil {
		return nil, fmt.Errorf("%s is no reference to an image", probes.Clean(text, 200))
	}
	return ref, nil
}

// accept are the kinds of manifests that a person's command must accept to be told of the same one.
const accept = "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, " +
	"application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"

// request describes the request for people.
func (c *Client) request(ref name.Reference) probes.Request {
	scheme := "https"
	if c.Plain || loopback(ref.Context().RegistryStr()) {
		scheme = ref.Context().Scheme()
	}
	address := fmt.Sprintf("%s://%s/v2/%s/manifests/%s", scheme, ref.Context().RegistryStr(), ref.Context().RepositoryStr(), ref.Identifier())
	if c.User == "" {
		return probes.Request{Source: "HEAD " + address, Repeat: "crane digest " + probes.ShellWord(ref.Name())}
	}
	return probes.Request{
		Source: "HEAD " + address,
		Repeat: fmt.Sprintf(`curl -sS -I -u "$%s_USER:$%s_PASSWORD" -H %s %s`, c.User, c.User, probes.ShellWord("Accept: "+accept), probes.ShellWord(address)),
	}
}

// host is what is asked of one registry in one go.
type host struct {
	client   *Client
	registry name.Registry
	answers  answers
	asks     []*ask
	auth     authn.Authenticator

	mu      sync.Mutex
	limited *images.LimitedError // once it says so, nothing more is sent
}

// ask is one reference and the answer about it.
type ask struct {
	text string
	ref  name.Reference
	head images.Head
}

// heads finds out how the registry wants to be asked, and asks.
func (h *host) heads(ctx context.Context) {
	h.auth = authn.Anonymous
	if h.client.Credential != nil {
		username, password, err := h.client.Credential(ctx)
		if err != nil {
			h.fail(h.asks, err)
			return
		}
		h.auth = authn.FromConfig(authn.AuthConfig{Username: username, Password: password})
	}
	if h.client.Plain {
		h.answers.settle(true)
	}
	challenge, err := transport.Ping(ctx, h.registry, &h.answers)
	if err != nil {
		if ctx.Err() != nil { // which its error may not hold
			err = ctx.Err()
		}
		h.fail(h.asks, fmt.Errorf("asking %s how it wants to be asked: %w", h.answers.host, plain(err)))
		return
	}
	if challenge.Insecure && !h.answers.plain {
		h.fail(h.asks, fmt.Errorf("%s leads to a place without TLS", h.answers.host))
		return
	}
	h.answers.settle(challenge.Insecure)
	if strings.EqualFold(challenge.Scheme, "basic") && challenge.Parameters["realm"] == internalRealm {
		h.fail(h.asks, fmt.Errorf("asking %s: %w", h.answers.host, errInternal))
		return
	}
	if challenge.Scheme == "" {
		h.auth = authn.Anonymous // it asks for nothing
	}
	if !strings.EqualFold(challenge.Scheme, "bearer") {
		h.send(ctx, h.asks, challenge, nil)
		return
	}
	for _, group := range h.groups() {
		h.authorized(ctx, group, challenge)
	}
}

// internalRealm is how the registry behind Harbor's core asks for a password. It knows only Harbor's own user, so that whom it refuses says
// nothing of a credential, and none is shown to it.
const internalRealm = "harbor-registry-basic-realm"

var errInternal = errors.New("/v2/ leads to Harbor's internal registry, which knows neither users nor robots: route /v2/ and /service/ to harbor-core")

// groups splits what is asked so that one token can be asked for each part.
func (h *host) groups() [][]*ask {
	var groups [][]*ask
	length := maxScopes + 1
	for _, a := range h.asks {
		more := len(scope(a)) + len("&scope=")
		if length += more; length > maxScopes {
			groups, length = append(groups, nil), more
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], a)
	}
	return groups
}

func scope(a *ask) string { return a.ref.Context().Scope(transport.PullScope) }

// authorized asks with one token for all repositories of a group. Some registries heed only the first repository of a request for a token,
// or refuse it for all if one is not to be seen; where that is so, the rest is asked one by one, unless a credential could be locked by it.
func (h *host) authorized(ctx context.Context, group []*ask, challenge *transport.Challenge) {
	err := h.exchange(ctx, group, challenge)
	if err != nil && (!refusal(err) || len(group) == 1 || h.client.Credential != nil) {
		h.fail(group, fmt.Errorf("asking %s for a token: %w", h.answers.host, plain(err)))
		return
	}
	var again []*ask
	for _, a := range group {
		if err != nil || errors.Is(a.head.Err, images.ErrRefused) {
			again = append(again, a)
		}
	}
	if err == nil && len(again) == len(group) {
		return // it is the credential
	}
	for _, a := range again {
		if err := h.exchange(ctx, []*ask{a}, challenge); err != nil {
			h.fail([]*ask{a}, fmt.Errorf("asking %s for a token: %w", h.answers.host, plain(err)))
		}
	}
}

// exchange gets a token for the repositories of a group and asks with it.
func (h *host) exchange(ctx context.Context, group []*ask, challenge *transport.Challenge) error {
	if h.isLimited() != nil {
		h.send(ctx, group, challenge, nil)
		return nil
	}
	var scopes []string
	for _, a := range group {
		if s := scope(a); !slices.Contains(scopes, s) {
			scopes = append(scopes, s)
		}
	}
	token, err := transport.Exchange(ctx, h.registry, h.auth, &h.answers, scopes, challenge)
	if err != nil {
		return err
	}
	token.Token = cmp.Or(token.Token, token.AccessToken)
	h.send(ctx, group, challenge, token)
	return nil
}

// send asks, a few at a time.
func (h *host) send(ctx context.Context, asks []*ask, challenge *transport.Challenge, token *transport.Token) {
	if token == nil {
		token = new(transport.Token)
	}
	rt, err := transport.FromToken(h.registry, h.auth, &h.answers, challenge, token)
	if err != nil {
		h.fail(asks, fmt.Errorf("asking %s: %w", h.answers.host, plain(err)))
		return
	}
	var all sync.WaitGroup
	for _, a := range asks {
		select {
		case h.client.slots <- struct{}{}:
		case <-ctx.Done():
			h.fail([]*ask{a}, ctx.Err())
			continue
		}
		all.Go(func() {
			defer func() { <-h.client.slots }()
			h.one(ctx, a, rt)
		})
	}
	all.Wait()
}

// one asks for one reference, unless the registry has had enough.
func (h *host) one(ctx context.Context, a *ask, rt http.RoundTripper) {
	if limited := h.isLimited(); limited != nil {
		h.fail([]*ask{a}, limited)
		return
	}
	found, err := remote.Head(a.ref, remote.WithContext(ctx), remote.WithTransport(rt))
	a.head = images.Head{At: h.client.Now()}
	if err != nil {
		a.head.Err = plain(err)
		var limited *images.LimitedError
		if errors.As(err, &limited) {
			h.mu.Lock()
			h.limited = limited
			h.mu.Unlock()
		}
		return
	}
	a.head.Digest = found.Digest.String()
}

func (h *host) isLimited() *images.LimitedError {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.limited
}

func (h *host) fail(asks []*ask, err error) {
	for _, a := range asks {
		a.head = images.Head{Err: err, At: h.client.Now()}
	}
}
