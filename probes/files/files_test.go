package files

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/evidence"
	"github.com/254carbon/gonogo/probes/probetest"
)

var noon = time.Date(2025, 10, 20, 12, 0, 0, 0, time.UTC)

// shelf is a checkout in memory.
type shelf struct {
	fstest.MapFS
	change Change
	err    error  // of opening
	late   error  // of looking for changes
	sick   string // a file that the disk does not give
}

func (s shelf) Stat(name string) (fs.FileInfo, error) {
	if name == s.sick {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: syscall.EIO}
	}
	return s.MapFS.Stat(name)
}

func (s shelf) Revision() string { return "commit 1a2b3c4" }
func (s shelf) Close() error     { return nil }
func (s shelf) Changed(context.Context, string, time.Time) (Change, error) {
	return s.change, s.late
}

func sick(name string) shelf {
	s := full()
	s.sick = name
	return s
}

// room is where a shelf stands.
type room struct{ shelf }

func (r room) Name() string                       { return "~/hmco" }
func (r room) Open(context.Context) (Tree, error) { return r.shelf, r.err }

func (s shelf) with(name, text string, mode fs.FileMode) shelf {
	all := fstest.MapFS{}
	for k, v := range s.MapFS {
		all[k] = v
	}
	all[name] = &fstest.MapFile{Data: []byte(text), Mode: mode}
	s.MapFS = all
	return s
}

func (s shelf) without(names ...string) shelf {
	all := fstest.MapFS{}
	for k, v := range s.MapFS {
		all[k] = v
	}
	for _, name := range names {
		delete(all, name)
	}
	s.MapFS = all
	return s
}

// note is an evidence record in memory.
type note struct {
	entries []evidence.Entry
	err     error
	hang    bool
}

func (n note) Read(ctx context.Context) (probes.Seen[evidence.Entry], error) {
	if n.hang {
		<-ctx.Done()
		return probes.Seen[evidence.Entry]{}, ctx.Err()
	}
	return probes.Seen[evidence.Entry]{Items: n.entries, Request: probes.Request{Source: "GET record", Repeat: "kubectl get configmap"}}, n.err
}

func (n note) Watch(func()) func() { return func() {} }

const good = "#!/usr/bin/env bash\nset -euo pipefail\ncount=0\ncount=$((count + 1))\necho \"$count\"\n"

func prosaic(about string) string {
	return "# " + about + "\n\n" + strings.Repeat("This is how "+about+" is done here. ", 10)
}

func full() shelf {
	return shelf{
		MapFS: fstest.MapFS{
			"README.md":       {Data: []byte("# Read me\n\nWhere things are.\n"), Mode: 0o644},
			"docs/backup.md":  {Data: []byte(prosaic("backing up")), Mode: 0o644},
			"docs/restore.md": {Data: []byte(prosaic("restoring")), Mode: 0o644},
			"scripts/a.sh":    {Data: []byte(good), Mode: 0o755},
			"scripts/b.py":    {Data: []byte("#!/usr/bin/env python3\nprint(1)\n"), Mode: 0o755},
			"scripts/x.txt":   {Data: []byte("no script"), Mode: 0o644},
		},
		change: Change{At: noon.Add(-26 * time.Hour), How: "commit 1a2b3c4"},
	}
}

func on(p Params, s shelf) func(*testing.T) probes.Probe {
	return func(t *testing.T) probes.Probe {
		t.Helper()
		if err := p.Validate(); err != nil {
			t.Fatal(err)
		}
		return New(room{s}, note{}, "readme", p, func() time.Time { return noon })
	}
}

func failing(name string, p func(*testing.T) probes.Probe, says ...string) probetest.World {
	return probetest.World{Name: name, New: p, Want: probes.Fail, Says: says}
}

