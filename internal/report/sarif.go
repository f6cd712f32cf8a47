package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/254carbon/gonogo/probes"
)

// The parts of SARIF 2.1.0 that are written here.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool        sarifTool         `json:"tool"`
		Invocations []sarifInvocation `json:"invocations"`
		Results     []sarifResult     `json:"results"`
		Properties  map[string]any    `json:"properties,omitempty"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version,omitempty"`
		URI     string      `json:"informationUri"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID            string         `json:"id"`
		Name          string         `json:"name"`
		Short         sarifText      `json:"shortDescription"`
		Help          sarifText      `json:"help"`
		Configuration sarifLevel     `json:"defaultConfiguration"`
		Properties    map[string]any `json:"properties"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifLevel struct {
		Level string `json:"level"`
	}
	sarifInvocation struct {
		Successful bool   `json:"executionSuccessful"`
		EndTime    string `json:"endTimeUtc"`
	}
	sarifResult struct {
		RuleID       string             `json:"ruleId"`
		RuleIndex    int                `json:"ruleIndex"`
		Level        string             `json:"level"`
		Message      sarifText          `json:"message"`
		Locations    []sarifLocation    `json:"locations"`
		Fingerprints map[string]string  `json:"partialFingerprints"`
		Suppressions []sarifSuppression `json:"suppressions,omitempty"`
		Properties   map[string]any     `json:"properties"`
	}
	sarifLocation struct {
		Physical *sarifPhysical `json:"physicalLocation,omitempty"`
		Logical  []sarifLogical `json:"logicalLocations"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   sarifRegion   `json:"region"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		Line int `json:"startLine"`
	}
	sarifLogical struct {
		Name string `json:"name"`
		Full string `json:"fullyQualifiedName"`
		Kind string `json:"kind"`
	}
	sarifSuppression struct {
		Kind          string `json:"kind"`
		Status        string `json:"status"`
		Justification string `json:"justification"`
	}
)

// Place is where a check is written down: a file, by a path that means the same to whoever reads the result, and a line.
type Place struct {
	URI  string
	Line int
}

// WriteSARIF writes the result as SARIF 2.1.0: a rule for each check, a result for each that does not pass. A gate that is open is an
// error, another failure a warning, and what could not be measured a note. A waiver is an accepted suppression. where says in which file a
// check is written down; it may be nil.
func WriteSARIF(w io.Writer, a probes.Assessment, m Meta, version string, where func(probes.ID) (Place, bool)) error {
	driver := sarifDriver{Name: "gonogo", Version: version, URI: "https://github.com/254carbon/gonogo", Rules: []sarifRule{}}
	run := sarifRun{
		Invocations: []sarifInvocation{{Successful: true, EndTime: a.At.UTC().Format("2006-01-02T15:04:05Z")}},
		Results:     []sarifResult{},
		Properties:  map[string]any{"platform": text(a.Outline.Platform), "profile": text(a.Outline.Profile)},
	}
	if m.Only == nil {
		run.Properties["verdict"], run.Properties["percent"] = a.Verdict.String(), a.Percent
	}
	for _, i := range a.Items() {
		if m.Only != nil && !m.Only[i.Spec.ID] {
			continue
		}
		driver.Rules = append(driver.Rules, sarifRuleOf(i))
		if i.Status == probes.Pass || i.Status == probes.NotApplicable {
			continue
		}
		r := sarifResultOf(a, i)
		r.RuleIndex = len(driver.Rules) - 1
		if where != nil {
			if place, ok := where(i.Spec.ID); ok {
				r.Locations[0].Physical = &sarifPhysical{Artifact: sarifArtifact{place.URI}, Region: sarifRegion{max(1, place.Line)}}
			}
		}
		run.Results = append(run.Results, r)
	}
	run.Tool.Driver = driver
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}})
}

func sarifRuleOf(i probes.Item) sarifRule {
	help := i.Spec.Remedy
	if help == "" {
		help = fmt.Sprintf("gonogo explain %s shows the evidence.", i.Spec.ID)
	}
	level := "warning"
	if i.Spec.Gate {
		level = "error"
	}
	return sarifRule{
		ID: text(string(i.Spec.ID)), Name: text(string(i.Spec.ID)), Short: sarifText{text(i.Spec.Title)}, Help: sarifText{text(help)},
		Configuration: sarifLevel{level},
		Properties:    map[string]any{"component": text(string(i.Spec.Component)), "probe": text(i.Spec.Probe), "gate": i.Spec.Gate},
	}
}

func sarifResultOf(a probes.Assessment, i probes.Item) sarifResult {
	level := "note"
	switch {
	case i.Spec.Gate && !i.Satisfied():
		level = "error"
	case i.Status == probes.Fail || i.Status == probes.Warn:
		level = "warning"
	}
	lines := []string{text(i.Summary)}
	for _, e := range i.Evidence {
		if e.Wanting {
			lines = append(lines, fmt.Sprintf("%s: want %s, got %s", text(e.Subject), text(e.Want), text(e.Got)))
		}
	}
	id := text(string(i.Spec.ID))
	r := sarifResult{
		RuleID: id, Level: level, Message: sarifText{strings.Join(lines, "\n")},
		Locations: []sarifLocation{{Logical: []sarifLogical{{
			Name: id, Full: strings.Join([]string{text(a.Outline.Platform), text(string(i.Spec.Component)), id}, "/"), Kind: "resource",
		}}}},
		Fingerprints: map[string]string{"check/v1": text(a.Outline.Profile) + "/" + id},
		Properties:   map[string]any{"status": i.Status.String(), "points": probes.ShortRat(i.Points), "worth": probes.ShortRat(i.Worth)},
	}
	if i.Waiver != nil {
		r.Suppressions = []sarifSuppression{{
			Kind: "external", Status: "accepted",
			Justification: text(fmt.Sprintf("waived by %s until %s: %s", i.Waiver.Owner, probes.Until(i.Waiver.Expires), i.Waiver.Reason)),
		}}
	}
	return r
}
