// Package web asks services for a page and looks at what comes back: the status, headers, the body, how long the certificate lasts. It asks
// on a Service of the cluster or on a URL, many at a time, and follows no redirect: a door that leads elsewhere is itself the answer.
//
// What counts as an answer. A Service is asked through the API server, and whatever that says of the Service is a measurement: that it does
// not exist, that it has no ready endpoints, that it refuses connections. That the API server refuses gonogo, or cannot be reached, is none.
// A Service that says nothing in time is down if another one answered over the same way, and unknown otherwise, since then the way itself
// may be slow. A URL is asked over networks that gonogo knows nothing of (a bastion without a route, a proxy), so one that cannot be
// connected to is always unknown; a certificate that has expired or is for another host was seen, and is a failure where certificates are
// asked about.
//
// Of several targets, one that is measured wanting fails the claim, whatever became of the others. If none is, one that could not be asked
// leaves it unknown.
package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// Connection is what the kind of this package asks over. It is not the cluster's: a URL can be asked without one, and a service that hangs
// keeps nobody from reading the cluster.
const Connection = "web"

// Fetcher sends one GET or HEAD, without following redirects, and bounds the body of the answer: reading beyond the bound is an error.
//
// Without a service the request's URL is asked. With one ("namespace/name:port", or with "https:" in front) the URL's path and query are
// asked of that service. An error about a service for which the functions of apierrors hold is what the API server said in the service's
// place; any other error means that nobody answered. Fetch is called by several goroutines at once. The caller closes the body.
type Fetcher interface {
	Fetch(ctx context.Context, service string, req *http.Request) (*http.Response, probes.Request, error)
}

// Voucher is what a Fetcher implements that can tell whether its way to services works: Vouch returns why it does not. It is asked before a
// service is called wrong, since an API server that is broken answers in the service's place.
type Voucher interface {
	Vouch(ctx context.Context) error
}

// Info describes the kind http.
func Info() probes.KindInfo {
	return probes.KindInfo{
		Name: "http",
		About: "Asks services of the cluster, through the API server, or URLs for a page and compares status, headers, body and the age of the certificate " +
			"with what is expected.",
		Connection: Connection, Every: time.Minute, Timeout: 15 * time.Second, Confirm: 2,
		Params: func() any { return &Params{Method: http.MethodGet, Path: "/"} },
	}
}

// New returns a probe of the kind http. Parameters must be valid. The clock is that of certificates; nil for the machine's.
func New(f Fetcher, p Params, now func() time.Time) probes.Probe {
	if now == nil {
		now = time.Now
	}
	return probe{fetcher: f, targets: p.targets(), now: now}
}

type probe struct {
	fetcher Fetcher
	targets []Target
	now     func() time.Time
}

// How many targets are asked at once, and how long one may take at most, so that one that hangs leaves time for the others.
const (
	atOnce  = 8
	mostPer = 10 * time.Second
	named   = 4 // in a summary, before the rest is counted
)

// outcome is what became of one target.
type outcome struct {
	target   Target
	evidence probes.Evidence
	wrong    string // measured wanting
	err      error  // could not be asked
	silent   bool   // err is that time ran out
	answered bool   // the way to the target works
}

func (p probe) Observe(ctx context.Context) (probes.Observation, error) {
	outcomes := p.ask(ctx)
	if err := ctx.Err(); err != nil && errors.Is(err, context.Canceled) {
		return probes.Observation{}, fmt.Errorf("asking %s: %w", p.subject(), err)
	}
	settleSilence(outcomes)
	p.vouch(ctx, outcomes)
	return p.conclude(outcomes)
}

// vouch takes back what was said against services if the way to them turns out to be broken.
func (p probe) vouch(ctx context.Context, all []outcome) {
	suspect := func(o outcome) bool { return o.target.Service != "" && o.wrong != "" }
	v, ok := p.fetcher.(Voucher)
	if !ok || !slices.ContainsFunc(all, suspect) {
		return
	}
	err := v.Vouch(ctx)
	if err == nil {
		return
	}
	for i := range all {
		if suspect(all[i]) {
			all[i].wrong, all[i].err = "", fmt.Errorf("the way to services is broken: %w", err)
		}
	}
}

// ask asks every target, a few at a time, each with its share of the time.
func (p probe) ask(ctx context.Context) []outcome {
	share := p.share(ctx)
	outcomes := make([]outcome, len(p.targets))
	slots := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for i, t := range p.targets {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			ctx, cancel := context.WithTimeout(ctx, share)
			defer cancel()
			outcomes[i] = p.one(ctx, t, share)
		})
	}
	all.Wait()
	return outcomes
}

// share is how long one target may take. One alone has all the time there is; several leave some of it to say which of them hung.
func (p probe) share(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	left := time.Until(deadline)
	switch waves := (len(p.targets) + atOnce - 1) / atOnce; {
	case !ok:
		return mostPer
	case len(p.targets) == 1:
		return left
	default:
		return min(mostPer, left*9/10/time.Duration(waves))
	}
}

// settleSilence decides what it means that services said nothing: with a way that others answered over, that they are down.
func settleSilence(all []outcome) {
	works := slices.ContainsFunc(all, func(o outcome) bool { return o.target.Service != "" && o.answered })
	for i := range all {
		o := &all[i]
		if works && o.silent && o.target.Service != "" {
			o.wrong, o.err = o.err.Error(), nil
		}
	}
}

func (p probe) subject() string {
	if len(p.targets) == 1 {
		return p.targets[0].Name
	}
	return fmt.Sprintf("%d targets", len(p.targets))
}

func (p probe) conclude(all []outcome) (probes.Observation, error) {
	var wrong, blind []string
	var first error
	obs := probes.Observation{Status: probes.Pass}
	for _, o := range all {
		e := o.evidence
		switch {
		case o.wrong != "":
			wrong = append(wrong, o.target.Name+": "+o.wrong)
			e.Got, e.Wanting = o.wrong, true
		case o.err != nil:
			blind = append(blind, o.target.Name+": "+o.err.Error())
			e.Got = "could not be asked: " + o.err.Error()
			if first == nil {
				first = o.err
			}
		}
		obs.Evidence = append(obs.Evidence, e)
	}
	switch {
	case len(wrong) > 0:
		obs.Status, obs.Summary = probes.Fail, enumerate(wrong)
		if len(blind) > 0 {
			obs.Summary += fmt.Sprintf("; besides, %d could not be asked", len(blind))
		}
	case len(blind) > 0:
		return probes.Observation{}, blindError{text: "asking " + enumerate(blind), first: first}
	case len(all) == 1:
		obs.Summary = all[0].target.Name + " answers " + obs.Evidence[0].Got
	default:
		obs.Summary = fmt.Sprintf("%d of %d answer as expected", len(all), len(all))
	}
	return obs, nil
}

// blindError names every target that could not be asked, and is the error of the first.
type blindError struct {
	text  string
	first error
}

func (e blindError) Error() string { return e.text }
func (e blindError) Unwrap() error { return e.first }

// enumerate joins phrases and counts those beyond what a line can name.
func enumerate(phrases []string) string {
	if more := len(phrases) - named; more > 0 {
		return fmt.Sprintf("%s; and %d more", strings.Join(phrases[:named], "; "), more)
	}
	return strings.Join(phrases, "; ")
}
