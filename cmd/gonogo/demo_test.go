package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/254carbon/gonogo/internal/profile"
	"github.com/254carbon/gonogo/internal/report"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/all"
)

// gonogo runs one command line in this process and returns its exit code and what it wrote.
func gonogo(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), "gonogo", args, streams{out: &out, err: &errs})
	return code, out.String(), errs.String()
}

// demo runs one command line against a simulated platform of its own.
func demo(t *testing.T, scenario string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return gonogo(t, append([]string{"--demo", "--demo-scenario", scenario, "--state-dir", t.TempDir()}, args...)...)
}

// result is a check document as a program reads it.
type result struct {
	Verdict string
	Reasons []string
	TookMs  int64
	Score   struct {
		Percent, Low, High int
		Earned, Possible   float64
		Previous           *struct {
			Percent int
			TakenAt time.Time
		}
	}
	Counts     map[string]int
	Components []struct {
		ID     string
		Checks []report.Check
	}
	Next []struct{ ID, Kind, Title string }
}

func (r result) check(id string) report.Check {
	for _, c := range r.Components {
		for _, check := range c.Checks {
			if check.ID == id {
				return check
			}
		}
	}
	return report.Check{}
}

func decode(t *testing.T, text string) result {
	t.Helper()
	var r result
	text = numbers.ReplaceAllString(text, "")
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatalf("decoding the result: %v\n%.2000s", err, text)
	}
	return r
}

// numbers are the fields of a check whose type writes exact numbers and does not read them.
var numbers = regexp.MustCompile(`"(ratio|weight)": [0-9.]+,\n`)

