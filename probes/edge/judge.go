package edge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/254carbon/gonogo/probes"
)

// finding is what was found of one host.
type finding struct {
	label string // what it is called: protected, open, forged …
	text  string // what was seen
	fails bool   // it was measured wanting
	err   error  // it could not be told
}

func protected(format string, args ...any) finding {
	return finding{label: "protected", text: fmt.Sprintf(format, args...)}
}

func wrong(label, format string, args ...any) finding {
	return finding{label: label, text: fmt.Sprintf(format, args...), fails: true}
}

func unclear(label, format string, args ...any) finding {
	text := fmt.Sprintf(format, args...)
	return finding{label: label, text: text, err: errors.New(text)}
}

// answer is what a host answered to one who shows nothing.
type answer struct {
	host string
	resp *http.Response
	body string // its beginning
}

func (a answer) status() string {
	return strings.TrimSpace(strconv.Itoa(a.resp.StatusCode) + " " + http.StatusText(a.resp.StatusCode))
}

// byAccess reports whether the answer carries a mark that only Access puts on answers.
func (a answer) byAccess() bool {
	h := a.resp.Header
	for _, cookie := range h.Values("Set-Cookie") {
		if strings.HasPrefix(cookie, "CF_AppSession=") {
			return true
		}
	}
	return strings.HasPrefix(h.Get("Www-Authenticate"), "Cloudflare-Access") || h.Get("Cf-Access-Aud") != "" || h.Get("Cf-Access-Domain") != ""
}

// byOrigin reports whether the answer is the service's own: the edge marks what it did not make itself.
func (a answer) byOrigin() bool {
	h := a.resp.Header
	return !strings.EqualFold(h.Get("Server"), "cloudflare") || h.Get("Cf-Cache-Status") != ""
}

// judge says what an answer means. meta is the statement of the header, if one came.
func (p *probe) judge(ctx context.Context, a answer, meta string) finding {
	var known string // the application, by what is signed
	if meta != "" {
		var err error
		if known, err = p.keys.verify(ctx, meta, inHeader, bare(a.host), ""); err != nil {
			return unverified(err, "the header Cf-Access-Metadata")
		}
	}
	switch code := a.resp.StatusCode; {
	case a.resp.Header.Get("Cf-Mitigated") == "challenge":
		return unclear("inconclusive", "answers %s with a challenge for browsers", a.status())
	case code == http.StatusTooManyRequests:
		return unclear("inconclusive", "answers %s: asked too often", a.status())
	case code >= 500:
		return p.down(a)
	case code >= 300 && code < 400:
		return p.redirect(ctx, a, known)
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return p.refusal(a, known)
	}
	return wrong("open", "answers %s without Access", a.status())
}

// unverified says what it means that a statement does not hold.
func unverified(err error, where string) finding {
	var f *forgedError
	if errors.As(err, &f) {
		return wrong(f.label, "%s in %s", f.why, where)
	}
	return finding{label: "inconclusive", text: err.Error(), err: err}
}

// down is a service that cannot be reached from the edge. Access, which stands before the service, did not answer in its place.
func (p *probe) down(a answer) finding {
	text := "answers " + a.status()
	_, after, ok := strings.Cut(a.body, "error code: ")
	if code := strings.TrimSpace(after[:min(len(after), 4)]); ok && code != "" {
		text += ", error " + probes.Clean(code, 4)
	}
	if a.resp.StatusCode == 530 && strings.Contains(a.body, "1033") {
		text += ": the tunnel is not connected"
	}
	return unclear("down", "%s, and Access did not answer before that", text)
}

// refusal is a 401 or 403: Access's own, the edge's, or the service's.
func (p *probe) refusal(a answer, known string) finding {
	switch {
	case a.byAccess() && known != "":
		return protected("%s by Access, signed by the team", a.status())
	case a.byAccess():
		return unclear("inconclusive", "answers %s by Access, without saying of which team", a.status())
	case a.resp.StatusCode == http.StatusForbidden && !a.byOrigin():
		return unclear("inconclusive", "answers %s by the edge: a firewall rule", a.status())
	}
	return wrong("open", "answers %s itself, without Access", a.status())
}

// redirect is protected if it leads to the team's login for that host and says so with the team's signature, or at least with Access's marks.
func (p *probe) redirect(ctx context.Context, a answer, known string) finding {
	to, err := a.resp.Request.URL.Parse(a.resp.Header.Get("Location"))
	if err != nil || a.resp.Header.Get("Location") == "" {
		return wrong("open", "answers %s without Access, leading nowhere", a.status())
	}
	place := strings.ToLower(to.Host) + to.EscapedPath()
	switch login := "/cdn-cgi/access/login/"; {
	case strings.ToLower(to.Host) != p.domain && strings.HasSuffix(strings.ToLower(to.Hostname()), teamSuffix):
		return wrong("the login of another team", "leads to %s, not to %s", probes.Clean(to.Hostname(), 100), p.domain)
	case strings.ToLower(to.Host) != p.domain:
		if strings.EqualFold(to.Host, a.host) {
			place = "its own " + to.EscapedPath()
		}
		return wrong("open", "answers %s to %s without Access", a.status(), probes.Clean(place, 100))
	case to.Scheme != "https" || !strings.EqualFold(to.Path, login+bare(a.host)):
		return wrong("the login of another host", "leads to %s", probes.Clean(to.Scheme+"://"+place, 160))
	case to.Query().Get("kid") == "":
		return wrong("forged", "leads to a login without an application")
	}
	return p.signed(ctx, a, to, known)
}

// signed looks for the signature of a redirect that leads to the right login.
func (p *probe) signed(ctx context.Context, a answer, to *url.URL, known string) finding {
	kid, meta := to.Query().Get("kid"), to.Query().Get("meta")
	if known != "" && known != kid {
		return wrong("forged", "leads to the login of another application than the header Cf-Access-Metadata names")
	}
	if meta != "" {
		if _, err := p.keys.verify(ctx, meta, inRedirect, bare(a.host), kid); err != nil {
			return unverified(err, "the way to the login")
		}
		return protected("%s to the login at %s, signed by the team", a.status(), p.domain)
	}
	switch {
	case known != "":
		return protected("%s to the login at %s, with a header that the team signed", a.status(), p.domain)
	case a.byAccess():
		return protected("%s to the login at %s, by the marks of Access", a.status(), p.domain)
	}
	return wrong("open", "leads to the login at %s by itself, without a mark of Access", p.domain)
}

// bare is a host without its port.
func bare(host string) string {
	if u, err := url.Parse("https://" + host); err == nil {
		return u.Hostname()
	}
	return host
}
