package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/adrg/xdg"
	"github.com/spf13/cobra"

	"github.com/254carbon/gonogo/internal/profile"
	"github.com/254carbon/gonogo/internal/sim"
	"github.com/254carbon/gonogo/theme"
)

// options are the global flags.
type options struct {
	streams
	profile    string
	demo       bool
	scenario   string
	faults     string
	reset      bool
	kubeconfig string
	context    string
	readOnly   bool
	wall       bool
	theme      string
	ascii      bool
	stateDir   string
	checkout   string // in the place of the profile's
	logFile    string
	verbose    bool
	shared     bool // runs may be started, which outlive this process: what they need of it must too
	attached   bool // runs go on in this process
	still      bool // the simulated platform's clock stands still
}

const rootLong = `gonogo answers one question for one Kubernetes platform, live and with proof:
may it go to production, and if not, what next?

Without a command it shows the board: the score, the verdict, every check with
its evidence, and what to do next. It reads the platform's own systems with the
credentials that its profile names, and changes nothing.

Try it without a platform:  gonogo --demo`

const rootExample = `  gonogo                              the board of the current context
  gonogo --demo                       the board of the simulated platform
  gonogo check -o json                one sweep, for programs; the exit code is the verdict
  gonogo check --only worker-nodes    one check
  gonogo report --output status.html  the status document, written from evidence
  gonogo explain score                how the score comes about, line by line
  gonogo explain backup-newest        one check with its evidence
  gonogo --wall                       the board for a wall screen, read-only`

// newRoot returns the command tree. name is how the program was called.
func newRoot(name string, s streams) *cobra.Command {
	o := &options{streams: s}
	use := "gonogo"
	if strings.HasPrefix(name, "kubectl-") {
		use = "kubectl gonogo"
	}
	root := &cobra.Command{
		Use:               "gonogo",
		Annotations:       map[string]string{cobra.CommandDisplayNameAnnotation: use},
		Short:             "May the platform go to production, and if not, what next?",
		Long:              rootLong,
		Example:           rootExample,
		Args:              noSuchCommand,
		SilenceUsage:      true,
		SilenceErrors:     true,
		PersistentPreRunE: func(*cobra.Command, []string) error { return o.settle() },
		RunE:              func(cmd *cobra.Command, _ []string) error { return board(cmd.Context(), o) },
	}
	root.SuggestionsMinimumDistance = 2
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w\nSee '%s --help'.", err, cmd.CommandPath()) //nolint:staticcheck // sentences for a person
	})
	o.flags(root)
	root.AddCommand(newCheck(o), newReport(o), newExplain(o), newHistory(o), newDiff(o), newDoctor(o), newProfile(o), newVersion(o))
	root.AddCommand(newWaive(o), newAttest(o), newServeDemo(o))
	root.AddCommand(newRun(o), newRuns(o), newRunner(o))
	root.InitDefaultCompletionCmd()
	return root
}

// noSuchCommand refuses a word that is no command, and says which one may have been meant.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("there is no command %q", args[0])
	if similar := cmd.SuggestionsFor(args[0]); len(similar) > 0 {
		text += fmt.Sprintf("; did you mean %s?", strings.Join(similar, " or "))
	}
	return fmt.Errorf("%s\n'%s --help' lists the commands.", text, cmd.CommandPath()) //nolint:staticcheck // sentences for a person
}

func (o *options) flags(root *cobra.Command) {
	f := root.PersistentFlags()
	f.StringVar(&o.profile, "profile", profile.DefaultName, "profile: a built-in name or a YAML file")
	f.BoolVar(&o.demo, "demo", false, "use the simulated platform instead of a real one")
	f.StringVar(&o.scenario, "demo-scenario", "documented", "scenario of the simulated platform: "+strings.Join(sim.Scenarios(), ", "))
	f.StringVar(&o.faults, "demo-fault", "", "break the simulated platform: CONNECTION=KIND,… such as harbor=500,prometheus=slow")
	f.BoolVar(&o.reset, "demo-reset", false, "start the simulated platform over")
	f.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig file (default: as kubectl, $KUBECONFIG or ~/.kube/config, or the pod's own account)")
	f.StringVar(&o.context, "context", "", "context of the kubeconfig (default: the profile's, or the current one)")
	f.BoolVar(&o.readOnly, "read-only", false, "let nothing out but reads; also $GONOGO_READ_ONLY=1")
	f.BoolVar(&o.wall, "wall", false, "the board for a wall screen: read-only, large, takes no input, never exits by itself")
	f.StringVar(&o.theme, "theme", "auto", "colours: "+strings.Join(theme.Names(), ", "))
	f.BoolVar(&o.ascii, "ascii", false, "draw with ASCII characters only")
	f.StringVar(&o.stateDir, "state-dir", "", "where the history is kept (default: $XDG_STATE_HOME/gonogo)")
	f.StringVar(&o.logFile, "log-file", "", "write a log of what goes on to this file")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "say more")
	_ = root.RegisterFlagCompletionFunc("demo-scenario", cobra.FixedCompletions(sim.Scenarios(), cobra.ShellCompDirectiveNoFileComp))
	_ = root.RegisterFlagCompletionFunc("theme", cobra.FixedCompletions(theme.Names(), cobra.ShellCompDirectiveNoFileComp))
}

// settle fills in what follows from the environment and refuses what makes no sense.
func (o *options) settle() error {
	if text := os.Getenv("GONOGO_READ_ONLY"); text != "" {
		on, err := strconv.ParseBool(text)
		if err != nil {
			on = true // whoever sets it wants it
		}
		o.readOnly = o.readOnly || on // nothing lifts it
	}
	o.readOnly = o.readOnly || o.wall
	if !slices.Contains(sim.Scenarios(), o.scenario) {
		return fmt.Errorf("there is no scenario %q: the simulated platform has %s", o.scenario, strings.Join(sim.Scenarios(), ", "))
	}
	if err := theme.Valid(o.theme); err != nil {
		return err
	}
	if !o.demo && (o.faults != "" || o.reset) {
		return fmt.Errorf("--demo-fault and --demo-reset go with --demo: real platforms break by themselves")
	}
	if o.stateDir == "" {
		o.stateDir = filepath.Join(xdg.StateHome, "gonogo")
	}
	return nil
}
