package main

import (
	"io"
	"os"
	"strings"

	"github.com/charmbracelet/x/term"

	"github.com/254carbon/gonogo/internal/report"
)

// terminal returns the file behind a stream if it is a terminal that understands more than text.
func terminal(w io.Writer) (*os.File, bool) {
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(file.Fd()) {
		return nil, false
	}
	return file, true
}

// dumb reports whether the terminal understands text only.
func dumb() bool { return os.Getenv("TERM") == "dumb" || os.Getenv("TERM") == "" }

// noColor follows no-color.org: any value that is not empty.
func noColor() bool { return os.Getenv("NO_COLOR") != "" }

// style is how text on standard output is dressed: for a terminal, or plain for everything else.
func (o *options) style() report.Style {
	s := report.Style{ASCII: o.ascii || asciiLocale(), Verbose: o.verbose}
	if file, ok := terminal(o.out); ok {
		s.Color = !noColor() && !dumb() && o.theme != "mono"
		if width, _, err := term.GetSize(file.Fd()); err == nil {
			s.Width = width
		}
	}
	return s
}

// asciiLocale reports whether the locale is one that surely cannot show more than ASCII.
func asciiLocale() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := os.Getenv(name); v != "" {
			return v == "C" || v == "POSIX" || strings.HasSuffix(strings.ToUpper(v), ".ASCII")
		}
	}
	return false
}
