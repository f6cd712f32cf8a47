// Package edge asks from outside whether services are behind a login: it finds a host's public addresses, goes to Cloudflare's edge there as
// anybody could, without a credential and without following redirects, and looks at what comes back.
//
// A service is protected if it leads to the login of the declared team for that host, proven by what the team's keys sign (a statement in the
// header Cf-Access-Metadata, which is asked for, or in the way to the login), or, where nothing is signed, by the marks that Access puts on
// its answers. Another team's login, a statement that is forged or has expired, and any answer of the service itself are failures. What only
// says that nothing could be told is unknown: a service that is down, a challenge for browsers, a firewall's refusal, an address that is not
// a public one.
package edge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// Connection is what the kinds that look from outside ask over. It is none of a profile's.
const Connection = "edge"

// Outside looks at hosts as somebody out on the internet does. It is used by several goroutines at once.
type Outside interface {
	// Addresses asks a public resolver, past the machine's own and its hosts file. A host that does not exist has none.
	Addresses(ctx context.Context, host string) ([]netip.Addr, probes.Request, error)
	// Send sends a request to an address of its host, verifies the host's certificate there, and follows no redirect.
	Send(ctx context.Context, to netip.Addr, r *http.Request) (*http.Response, error)
	// Knock sends a request for a host to a server that may be the one behind the edge, whatever certificate that shows.
	Knock(ctx context.Context, at netip.AddrPort, r *http.Request) (*http.Response, error)
}

// Info describes the kind cloudflare.edge.
func Info() probes.KindInfo {
	return probes.KindInfo{
		Name: "cloudflare.edge",
		About: "Goes to the hosts of protected services from outside, at Cloudflare's edge as a public resolver finds it, without a credential, and asks whether " +
			"the team's login is all that answers; the origin, if its addresses are given, must not answer at all.",
		Connection: Connection, Every: time.Minute, Timeout: 20 * time.Second, Confirm: 2,
		Params: func() any { return &Params{} },
	}
}

// New returns a probe of the kind cloudflare.edge. Parameters must be valid; the clock is that of what the team signs, nil for the machine's.
func New(outside Outside, p Params, now func() time.Time) probes.Probe {
	if now == nil {
		now = time.Now
	}
	made := &probe{outside: outside, targets: p.targets(), paths: p.paths(), domain: p.teamDomain()}
	for _, origin := range p.Origins {
		if at, err := parseOrigin(origin); err == nil { // validated
			made.origins = append(made.origins, at)
		}
	}
	made.keys = &keys{domain: made.domain, get: made.get, now: now}
	return made
}

type probe struct {
	outside Outside
	targets []target
	paths   []string
	domain  string
	origins []netip.AddrPort
	keys    *keys
}

// How many hosts are looked at at once, how long one may take, and how much of an answer is read.
const (
	atOnce  = 8
	mostPer = 8 * time.Second
	maxRead = 64 << 10
)

// outcome is what became of one host.
type outcome struct {
	target target
	finding
	request probes.Request
}

// Observe looks at every host once.
func (p *probe) Observe(ctx context.Context) (probes.Observation, error) {
	share := mostPer
	if deadline, ok := ctx.Deadline(); ok {
		waves := (len(p.targets) + atOnce - 1) / atOnce
		if share = time.Until(deadline); len(p.targets) > 1 { // several leave time to say which of them hung
			share = min(mostPer, share*9/10/time.Duration(waves))
		}
	}
	all := make([]outcome, len(p.targets))
	slots := make(chan struct{}, atOnce)
	var group sync.WaitGroup
	for i, t := range p.targets {
		group.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			within, cancel := context.WithTimeoutCause(ctx, share, fmt.Errorf("no answer within %s", share.Round(10*time.Millisecond)))
			defer cancel()
			all[i] = p.look(within, t)
			if err := all[i].err; err != nil && errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
				all[i].finding = unclear("down", "%v", context.Cause(within))
			}
		})
	}
	group.Wait()
	if err := ctx.Err(); err != nil {
		return probes.Observation{}, fmt.Errorf("looking at %d hosts from outside: %w", len(p.targets), err)
	}
	return p.conclude(all)
}

