// Package state remembers how every check and the score of a platform changed, in a SQLite database under the state directory that several
// processes share. Losing it never stops a board: what cannot be written or read is told, and the board goes on without.
package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/254carbon/gonogo/probes"
)

// FileName is the database's name within the state directory.
const FileName = "history.db"

// Retention is how long changes and scores are kept.
const Retention = 400 * 24 * time.Hour

// maxRows bounds each table per platform, whatever the retention.
const maxRows = 200_000

// maxReports bounds the reports per platform, which are kept whatever their age: the last one is what the next compares itself with.
const maxReports = 1000

// Store is the history of one platform. It is safe for concurrent use, by several processes too.
type Store struct {
	db       *sql.DB
	path     string
	platform string
}

// Change is one change of a check's status.
type Change struct {
	Check   probes.ID
	At      time.Time
	Status  probes.Status
	Summary string
}

// Flip is a change of a check that was known before.
type Flip struct {
	Change
	From probes.Status
}

// Score is the score at a moment.
type Score struct {
	At       time.Time
	Percent  int
	High     int
	Verdict  string
	Earned   string // points, exact, as probes.FormatRat writes them
	Possible string
}

const schema = `
CREATE TABLE IF NOT EXISTS changes (
	platform TEXT NOT NULL, id TEXT NOT NULL, at INTEGER NOT NULL, status TEXT NOT NULL, summary TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS changes_by_check ON changes (platform, id, at);
CREATE INDEX IF NOT EXISTS changes_by_time ON changes (platform, at);
CREATE TABLE IF NOT EXISTS scores (
	platform TEXT NOT NULL, at INTEGER NOT NULL, percent INTEGER NOT NULL, high INTEGER NOT NULL, verdict TEXT NOT NULL,
	earned TEXT NOT NULL, possible TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS scores_by_time ON scores (platform, at);
CREATE TABLE IF NOT EXISTS reports (
	platform TEXT NOT NULL, at INTEGER NOT NULL, percent INTEGER NOT NULL, high INTEGER NOT NULL, verdict TEXT NOT NULL,
	earned TEXT NOT NULL, possible TEXT NOT NULL, checks TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS reports_by_time ON reports (platform, at);
`

// version is the schema's; a database with a higher one was written by a newer gonogo. Version 2 added the reports; what version 1 has
// besides, a column of its scores, is never written.
const version = 2

