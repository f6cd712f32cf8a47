// Package defaults asks whether programs still accept the credentials that they are delivered with. It logs in with them, so it is asked once
// a day at most and remembers the answer across processes: Harbor shuts an account out for moments after each wrong password.
package defaults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/minio/minio-go/v7/pkg/signer"

	"github.com/254carbon/gonogo/probes"
)

// Fetcher sends one request, without following redirects, and bounds the body of the answer. The caller closes it.
type Fetcher interface {
	Fetch(ctx context.Context, service string, r *http.Request) (*http.Response, probes.Request, error)
}

// Memory remembers texts across processes. Nothing remembered is an empty text.
type Memory interface {
	Recall(key string) (string, error)
	Remember(key, text string) error
}

// Pause is the least time between two tries.
const Pause = 24 * time.Hour

// Params are the parameters of defaults.credentials.
type Params struct {
	Harbor string `yaml:"harbor,omitempty" jsonschema:"description=URL of a Harbor; its admin must not have the password that it is delivered with"`
	MinIO  string `yaml:"minio,omitempty" jsonschema:"description=URL of the S3 API of a MinIO; it must not accept the keys that it is delivered with"`
}

// Validate reports targets that are none.
func (p Params) Validate() error {
	if p.Harbor == "" && p.MinIO == "" {
		return errors.New("name what is to be tried: harbor or minio")
	}
	for name, address := range map[string]string{"harbor": p.Harbor, "minio": p.MinIO} {
		u, err := url.Parse(address)
		if address != "" && (err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || strings.Trim(u.Path, "/") != "") {
			return fmt.Errorf("%s: must be the https:// URL of a host", name)
		}
	}
	return nil
}

// Info describes defaults.credentials.
func Info() probes.KindInfo {
	return probes.KindInfo{
		Name: "defaults.credentials",
		About: "Logs in to Harbor and MinIO with the credentials that they are delivered with, which must be refused. Each is tried once a day at most, whoever " +
			"asks on this machine; in between the last answer counts.",
		Connection: "web", Every: Pause, MinEvery: Pause, Timeout: 20 * time.Second, Confirm: 1,
		Params: func() any { return &Params{} },
	}
}

// New returns a probe of the kind defaults.credentials. Parameters must be valid; the clock is that of the pause, nil for the machine's.
func New(f Fetcher, m Memory, p Params, now func() time.Time) probes.Probe {
	if now == nil {
		now = time.Now
	}
	made := &probe{fetcher: f, memory: m, now: now}
	if p.Harbor != "" {
		made.doors = append(made.doors, door{"Harbor", "admin", strings.TrimRight(p.Harbor, "/") + "/api/v2.0/users/current", harbor})
	}
	if p.MinIO != "" {
		made.doors = append(made.doors, door{"MinIO", "minioadmin", strings.TrimRight(p.MinIO, "/") + "/", minio})
	}
	return made
}

type probe struct {
	fetcher Fetcher
	memory  Memory
	now     func() time.Time
	doors   []door
}

// door is a program and how it is tried: with makes a request with the credential, and says what the answer means.
type door struct {
	program, user, address string
	kind                   kind
}

// kind puts the credential on a request, and tells whether an answer accepts it; an error means that it cannot be told.
type kind struct {
	sign   func(*http.Request) *http.Request
	accept func(status int, body []byte) (bool, error)
	repeat string
}

var harbor = kind{
	sign: func(r *http.Request) *http.Request { r.SetBasicAuth("admin", "Harbor12345"); return r },
	accept: func(status int, body []byte) (bool, error) {
		var user struct {
			Username string `json:"username"`
		}
		switch {
		case status == http.StatusUnauthorized:
			return false, nil
		case status == http.StatusOK && json.Unmarshal(body, &user) == nil && user.Username != "":
			return true, nil
		}
		return false, fmt.Errorf("it answers %d, which is no answer of Harbor", status)
	},
	repeat: "curl -sS -o /dev/null -w '%{http_code}' -u \"admin:$HARBOR_DEFAULT_PASSWORD\" ",
}

