package web

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/254carbon/gonogo/probes"
)

// maxBody is how much of a body is looked at.
const maxBody = 1 << 20

// one asks one target and compares.
func (p probe) one(ctx context.Context, t Target, within time.Duration) outcome {
	o := outcome{target: t, evidence: probes.Evidence{Subject: t.subject(), Want: t.Expect.String(), Got: "no answer"}}
	address := t.URL
	if t.Service != "" {
		address = t.Path
	}
	req, err := http.NewRequestWithContext(ctx, t.Method, address, nil)
	if err != nil {
		o.err = errors.New("the request cannot be made of what the profile says")
		o.evidence = o.evidence.From(t.fallback())
		return o
	}
	req.Header.Set("User-Agent", "gonogo")
	resp, request, err := p.fetcher.Fetch(ctx, t.Service, req)
	if request.Source == "" || request.Repeat == "" {
		request = t.fallback()
	}
	o.evidence = o.evidence.From(request)
	if err != nil {
		p.unanswered(ctx, &o, err, within)
		return o
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.Request != nil && resp.Request.Response != nil {
		o.err = errors.New("a redirect was followed, so that somebody else answered")
		return o
	}
	o.answered = true
	body, whole, err := readBody(resp, t)
	if err != nil {
		o.err = fmt.Errorf("reading the body of the answer %d: %w", resp.StatusCode, err)
		o.silent = timedOut(ctx, err)
		return o
	}
	got := answer{resp: resp, body: body, whole: whole, now: p.now()}
	o.evidence.Got = got.String()
	if cause, err := t.Expect.unmet(got); err != nil {
		o.err = err
	} else if cause != "" {
		o.wrong = cause
	}
	return o
}

func (t Target) subject() string {
	if place := t.place(); place != t.Name {
		return t.Name + " (" + place + ")"
	}
	return t.Name
}

// fallback says what was asked where the fetcher could not.
func (t Target) fallback() probes.Request {
	if t.Service != "" {
		rest := t.Service
		scheme := "http"
		if before, after, ok := strings.Cut(rest, ":"); ok && !strings.Contains(before, "/") {
			scheme, rest = before, after
		}
		namespace, rest, _ := strings.Cut(rest, "/")
		path := fmt.Sprintf("/api/v1/namespaces/%s/services/%s:%s/proxy%s", namespace, scheme, rest, t.Path)
		return probes.Request{Source: t.Method + " " + path, Repeat: "kubectl get --raw '" + path + "'"}
	}
	flag := ""
	if t.Method == http.MethodHead {
		flag = " -I"
	}
	return probes.Request{Source: t.Method + " " + t.URL, Repeat: "curl -sS" + flag + " '" + strings.ReplaceAll(t.URL, "'", "%27") + "'"}
}

// unanswered sorts out why there is no answer: what the API server says of a service is a measurement, and so is a bad certificate.
func (p probe) unanswered(ctx context.Context, o *outcome, err error, within time.Duration) {
	if t := o.target; t.Service != "" {
		if o.wrong = saidOfService(err); o.wrong != "" {
			o.answered = true
			return
		}
	} else if t.Expect.TLSMinDays > 0 {
		if o.wrong = badCertificate(err, p.now()); o.wrong != "" {
			return
		}
	}
	if o.silent = timedOut(ctx, err); o.silent {
		o.err = silentError{within: within, err: err}
		return
	}
	if inner := (*url.Error)(nil); errors.As(err, &inner) && errors.Is(err, inner.Err) && o.target.Service == "" {
		err = inner.Err // the request is named beside it
	}
	o.err = err
}

// silentError says that nothing was said in time.
type silentError struct {
	within time.Duration
	err    error
}

func (e silentError) Error() string {
	return fmt.Sprintf("no answer within %s", e.within.Round(10*time.Millisecond))
}
func (e silentError) Unwrap() error { return e.err }

func timedOut(ctx context.Context, err error) bool {
	var timeout net.Error
	return errors.Is(ctx.Err(), context.DeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

// saidOfService is what the API server says of a service that it would have asked for us, or nothing if it says nothing about the service.
func saidOfService(err error) string {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return ""
	}
	s := status.Status()
	switch {
	case apierrors.IsNotFound(err) && (strings.HasPrefix(s.Message, "services ") || s.Details != nil && s.Details.Kind == "services"):
		return "the Service does not exist"
	case strings.Contains(s.Message, "no endpoints available for service"):
		return "the Service has no ready endpoints"
	case strings.Contains(s.Message, "no service port"):
		return "the Service has no such port"
	// Of what the API server met on the way to the pod, only this shows that it got there. A time-out or a missing route may be its own.
	case strings.Contains(s.Message, "error trying to reach service") && strings.Contains(s.Message, "connection refused"):
		return "the Service refuses connections"
	}
	return ""
}

// badCertificate says what is wrong with a certificate that was shown. One from an authority that is not trusted here says nothing: the
// authority may only be missing here.
func badCertificate(err error, now time.Time) string {
	var invalid x509.CertificateInvalidError
	var host x509.HostnameError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && now.Before(invalid.Cert.NotBefore):
		return "the certificate is not valid before " + day(invalid.Cert.NotBefore)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the certificate expired on " + day(invalid.Cert.NotAfter)
	case errors.As(err, &host):
		return "the certificate is not for " + host.Host
	}
	return ""
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02") }

// readBody reads as much of a body as is looked at, and reports whether that is all of it.
func readBody(resp *http.Response, t Target) ([]byte, bool, error) {
	if !t.Expect.body() {
		return nil, true, nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil || len(body) < maxBody {
		return body, true, err
	}
	more, err := resp.Body.Read(make([]byte, 1)) // the fetcher's own bound may end it here, with an error
	return body, more == 0 && errors.Is(err, io.EOF), nil
}
