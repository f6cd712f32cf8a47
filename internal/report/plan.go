package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/254carbon/gonogo/actions"
)

// effectColors warn of what a step does; the word always stands beside.
var effectColors = map[actions.Effect]string{actions.Reads: "2", actions.Creates: "32", actions.Updates: "33", actions.Deletes: "31"}

func (p *printer) effect(e actions.Effect) string {
	return p.paint(effectColors[e], fill(e.String(), 8))
}

// WritePlan writes a plan for a person: what would be done, to what, and what to know before saying yes.
func WritePlan(w io.Writer, plan actions.Plan, s Style) error {
	p := &printer{w: w, s: s}
	p.line("%s   %s   %s", p.paint("1", plan.Title), plan.Platform, plan.Summary)
	if plan.Already > 0 {
		p.line("  %d already done", plan.Already)
	}
	p.line("")
	for _, step := range plan.Steps {
		extra := ""
		if size := SizeText(step.Size); size != "" {
			extra = ", " + size
		}
		if step.Cleanup {
			extra += ", at the end whatever happens"
		}
		if step.Unrepeatable {
			extra += ", cannot be repeated by itself"
		}
		target := ""
		if step.Target != "" {
			target = " → " + step.Target
		}
		p.line("  %s %s%s%s", p.effect(step.Effect), step.Title, target, extra)
		for _, line := range step.Detail {
			p.line("             %s", line)
		}
	}
	if len(plan.Steps) == 0 {
		p.line("  nothing to do")
	}
	for _, group := range []struct {
		title string
		lines []string
	}{{"To know before", plan.Notes}, {"Missing, so that this is refused", plan.Missing}} {
		if len(group.lines) == 0 {
			continue
		}
		p.line("")
		p.line("%s", p.paint("1", group.title))
		for _, line := range group.lines {
			p.line("  • %s", line)
		}
	}
	if len(plan.Steps) > 0 {
		p.line("")
		p.line("%s, %s. The worst of it %s something.", countOf(len(plan.Steps), "step"), countOf(plan.Changes(), "change"), p.paint(effectColors[plan.Worst()], plan.Worst().String()))
	}
	return p.err
}

