package cloudflare

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// APIParams are the parameters of cloudflare.api.
type APIParams struct {
	Token   probes.SecretRef `yaml:"token" jsonschema:"description=the platform's own API token, which the check is about"`
	MinDays int              `yaml:"minDays,omitempty" jsonschema:"description=days for which the token must stay valid,minimum=0"`
}

// Validate reports a missing token and a negative number of days.
func (p APIParams) Validate() error {
	if err := p.Token.Validate(); err != nil {
		return fmt.Errorf("token: %w", err)
	}
	if p.MinDays < 0 || p.MinDays > 3650 {
		return fmt.Errorf("minDays: %d is not between 0 and 3650", p.MinDays)
	}
	return nil
}

// APIKind describes cloudflare.api.
func APIKind() probes.KindInfo {
	return probes.KindInfo{
		Name:       "cloudflare.api",
		About:      "Asks Cloudflare whether the platform's API token is active and how long it stays so.",
		Connection: Connection,
		Every:      5 * time.Minute,
		Timeout:    15 * time.Second,
		Confirm:    1, // a refused credential is not tried twice
		Params:     func() any { return &APIParams{MinDays: 14} },
	}
}

// NewAPI returns a probe that passes if the token is active and stays valid for long enough by the clock now, nil for the machine's.
func NewAPI(client Tokens, secrets Secrets, now func() time.Time, p APIParams) probes.Probe {
	if now == nil {
		now = time.Now
	}
	return &apiProbe{client: client, secrets: secrets, now: now, params: p}
}

type apiProbe struct {
	client  Tokens
	secrets Secrets
	now     func() time.Time
	params  APIParams
}

const day = 24 * time.Hour

// Observe asks once.
func (p *apiProbe) Observe(ctx context.Context) (probes.Observation, error) {
	secret, err := p.secrets.Resolve(ctx, p.params.Token)
	secret = strings.TrimSpace(secret)
	switch {
	case !p.params.Token.OfPlatform() && (errors.Is(err, probes.ErrNoSecret) || err == nil && secret == ""):
		return probes.Observation{}, fmt.Errorf("gonogo was not given the platform's API token: %s is not set", p.params.Token)
	case errors.Is(err, probes.ErrNoSecret) || err == nil && secret == "":
		return fail(probes.Evidence{Subject: "the platform's API token", Want: "set", Got: "not set"}.From(p.params.Token.Request()),
			"no token: %s is not set", p.params.Token), nil
	case err != nil:
		return probes.Observation{}, fmt.Errorf("reading the platform's API token from %s: %w", p.params.Token, err)
	}
	token, err := p.client.Verify(ctx, secret)
	if err != nil {
		return probes.Observation{}, fmt.Errorf("verifying the platform's API token: %w", err)
	}
	return p.judge(token)
}

func (p *apiProbe) judge(t Token) (probes.Observation, error) {
	now := p.now()
	e := probes.Evidence{
		Subject: "the platform's API token", Want: fmt.Sprintf("active, valid for %d days", p.params.MinDays), Got: describe(t), TakenAt: t.At,
	}.From(t.Request)
	left := t.Expires.Sub(now)
	switch {
	case t.Refused:
		return fail(e, "Cloudflare refuses the platform's token: %s", orNothing(t.Reason)), nil
	case t.Status == "":
		return probes.Observation{}, errors.New("verifying the platform's API token: the answer names no status")
	case t.Status != "active":
		return fail(e, "the platform's token is %s", t.Status), nil
	case t.NotBefore.After(now):
		return fail(e, "the platform's token is not valid before %s", t.NotBefore.UTC().Format(time.DateOnly)), nil
	case t.Expires.IsZero():
		return probes.Observation{Status: probes.Pass, Summary: "the platform's token is active and never expires", Evidence: []probes.Evidence{e}}, nil
	case left <= 0:
		return fail(e, "the platform's token expired on %s", t.Expires.UTC().Format(time.DateOnly)), nil
	case left < time.Duration(p.params.MinDays)*day:
		return fail(e, "the platform's token expires %s, on %s", inDays(left), t.Expires.UTC().Format(time.DateOnly)), nil
	}
	return probes.Observation{
		Status: probes.Pass, Summary: fmt.Sprintf("the platform's token is active and expires %s", inDays(left)), Evidence: []probes.Evidence{e},
	}, nil
}

// inDays says when, rounded down.
func inDays(d time.Duration) string {
	switch days := int(d / day); days {
	case 0:
		return "in less than a day"
	case 1:
		return "in 1 day"
	default:
		return fmt.Sprintf("in %d days", days)
	}
}

func describe(t Token) string {
	if t.Refused {
		text := "refused: " + orNothing(t.Reason)
		if t.Remembered {
			text += "; not tried again before " + t.Until.UTC().Format("15:04:05 MST") + " unless it changes"
		}
		return text
	}
	text := orNothing(t.Status)
	if !t.NotBefore.IsZero() {
		text += ", valid from " + t.NotBefore.UTC().Format(time.RFC3339)
	}
	if t.Expires.IsZero() {
		return text + ", never expires"
	}
	return text + ", expires " + t.Expires.UTC().Format(time.RFC3339)
}

func fail(e probes.Evidence, format string, args ...any) probes.Observation {
	e.Wanting = true
	return probes.Observation{Status: probes.Fail, Summary: fmt.Sprintf(format, args...), Evidence: []probes.Evidence{e}}
}

func orNothing(text string) string {
	if strings.TrimSpace(text) == "" {
		return "nothing"
	}
	return text
}