// table is the embedded profile's table of checks.
func table(t *testing.T) (header map[string]int, rows [][]string) {
	t.Helper()
	file, err := os.Open(filepath.Join("..", "..", "testdata", "platform", "checks.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	reader := csv.NewReader(file)
	reader.Comma = '\t'
	reader.LazyQuotes = true
	all, err := reader.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	header = map[string]int{}
	for i, name := range all[0] {
		header[name] = i
	}
	return header, all[1:]
}

func TestDemoScenariosStandAsTheTableSays(t *testing.T) {
	t.Parallel()
	tests := []struct {
		scenario, verdict string
		percent, code     int
	}{
		{"documented", "NO-GO", 87, 1},
		{"ready", "GO", 100, 0},
	}
	for _, tt := range tests {
		t.Run(tt.scenario, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := demo(t, tt.scenario, "check", "-o", "json")
			r := decode(t, stdout)
			if code != tt.code || r.Score.Percent != tt.percent || r.Verdict != tt.verdict {
				t.Errorf("exit %d, %d %%, %s; want %d, %d %%, %s\n%s", code, r.Score.Percent, r.Verdict, tt.code, tt.percent, tt.verdict, stderr)
			}
			if stderr != "" {
				t.Errorf("standard error: %s", stderr)
			}
			if p := r.Score.Previous; p == nil || p.Percent != 85 || p.TakenAt.Format("2006-01-02") != "2025-10-19" {
				t.Errorf("previous %+v, want 85 %% of 19 October 2025", p)
			}
			header, rows := table(t)
			if len(rows) != 47 {
				t.Fatalf("%d rows in the table", len(rows))
			}
			for _, row := range rows {
				id := row[header["check"]]
				if c := r.check(id); c.Status != row[header[tt.scenario]] {
					t.Errorf("%s is %q, want %q: %s %s", id, c.Status, row[header[tt.scenario]], c.Summary, c.Error)
				} else if c.Status == "pass" && len(c.Evidence) == 0 {
					t.Errorf("%s passes without evidence", id)
				}
			}
		})
	}
}

func TestCheckDocumentValidatesAgainstItsSchema(t *testing.T) {
	t.Parallel()
	code, text, _ := gonogo(t, "check", "--schema")
	if code != 0 {
		t.Fatalf("exit %d", code)
	}
	parsed, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("check.json", parsed); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("check.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"check", "-o", "json"}, {"check", "-o", "json", "--only", "worker-nodes"}} {
		_, stdout, _ := demo(t, "documented", args...)
		document, err := jsonschema.UnmarshalJSON(strings.NewReader(stdout))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(document); err != nil {
			t.Error(err)
		}
	}
}

func TestExplainScoreAddsUpExactly(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := demo(t, "documented", "explain", "score")
	if code != 0 {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	sum, lines := new(big.Rat), 0
	for _, m := range regexp.MustCompile(`(?m)^\S [a-z0-9-]+ +(?:pass|warn|fail|blocked|unknown|pending|not-applicable) +(\S+)`).FindAllStringSubmatch(stdout, -1) {
		points, ok := new(big.Rat).SetString(m[1])
		if !ok {
			t.Fatalf("%q is no number", m[1])
		}
		sum.Add(sum, points)
		lines++
	}
	if lines != 47 || sum.Cmp(big.NewRat(87, 1)) != 0 || !strings.Contains(stdout, "87 / 100 points = 87 %") {
		t.Errorf("%d lines add up to %s\n%s", lines, sum.RatString(), stdout)
	}
}

func TestOnlyAsksJustThose(t *testing.T) {
	t.Parallel()
	tests := []struct {
		only string
		code int
	}{
		{"prometheus-targets", 0}, {"worker-nodes", 1}, {"prometheus-targets,worker-nodes", 1}, {"images-mirrored", 1}, {"no-such-check", 2},
	}
	for _, tt := range tests {
		t.Run(tt.only, func(t *testing.T) {
			t.Parallel()
			code, stdout, _ := demo(t, "documented", "check", "--only", tt.only)
			if code != tt.code || strings.Contains(stdout, "87 %") {
				t.Errorf("exit %d, want %d\n%s", code, tt.code, stdout)
			}
		})
	}
}

func TestUsageErrorsSayWhatToWrite(t *testing.T) {
	t.Parallel()
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"check", "-o", "xml"}, "use table, json, yaml"},
		{[]string{"check", "--fail-on", "always"}, "no-go and unknown"},
		{[]string{"check", "--only", "worker-node"}, `no check "worker-node"`},
		{[]string{"chekc"}, "check"},
		{[]string{"check", "--nope"}, "--nope"},
		{[]string{"explain"}, "gonogo explain score"},
		{[]string{"--demo-fault", "harbor=500", "check"}, "--demo"},
		{[]string{"--demo", "--demo-fault", "harbor=broken", "check"}, "unauthorized"},
		{[]string{"--demo", "--demo-fault", "moon=down", "check"}, "kubernetes"},
		{[]string{"--demo", "--demo-scenario", "perfect", "check"}, "documented, ready"},
		{[]string{"--theme", "pink", "check"}, "dark"},
		{[]string{"--profile", "nowhere.yaml", "check"}, "nowhere.yaml"},
		{[]string{"--profile", "254carbo", "check"}, "254carbon"},
		{[]string{"history", "-o", "xml"}, "table or json"},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := gonogo(t, append([]string{"--state-dir", t.TempDir()}, tt.args...)...)
			if code != 2 || !strings.Contains(stderr, tt.want) || stdout != "" {
				t.Errorf("exit %d, standard error %q, want 2 and %q; standard output %q", code, stderr, tt.want, stdout)
			}
		})
	}
}

