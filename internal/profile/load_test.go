package profile_test

import (
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/254carbon/gonogo/internal/profile"
	"github.com/254carbon/gonogo/probes"
)

// nodesParams are parameters as a kind of probe declares them.
type nodesParams struct {
	Min     int               `yaml:"min" jsonschema:"required,minimum=1"`
	Grace   time.Duration     `yaml:"grace,omitempty"`
	Labels  map[string]string `yaml:"labels,omitempty"`
	Of      []target          `yaml:"of,omitempty"`
	Login   *probes.SecretRef `yaml:"login,omitempty"`
	Part    float64           `yaml:"part,omitempty"`
	Exactly *bool             `yaml:"exactly,omitempty"`
	Common  `yaml:",inline"`
}

// Common is inlined.
type Common struct {
	Note string `yaml:"note,omitempty"`
}

type target struct {
	Name string `yaml:"name"`
}

func (p *nodesParams) Validate() error {
	if p.Min > 9 {
		return fmt.Errorf("min must be at most 9, not %d", p.Min)
	}
	return nil
}

func testKinds() []probes.KindInfo {
	return []probes.KindInfo{
		{
			Name: "nodes", About: "Counts nodes.", Connection: "kubernetes", OnChange: true, Every: time.Minute, Timeout: 10 * time.Second, Confirm: 2,
			Params: func() any { return &nodesParams{Min: 3, Grace: time.Minute} },
		},
		{Name: "registry", Connection: "harbor", Every: time.Minute, Timeout: 10 * time.Second, Confirm: 1},
		{Name: "plain", Connection: "demo", Every: time.Minute, Timeout: 5 * time.Second, Confirm: 2, Params: func() any { return &struct{}{} }},
	}
}

const base = `apiVersion: gonogo/v1
platform: Test
threshold: 95
connections:
  harbor: {url: https://harbor.example.com, read: {username: {env: HARBOR_USER}, password: {env: HARBOR_PASSWORD}}}
components:
- id: one
  title: First component
  weight: 18
  declared: 100
  effort: {remaining: 2h-3h, invested: 1d}
  checks:
  - id: nodes
    title: There are nodes
    probe: nodes
    with: {min: 2}
    weight: 3
    gate: true
    every: watch
    remedy: Add a node.
    action: join
    effort: 3d-5d
  - id: door
    title: The door is right
    probe: registry
    weight: 0.5
    blockedBy: [nodes]
    every: 30s
    timeout: 5s
    confirm: 3
actions:
  join: {title: Print the join command, estimate: 30m}
waivers:
- {check: nodes, owner: ops, reason: in delivery, expires: 2026-12-31}
attestations:
- {check: door, by: me, on: 2026-01-01, expires: 2026-02-01, note: looked}
`

