package report

import (
	"encoding/json"
	"io"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// History is what happened to a platform's checks and score.
type History struct {
	Platform string          `json:"platform"`
	Scores   []HistoryScore  `json:"scores"`
	Changes  []HistoryChange `json:"changes"`
}

// HistoryScore is a score that differed from the one before.
type HistoryScore struct {
	TakenAt time.Time `json:"takenAt"`
	Percent int       `json:"percent"`
	High    int       `json:"high"`
	Verdict string    `json:"verdict"`
}

// HistoryChange is a check that came to stand otherwise.
type HistoryChange struct {
	At      time.Time `json:"at"`
	Check   string    `json:"check"`
	Status  string    `json:"status"`
	Summary string    `json:"summary"`
}

// WriteHistoryJSON writes the history as indented JSON.
func WriteHistoryJSON(w io.Writer, h History) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(h)
}

// WriteHistory writes the history for a terminal, oldest first.
func WriteHistory(w io.Writer, h History, s Style) error {
	p := &printer{w: w, s: s}
	if len(h.Scores) == 0 && len(h.Changes) == 0 {
		p.line("Nothing is recorded for %s yet.", h.Platform)
		return p.err
	}
	if len(h.Scores) > 0 {
		percents := make([]int, len(h.Scores))
		for i, s := range h.Scores {
			percents[i] = s.Percent
		}
		spark := ""
		if !s.ASCII {
			spark = "   " + Sparkline(percents)
		}
		p.line("%s%s", p.paint("1", "Score of "+h.Platform), spark)
		for _, s := range h.Scores {
			p.line("  %s   %3d %%   %s", s.TakenAt.UTC().Format("2006-01-02 15:04:05"), s.Percent, s.Verdict)
		}
	}
	if len(h.Changes) > 0 {
		p.line("")
		p.line("%s", p.paint("1", "Changes"))
	}
	for _, c := range h.Changes {
		status, err := probes.ParseStatus(c.Status)
		if err != nil {
			return err
		}
		p.line("  %s   %s %s %s %s", c.At.UTC().Format("2006-01-02 15:04:05"), p.glyph(status), fill(c.Status, 8), pad(c.Check, 24), c.Summary)
	}
	return p.err
}