func TestGuides(t *testing.T) {
	p := Params{Guides: &Guides{Min: 2, Roles: []Role{{"backup", []string{"docs/**/*backup*.md"}}, {"restore", []string{"docs/restore.md", "docs/dr/*.md"}}}}}
	probetest.Suite{
		New: on(p, full()),
		Worlds: []probetest.World{
			failing("empty folder", on(p, shelf{MapFS: fstest.MapFS{}}), "no guide for backup", "0 guides"),
			failing("one role without", on(p, full().without("docs/restore.md")), "no guide for restore", "1 guide, 2 are needed"),
			failing("a stub", on(p, full().with("docs/restore.md", "# Restore\n\nTBD\n", 0o644)), "no guide for restore", "stub of 1 word"),
			failing("headings alone", on(p, full().with("docs/restore.md", strings.Repeat("## One more heading that says nothing\n", 20), 0o644)), "is empty"),
			failing("comments alone", on(p, full().with("docs/restore.md", "<!-- "+prosaic("x")+" -->", 0o644)), "is empty"),
			failing("empty", on(p, full().with("docs/restore.md", "", 0o644)), "is empty"),
			failing("copies", on(p, full().with("docs/restore.md", prosaic("backing up"), 0o644)), "1 guide, 2 are needed"),
			failing("no text", on(p, full().with("docs/restore.md", strings.Repeat("\xff\xfe word ", 100), 0o644)), "is no text"),
			failing("a merge not finished", on(p, full().with("docs/restore.md", "<<<<<<< HEAD\n"+prosaic("x")+"\n>>>>>>> b\n", 0o644)), "merge"),
			failing("a folder of that name", on(p, full().without("docs/restore.md").with("docs/restore.md/x.txt", prosaic("x"), 0o644)), "no guide for restore"),
			failing("too large", on(p, full().with("docs/restore.md", strings.Repeat("word ", 300_000), 0o644)), "cannot be read"),
			{Name: "in a folder below", New: on(p, full().without("docs/backup.md").with("docs/a/b/my-backup-guide.md", prosaic("y"), 0o644)), Want: probes.Pass, Shows: []string{"docs/a/b/my-backup-guide.md"}},
			{Name: "front matter", New: on(p, full().with("docs/restore.md", "---\ntitle: x\n---\n"+prosaic("z"), 0o644)), Want: probes.Pass},
		},
		Errors: []probetest.Failure{
			{Name: "no checkout", New: on(p, shelf{err: fs.ErrNotExist}), Says: []string{"no checkout at ~/hmco and no finding"}},
			{Name: "the disk is ill", New: on(p, sick("docs/restore.md")), Says: []string{"docs/restore.md", "input/output error"}},
		},
	}.Run(t)
}

