// Package simulated stands in for probes that are not written yet: only the simulated platform can answer, over HTTP like every other
// system; on a real platform the answer is that nobody can ask yet, so that no real platform ever scores points for it.
package simulated

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// ErrNoProbe is the answer on a real platform.
var ErrNoProbe = errors.New("no probe yet: this version of gonogo cannot measure it")

// Params are the parameters of the kind: none.
type Params struct{}

// Info describes the kind.
func Info() probes.KindInfo {
	return probes.KindInfo{
		Name: "simulated", About: "A stand-in for a probe that is not written yet: answered by the simulated platform, unknown on a real one.",
		Connection: "demo", Every: time.Minute, Timeout: 10 * time.Second, Confirm: 2,
		Params: func() any { return &Params{} },
	}
}

// Answer is what the simulated platform says of one check, as JSON.
type Answer struct {
	Status   string `json:"status"`
	Num      int64  `json:"num,omitempty"`
	Den      int64  `json:"den,omitempty"`
	Summary  string `json:"summary"`
	Evidence []Item `json:"evidence"`
}

// Item is one piece of evidence of an [Answer].
type Item struct {
	Subject string `json:"subject"`
	Want    string `json:"want"`
	Got     string `json:"got"`
	Wanting bool   `json:"wanting,omitempty"`
}

// Probe asks the simulated platform about one check.
type Probe struct {
	ID     probes.ID
	Client *http.Client // nil on a real platform
	Base   string       // of the simulated platform's answers
}

var _ probes.Probe = Probe{}

const maxAnswer = 1 << 20

// Observe asks. On a real platform it returns [ErrNoProbe].
func (p Probe) Observe(ctx context.Context) (probes.Observation, error) {
	if p.Client == nil {
		return probes.Observation{}, ErrNoProbe
	}
	url := p.Base + "/simulated/" + string(p.ID)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return probes.Observation{}, fmt.Errorf("asking %s: %w", url, err)
	}
	resp, err := p.Client.Do(req)
	if err != nil {
		return probes.Observation{}, fmt.Errorf("asking the simulated platform: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return probes.Observation{}, fmt.Errorf("asking %s: the simulated platform answered %s", url, resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return probes.Observation{}, fmt.Errorf("reading the answer of %s: %w", url, err)
	}
	return decode(body, probes.Request{Source: "GET " + url + " (simulated)", Repeat: "gonogo --demo check --only " + string(p.ID) + " -o json"})
}

// decode turns the simulated platform's answer into an observation.
func decode(body []byte, from probes.Request) (probes.Observation, error) {
	var a Answer
	if err := json.Unmarshal(body, &a); err != nil {
		return probes.Observation{}, fmt.Errorf("decoding the simulated platform's answer: %w", err)
	}
	status, err := probes.ParseStatus(a.Status)
	if err != nil {
		return probes.Observation{}, fmt.Errorf("decoding the simulated platform's answer: %w", err)
	}
	o := probes.Observation{Status: status, Summary: a.Summary, Ratio: probes.Part(a.Num, a.Den)}
	for _, e := range a.Evidence {
		o.Evidence = append(o.Evidence, probes.Evidence{Subject: e.Subject, Want: e.Want, Got: e.Got, Wanting: e.Wanting}.From(from))
	}
	return o, nil
}
