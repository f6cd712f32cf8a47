package report

import (
	"encoding/json"
	"io"
	"time"
)

// StatusSchemaName identifies the form of the status report.
const StatusSchemaName = "gonogo.report/v1"

// Status is the status document of a platform, written from evidence. Its texts are safe on a terminal; its times are whole minutes, and
// nothing in it depends on how long asking took, so that the same state makes the same document.
type Status struct {
	Schema    string      `json:"schema"`
	Title     string      `json:"title"`
	Platform  string      `json:"platform"`
	Profile   string      `json:"profile"`
	TakenAt   time.Time   `json:"takenAt"`
	Verdict   string      `json:"verdict" jsonschema:"enum=GO,enum=NO-GO,enum=UNKNOWN"`
	Headline  string      `json:"headline" jsonschema:"description=the score in one line"`
	Reasons   []string    `json:"reasons" jsonschema:"description=why the verdict is not GO; gates first"`
	Score     StatusScore `json:"score"`
	Counts    Counts      `json:"counts"`
	Declared  Declared    `json:"declared" jsonschema:"description=what a status document declares against what is measured"`
	Completed []Finished  `json:"completed"`
	Remaining []Task      `json:"remaining" jsonschema:"description=what is left to do; most urgent first"`
	Progress  Progress    `json:"progress"`
	Options   []Option    `json:"options" jsonschema:"description=what can be done now; the recommended one first"`
	Delivered []Delivery  `json:"delivered" jsonschema:"description=what of each component is in place"`
	Files     []File      `json:"files" jsonschema:"description=what was found in the checkout"`
	Changes   *Changes    `json:"changes" jsonschema:"nullable,description=since the last report that differed; null if there is nothing to compare with"`
	Decisions []Decision  `json:"decisions"`
	Gates     []Gate      `json:"gates"`
	Waivers   []Waived    `json:"waivers"`
	Words     []Word      `json:"attestations" jsonschema:"description=what rests on a person's word"`
	Measured  Measured    `json:"measured"`

	checkout bool // whether any check looks at the checkout
}

// StatusScore is the score of a status report.
type StatusScore struct {
	Percent   int       `json:"percent" jsonschema:"minimum=0,maximum=100"`
	High      int       `json:"high" jsonschema:"minimum=0,maximum=100"`
	Earned    Number    `json:"earned"`
	Possible  Number    `json:"possible"`
	Threshold Number    `json:"threshold"`
	Previous  *Previous `json:"previous" jsonschema:"nullable"`
	Advance   *int      `json:"advance" jsonschema:"nullable,description=percent gained since the previous score"`
}

// Declared compares the percentages of a status document with the measured ones.
type Declared struct {
	Components int     `json:"components" jsonschema:"description=how many components declare a percentage"`
	Total      *int    `json:"total" jsonschema:"nullable,description=what the declared percentages add up to; null unless every component declares one"`
	Drift      []Drift `json:"drift" jsonschema:"description=where they differ; the largest first"`
	Unclear    []Drift `json:"unclear" jsonschema:"description=where too little could be measured to tell"`
}

// Drift is a component whose declared percentage is not the measured one.
type Drift struct {
	Component string `json:"component"`
	Title     string `json:"title"`
	Declared  int    `json:"declared"`
	Measured  int    `json:"measured"`
	High      int    `json:"high" jsonschema:"description=what would be measured if everything that could not be passed"`
}

// Finished is a component whose checks all pass.
type Finished struct {
	ID     string  `json:"id"`
	Title  string  `json:"title"`
	Earned Number  `json:"earned"`
	Weight Number  `json:"weight"`
	Checks []Claim `json:"checks"`
}

// Claim is a check with its evidence.
type Claim struct {
	ID         string     `json:"id"`
	Title      string     `json:"title"`
	Status     string     `json:"status" jsonschema:"enum=pass,enum=warn,enum=fail,enum=blocked,enum=unknown,enum=not-applicable,enum=pending"`
	Gate       bool       `json:"gate"`
	Points     Number     `json:"points"`
	Worth      Number     `json:"worth"`
	Summary    string     `json:"summary"`
	AgeMinutes int        `json:"ageMinutes" jsonschema:"minimum=0,description=age of the answer when the report was written"`
	Since      *time.Time `json:"since" jsonschema:"nullable,description=when the check came to stand so; null if that is not known"`
	BlockedBy  []string   `json:"blockedBy"`
	Remedy     string     `json:"remedy"`
	Action     string     `json:"action"`
	Evidence   []Evidence `json:"evidence"`
	Waiver     *Waiver    `json:"waiver" jsonschema:"nullable"`
	Word       string     `json:"word" jsonschema:"description=whose word the points rest on; empty if they were measured"`
}

