package tui

import (
	"fmt"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/theme"
)

// effectLook is how an effect is drawn: a sign, a word and a style.
func effectLook(th *theme.Theme, e actions.Effect) (sign string, style theme.Style) {
	switch e {
	case actions.Creates:
		return "+", th.Pass
	case actions.Updates:
		return "~", th.Warn
	case actions.Deletes:
		return "!", th.Fail
	case actions.Reads:
	}
	return th.Glyphs.Dot, th.Muted
}

// planLines are the plan: what would be done, the worst of it first, and what to know before.
func (m *Model) planLines(w int) []string {
	th, p := m.theme, &m.action.plan
	out := wrapped(th.Strong, p.Summary, "", w)
	sign, style := effectLook(th, p.Worst())
	head := []span{in(th.Muted, fmt.Sprintf("%s, worst effect: ", plural(len(p.Steps), "step", "steps"))), in(style.Bold(), sign+" "+p.Worst().String())}
	if p.Already > 0 {
		head = append(head, in(th.Muted, fmt.Sprintf("; %d already done", p.Already)))
	}
	if len(p.Steps) == 0 {
		head = []span{in(th.Pass, th.Glyphs.Pass+" "), in(th.Text, "Nothing to do.")}
	}
	out = append(out, line(th, w, head, nil, nil))
	out = append(out, m.consent(w)...)
	out = append(out, "")
	out = append(out, planTexts(th, "Missing, so that this is refused", p.Missing, th.Fail, w)...)
	out = append(out, planTexts(th, "To know before", p.Notes, th.Text, w)...)
	if len(p.Steps) > 0 {
		out = append(out, th.Heading.Render("Steps"))
	}
	for _, s := range p.Steps {
		sign, style := effectLook(th, s.Effect)
		var right []span
		if s.Size.Bytes > 0 {
			right = append(right, in(th.Muted, bytesText(s.Size.Bytes)+" "))
		}
		right = append(right, in(style, fmt.Sprintf("%-7s", s.Effect)))
		out = append(out, line(th, w, []span{in(style, sign+" "), in(th.Text, s.Title)}, right, nil))
		if s.Target != "" && w >= 60 {
			out = append(out, line(th, w, []span{in(th.Muted, "  → "+s.Target)}, nil, nil))
		}
		for _, d := range s.Detail {
			out = append(out, line(th, w, []span{in(th.Muted, "    "+d)}, nil, nil))
		}
	}
	return out
}

func planTexts(th *theme.Theme, title string, texts []string, style theme.Style, w int) []string {
	if len(texts) == 0 {
		return nil
	}
	out := []string{th.Heading.Render(title)}
	for _, t := range texts {
		part := wrapped(style, probes.Clean(t, 1500), "  ", w)
		if len(part) > 0 {
			part[0] = th.Accent.Render(th.Glyphs.Dot) + part[0][1:]
		}
		out = append(out, part...)
	}
	return append(out, "")
}

// consent says how to start, or why that cannot be.
func (m *Model) consent(w int) []string {
	th, a := m.theme, &m.action
	switch {
	case len(a.plan.Steps) == 0:
		return nil
	case m.d.Mode.ReadOnly:
		return wrapped(th.Warn, "Read-only: this can be planned, not run.", "", w)
	case a.offer.Refused != "":
		return wrapped(th.Warn, a.offer.Refused, "", w)
	case len(a.plan.Missing) > 0:
		return wrapped(th.Fail, "This cannot be run: something is missing.", "", w)
	case a.typed.typing:
		out := wrapped(th.Fail, "This deletes or replaces something. Type the platform's name, "+a.plan.Platform+", and press enter to start.", "", w)
		return append(out, line(th, w, []span{in(th.Accent, th.Glyphs.Cursor+" "), in(th.Strong, a.typed.text+"_")}, nil, nil))
	}
	return []string{line(th, w, []span{in(th.Accent, "enter"), in(th.Text, " starts it; "), in(th.Accent, "esc"), in(th.Text, " leaves everything as it is")}, nil, nil)}
}

// bytesText is an amount of bytes for people.
func bytesText(n int64) string {
	const unit = 1000
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, units := float64(n), []string{"kB", "MB", "GB", "TB", "PB"}
	at := -1
	for value >= unit && at < len(units)-1 {
		value /= unit
		at++
	}
	if value < 10 {
		return fmt.Sprintf("%.1f %s", value, units[at])
	}
	return fmt.Sprintf("%.0f %s", value, units[at])
}
