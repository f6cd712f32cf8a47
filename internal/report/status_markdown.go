package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/254carbon/gonogo/probes"
)

// WriteStatusMarkdown writes the report as Markdown that reads well as it is, too.
func WriteStatusMarkdown(w io.Writer, s Status) error {
	d := &markdownDoc{printer: printer{w: w}}
	d.head(s)
	d.drift(s)
	d.completed(s)
	d.remaining(s)
	d.progress(s)
	d.options(s)
	d.delivered(s)
	d.changes(s)
	d.decisions(s)
	d.gates(s)
	d.heading("## How this was measured")
	for _, line := range s.Ways() {
		d.bullet(mdText(line))
	}
	return d.err
}

// markdownDoc writes blocks with an empty line between those that belong apart.
type markdownDoc struct {
	printer
	item bool // the last block was an item of a list
}

func (d *markdownDoc) heading(text string) {
	d.gap()
	d.line("%s", text)
}

// gap ends a block.
func (d *markdownDoc) gap() {
	d.line("")
	d.item = false
}

func (d *markdownDoc) paragraph(text string) {
	if text != "" {
		d.gap()
		d.line("%s", mdWrap("", "", text))
	}
}

func (d *markdownDoc) bullet(text string) { d.listed("- ", text) }

func (d *markdownDoc) listed(mark, text string) {
	if !d.item {
		d.gap()
	}
	d.line("%s", mdWrap(mark, strings.Repeat(" ", len(mark)), text))
	d.item = true
}

func (d *markdownDoc) numbered(texts []string) {
	for n, text := range texts {
		d.listed(fmt.Sprintf("%d. ", n+1), mdText(text))
	}
}

// table writes a table, unless it has no rows.
func (d *markdownDoc) table(header []string, rows [][]string) {
	if len(rows) > 0 {
		d.gap()
		d.markdownTable(header, rows)
	}
}

func (d *markdownDoc) head(s Status) {
	d.line("# %s", mdText(s.Title))
	d.heading(fmt.Sprintf("## Current status: %s, %s", s.Ready(), s.Verdict))
	d.paragraph(fmt.Sprintf("**Previous status**: %s", s.PreviousText()) + advanceMarkdown(s))
	d.paragraph("**Date**: " + moment(s.TakenAt))
	d.paragraph(fmt.Sprintf("**Checks**: %s. **Gates**: %d of %d satisfied.", s.CountsText(), s.SatisfiedGates(), len(s.Gates)))
	if len(s.Reasons) > 0 {
		d.paragraph(fmt.Sprintf("Why the verdict is %s:", s.Verdict))
	}
	for _, r := range s.Reasons {
		d.bullet(mdText(r))
	}
}

func advanceMarkdown(s Status) string {
	if text := s.AdvanceText(); text != "" {
		return " | **Advancement**: " + text
	}
	return ""
}

func (d *markdownDoc) drift(s Status) {
	d.heading("## Declared against measured")
	d.paragraph(s.Declared.NoDrift())
	for _, x := range slices.Concat(s.Declared.Drift, s.Declared.Unclear) {
		d.bullet(fmt.Sprintf("**%s**: %s (%s)", mdText(x.Title), x, x.Verb()))
	}
	d.paragraph(s.Declared.TotalText(s.Score.Percent))
}

func (d *markdownDoc) completed(s Status) {
	d.heading(fmt.Sprintf("## Completed components (%s)", s.DoneText()))
	d.paragraph(s.EvidenceText())
	for n, c := range s.Completed {
		d.heading(fmt.Sprintf("### %d. %s: complete", n+1, mdText(c.Title)))
		d.paragraph(fmt.Sprintf("**Status**: %s of %s points, %s of %s pass.", c.Earned, c.Weight, count(len(c.Checks), "check"), mdCode(c.ID)))
		for _, check := range c.Checks {
			d.bullet(claimMarkdown(check))
		}
	}
}

