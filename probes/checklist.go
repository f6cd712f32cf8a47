package probes

import (
	"time"
)

// Standing is the answer that stands for one check, with what has come since that is not confirmed yet.
type Standing struct {
	Last     Result    // the answer that stands; its Started is zero while nothing stands
	Since    time.Time // when the standing status began; zero while pending
	Asked    time.Time // when the check was last asked
	Failures int       // failures or errors in a row since the last pass or warning
	Trouble  string    // the newest failure or error that does not stand (yet), in words; empty if none
	short    bool      // the last measurement that stood fell short, whatever could not be measured since
	prior    *Prior
}

// Prior is what an earlier process knew of a check.
type Prior struct {
	Status Status
	Since  time.Time
}

// status is the standing status by itself, blockers and age apart.
func (s Standing) status() Status {
	switch {
	case s.Last.Started.IsZero():
		return Pending
	case s.Last.Err != nil:
		return Unknown
	}
	return s.Last.Status
}

// with returns the standing after one more result. One bad sample does not flip it: confirm of them in a row do. A failure that stands
// is not undone by errors, only by a measurement.
func (s Standing) with(r Result, confirm int) Standing {
	before := s.status()
	s.Asked = r.Started
	if r.ok() {
		s.Failures, s.Trouble = 0, ""
		return s.stand(r, before)
	}
	s.Failures += max(1, r.Failures)
	text := r.Summary
	if r.Err != nil {
		text = r.Err.Error()
	}
	switch {
	case r.Err == nil && before == Fail:
		s.Trouble = ""
		return s.stand(r, before)
	case s.Failures < confirm:
		s.Trouble = text
		return s
	case r.Err != nil && before == Fail:
		s.Trouble = text
		return s
	}
	s.Trouble = ""
	return s.stand(r, before)
}

func (s Standing) stand(r Result, before Status) Standing {
	s.Last = r
	if r.Err == nil {
		s.short = r.Status.wanting()
	}
	if after := s.status(); after != before {
		s.Since = r.Started
		if s.prior != nil && s.prior.Status == after {
			s.Since = s.prior.Since
		}
		s.prior = nil
	}
	return s
}

// Checklist is an outline with the answers that stand. It is a value: With returns a new one and leaves the old as it was, so that any
// number of goroutines may read it.
type Checklist struct {
	outline   *Outline
	standings []Standing // one per spec, same order
	index     map[ID]int
	waivers   []Waiver // besides the outline's
}

// NewChecklist returns a checklist in which nothing was asked yet, or the faults of the outline.
func NewChecklist(o *Outline) (Checklist, error) {
	if err := o.Validate(); err != nil {
		return Checklist{}, err
	}
	l := Checklist{outline: o, standings: make([]Standing, len(o.Specs)), index: make(map[ID]int, len(o.Specs))}
	for i, s := range o.Specs {
		l.index[s.ID] = i
	}
	return l, nil
}

// Outline returns what the checklist was made from.
func (l Checklist) Outline() *Outline { return l.outline }

// Standing returns what stands for a check.
func (l Checklist) Standing(id ID) (Standing, bool) {
	i, ok := l.index[id]
	if !ok {
		return Standing{}, false
	}
	return l.standings[i], true
}

// With returns the checklist after the results, which are taken in order. Results of checks that the outline does not have, and results
// older than what was asked since, are left out.
func (l Checklist) With(results ...Result) Checklist {
	standings := append([]Standing(nil), l.standings...)
	for _, r := range results {
		i, ok := l.index[r.ID]
		if !ok || r.Started.Before(standings[i].Asked) {
			continue
		}
		standings[i] = standings[i].with(r, l.outline.Specs[i].Confirm)
	}
	l.standings = standings
	return l
}

// WithPrior returns the checklist knowing since when each check had its status in an earlier process; a check whose first answer is the
// same keeps that time.
func (l Checklist) WithPrior(prior map[ID]Prior) Checklist {
	standings := append([]Standing(nil), l.standings...)
	for id, p := range prior {
		if i, ok := l.index[id]; ok && standings[i].status() == Pending {
			standings[i].prior = &p
		}
	}
	l.standings = standings
	return l
}

// WithWaivers returns the checklist with these waivers besides the outline's, in the place of those that were given before.
func (l Checklist) WithWaivers(given []Waiver) Checklist {
	l.waivers = append([]Waiver(nil), given...)
	return l
}

// Over returns a checklist of a new outline that keeps the standings of the checks whose probe and claim are the same in both.
func (l Checklist) Over(o *Outline, same func(ID) bool) (Checklist, error) {
	next, err := NewChecklist(o)
	if err != nil {
		return Checklist{}, err
	}
	next.waivers = l.waivers
	for id, i := range next.index {
		if old, ok := l.index[id]; ok && same(id) {
			next.standings[i] = l.standings[old]
		}
	}
	return next, nil
}

// effective is how a check stands once blockers, age and the profile's exemptions are taken into account.
type effective struct {
	status   Status
	measured bool // for Blocked: whether a measured failure is behind it
	short    bool // it, or for Blocked what is behind it, fell short when it was last measured
	by       []ID // for Blocked: the blockers that do not pass
	stale    bool // for Unknown: measured, but too long ago
}

// effectives computes how each check stands at a moment. Blockers are resolved depth first; the outline has no cycles.
func (l Checklist) effectives(now time.Time) []effective {
	all := make([]effective, len(l.standings))
	done := make([]bool, len(l.standings))
	var resolve func(i int) effective
	resolve = func(i int) effective {
		if done[i] {
			return all[i]
		}
		done[i] = true
		all[i] = l.alone(i, now)
		if all[i].status == NotApplicable {
			return all[i]
		}
		var by []ID
		measured, short := false, all[i].short
		for _, id := range l.outline.Specs[i].BlockedBy {
			blocker := resolve(l.index[id])
			if blocker.status == Pass || blocker.status == NotApplicable {
				continue
			}
			by = append(by, id)
			measured = measured || blocker.status.wanting() || blocker.status == Blocked && blocker.measured
			short = short || blocker.short
		}
		if by != nil {
			all[i] = effective{status: Blocked, measured: measured, short: short, by: by}
		}
		return all[i]
	}
	for i := range l.standings {
		resolve(i)
	}
	return all
}

// alone is how a check stands without its blockers.
func (l Checklist) alone(i int, now time.Time) effective {
	spec, s := l.outline.Specs[i], l.standings[i]
	if spec.Exempt != "" {
		return effective{status: NotApplicable}
	}
	status := s.status()
	if (status == Pass || status == Warn) && since(now, s.Last.Confirmed) > spec.staleAfter() {
		return effective{status: Unknown, short: s.short, stale: true}
	}
	return effective{status: status, short: s.short}
}

// since is how long ago a moment was, by whichever of the machine's clocks says longer: the one that is never set back stands still while
// the machine sleeps.
func since(now, moment time.Time) time.Duration {
	return max(now.Sub(moment), now.Round(0).Sub(moment.Round(0)))
}
