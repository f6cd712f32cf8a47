package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/254carbon/gonogo/internal/report"
	"github.com/254carbon/gonogo/probes"
)

func newExplain(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "explain score|CHECK",
		Short: "Explain the score line by line, or one check with its evidence",
		Long: `Asks the platform and explains what came out.

  gonogo explain score    every check's status, what it earns of what it is worth,
                          and how that adds up exactly to the headline
  gonogo explain CHECK    the claim, what was found, the evidence with the command
                          that repeats it by hand, and what to do`,
		Example: "  gonogo explain score\n  gonogo explain harbor-credentials",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("explain what? Write `gonogo explain score` or `gonogo explain CHECK`")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return explain(cmd.Context(), o, args[0]) },
	}
}

func explain(ctx context.Context, o *options, what string) error {
	s, err := open(ctx, o)
	if err != nil {
		return err
	}
	defer func() { _ = s.close() }()
	var only map[probes.ID]bool
	if what != "score" {
		if only, err = s.chosen([]string{what}); err != nil {
			return err
		}
	}
	a, _ := s.sweep(ctx, only)
	if ctx.Err() != nil {
		return exitError{code: 130, err: fmt.Errorf("interrupted before every check was asked")}
	}
	s.complainOfNotices()
	if only == nil {
		return report.WriteScore(o.out, a, o.style())
	}
	item, _ := a.Item(probes.ID(strings.TrimSpace(what)))
	if err := report.WriteCheck(o.out, a, item, o.style()); err != nil {
		return err
	}
	return s.explainWords(ctx, item)
}
