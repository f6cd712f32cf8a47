package main

import (
	"context"
	"fmt"
	"os"

	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/term"
	"github.com/spf13/cobra"

	"github.com/254carbon/gonogo/internal/doctor"
	"github.com/254carbon/gonogo/probes/all"
)

func newDoctor(o *options) *cobra.Command {
	output := "text"
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Try every connection, credential and right that the profile relies on",
		Long: `Tries each connection and each credential of the profile once, asks for the
rights on the cluster that its checks need, and looks at this machine: state
directory, terminal, proxies, clock. One line each, with what to do where
something does not work. It changes nothing and shows no secret.

Exits with 0 if all is usable, 1 if something does not work, 2 for usage.`,
		Example: "  gonogo doctor\n  gonogo doctor -o json\n  gonogo doctor --demo --demo-fault harbor=unauthorized",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "text" && output != "json" {
				return fmt.Errorf("there is no output %q: use text or json", output)
			}
			return examine(cmd.Context(), o, output)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", output, "form: text, json")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func examine(ctx context.Context, o *options, output string) error {
	s, err := open(ctx, o)
	if err != nil {
		return err
	}
	defer func() { _ = s.close() }()
	progress := s.progress(0)
	r := doctor.Examine(ctx, doctor.Patient{
		Profile: s.profile, Platform: s.platform, Checks: s.checks, Kinds: all.Kinds(), Now: s.now, Machine: s.machine(), Progress: progress.show,
	})
	progress.clear()
	if ctx.Err() != nil {
		return exitError{code: 130, err: fmt.Errorf("interrupted before everything was tried")}
	}
	if output == "json" {
		err = doctor.WriteJSON(o.out, r)
	} else {
		err = doctor.WriteText(o.out, r, o.style())
	}
	if err == nil && !r.Usable {
		err = exitError{code: 1}
	}
	return err
}

// machine is what doctor is told of this machine.
func (s *session) machine() doctor.Machine {
	return doctor.Machine{StateDir: s.opts.stateDir, History: s.noHistory, Environ: os.Environ(), Terminal: s.opts.terminal()}
}

// terminal is what standard output is drawn on.
func (o *options) terminal() doctor.Terminal {
	t := doctor.Terminal{Dumb: dumb(), Name: os.Getenv("TERM"), ASCII: o.ascii || asciiLocale()}
	file, ok := terminal(o.out)
	if !ok {
		return t
	}
	t.Is = true
	t.Width, t.Height, _ = term.GetSize(file.Fd())
	switch {
	case noColor():
		t.Colours = "no colours, as NO_COLOR asks for"
	default:
		t.Colours = map[colorprofile.Profile]string{
			colorprofile.TrueColor: "16 million colours", colorprofile.ANSI256: "256 colours", colorprofile.ANSI: "16 colours",
		}[colorprofile.Detect(file, os.Environ())]
	}
	if t.Colours == "" {
		t.Colours = "no colours"
	}
	return t
}