func mustLoad(t *testing.T, src string) *profile.Profile {
	t.Helper()
	p, err := profile.Load("test.yaml", []byte(src), testKinds())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestLoad(t *testing.T) {
	p := mustLoad(t, base)
	o := p.Outline()
	day := 8 * time.Hour
	declared := 100
	want := &probes.Outline{
		Platform: "Test", Profile: "test", Threshold: big.NewRat(95, 1),
		Components: []probes.Component{{
			ID: "one", Title: "First component", Weight: big.NewRat(18, 1), Declared: &declared,
			Remaining: probes.Effort{Min: 2 * time.Hour, Max: 3 * time.Hour}, Invested: probes.Effort{Min: day, Max: day},
		}},
		Specs: []probes.Spec{
			{
				ID: "nodes", Component: "one", Title: "There are nodes", Probe: "nodes", Connection: "kubernetes", Weight: big.NewRat(3, 1), Gate: true,
				Every: 30 * time.Second, OnChange: true, Timeout: 10 * time.Second, Confirm: 2, Remedy: "Add a node.", Action: "join",
				Effort: probes.Effort{Min: 3 * day, Max: 5 * day},
			},
			{
				ID: "door", Component: "one", Title: "The door is right", Probe: "registry", Connection: "harbor", Weight: big.NewRat(1, 2),
				BlockedBy: []probes.ID{"nodes"}, Every: 30 * time.Second, Timeout: 5 * time.Second, Confirm: 3,
			},
		},
		Actions: map[probes.ID]string{"join": "Print the join command"},
		Waivers: []probes.Waiver{{Check: "nodes", Owner: "ops", Reason: "in delivery", Expires: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)}},
	}
	same := cmp.Comparer(func(a, b *big.Rat) bool { return a.Cmp(b) == 0 })
	if diff := cmp.Diff(want, o, same); diff != "" {
		t.Errorf("outline (-want +got):\n%s", diff)
	}
	nodes, _ := p.Check("nodes")
	if diff := cmp.Diff(&nodesParams{Min: 2, Grace: time.Minute}, nodes.Params); diff != "" {
		t.Errorf("parameters and their defaults (-want +got):\n%s", diff)
	}
	if got := nodes.Pos.String(); got != "test.yaml:13:5" {
		t.Errorf("check nodes is at %s", got)
	}
	if a, ok := p.Action("join"); !ok || a.Kind != "join" || probes.Effort(a.Estimate) != (probes.Effort{Min: 30 * time.Minute, Max: 30 * time.Minute}) {
		t.Errorf("action %+v", a)
	}
	at := p.Attestations[0]
	for moment, valid := range map[string]bool{"2025-12-31T23:59:59Z": false, "2026-01-01T00:00:00Z": true, "2026-02-01T23:59:59Z": true, "2026-02-02T00:00:00Z": false} {
		now, _ := time.Parse(time.RFC3339, moment)
		if at.ValidAt(now) != valid {
			t.Errorf("attestation at %s: valid is %v", moment, !valid)
		}
	}
}