func countOf(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// SizeText says an amount of bytes, or nothing.
func SizeText(a actions.Amount) string {
	if a.Bytes <= 0 {
		return ""
	}
	return humanize.Bytes(uint64(a.Bytes))
}

// RunWriter shows the events of a run as they come, one line each; on a terminal with a line below them that says how far it is.
type RunWriter struct {
	p     *printer
	plan  actions.Plan
	state actions.State
	zone  *time.Location
	live  bool // the last line is written over
	shown bool
}

// NewRunWriter returns a writer for the run of a plan. Live is for terminals.
func NewRunWriter(w io.Writer, plan actions.Plan, s Style, zone *time.Location, live bool) *RunWriter {
	return &RunWriter{p: &printer{w: w, s: s}, plan: plan, zone: zone, live: live}
}

// State is what the events amount to so far.
func (r *RunWriter) State() actions.State { return r.state }

// Event shows one event. The error is that of writing.
func (r *RunWriter) Event(e actions.Event) error {
	r.state.Apply(e)
	if text := r.words(e); text != "" {
		r.wipe()
		r.p.line("%s %s", r.p.paint("2", e.At.In(r.zone).Format(time.TimeOnly)), text)
	}
	r.below(e)
	return r.p.err
}

func (r *RunWriter) wipe() {
	if r.shown && r.p.err == nil {
		_, r.p.err = io.WriteString(r.p.w, "\r\x1b[K")
		r.shown = false
	}
}

// below writes how far the run is.
func (r *RunWriter) below(e actions.Event) {
	if !r.live || r.p.err != nil {
		return
	}
	if e.Kind == actions.Ended {
		r.wipe()
		return
	}
	_, r.p.err = fmt.Fprintf(r.p.w, "\r\x1b[K%s", RunProgress(r.state, r.plan))
	r.shown = true
}

// RunProgress says in one line how far a run is.
func RunProgress(s actions.State, p actions.Plan) string {
	t := s.Tally(p)
	parts := []string{fmt.Sprintf("%d of %d steps", t.Done, len(p.Steps))}
	if t.Failed > 0 {
		parts = append(parts, fmt.Sprintf("%d failed", t.Failed))
	}
	if t.Total.Bytes > 0 {
		parts = append(parts, fmt.Sprintf("%s of %s", humanize.Bytes(uint64(max(0, t.Work.Bytes))), humanize.Bytes(uint64(t.Total.Bytes))))
	}
	for _, step := range p.Steps {
		if at := s.Of(step.ID); at.Waits != "" && at.Status == actions.StepRunning {
			parts = append(parts, "waits: "+at.Waits)
			break
		}
	}
	return strings.Join(parts, ", ")
}

func (r *RunWriter) title(id string) string {
	if s, ok := r.plan.Step(id); ok {
		return s.Title
	}
	return id
}

func (r *RunWriter) words(e actions.Event) string {
	with := func(sgr, glyph, ascii, word string) string {
		if r.p.s.ASCII {
			glyph = ascii
		}
		text := r.p.paint(sgr, glyph) + " " + r.title(e.Step) + word
		if e.Text != "" {
			text += ": " + e.Text
		}
		return text
	}
	switch e.Kind {
	case actions.Started:
		return "started by " + e.By
	case actions.Began:
		return with("2", "→", ">", "")
	case actions.Finished:
		if e.Already {
			return with("32", "✓", "+", " (already done)")
		}
		return with("32", "✓", "+", "")
	case actions.Failed:
		return with("31", "✗", "x", " failed")
	case actions.Unclear:
		return with("36", "?", "?", ": unknown outcome")
	case actions.Left:
		return with("2", "–", "-", " left out")
	case actions.Resolved:
		if e.Already {
			return r.title(e.Step) + ": " + e.By + " says that it is done"
		}
		return r.title(e.Step) + ": " + e.By + " wants it done again"
	case actions.Log:
		return "  " + e.Text
	case actions.Waiting:
		if e.Text != "" {
			return with("33", "…", "~", " waits")
		}
	case actions.Cancelled:
		return "cancelled by " + e.By
	case actions.Progress, actions.Ended:
	}
	return ""
}

// EndText says how a run ended, in one line.
func EndText(info actions.RunInfo) string {
	text := string(info.ID) + " "
	switch info.Outcome {
	case actions.Done:
		text += "done"
	case actions.Running:
		text += "goes on"
	case actions.Uncertain:
		text += "stopped with an unknown outcome"
	default:
		text += string(info.Outcome)
	}
	if !info.Ended.IsZero() && !info.Started.IsZero() && info.Ended.After(info.Started) {
		text += " after " + info.Ended.Sub(info.Started).Round(time.Second).String()
	}
	if info.Text != "" {
		text += ": " + info.Text
	}
	if info.State.Points != nil {
		text += "; " + info.State.Points.String()
	}
	return text
}

// Count takes an event in without showing it.
func (r *RunWriter) Count(e actions.Event) actions.State {
	r.state.Apply(e)
	return r.state
}

// WriteRun shows how each step of a run stands.
func WriteRun(w io.Writer, info actions.RunInfo, s Style) error {
	p := &printer{w: w, s: s}
	p.line("%s   %s   %s", p.paint("1", info.Title), info.Platform, EndText(info))
	p.line("started by %s; log: %s", info.By, info.Log)
	p.line("")
	for _, step := range info.Plan.Steps {
		at := info.State.Of(step.ID)
		text := ""
		if at.Text != "" {
			text = ": " + at.Text
		}
		p.line("  %s %s %s%s", fill(string(at.Status), 8), p.effect(step.Effect), step.Title, text)
	}
	return p.err
}

// WriteRuns lists runs, as they are given.
func WriteRuns(w io.Writer, all []actions.RunInfo, zone *time.Location, s Style) error {
	p := &printer{w: w, s: s}
	if len(all) == 0 {
		p.line("no runs on this machine; `gonogo run` lists what can be done")
		return p.err
	}
	for _, r := range all {
		p.line("%s %s  %s  %s", pad(string(r.ID), 22), r.Started.In(zone).Format("2006-01-02 15:04"), pad(r.By, 20), strings.TrimPrefix(EndText(r), string(r.ID)+" "))
	}
	return p.err
}

// WriteJSONLine writes a value as one line of JSON.
func WriteJSONLine(w io.Writer, v any) error { return json.NewEncoder(w).Encode(v) }
