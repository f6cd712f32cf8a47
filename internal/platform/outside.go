package platform

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/254carbon/gonogo/internal/platform/transport"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/certificates"
	"github.com/254carbon/gonogo/probes/edge"
)

var (
	_ edge.Outside         = (*Outside)(nil)
	_ certificates.Outside = (*Outside)(nil)
)

// resolver answers questions about public names over HTTPS. It is asked in place of the machine's resolver, whose answers about the
// platform's hosts may be those of a split DNS or of a hosts file.
const resolver = "https://cloudflare-dns.com/dns-query"

// maxRecords is how much of an answer of the resolver is read.
const maxRecords = 64 << 10

// Outside looks at hosts as somebody out on the internet does: by their public addresses, with TLS verified by the platform's clock, without
// a credential and without following redirects.
type Outside struct {
	client *http.Client
	afresh *http.Client // makes a handshake for each request
	knock  *http.Client // believes any certificate
}

func (x *Platform) openOutside(o Options) {
	dial := o.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	out := &Outside{client: transport.Client(x.transport(o, nil))}
	out.afresh = transport.Client(transport.New(transport.Options{Dial: o.Dial, Roots: o.Roots, Now: o.Now, ReadOnly: o.ReadOnly, Afresh: true}))
	out.knock = transport.Client(transport.Wrap(&http.Transport{
		DialContext:         transport.Pinned(dial),
		TLSHandshakeTimeout: 10 * time.Second,
		DisableKeepAlives:   true,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true}, //nolint:gosec // see Knock
	}, transport.Options{ReadOnly: o.ReadOnly}))
	x.Outside = out
}

// Addresses asks a public resolver for the addresses of a host, both kinds. A host that does not exist has none.
func (o *Outside) Addresses(ctx context.Context, host string) ([]netip.Addr, probes.Request, error) {
	var all []netip.Addr
	var request probes.Request
	for i, kind := range []string{"A", "AAAA"} {
		address := resolver + "?name=" + url.QueryEscape(host) + "&type=" + kind
		if i == 0 {
			request = probes.Request{Source: "GET " + address, Repeat: "curl -sS -H 'Accept: application/dns-json' " + probes.ShellWord(address)}
		}
		found, err := o.lookup(ctx, address)
		if err != nil {
			return nil, request, fmt.Errorf("asking a public resolver for the addresses: %w", err)
		}
		all = append(all, found...)
	}
	return all, request, nil
}

// lookup reads one answer of the resolver.
func (o *Outside) lookup(ctx context.Context, address string) ([]netip.Addr, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/dns-json")
	resp, err := o.client.Do(req)
	if err != nil {
		return nil, plain(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxRecords))
	if err != nil {
		return nil, err
	}
	var answer struct {
		Status *int
		Answer []struct {
			Type int
			Data string
		}
	}
	const existsNot, v4, v6 = 3, 1, 28
	switch err := json.Unmarshal(body, &answer); {
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("it answers %d", resp.StatusCode)
	case err != nil || answer.Status == nil:
		return nil, errors.New("its answer is not one about names")
	case *answer.Status == existsNot:
		return nil, nil
	case *answer.Status != 0:
		return nil, fmt.Errorf("it fails with code %d", *answer.Status)
	}
	var all []netip.Addr
	for _, record := range answer.Answer {
		if record.Type != v4 && record.Type != v6 { // the aliases on the way
			continue
		}
		found, err := netip.ParseAddr(record.Data)
		if err != nil {
			return nil, errors.New("its answer holds an address that is none")
		}
		all = append(all, found.Unmap())
	}
	return all, nil
}

// plain takes the wrapping of the HTTP client, which repeats the URL, off an error.
func plain(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) && wrapped.Err != nil {
		return wrapped.Err
	}
	return err
}

// Send sends a request to one of the addresses of its host. The caller closes the body.
func (o *Outside) Send(ctx context.Context, to netip.Addr, r *http.Request) (*http.Response, error) {
	resp, err := o.client.Do(r.WithContext(pinTo(ctx, r, netip.AddrPortFrom(to, 0))))
	return resp, plain(err)
}

// Knock sends a request for a host to a server that may be the one behind its edge, and believes whatever certificate that shows: the request
// holds no secret, and the question is whether something answers that should be reached through the edge alone.
func (o *Outside) Knock(ctx context.Context, at netip.AddrPort, r *http.Request) (*http.Response, error) {
	resp, err := o.knock.Do(r.WithContext(pinTo(ctx, r, at)))
	return resp, plain(err)
}

// Handshake shows the chain that a host serves at an address. It begins a request, so that a proxy is found as for any other, and ends it as
// soon as the chain is known.
func (o *Outside) Handshake(ctx context.Context, to netip.Addr, host string) (certificates.Chain, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, "https://"+host+"/", nil)
	if err != nil {
		return certificates.Chain{}, err
	}
	var mu sync.Mutex // the transport may still be at it when the request has ended
	var chain certificates.Chain
	trace := &httptrace.ClientTrace{TLSHandshakeDone: func(state tls.ConnectionState, err error) {
		mu.Lock()
		defer mu.Unlock()
		var invalid *tls.CertificateVerificationError
		switch {
		case err == nil && state.ServerName == req.URL.Hostname():
			chain.Certificates, chain.Ways = state.PeerCertificates, state.VerifiedChains
		case errors.As(err, &invalid):
			chain.Certificates, chain.Invalid = invalid.UnverifiedCertificates, invalid.Err
		default:
			return
		}
		cancel()
	}}
	resp, err := o.afresh.Do(req.WithContext(httptrace.WithClientTrace(pinTo(ctx, req, netip.AddrPortFrom(to, 0)), trace)))
	if err == nil {
		_ = resp.Body.Close()
	}
	mu.Lock()
	defer mu.Unlock()
	if len(chain.Certificates) > 0 {
		return chain, nil
	}
	if err == nil {
		err = errors.New("the host answered without one")
	}
	return chain, plain(err)
}

// pinTo sends the requests of a context to an address, at the request's own port where the address has none.
func pinTo(ctx context.Context, r *http.Request, at netip.AddrPort) context.Context {
	port := r.URL.Port()
	if port == "" {
		port = "443"
	}
	host := net.JoinHostPort(strings.ToLower(r.URL.Hostname()), port)
	if at.Port() != 0 {
		return transport.To(ctx, host, at.String())
	}
	return transport.To(ctx, host, net.JoinHostPort(at.Addr().String(), port))
}

// Visit asks for the page / of a host at one of its public addresses, with headers. The caller closes the body.
func (o *Outside) Visit(ctx context.Context, host string, header http.Header) (*http.Response, error) {
	addresses, _, err := o.Addresses(ctx, host)
	if err != nil {
		return nil, err
	}
	if len(addresses) == 0 {
		return nil, fmt.Errorf("no public resolver knows %s", host)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+host+"/", nil)
	if err != nil {
		return nil, err
	}
	req.Header = header.Clone()
	return o.Send(ctx, addresses[0], req)
}
