package cloudflare

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/time/rate"

	"github.com/254carbon/gonogo/probes"
)

const (
	maxAnswer = 8 << 20 // bytes of one answer
	perSecond = 2       // requests in the long run: half of the 1200 that Cloudflare allows in five minutes
	burst     = 10      // requests at once, for a sweep
	reserve   = 50      // requests left for others, the dashboard among them
	maxTokens = 16      // tokens whose limits are remembered
	maxBlock  = 15 * time.Minute
)

// StatusError is an answer that is not the one asked for.
type StatusError struct {
	Method, Path string
	Status       string // what is wrong if it is not the code
	Code         int
	Errors       []APIError
}

// APIError is one error within an answer.
type APIError struct {
	Code    int
	Message string
}

func (e *StatusError) Error() string {
	text := fmt.Sprintf("%s %s: %d %s", e.Method, e.Path, e.Code, http.StatusText(e.Code))
	if e.Status != "" {
		text += " (" + e.Status + ")"
	}
	for _, x := range e.Errors {
		text += fmt.Sprintf(": %d %s", x.Code, x.Message)
	}
	return text
}

func (e *StatusError) has(codes ...int) bool {
	return slices.ContainsFunc(e.Errors, func(x APIError) bool { return slices.Contains(codes, x.Code) })
}

// blockedError is the error of not asking because Cloudflare said not to.
type blockedError struct {
	why   string
	until time.Time
}

func (e *blockedError) Error() string {
	return fmt.Sprintf("%s: not asking before %s", e.why, e.until.UTC().Format("15:04:05 MST"))
}

// answers is the transport under every request: it keeps to Cloudflare's limits, reads each answer whole, within bounds, and turns what is
// no success into an error before the vendor's client sees it, which would lose the status of an answer that is not JSON.
type answers struct {
	next    http.RoundTripper
	now     func() time.Time
	limiter *rate.Limiter

	mu      sync.Mutex
	blocked map[[sha256.Size]byte]block // by token
}

type block struct {
	why   string
	until time.Time // on the machine's clock
}

func newAnswers(next http.RoundTripper, now func() time.Time, perSecond rate.Limit) *answers {
	return &answers{next: next, now: now, limiter: rate.NewLimiter(perSecond, burst), blocked: map[[sha256.Size]byte]block{}}
}

// RoundTrip carries one request; one that only reads is sent a second time if the connection broke.
func (t *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	key := sha256.Sum256([]byte(r.Header.Get("Authorization")))
	resp, body, err := t.once(r, key)
	if broken(err) && r.Method == http.MethodGet && r.Context().Err() == nil {
		resp, body, err = t.once(r, key)
	}
	if err != nil {
		return nil, err
	}
	if err := t.check(r, resp, body); err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	resp.ContentLength = int64(len(body))
	return resp, nil
}

func broken(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// once asks once, unless Cloudflare said not to.
func (t *answers) once(r *http.Request, key [sha256.Size]byte) (*http.Response, []byte, error) {
	t.mu.Lock()
	b := t.blocked[key]
	t.mu.Unlock()
	if left := time.Until(b.until); left > 0 {
		return nil, nil, &blockedError{why: b.why, until: t.now().Add(left)}
	}
	if err := t.limiter.Wait(r.Context()); err != nil {
		return nil, nil, fmt.Errorf("waiting for a turn among %g requests a second: %w", float64(t.limiter.Limit()), err)
	}
	resp, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, nil, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	_ = resp.Body.Close()
	t.learn(resp, key)
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("reading the answer to %s %s: %w", r.Method, r.URL.Path, err)
	case len(body) > maxAnswer:
		return nil, nil, fmt.Errorf("the answer to %s %s is larger than %d MiB", r.Method, r.URL.Path, maxAnswer>>20)
	}
	return resp, body, nil
}

