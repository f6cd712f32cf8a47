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
		Long: `Shows what boards and checks on this machine have recorded: every different
score, and every change of a check. It asks nobody anything.`,
		Example: "  gonogo history\n  gonogo history worker-nodes --since 24h\n  gonogo history -o json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				f.check = args[0]
			}
			return history(cmd.Context(), o, f)
		},
	}
	cmd.Flags().StringVarP(&f.output, "output", "o", "table", "form: table, json")
	cmd.Flags().DurationVar(&f.since, "since", 30*24*time.Hour, "how far back")
	cmd.Flags().IntVar(&f.limit, "limit", 200, "how many changes at most, the newest")
	return cmd
}

type historyFlags struct {
	output string
	check  string
	since  time.Duration
	limit  int
}

func history(ctx context.Context, o *options, f historyFlags) error {
	switch {
	case f.output != "table" && f.output != "json":
		return fmt.Errorf("there is no output %q: use table or json", f.output)
	case f.limit < 1:
		return fmt.Errorf("--limit must be at least 1, not %d", f.limit)
	case f.since <= 0:
		return fmt.Errorf("--since must be positive, such as 24h")
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
	h, err := s.readHistory(ctx, f)
	if err != nil {
		return exitError{code: 1, err: err}
	}
	if f.output == "json" {
		return report.WriteHistoryJSON(o.out, h)
	}
	return report.WriteHistory(o.out, h, o.style())
}

func (s *session) readHistory(ctx context.Context, f historyFlags) (report.History, error) {
	h := report.History{Platform: s.profile.Platform, Scores: []report.HistoryScore{}, Changes: []report.HistoryChange{}}
	since := s.now().Add(-f.since)
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
