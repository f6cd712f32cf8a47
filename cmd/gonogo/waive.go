package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/evidence"
)

// judgement are the flags of gonogo waive and gonogo attest.
type judgement struct {
	by, reason, expires string
	remove              bool
}

func newWaive(o *options) *cobra.Command {
	var f judgement
	cmd := &cobra.Command{
		Use:   "waive [CHECK]",
		Short: "Accept the gap in a gate, for a time, or list what is accepted",
		Long: `Accepts that a gate does not pass: until the day that is given, the verdict does
not wait for it. A waiver has somebody who answers for it, a reason and an end;
it earns no points. It is kept in the evidence record of the cluster, so that
every board and pipeline knows of it, or without the rights for that on this
machine alone.

Without a check it lists the waivers there are, the profile's among them.`,
		Example: `  gonogo waive
  gonogo waive backup-failure-domain --owner ana --reason "the bucket moves in May" --expires 2026-05-31
  gonogo waive backup-failure-domain --remove`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return listWaivers(cmd.Context(), o, f)
			}
			return waive(cmd.Context(), o, args[0], f)
		},
	}
	cmd.Flags().StringVar(&f.by, "owner", "", "who answers for the gap")
	cmd.Flags().StringVar(&f.reason, "reason", "", "why it is accepted")
	cmd.Flags().StringVar(&f.expires, "expires", "", "until when: a day such as 2026-05-31, to its end in UTC, or a time such as 72h or 14d")
	cmd.Flags().BoolVar(&f.remove, "remove", false, "take the waiver back")
	return cmd
}

func waive(ctx context.Context, o *options, check string, f judgement) error {
	return judge(ctx, o, check, func(s *session, id probes.ID) (evidence.Entry, string, error) {
		c, _ := s.profile.Check(id)
		if !c.Spec.Gate {
			return evidence.Entry{}, "", fmt.Errorf("check %s is no gate: a waiver covers a gate, and without one %s costs points, nothing else", id, id)
		}
		if f.remove {
			if f.reason != "" || f.expires != "" {
				return evidence.Entry{}, "", errors.New("--remove takes back what stands: leave out --reason and --expires")
			}
			for _, w := range s.profile.Waivers {
				if w.Check == id {
					return evidence.Entry{}, "", fmt.Errorf("gate %s is waived in the profile %s: take it back there", id, s.profile.Source)
				}
			}
			e, err := s.takeBack(ctx, evidence.Waiver, id, f.by)
			return e, fmt.Sprintf("gate %s is not waived any more", id), err
		}
		e, err := f.entry(s, evidence.Waiver, id, "--owner", "--reason")
		return e, fmt.Sprintf("gate %s is waived by %s until %s: %s", id, e.By, e.Until(), e.Note), err
	})
}

// judge opens the platform, makes the entry of a check, and keeps it.
func judge(ctx context.Context, o *options, check string, make func(s *session, id probes.ID) (e evidence.Entry, said string, err error)) error {
	s, err := open(ctx, o)
	if err != nil {
		return err
	}
	id := probes.ID(check)
	if _, ok := s.profile.Check(id); !ok {
		return errors.Join(s.noSuchCheck(check), s.close())
	}
	e, said, err := make(s, id)
	if err == nil {
		_, err = s.keep(ctx, said, e)
	}
	s.complainOfNotices()
	return errors.Join(err, s.close())
}

// entry makes the entry of a judgement, or says what is missing.
func (f judgement) entry(s *session, kind string, check probes.ID, by, reason string) (evidence.Entry, error) {
	owner, note := probes.Clean(f.by, 200), probes.Clean(f.reason, 1000)
	switch {
	case strings.TrimSpace(owner) == "":
		return evidence.Entry{}, fmt.Errorf("who answers for it? Write %s", by)
	case strings.TrimSpace(note) == "":
		return evidence.Entry{}, fmt.Errorf("what is to be remembered of it? Write %s", reason)
	}
	end, err := parseEnd(f.expires, s.now())
	if err != nil {
		return evidence.Entry{}, err
	}
	return evidence.Entry{
		Kind: kind, Check: check, Result: evidence.Passed, By: owner, Note: note, Run: who(), At: s.now(), ValidUntil: end,
	}, nil
}

// takeBack makes the entry that takes back what stands.
func (s *session) takeBack(ctx context.Context, kind string, check probes.ID, by string) (evidence.Entry, error) {
	seen, err := s.readRecord(ctx)
	if len(evidence.Standing(seen.Items, kind, check)) == 0 {
		if err != nil {
			return evidence.Entry{}, exitError{code: exitUnknown, err: err}
		}
		return evidence.Entry{}, fmt.Errorf("there is no %s of %s to take back", kind, check)
	}
	if by == "" {
		by = who()
	}
	return evidence.Entry{Kind: kind, Check: check, Result: evidence.Removed, By: probes.Clean(by, 200), Run: who(), At: s.now()}, nil
}

func listWaivers(ctx context.Context, o *options, f judgement) error {
	if f != (judgement{}) {
		return fmt.Errorf("waive what? Write `gonogo waive CHECK`")
	}
	return listJudgements(ctx, o, "no gate is waived", func(s *session, entries []evidence.Entry) []judgementRow {
		var rows []judgementRow
		all := append([]probes.Waiver(nil), s.profile.Waivers...)
		for _, w := range append(all, evidence.Waivers(entries, s.now())...) {
			state := "holds"
			if c, ok := s.profile.Check(w.Check); !ok || !c.Spec.Gate {
				state = "covers no gate"
			} else if !s.now().Before(w.Expires) {
				state = "has ended"
			}
			where := w.Where
			if where == "" {
				where = "in the profile"
			}
			rows = append(rows, judgementRow{string(w.Check), w.Owner, w.Until(), state, where, w.Reason})
		}
		return rows
	})
}