// TestFaultsBlindAndNeverBrighten breaks every connection in every way. What cannot be asked is unknown with a reason, nothing else is
// touched, and the sweep is not held up.
func TestFaultsBlindAndNeverBrighten(t *testing.T) {
	t.Parallel()
	p, err := profile.Builtin(profile.DefaultName, all.Kinds())
	if err != nil {
		t.Fatal(err)
	}
	slowest := time.Duration(0)
	gates := map[string]bool{}
	over := map[string][]string{} // the connections that a check asks over
	kinds := map[string]probes.KindInfo{}
	for _, k := range all.Kinds() {
		kinds[k.Name] = k
	}
	for _, c := range p.Checks() {
		slowest = max(slowest, c.Spec.Timeout)
		gates[string(c.Spec.ID)] = c.Spec.Gate
		over[string(c.Spec.ID)] = kinds[c.Kind].ConnectionsOf(c.Params)
		if c.Spec.Connection == "web" { // every page of the built-in profile is a Service's, asked through the API server
			over[string(c.Spec.ID)] = append(kinds[c.Kind].Others, "kubernetes")
		}
	}
	for _, broken := range []string{"prometheus", "harbor", "cloudflare", "kubernetes", "minio"} {
		for _, kind := range []string{"down", "slow", "500", "garbage", "huge", "reset", "unauthorized"} {
			t.Run(broken+"="+kind, func(t *testing.T) {
				t.Parallel()
				code, stdout, stderr := demo(t, "ready", "--demo-fault", broken+"="+kind, "check", "-o", "json")
				r := decode(t, stdout)
				if took := time.Duration(r.TookMs) * time.Millisecond; took > slowest+time.Second {
					t.Errorf("the sweep took %s, the slowest timeout is %s", took, slowest)
				}
				blind, blindGate := 0, false
				for _, comp := range r.Components {
					for _, c := range comp.Checks {
						switch {
						case c.Status == "blocked" && blindBlockers(r, c): // waits for what could not be asked
							blindGate = blindGate || gates[c.ID]
						case !slices.Contains(over[c.ID], broken) && c.Status != "pass":
							t.Errorf("%s over %s is %s: %s", c.ID, over[c.ID], c.Status, c.Summary)
						case c.Status == "unknown":
							blind++
							blindGate = blindGate || gates[c.ID]
							if len(c.Error) < 20 {
								t.Errorf("%s says too little of why: %q", c.ID, c.Error)
							}
						case slices.Contains(over[c.ID], broken) && kind != "unauthorized" && c.Status != "unknown":
							t.Errorf("%s over the broken %s is %s: %s", c.ID, broken, c.Status, c.Summary)
						}
					}
				}
				want, wantCode := "GO", 0
				if blindGate {
					want, wantCode = "UNKNOWN", 3
				}
				if blind == 0 {
					t.Error("nothing is blinded")
				}
				if r.Verdict != want || code != wantCode || r.Score.High != 100 {
					t.Errorf("%s, exit %d, high %d; want %s, %d, 100\n%s", r.Verdict, code, r.Score.High, want, wantCode, stderr)
				}
			})
		}
	}
}

// blindBlockers reports whether a blocked check waits for nothing but what could not be asked.
func blindBlockers(r result, c report.Check) bool {
	for _, by := range c.BlockedBy {
		if b := r.check(by); b.Status != "unknown" && !(b.Status == "blocked" && blindBlockers(r, b)) {
			return false
		}
	}
	return true
}

func TestBadProfilesSayWhereAndWhatInstead(t *testing.T) {
	t.Parallel()
	head := "apiVersion: gonogo/v1\nplatform: test\nthreshold: 95\n"
	check := func(lines string) string {
		return head + "components:\n- id: a\n  title: A\n  weight: 1\n  checks:\n" + lines
	}
	one := "  - {id: x, title: X, probe: kubernetes.nodes, weight: 1}\n"
	tests := map[string]struct {
		text, want string
	}{
		"typo in a key":      {check("  - {id: x, titel: X, probe: kubernetes.nodes, weight: 1}\n"), "did you mean"},
		"unknown probe":      {check("  - {id: x, title: X, probe: kubernetes.node, weight: 1}\n"), "kubernetes.nodes"},
		"duplicate id":       {check(one + one), "x"},
		"literal password":   {head + "connections:\n  harbor: {url: https://h, read: {username: {env: U}, password: hunter2-secret}}\n" + check(one)[len(head):], "{env: "},
		"cycle of blockers":  {check("  - {id: x, title: X, probe: kubernetes.nodes, weight: 1, blockedBy: [y]}\n  - {id: y, title: Y, probe: kubernetes.nodes, weight: 1, blockedBy: [x]}\n"), "x"},
		"nothing to check":   {head, "components"},
		"not YAML at all":    {"\x00\x01{", "bad.yaml"},
		"asked too often":    {check("  - {id: x, title: X, probe: defaults.credentials, weight: 1, every: 1h, with: {harbor: 'https://h'}}\n"), "24h0m0s"},
		"wrong type":         {check("  - {id: x, title: X, probe: kubernetes.nodes, weight: heavy}\n"), "weight"},
		"dangling reference": {check("  - {id: x, title: X, probe: kubernetes.nodes, weight: 1, blockedBy: [z]}\n"), "z"},
	}
	position := regexp.MustCompile(`bad\.yaml:\d+:\d+: `)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "bad.yaml")
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, args := range [][]string{{"profile", "validate", path}, {"--profile", path, "check"}} {
				code, stdout, stderr := gonogo(t, append([]string{"--state-dir", t.TempDir()}, args...)...)
				if code != 2 || !strings.Contains(stderr, tt.want) || stdout != "" || !position.MatchString(stderr) {
					t.Errorf("%v: exit %d, want 2 and %q with a place; standard error:\n%s", args, code, tt.want, stderr)
				}
				if strings.Contains(stderr, "hunter2") {
					t.Error("the secret is shown")
				}
			}
		})
	}
}

