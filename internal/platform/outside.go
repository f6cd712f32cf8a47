package platform

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/254carbon/gonogo/internal/platform/transport"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/edge"
)

var _ edge.Outside = (*Outside)(nil)

// resolver answers questions about public names over HTTPS. It is asked in place of the machine's resolver, whose answers about the
// platform's hosts may be those of a split DNS or of a hosts file.
const resolver = "https://cloudflare-dns.com/dns-query"

// maxRecords is how much of an answer of the resolver is read.
const maxRecords = 64 << 10

// Outside looks at hosts as somebody out on the internet does: by their public addresses, with TLS verified by the platform's clock, without
// a credential and without following redirects.
type Outside struct {
	client *http.Client
	knock  *http.Client // believes any certificate
	dial   transport.DialFunc
	roots  *x509.CertPool
	now    func() time.Time
}

func (x *Platform) openOutside(o Options) {
	out := &Outside{client: transport.Client(x.transport(o, nil)), dial: o.Dial, roots: o.Roots, now: o.Now}
	if out.dial == nil {
		out.dial = (&net.Dialer{}).DialContext
	}
	out.knock = transport.Client(transport.Wrap(&http.Transport{
		DialContext:         transport.Pinned(out.dial),
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