func TestScripts(t *testing.T) {
	p := Params{Scripts: &Scripts{Files: []string{"scripts/**"}, Min: 2, Defects: "warn", Sourced: []string{"scripts/lib/*"}}}
	named := Params{Scripts: &Scripts{Names: []string{"scripts/a.sh"}}}
	with := func(text string) func(*testing.T) probes.Probe {
		return on(p, full().with("scripts/c.sh", text, 0o755))
	}
	warns := func(name, body string, says ...string) probetest.World {
		return probetest.World{Name: name, New: with("#!/bin/bash\nset -e\n" + body), Want: probes.Warn, Ratio: probes.Part(1, 2), Says: append(says, "scripts/c.sh"), Never: []string{"hunter2"}}
	}
	foreign := probetest.World{
		Name: "of a language that is not parsed", Want: probes.Pass, Says: []string{"3 scripts, executable, 1 of them parse", "not parsed: 2 of python3"}, Shows: []string{"python3 is not parsed here"},
		New: with("#!/usr/bin/env python3\nprint('\n"),
	}
	passes := func(name, text string) probetest.World {
		return probetest.World{Name: name, New: with(text), Want: probes.Pass, Says: []string{"3 scripts"}}
	}
	probetest.Suite{
		New:     on(p, full()),
		Secrets: []string{"hunter2"},
		Worlds: []probetest.World{
			foreign,
			failing("empty folder", on(p, shelf{MapFS: fstest.MapFS{}}), "0 scripts, 2 are needed"),
			failing("one is missing", on(named, full().without("scripts/a.sh")), "scripts/a.sh is missing"),
			failing("one is a folder", on(named, full().without("scripts/a.sh").with("scripts/a.sh/x", "", 0o755)), "scripts/a.sh cannot be read"),
			failing("not executable", on(p, full().with("scripts/a.sh", good, 0o644)), "scripts/a.sh is not executable"),
			failing("empty", with(""), "scripts/c.sh is empty"),
			failing("no interpreter", with("echo 1\n"), "c.sh has no #! line"),
			failing("Windows", with("#!/bin/bash\r\necho 1\r\n"), "Windows line ends"),
			failing("byte order mark", with("\xef\xbb\xbf#!/bin/bash\necho 1\n"), "byte order mark"),
			failing("does not parse", with("#!/bin/bash\nif true; then\necho hunter2\n"), "c.sh does not parse", "line 2"),
			failing("not of its shell", with("#!/bin/sh\na=(1 2)\n"), "c.sh does not parse", "arrays"),
			failing("too large", with("#!/bin/bash\n"+strings.Repeat("echo 1\n", 200_000)), "cannot be read"),
			passes("a shell by env with options", "#!/usr/bin/env -S bash -e\necho 1\n"),
			passes("another interpreter is not looked into", "#!/usr/bin/perl\nprint 'if (';\n"),
			{Name: "read in by others", New: on(p, full().with("scripts/lib/x.sh", "f() { echo 1; }\n", 0o644)), Want: probes.Pass, Says: []string{"3 scripts"}},
			warns("counts from 0", "PASSED=0\ncheck() { ((PASSED++)); }\ncheck\n", "PASSED++", "c.sh:4"),
			warns("counts from nothing", "let n++\n", "n++"),
			warns("a condition that cannot fail", "if kubectl get pods -n x -l app=y >/dev/null; then echo ok; fi\n", "cannot fail"),
			warns("the same with and", "kubectl get pods -lapp=y && echo ok\n", "cannot fail"),
			warns("a token", "API_TOKEN=\"hunter2-hunter2\"\n", "secret", "API_TOKEN"),
			warns("an exported password", "export DB_PASSWORD='hunter2!'\n", "secret", "DB_PASSWORD"),
			warns("a bearer", "curl -H 'Authorization: Bearer hunter2hunter2hunter2' https://x\n", "secret"),
			warns("annotations", "kubectl get ingress -o yaml | grep nginx.ingress.kubernetes.io/auth-url\n", "auth-url"),
			passes("counts in a condition", "#!/bin/bash\nset -e\nn=0\n((n++)) || true\nif ((n++)); then echo 1; fi\n((++n))\nm=1\n((m++))\n"),
			passes("counts without errexit", "#!/bin/bash\nset -e\nset +e\nn=0\n((n++))\n"),
			passes("a condition that looks at what was found", "#!/bin/bash\nif kubectl get pods -l a=b | grep -q x; then echo; fi\nif kubectl get pod x; then echo; fi\n"),
			passes("no secrets", "#!/bin/bash\nTOKEN=$1\nAPI_TOKEN=${API_TOKEN:?}\nPASSWORD=changeme-now\nTOKEN_FILE=/etc/token-of-it\nSECRET=/run/secrets/x\nAPI_KEY=\"<your key here>\"\n"),
			{
				Name: "reported", Want: probes.Pass, Says: []string{"known defects in 1"}, Shows: []string{"n++"},
				New: on(Params{Scripts: &Scripts{Files: []string{"scripts/*.sh"}, Min: 1}}, full().with("scripts/c.sh", "#!/bin/bash -e\n((n++))\n", 0o755)),
			},
			{
				Name: "ignored", Want: probes.Pass, Says: []string{"each parses"},
				New: on(Params{Scripts: &Scripts{Files: []string{"scripts/*.sh"}, Min: 1, Defects: "ignore"}}, full().with("scripts/c.sh", "#!/bin/bash -e\n((n++))\n", 0o755)),
			},
		},
		Errors: []probetest.Failure{
			{Name: "no checkout", New: on(p, shelf{err: fs.ErrNotExist}), Says: []string{"no checkout at ~/hmco and no finding"}},
			{Name: "the disk is ill", New: on(p, sick("scripts/a.sh")), Says: []string{"scripts/a.sh", "input/output error"}},
		},
	}.Run(t)
}

