package state

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/254carbon/gonogo/probes"
)

// Report is what a status report said of the score and of every check.
type Report struct {
	Score
	Checks []Reported // in the order of the profile
}

// Reported is a check as a report had it.
type Reported struct {
	Check     probes.ID `json:"check"`
	Component probes.ID `json:"component"`
	Status    string    `json:"status"`
	Points    string    `json:"points"` // exact, as probes.FormatRat writes them
}

// ReportOf returns what a report of an assessment says.
func ReportOf(a probes.Assessment) Report {
	r := Report{Score: ScoreOf(a), Checks: []Reported{}}
	for _, i := range a.Items() {
		r.Checks = append(r.Checks, Reported{Check: i.Spec.ID, Component: i.Spec.Component, Status: i.Status.String(), Points: probes.FormatRat(i.Points)})
	}
	return r
}

// unlike is the condition for a report that says something else than another: of the score, or of any check.
const unlike = "(percent <> ?2 OR high <> ?3 OR verdict <> ?4 OR earned <> ?5 OR possible <> ?6 OR checks <> ?7)"

// values are the arguments of unlike, and after them the moment.
func (s *Store) values(r Report) ([]any, error) {
	checks, err := json.Marshal(r.Checks)
	if err != nil {
		return nil, fmt.Errorf("encoding a report: %w", err)
	}
	return []any{s.platform, r.Percent, r.High, r.Verdict, r.Earned, r.Possible, string(checks), r.At.UnixMilli()}, nil
}

// LastReport returns the newest report that says something else than this one. ok is false if there is none.
func (s *Store) LastReport(ctx context.Context, now Report) (last Report, ok bool, err error) {
	values, err := s.values(now)
	if err != nil {
		return Report{}, false, err
	}
	rows, err := s.db.QueryContext(ctx, `SELECT at, percent, high, verdict, earned, possible, checks FROM reports
		WHERE platform = ?1 AND `+unlike+` ORDER BY at DESC, rowid DESC LIMIT 1`, values[:7]...)
	if err != nil {
		return Report{}, false, fmt.Errorf("reading %s: %w", s.path, err)
	}
	defer func() { _ = rows.Close() }()
	if !rows.Next() {
		return Report{}, false, rows.Err()
	}
	var checks string
	last.Score, err = scanScore(rows, &checks)
	if err == nil {
		err = json.Unmarshal([]byte(checks), &last.Checks)
	}
	if err != nil {
		return Report{}, false, fmt.Errorf("reading %s: %w", s.path, err)
	}
	return last, true, nil
}

// RecordReport notes that a report was written. One that says the same as the newest one takes its place, so that however often a report is
// written, the next compares itself with the last that differed.
func (s *Store) RecordReport(ctx context.Context, r Report) error {
	values, err := s.values(r)
	if err != nil {
		return err
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("writing to %s: %w", s.path, err)
	}
	defer func() { _ = tx.Rollback() }()
	_, err = tx.ExecContext(ctx, `
		DELETE FROM reports WHERE rowid = (SELECT rowid FROM reports WHERE platform = ?1 ORDER BY at DESC, rowid DESC LIMIT 1)
			AND at <= ?8 AND NOT `+unlike+`;
		INSERT INTO reports (platform, at, percent, high, verdict, earned, possible, checks) VALUES (?1, ?8, ?2, ?3, ?4, ?5, ?6, ?7);`, values...)
	if err == nil {
		err = tx.Commit()
	}
	if err != nil {
		return fmt.Errorf("writing the report to %s: %w", s.path, err)
	}
	return nil
}
