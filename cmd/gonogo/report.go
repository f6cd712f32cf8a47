package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/big"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/254carbon/gonogo/internal/profile"
	"github.com/254carbon/gonogo/internal/report"
	"github.com/254carbon/gonogo/internal/state"
	"github.com/254carbon/gonogo/probes"
)

// reportFlags are the flags of gonogo report.
type reportFlags struct {
	form   string
	file   string
	schema bool
	run    string // the command that runs an action; empty if there is none
}

// reportForms are the forms of a report.
var reportForms = map[string]func(io.Writer, report.Status) error{
	"markdown": report.WriteStatusMarkdown, "html": report.WriteStatusHTML, "json": report.WriteStatusJSON,
}

func reportFormNames() []string { return []string{"markdown", "html", "json"} }

func newReport(o *options) *cobra.Command {
	var f reportFlags
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Write the status document from evidence",
		Long: `Asks every check once and writes the status document of the platform: how it
stands, where what was declared differs from what is measured, what is
complete and by what evidence, what is left and what to do about it, what can
be done now, and what changed since the last report.

Every number in it was measured for it. The same state makes the same
document, so that two reports can be compared line by line. What it is
compared with is the last report on this machine that said something else.

The exit code is 0 once the report is written, whatever the verdict;
gonogo check is for that.`,
		Example: `  gonogo report                             Markdown on standard output
  gonogo report --output STATUS.md          into a file; its ending says the form
  gonogo report --output status.html        one file for a browser or a printer
  gonogo report -o json | jq .declared      where document and measurement differ
  gonogo --demo report                      that of the simulated platform`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.schema {
				text, err := report.StatusSchema()
				if err == nil {
					_, err = o.out.Write(text)
				}
				return err
			}
			if run, _, err := cmd.Root().Find([]string{"run"}); err == nil && run.Name() == "run" {
				f.run = run.CommandPath()
			}
			return writeReport(cmd.Context(), o, f)
		},
	}
	cmd.Flags().StringVarP(&f.form, "form", "o", "", "form: markdown, html, json (default: by the ending of the file, or markdown)")
	cmd.Flags().StringVar(&f.file, "output", "", "file to write to, whole or not at all, instead of standard output")
	cmd.Flags().BoolVar(&f.schema, "schema", false, "print the JSON Schema of the report instead")
	_ = cmd.RegisterFlagCompletionFunc("form", cobra.FixedCompletions(reportFormNames(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// validate settles the form, before anything is asked.
func (f *reportFlags) validate() error {
	if slices.Contains(reportFormNames(), f.file) { // --output is the form everywhere else
		f.form, f.file = f.file, ""
	}
	if f.form == "" {
		f.form = map[string]string{".html": "html", ".htm": "html", ".json": "json"}[strings.ToLower(filepath.Ext(f.file))]
	}
	if f.form == "" {
		f.form = "markdown"
	}
	if !slices.Contains(reportFormNames(), f.form) {
		return fmt.Errorf("there is no form %q: use %s", f.form, strings.Join(reportFormNames(), ", "))
	}
	return nil
}

func writeReport(ctx context.Context, o *options, f reportFlags) error {
	if err := errors.Join(f.validate(), placeFor(f.file)); err != nil {
		return err
	}
	o.still = true
	s, err := open(ctx, o)
	if err != nil {
		return err
	}
	defer func() { _ = s.close() }()
	at := s.now()
	a, _ := s.sweep(ctx, nil)
	if ctx.Err() != nil {
		return exitError{code: 130, err: fmt.Errorf("interrupted before every check was asked")}
	}
	s.record(a)
	status := report.NewStatus(a, report.StatusMeta{At: at, Before: s.before(ctx, a), Measured: s.measured(s.profile), Run: f.run})
	var text bytes.Buffer
	if err := reportForms[f.form](&text, status); err != nil {
		return err
	}
	if err := deliver(o.out, f.file, text.Bytes()); err != nil {
		return err
	}
	s.recordReport(ctx, a)
	s.complainOfNotices()
	return nil
}

// measured says how the report came about.
func (s *session) measured(p *profile.Profile) report.Measured {
	m := report.Measured{Profile: probes.Clean(p.Name, 200), Digest: p.Digest, Version: versionText()}
	if _, builtin := profile.BuiltinSource(s.opts.profile); builtin {
		m.Profile += " (built in)"
	}
	if s.sim != nil {
		m.Simulated = s.sim.Label()
	} else {
		m.Cluster = probes.Clean(s.platform.Context(), 200)
	}
	if m.Cluster == "" && s.sim == nil {
		m.Cluster = "none"
	}
	return m
}

// before is what the report is compared with: the last one that said something else, or without one the last different score.
func (s *session) before(ctx context.Context, a probes.Assessment) *report.Before {
	if s.store == nil {
		return nil
	}
	last, ok, err := s.store.LastReport(ctx, state.ReportOf(a))
	if err != nil {
		s.notices = append(s.notices, err.Error())
	}
	if ok {
		return beforeOf(last)
	}
	score, ok, err := s.store.Previous(ctx, a.Percent)
	if err != nil {
		s.notices = append(s.notices, err.Error())
	}
	if !ok {
		return nil
	}
	standings, err := s.store.StandingsAt(ctx, score.At)
	if err != nil {
		s.notices = append(s.notices, err.Error())
	}
	b := beforeOf(state.Report{Score: score})
	b.Reported = false
	for id, c := range standings {
		b.Checks[id] = stood(a, id, c.Status)
	}
	return b
}

func beforeOf(r state.Report) *report.Before {
	b := &report.Before{At: r.At, Percent: r.Percent, Verdict: r.Verdict, Reported: true, Checks: map[probes.ID]report.Stood{}}
	b.Earned, _ = probes.ParseRat(r.Earned)
	for _, c := range r.Checks {
		status, err := probes.ParseStatus(c.Status)
		if err != nil {
			continue // a newer version's
		}
		points, _ := probes.ParseRat(c.Points)
		b.Checks[c.Check] = report.Stood{Component: c.Component, Status: status, Points: points}
	}
	return b
}

// stood is how a check stood by the history, which does not know what a warning earned.
func stood(a probes.Assessment, id probes.ID, status probes.Status) report.Stood {
	was := report.Stood{Status: status}
	i, ok := a.Item(id)
	if !ok {
		return was
	}
	was.Component = i.Spec.Component
	switch status {
	case probes.Pass:
		was.Points = i.Worth
	case probes.Warn:
	default:
		was.Points = new(big.Rat)
	}
	return was
}

// recordTimeout bounds what noting a report may take.
const recordTimeout = 5 * time.Second

// recordReport notes what the report said, for the next to compare itself with.
func (s *session) recordReport(ctx context.Context, a probes.Assessment) {
	if s.store == nil || s.broken() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	if err := s.store.RecordReport(ctx, state.ReportOf(a)); err != nil {
		s.notices = append(s.notices, fmt.Sprintf("the next report will not know of this one: %v", err))
	}
}
