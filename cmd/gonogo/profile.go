package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	acts "github.com/254carbon/gonogo/actions/all"
	"github.com/254carbon/gonogo/internal/profile"
	"github.com/254carbon/gonogo/probes/all"
)

func newProfile(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "profile",
		Short: "Write, validate, show, describe and lock profiles",
		Long: `A profile is the YAML file that describes a platform: how its systems are
reached, what is claimed of it, what each claim is worth and how it is asked.
Start from what a cluster has, or from the built-in one, 254carbon:

  gonogo profile init --output mine.yaml
  gonogo profile show > mine.yaml`,
	}
	cmd.AddCommand(
		newProfileInit(o),
		&cobra.Command{
			Use:     "validate [FILE|NAME]",
			Short:   "Say what is wrong with a profile, with line and column",
			Example: "  gonogo profile validate mine.yaml",
			Args:    cobra.MaximumNArgs(1),
			RunE: func(_ *cobra.Command, args []string) error {
				p, err := openProfile(o, args)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(o.out, "%s is valid: platform %s, %d components, %d checks\n", p.Source, p.Platform, len(p.Components), len(p.Checks()))
				return err
			},
		},
		&cobra.Command{
			Use:   "show [FILE|NAME]",
			Short: "Print a profile as it takes effect, defaults filled in; never a secret",
			Args:  cobra.MaximumNArgs(1),
			RunE: func(_ *cobra.Command, args []string) error {
				p, err := openProfile(o, args)
				if err != nil {
					return err
				}
				text, err := p.Show()
				if err != nil {
					return err
				}
				_, err = o.out.Write(text)
				return err
			},
		},
		&cobra.Command{
			Use:   "schema",
			Short: "Print the JSON Schema of profiles, for editors",
			Args:  cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error {
				text, err := profile.Schema(all.Kinds(), acts.Kinds()...)
				if err != nil {
					return err
				}
				_, err = o.out.Write(text)
				return err
			},
		},
		newLock(o),
	)
	return cmd
}

// openProfile opens the profile that is named, or that of --profile.
func openProfile(o *options, args []string) (*profile.Profile, error) {
	name := o.profile
	if len(args) == 1 {
		name = args[0]
	}
	p, err := profile.Open(name, all.Kinds(), acts.Kinds()...)
	if err != nil {
		return nil, exitError{code: exitUsage, err: errors.Join(err)}
	}
	if _, builtin := profile.BuiltinSource(name); builtin && !o.demo { // whose images are those of the simulated platform
		digests, err := profile.ReadLock(builtinLock())
		if err != nil {
			return nil, exitError{code: exitUsage, err: err}
		}
		p = p.Locked(digests)
	}
	return p, nil
}
