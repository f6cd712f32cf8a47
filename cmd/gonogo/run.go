package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/charmbracelet/x/term"
	"github.com/spf13/cobra"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/internal/report"
	"github.com/254carbon/gonogo/internal/runs"
	"github.com/254carbon/gonogo/probes"
)

// Exit codes of run.
const (
	exitFailed    = 1
	exitRefused   = 3
	exitCancelled = 130
	exitHungUp    = 129
)

const runLong = `Plans an action of the profile, shows the plan, asks, and carries it out in a
process of its own: neither a lost connection nor Ctrl-Z touches it. Without an
action it lists what there is.

A plan only reads; --plan stops there. A second run plans what is left, and if
that is nothing, does nothing. Where something is deleted or replaced the
platform's name has to be typed: --yes alone does not cover that, --yes=NAME does.

Ctrl-C cancels the run, after which its clean-up still happens. To leave it
running, close the terminal: "gonogo runs logs -f" shows it again.

Exit codes: 0 done, 1 a step failed, 2 usage, 3 refused (read-only mode, locked by
somebody, a permission is missing), 130 cancelled.`

type runFlags struct {
	plan   bool
	yes    string
	set    map[string]string
	output string
}

func newRun(o *options) *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use: "run [ACTION]", Short: "Do something to the platform: plan it, ask, carry it out", Long: runLong,
		Example: "  gonogo run\n  gonogo run mirror --plan\n  gonogo run mirror --set apply=true\n  gonogo --demo run mirror --yes --set apply=true",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.output != "text" && f.output != "json" {
				return fmt.Errorf("there is no output %q: use text or json", f.output)
			}
			if len(args) == 0 {
				return listActions(cmd.Context(), o)
			}
			return runAction(cmd.Context(), o, probes.ID(args[0]), f)
		},
	}
	cmd.Flags().BoolVar(&f.plan, "plan", false, "show what would be done, and do nothing")
	cmd.Flags().StringVar(&f.yes, "yes", "", "do not ask; where something is deleted or replaced, --yes=NAME with the platform's name")
	cmd.Flags().Lookup("yes").NoOptDefVal = "yes"
	cmd.Flags().StringToStringVar(&f.set, "set", nil, "an input of the action: NAME=VALUE")
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "form: text, or json for the events, one in a line")
	cmd.Flags().BoolVar(&o.attached, "attached", false, "carry it out in this process, so that it ends with it")
	return cmd
}

// listActions shows what can be done.
func listActions(ctx context.Context, o *options) error {
	s, err := open(ctx, o)
	if err != nil {
		return err
	}
	defer func() { _ = s.close() }()
	for _, offer := range s.engine(nil).Offers() {
		fmt.Fprintf(o.out, "%-18s %s\n", offer.ID, offer.Title)
		for _, text := range []string{offer.About, offer.Refused} {
			if text != "" {
				fmt.Fprintf(o.out, "%-18s   %s\n", "", text)
			}
		}
	}
	return nil
}

func runAction(ctx context.Context, o *options, id probes.ID, f runFlags) error {
	o.shared = !f.plan
	s, err := open(ctx, o)
	if err != nil {
		return err
	}
	defer func() { _ = s.close() }()
	if _, ok := s.profile.Action(id); !ok {
		return s.noSuchAction(id)
	}
	e := s.engine(s.scored)
	p, err := s.plan(ctx, e, id, f.set)
	if err != nil {
		return refusal(ctx, err)
	}
	s.complainOfNotices()
	done, err := s.agreed(ctx, e, p, f)
	if done || err != nil {
		return err
	}
	typed := f.yes
	if p.Worst() == actions.Deletes && typed != p.Platform {
		typed = p.Platform // it was typed when asked for
	}
	run, err := e.Start(ctx, p, typed)
	if err != nil {
		return refusal(ctx, err)
	}
	if !e.Detached() {
		complain(o.err, errors.New("this run goes on in this process and ends with it"))
	}
	return s.watch(ctx, e, run, p, f.output)
}

// noSuchAction refuses a word that is no action.
func (s *session) noSuchAction(id probes.ID) error {
	var names []string
	for _, a := range s.profile.Actions {
		names = append(names, string(a.ID))
	}
	return fmt.Errorf("there is no action %q in profile %s; it has %s", id, s.profile.Name, strings.Join(names, ", "))
}

// refusal gives an error its exit code.
func refusal(ctx context.Context, err error) error {
	var refused *actions.RefusedError
	var input *actions.InputError
	var known exitError
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &input):
		return exitError{code: exitUsage, err: err}
	case errors.As(err, &refused):
		return exitError{code: exitRefused, err: err}
	case ctx.Err() != nil:
		return exitError{code: exitCancelled, err: errors.New("cancelled before anything was changed")}
	}
	return exitError{code: exitFailed, err: err}
}

// plan plans, and says for how long.
func (s *session) plan(ctx context.Context, e *runs.Engine, id probes.ID, in map[string]string) (actions.Plan, error) {
	a, err := e.Action(id)
	if err != nil {
		return actions.Plan{}, actions.Refuse("%s", err.Error())
	}
	if _, err := a.Spec().Settle(in); err != nil {
		return actions.Plan{}, exitError{code: exitUsage, err: err}
	}
	shown := s.progress(0)
	shown.clear()
	began := time.Now()
	stop := make(chan struct{})
	ticking := make(chan struct{})
	go func() {
		defer close(ticking)
		for {
			select {
			case <-stop:
				shown.clear()
				return
			case <-time.After(time.Second):
				shown.tell(fmt.Sprintf("planning %s, %s", id, time.Since(began).Round(time.Second)))
			}
		}
	}()
	p, err := e.Plan(ctx, id, in)
	close(stop)
	<-ticking
	return p, err
}

