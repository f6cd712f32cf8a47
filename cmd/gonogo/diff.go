package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/254carbon/gonogo/internal/report"
	"github.com/254carbon/gonogo/internal/state"
	"github.com/254carbon/gonogo/probes"
)

func newDiff(o *options) *cobra.Command {
	var since, output string
	cmd := &cobra.Command{
		Use:   "diff",
		Short: "Show what changed since a moment",
		Long: `Compares the newest record of the history with the one of a moment: the score,
the verdict, every check that stands otherwise, and the points gained and lost.
It asks nobody anything; what boards, checks and reports on this machine have
seen is what it knows.

--since takes a time span (90m, 24h, 7d, 2w), a date (2025-10-19, its beginning
in UTC) or a moment (2025-10-19T12:00:00Z).`,
		Example: "  gonogo diff --since 24h\n  gonogo diff --since 2025-10-19\n  gonogo diff --since 7d -o json | jq .worse",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return diff(cmd.Context(), o, since, output) },
	}
	cmd.Flags().StringVar(&since, "since", "24h", "how far back: a time span, a date or a moment")
	cmd.Flags().StringVarP(&output, "output", "o", "table", "form: table, json")
	return cmd
}

// ago is a moment as --since says it: a time span before now, or a moment.
type ago struct {
	span   time.Duration
	moment time.Time
}

// from returns the moment, seen from now.
func (a ago) from(now time.Time) time.Time {
	if a.moment.IsZero() {
		return now.Add(-a.span)
	}
	return a.moment
}

// parseAgo reads what --since says.
func parseAgo(word string) (ago, error) {
	span, err := time.ParseDuration(word)
	for unit, hours := range map[string]int{"d": 24, "w": 7 * 24} {
		if count, ok := strings.CutSuffix(word, unit); ok {
			span, err = time.ParseDuration(count + "h")
			span *= time.Duration(hours)
		}
	}
	switch {
	case err == nil && span > 0:
		return ago{span: span}, nil
	case err == nil:
		return ago{}, fmt.Errorf("--since must be positive, such as 24h, not %q", word)
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339, "2006-01-02T15:04", time.DateTime} {
		if moment, err := time.ParseInLocation(layout, word, time.UTC); err == nil {
			return ago{moment: moment}, nil
		}
	}
	return ago{}, fmt.Errorf("--since takes a time span such as 24h or 7d, a date such as 2025-10-19 or a moment such as 2025-10-19T12:00:00Z, not %q", word)
}

// maxDiff bounds how many changes are compared.
const maxDiff = 100_000

func diff(ctx context.Context, o *options, since, output string) error {
	if output != "table" && output != "json" {
		return fmt.Errorf("there is no output %q: use table or json", output)
	}
	back, err := parseAgo(since)
	if err != nil {
		return err
	}
	s, err := open(ctx, o)
	if err != nil {
		return err
	}
	defer func() { _ = s.close() }()
	moment := back.from(s.now())
	if moment.After(s.now()) {
		return fmt.Errorf("--since %s has not come yet: it is %s", since, s.now().UTC().Format(time.RFC3339))
	}
	s.complainOfNotices()
	if s.store == nil {
		return exitError{code: 1}
	}
	in, err := s.diffInput(ctx, moment)
	if err != nil {
		return exitError{code: 1, err: err}
	}
	if output == "json" {
		return report.WriteDiffJSON(o.out, report.NewDiff(in))
	}
	return report.WriteDiff(o.out, report.NewDiff(in), o.style())
}

// diffInput reads what a diff is made of from the history.
func (s *session) diffInput(ctx context.Context, since time.Time) (report.DiffInput, error) {
	in := report.DiffInput{Since: since, Of: s.list.Assess(s.now()), Stood: map[probes.ID]report.Record{}}
	scores, err := s.store.Scores(ctx, maxDiff)
	if err != nil {
		return in, err
	}
	for n := range scores {
		score := diffScore(scores[n])
		if in.Then == nil || !score.TakenAt.After(since) {
			in.Then = score // the last by then, or without one the first after it
		}
		in.Now = score
	}
	stood, err := s.store.StandingsAt(ctx, since)
	if err != nil {
		return in, err
	}
	for id, c := range stood {
		in.Stood[id] = record(c)
	}
	changes, err := s.store.Changes(ctx, "", since.Add(time.Millisecond), maxDiff)
	for _, c := range changes {
		in.Records = append(in.Records, record(c))
	}
	return in, err
}

func record(c state.Change) report.Record {
	return report.Record{At: c.At, Check: c.Check, Status: c.Status, Summary: c.Summary}
}

func diffScore(s state.Score) *report.DiffScore {
	d := &report.DiffScore{HistoryScore: report.HistoryScore{TakenAt: s.At.UTC(), Percent: s.Percent, High: s.High, Verdict: s.Verdict}}
	d.Earned, _ = probes.ParseRat(s.Earned)
	return d
}