func TestReadme(t *testing.T) {
	p := Params{Readme: &Readme{Within: 30 * 24 * time.Hour}}
	changed := func(c Change) func(*testing.T) probes.Probe {
		s := full()
		s.change = c
		return on(p, s)
	}
	late := full()
	late.late = errors.New("the history is cut off")
	probetest.Suite{
		New: on(p, full()),
		Worlds: []probetest.World{
			failing("missing", on(p, full().without("README.md")), "no README.md"),
			failing("empty", on(p, full().with("README.md", "# 254Carbon\n", 0o644)), "README.md is empty"),
			failing("long ago", changed(Change{At: noon.AddDate(0, 0, -40), How: "commit 1a2b3c4"}), "40 days ago", "commit 1a2b3c4"),
			failing("nobody knows when", changed(Change{}), "not changed within 30 days"),
			{Name: "a clock a little ahead", New: changed(Change{At: noon.Add(time.Minute), How: "x"}), Want: probes.Pass},
		},
		Errors: []probetest.Failure{
			{Name: "no checkout", New: on(p, shelf{err: fs.ErrNotExist}), Says: []string{"no checkout at ~/hmco and no finding"}},
			{Name: "the disk is ill", New: on(p, sick("README.md")), Says: []string{"README.md", "input/output error"}},
			{Name: "history cut off", New: on(p, late), Says: []string{"README.md", "cut off"}},
			{Name: "from the future", New: changed(Change{At: noon.AddDate(0, 0, 2), How: "commit x"}), Says: []string{"clocks differ"}},
		},
	}.Run(t)
}

// TestWithoutACheckout answers from what somebody else found.
func TestWithoutACheckout(t *testing.T) {
	p := Params{Readme: &Readme{Within: 30 * 24 * time.Hour}}
	found, err := Find(t.Context(), room{full()}, "readme", p, noon.Add(-3*time.Hour))
	if err != nil || found.Result != evidence.Passed || !strings.HasPrefix(found.Digest, "sha256:") {
		t.Fatalf("%+v, %v", found, err)
	}
	found.By, found.ValidUntil = "pipeline 17", noon.Add(21*time.Hour)
	with := func(change func(*evidence.Entry)) evidence.Entry {
		e := found
		change(&e)
		return e
	}
	word := evidence.Entry{Kind: evidence.Attestation, Check: "readme", Result: evidence.Passed, By: "ana", At: noon.Add(-time.Hour), ValidUntil: noon.AddDate(0, 0, 5)}
	on := func(s shelf, n note) func(*testing.T) probes.Probe {
		return func(*testing.T) probes.Probe { return New(room{s}, n, "readme", p, func() time.Time { return noon }) }
	}
	none := shelf{err: fs.ErrNotExist}
	stale := full()
	stale.change = Change{At: noon.AddDate(0, 0, -40), How: "commit 1a2b3c4"}
	half := func(name string, p func(*testing.T) probes.Probe, says ...string) probetest.World {
		return probetest.World{Name: name, New: p, Want: probes.Warn, Ratio: probes.Part(1, 2), Says: says}
	}
	of := func(entries ...evidence.Entry) func(*testing.T) probes.Probe { return on(none, note{entries: entries}) }
	probetest.Suite{
		New: of(found),
		Worlds: []probetest.World{
			{Name: "says by whom", New: of(found), Want: probes.Pass, Says: []string{"pipeline 17, 3 h ago"}, Shows: []string{found.Digest}},
			failing("found wanting", of(with(func(e *evidence.Entry) { e.Result, e.Summary = evidence.Failed, "README.md is empty" })), "README.md is empty", "pipeline 17"),
			half("found in part", of(with(func(e *evidence.Entry) { e.Result = evidence.Partial })), "pipeline 17"),
			half("old, but attested", on(stale, note{entries: []evidence.Entry{word}}), "40 days ago", "ana attests", "2025-10-25"),
			half("found wanting, but attested", of(with(func(e *evidence.Entry) { e.Result = evidence.Failed }), word), "ana attests"),
			failing("old, and the word has ended", on(stale, note{entries: []evidence.Entry{func() evidence.Entry { w := word; w.ValidUntil = noon; return w }()}}), "40 days ago"),
			failing("old, and the record cannot be read", on(stale, note{err: errors.New("forbidden")}), "40 days ago"),
			{Name: "a checkout goes before a finding", New: on(full(), note{entries: []evidence.Entry{with(func(e *evidence.Entry) { e.Result = evidence.Failed })}}), Want: probes.Pass},
		},
		Errors: []probetest.Failure{
			{Name: "no finding", New: of(), Says: []string{"no checkout at ~/hmco and no finding of it in the evidence record"}},
			{Name: "a finding that has ended", New: of(with(func(e *evidence.Entry) { e.ValidUntil = noon.Add(-time.Minute) })), Says: []string{"pipeline 17", "was valid until"}},
			{Name: "of another rule", New: of(with(func(e *evidence.Entry) { e.Details.Rule = "x" })), Says: []string{"another rule"}},
			{Name: "of no result", New: of(with(func(e *evidence.Entry) { e.Result = "splendid" })), Says: []string{"no result that is known"}},
			{Name: "no record", New: on(none, note{err: errors.New("a right is missing")}), Says: []string{"no checkout at ~/hmco", "a right is missing"}},
		},
		Hanging: on(none, note{hang: true}),
	}.Run(t)
}