// learn takes in what an answer says of Cloudflare's limits.
func (t *answers) learn(resp *http.Response, key [sha256.Size]byte) {
	var b block
	if resp.StatusCode == http.StatusTooManyRequests {
		wait := retryAfter(resp.Header.Get("Retry-After"), t.now())
		b = block{why: "Cloudflare blocks this token's requests (429)", until: time.Now().Add(wait)}
	} else if left, reset, ok := budget(resp.Header.Values("Ratelimit")); ok && left < reserve {
		b = block{why: fmt.Sprintf("Cloudflare allows %d more requests, and they are left for others", left), until: time.Now().Add(reset)}
	} else {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.blocked) >= maxTokens {
		clear(t.blocked)
	}
	t.blocked[key] = b
}

// retryAfter reads the header of that name: seconds, or a date. Without it the block lasts five minutes.
func retryAfter(text string, now time.Time) time.Duration {
	wait := 5 * time.Minute
	if seconds, err := strconv.Atoi(strings.TrimSpace(text)); err == nil && seconds >= 0 && seconds < 1<<30 {
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, time.Second), maxBlock)
}

// budget reads Ratelimit headers, "default";r=1199;t=300, and returns the smallest number of requests left with the time until there are
// more.
func budget(headers []string) (left int, reset time.Duration, ok bool) {
	for _, header := range headers {
		for item := range strings.SplitSeq(header, ",") {
			r, seconds := -1, -1
			for part := range strings.SplitSeq(item, ";") {
				name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
				n, err := strconv.Atoi(strings.TrimSpace(value))
				if err != nil || n < 0 {
					continue
				}
				switch strings.TrimSpace(name) {
				case "r":
					r = n
				case "t":
					seconds = min(n, int(maxBlock/time.Second))
				}
			}
			if r >= 0 && seconds >= 0 && (!ok || r < left) {
				left, reset, ok = r, time.Duration(seconds)*time.Second, true
			}
		}
	}
	return left, reset, ok
}

// check turns what is no success into an error.
func (t *answers) check(r *http.Request, resp *http.Response, body []byte) error {
	fail := &StatusError{Method: r.Method, Path: r.URL.Path, Code: resp.StatusCode}
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		fail.Status = "not an answer of the API"
		if shown := probes.Clean(resp.Header.Get("Content-Type"), 60); shown != "" {
			fail.Status += ": " + shown
		}
		return fail
	}
	var envelope struct {
		Success *bool           `json:"success"`
		Result  json.RawMessage `json:"result"`
		Errors  []struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
			Chain   []struct {
				Code    int    `json:"code"`
				Message string `json:"message"`
			} `json:"error_chain"`
		} `json:"errors"`
	}
	err = json.Unmarshal(body, &envelope)
	for _, e := range envelope.Errors[:min(len(envelope.Errors), 3)] {
		fail.Errors = append(fail.Errors, APIError{Code: e.Code, Message: probes.Clean(e.Message, 200)})
		for _, c := range e.Chain[:min(len(e.Chain), 2)] {
			fail.Errors = append(fail.Errors, APIError{Code: c.Code, Message: probes.Clean(c.Message, 200)})
		}
	}
	switch {
	case resp.StatusCode == http.StatusTooManyRequests:
		wait := retryAfter(resp.Header.Get("Retry-After"), t.now())
		return &blockedError{why: "Cloudflare blocks this token's requests (429)", until: t.now().Add(wait)}
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return fail
	case err != nil:
		return fmt.Errorf("the answer to %s %s is not the JSON it should be", r.Method, r.URL.Path)
	case envelope.Success == nil:
		return fmt.Errorf("the answer to %s %s is not an answer of Cloudflare's API", r.Method, r.URL.Path)
	case !*envelope.Success:
		fail.Status = "without success"
		return fail
	case len(envelope.Result) == 0 || string(envelope.Result) == "null":
		return fmt.Errorf("the answer to %s %s has no result", r.Method, r.URL.Path)
	}
	return nil
}

// plain takes the wrapping of the HTTP client off errors that speak for themselves.
func plain(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) && wrapped.Err != nil {
		return wrapped.Err
	}
	return err
}
