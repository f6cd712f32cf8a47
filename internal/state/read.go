package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// Prior returns since when each check has the status it was last seen with.
func (s *Store) Prior(ctx context.Context) (map[probes.ID]probes.Prior, error) {
	rows, err := s.db.QueryContext(ctx, `
		SELECT id, status, at FROM changes WHERE platform = ?1 AND rowid IN (SELECT MAX(rowid) FROM changes WHERE platform = ?1 GROUP BY id)`, s.platform)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", s.path, err)
	}
	defer func() { _ = rows.Close() }()
	prior := map[probes.ID]probes.Prior{}
	for rows.Next() {
		var id, word string
		var at int64
		if err := rows.Scan(&id, &word, &at); err != nil {
			return nil, fmt.Errorf("reading %s: %w", s.path, err)
		}
		if status, err := probes.ParseStatus(word); err == nil {
			prior[probes.ID(id)] = probes.Prior{Status: status, Since: time.UnixMilli(at)}
		}
	}
	return prior, rows.Err()
}

// Previous returns the score to compare a percentage with: that of the last report of another percentage, or without one the last different
// score. ok is false if there is none.
func (s *Store) Previous(ctx context.Context, percent int) (previous Score, ok bool, err error) {
	for _, table := range []string{"reports", "scores"} {
		previous, ok, err = s.score(ctx, table, "percent <> ?2", percent)
		if ok || err != nil {
			return previous, ok, err
		}
	}
	return Score{}, false, nil
}

// ScoreAt returns the score that stood at a moment. ok is false if none was recorded by then.
func (s *Store) ScoreAt(ctx context.Context, moment time.Time) (score Score, ok bool, err error) {
	return s.score(ctx, "scores", "at <= ?2", moment.UnixMilli())
}

// score returns the newest score of a table for which a condition holds.
func (s *Store) score(ctx context.Context, table, where string, value any) (Score, bool, error) {
	row := s.db.QueryRowContext(ctx, `SELECT at, percent, high, verdict, earned, possible FROM `+table+`
		WHERE platform = ?1 AND `+where+` ORDER BY at DESC, rowid DESC LIMIT 1`, s.platform, value)
	score, err := scanScore(row)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Score{}, false, nil
	case err != nil:
		return Score{}, false, fmt.Errorf("reading %s: %w", s.path, err)
	}
	return score, true, nil
}

// Scores returns the newest scores, at most limit of them, oldest first.
func (s *Store) Scores(ctx context.Context, limit int) ([]Score, error) {
	rows, err := s.db.QueryContext(ctx, `
		SELECT at, percent, high, verdict, earned, possible FROM
			(SELECT rowid AS n, * FROM scores WHERE platform = ? ORDER BY at DESC, rowid DESC LIMIT ?) ORDER BY at, n`, s.platform, limit)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", s.path, err)
	}
	defer func() { _ = rows.Close() }()
	var scores []Score
	for rows.Next() {
		score, err := scanScore(rows)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", s.path, err)
		}
		scores = append(scores, score)
	}
	return scores, rows.Err()
}

// scanScore reads a score, and what the row has after it into more.
func scanScore(row interface{ Scan(...any) error }, more ...any) (Score, error) {
	var score Score
	var at int64
	err := row.Scan(append([]any{&at, &score.Percent, &score.High, &score.Verdict, &score.Earned, &score.Possible}, more...)...)
	score.At = time.UnixMilli(at)
	return score, err
}

// Changes returns the newest changes since a moment, of one check or with an empty id of all, at most limit of them, oldest first.
func (s *Store) Changes(ctx context.Context, id probes.ID, since time.Time, limit int) ([]Change, error) {
	rows, err := s.db.QueryContext(ctx, `
		SELECT id, at, status, summary FROM
			(SELECT rowid AS n, * FROM changes WHERE platform = ?1 AND (?2 = '' OR id = ?2) AND at >= ?3 ORDER BY at DESC, rowid DESC LIMIT ?4)
		ORDER BY at, n`, s.platform, string(id), since.UnixMilli(), limit)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", s.path, err)
	}
	return s.scanChanges(rows)
}

// scanChanges reads changes and closes the rows. What a newer version wrote of a status that this one does not know is left out.
func (s *Store) scanChanges(rows *sql.Rows) ([]Change, error) {
	defer func() { _ = rows.Close() }()
	var changes []Change
	for rows.Next() {
		var c Change
		var check, word string
		var at int64
		if err := rows.Scan(&check, &at, &word, &c.Summary); err != nil {
			return nil, fmt.Errorf("reading %s: %w", s.path, err)
		}
		status, err := probes.ParseStatus(word)
		if err != nil {
			continue
		}
		c.Check, c.At, c.Status = probes.ID(check), time.UnixMilli(at), status
		changes = append(changes, c)
	}
	return changes, rows.Err()
}

// Flips returns the newest flips of all checks, at most limit of them, newest first.
func (s *Store) Flips(ctx context.Context, limit int) ([]Flip, error) {
	rows, err := s.db.QueryContext(ctx, `
		SELECT id, at, status, summary, was FROM
			(SELECT rowid AS n, *, (SELECT status FROM changes AS p WHERE p.platform = c.platform AND p.id = c.id AND
				(p.at < c.at OR p.at = c.at AND p.rowid < c.rowid) ORDER BY p.at DESC, p.rowid DESC LIMIT 1) AS was FROM changes AS c WHERE platform = ?1)
		WHERE was IS NOT NULL ORDER BY at DESC, n DESC LIMIT ?2`, s.platform, limit)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", s.path, err)
	}
	defer func() { _ = rows.Close() }()
	var flips []Flip
	for rows.Next() {
		var f Flip
		var check, word, was string
		var at int64
		if err := rows.Scan(&check, &at, &word, &f.Summary, &was); err != nil {
			return nil, fmt.Errorf("reading %s: %w", s.path, err)
		}
		status, err := probes.ParseStatus(word)
		from, fromErr := probes.ParseStatus(was)
		if err != nil || fromErr != nil {
			continue // written by a newer version
		}
		f.Check, f.At, f.Status, f.From = probes.ID(check), time.UnixMilli(at), status, from
		flips = append(flips, f)
	}
	return flips, rows.Err()
}

// StandingsAt returns how each check stood at a moment: its newest change until then.
func (s *Store) StandingsAt(ctx context.Context, moment time.Time) (map[probes.ID]Change, error) {
	rows, err := s.db.QueryContext(ctx, `
		SELECT id, at, status, summary FROM changes WHERE platform = ?1 AND rowid IN
			(SELECT MAX(rowid) FROM changes WHERE platform = ?1 AND at <= ?2 GROUP BY id)`, s.platform, moment.UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", s.path, err)
	}
	changes, err := s.scanChanges(rows)
	standings := make(map[probes.ID]Change, len(changes))
	for _, c := range changes {
		standings[c.Check] = c
	}
	return standings, err
}

// Strip returns how a check stood at n evenly spaced moments of the window that ends now, oldest first. Moments before anything was
// recorded are left out.
func (s *Store) Strip(ctx context.Context, id probes.ID, now time.Time, window time.Duration, n int) ([]probes.Status, error) {
	changes, err := s.Changes(ctx, id, time.UnixMilli(0), 1000)
	if err != nil {
		return nil, err
	}
	var strip []probes.Status
	for i := range n {
		moment := now.Add(-window * time.Duration(n-1-i) / time.Duration(n))
		status := probes.Pending
		for _, c := range changes {
			if c.At.After(moment) {
				break
			}
			status = c.Status
		}
		if status != probes.Pending {
			strip = append(strip, status)
		}
	}
	return strip, nil
}