func TestDefaultsAndConditions(t *testing.T) {
	t.Setenv("GONOGO_TEST_ON", "1")
	t.Setenv("GONOGO_TEST_OFF", "")
	src := `
apiVersion: gonogo/v1
platform: Test
threshold: 0
components:
- id: one
  title: One
  weight: 1
  checks:
  - {id: plain, title: t, probe: nodes, weight: 1, with: &min {min: 1}}
  - {id: polled, title: t, probe: nodes, weight: 1, every: 1h, with: *min}
  - {id: gone, title: t, probe: registry, weight: 1, when: {connection: harbor}}
  - {id: here, title: t, probe: nodes, with: *min, weight: 1, when: {connection: kubernetes}}
  - {id: env-on, title: t, probe: nodes, with: *min, weight: 1, when: {env: GONOGO_TEST_ON}}
  - {id: env-off, title: t, probe: nodes, with: *min, weight: 1, when: {env: GONOGO_TEST_OFF}}
`
	type timing struct {
		Every    time.Duration
		OnChange bool
		Exempt   string
	}
	got := map[string]timing{}
	for _, c := range mustLoad(t, src).Checks() {
		got[string(c.Spec.ID)] = timing{c.Spec.Every, c.Spec.OnChange, c.Spec.Exempt}
	}
	want := map[string]timing{
		"plain": {time.Minute, true, ""}, "polled": {time.Hour, true, ""},
		"gone": {time.Minute, false, "the profile configures no connection harbor"}, "here": {time.Minute, true, ""},
		"env-on": {time.Minute, true, ""}, "env-off": {time.Minute, true, "the environment variable GONOGO_TEST_OFF is not set"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

const secret = "Hunter2-ChangeMe123!"

// TestFaults makes one change to a good profile and compares everything that is said about it.
func TestFaults(t *testing.T) {
	const places = "write {env: NAME}, {file: PATH}, {secret: namespace/name/key} or {command: [argv…]}"
	for _, c := range []struct{ name, from, to, want string }{
		{"typo in a key", "    weight: 3\n", "    wieght: 3\n", `test.yaml:17:5: unknown key "wieght" in components[0].checks[0]; did you mean "weight"?`},
		{"typo at the top", "platform:", "platfrom:", `test.yaml:2:1: unknown key "platfrom" in the profile; did you mean "platform"?`},
		{"nothing like it", "    gate: true", "    xyzzy: true", `test.yaml:18:5: unknown key "xyzzy" in components[0].checks[0]; known are action, blockedBy, confirm, effort, every, gate, id, probe, remedy, timeout, title, weight, when, with`},
		{"unknown probe", "probe: registry", "probe: regestry", `test.yaml:25:12: unknown probe "regestry"; did you mean "registry"?`},
		{"unknown probe unlike any", "probe: registry", "probe: telepathy", `test.yaml:25:12: unknown probe "telepathy"; known are nodes, plain, registry`},
		{"duplicate id", "id: door", "id: nodes", `test.yaml:23:9: check nodes is declared twice, first in line 13; give one of them another id
test.yaml:36:11: check "door" is not declared; known are nodes`},
		{"duplicate key", "    gate: true\n", "    gate: true\n    gate: false\n", `test.yaml:19:5: key "gate" is written twice in components[0].checks[0], first in line 18; remove one of them`},
		{"literal password", "password: {env: HARBOR_PASSWORD}", "password: " + secret,
			"test.yaml:5:92: connections.harbor.read.password: a secret is never written in a profile (its text is not shown here); " + places},
		{"literal user", "username: {env: HARBOR_USER}", "username: " + secret,
			"test.yaml:5:62: connections.harbor.read.username: a secret is never written in a profile (its text is not shown here); " + places},
		{"literal as a mapping", "read: {username: {env: HARBOR_USER}, password: {env: HARBOR_PASSWORD}}", "read: " + secret,
			"test.yaml:5:51: connections.harbor.read: want a mapping, found text; write keys and values"},
		{"password as an alias", "password: {env: HARBOR_PASSWORD}", "password: *" + secret,
			"test.yaml:5:92: not YAML: an alias (*) refers to no anchor (&); check quotes, brackets and indentation around here"},
		{"password in the place of a name", "{env: HARBOR_PASSWORD}", "{env: \"" + secret + "\"}",
			"test.yaml:5:92: connections.harbor.read.password: env must be the name of an environment variable, like HARBOR_PASSWORD; what stands there is not shown"},
		{"password in a URL", "https://harbor.example.com", "https://admin:" + secret + "@harbor.example.com",
			"test.yaml:5:17: connections.harbor.url: a URL with a password in it (its text is not shown here); leave user and password out of the URL, and for the password " + places},
		{"user in a URL", "https://harbor.example.com", "https://" + secret + "@harbor.example.com",
			"test.yaml:5:17: connections.harbor.url: a URL with user or password in it (its text is not shown here); leave them out, and for the password " + places},
		{"password where none belongs", "estimate: 30m}", "estimate: 30m, with: {deep: {apiToken: " + secret + "}}}",
			"test.yaml:32:80: actions.join.with.deep.apiToken: a secret is never written in a profile (its text is not shown here); " + places},
		{"two places", "{env: HARBOR_PASSWORD}", "{env: A, file: b}",
			"test.yaml:5:92: connections.harbor.read.password: a secret is kept in exactly one place; " + places},
		{"cycle of blockers", "    gate: true\n", "    gate: true\n    blockedBy: [door]\n",
			"test.yaml:28:17: checks block each other: nodes ← door ← nodes; remove one of these blockers"},
		{"blocks itself", "blockedBy: [nodes]", "blockedBy: [door]", "test.yaml:27:17: checks block each other: door ← door; remove one of these blockers"},
		{"dangling blocker", "blockedBy: [nodes]", "blockedBy: [node]", `test.yaml:27:17: check "node" is not declared; did you mean "nodes"?`},
		{"dangling action", "action: join", "action: jion", `test.yaml:21:13: action "jion" is not declared; did you mean "join"?`},
		{"dangling waiver", "{check: nodes, owner", "{check: nods, owner", `test.yaml:34:11: check "nods" is not declared; did you mean "nodes"?`},
		{"waiver for no gate", "{check: nodes, owner", "{check: door, owner", `test.yaml:34:11: check door is no gate; a waiver covers a gate, so that this one would change nothing: remove it`},
		{"connection not declared", "connections:\n  harbor:", "connections:\n  minio:", `test.yaml:25:12: probe registry asks over the connection harbor, which is not declared; declare it under connections, or write when: {connection: harbor}
test.yaml:5:48: unknown key "username"`},
		{"unknown condition", "    every: 30s", "    when: {connection: habor}", `test.yaml:28:24: unknown connection "habor"; did you mean "harbor"?`},
		{"both conditions", "    every: 30s", "    when: {connection: harbor, env: X}", `test.yaml:28:11: when wants exactly one condition; write {connection: NAME} or {env: NAME}`},
		{"negative weight", "weight: 0.5", "weight: -1", `test.yaml:26:13: components[0].checks[1].weight must not be negative; write 0 or more`},
		{"weight in words", "weight: 0.5", "weight: half", `test.yaml:26:13: components[0].checks[1].weight: want a number, found text ("half"); write one like 3 or 0.5`},
		{"monstrous weight", "weight: 0.5", "weight: 1e999999999", `test.yaml:26:13: components[0].checks[1].weight: want a number, found text ("1e999999999"); write one like 3 or 0.5`},
		{"bad interval", "every: 30s", "every: 30", `test.yaml:28:12: components[0].checks[1].every: want an interval, found a number ("30"); write one like 30s, 10m or 24h, or watch`},
		{"hasty interval", "every: 30s", "every: 5ms", `test.yaml:28:12: components[0].checks[1].every: 5ms is no sensible interval; write one between 1s and 720h`},
		{"watching what cannot", "every: 30s", "every: watch", `test.yaml:28:12: probe registry cannot watch; write how often it is asked, like 1m0s`},
		{"bad timeout", "timeout: 5s", "timeout: 5 s", `test.yaml:29:14: components[0].checks[1].timeout: want a time span, found text ("5 s"); write one like 30s, 10m or 24h`},
		{"endless timeout", "timeout: 5s", "timeout: 5h", `test.yaml:29:14: components[0].checks[1].timeout: 5h0m0s is no sensible deadline; write one between 100ms and 10m`},
		{"confirm nothing", "confirm: 3", "confirm: 0", `test.yaml:30:14: confirm must be from 1 to 10, not 0`},
		{"bad effort", "effort: 3d-5d", "effort: 3 days", `test.yaml:22:13: components[0].checks[0].effort: "3 days" is no estimate; write one like 2h, 2h-3h or 3d-5d (a day has 8 hours)`},
		{"effort backwards", "effort: 3d-5d", "effort: 5d-3d", `test.yaml:22:13: components[0].checks[0].effort: "5d-3d" ends before it begins; write the smaller estimate first`},
		{"threshold too high", "threshold: 95", "threshold: 101", `test.yaml:3:12: threshold must be a percentage from 0 to 100, not 101`},
		{"threshold negative", "threshold: 95", "threshold: -5", `test.yaml:3:12: threshold must not be negative; write 0 or more`},
		{"no threshold", "threshold: 95\n", "", `test.yaml:1:1: missing key "threshold" in the profile; write it`},
		{"declared too much", "declared: 100", "declared: 120", `test.yaml:10:13: declared must be a percentage from 0 to 100, not 120`},
		{"day that does not exist", "expires: 2026-12-31", "expires: 2026-02-30", `test.yaml:34:60: waivers[0].expires: want a date that exists, found text ("2026-02-30"); write one like 2026-12-31`},
		{"expired before given", "expires: 2026-02-01", "expires: 2025-02-01", `test.yaml:36:50: the attestation expires before it was given; write a later day`},
		{"other version", "gonogo/v1", "gonogo/v2", `test.yaml:1:13: apiVersion "gonogo/v2" is not known; write gonogo/v1`},
		{"id with blanks", "id: door", "id: The Door", `test.yaml:23:9: "The Door" is no id; write small letters, digits, dots and hyphens, at most 63
test.yaml:36:11: check "door" is not declared; known are The Door, nodes`},
		{"empty text", "title: There are nodes", "title: ' '", `test.yaml:14:12: components[0].checks[0].title is empty; write what it is`},
		{"text as number", "title: There are nodes", "title: 3", `test.yaml:14:12: components[0].checks[0].title: want text, found a number ("3"); put it in quotes if it is meant as text`},
		{"yes for true", "gate: true", "gate: yes", `test.yaml:18:11: components[0].checks[0].gate: want true or false, found text ("yes"); write true or false`},
		{"nothing", "remedy: Add a node.", "remedy:", `test.yaml:20:12: components[0].checks[0].remedy has no value; write one, or remove the key`},
		{"list expected", "blockedBy: [nodes]", "blockedBy: nodes", `test.yaml:27:16: components[0].checks[1].blockedBy: want a list, found text ("nodes"); write [one, two], or each on a line of its own after a dash`},
		{"parameter typo", "{min: 2}", "{min: 2, graze: 1m}", `test.yaml:16:20: unknown key "graze" in nodes.with; did you mean "grace"?`},
		{"parameter of another type", "{min: 2}", "{min: two}", `test.yaml:16:17: nodes.with.min: want a whole number, found text; write one like 3`},
		{"parameter deep inside", "{min: 2}", "{min: 2, of: [{name: a}, {nam: b}]}", `test.yaml:16:37: unknown key "nam" in nodes.with.of[1]; did you mean "name"?`},
		{"parameter missing", "{min: 2}", "{grace: 1m}", `test.yaml:16:11: missing key "min" in nodes.with; write it`},
		{"parameter invalid", "{min: 2}", "{grace: 1m, min: 12}", `test.yaml:16:28: nodes.with: min must be at most 9, not 12`},
		{"parameter literal secret", "{min: 2}", "{min: 2, login: " + secret + "}", "test.yaml:16:27: nodes.with.login: a secret is never written in a profile (its text is not shown here); " + places},
		{"no parameters wanted", "    every: 30s", "    with: {a: 1}", `test.yaml:28:11: probe registry takes no parameters; remove with`},
		{"merge key", "connections:\n", "connections:\n  <<: {}\n", `test.yaml:5:3: connections: merge keys (<<) are not supported; write the keys out`},
		{"tag", "platform: Test", "platform: !!str Test", `test.yaml:2:11: platform: tags (!…) have no meaning in a profile; write the value alone`},
		{"escape sequence", "title: There are nodes", `title: "There \e[2J are nodes"`, `test.yaml:14:12: components[0].checks[0].title holds a control character, which has no place in a profile; remove it`},
		{"second document", "", "", "test.yaml:37:1: a second YAML document begins here; a profile is one document"},
		{"unknown action key", "{title: Print the join command", "{token-ttl: 3, title: Print the join command", `test.yaml:32:10: unknown key "token-ttl" in actions.join; known are estimate, key, kind, title, with`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.from != "" && strings.Count(base, c.from) != 1 {
				t.Fatalf("%q stands in the good profile %d times", c.from, strings.Count(base, c.from))
			}
			src := strings.Replace(base, c.from, c.to, 1)
			if c.name == "second document" {
				src = base + "---\nmore: 1\n"
			}
			if c.name == "connection not declared" { // its keys are others
				src = strings.Replace(base, "  harbor: {url: https://harbor.example.com, read: {username: {env: HARBOR_USER}, password: {env: HARBOR_PASSWORD}}}\n", "  kubernetes: {context: x}\n", 1)
				c.want, _, _ = strings.Cut(c.want, "\n")
			}
			_, err := profile.Load("test.yaml", []byte(src), testKinds())
			if err == nil {
				t.Fatal("no fault was found")
			}
			if diff := cmp.Diff(c.want, err.Error()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if strings.Contains(err.Error(), "Hunter2") {
				t.Error("the secret is shown")
			}
			var fault profile.Fault
			if !errors.As(err, &fault) || fault.Pos.Line == 0 {
				t.Errorf("no place in %#v", err)
			}
		})
	}
}

func TestFaultsOfConnections(t *testing.T) {
	for to, want := range map[string]string{
		"prometheus: {}": `test.yaml:5:15: connections.prometheus: neither service nor url; write service: "namespace/name:port" or url: https://…`,
		"prometheus: {service: 'm/p:9090', url: https://p}":               "test.yaml:5:42: connections.prometheus: both service and url; keep one of them",
		"prometheus: {service: p}":                                        `test.yaml:5:25: connections.prometheus.service must be namespace/name:port, like "monitoring/prometheus-operated:9090"`,
		"prometheus: {url: 'ftp://p'}":                                    "test.yaml:5:21: connections.prometheus.url must begin with https:// or http://",
		"prometheus: {url: 'https:///p'}":                                 "test.yaml:5:21: connections.prometheus.url names no host; write one like https://host:port/path",
		"prometheus: {url: 'https://p/?x=1'}":                             "test.yaml:5:21: connections.prometheus.url: a base URL has no query and no fragment; write what comes before the ? or #",
		"prometheus: {url: 'https://p', read: {username: {env: A}}}":      "test.yaml:5:40: connections.prometheus.read: write username and password, or token",
		"prometheus: {url: 'http://[::1', read: {token: {env: T}}}":       "test.yaml:5:21: connections.prometheus.url is not a URL; write one like https://host:port/path",
		"harbor: {read: {username: {env: A}}}":                            "test.yaml:5:11: missing key \"url\" in connections.harbor; write it\ntest.yaml:5:18: missing key \"password\" in connections.harbor.read; write it",
		"cloudflare: {apiURL: 'https://a'}":                               `test.yaml:5:15: missing key "account" in connections.cloudflare; write it`,
		"cloudflare: {account: 12}":                                       "test.yaml:5:25: connections.cloudflare.account: want text, found a number; put it in quotes if it is meant as text",
		"postgres: {read: {dsn: 'postgres://u:Hunter2@h/d'}}":             "test.yaml:5:26: connections.postgres.read.dsn: a secret is never written in a profile (its text is not shown here); write {env: NAME}, {file: PATH}, {secret: namespace/name/key} or {command: [argv…]}",
		"minio: {url: 'https://m', read: {accessKey: a, secretKey: 'b'}}": "test.yaml:5:47: connections.minio.read.accessKey: a secret is never written in a profile (its text is not shown here); write {env: NAME}, {file: PATH}, {secret: namespace/name/key} or {command: [argv…]}\ntest.yaml:5:61: connections.minio.read.secretKey: a secret is never written in a profile (its text is not shown here); write {env: NAME}, {file: PATH}, {secret: namespace/name/key} or {command: [argv…]}",
		"checkout: {path: ''}\ncluster: {uid: 12}":                        "test.yaml:5:20: connections.checkout.path is empty; write what it is\ntest.yaml:6:16: cluster.uid: want text, found a number (\"12\"); put it in quotes if it is meant as text",
		"kubernetes: {context: x}\ncluster: {uid: abc}":                   "test.yaml:6:16: cluster.uid is not a UID; kubectl get namespace kube-system -o jsonpath={.metadata.uid} prints it",
	} {
		src := "apiVersion: gonogo/v1\nplatform: Test\nthreshold: 95\nconnections:\n  " + to +
			"\ncomponents: [{id: a, title: A, weight: 1, checks: [{id: c, title: C, probe: plain, weight: 1}]}]\n"
		_, err := profile.Load("test.yaml", []byte(src), testKinds())
		if err == nil {
			t.Errorf("%s: no fault", to)
			continue
		}
		if diff := cmp.Diff(want, err.Error()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", to, diff)
		}
		if strings.Contains(err.Error(), "Hunter2") {
			t.Error("the secret is shown")
		}
	}
}

func TestRefusedAsAWhole(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c <= 'i'; c++ {
		bomb += fmt.Sprintf("%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", c, c, c-1, c-1, c-1, c-1, c-1, c-1, c-1, c-1, c-1, c-1)
	}
	many := strings.Repeat("k: [\n", 1)
	for i := range 50 {
		many += fmt.Sprintf("{x%d: &y%d 1},\n", i, i)
	}
	for name, c := range map[string]struct{ src, want string }{
		"empty":         {"", "test.yaml: the profile is empty; gonogo profile init writes one to begin with"},
		"comment":       {"# nothing\n", "test.yaml: the profile is empty; gonogo profile init writes one to begin with"},
		"bomb":          {bomb, "expand to more than 100000 values"},
		"too large":     {"# " + strings.Repeat("x", 1<<20), "larger than 1024 KiB"},
		"not UTF-8":     {"platform: \xff\xfe", "not UTF-8"},
		"deep":          {"a: " + strings.Repeat("[", 100) + strings.Repeat("]", 100), "nested more than 32 levels deep"},
		"very deep":     {strings.Repeat("[", 100_000), "not YAML"},
		"broken":        {"platform: \"" + secret, "not YAML"},
		"tab":           {"a:\n\tb: 1\n", "test.yaml:2:1: not YAML: a line is indented with a tab, write spaces;"},
		"bracket":       {"a: [1, 2\nb: 3\n", "did not find expected ',' or ']'"},
		"all missing":   {"{}", `test.yaml:1:1: missing keys "apiVersion", "platform", "threshold", "components" in the profile; write them`},
		"itself":        {"a: &a [*a]", "test.yaml:1"},
		"a list":        {"- a\n- b\n", "test.yaml:1:1: the profile: want a mapping, found a list"},
		"a word":        {"hello", "test.yaml:1:1: the profile: want a mapping, found text"},
		"key is a list": {"[a, b]: 1\n", "a key must be a word"},
	} {
		_, err := profile.Load("test.yaml", []byte(c.src), testKinds())
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "Hunter2") {
			t.Errorf("%s: the secret is shown", name)
		}
	}
}

func TestFaultsAreBounded(t *testing.T) {
	src := base
	for i := range 50 {
		src += fmt.Sprintf("wrong%d: 1\n", i)
	}
	_, err := profile.Load("test.yaml", []byte(src), testKinds())
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 21 || lines[20] != "and 30 more" {
		t.Errorf("%d lines, the last being %q", len(lines), lines[len(lines)-1])
	}
}

func TestAliasesAreValues(t *testing.T) {
	src := strings.Replace(base, "with: {min: 2}", "with: &two {min: 2}", 1)
	src = strings.Replace(src, "probe: registry", "probe: nodes\n    with: *two", 1)
	c, _ := mustLoad(t, src).Check("door")
	if got := c.Params.(*nodesParams).Min; got != 2 {
		t.Errorf("min is %d", got)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(base))
	source, _ := profile.BuiltinSource(profile.DefaultName)
	f.Add(source)
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("apiVersion: gonogo/v1\ncomponents: [{checks: [{with: {min: [}]}]"))
	f.Fuzz(func(t *testing.T, src []byte) {
		p, err := profile.Load("fuzz.yaml", src, testKinds())
		if err != nil {
			if len(err.Error()) > 40_000 || strings.ContainsRune(err.Error(), '\x1b') {
				t.Errorf("unsafe message of %d bytes", len(err.Error()))
			}
			return
		}
		if _, err := probes.NewChecklist(p.Outline()); err != nil {
			t.Errorf("a loaded profile is no outline: %v", err)
		}
		shown, err := p.Show()
		if err != nil {
			t.Fatalf("showing: %v", err)
		}
		if _, err := profile.Load("shown.yaml", shown, testKinds()); err != nil {
			t.Errorf("what is shown does not load: %v\n%s", err, shown)
		}
	})
}
