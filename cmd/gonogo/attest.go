package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/254carbon/gonogo/internal/profile"
	"github.com/254carbon/gonogo/internal/report"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/evidence"
)

func newAttest(o *options) *cobra.Command {
	var f judgement
	cmd := &cobra.Command{
		Use:   "attest [CHECK]",
		Short: "Give your word for what no probe can see, or list who gave theirs",
		Long: `Gives somebody's word for a check that no probe can measure. It earns half of
the check's points until it ends. It is kept in the evidence record of the
cluster, or without the rights for that on this machine alone.

A check that is measured takes nobody's word: what it says stands.

Without a check it lists the words there are, the profile's among them.`,
		Example: `  gonogo attest
  gonogo attest readme-current --by ana --note "read it through, nothing has changed" --expires 2026-01-31
  gonogo attest files --checkout . --by "pipeline 17"`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return listAttestations(cmd.Context(), o, f)
			}
			return attest(cmd.Context(), o, args[0], f)
		},
	}
	cmd.Flags().StringVar(&f.by, "by", "", "whose word it is")
	cmd.Flags().StringVar(&f.reason, "note", "", "what was looked at, and what was seen")
	cmd.Flags().StringVar(&f.expires, "expires", "", "until when: a day such as 2026-01-31, to its end in UTC, or a time such as 72h or 14d")
	cmd.Flags().BoolVar(&f.remove, "remove", false, "take the word back")
	cmd.AddCommand(newAttestFiles(o))
	return cmd
}

func attest(ctx context.Context, o *options, check string, f judgement) error {
	return judge(ctx, o, check, func(s *session, id probes.ID) (evidence.Entry, string, error) {
		c, _ := s.profile.Check(id)
		if c.Attests() == "" {
			return evidence.Entry{}, "", measured(c)
		}
		if f.remove {
			if f.reason != "" || f.expires != "" {
				return evidence.Entry{}, "", errors.New("--remove takes back what stands: leave out --note and --expires")
			}
			for _, a := range s.profile.Attestations {
				if a.CheckID() == id {
					return evidence.Entry{}, "", fmt.Errorf("the word for %s stands in the profile %s: take it back there", id, s.profile.Source)
				}
			}
			e, err := s.takeBack(ctx, evidence.Attestation, id, f.by)
			return e, fmt.Sprintf("nobody attests %s any more", id), err
		}
		e, err := f.entry(s, evidence.Attestation, id, "--by", "--note")
		return e, fmt.Sprintf("%s attests until %s: %s", e.By, e.Until(), c.Attests()), err
	})
}

// measured refuses a word for a check that has a measurement.
func measured(c profile.Check) error {
	text := fmt.Sprintf("check %s is measured by probe %s; a person's word does not replace a measurement", c.Spec.ID, c.Spec.Probe)
	if c.Spec.Gate {
		text += fmt.Sprintf("; to accept the gap in this gate use `gonogo waive %s`", c.Spec.ID)
	}
	return errors.New(text)
}

func listAttestations(ctx context.Context, o *options, f judgement) error {
	if f != (judgement{}) {
		return fmt.Errorf("attest what? Write `gonogo attest CHECK`")
	}
	return listJudgements(ctx, o, "nobody attests anything", func(s *session, entries []evidence.Entry) []judgementRow {
		var rows []judgementRow
		for _, c := range s.profile.Checks() {
			for _, e := range evidence.Standing(entries, evidence.Attestation, c.Spec.ID) {
				state := "counts"
				switch {
				case c.Attests() == "":
					state = "counts for nothing: measured"
				case !e.HoldsAt(s.now()):
					state = "has ended"
				}
				rows = append(rows, judgementRow{string(c.Spec.ID), e.By, e.Until(), state, e.Where(), e.Note})
			}
		}
		return rows
	})
}

// explainWords says of each word that was given for a check that is measured why it does not count.
func (s *session) explainWords(ctx context.Context, item probes.Item) error {
	c, ok := s.profile.Check(item.Spec.ID)
	if !ok || c.Attests() != "" {
		return nil
	}
	seen, _ := s.readRecord(ctx) // what cannot be read counts for nothing either
	for _, e := range evidence.Standing(seen.Items, evidence.Attestation, item.Spec.ID) {
		text := fmt.Sprintf("The word of %s until %s, %s, does not count: this check is measured by probe %s.", e.By, e.Until(), e.Where(), c.Spec.Probe)
		if err := report.WriteNote(s.opts.out, text, s.opts.style()); err != nil {
			return err
		}
	}
	return nil
}