// look looks at one host: where it is, what it answers on every path, and whether the origin answers too.
func (p *probe) look(ctx context.Context, t target) outcome {
	o := outcome{target: t}
	addresses, request, err := p.outside.Addresses(ctx, bare(t.host))
	o.request = request
	if err != nil {
		o.finding = finding{label: "inconclusive", text: err.Error(), err: err}
		return o
	}
	if o.finding = place(addresses); o.err != nil || o.fails {
		return o
	}
	for _, path := range p.paths {
		o.request = describe(t.host, path, addresses[0])
		if o.finding = p.ask(ctx, t, path, addresses[0]); o.err != nil || o.fails {
			return o
		}
	}
	for _, origin := range p.origins {
		for _, path := range p.paths {
			if f := p.knock(ctx, t, path, origin); f.err != nil || f.fails {
				o.finding, o.request = f, describeOrigin(t.host, path, origin)
				return o
			}
		}
	}
	return o
}

// place judges the addresses of a host.
func place(addresses []netip.Addr) finding {
	if len(addresses) == 0 {
		return unclear("down", "no public resolver knows the name")
	}
	for _, a := range addresses {
		switch {
		case !public(a):
			return unclear("inconclusive", "is at %s, which is no public address: from here it cannot be told what others see", a)
		case !ofCloudflare(a):
			return wrong("open", "is at %s, which is not Cloudflare's: nothing stands before it", a)
		}
	}
	return finding{}
}

// ask goes to one path of a host.
func (p *probe) ask(ctx context.Context, t target, path string, at netip.Addr) finding {
	resp, err := p.send(ctx, http.MethodGet, t.host, path, at, "")
	if err != nil {
		return finding{label: "down", text: "no answer: " + err.Error(), err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxRead))
	if err != nil && resp.StatusCode >= 300 { // of an answer that is no page the status is enough; of a page too, once it came
		body = nil
	}
	meta := resp.Header.Get(metadata)
	if meta == "" {
		meta = p.metadata(ctx, t.host, path, at)
	}
	return p.judge(ctx, answer{host: t.host, resp: resp, body: string(body)}, meta)
}

// metadata is the header in which Access signs what it knows of a host, to those who ask for it.
const metadata = "Cf-Access-Metadata"

// metadata asks for that header. Older edges do not know it, and what stands in its place is looked at anyhow.
func (p *probe) metadata(ctx context.Context, host, path string, at netip.Addr) string {
	resp, err := p.send(ctx, http.MethodHead, host, path, at, metadata+"-Request")
	if err != nil {
		return ""
	}
	_ = resp.Body.Close()
	return resp.Header.Get(metadata)
}

func (p *probe) send(ctx context.Context, method, host, path string, at netip.Addr, header string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "https://"+host+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "gonogo")
	if header != "" {
		req.Header.Set(header, "true")
	}
	return p.outside.Send(ctx, at, req)
}

// get reads a page of the team's own host, which is at the same edge.
func (p *probe) get(ctx context.Context, host, path string) (*http.Response, error) {
	addresses, _, err := p.outside.Addresses(ctx, host)
	switch {
	case err != nil:
		return nil, err
	case len(addresses) == 0:
		return nil, errors.New("no public resolver knows the name; is there a team of that name?")
	}
	return p.send(ctx, http.MethodGet, host, path, addresses[0], "")
}

// knock asks whether the origin serves a path of a host itself. Only a door at which nobody answers, and a refusal that does not depend on who
// asks, is a closed one: what asks for a login of its own can be reached around Cloudflare. What listens and says nothing that could be
// understood leaves it unclear.
func (p *probe) knock(ctx context.Context, t target, path string, at netip.AddrPort) finding {
	within, cancel := context.WithTimeout(ctx, mostPer/4)
	defer cancel()
	var connected atomic.Bool
	traced := httptrace.WithClientTrace(within, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
		ConnectDone: func(_, _ string, err error) {
			if err == nil {
				connected.Store(true)
			}
		},
	})
	req, err := http.NewRequestWithContext(traced, http.MethodGet, "https://"+t.host+path, nil)
	if err != nil {
		return finding{err: err}
	}
	resp, err := p.outside.Knock(traced, at, req)
	switch {
	case err != nil && ctx.Err() != nil:
		return finding{err: ctx.Err()}
	case err != nil && !connected.Load() && nobodyThere(within, err):
		return finding{}
	case err != nil:
		return unclear("inconclusive", "its origin at %s could not be asked around Cloudflare: %v", at, err)
	}
	_ = resp.Body.Close()
	to, _ := resp.Location()
	a := answer{host: t.host, resp: resp}
	switch code := resp.StatusCode; {
	case slices.Contains([]int{http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusMisdirectedRequest}, code):
		return finding{} // no such host there, no client certificate, or no token of Access
	case code >= 500 || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout:
		return unclear("inconclusive", "its origin at %s answers %s around Cloudflare", at, a.status())
	case code >= 300 && code < 400 && to != nil && strings.EqualFold(to.Host, p.domain):
		return finding{}
	}
	return wrong("open", "its origin at %s answers %s around Cloudflare", at, a.status())
}

