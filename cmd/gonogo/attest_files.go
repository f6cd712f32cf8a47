package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/254carbon/gonogo/internal/report"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/evidence"
	"github.com/254carbon/gonogo/probes/files"
)

// filesFlags are the flags of gonogo attest files.
type filesFlags struct {
	by    string
	valid time.Duration
}

func newAttestFiles(o *options) *cobra.Command {
	var f filesFlags
	cmd := &cobra.Command{
		Use:   "files",
		Short: "Look at a checkout and publish what was found, for boards that have none",
		Long: `Runs the profile's checks of files on a checkout, as a pipeline of the
repository does, and writes what it found into the evidence record of the
cluster, with a digest of what was looked at. Boards and checks without a
checkout answer from it while it is valid.

It exits with 0 if everything was looked at and published, whatever was found,
else with 3.`,
		Example: "  gonogo attest files --checkout . --by \"$CI_PIPELINE_URL\" --valid 26h",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return attestFiles(cmd.Context(), o, f) },
	}
	cmd.Flags().StringVar(&o.checkout, "checkout", "", "folder of the checkout (default: the profile's)")
	cmd.Flags().StringVar(&f.by, "by", "", "who answers for it (default: user and host)")
	cmd.Flags().DurationVar(&f.valid, "valid", 24*time.Hour, "how long the finding is valid")
	return cmd
}

// maxFinding is the longest that a finding may be valid.
const maxFinding = 30 * 24 * time.Hour

func attestFiles(ctx context.Context, o *options, f filesFlags) error {
	if f.valid <= 0 || f.valid > maxFinding {
		return fmt.Errorf("--valid must be more than nothing and at most %d h, not %s", int(maxFinding/time.Hour), f.valid)
	}
	switch {
	case f.by == "":
		f.by = who()
	case strings.TrimSpace(probes.Clean(f.by, 200)) == "":
		return errors.New("who answers for it? Write --by, or leave it out for user and host")
	}
	s, err := open(ctx, o)
	if err != nil {
		return err
	}
	err = s.publishFiles(ctx, f)
	s.complainOfNotices()
	return errors.Join(err, s.close())
}

func (s *session) publishFiles(ctx context.Context, f filesFlags) error {
	if err := s.platform.Trouble("checkout"); err != nil {
		return err
	}
	var found []evidence.Entry
	checks := 0
	for _, c := range s.profile.Checks() {
		params, ok := c.Params.(*files.Params)
		if !ok || c.Spec.Exempt != "" {
			continue
		}
		checks++
		e, err := s.find(ctx, c.Spec, *params)
		line := probes.Item{Spec: c.Spec, Status: probes.Unknown}
		if err != nil {
			line.Summary = probes.Clean(err.Error(), 400)
		} else {
			line.Status, _ = probes.ParseStatus(e.Result)
			line.Summary = e.Summary
			e.By, e.Run, e.ValidUntil = f.by, "gonogo attest files", s.now().Add(f.valid).Truncate(time.Second)
			found = append(found, e)
		}
		if err := report.WriteLine(s.opts.out, line, s.opts.style()); err != nil {
			return err
		}
	}
	switch {
	case checks == 0:
		return fmt.Errorf("profile %s has no checks of files", s.profile.Name)
	case len(found) == 0:
		return exitError{code: exitUnknown, err: errors.New("nothing could be looked at, so that there is nothing to publish")}
	}
	kept, err := s.keep(ctx, fmt.Sprintf("%d of %d findings published, valid until %s", len(found), checks, probes.Until(found[0].ValidUntil)), found...)
	if err == nil && (!kept.Cluster || len(found) < checks) {
		err = exitError{code: exitUnknown}
	}
	return err
}

// find looks at the checkout for one check, within its timeout.
func (s *session) find(ctx context.Context, spec probes.Spec, p files.Params) (evidence.Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, spec.Timeout)
	defer cancel()
	return files.Find(ctx, s.platform.Checkout, spec.ID, p, s.now())
}
