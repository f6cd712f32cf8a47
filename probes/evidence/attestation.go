package evidence

import (
	"context"
	"fmt"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// AttestationParams are the parameters of the kind attestation.
type AttestationParams struct {
	What string `yaml:"what" jsonschema:"required,minLength=1,description=what somebody is to have looked at\\, since no probe can see it"`
}

// Attests implements [probes.Attestable].
func (p *AttestationParams) Attests() string { return p.What }

var _ probes.Attestable = (*AttestationParams)(nil)

// AttestationInfo describes the kind attestation.
func AttestationInfo() probes.KindInfo {
	return probes.KindInfo{
		Name: "attestation",
		About: "Looks whether somebody gave their word for what no probe can see, in the evidence record or in the profile. It never passes: a word earns " +
			"half of the points, until it ends.",
		OnChange: true, Every: time.Minute, Timeout: 10 * time.Second, Confirm: 1,
		Params: func() any { return &AttestationParams{} },
	}
}

// NewAttestation returns a probe of the kind attestation for a check. The clock is that of ends; nil for the machine's.
func NewAttestation(record Record, check probes.ID, p AttestationParams, now func() time.Time) probes.Probe {
	if now == nil {
		now = time.Now
	}
	return wordProbe{record: record, check: check, params: p, now: now}
}

type wordProbe struct {
	record Record
	check  probes.ID
	params AttestationParams
	now    func() time.Time
}

var _ probes.Watching = wordProbe{}

func (p wordProbe) Watch(wake func()) func() { return p.record.Watch(wake) }

func (p wordProbe) Observe(ctx context.Context) (probes.Observation, error) {
	seen, err := p.record.Read(ctx)
	e, row, ok := Attested(seen, p.check, p.now())
	if ok && (err == nil || e.Place == declaredPlace) { // what stands in a profile is taken back there alone
		return probes.Observation{
			Status: probes.Warn, Ratio: probes.Part(1, 2), Word: e.Word(), Confirmed: seen.Confirmed,
			Summary: fmt.Sprintf("%s attests until %s: %s", probes.Clean(e.By, 100), e.Until(), p.params.What), Evidence: []probes.Evidence{row},
		}, nil
	}
	if err != nil {
		return probes.Observation{}, fmt.Errorf("reading the evidence record: %w", err)
	}
	obs := probes.Observation{Status: probes.Fail, Confirmed: seen.Confirmed, Summary: "nobody attested: " + p.params.What, Evidence: []probes.Evidence{row}}
	if standing := Standing(seen.Items, Attestation, p.check); len(standing) > 0 && standing[0].Readable() {
		last := standing[0]
		obs.Summary = fmt.Sprintf("the attestation of %s ended on %s: %s", probes.Clean(last.By, 100), last.Until(), p.params.What)
		if last.At.After(p.now()) {
			obs.Summary = fmt.Sprintf("the attestation of %s begins on %s: %s", probes.Clean(last.By, 100), last.At.UTC().Format("2006-01-02"), p.params.What)
		}
	}
	return obs, nil
}

// Attested returns the word that counts for a check at a moment, and the evidence of it, or that there is none.
func Attested(seen probes.Seen[Entry], check probes.ID, now time.Time) (Entry, probes.Evidence, bool) {
	request := seen.Request
	if request.Source == "" {
		request = probes.Request{Source: "the evidence record", Repeat: "gonogo attest"}
	}
	row := probes.Evidence{Subject: "attestation of " + string(check), Want: "measured, not said", Wanting: true}
	e, ok := Holding(seen.Items, Attestation, check, now)
	if !ok {
		row.Want, row.Got = "somebody's word that has not ended", "none"
		return e, row.From(request), false
	}
	row.Got = fmt.Sprintf("the word of %s of %s, until %s, %s", probes.Clean(e.By, 100), e.At.UTC().Format("2006-01-02"), e.Until(), e.Where())
	if e.Note != "" {
		row.Got += ": " + probes.Clean(e.Note, 300)
	}
	return e, row.From(request), true
}

// Word says whose word an attestation is, and until when.
func (e Entry) Word() string { return probes.Clean(e.By, 100) + " until " + e.Until() }
