package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/exp/golden"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	unsafe "github.com/yuin/goldmark/renderer/html"
	"golang.org/x/net/html"

	"github.com/254carbon/gonogo/probes"
)

var statusForms = map[string]func(io.Writer, Status) error{"markdown": WriteStatusMarkdown, "html": WriteStatusHTML, "json": WriteStatusJSON}

// meta compares with a report of the day before, in which one check stood better and one worse, one was not there and one is gone.
func meta() StatusMeta {
	return StatusMeta{
		At:       noon,
		Measured: Measured{Profile: "254carbon (built in)", Digest: "abc123", Cluster: "prod", Version: "1.2.3"},
		Run:      "gonogo run",
		Before: &Before{
			At: noon.AddDate(0, 0, -1), Percent: 30, Earned: probes.MustRat("7.5"), Verdict: "NO-GO", Reported: true,
			Checks: map[probes.ID]Stood{
				"targets": {Component: "monitoring", Status: probes.Fail, Points: probes.MustRat("0")},
				"grafana": {Component: "monitoring", Status: probes.Pass, Points: probes.MustRat("6")},
				"loki":    {Component: "monitoring", Status: probes.Unknown, Points: probes.MustRat("0")},
				"tested":  {Component: "backup", Status: probes.Fail, Points: probes.MustRat("0")},
				"gone":    {Component: "backup", Status: probes.Pass, Points: probes.MustRat("1.5")},
				"never":   {Component: "backup", Status: probes.Pending, Points: probes.MustRat("0")},
			},
		},
	}
}

func render(t *testing.T, form string, s Status) string {
	t.Helper()
	var out bytes.Buffer
	if err := statusForms[form](&out, s); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestStatus(t *testing.T) {
	for form := range statusForms {
		t.Run(form, func(t *testing.T) {
			golden.RequireEqual(t, render(t, form, NewStatus(board(t), meta())))
		})
	}
}

func TestStatusKeepsItsSchema(t *testing.T) {
	text, err := StatusSchema()
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("report.json", parsed); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("report.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]Status{
		"whole": NewStatus(board(t), meta()), "first": NewStatus(board(t), StatusMeta{At: noon}), "hostile": NewStatus(enemy(t), meta()), "odd": NewStatus(odd(t), meta()),
	} {
		document, err := jsonschema.UnmarshalJSON(strings.NewReader(render(t, "json", s)))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(document); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A person who knows the status documents that were written by hand finds each of their sections.
func TestStatusHasTheSectionsOfTheDocumentsBefore(t *testing.T) {
	for _, form := range []string{"markdown", "html"} {
		out := render(t, form, NewStatus(board(t), meta()))
		at := 0
		for _, section := range []string{
			"Current status", "Declared against measured", "Completed components", "Remaining tasks", "Detailed progress breakdown", "Ready to execute",
			"What has been delivered", "Files", "Changes since the last report", "Key achievements", "Decision points", "Gates, waivers and attestations", "How this was measured",
		} {
			n := regexp.MustCompile(`(?m)(^##+ |<h[23][^>]*>)` + section).FindStringIndex(out[at:])
			if n == nil {
				t.Fatalf("%s: no section %q after the one before", form, section)
			}
			at += n[1]
		}
	}
}

func TestStatusDoesNotDependOnHowLongAskingTook(t *testing.T) {
	build := func(took time.Duration) string {
		o := &probes.Outline{
			Platform: "p", Profile: "p", Threshold: probes.MustRat("95"), Components: []probes.Component{{ID: "a", Title: "A", Weight: probes.MustRat("1")}},
			Specs: []probes.Spec{{ID: "x", Component: "a", Title: "X", Weight: probes.MustRat("1"), Every: time.Hour, Timeout: time.Second, Confirm: 1}},
		}
		l, err := probes.NewChecklist(o)
		if err != nil {
			t.Fatal(err)
		}
		started := noon.Add(took)
		l = l.With(probes.Result{ID: "x", Started: started, Took: took, Observation: probes.Observation{Status: probes.Pass, Summary: "well", Confirmed: started}})
		s := NewStatus(l.Assess(started.Add(took)), StatusMeta{At: noon})
		return render(t, "json", s) + render(t, "markdown", s) + render(t, "html", s)
	}
	if build(time.Millisecond) != build(40*time.Second) {
		t.Error("two reports of the same differ")
	}
}

func TestDriftBothWaysLargestFirst(t *testing.T) {
	percent := func(n int) *int { return &n }
	for name, tt := range map[string]struct {
		declared                []*int // of monitoring, of which 44 % are measured and 33 % could not be, and of backup: 0 % and 33 %
		drift, unclear, nothing string
		total                   int
	}{
		"both ways": {[]*int{percent(20), percent(100)}, "Backup: declared 100 %, measured 0 %, 100 percentage points worse; Enhanced monitoring: declared 20 %, measured 44 %, 24 percentage points better", "", "", 42},
		"not known": {[]*int{percent(60), percent(33)}, "", "Backup: declared 33 %, measured 0 %, the rest could not be measured; Enhanced monitoring: declared 60 %, measured 44 %, the rest could not be measured", "Nothing that could be measured drifts.", 52},
		"none":      {[]*int{percent(44), percent(0)}, "", "", "Nothing drifts: what is declared of 2 components is what is measured.", 31},
		"nobody":    {[]*int{nil, nil}, "", "", "The profile declares no percentages to compare with.", -1},
		"one alone": {[]*int{nil, percent(0)}, "", "", "Nothing drifts: what is declared of 1 component is what is measured.", -1},
	} {
		t.Run(name, func(t *testing.T) {
			a := board(t)
			for n := range a.Components {
				a.Components[n].Component.Declared = tt.declared[n]
			}
			d := NewStatus(a, StatusMeta{At: noon}).Declared
			words := func(list []Drift) string {
				var all []string
				for _, x := range list {
					all = append(all, fmt.Sprintf("%s: %s, %s", x.Title, x, x.Verb()))
				}
				return strings.Join(all, "; ")
			}
			if words(d.Drift) != tt.drift || words(d.Unclear) != tt.unclear || d.NoDrift() != tt.nothing {
				t.Errorf("drift %q, unclear %q, %q", words(d.Drift), words(d.Unclear), d.NoDrift())
			}
			if (d.Total == nil) != (tt.total < 0) || d.Total != nil && *d.Total != tt.total {
				t.Errorf("total %v, want %d", d.Total, tt.total)
			}
		})
	}
}

func TestChangesSayWhatGotBetterAndWorse(t *testing.T) {
	c := NewStatus(board(t), meta()).Changes
	flips := func(all []Flip) string {
		var words []string
		for _, f := range all {
			words = append(words, f.Check+" "+f.Way())
		}
		return strings.Join(words, "; ")
	}
	if got := flips(c.Better); got != "targets fail → pass" {
		t.Errorf("better: %s", got)
	}
	if got := flips(c.Worse); got != "grafana pass → warn" {
		t.Errorf("worse: %s", got)
	}
	if got := flips(c.Other); got != "restored new → blocked; domain new → fail; gpu new → not-applicable; gone pass → gone" {
		t.Errorf("other: %s", got)
	}
	if len(c.Components) != 2 || c.Components[0].Signed() != "+2" || c.Components[1].Signed() != "-1.5" || !strings.Contains(c.Heading(), "0.5 points gained") {
		t.Errorf("%+v, %s", c.Components, c.Heading())
	}
}

func TestStatusIsSafeWhateverIsInIt(t *testing.T) {
	s := NewStatus(enemy(t), meta())
	for form := range statusForms {
		safe(t, []byte(render(t, form, s)))
	}
	var back map[string]any
	if err := json.Unmarshal([]byte(render(t, "json", s)), &back); err != nil {
		t.Error(err)
	}
	markdown := render(t, "markdown", s)
	for line := range strings.Lines(markdown) {
		if strings.HasPrefix(line, "|") && !slices.Contains([]int{5, 7}, strings.Count(strings.ReplaceAll(line, `\|`, ""), "|")) {
			t.Errorf("a table is broken by %q", line)
		}
	}
	rendered(t, markdown)
	page(t, render(t, "html", s))
	page(t, render(t, "html", NewStatus(board(t), meta())))
}

// rendered fails for Markdown that makes more of foreign text than text.
func rendered(t *testing.T, markdown string) {
	t.Helper()
	var out bytes.Buffer
	if err := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(unsafe.WithUnsafe())).Convert([]byte(markdown), &out); err != nil {
		t.Fatal(err)
	}
	allowed := strings.Fields("h1 h2 h3 p strong code ul ol li table thead tbody tr th td")
	for _, m := range regexp.MustCompile(`<([a-zA-Z0-9]+)`).FindAllStringSubmatch(out.String(), -1) {
		if !slices.Contains(allowed, m[1]) {
			t.Errorf("element %s in\n%s", m[1], out.String())
			return
		}
	}
}

// page fails for what does not belong into a page that stands by itself: scripts, handlers, addresses elsewhere, ids that are there twice,
// links that lead nowhere, tables without headers.
func page(t *testing.T, text string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	ids, links := map[string]bool{}, []string{}
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		if n.Type == html.ElementNode {
			if slices.Contains([]string{"script", "iframe", "img", "object", "embed", "form", "base", "x", "b", "i"}, n.Data) {
				t.Errorf("element %s", n.Data)
			}
			for _, a := range n.Attr {
				switch {
				case strings.HasPrefix(a.Key, "on"), a.Key == "src", a.Key == "style", a.Key == "srcset":
					t.Errorf("attribute %s of %s", a.Key, n.Data)
				case a.Key == "href" && strings.HasPrefix(a.Val, "#"):
					links = append(links, a.Val[1:])
				case a.Key == "href" && !strings.HasPrefix(a.Val, "data:"):
					t.Errorf("a link to %s", a.Val)
				case a.Key == "id" && ids[a.Val]:
					t.Errorf("id %s is there twice", a.Val)
				case a.Key == "id":
					ids[a.Val] = true
				}
			}
			if n.Data == "th" && !strings.Contains(fmt.Sprint(n.Attr), "scope") {
				t.Error("a header of a table without its scope")
			}
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
	}
	walk(root)
	for _, l := range links {
		if !ids[l] {
			t.Errorf("a link leads to #%s, which is not there", l)
		}
	}
	if strings.Contains(text, "ZgotmplZ") || strings.Contains(strings.ReplaceAll(text, "http://www.w3.org/2000/svg", ""), "url(") {
		t.Error("something was filtered, or loaded")
	}
}

func TestStatusNamesWhatRestsOnAWord(t *testing.T) {
	o := &probes.Outline{
		Platform: "p", Profile: "p", Threshold: probes.MustRat("95"), Components: []probes.Component{{ID: "a", Title: "A", Weight: probes.MustRat("1")}},
		Specs: []probes.Spec{{ID: "x", Component: "a", Title: "X", Weight: probes.MustRat("1"), Every: time.Hour, Timeout: time.Second, Confirm: 1}},
	}
	l, err := probes.NewChecklist(o)
	if err != nil {
		t.Fatal(err)
	}
	l = l.With(probes.Result{ID: "x", Started: noon, Observation: probes.Observation{
		Status: probes.Warn, Ratio: probes.Part(1, 2), Summary: "said so", Word: "ana until 2025-12-31", Confirmed: noon,
	}})
	s := NewStatus(l.Assess(noon), StatusMeta{At: noon})
	for form, want := range map[string]string{
		"markdown": "- `x` rests on the word of ana until 2025-12-31: said so", "html": "<code>x</code> rests on the word of ana until 2025-12-31: said so", "json": `"whose": "ana until 2025-12-31"`,
	} {
		if out := render(t, form, s); !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
}
