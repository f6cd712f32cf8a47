package harbor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/254carbon/gonogo/probes"
)

// maxAnswer bounds what is read of one answer.
const maxAnswer = 4 << 20

// StatusError is an answer that is not the one asked for. The generated client knows only some of the statuses that Harbor gives on each
// call; this is the one error for all of them.
type StatusError struct {
	Method, Path string
	Code         int
	Message      string // what Harbor said, cleaned; empty if it said nothing intelligible
}

func (e *StatusError) Error() string {
	text := fmt.Sprintf("%s %s: %d %s", e.Method, e.Path, e.Code, http.StatusText(e.Code))
	if e.Message != "" {
		text += ": " + e.Message
	}
	return text
}

// answers is the transport under every request: it reads each answer whole, within bounds, and turns what is no success into a
// [StatusError] before anybody else sees it.
type answers struct{ next http.RoundTripper }

// anyStatus marks requests whose answer is wanted whatever its status.
type anyStatus struct{}

// RoundTrip carries one request.
func (t *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	closeErr := resp.Body.Close()
	switch wanted := r.Context().Value(anyStatus{}) != nil; {
	case err != nil:
		return nil, fmt.Errorf("reading the answer to %s %s: %w", r.Method, r.URL.Path, err)
	case len(body) > maxAnswer:
		return nil, fmt.Errorf("the answer to %s %s is larger than %d MiB", r.Method, r.URL.Path, maxAnswer>>20)
	case closeErr != nil:
		return nil, fmt.Errorf("reading the answer to %s %s: %w", r.Method, r.URL.Path, closeErr)
	case wanted:
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return nil, &StatusError{Method: r.Method, Path: r.URL.Path, Code: resp.StatusCode, Message: message(resp, body)}
	case len(body) > 0 && !isJSON(resp):
		return nil, fmt.Errorf("the answer to %s %s is %s, not JSON: something else than Harbor answers there", r.Method, r.URL.Path,
			probes.Clean(resp.Header.Get("Content-Type"), 60))
	case len(body) == 0 && r.Method == http.MethodGet:
		return nil, fmt.Errorf("the answer to %s %s is empty", r.Method, r.URL.Path)
	}
	resp.Header.Del("Set-Cookie") // a session would switch Harbor to asking for CSRF tokens
	resp.Body = io.NopCloser(bytes.NewReader(body))
	resp.ContentLength = int64(len(body))
	return resp, nil
}

func isJSON(resp *http.Response) bool {
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return err == nil && kind == "application/json"
}

// message reads Harbor's {"errors":[{"code","message"}]}.
func message(resp *http.Response, body []byte) string {
	if location := resp.Header.Get("Location"); location != "" {
		return "to " + probes.Clean(location, 200)
	}
	if !isJSON(resp) {
		if kind := resp.Header.Get("Content-Type"); kind != "" && len(body) > 0 {
			return "not an answer of Harbor (" + probes.Clean(kind, 60) + ")"
		}
		return ""
	}
	var answer struct {
		Errors []struct{ Code, Message string }
	}
	if json.Unmarshal(body, &answer) != nil {
		return ""
	}
	var texts []string
	for _, e := range answer.Errors[:min(len(answer.Errors), 3)] {
		texts = append(texts, strings.Trim(e.Code+": "+e.Message, ": "))
	}
	return probes.Clean(strings.Join(texts, "; "), 300)
}

// plain takes the wrapping of the HTTP client off errors that speak for themselves.
func plain(err error) error {
	var status *StatusError
	if errors.As(err, &status) {
		return status
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) && wrapped.Err != nil {
		return wrapped.Err
	}
	return err
}
