package report

import (
	"bytes"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	unsafe "github.com/yuin/goldmark/renderer/html"

	"github.com/254carbon/gonogo/probes"
)

// FuzzMarkdown puts text wherever reports put foreign text. It comes out as text: nothing else appears, and the table keeps its cells.
func FuzzMarkdown(f *testing.F) {
	for _, seed := range []string{hostile, "# a", "1. a", "- a", "+ a", "> a", "===", "---", "***", "a_b_c", "_a_", "|", "`", "``", "a`b", "\\", "<!-- -->", "http://x.y/_z_", "www.x.y", "a@b.c", "[x]: y", "![x](y)", "~~a~~", "- [ ] a", "&copy;", "a  b", "  a", "a\\", "*", "x*y*z", ":-:", "é_é", "\t", "* * *"} {
		f.Add(seed)
	}
	markdown := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(unsafe.WithUnsafe()))
	f.Fuzz(func(t *testing.T, foreign string) {
		var source bytes.Buffer
		d := &markdownDoc{printer: printer{w: &source}}
		d.heading("## " + mdText(foreign) + " end")
		d.paragraph(mdText(foreign))
		d.paragraph("**" + mdText("x"+foreign+"x") + "**: " + mdText(foreign) + " " + mdCode(foreign) + strings.Repeat(" word", 10) + " " + mdText(foreign))
		d.bullet(mdText(foreign))
		d.numbered([]string{foreign, foreign})
		d.table([]string{"A", "B", "C"}, [][]string{{mdText(foreign), mdCode(foreign), mdText(foreign)}})
		var out bytes.Buffer
		if err := markdown.Convert(source.Bytes(), &out); err != nil {
			t.Fatal(err)
		}
		root, err := html.Parse(bytes.NewReader(out.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		count := map[string]int{}
		var text strings.Builder
		var walk func(*html.Node)
		walk = func(n *html.Node) {
			switch n.Type {
			case html.ElementNode:
				count[n.Data]++
			case html.TextNode:
				text.WriteString(n.Data)
			}
			for c := n.FirstChild; c != nil; c = c.NextSibling {
				walk(c)
			}
		}
		walk(root)
		for _, element := range []string{"html", "head", "body", "h2", "p", "strong", "code", "ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td", "a"} {
			delete(count, element) // a: an address is made a link, as it may be
		}
		if len(count) > 0 {
			t.Errorf("%q makes %v of\n%s", foreign, count, source.String())
		}
		want := probes.Clean(foreign, maxText)
		if got := strings.Count(strings.Join(strings.Fields(text.String()), " "), strings.Join(strings.Fields(want), " ")); want != "" && got < 8 {
			t.Errorf("%q is there %d times in\n%s\n%s", want, got, source.String(), out.String())
		}
	})
}
