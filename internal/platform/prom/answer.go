package prom

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/prometheus/common/model"

	"github.com/254carbon/gonogo/probes"
)

// ErrNotReady is within the error of a Prometheus that says of itself that it is not ready yet: it replays its write-ahead log after a start.
var ErrNotReady = errors.New("not ready yet: it answers once it has replayed its write-ahead log")

// ErrRefused is within the error of a Prometheus, or of the way to it, that refused the credential that gonogo itself reads with.
var ErrRefused = errors.New("refused")

// envelope is what every answer of the API is wrapped in.
type envelope struct {
	Status    string          `json:"status"`
	Data      json.RawMessage `json:"data"`
	ErrorType string          `json:"errorType"`
	Error     string          `json:"error"`
	Warnings  []string        `json:"warnings"`
	Infos     []string        `json:"infos"` // advice about the query; the answer is whole

	// Fields of a Kubernetes Status, which is what the API server answers in the place of a service that it cannot reach.
	Kind    string `json:"kind"`
	Message string `json:"message"`
	Reason  string `json:"reason"`
}

const maxQuoted = 300 // runes of foreign text in one error

func (c *Client) answer(status int, body []byte) ([]*model.Sample, string, error) {
	e, err := open(status, body)
	if err != nil {
		return nil, "", err
	}
	items, err := decodeData(e.Data)
	return items, note(e.Warnings), err
}

// open takes an answer out of its envelope. One that is none is an error.
func open(status int, body []byte) (envelope, error) {
	var e envelope
	readable := decodeOne(body, &e)
	if status == http.StatusOK && readable == nil && e.Status == "success" {
		return e, nil
	}
	return e, refusal(status, e, readable, body)
}

// note puts warnings into one text.
func note(warnings []string) string {
	if len(warnings) == 0 {
		return ""
	}
	return probes.Clean("the answer is partial: "+strings.Join(warnings, "; "), maxQuoted)
}

// refusal makes an error of an answer that is none.
func refusal(status int, e envelope, readable error, body []byte) error {
	said := e.Error
	viaCluster := readable == nil && e.Kind == "Status"
	if viaCluster {
		said = e.Message
	}
	if readable != nil {
		said = string(body[:min(len(body), 4*maxQuoted)])
	}
	said = probes.Clean(said, maxQuoted)
	switch {
	case viaCluster && (status == http.StatusUnauthorized || status == http.StatusForbidden):
		return fmt.Errorf("the cluster %w gonogo's own credential the way through its service proxy (%d): %s", ErrRefused, status, said)
	case viaCluster:
		return fmt.Errorf("the cluster's service proxy does not reach it (%d): %s", status, said)
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return fmt.Errorf("gonogo's own credential was %w by Prometheus (%d)%s", ErrRefused, status, after(plain(said, readable)))
	case status == http.StatusServiceUnavailable && readable != nil && said == "Service Unavailable":
		return fmt.Errorf("it is %w (503)", ErrNotReady)
	case readable == nil && e.Status == "error":
		return fmt.Errorf("it answered with an error (%d %s)%s", status, probes.Clean(e.ErrorType, 40), after(said))
	case status != http.StatusOK:
		return fmt.Errorf("it answered %d%s", status, after(plain(said, readable)))
	case readable != nil:
		return fmt.Errorf("the answer is not Prometheus's: %w", readable)
	}
	return fmt.Errorf("the answer is not Prometheus's: its status is %q", probes.Clean(e.Status, 40))
}

// plain leaves out a web page, of which no part is worth showing.
func plain(said string, readable error) string {
	if readable != nil && strings.HasPrefix(said, "<") {
		return "a web page"
	}
	return said
}

func after(said string) string {
	if said == "" {
		return ""
	}
	return ": " + said
}

// decodeOne reads exactly one JSON value.
func decodeOne(body []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("reading it as JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("reading it as JSON: something follows it")
	}
	return nil
}

// decodeData reads the result of an instant query.
func decodeData(data []byte) ([]*model.Sample, error) {
	var d struct {
		Type   string          `json:"resultType"`
		Result json.RawMessage `json:"result"`
	}
	if len(data) == 0 {
		return nil, errors.New("the answer has no data")
	}
	if err := decodeOne(data, &d); err != nil {
		return nil, err
	}
	if len(d.Result) == 0 || string(d.Result) == "null" {
		return nil, fmt.Errorf("the answer has no result, of type %q", probes.Clean(d.Type, 40))
	}
	switch d.Type {
	case "vector":
		var v model.Vector
		if err := json.Unmarshal(d.Result, &v); err != nil {
			return nil, fmt.Errorf("reading the vector: %w", err)
		}
		for _, s := range v {
			if s == nil {
				return nil, errors.New("reading the vector: one of its samples is null")
			}
		}
		if err := whole(d.Result); err != nil {
			return nil, err
		}
		return v, nil
	case "scalar":
		var s model.Scalar
		if err := json.Unmarshal(d.Result, &s); err != nil {
			return nil, fmt.Errorf("reading the scalar: %w", err)
		}
		if err := pair(d.Result); err != nil {
			return nil, fmt.Errorf("reading the scalar: %w", err)
		}
		return []*model.Sample{{Metric: model.Metric{}, Value: s.Value, Timestamp: s.Timestamp}}, nil
	case "matrix", "string":
		return nil, fmt.Errorf("the query yields a %s, not numbers of one moment", d.Type)
	}
	return nil, fmt.Errorf("the answer is of the unknown type %q", probes.Clean(d.Type, 40))
}

// whole reports samples that lack a part: the decoder would take what is missing for 0, which is a number that nobody measured.
func whole(result []byte) error {
	var samples []struct {
		Value     json.RawMessage `json:"value"`
		Histogram json.RawMessage `json:"histogram"`
	}
	if err := json.Unmarshal(result, &samples); err != nil {
		return fmt.Errorf("reading the vector: %w", err)
	}
	for _, s := range samples {
		raw := s.Value
		if absent(raw) {
			raw = s.Histogram
		}
		if err := pair(raw); err != nil {
			return fmt.Errorf("reading the vector: %w", err)
		}
	}
	return nil
}

// pair reports whether a value is a time and something measured then.
func pair(raw []byte) error {
	var parts []json.RawMessage
	if absent(raw) || json.Unmarshal(raw, &parts) != nil || len(parts) != 2 || absent(parts[0]) || absent(parts[1]) {
		return errors.New("one of its samples has no time and value")
	}
	return nil
}

func absent(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }
