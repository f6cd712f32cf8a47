package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	ledger "github.com/254carbon/gonogo/internal/platform/record"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/evidence"
)

// readRecord reads the evidence record, no longer than a person waits.
func (s *session) readRecord(ctx context.Context) (probes.Seen[evidence.Entry], error) {
	ctx, cancel := context.WithTimeout(ctx, waiverTimeout)
	defer cancel()
	seen, err := s.evidence.Load().Read(ctx)
	if err != nil {
		return seen, fmt.Errorf("reading the evidence record: %w", err)
	}
	return seen, nil
}

// keep writes entries into the evidence record and tells the person what is so from now on, and where it is kept.
func (s *session) keep(ctx context.Context, said string, entries ...evidence.Entry) (ledger.Kept, error) {
	kept, err := s.evidence.Load().Write(ctx, entries...)
	if err != nil {
		return kept, exitError{code: exitNoGo, err: fmt.Errorf("writing the evidence record: %w", err)}
	}
	if !kept.Cluster {
		s.notices = append(s.notices, fmt.Sprintf("kept on this machine only, in %s, where nobody else sees it: %v", kept.Where, kept.Why))
	}
	text := probes.Clean(said, 2000) + "\n"
	if kept.Cluster {
		text += "kept in " + kept.Where + "\n"
	}
	_, err = fmt.Fprint(s.opts.out, text)
	return kept, err
}

// parseEnd reads when a judgement ends: a day, to its end in UTC, or how long it holds.
func parseEnd(text string, now time.Time) (time.Time, error) {
	const form = "write a day such as 2026-05-31, or a time such as 72h or 14d"
	if text == "" {
		return time.Time{}, fmt.Errorf("until when? Write --expires: %s", form)
	}
	end, err := time.Parse("2006-01-02", text)
	if err == nil {
		end = end.AddDate(0, 0, 1)
	} else {
		term, err := parseTerm(text)
		if err != nil {
			return time.Time{}, fmt.Errorf("--expires %q is neither a day nor a time: %s", probes.Clean(text, 100), form)
		}
		end = now.Add(term).UTC().Truncate(time.Second)
	}
	switch {
	case !end.After(now):
		return time.Time{}, fmt.Errorf("--expires %s is in the past: it is %s", text, now.UTC().Format("2006-01-02 15:04Z"))
	case end.After(now.Add(evidence.MaxTerm)):
		return time.Time{}, fmt.Errorf("--expires %s is more than a year ahead: choose a day by which somebody looks again", text)
	}
	return end, nil
}

// parseTerm reads a time span, in days and weeks too.
func parseTerm(text string) (time.Duration, error) {
	for unit, days := range map[string]int{"d": 1, "w": 7} {
		if number, ok := strings.CutSuffix(text, unit); ok {
			n, err := strconv.ParseUint(number, 10, 16)
			return time.Duration(n) * time.Duration(days) * 24 * time.Hour, err
		}
	}
	return time.ParseDuration(text)
}

// judgementRow is a line of a list: the check, whose judgement, until when, whether it counts, where it is kept, and why it was given.
type judgementRow [6]string

// listJudgements prints what there is of a kind of judgement. What could not be read is said, and makes the list not the whole one.
func listJudgements(ctx context.Context, o *options, none string, rows func(s *session, entries []evidence.Entry) []judgementRow) error {
	s, err := open(ctx, o)
	if err != nil {
		return err
	}
	defer func() { _ = s.close() }()
	seen, failure := s.readRecord(ctx)
	s.complainOfNotices()
	all := rows(s, seen.Items)
	if len(all) == 0 && failure == nil {
		_, err := fmt.Fprintln(o.out, none)
		return err
	}
	if len(all) > 0 {
		w := tabwriter.NewWriter(o.out, 0, 0, 2, ' ', 0)
		for _, row := range append([]judgementRow{{"check", "by", "until", "state", "kept", "why"}}, all...) {
			for i := range row {
				row[i] = probes.Clean(row[i], 300)
			}
			if _, err := fmt.Fprintln(w, strings.TrimRight(strings.Join(row[:], "\t"), "\t")); err != nil {
				return err
			}
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	if failure != nil {
		return exitError{code: exitUnknown, err: failure}
	}
	return nil
}
