package harbor

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// DoorParams are the parameters of harbor.door; it has none.
type DoorParams struct{}

// DoorKind describes harbor.door.
func DoorKind() probes.KindInfo {
	return probes.KindInfo{
		Name:       "harbor.door",
		About:      "Knocks at /v2/ without a credential and tells Harbor's core from the internal registry by the challenge that comes back.",
		Connection: Connection,
		Every:      5 * time.Minute,
		Timeout:    10 * time.Second,
		Confirm:    2,
		Params:     func() any { return &DoorParams{} },
	}
}

// NewDoor returns a probe that passes if /v2/ is answered by Harbor's core.
func NewDoor(client Doors) probes.Probe { return &doorProbe{client: client} }

type doorProbe struct{ client Doors }

const (
	coreService   = "harbor-registry"             // the service that Harbor's core issues tokens for
	internalRealm = "harbor-registry-basic-realm" // of the registry behind it, which knows only Harbor's own user
	wantChallenge = `401 with Bearer service="` + coreService + `"`
)

// Observe knocks once.
func (p *doorProbe) Observe(ctx context.Context) (probes.Observation, error) {
	d, err := p.client.Door(ctx)
	if err != nil {
		return probes.Observation{}, fmt.Errorf("knocking at /v2/: %w", err)
	}
	switch {
	case d.Status >= 500, d.Status == http.StatusForbidden, d.Status == http.StatusRequestTimeout, d.Status == http.StatusTooManyRequests:
		return probes.Observation{}, fmt.Errorf("knocking at /v2/: %s, which does not say what stands there", statusText(d.Status))
	case d.Status < 300 && !d.Registry && !strings.Contains(d.ContentType, "html"):
		return probes.Observation{}, fmt.Errorf("knocking at /v2/: %s of type %s, which is no registry's answer and no page", statusText(d.Status), orNothing(d.ContentType))
	}
	status, summary := p.judge(d)
	return probes.Observation{
		Status: status, Summary: summary,
		Evidence: []probes.Evidence{probes.Evidence{
			Subject: "the door /v2/", Want: wantChallenge, Got: d.describe(), Wanting: status != probes.Pass,
		}.From(d.Request)},
	}, nil
}

// judge says what stands behind the door: not Harbor's core, unless it says so.
func (p *doorProbe) judge(d Door) (probes.Status, string) {
	if d.Status == http.StatusUnauthorized {
		for _, c := range d.Challenges {
			switch {
			case c.Scheme == "bearer" && c.Params["service"] == coreService:
				return probes.Pass, "/v2/ is answered by Harbor's core"
			case c.Scheme == "basic" && c.Params["realm"] == internalRealm:
				return probes.Fail, "/v2/ leads to the internal registry, which knows neither users nor robots: route /v2/ and /service/ to harbor-core"
			}
		}
		for _, c := range d.Challenges {
			if c.Scheme == "bearer" {
				return probes.Fail, fmt.Sprintf("/v2/ is another registry's: its tokens are for service %q at %s", c.Params["service"], orNothing(c.Params["realm"]))
			}
		}
		if len(d.Challenges) > 0 {
			return probes.Fail, "/v2/ is not Harbor's core: it asks for " + d.Challenges[0].String()
		}
		return probes.Fail, "/v2/ is not Harbor's core: it answers 401 without a challenge; something before Harbor asks for a login of its own"
	}
	switch {
	case d.Status >= 300 && d.Status < 400:
		return probes.Fail, fmt.Sprintf("/v2/ is not Harbor's core: it redirects (%d) to %s", d.Status, orNothing(d.Location))
	case d.Status == http.StatusOK && strings.Contains(d.ContentType, "html"):
		return probes.Fail, "/v2/ is not Harbor's core: it answers with a web page"
	case d.Status < 300:
		return probes.Fail, fmt.Sprintf("/v2/ is open: it answers %d to a caller without a credential", d.Status)
	}
	return probes.Fail, fmt.Sprintf("/v2/ is not Harbor's core: it answers %s", statusText(d.Status))
}

func (d Door) describe() string {
	parts := []string{statusText(d.Status)}
	for _, c := range d.Challenges {
		parts = append(parts, c.String())
	}
	if d.Location != "" {
		parts = append(parts, "to "+d.Location)
	}
	if d.ContentType != "" && len(d.Challenges) == 0 {
		parts = append(parts, d.ContentType)
	}
	return strings.Join(parts, ", ")
}

// String writes the parts of a challenge that tell doors apart.
func (c Challenge) String() string {
	text := c.Scheme
	if text != "" {
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	for _, name := range []string{"realm", "service"} {
		if v, ok := c.Params[name]; ok {
			text += fmt.Sprintf(" %s=%q", name, v)
		}
	}
	return text
}

func statusText(code int) string {
	if text := http.StatusText(code); text != "" {
		return fmt.Sprintf("%d %s", code, text)
	}
	return fmt.Sprint(code)
}
