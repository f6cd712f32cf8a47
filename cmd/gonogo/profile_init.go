package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	acts "github.com/254carbon/gonogo/actions/all"
	"github.com/254carbon/gonogo/internal/platform"
	"github.com/254carbon/gonogo/internal/profile"
	"github.com/254carbon/gonogo/internal/survey"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/all"
)

// initFlags are the flags of gonogo profile init.
type initFlags struct {
	file  string
	force bool
	name  string
}

func newProfileInit(o *options) *cobra.Command {
	var f initFlags
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Look at a cluster and write a first profile of it",
		Long: `Looks at the cluster of the current context, or of --context, and writes a
first profile from what it finds: nodes, workloads, autoscalers, hosts,
policies, Prometheus, Velero, Harbor. It pins the cluster, asks every check
once, and leaves out what cannot be asked, with the reason as a comment.
It changes nothing on the cluster.`,
		Example: "  gonogo profile init --output mine.yaml\n  gonogo --profile mine.yaml",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return profileInit(cmd.Context(), o, f) },
	}
	cmd.Flags().StringVar(&f.file, "output", "", "file to write to instead of standard output; one that exists is left alone")
	cmd.Flags().BoolVar(&f.force, "force", false, "write over a file that exists")
	cmd.Flags().StringVar(&f.name, "name", "", "what the platform is called (default: the context's name)")
	return cmd
}

func profileInit(ctx context.Context, o *options, f initFlags) error {
	if err := errors.Join(placeFor(f.file), f.free()); err != nil {
		return err
	}
	// A profile that says nothing leads to the cluster that kubectl would talk to.
	s := &session{opts: o, now: time.Now, profile: &profile.Profile{Platform: "the cluster"}}
	log, err := s.logger()
	if err != nil {
		return err
	}
	s.log = log
	defer func() { _ = s.close() }()
	if err := s.connect(ctx, log); err != nil {
		return err
	}
	status := s.progress(0)
	found, err := survey.Look(ctx, s.platform, status.say)
	if err != nil {
		status.clear()
		return exitError{code: 1, err: fmt.Errorf("looking at the cluster: %w", err)}
	}
	draft := survey.NewDraft(s.platformName(f.name), o.context, found)
	err = s.refine(ctx, draft, status)
	status.clear()
	if err != nil {
		return err
	}
	text, err := draft.YAML()
	if err != nil {
		return err
	}
	if err := f.write(o, text); err != nil {
		return err
	}
	left, dropped := draft.Checks()
	to := f.file
	if to == "" {
		to = "standard output"
	}
	summary := fmt.Sprintf("wrote a first profile of %s to %s: %d checks", draft.Platform, to, left)
	if dropped > 0 {
		summary += fmt.Sprintf("; %d more cannot be asked, its last lines say why", dropped)
	}
	complain(o.err, errors.New(summary))
	return nil
}

// platformName is what the platform is called: as the person says, else as the kubeconfig does.
func (s *session) platformName(name string) string {
	for _, candidate := range []string{name, s.platform.ContextName(), "My platform"} {
		if candidate = probes.Clean(candidate, 100); candidate != "" {
			return candidate
		}
	}
	return ""
}

// refine asks every check of the draft once and takes out those that cannot be asked.
func (s *session) refine(ctx context.Context, draft *survey.Draft, status *progress) error {
	text, err := draft.YAML()
	if err != nil {
		return err
	}
	if left, _ := draft.Checks(); left == 0 {
		return exitError{code: 1, err: errors.New("nothing was found that could be asked: see what gonogo's account may read with gonogo doctor")}
	}
	p, err := profile.Load("the draft", text, all.Kinds(), acts.Kinds()...)
	if err != nil {
		return fmt.Errorf("the draft is not a valid profile, which is a fault of gonogo: %w", err)
	}
	if s.sim != nil {
		p = s.sim.Profile(p)
	}
	over, err := platform.Open(p, s.platformOptions)
	if err != nil {
		return err
	}
	defer over.Close()
	checks, err := buildChecks(p, over)
	if err != nil {
		return err
	}
	list, err := probes.NewChecklist(p.Outline())
	if err != nil {
		return err
	}
	status.total = len(checks)
	list = probes.Sweep(ctx, list, checks, probes.SweepOptions{Now: s.now, Progress: status.show})
	if ctx.Err() != nil {
		return exitError{code: 130, err: errors.New("interrupted before every check was asked")}
	}
	for _, i := range list.Assess(s.now()).Items() {
		if i.Status == probes.Unknown || i.Status == probes.Pending {
			draft.Drop(i.Spec.ID, i.Summary)
		}
	}
	return nil
}

// free refuses to write over a file, before anything is looked at.
func (f initFlags) free() error {
	if f.file == "" || f.force {
		return nil
	}
	if _, err := os.Lstat(f.file); !errors.Is(err, fs.ErrNotExist) {
		if err != nil {
			return err
		}
		return fmt.Errorf("%s exists already: choose another file, or write over it with --force", f.file)
	}
	return nil
}

// write writes the profile, whole or not at all.
func (f initFlags) write(o *options, text []byte) error {
	if f.file == "" || f.force {
		return deliver(o.out, f.file, text)
	}
	temporary := f.file + fmt.Sprintf(".%d", os.Getpid())
	defer func() { _ = os.Remove(temporary) }()
	if err := put(temporary, text); err != nil {
		return unwritten(f.file, err)
	}
	switch err := os.Link(temporary, f.file); { // which writes over nothing
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrExist):
		return f.free()
	default:
		return unwritten(f.file, err)
	}
}