// agreed shows the plan, and reports whether there is nothing more to do about it. The error is that it is not to be carried out.
func (s *session) agreed(ctx context.Context, e *runs.Engine, p actions.Plan, f runFlags) (done bool, err error) {
	o := s.opts
	switch {
	case f.plan && f.output == "json":
		return true, report.WriteJSONLine(o.out, p)
	case f.output == "json":
		err = report.WritePlan(o.err, p, report.Style{ASCII: o.ascii})
	default:
		err = report.WritePlan(o.out, p, o.style())
	}
	if err != nil || f.plan {
		return true, err
	}
	if e.ReadOnly {
		return true, exitError{code: exitRefused, err: errors.New("read-only mode: this can be planned, not run")}
	}
	if len(p.Missing) > 0 {
		return true, exitError{code: exitRefused, err: fmt.Errorf("refused, because of what is missing: %s", strings.Join(p.Missing, "; "))}
	}
	if len(p.Steps) == 0 {
		return true, nil // the plan says so
	}
	deletes := p.Worst() == actions.Deletes
	switch {
	case deletes && f.yes == p.Platform, !deletes && f.yes != "":
		return false, nil
	case f.yes != "":
		return true, exitError{code: exitRefused, err: fmt.Errorf("this deletes or replaces something: --yes=%s says so, --yes does not", probes.ShellWord(p.Platform))}
	case o.in == nil || !term.IsTerminal(o.in.Fd()):
		return true, exitError{code: exitRefused, err: errors.New("nobody is here to say yes: --yes does")}
	}
	return s.ask(ctx, p, deletes)
}

// ask asks the person.
func (s *session) ask(ctx context.Context, p actions.Plan, deletes bool) (no bool, err error) {
	question, want := "Go on? [y/N] ", []string{"y", "yes"}
	if deletes {
		question, want = fmt.Sprintf("This deletes or replaces something. Type the platform's name, %s, to go on: ", p.Platform), []string{p.Platform}
	}
	fmt.Fprint(s.opts.err, "\n"+question)
	said := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(s.opts.in).ReadString('\n')
		said <- strings.TrimSpace(line)
	}()
	select {
	case <-ctx.Done():
		return true, exitError{code: exitCancelled, err: errors.New("cancelled before anything was changed")}
	case answer := <-said:
		for _, w := range want {
			if answer == w || !deletes && strings.EqualFold(answer, w) {
				return false, nil
			}
		}
	}
	return true, exitError{code: exitCancelled, err: errors.New("nothing was changed")}
}

// hungUp reports whether ctx ended because the terminal is gone, and nobody wanted anything to end.
func hungUp(ctx context.Context) bool {
	cause := context.Cause(ctx)
	return cause != nil && strings.HasPrefix(cause.Error(), syscall.SIGHUP.String()+" ")
}

// watch shows a run until it ends. When ctx ends the run is cancelled, and shown to its end; but when the terminal is gone, a run in a process
// of its own is left alone.
func (s *session) watch(ctx context.Context, e *runs.Engine, id actions.RunID, p actions.Plan, output string) error {
	_, live := terminal(s.opts.out)
	w := report.NewRunWriter(s.opts.out, p, s.opts.style(), s.now().Location(), live && !dumb())
	looking, leave := context.WithCancel(context.WithoutCancel(ctx))
	defer leave()
	stop := context.AfterFunc(ctx, func() {
		if hungUp(ctx) && e.Detached() {
			leave()
			return
		}
		if err := e.Cancel(context.WithoutCancel(ctx), id); err != nil {
			complain(s.opts.err, err)
		}
	})
	defer stop()
	info, err := e.Wait(looking, id, func(event actions.Event) {
		if output == "json" {
			_ = report.WriteJSONLine(s.opts.out, event)
			return
		}
		_ = w.Event(event)
	})
	if looking.Err() != nil {
		return exitError{code: exitHungUp}
	}
	if err != nil {
		return exitError{code: exitFailed, err: err}
	}
	if output != "json" {
		fmt.Fprintln(s.opts.out, report.EndText(info))
	}
	return s.ended(info)
}

// ended gives the end of a run its exit code, and says how to go on.
func (s *session) ended(info actions.RunInfo) error {
	code := map[actions.Outcome]int{actions.Done: exitOK, actions.Stopped: exitCancelled, actions.Refused: exitRefused}
	c, ok := code[info.Outcome]
	if !ok {
		c = exitFailed
	}
	if c == exitOK {
		return nil
	}
	var hint error
	if info.Outcome.Resumable() {
		hint = fmt.Errorf("`gonogo runs resume %s` goes on with it; its log: %s", info.ID, info.Log)
	}
	return exitError{code: c, err: hint}
}

// scored measures the platform's score, and keeps it in the history.
func (s *session) scored(ctx context.Context) (int, bool) {
	a, _ := s.sweep(ctx, nil)
	if ctx.Err() != nil {
		return 0, false
	}
	s.record(a)
	return a.Percent, true
}

// newRunner is the process of one run. Nobody types it.
func newRunner(o *options) *cobra.Command {
	return &cobra.Command{
		Use: runnerCommand + " FOLDER", Short: "Carry out the run of a folder", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.attached, o.shared = true, true
			s, err := open(cmd.Context(), o)
			if err != nil {
				return err
			}
			info, err := s.engine(s.scored).Carry(cmd.Context(), args[0])
			if err = errors.Join(err, s.close()); err != nil {
				return exitError{code: exitFailed, err: err}
			}
			fmt.Fprintln(os.Stdout, report.EndText(info))
			return nil
		},
	}
}
