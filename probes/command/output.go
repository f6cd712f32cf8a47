package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/254carbon/gonogo/probes"
)

// report is what a program says in JSON. Without JSON only the summary is known, and the status is Pending.
type report struct {
	status   probes.Status
	ratio    probes.Ratio
	summary  string
	evidence []probes.Evidence
}

// wire is a report as it is written. Fields that it does not have are ignored.
type wire struct {
	Status   string `json:"status"`
	Ratio    string `json:"ratio"`
	Summary  string `json:"summary"`
	Evidence []struct {
		Subject string `json:"subject"`
		Want    string `json:"want"`
		Got     string `json:"got"`
		Wanting bool   `json:"wanting"`
	} `json:"evidence"`
}

// parse reads standard output. What begins as a JSON object must be a whole report: half of one proves nothing.
func parse(stdout []byte) (report, error) {
	text := bytes.TrimSpace(stdout)
	if !bytes.HasPrefix(text, []byte("{")) {
		return report{}, nil // judged by its exit code, with a line of it as the summary
	}
	var w wire
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&w); err != nil {
		return report{}, fmt.Errorf("reading what it printed as JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return report{}, errors.New("reading what it printed as JSON: something follows the object")
	}
	return w.report()
}

func (w wire) report() (r report, err error) {
	switch w.Status {
	case "pass":
		r.status = probes.Pass
	case "fail":
		r.status = probes.Fail
	case "warn":
		r.status = probes.Warn
		if r.ratio, err = ratio(w.Ratio); err != nil {
			return report{}, err
		}
	default:
		return report{}, fmt.Errorf("it says the status %q, which is not pass, warn or fail", probes.Clean(w.Status, 40))
	}
	r.summary = probes.Clean(w.Summary, 400)
	for _, e := range w.Evidence {
		blank := e.Subject == "" && e.Want == "" && e.Got == ""
		if blank {
			return report{}, errors.New("one piece of its evidence says nothing")
		}
		r.evidence = append(r.evidence, probes.Evidence{
			Subject: first(e.Subject, "something"), Want: first(e.Want, "not said"), Got: first(e.Got, "not said"), Wanting: e.Wanting,
		})
	}
	return r, nil
}

// ratio reads what a warning is worth: "2/3", or half if nothing is said.
func ratio(text string) (probes.Ratio, error) {
	if text == "" {
		return probes.Part(1, 2), nil
	}
	over, under, _ := strings.Cut(text, "/")
	num, err := strconv.ParseInt(over, 10, 32)
	if err == nil {
		var den int64
		if den, err = strconv.ParseInt(under, 10, 32); err == nil && probes.Part(num, den).Valid() {
			return probes.Part(num, den), nil
		}
	}
	return probes.Ratio{}, fmt.Errorf("it says that the warning is worth %q, which is not a fraction between 0 and 1", probes.Clean(text, 40))
}