// nobodyThere reports whether a dial that failed found a closed door: refused, or not answered at all.
func nobodyThere(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EHOSTUNREACH)
}

func describe(host, path string, at netip.Addr) probes.Request {
	address := "https://" + host + path
	port := "443"
	if _, after, ok := strings.Cut(host, ":"); ok {
		port = after
	}
	to := at.String()
	if at.Is6() {
		to = "[" + to + "]"
	}
	return probes.Request{
		Source: "GET " + address,
		Repeat: "curl -sS -o /dev/null -D - --resolve " + probes.ShellWord(bare(host)+":"+port+":"+to) + " " + probes.ShellWord(address),
	}
}

func describeOrigin(host, path string, at netip.AddrPort) probes.Request {
	return probes.Request{
		Source: fmt.Sprintf("GET https://%s%s at %s", host, path, at),
		Repeat: "curl -sSk -o /dev/null -D - --connect-to " + probes.ShellWord("::"+at.String()) + " " + probes.ShellWord("https://"+host+path),
	}
}

// conclude makes the observation. One host that was measured wanting fails the claim, whatever became of the others; else one that could
// not be told leaves it unknown.
func (p *probe) conclude(all []outcome) (probes.Observation, error) {
	obs := probes.Observation{Status: probes.Pass, Summary: fmt.Sprintf("%d of %d proven protected", len(all), len(all))}
	blind := 0
	for _, o := range all {
		e := probes.Evidence{Subject: o.target.subject(), Want: "nothing but the login at " + p.domain, Got: o.text, Wanting: o.fails}.From(o.request)
		if o.err != nil {
			blind++
			e.Got = "could not be told: " + o.text
		} else if o.label != "" {
			e.Got = o.label + ": " + o.text
		}
		obs.Evidence = append(obs.Evidence, e)
	}
	if text := summary(all, func(o outcome) bool { return o.fails }); text != "" {
		obs.Status, obs.Summary = probes.Fail, text
		if blind > 0 {
			obs.Summary += fmt.Sprintf("; besides, %d could not be told", blind)
		}
		return obs, nil
	}
	if i := slices.IndexFunc(all, func(o outcome) bool { return o.err != nil }); i >= 0 {
		return probes.Observation{}, blindError{text: summary(all, func(o outcome) bool { return o.err != nil }), first: all[i].err}
	}
	return obs, nil
}

// blindError names the hosts of which nothing could be told, and is the error of the first.
type blindError struct {
	text  string
	first error
}

func (e blindError) Error() string { return e.text }
func (e blindError) Unwrap() error { return e.first }

// named is how many hosts a summary names of each finding, and how many findings, before it counts the rest.
const named = 3

// summary names the hosts that were picked, by what was found of them: label: hosts (what was seen).
func summary(all []outcome, pick func(outcome) bool) string {
	type group struct {
		label, text string
		hosts       []string
	}
	var groups []*group
	for _, o := range all {
		if !pick(o) {
			continue
		}
		i := slices.IndexFunc(groups, func(g *group) bool { return g.label == o.label && g.text == o.text })
		if i < 0 {
			i, groups = len(groups), append(groups, &group{label: o.label, text: o.text})
		}
		groups[i].hosts = append(groups[i].hosts, o.target.host)
	}
	slices.SortStableFunc(groups, func(a, b *group) int { return len(b.hosts) - len(a.hosts) })
	var parts []string
	rest, before := 0, ""
	for i, g := range groups {
		if i >= named {
			rest += len(g.hosts)
			continue
		}
		part := enumerate(g.hosts) + " (" + g.text + ")"
		if g.label != before {
			part = g.label + ": " + part
		}
		before = g.label
		parts = append(parts, part)
	}
	if rest > 0 {
		parts = append(parts, fmt.Sprintf("%d more", rest))
	}
	return strings.Join(parts, "; ")
}

// enumerate joins words and counts those beyond what a line can name.
func enumerate(words []string) string {
	if more := len(words) - named; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(words[:named], ", "), more)
	}
	return strings.Join(words, ", ")
}
