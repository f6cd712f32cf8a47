package files

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/evidence"
)

// Attests implements [probes.Attestable]: somebody may say that a file is current although nobody had to change it.
func (p *Params) Attests() string {
	if p.Readme == nil {
		return ""
	}
	return p.Readme.path() + " says what is so"
}

var _ probes.Attestable = (*Params)(nil)

// rule tells parameters from others, so that a finding counts for the question that was asked.
func (p Params) rule() string {
	text, _ := json.Marshal(p) // of texts and numbers
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:6])
}

// Find looks at a checkout and returns what was found, as an entry of the evidence record for those who have no checkout. Who answers for it,
// and until when it is valid, is the caller's to say.
func Find(ctx context.Context, checkout Checkout, check probes.ID, p Params, now time.Time) (evidence.Entry, error) {
	obs, digest, err := examine(ctx, checkout, p, now)
	if err != nil {
		return evidence.Entry{}, err
	}
	return evidence.Entry{
		Kind: evidence.Finding, Check: check, Result: obs.Status.String(), Summary: obs.Summary, Digest: digest, At: now, Details: evidence.Details{Rule: p.rule()},
	}, nil
}

// recorded answers from what somebody with a checkout found, as long as that is valid.
func (p probe) recorded(seen probes.Seen[evidence.Entry], failure error) (probes.Observation, error) {
	missing := fmt.Sprintf("no checkout at %s", p.checkout.Name())
	if failure != nil {
		return probes.Observation{}, fmt.Errorf("%s, and the evidence record cannot be read: %w", missing, failure)
	}
	now := p.now()
	found, ok := evidence.Holding(seen.Items, evidence.Finding, p.check, now)
	switch {
	case ok && found.Details.Rule != p.params.rule():
		return probes.Observation{}, fmt.Errorf("%s, and the newest finding in the evidence record is about another rule than the profile's", missing)
	case ok:
		return observe(found, seen, now)
	}
	standing := evidence.Standing(seen.Items, evidence.Finding, p.check)
	if len(standing) == 0 {
		return probes.Observation{}, fmt.Errorf("%s and no finding of it in the evidence record: gonogo attest files writes one where there is a checkout", missing)
	}
	return probes.Observation{}, fmt.Errorf("%s, and the newest finding in the evidence record, by %s, was valid until %s",
		missing, probes.Clean(standing[0].By, 100), standing[0].Until())
}

// observe turns a finding into the answer that it is.
func observe(found evidence.Entry, seen probes.Seen[evidence.Entry], now time.Time) (probes.Observation, error) {
	status, err := probes.ParseStatus(found.Result)
	if err != nil || status != probes.Pass && status != probes.Warn && status != probes.Fail {
		return probes.Observation{}, errors.New("the newest finding in the evidence record has no result that is known")
	}
	by := fmt.Sprintf("%s, %s ago", probes.Clean(found.By, 100), span(now.Sub(found.At)))
	row := probes.Evidence{
		Subject: "finding of " + by, Want: "pass, valid", Wanting: status != probes.Pass,
		Got: fmt.Sprintf("%s, valid until %s, digest %s: %s", status, found.Until(), probes.Clean(found.Digest, 100), found.Summary),
	}.From(seen.Request)
	obs := probes.Observation{Status: status, Confirmed: seen.Confirmed, Summary: fmt.Sprintf("%s (found by %s)", found.Summary, by), Evidence: []probes.Evidence{row}}
	if status == probes.Warn {
		obs.Ratio = probes.Part(1, 2)
	}
	return obs, nil
}

// attested turns a failure into half a success where a person's word counts and there is one.
func (p probe) attested(obs probes.Observation, seen probes.Seen[evidence.Entry]) probes.Observation {
	word, row, ok := evidence.Attested(seen, p.check, p.now())
	if p.params.Attests() == "" || obs.Status != probes.Fail || !ok {
		return obs
	}
	obs.Status, obs.Ratio, obs.Word = probes.Warn, probes.Part(1, 2), word.Word()
	obs.Summary += fmt.Sprintf("; %s attests that it is current, until %s", probes.Clean(word.By, 100), word.Until())
	obs.Evidence = append(obs.Evidence, row)
	return obs
}
