package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/internal/report"
	"github.com/254carbon/gonogo/internal/runs"
)

func newRuns(o *options) *cobra.Command {
	var output string
	list := func(cmd *cobra.Command, _ []string) error {
		return withRuns(cmd.Context(), o, output, func(s *session, e *runs.Engine) error {
			all, err := e.Runs(cmd.Context())
			if output == "json" {
				if all == nil {
					all = []actions.RunInfo{}
				}
				return errors.Join(report.WriteJSONLine(o.out, all), err)
			}
			return errors.Join(report.WriteRuns(o.out, all, s.now().Location(), o.style()), err)
		})
	}
	cmd := &cobra.Command{
		Use: "runs", Short: "List the runs of this machine, and show, resume or cancel one", Args: noSuchCommand, RunE: list,
		Long: `Runs are processes of their own: what one did and does can be seen from anywhere on
the machine, also after it ended. One that ended before all was done, because it
failed, was cancelled, or its process or machine died, goes on with "resume", and
does nothing twice. Where nobody can know whether a step was done (a script), resume
wants it said: --answer STEP=done or --answer STEP=again.`,
		Example: "  gonogo runs\n  gonogo runs logs -f mirror-3\n  gonogo runs resume mirror-3\n  gonogo runs cancel mirror-3",
	}
	cmd.PersistentFlags().StringVarP(&output, "output", "o", "text", "form: text, json")
	cmd.AddCommand(&cobra.Command{Use: "list", Short: "List them, the newest first", Args: cobra.NoArgs, RunE: list})
	cmd.AddCommand(&cobra.Command{
		Use: "show RUN", Short: "Show a run's plan and how each step stands", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withRuns(cmd.Context(), o, output, func(s *session, _ *runs.Engine) error { return s.showRun(actions.RunID(args[0]), output) })
		},
	})
	cmd.AddCommand(newRunsLogs(o, &output), newRunsResume(o, &output))
	cmd.AddCommand(&cobra.Command{
		Use: "cancel RUN", Short: "Ask a run to end; its clean-up still happens", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withRuns(cmd.Context(), o, output, func(_ *session, e *runs.Engine) error {
				if err := e.Cancel(cmd.Context(), actions.RunID(args[0])); err != nil {
					return refusal(cmd.Context(), err)
				}
				_, err := fmt.Fprintf(o.out, "%s was asked to end\n", args[0])
				return err
			})
		},
	})
	return cmd
}

func newRunsLogs(o *options, output *string) *cobra.Command {
	follow := false
	cmd := &cobra.Command{
		Use: "logs RUN", Short: "Print what a run said", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withRuns(cmd.Context(), o, *output, func(s *session, e *runs.Engine) error {
				return s.logs(cmd.Context(), e, actions.RunID(args[0]), follow, *output)
			})
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on until the run ends; leaving does not end it")
	return cmd
}

func newRunsResume(o *options, output *string) *cobra.Command {
	var answers map[string]string
	yes := ""
	cmd := &cobra.Command{
		Use: "resume RUN", Short: "Go on with a run that ended before all was done", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.shared = true
			return withRuns(cmd.Context(), o, *output, func(s *session, e *runs.Engine) error {
				return s.resume(cmd.Context(), e, actions.RunID(args[0]), answers, yes, *output)
			})
		},
	}
	cmd.Flags().StringToStringVar(&answers, "answer", nil, "what became of a step that nobody knows about: STEP=done or STEP=again")
	cmd.Flags().StringVar(&yes, "yes", "", "the platform's name, where something is deleted or replaced")
	cmd.Flags().BoolVar(&o.attached, "attached", false, "carry it out in this process, so that it ends with it")
	return cmd
}

// withRuns opens what there is of runs.
func withRuns(ctx context.Context, o *options, output string, do func(*session, *runs.Engine) error) error {
	if output != "text" && output != "json" {
		return fmt.Errorf("there is no output %q: use text or json", output)
	}
	s, err := open(ctx, o)
	if err != nil {
		return err
	}
	defer func() { _ = s.close() }()
	err = do(s, s.engine(s.scored))
	if errors.Is(err, runs.ErrNoRun) {
		return exitError{code: exitUsage, err: err}
	}
	return err
}

func (s *session) showRun(id actions.RunID, output string) error {
	info, err := runs.NewStore(s.stateFolder(), s.profile.Platform).Info(id)
	if err != nil {
		return err
	}
	if output == "json" {
		return report.WriteJSONLine(s.opts.out, struct {
			actions.RunInfo
			Plan actions.Plan `json:"plan"`
		}{info, info.Plan})
	}
	return report.WriteRun(s.opts.out, info, s.opts.style())
}

// logs prints the events of a run, those to come too if it is followed.
func (s *session) logs(ctx context.Context, e *runs.Engine, id actions.RunID, follow bool, output string) error {
	info, err := e.Store.Info(id)
	if err != nil {
		return err
	}
	f, err := e.Follow(ctx, id)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	_, live := terminal(s.opts.out)
	w := report.NewRunWriter(s.opts.out, info.Plan, s.opts.style(), s.now().Location(), live && follow && !dumb())
	for w.State().Seq < info.State.Seq || follow {
		events, err := f.Read(ctx, 256)
		for _, event := range events {
			if !follow && event.Seq > info.State.Seq {
				return nil
			}
			if output == "json" {
				_ = w.Count(event)
				err = errors.Join(err, report.WriteJSONLine(s.opts.out, event))
			} else {
				err = errors.Join(err, w.Event(event))
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return s.saidEnd(id, output)
		case ctx.Err() != nil:
			return nil // whoever looked has had enough; the run goes on
		case err != nil:
			return err
		}
	}
	return s.saidEnd(id, output)
}

func (s *session) saidEnd(id actions.RunID, output string) error {
	info, err := runs.NewStore(s.stateFolder(), s.profile.Platform).Info(id)
	if err != nil || output == "json" {
		return err
	}
	_, err = fmt.Fprintln(s.opts.out, report.EndText(info))
	return err
}

func (s *session) resume(ctx context.Context, e *runs.Engine, id actions.RunID, answers map[string]string, yes, output string) error {
	info, err := e.Store.Info(id)
	if err != nil {
		return err
	}
	if info.Plan.Worst() == actions.Deletes && yes == "" && !e.ReadOnly {
		if _, err := s.agreed(ctx, e, info.Plan, runFlags{output: output}); err != nil {
			return err
		}
		yes = info.Plan.Platform
	}
	said := map[string]actions.Answer{}
	for step, answer := range answers {
		said[step] = actions.Answer(answer)
	}
	if err := e.Resume(ctx, id, said, yes); err != nil {
		return refusal(ctx, err)
	}
	return s.watch(ctx, e, id, info.Plan, output)
}