// Task is a component that is not complete.
type Task struct {
	Priority  int      `json:"priority" jsonschema:"minimum=1"`
	ID        string   `json:"id"`
	Title     string   `json:"title"`
	State     string   `json:"state" jsonschema:"enum=ready,enum=blocked,enum=unknown,description=whether something can be done about it now"`
	Percent   int      `json:"percent"`
	Points    Number   `json:"points" jsonschema:"description=to be gained"`
	Gates     []string `json:"gates" jsonschema:"description=open gates of it"`
	BlockedBy []string `json:"blockedBy" jsonschema:"description=checks that others of it wait for"`
	Issues    []Claim  `json:"issues"`
	Steps     []string `json:"steps"`
	Estimate  Estimate `json:"estimate"`
}

// Estimate is work by estimate.
type Estimate struct {
	MinMinutes int    `json:"minMinutes"`
	MaxMinutes int    `json:"maxMinutes"`
	Text       string `json:"text" jsonschema:"description=empty if nothing was estimated"`
}

// Progress is the table of all components.
type Progress struct {
	Rows      []ProgressRow `json:"rows"`
	Percent   int           `json:"percent"`
	Invested  Estimate      `json:"invested"`
	Remaining Estimate      `json:"remaining"`
}

// ProgressRow is a component's row.
type ProgressRow struct {
	ID        string   `json:"id"`
	Title     string   `json:"title"`
	Status    string   `json:"status"`
	Percent   int      `json:"percent"`
	Earned    Number   `json:"earned"`
	Weight    Number   `json:"weight"`
	Invested  Estimate `json:"invested"`
	Remaining Estimate `json:"remaining"`
}

// Option is something that can be done now.
type Option struct {
	ID          string   `json:"id"`
	Title       string   `json:"title"`
	Kind        string   `json:"kind" jsonschema:"enum=action,enum=manual"`
	Recommended bool     `json:"recommended"`
	Command     string   `json:"command" jsonschema:"description=what plans it; empty for work by hand"`
	Points      Number   `json:"points"`
	Percent     int      `json:"percent" jsonschema:"description=the score when it is done"`
	Gates       []string `json:"gates"`
	Steps       []string `json:"steps"`
	Result      string   `json:"result"`
	Estimate    Estimate `json:"estimate"`
}

// Delivery says what of a component is in place.
type Delivery struct {
	Component string  `json:"component"`
	Title     string  `json:"title"`
	Passing   int     `json:"passing"`
	Checks    int     `json:"checks"`
	Partly    []Claim `json:"partly" jsonschema:"description=what passes of a component that is not complete"`
}

// File is something that was looked at in the checkout.
type File struct {
	Check   string `json:"check"`
	Subject string `json:"subject"`
	Got     string `json:"got"`
	Wanting bool   `json:"wanting"`
}

// Decision is a choice that somebody has to make.
type Decision struct {
	Title string `json:"title"`
	Text  string `json:"text"`
}

// Gate is a check without which there is no GO.
type Gate struct {
	Claim
	Component string `json:"component"`
	Satisfied bool   `json:"satisfied"`
}

// Waived is a waiver that the profile declares or the platform keeps.
type Waived struct {
	Check string `json:"check"`
	Waiver
	Where string `json:"where" jsonschema:"description=where it is kept; empty for the profile"`
	State string `json:"state" jsonschema:"enum=holds,enum=expired,enum=not needed"`
}

// Word is a check whose points rest on a person's word, not on a measurement.
type Word struct {
	Check   string `json:"check"`
	Whose   string `json:"whose" jsonschema:"description=whose word it is, and until when"`
	Summary string `json:"summary"`
}

// Measured says how the report came about.
type Measured struct {
	Profile   string `json:"profile"`
	Digest    string `json:"digest" jsonschema:"description=SHA-256 of the profile's text"`
	Cluster   string `json:"cluster"`
	Simulated string `json:"simulated" jsonschema:"description=scenario of the simulated platform; empty for a real one"`
	Version   string `json:"version" jsonschema:"description=of gonogo"`
	Polled    bool   `json:"polled" jsonschema:"description=whether the answers are those that a board had; else every check was asked for the report"`
	Checks    int    `json:"checks"`
}

// StatusMeta is what a status report says beside the assessment.
type StatusMeta struct {
	At       time.Time // when it was written
	Before   *Before   // what it is compared with; nil if nothing is known
	Measured Measured  // Checks is filled in
	Run      string    // the command that runs an action, without its name; empty if there is none
}

// WriteStatusJSON writes the report as indented JSON.
func WriteStatusJSON(w io.Writer, s Status) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(s)
}

// StatusSchema returns the JSON Schema of [Status].
func StatusSchema() ([]byte, error) {
	return schemaOf(Status{}, "Report of gonogo report", StatusSchemaName)
}
