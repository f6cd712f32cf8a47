package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/254carbon/gonogo/internal/profile"
	"github.com/254carbon/gonogo/internal/report"
	"github.com/254carbon/gonogo/internal/state"
	"github.com/254carbon/gonogo/probes"
)

// checkFlags are the flags of gonogo check.
type checkFlags struct {
	output string
	only   []string
	chosen bool // --only was given, be it empty
	failOn []string
	schema bool
}

func newCheck(o *options) *cobra.Command {
	var f checkFlags
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Ask every check once and exit with the verdict",
		Long: `Asks every check of the profile once, prints the result and exits with the
verdict:  0 GO · 1 NO-GO · 2 usage or profile error · 3 UNKNOWN

With --only just those checks are asked (and what blocks them, which decides
whether they can be asked), no score is printed, and the exit code
follows the worst of them.

Forms of the result, all of the same answers:
  table        for a person (-v lists what passes, too)
  json, yaml   for programs; --schema prints the JSON Schema
  junit        for the test page of a pipeline: a suite for each component
  sarif        for code scanning: open gates are errors, other failures warnings
  markdown     for a comment on a pull request
  prometheus   for a textfile collector or a push gateway`,
		Example: `  gonogo check
  gonogo check -o json | jq .score
  gonogo check -o junit > gonogo.xml
  gonogo check -o markdown | gh pr comment --body-file -
  gonogo check -o prometheus > /var/lib/node_exporter/gonogo.prom
  gonogo check --only harbor-credentials,worker-nodes
  gonogo check --fail-on no-go        # not being able to tell is no failure`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.schema {
				return writeSchema(o)
			}
			f.chosen = cmd.Flags().Changed("only")
			return check(cmd.Context(), o, f)
		},
	}
	cmd.Flags().StringVarP(&f.output, "output", "o", "table", "form of the result: "+strings.Join(outputs, ", "))
	cmd.Flags().StringSliceVar(&f.only, "only", nil, "ask just these checks")
	cmd.Flags().StringSliceVar(&f.failOn, "fail-on", []string{"no-go", "unknown"}, "verdicts that exit with a code other than 0")
	cmd.Flags().BoolVar(&f.schema, "schema", false, "print the JSON Schema of the result instead")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(outputs, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

var outputs = []string{"table", "json", "yaml", "junit", "sarif", "markdown", "prometheus"}

func writeSchema(o *options) error {
	text, err := report.Schema()
	if err != nil {
		return err
	}
	_, err = o.out.Write(text)
	return err
}

// validate refuses values that no flag knows, before anything is asked.
func (f checkFlags) validate() error {
	if f.chosen && len(f.only) == 0 {
		return errors.New("--only names no check: name some, or leave it out to ask all")
	}
	if !slices.Contains(outputs, f.output) {
		return fmt.Errorf("there is no output %q: use %s", f.output, strings.Join(outputs, ", "))
	}
	for _, word := range f.failOn {
		if word != "no-go" && word != "unknown" {
			return fmt.Errorf("--fail-on takes no-go and unknown, not %q", word)
		}
	}
	return nil
}

func check(ctx context.Context, o *options, f checkFlags) error {
	if err := f.validate(); err != nil {
		return err
	}
	s, err := open(ctx, o)
	if err != nil {
		return err
	}
	defer func() { _ = s.close() }()
	only, err := s.chosen(f.only)
	if err != nil {
		return err
	}
	a, took := s.sweep(ctx, only)
	if ctx.Err() != nil {
		return exitError{code: 130, err: fmt.Errorf("interrupted before every check was asked")}
	}
	meta := report.Meta{Took: took, Only: only}
	if only == nil {
		meta.Previous = s.previous(ctx, a)
		s.record(a)
	}
	s.complainOfNotices()
	if err := s.write(f.output, a, meta); err != nil && !errors.Is(err, syscall.EPIPE) { // whoever read has had enough; the verdict stands
		return err
	}
	if code := exitCode(a, only, f.failOn); code != exitOK {
		return exitError{code: code}
	}
	return nil
}

// chosen turns the words of --only into the checks to ask. Nothing chosen is nil: all of them.
func (s *session) chosen(words []string) (map[probes.ID]bool, error) {
	if len(words) == 0 {
		return nil, nil
	}
	chosen := map[probes.ID]bool{}
	for _, word := range words {
		id := probes.ID(strings.TrimSpace(word))
		if _, ok := s.list.Standing(id); !ok {
			return nil, s.noSuchCheck(word)
		}
		chosen[id] = true
	}
	return chosen, nil
}

// noSuchCheck refuses a word that is no check, and says which one may have been meant.
func (s *session) noSuchCheck(word string) error {
	hint := "`gonogo check -v` lists them"
	if similar := s.profile.Similar(word); similar != "" {
		hint = fmt.Sprintf("did you mean %s?", similar)
	}
	return fmt.Errorf("there is no check %q in profile %s; %s", strings.TrimSpace(word), s.profile.Name, hint)
}

// sweep asks the chosen checks, and those that block them, once.
func (s *session) sweep(ctx context.Context, only map[probes.ID]bool) (probes.Assessment, time.Duration) {
	began := time.Now()
	s.asking()
	checks := s.checks
	if only != nil {
		needed := map[probes.ID]bool{}
		for id := range only {
			s.need(id, needed)
		}
		checks = slices.DeleteFunc(slices.Clone(checks), func(c probes.Check) bool { return !needed[c.Spec.ID] })
	}
	progress := s.progress(len(checks))
	waived := make(chan []probes.Waiver, 1)
	go func() { waived <- s.recordedWaivers(ctx, checks) }()
	list := probes.Sweep(ctx, s.list, checks, probes.SweepOptions{Now: s.now, Progress: progress.show})
	list = list.WithWaivers(<-waived)
	progress.clear()
	return list.Assess(s.now()), time.Since(began)
}

// need adds a check and everything that blocks it.
func (s *session) need(id probes.ID, needed map[probes.ID]bool) {
	if needed[id] {
		return
	}
	needed[id] = true
	for _, c := range s.checks {
		if c.Spec.ID == id {
			for _, by := range c.Spec.BlockedBy {
				s.need(by, needed)
			}
		}
	}
}

// write writes the result in the form that was asked for.
func (s *session) write(output string, a probes.Assessment, m report.Meta) error {
	out := s.opts.out
	switch output {
	case "json":
		return report.WriteJSON(out, report.NewDocument(a, m))
	case "yaml":
		return report.WriteYAML(out, report.NewDocument(a, m))
	case "junit":
		return report.WriteJUnit(out, a, m)
	case "sarif":
		return report.WriteSARIF(out, a, m, versionText(), s.places())
	case "markdown":
		return report.WriteMarkdown(out, a, m)
	case "prometheus":
		return report.WritePrometheus(out, a, m)
	}
	return report.WriteTable(out, a, m, s.opts.style())
}

// places says where in the profile's file each check is written, if it is a file in the directory that the command runs in: another's path
// means nothing to whoever reads the result.
func (s *session) places() func(probes.ID) (report.Place, bool) {
	file := s.opts.profile
	if _, builtin := profile.BuiltinSource(file); builtin || !filepath.IsLocal(file) {
		return nil
	}
	return func(id probes.ID) (report.Place, bool) {
		c, ok := s.profile.Check(id)
		return report.Place{URI: (&url.URL{Path: filepath.ToSlash(filepath.Clean(file))}).EscapedPath(), Line: c.Pos.Line}, ok
	}
}

// exitCode is the verdict's, or with only some checks asked that of the worst of them.
func exitCode(a probes.Assessment, only map[probes.ID]bool, failOn []string) int {
	verdict := a.Verdict
	if only != nil {
		verdict = probes.Go
		for _, i := range a.Items() {
			if !only[i.Spec.ID] {
				continue
			}
			switch i.Status {
			case probes.Fail, probes.Warn:
				verdict = probes.NoGo
			case probes.Blocked:
				verdict = worse(verdict, blockedVerdict(a, i))
			case probes.Unknown, probes.Pending:
				verdict = worse(verdict, probes.VerdictUnknown)
			case probes.Pass, probes.NotApplicable:
			}
		}
	}
	switch {
	case verdict == probes.NoGo && slices.Contains(failOn, "no-go"):
		return exitNoGo
	case verdict == probes.VerdictUnknown && slices.Contains(failOn, "unknown"):
		return exitUnknown
	}
	return exitOK
}

// blockedVerdict tells a check that waits for a measured failure from one that waits for something unknown.
func blockedVerdict(a probes.Assessment, i probes.Item) probes.Verdict {
	for _, id := range i.BlockedBy {
		by, _ := a.Item(id)
		if by.Status == probes.Fail || by.Status == probes.Warn || by.Status == probes.Blocked && blockedVerdict(a, by) == probes.NoGo {
			return probes.NoGo
		}
	}
	return probes.VerdictUnknown
}

// worse orders verdicts from GO over UNKNOWN to NO-GO.
func worse(a, b probes.Verdict) probes.Verdict {
	rank := map[probes.Verdict]int{probes.Go: 0, probes.VerdictUnknown: 1, probes.NoGo: 2}
	if rank[b] > rank[a] {
		return b
	}
	return a
}

// previous is the score to compare with, if any is known.
func (s *session) previous(ctx context.Context, a probes.Assessment) *report.Previous {
	if s.store == nil {
		return nil
	}
	score, ok, err := s.store.Previous(ctx, a.Percent)
	if err != nil {
		s.notices = append(s.notices, err.Error())
	}
	if !ok {
		return nil
	}
	return &report.Previous{Percent: score.Percent, TakenAt: score.At.UTC()}
}

// record keeps the result of a whole sweep.
func (s *session) record(a probes.Assessment) {
	if s.store == nil || s.broken() {
		return
	}
	trouble := ""
	r := state.NewRecorder(s.store, func(text string) { trouble = text })
	r.Observe(a)
	r.Close()
	if trouble != "" {
		s.notices = append(s.notices, trouble)
	}
}

// broken reports whether somebody is breaking the simulated platform on purpose: what is seen then is not its history.
func (s *session) broken() bool { return s.sim != nil && len(s.sim.Faults()) > 0 }

// complainOfNotices writes what the person should know to standard error.
func (s *session) complainOfNotices() {
	for _, n := range s.notices {
		complain(s.opts.err, fmt.Errorf("%s", n))
	}
	s.notices = nil
}