var minio = kind{
	sign: func(r *http.Request) *http.Request {
		return signer.SignV4(*r, "minioadmin", "minioadmin", "", "us-east-1")
	},
	accept: func(status int, body []byte) (bool, error) {
		text := string(body)
		switch {
		case status == http.StatusForbidden && (strings.Contains(text, "<Code>InvalidAccessKeyId</Code>") || strings.Contains(text, "<Code>SignatureDoesNotMatch</Code>")):
			return false, nil
		case status == http.StatusOK && strings.Contains(text, "<ListAllMyBucketsResult"), status == http.StatusForbidden && strings.Contains(text, "<Code>AccessDenied</Code>"):
			return true, nil
		}
		return false, fmt.Errorf("it answers %d, which is no answer of MinIO", status)
	},
	repeat: "AWS_ACCESS_KEY_ID=minioadmin AWS_SECRET_ACCESS_KEY=\"$MINIO_DEFAULT_SECRET\" aws s3 ls --endpoint-url ",
}

// tried is what is remembered of one try. It is written before the try too, so that one that was cut short counts.
type tried struct {
	At       time.Time `json:"at"`
	Done     bool      `json:"done"`
	Accepted bool      `json:"accepted"`
}

// Observe tries what was not tried within a day, and answers from memory else.
func (p *probe) Observe(ctx context.Context) (probes.Observation, error) {
	obs := probes.Observation{Status: probes.Pass}
	var open []string
	var blind error
	for _, d := range p.doors {
		t, err := p.look(ctx, d)
		if err != nil {
			blind = errors.Join(blind, fmt.Errorf("trying the credential that %s is delivered with: %w", d.program, err))
			continue
		}
		e := probes.Evidence{
			Subject: d.user + " of " + d.program, Want: "the delivered credential is refused", Got: "refused", Wanting: t.Accepted, TakenAt: t.At,
			Source: "GET " + d.address, Repeat: d.kind.repeat + probes.ShellWord(d.address),
		}
		if t.Accepted {
			e.Got = "accepted"
			open = append(open, d.program+" accepts the credential that it is delivered with ("+d.user+")")
		}
		obs.Evidence = append(obs.Evidence, e)
		if obs.Confirmed.IsZero() || t.At.Before(obs.Confirmed) {
			obs.Confirmed = t.At
		}
	}
	switch {
	case len(open) > 0:
		obs.Status, obs.Summary = probes.Fail, strings.Join(open, "; ")
		return obs, nil
	case blind != nil:
		return probes.Observation{}, blind
	}
	obs.Summary = fmt.Sprintf("%d of %d refuse the credential that they are delivered with", len(p.doors), len(p.doors))
	return obs, nil
}

// look returns what came of the last try, if that was less than a day ago, and tries else.
func (p *probe) look(ctx context.Context, d door) (tried, error) {
	key := "default-" + strings.ToLower(d.program) + " " + d.address
	text, err := p.memory.Recall(key)
	if err != nil {
		return tried{}, fmt.Errorf("whether it was tried today cannot be told: %w", err)
	}
	var last tried
	if text != "" && json.Unmarshal([]byte(text), &last) == nil && p.now().Sub(last.At) < Pause && !last.At.After(p.now()) {
		if !last.Done {
			return last, fmt.Errorf("nothing came of it at %s, and it is not tried again before %s", moment(last.At), moment(last.At.Add(Pause)))
		}
		return last, nil
	}
	if err := ctx.Err(); err != nil {
		return tried{}, err
	}
	now := tried{At: p.now()}
	if err := p.remember(key, now); err != nil {
		return now, fmt.Errorf("it is not tried, since it could not be remembered: %w", err)
	}
	now.Accepted, err = p.try(ctx, d)
	if err != nil {
		return now, err
	}
	now.Done = true
	return now, p.remember(key, now)
}

func (p *probe) remember(key string, t tried) error {
	text, err := json.Marshal(t)
	if err != nil {
		return err
	}
	return p.memory.Remember(key, string(text))
}

const maxBody = 64 << 10

func (p *probe) try(ctx context.Context, d door) (bool, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.address, nil)
	if err != nil {
		return false, err
	}
	resp, _, err := p.fetcher.Fetch(ctx, "", d.kind.sign(req))
	if err != nil {
		return false, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return false, fmt.Errorf("reading the answer: %w", err)
	}
	return d.kind.accept(resp.StatusCode, body)
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }
