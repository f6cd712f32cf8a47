package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"math/big"
	"strings"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// The elements of JUnit's XML, in the form that Apache Ant's schema asks for, which every reader understands.
type (
	junitSuites struct {
		XMLName xml.Name     `xml:"testsuites"`
		Suites  []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name       string          `xml:"name,attr"`
		Package    string          `xml:"package,attr"`
		ID         int             `xml:"id,attr"`
		Timestamp  string          `xml:"timestamp,attr"`
		Hostname   string          `xml:"hostname,attr"`
		Tests      int             `xml:"tests,attr"`
		Failures   int             `xml:"failures,attr"`
		Errors     int             `xml:"errors,attr"`
		Skipped    int             `xml:"skipped,attr"`
		Time       string          `xml:"time,attr"`
		Properties []junitProperty `xml:"properties>property"`
		Cases      []junitCase     `xml:"testcase"`
		Out        junitLog        `xml:"system-out"`
		Err        string          `xml:"system-err"`
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		Name    string       `xml:"name,attr"`
		Class   string       `xml:"classname,attr"`
		Time    string       `xml:"time,attr"`
		Skipped *junitResult `xml:"skipped"`
		Error   *junitResult `xml:"error"`
		Failure *junitResult `xml:"failure"`
	}
	junitResult struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",cdata"`
	}
	junitLog struct {
		Text string `xml:",cdata"`
	}
)

// WriteJUnit writes the result as JUnit XML: a suite for each component, a case for each check. What fails, or passes in part only, is a
// failure; what could not be measured an error; what is blocked, waived or does not apply is skipped.
func WriteJUnit(w io.Writer, a probes.Assessment, m Meta) error {
	var all junitSuites
	for _, c := range a.Components {
		s := junitSuite{
			Name: text(c.Component.Title), Package: text(a.Outline.Platform), ID: len(all.Suites), Hostname: "localhost",
			Timestamp:  a.At.UTC().Format("2006-01-02T15:04:05"),
			Properties: []junitProperty{{"component", text(string(c.Component.ID))}, {"profile", text(a.Outline.Profile)}},
		}
		var took time.Duration
		for _, i := range c.Items {
			if m.Only == nil || m.Only[i.Spec.ID] {
				s.add(i)
				took += i.Took
			}
		}
		s.Time = seconds(took)
		if s.Tests > 0 {
			all.Suites = append(all.Suites, s)
		}
	}
	encoded, err := xml.MarshalIndent(all, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the result: %w", err)
	}
	_, err = w.Write(append(append([]byte(xml.Header), encoded...), '\n'))
	return err
}

func (s *junitSuite) add(i probes.Item) {
	c := junitCase{Name: text(string(i.Spec.ID)), Class: text(string(i.Spec.Component)), Time: seconds(i.Took)}
	result := &junitResult{Message: text(i.Summary), Type: i.Status.String(), Text: junitText(i)}
	s.Tests++
	s.Out.Text += fmt.Sprintf("%s %s: %s\n", i.Status, text(string(i.Spec.ID)), text(i.Summary))
	switch {
	case i.Status == probes.Pass:
	case i.Waiver != nil:
		result.Message = text(fmt.Sprintf("waived by %s until %s: %s (%s)", i.Waiver.Owner, probes.Until(i.Waiver.Expires), i.Waiver.Reason, i.Summary))
		c.Skipped = result
		s.Skipped++
	case i.Status == probes.Fail, i.Status == probes.Warn:
		c.Failure = result
		s.Failures++
	case i.Status == probes.Blocked, i.Status == probes.NotApplicable:
		c.Skipped = result
		s.Skipped++
	default:
		c.Error = result
		s.Errors++
	}
	s.Cases = append(s.Cases, c)
}

// junitText is what a person reads under a case that does not pass: evidence that falls short, and what to do.
func junitText(i probes.Item) string {
	lines := []string{"Claim: " + text(i.Spec.Title), "Found: " + text(i.Summary)}
	if i.Spec.Gate {
		lines[0] += " (a gate: without it the verdict is never GO)"
	}
	for _, e := range i.Evidence {
		if e.Wanting {
			lines = append(lines, fmt.Sprintf("%s: want %s, got %s", text(e.Subject), text(e.Want), text(e.Got)), "  repeat: "+text(e.Repeat))
		}
	}
	if i.Spec.Remedy != "" {
		lines = append(lines, "What to do: "+text(i.Spec.Remedy))
	}
	return strings.Join(lines, "\n")
}

// text makes foreign text one safe line. What XML cannot write is not in it either.
func text(foreign string) string { return probes.Clean(foreign, maxText) }

// seconds writes a duration in seconds, with milliseconds.
func seconds(d time.Duration) string {
	return new(big.Rat).SetFrac64(d.Milliseconds(), 1000).FloatString(3)
}

// day writes a date for people.
func day(t time.Time) string { return t.UTC().Format("2 January 2006") }
