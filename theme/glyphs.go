package theme

// Glyphs are the signs that screens draw with. Every sign is one cell wide, the levels of a sparkline included.
type Glyphs struct {
	Pass, Warn, Fail, Blocked, Unknown, NotApplicable, Pending string

	Open, Closed string // a folded and an unfolded row
	Cursor       string // before the selected row
	Live, Still  string // data comes in, or does not
	Up, Down     string
	Again        string // is being asked again
	Full, Empty  string // cells of a bar
	Maybe        string // cells that may be earned
	Tick         string // the threshold within a bar
	Across       string // rules
	Upright      string
	TeeDown      string
	TeeUp        string
	TeeRight     string
	Dot          string // between items of a line
	Ellipsis     string
	Spark        []string // levels, lowest first
	Fill         string   // the area below a line of levels
	Prompt       string   // before a command
	More         string   // there is more below

	Corners [4]string // of a box: top left, top right, bottom left, bottom right

	ASCII bool // nothing but ASCII may be drawn
}

func unicodeGlyphs() Glyphs {
	return Glyphs{
		Pass: "✓", Warn: "◐", Fail: "✗", Blocked: "◌", Unknown: "?", NotApplicable: "–", Pending: "·",
		Open: "▾", Closed: "▸", Cursor: "▌", Live: "●", Still: "○", Up: "▲", Down: "▼", Again: "↻",
		Full: "━", Empty: "─", Maybe: "╍", Tick: "┿", Across: "─", Upright: "│", TeeDown: "┬", TeeUp: "┴", TeeRight: "├",
		Dot: "·", Ellipsis: "…", Spark: []string{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"}, Fill: "░", Prompt: "$", More: "↓",
		Corners: [4]string{"╭", "╮", "╰", "╯"},
	}
}

func asciiGlyphs() Glyphs {
	return Glyphs{
		Pass: "+", Warn: "~", Fail: "x", Blocked: "#", Unknown: "?", NotApplicable: "-", Pending: ".",
		Open: "v", Closed: ">", Cursor: "|", Live: "*", Still: "o", Up: "^", Down: "v", Again: "@",
		Full: "=", Empty: "-", Maybe: "~", Tick: "+", Across: "-", Upright: "|", TeeDown: "+", TeeUp: "+", TeeRight: "+",
		Dot: "|", Ellipsis: ".", Spark: []string{"_", ".", "-", "=", "^"}, Fill: ":", Prompt: "$", More: "v",
		Corners: [4]string{"+", "+", "+", "+"},
		ASCII:   true,
	}
}