// claimMarkdown is a check in one item: what is claimed, what was found, and where that was seen.
func claimMarkdown(c Claim) string {
	parts := []string{fmt.Sprintf("%s **%s** (%s): %s.", c.Glyph(), mdText(c.Title), notes(c), mdText(strings.TrimSuffix(c.Summary, ".")))}
	if seen := c.SeenAt(); seen != nil {
		parts = append(parts, fmt.Sprintf("Seen at %s%s.", mdCode(seen.Source), seen.Others))
	}
	return strings.Join(parts, " ")
}

// notes are the status of a check and what else is to be known of it.
func notes(c Claim) string {
	parts := []string{c.Status}
	if c.Gate {
		parts = append(parts, "gate")
	}
	if c.Waiver != nil {
		parts = append(parts, "waived by "+mdText(c.Waiver.Owner))
	}
	if c.Word != "" {
		parts = append(parts, "on the word of "+mdText(c.Word))
	}
	if age := c.AgeText(); age != "" {
		parts = append(parts, age)
	}
	return strings.Join(parts, ", ")
}

func (d *markdownDoc) remaining(s Status) {
	d.heading(fmt.Sprintf("## Remaining tasks (%s)", s.LeftText()))
	if len(s.Remaining) == 0 {
		d.paragraph("Nothing is left to do.")
	}
	for _, t := range s.Remaining {
		d.heading(fmt.Sprintf("### Priority %d: %s%s", t.Priority, mdText(t.Title), inBrackets(t.Estimate.Text)))
		d.paragraph("**Status**: " + t.StateText() + ".")
		if text := t.BlockedText(); text != "" {
			d.paragraph("**Blocked**: " + mdText(text) + ".")
		}
		d.paragraph("**Issues found**:")
		for _, c := range t.Issues {
			d.bullet(claimMarkdown(c))
		}
		if len(t.Steps) > 0 {
			d.paragraph("**Next steps**:")
			d.numbered(t.Steps)
		}
		d.paragraph("**Impact**: " + mdText(t.Impact()) + ".")
	}
}

func inBrackets(text string) string {
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}

func codes(ids []string) string {
	all := make([]string, len(ids))
	for n, id := range ids {
		all[n] = mdCode(id)
	}
	return strings.Join(all, ", ")
}

func (d *markdownDoc) progress(s Status) {
	d.heading("## Detailed progress breakdown")
	var rows [][]string
	for _, r := range s.Progress.Rows {
		rows = append(rows, []string{
			mdText(r.Title), r.Glyph() + " " + r.Word(), fmt.Sprintf("%d %%", r.Percent), fmt.Sprintf("%s/%s", r.Earned, r.Weight),
			none(r.Invested.Text), none(r.Remaining.Text),
		})
	}
	rows = append(rows, []string{
		"**Total**", s.Verdict, fmt.Sprintf("%d %%", s.Progress.Percent), fmt.Sprintf("%s/%s", s.Score.Earned, s.Score.Possible),
		none(s.Progress.Invested.Text), none(s.Progress.Remaining.Text),
	})
	d.table([]string{"Component", "Status", "Completion", "Points", "Time invested", "Time remaining"}, rows)
	d.paragraph(fmt.Sprintf("**Total time invested**: %s. **Estimated time remaining**: %s.", none(s.Progress.Invested.Text), none(s.Progress.Remaining.Text)))
}

// none stands for no time.
func none(text string) string {
	if text == "" {
		return "0 h"
	}
	return text
}

func (d *markdownDoc) options(s Status) {
	d.heading("## Ready to execute (choose your priority)")
	if len(s.Options) == 0 {
		d.paragraph("There is nothing that could be done now.")
	}
	for n, o := range s.Options {
		recommended := ""
		if o.Recommended {
			recommended = " (recommended)"
		}
		d.heading(fmt.Sprintf("### Option %d: %s%s", n+1, mdText(o.Title), recommended))
		time := o.Estimate.Text
		if time == "" {
			time = "not estimated"
		}
		text := fmt.Sprintf("**Time**: %s. **Gain**: +%s.", time, points(o.Points.String()))
		if len(o.Gates) > 0 {
			text += fmt.Sprintf(" **Gates**: %s.", codes(o.Gates))
		}
		d.paragraph(text)
		if o.Command != "" {
			d.paragraph("**Execute**: " + mdCode(o.Command) + " shows what it would do.")
		}
		if len(o.Steps) > 0 {
			d.paragraph("**Steps**:")
			d.numbered(o.Steps)
		}
		d.paragraph("**Result**: " + mdText(o.Result) + ".")
	}
}

