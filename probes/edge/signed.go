package edge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// statement is what Access says of a host and signs: in the header Cf-Access-Metadata, which is asked for, or as the parameter meta of the
// way to its login.
type statement struct {
	Type       string `json:"type"` // match in the header, meta in the parameter
	Hostname   string `json:"hostname"`
	AuthDomain string `json:"auth_domain"` // in the header alone
	Audience   any    `json:"aud"`
	Issued     int64  `json:"iat"`
	NotBefore  int64  `json:"nbf"`
	Expires    int64  `json:"exp"`
}

// The two places of a statement, by the type that it has there.
const (
	inHeader   = "match"
	inRedirect = "meta"
)

// How far clocks may be apart, how old a statement without an end may be, and how large it may be.
const (
	skew         = 5 * time.Minute
	oldest       = 24 * time.Hour
	maxStatement = 16 << 10
)

// forgedError says that something was signed that does not hold.
type forgedError struct{ label, why string }

func (e *forgedError) Error() string { return e.label + ": " + e.why }

func forged(format string, args ...any) error {
	return &forgedError{label: "forged", why: fmt.Sprintf(format, args...)}
}

// verify checks a statement about a host: the signature by the team's keys, the time, the host, the team, and the application if it is known
// from elsewhere. It returns the application's audience. Whatever is wrong with the statement is a forgedError; any other error means that
// the team's keys could not be had.
func (k *keys) verify(ctx context.Context, token, place, host, audience string) (string, error) {
	if len(token) > maxStatement {
		return "", forged("the signed statement is too long to be one")
	}
	signed, err := jose.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256, jose.ES256})
	if err != nil || len(signed.Signatures) != 1 {
		return "", forged("the statement is not a signed one")
	}
	key, err := k.find(ctx, signed.Signatures[0].Header.KeyID)
	if err != nil {
		return "", err
	}
	if key == nil {
		return "", forged("the statement is signed by a key that is not the team's")
	}
	payload, err := signed.Verify(key)
	if err != nil {
		return "", forged("the signature of the statement is not the team's")
	}
	var s statement
	if json.Unmarshal(payload, &s) != nil {
		return "", forged("the statement is signed but is none")
	}
	return s.audience(), s.judge(k.now(), place, host, k.domain, audience)
}

// judge says what is wrong with a statement that the team did sign.
func (s statement) judge(now time.Time, place, host, domain, audience string) error {
	issued, begins, ends := time.Unix(s.Issued, 0), time.Unix(s.NotBefore, 0), time.Unix(s.Expires, 0)
	switch {
	case s.Type != place:
		return forged("the statement is of type %q, not %q", s.Type, place)
	case s.Hostname != host:
		return forged("the statement is about %q", s.Hostname)
	case place == inHeader && s.AuthDomain != domain:
		return forged("the statement is of the team at %q", s.AuthDomain)
	case s.audience() == "":
		return forged("the statement names no application")
	case audience != "" && s.audience() != audience:
		return forged("the statement is about another application than the login")
	case s.Expires != 0 && now.After(ends.Add(skew)):
		return &forgedError{"expired", "the statement ended at " + moment(ends)}
	case s.Issued == 0 && s.Expires == 0:
		return forged("the statement has no date")
	case s.Issued != 0 && now.Sub(issued) > oldest:
		return &forgedError{"expired", "the statement is of " + moment(issued)}
	case issued.Sub(now) > skew || begins.Sub(now) > skew:
		return forged("the statement is of a time to come, %s", moment(issued))
	}
	return nil
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

// audience is the one application that a statement is about.
func (s statement) audience() string {
	switch aud := s.Audience.(type) {
	case string:
		return aud
	case []any:
		if len(aud) == 1 {
			text, _ := aud[0].(string)
			return text
		}
	}
	return ""
}

const (
	keysFor     = 24 * time.Hour
	keysPause   = time.Minute
	maxKeysSize = 1 << 20
)

// keys are the public keys of a team, read when they are needed and kept for a day. A key that is not among them makes them be read again,
// since keys are changed, but not more than once a minute.
type keys struct {
	domain string
	get    func(ctx context.Context, host, path string) (*http.Response, error)
	now    func() time.Time

	mu   sync.Mutex // held while they are read: whoever else needs them waits for the same
	set  jose.JSONWebKeySet
	read time.Time // on the machine's clock; zero: never
}

// find returns the key of an id, or nil if the team has none.
func (k *keys) find(ctx context.Context, id string) (any, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if key := k.known(id); key != nil && time.Since(k.read) < keysFor {
		return key, nil
	}
	if k.read.IsZero() || time.Since(k.read) > keysPause {
		if err := k.fetch(ctx); err != nil {
			return nil, fmt.Errorf("reading the keys of the team at %s: %w", k.domain, err)
		}
	}
	return k.known(id), nil
}

func (k *keys) known(id string) any {
	for _, key := range k.set.Key(id) {
		if id != "" && key.IsPublic() && key.Valid() {
			return key.Key
		}
	}
	return nil
}

func (k *keys) fetch(ctx context.Context) error {
	resp, err := k.get(ctx, k.domain, "/cdn-cgi/access/certs")
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxKeysSize))
	if err != nil {
		return err
	}
	var set jose.JSONWebKeySet
	switch err := json.Unmarshal(body, &set); {
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("it answers %d", resp.StatusCode)
	case err != nil:
		return errors.New("its answer holds no keys")
	case len(set.Keys) == 0:
		return errors.New("it has no keys; is there a team of that name?")
	}
	k.set, k.read = set, time.Now()
	return nil
}
