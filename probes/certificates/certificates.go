// Package certificates asks whether the certificates of a platform's hosts are what they should be. It makes a handshake with every host at
// its public address and looks at the chain that is served there: whether it is trusted and for that host, who signed it, and how long it
// lasts. In the cluster it looks at what cert-manager's issuers really are, since a name is not a fact: an issuer called letsencrypt-prod may
// well sign for itself. Secrets are never read.
package certificates

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/probes"
)

// Connection is what the kind tls asks over: the way of everybody outside.
const Connection = "edge"

// Outside looks at hosts as somebody out on the internet does. It is used by several goroutines at once.
type Outside interface {
	// Addresses asks a public resolver, past the machine's own and its hosts file. A host that does not exist has none.
	Addresses(ctx context.Context, host string) ([]netip.Addr, probes.Request, error)
	// Handshake shows the chain that a host ("name" or "name:port") serves at an address. The error means that none was served.
	Handshake(ctx context.Context, to netip.Addr, host string) (Chain, error)
}

// Chain is what a host served, its own certificate first, and why it cannot be relied on, by the platform's clock; nil if it can.
type Chain struct {
	Certificates []*x509.Certificate
	Ways         [][]*x509.Certificate // from its own certificate to a trusted root, each; none if it cannot be relied on
	Invalid      error
}

// Objects reads collections of a cluster's objects from shared watches.
//
// List waits, within ctx, until the collection was seen as a whole once. A resource that the cluster does not serve is an error for which
// apierrors.IsNotFound holds; missing rights are an error that names them. Where rights end at some namespaces, Note says so. Watch calls
// wake whenever the collection may have changed, until stop is called.
type Objects interface {
	List(ctx context.Context, r schema.GroupVersionResource, namespace string) (probes.Seen[*unstructured.Unstructured], error)
	Watch(r schema.GroupVersionResource, wake func()) (stop func())
}

// Info describes the kind tls.
func Info() probes.KindInfo {
	return probes.KindInfo{
		Name: "tls",
		About: "Makes a handshake with every declared host at its public address and looks at the chain that is served: trusted, for that host, from a declared " +
			"issuer, for how long; and, if the cluster is to be asked, at what cert-manager's issuers and certificates really are. Secrets are never read.",
		Connection: Connection, Every: 10 * time.Minute, Timeout: 20 * time.Second, Confirm: 2,
		Params: func() any { return &Params{MinDays: 21, FailDays: 3} },
	}
}

// New returns a probe of the kind tls. Parameters must be valid. Objects are needed only if the cluster is to be looked into. The clock is that
// of what is left; nil for the machine's.
func New(outside Outside, objects Objects, p Params, now func() time.Time) probes.Probe {
	if now == nil {
		now = time.Now
	}
	return &probe{outside: outside, objects: objects, params: p, hosts: p.hosts(), now: now}
}

type probe struct {
	outside Outside
	objects Objects
	params  Params
	hosts   []string
	now     func() time.Time
}

// How many hosts are looked at at once, and how long one may take.
const (
	atOnce  = 8
	mostPer = 8 * time.Second
)

// finding is what was found of one certificate.
type finding struct {
	host     string
	served   bool // by a host, and not kept in the cluster
	evidence probes.Evidence
	until    time.Time
	wrong    string // it fails the claim
	short    string // it is a warning
	err      error  // it could not be looked at
}

// Watch wakes when cert-manager's objects change, if they are looked at.
func (p *probe) Watch(wake func()) (stop func()) {
	if p.params.Cluster.Issuer == "" {
		return func() {}
	}
	issuers, issued := p.objects.Watch(managerResource("clusterissuers"), wake), p.objects.Watch(managerResource("certificates"), wake)
	return func() {
		issuers()
		issued()
	}
}

// Observe looks at every host and, if it is to, into the cluster.
func (p *probe) Observe(ctx context.Context) (probes.Observation, error) {
	share := mostPer
	if deadline, ok := ctx.Deadline(); ok {
		waves := (len(p.hosts) + atOnce - 1) / atOnce
		if share = time.Until(deadline); len(p.hosts) > 1 {
			share = min(mostPer, share*9/10/time.Duration(waves))
		}
	}
	all := make([]finding, len(p.hosts))
	slots := make(chan struct{}, atOnce)
	var group sync.WaitGroup
	for i, host := range p.hosts {
		group.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			within, cancel := context.WithTimeout(ctx, share)
			defer cancel()
			all[i] = p.look(within, host)
			if all[i].err != nil && within.Err() != nil && ctx.Err() == nil {
				all[i].err = fmt.Errorf("no answer within %s", share.Round(10*time.Millisecond))
			}
		})
	}
	var cluster []finding
	var confirmed time.Time
	var err error
	if p.params.Cluster.Issuer != "" {
		cluster, confirmed, err = p.cluster(ctx)
	}
	group.Wait()
	if err := ctx.Err(); err != nil {
		return probes.Observation{}, fmt.Errorf("looking at the chains of %d hosts: %w", len(p.hosts), err)
	}
	return p.conclude(all, cluster, confirmed, err)
}

// look looks at the chain of one host.
func (p *probe) look(ctx context.Context, host string) finding {
	f := finding{host: host, served: true, evidence: probes.Evidence{Subject: "chain of " + host, Want: p.wanted()}}
	name, port, ok := strings.Cut(host, ":")
	if !ok {
		port = "443"
	}
	addresses, request, err := p.outside.Addresses(ctx, name)
	f.evidence = f.evidence.From(request)
	switch {
	case err != nil:
		f.err = err
		return f
	case len(addresses) == 0:
		f.err = errors.New("no public resolver knows the name")
		return f
	}
	at := addresses[0].String()
	if addresses[0].Is6() {
		at = "[" + at + "]"
	}
	f.evidence = f.evidence.From(probes.Request{
		Source: fmt.Sprintf("TLS handshake with %s at %s:%s", host, at, port),
		Repeat: fmt.Sprintf("openssl s_client -connect %s -servername %s </dev/null 2>/dev/null | openssl x509 -noout -subject -issuer -dates",
			probes.ShellWord(at+":"+port), probes.ShellWord(name)),
	})
	chain, err := p.outside.Handshake(ctx, addresses[0], host)
	switch {
	case err != nil:
		f.err = fmt.Errorf("no handshake: %w", err)
	case len(chain.Certificates) == 0:
		f.err = errors.New("no handshake: no certificate was shown")
	default:
		p.judge(&f, name, chain)
	}
	return f
}

func (p *probe) wanted() string {
	text := "trusted, for the host"
	if len(p.params.Issuers) > 0 {
		text += ", from " + strings.Join(p.params.Issuers, " or ")
	}
	return fmt.Sprintf("%s, for %d more days", text, p.params.MinDays)
}

// until is when nobody relies on a chain any more: the end of the way to a trusted root that lasts longest, which ends with what ends first on
// it. What is served besides plays no part.
func (c Chain) until() time.Time {
	ways := c.Ways
	if len(ways) == 0 {
		ways = [][]*x509.Certificate{c.Certificates}
	}
	var last time.Time
	for _, way := range ways {
		end := way[0].NotAfter
		for _, link := range way {
			if link.NotAfter.Before(end) {
				end = link.NotAfter
			}
		}
		if end.After(last) {
			last = end
		}
	}
	return last
}

// judge looks at a chain.
func (p *probe) judge(f *finding, name string, chain Chain) {
	leaf := chain.Certificates[0]
	f.until = chain.until()
	by := signer(leaf)
	f.evidence.Got = fmt.Sprintf("signed by %s, until %s, %s left", by, day(f.until), days(f.until.Sub(p.now())))
	f.wrong = refusal(chain, name, p.now())
	if f.wrong == "" && len(p.params.Issuers) > 0 && !slices.ContainsFunc(p.params.Issuers, func(issuer string) bool { return isSigner(leaf, issuer) }) {
		f.wrong = "it is signed by " + by + ", not by " + strings.Join(p.params.Issuers, " or ")
	}
	if f.wrong == "" {
		f.wrong, f.short = p.left(f.until)
	}
}

// left says whether what is left until then is a failure or a warning.
func (p *probe) left(until time.Time) (wrong, short string) {
	left := until.Sub(p.now())
	text := fmt.Sprintf("it ends in %s, on %s", days(left), day(until))
	switch {
	case left <= 0:
		return "it expired on " + day(until), ""
	case left <= time.Duration(p.params.FailDays)*24*time.Hour:
		return text, ""
	case left < time.Duration(p.params.MinDays)*24*time.Hour:
		return "", text
	}
	return "", ""
}

// refusal says why a chain cannot be relied on, or nothing if it can.
func refusal(chain Chain, name string, now time.Time) string {
	leaf := chain.Certificates[0]
	var invalid x509.CertificateInvalidError
	var host x509.HostnameError
	var unknown x509.UnknownAuthorityError
	switch err := chain.Invalid; {
	case err == nil:
		return ""
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && now.Before(invalid.Cert.NotBefore):
		return "it is not valid before " + day(invalid.Cert.NotBefore)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "it expired on " + day(invalid.Cert.NotAfter)
	case errors.As(err, &host):
		return fmt.Sprintf("it is for %s, not for %s", enumerate(leaf.DNSNames), name)
	case errors.As(err, &unknown) && leaf.CheckSignatureFrom(leaf) == nil, errors.As(err, &unknown) && string(leaf.RawIssuer) == string(leaf.RawSubject):
		return "it is signed by itself"
	case errors.As(err, &unknown) && len(chain.Certificates) == 1:
		return "nobody vouches for it: the certificate of its issuer, " + signer(leaf) + ", is not served with it"
	case errors.As(err, &unknown):
		return "it is signed by " + signer(leaf) + ", whom nobody trusts"
	default:
		return probes.Clean(err.Error(), 160)
	}
}

// signer is who signed a certificate, as the certificate says.
func signer(c *x509.Certificate) string {
	names := append(slices.Clone(c.Issuer.Organization), c.Issuer.CommonName)
	names = slices.DeleteFunc(names, func(n string) bool { return strings.TrimSpace(n) == "" })
	switch len(names) {
	case 0:
		return "nobody"
	case 1:
		return probes.Clean(names[0], 80)
	}
	return probes.Clean(names[0], 80) + " (" + probes.Clean(names[len(names)-1], 80) + ")"
}

func isSigner(c *x509.Certificate, issuer string) bool {
	return slices.ContainsFunc(c.Issuer.Organization, func(o string) bool { return strings.EqualFold(o, issuer) })
}