// Open opens the history of a platform in dir, which is made if it is missing. It refuses network file systems, on which the database
// would break, and a database that is damaged or of a newer version.
func Open(ctx context.Context, dir, platform string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the state directory: %w", err)
	}
	if fs := networkFileSystem(dir); fs != "" {
		return nil, fmt.Errorf("%s is on a network file system (%s), where the history database would break: choose a local one with --state-dir", dir, fs)
	}
	s := &Store{path: filepath.Join(dir, FileName), platform: platform}
	address := url.URL{Path: filepath.ToSlash(s.path)} // what has a meaning in a URI is part of a name here
	db, err := sql.Open("sqlite", "file:"+address.EscapedPath()+
		"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=cache_size(-512)&_txlock=immediate")
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", s.path, err)
	}
	db.SetMaxOpenConns(2)
	db.SetMaxIdleConns(1)
	s.db = db
	if err := s.settle(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// patience is how long Open waits for other processes that open or close the same database.
const patience = 5 * time.Second

// settle prepares the database, again and again while another process is at it: a change of the journal's mode, which is part of making the
// database and of its last closing, does not wait for locks as everything else does.
func (s *Store) settle(ctx context.Context) error {
	const pause = 10 * time.Millisecond
	for end := time.Now().Add(patience); ; {
		err := s.prepare(ctx)
		var locked *sqlite.Error
		if !errors.As(err, &locked) || locked.Code()&0xff != sqlite3.SQLITE_BUSY || time.Now().After(end) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

func (s *Store) prepare(ctx context.Context) error {
	var found int
	if err := s.db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&found); err != nil {
		return s.damaged(err)
	}
	if found > version {
		return fmt.Errorf("%s was written by a newer gonogo (version %d, this one knows %d)", s.path, found, version)
	}
	var verdict string
	if err := s.db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return s.damaged(err)
	}
	if verdict != "ok" {
		return s.damaged(errors.New(probes.Clean(verdict, 200)))
	}
	if _, err := s.db.ExecContext(ctx, schema+fmt.Sprintf("PRAGMA user_version = %d;", version)); err != nil {
		return fmt.Errorf("preparing %s: %w", s.path, err)
	}
	return nil
}

func (s *Store) damaged(err error) error {
	return fmt.Errorf("reading %s: %w; if it is damaged, move it away and a new one is begun", s.path, err)
}

// Close closes the database.
func (s *Store) Close() error { return s.db.Close() }

// Path is where the database is.
func (s *Store) Path() string { return s.path }

// Record writes changes of checks. A change to the status that a check already has, or older than the newest one known, is left out, so
// that several boards that see the same change write it once.
func (s *Store) Record(ctx context.Context, changes ...Change) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("writing to %s: %w", s.path, err)
	}
	defer func() { _ = tx.Rollback() }()
	for _, c := range changes {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO changes (platform, id, at, status, summary) SELECT ?1, ?2, ?3, ?4, ?5
			WHERE NOT EXISTS (SELECT 1 FROM changes WHERE platform = ?1 AND id = ?2 AND at >= ?3) AND ?4 IS NOT (SELECT status FROM changes WHERE platform = ?1 AND id = ?2 ORDER BY at DESC, rowid DESC LIMIT 1)`,
			s.platform, string(c.Check), c.At.UnixMilli(), c.Status.String(), c.Summary)
		if err != nil {
			return fmt.Errorf("writing a change of %s to %s: %w", c.Check, s.path, err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("writing to %s: %w", s.path, err)
	}
	return nil
}

// RecordScore writes a score if it differs from the newest one.
func (s *Store) RecordScore(ctx context.Context, score Score) error {
	_, err := s.db.ExecContext(ctx, `
		INSERT INTO scores (platform, at, percent, high, verdict, earned, possible) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7
		WHERE NOT EXISTS (SELECT 1 FROM (SELECT * FROM scores WHERE platform = ?1 ORDER BY at DESC, rowid DESC LIMIT 1)
			WHERE percent = ?3 AND high = ?4 AND verdict = ?5 AND earned = ?6 AND possible = ?7)`,
		s.platform, score.At.UnixMilli(), score.Percent, score.High, score.Verdict, score.Earned, score.Possible)
	if err != nil {
		return fmt.Errorf("writing the score to %s: %w", s.path, err)
	}
	return nil
}

// Prune deletes what is older than the retention, seen from now, and what is beyond the bound on rows.
func (s *Store) Prune(ctx context.Context, now time.Time) error {
	// The newest change of a check is kept whatever its age: it says since when the check stands as it does.
	_, err := s.db.ExecContext(ctx, `
		DELETE FROM changes WHERE platform = ?1 AND at < ?2 AND rowid NOT IN
			(SELECT MAX(rowid) FROM changes WHERE platform = ?1 GROUP BY id);
		DELETE FROM changes WHERE platform = ?1 AND rowid IN
			(SELECT rowid FROM changes WHERE platform = ?1 ORDER BY at DESC, rowid DESC LIMIT -1 OFFSET ?3);
		DELETE FROM scores WHERE platform = ?1 AND at < ?2;
		DELETE FROM scores WHERE platform = ?1 AND rowid IN
			(SELECT rowid FROM scores WHERE platform = ?1 ORDER BY at DESC, rowid DESC LIMIT -1 OFFSET ?3);
		DELETE FROM reports WHERE platform = ?1 AND rowid IN
			(SELECT rowid FROM reports WHERE platform = ?1 ORDER BY at DESC, rowid DESC LIMIT -1 OFFSET ?4);`,
		s.platform, now.Add(-Retention).UnixMilli(), maxRows, maxReports)
	if err != nil {
		return fmt.Errorf("pruning %s: %w", s.path, err)
	}
	return nil
}