func TestParams(t *testing.T) {
	roles := []Role{{"a", []string{"docs/*.md"}}}
	for name, p := range map[string]Params{
		"nothing":             {},
		"two rules":           {Readme: &Readme{Within: 1}, Scripts: &Scripts{Names: []string{"a"}}},
		"no roles":            {Guides: &Guides{Min: 1}},
		"no least":            {Guides: &Guides{Roles: roles}},
		"role twice":          {Guides: &Guides{Min: 1, Roles: append(roles, roles...)}},
		"role without files":  {Guides: &Guides{Min: 1, Roles: []Role{{"a", nil}}}},
		"pattern leads out":   {Guides: &Guides{Min: 1, Roles: []Role{{"a", []string{"../*.md"}}}}},
		"pattern for a shell": {Guides: &Guides{Min: 1, Roles: []Role{{"a", []string{"docs/$(id).md"}}}}},
		"pattern is none":     {Scripts: &Scripts{Min: 1, Files: []string{"a["}}},
		"no scripts":          {Scripts: &Scripts{Min: 1}},
		"no minimum":          {Scripts: &Scripts{Files: []string{"*"}}},
		"name leads out":      {Scripts: &Scripts{Names: []string{"../x.sh"}}},
		"unknown word":        {Scripts: &Scripts{Names: []string{"x"}, Defects: "shout"}},
		"no time":             {Readme: &Readme{}},
		"absolute":            {Readme: &Readme{Within: 1, Path: "/etc/passwd"}},
	} {
		if err := p.Validate(); err == nil {
			t.Errorf("%s: valid", name)
		}
	}
}

func FuzzScript(f *testing.F) {
	for _, seed := range []string{good, "#!/bin/sh\n((n++))\n", "#!/usr/bin/env zsh\n", "#!/bin/bash\nif kubectl get -l x; then :; fi\nexport A_TOKEN='x'\n", "\xef\xbb\xbf#!\r\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s := script{name: "x.sh"}
		first, _, _ := strings.Cut(string(text), "\n")
		s.kind = interpreter(first)
		s.parse(text)
		_ = prose(text)
	})
}