func (d *markdownDoc) delivered(s Status) {
	d.heading("## What has been delivered")
	d.paragraph(s.DeliveredText())
	for _, x := range s.Delivered {
		if x.Passing == 0 {
			continue
		}
		text := fmt.Sprintf("**%s**: %d of %s", mdText(x.Title), x.Passing, count(x.Checks, "check"))
		var partly []string
		for _, c := range x.Partly {
			partly = append(partly, mdText(c.Title))
		}
		if partly != nil {
			text += ": " + strings.Join(partly, "; ")
		}
		d.bullet(text)
	}
	d.heading("## Files")
	d.paragraph(s.FilesText())
	for _, f := range s.Files {
		glyph := "✓"
		if f.Wanting {
			glyph = "✗"
		}
		d.bullet(fmt.Sprintf("%s %s, %s: %s", glyph, mdCode(f.Check), mdText(f.Subject), mdText(f.Got)))
	}
}

func (d *markdownDoc) changes(s Status) {
	d.heading("## Changes since the last report")
	c := s.Changes
	if c == nil {
		d.paragraph("This is the first report; there is nothing to compare it with.")
		return
	}
	d.paragraph(mdText(c.Heading()))
	d.paragraph(c.Nothing())
	for _, part := range []struct {
		title string
		flips []Flip
	}{{"Key achievements", c.Better}, {"Lost ground", c.Worse}, {"Other changes", c.Other}} {
		if len(part.flips) == 0 {
			continue
		}
		d.heading("### " + part.title)
		for _, f := range part.flips {
			text := fmt.Sprintf("%s **%s** %s: %s", wordGlyph(f.To), mdText(f.Check), f.Way(), mdText(f.Summary))
			if when := f.When(); when != "" {
				text += fmt.Sprintf(" (since %s)", when)
			}
			d.bullet(strings.TrimSpace(text))
		}
	}
	var rows [][]string
	for _, x := range c.Components {
		rows = append(rows, []string{mdText(x.Title), x.From.String(), x.To.String(), x.Signed()})
	}
	d.table([]string{"Component", "Points then", "Points now", "Change"}, rows)
}

func (d *markdownDoc) decisions(s Status) {
	d.heading("## Decision points")
	for n, x := range s.Decisions {
		d.listed(fmt.Sprintf("%d. ", n+1), fmt.Sprintf("**%s**: %s", mdText(x.Title), mdText(x.Text)))
	}
}

func (d *markdownDoc) gates(s Status) {
	d.heading("## Gates, waivers and attestations")
	d.paragraph(fmt.Sprintf("GO needs every gate: %d of %d are satisfied.", s.SatisfiedGates(), len(s.Gates)))
	var rows [][]string
	for _, g := range s.Gates {
		rows = append(rows, []string{mdCode(g.ID), g.Glyph() + " " + g.Status, g.SatisfiedText(), mdText(g.Summary)})
	}
	d.table([]string{"Gate", "Status", "Satisfied", "Found"}, rows)
	d.paragraph(s.NoJudgement())
	for _, x := range s.Waivers {
		d.bullet(fmt.Sprintf("Waiver of %s by %s until %s%s: %s (%s)", mdCode(x.Check), mdText(x.Owner), probes.Until(x.Expires), within(mdText(x.Where)), mdText(x.Reason), x.State))
	}
	for _, x := range s.Words {
		d.bullet(fmt.Sprintf("%s rests on the word of %s: %s", mdCode(x.Check), mdText(x.Whose), mdText(x.Summary)))
	}
}