func TestAPipeGetsOneCheckAndNoEscapes(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := demo(t, "documented")
	if code != 1 || !strings.Contains(stdout, "87 %") || strings.Contains(stdout+stderr, "\x1b") {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
	if code, _, stderr := demo(t, "documented", "--wall"); code != 2 || !strings.Contains(stderr, "terminal") {
		t.Errorf("--wall without a terminal: exit %d, %s", code, stderr)
	}
}

func TestHistoryRemembersBetweenCommands(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	args := []string{"--demo", "--state-dir", dir}
	if code, _, stderr := gonogo(t, append(args, "check")...); code != 1 {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	code, stdout, stderr := gonogo(t, append(args, "history", "-o", "json")...)
	var h report.History
	if err := json.Unmarshal([]byte(stdout), &h); err != nil || code != 0 {
		t.Fatalf("exit %d, %v: %s", code, err, stderr)
	}
	var percents []string
	for _, s := range h.Scores {
		percents = append(percents, fmt.Sprint(s.Percent))
	}
	if strings.Join(percents, " ") != "85 87" || len(h.Changes) != 47 {
		t.Errorf("scores %v, %d changes", percents, len(h.Changes))
	}
	if code, stdout, _ := gonogo(t, append(args, "history", "worker-nodes")...); code != 0 || strings.Count(stdout, "worker-nodes") != 1 {
		t.Errorf("exit %d\n%s", code, stdout)
	}
}

func TestAFaultOnPurposeIsNoHistory(t *testing.T) {
	t.Parallel()
	args := []string{"--demo", "--state-dir", t.TempDir()}
	if code, _, stderr := gonogo(t, append(args, "--demo-fault", "prometheus=500", "check")...); code != 1 {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	_, stdout, _ := gonogo(t, append(args, "check", "-o", "json")...)
	if p := decode(t, stdout).Score.Previous; p == nil || p.Percent != 85 {
		t.Errorf("previous %+v after a fault on purpose, want 85 %%", p)
	}
}

func TestADamagedHistoryStopsNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, sub := range []string{"", "demo/documented"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, sub, "history.db"), []byte(strings.Repeat("garbage", 1000)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	code, stdout, stderr := gonogo(t, "--demo", "--state-dir", dir, "check")
	if code != 1 || !strings.Contains(stdout, "87 %") || !strings.Contains(stderr, "history is not kept") {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
}

func TestNoClusterLeavesTheRestWorking(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "p.yaml")
	text := "apiVersion: gonogo/v1\nplatform: test\nthreshold: 1\ncomponents:\n- id: a\n  title: A\n  weight: 1\n  checks:\n" +
		"  - {id: nodes, title: Nodes, probe: kubernetes.nodes, weight: 1}\n" +
		"  - {id: command, title: Command, probe: command, weight: 1, with: {argv: ['true']}}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "config")
	if err := os.WriteFile(config, []byte("apiVersion: v1\nkind: Config\ncontexts: [{name: a, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]\nusers: [{name: u, user: {token: t}}]\ncurrent-context: a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"no such kubeconfig": {"--kubeconfig", filepath.Join(dir, "none")},
		"no such context":    {"--kubeconfig", config, "--context", "b"},
		"nobody there":       {"--kubeconfig", config},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := gonogo(t, append(args, "--state-dir", dir, "--profile", path, "check", "-o", "json")...)
			r := decode(t, stdout)
			if nodes, command := r.check("nodes"), r.check("command"); code != 0 && code != 3 || nodes.Status != "unknown" || nodes.Error == "" || command.Status != "pass" {
				t.Errorf("exit %d; nodes %s (%s), command %s (%s)\n%s", code, nodes.Status, nodes.Error, command.Status, command.Error, stderr)
			}
			if strings.Count(stderr, "\n") > 1 {
				t.Errorf("more than a sentence:\n%s", stderr)
			}
		})
	}
}
