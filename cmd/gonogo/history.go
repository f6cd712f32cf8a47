package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/254carbon/gonogo/internal/report"
	"github.com/254carbon/gonogo/probes"
)

func newHistory(o *options) *cobra.Command {
	var f historyFlags
	cmd := &cobra.Command{
		Use:   "history [CHECK]",
		Short: "Show how the score and the checks changed",
		Long: `Shows what boards, checks and reports on this machine have recorded: every
different score as a line and a row of blocks, and every change of a check. It
asks nobody anything. gonogo diff says what the changes amount to.

--since takes a time span (90m, 24h, 7d), a date or a moment.`,
		Example: "  gonogo history\n  gonogo history worker-nodes --since 24h\n  gonogo history --since 2025-10-19 -o json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				if f.check != "" && f.check != args[0] {
					return fmt.Errorf("--check names %s, and the word after history %s: write one", f.check, args[0])
				}
				f.check = args[0]
			}
			return history(cmd.Context(), o, f)
		},
	}
	cmd.Flags().StringVarP(&f.output, "output", "o", "table", "form: table, json")
	cmd.Flags().StringVar(&f.check, "check", "", "only this check, as the word after history")
	cmd.Flags().StringVar(&f.since, "since", "30d", "how far back: a time span, a date or a moment")
	cmd.Flags().IntVar(&f.limit, "limit", 200, "how many changes at most, the newest")
	return cmd
}

type historyFlags struct {
	output string
	check  string
	since  string
	limit  int
}

func history(ctx context.Context, o *options, f historyFlags) error {
	switch {
	case f.output != "table" && f.output != "json":
		return fmt.Errorf("there is no output %q: use table or json", f.output)
	case f.limit < 1:
		return fmt.Errorf("--limit must be at least 1, not %d", f.limit)
	}
	back, err := parseAgo(f.since)
	if err != nil {
		return err
	}
	s, err := open(ctx, o)
	if err != nil {
		return err
	}
	defer func() { _ = s.close() }()
	if f.check != "" {
		if _, err := s.chosen([]string{f.check}); err != nil {
			return err
		}
	}
	if s.store == nil {
		s.complainOfNotices()
		return exitError{code: 1}
	}
	s.complainOfNotices()
	h, err := s.readHistory(ctx, f, back.from(s.now()))
	if err != nil {
		return exitError{code: 1, err: err}
	}
	if f.output == "json" {
		return report.WriteHistoryJSON(o.out, h)
	}
	return report.WriteHistory(o.out, h, o.style())
}

func (s *session) readHistory(ctx context.Context, f historyFlags, since time.Time) (report.History, error) {
	h := report.History{Platform: s.profile.Platform, Scores: []report.HistoryScore{}, Changes: []report.HistoryChange{}}
	if f.check == "" {
		scores, err := s.store.Scores(ctx, f.limit)
		if err != nil {
			return h, err
		}
		for _, score := range scores {
			if !score.At.Before(since) {
				h.Scores = append(h.Scores, report.HistoryScore{TakenAt: score.At.UTC(), Percent: score.Percent, High: score.High, Verdict: score.Verdict})
			}
		}
	}
	changes, err := s.store.Changes(ctx, probes.ID(f.check), since, f.limit)
	if err != nil {
		return h, err
	}
	for _, c := range changes {
		h.Changes = append(h.Changes, report.HistoryChange{At: c.At.UTC(), Check: string(c.Check), Status: c.Status.String(), Summary: c.Summary})
	}
	return h, nil
}
