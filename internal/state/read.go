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

// Previous returns the score to compare a percentage with: that of the last report, or without one the last different score. ok is false
// if there is none.
func (s *Store) Previous(ctx context.Context, percent int) (previous Score, ok bool, err error) {
	for _, where := range []string{"reported = 1", "percent <> ?2"} {
		row := s.db.QueryRowContext(ctx, `SELECT at, percent, high, verdict, earned, possible FROM scores
			WHERE platform = ?1 AND `+where+` ORDER BY at DESC, rowid DESC LIMIT 1`, s.platform, percent)
		previous, err = scanScore(row)
		switch {
		case err == nil:
			return previous, true, nil
		case !errors.Is(err, sql.ErrNoRows):
			return Score{}, false, fmt.Errorf("reading %s: %w", s.path, err)
		}
	}
	return Score{}, false, nil
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

func scanScore(row interface{ Scan(...any) error }) (Score, error) {
	var score Score
	var at int64
	err := row.Scan(&at, &score.Percent, &score.High, &score.Verdict, &score.Earned, &score.Possible)
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
			continue // written by a newer version
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
