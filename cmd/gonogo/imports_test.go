package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/254carbon/gonogo"

// arrows says what the packages below a folder may not import. The architecture is only as good as what holds it.
var arrows = []struct {
	from   string   // folder below the module, without its tests
	only   bool     // the folder itself, not what is below it
	except []string // folders that the rule does not concern
	not    []string // import paths, with everything below them
	ours   []string // if not nil: the only folders of ours that may be imported
	why    string
}{
	{from: "probes", only: true, ours: []string{}, not: []string{"k8s.io", "charm.land", "github.com", "go.yaml.in"}, why: "the contract of checks is the standard library alone"},
	{from: "probes", except: []string{"probes/all", "probes/probetest"}, not: []string{module + "/internal", module + "/tui", module + "/theme", module + "/actions", module + "/cmd"}, why: "a probe knows the contract and its own client's interface"},
	{from: "actions", only: true, ours: []string{"probes"}, why: "the contract of actions may know that of checks"},
	{from: "actions", except: []string{"actions/all", "actions/actiontest"}, not: []string{module + "/internal", module + "/tui", module + "/theme", module + "/cmd"}, why: "an action knows the contract and its own client's interface"},
	{from: "theme", ours: []string{"probes"}, why: "colours know statuses at most"},
	{from: "tui", ours: []string{"probes", "actions", "theme", "tui"}, not: []string{"net", "os/exec", "k8s.io", "charm.land/lipgloss/v2/compat"}, why: "the board sees contracts only"},
	{from: "internal", except: []string{"internal/sshd"}, not: []string{"charm.land", module + "/tui", module + "/theme", module + "/cmd"}, why: "drawing belongs to the board"},
	{from: "probes", not: []string{"charm.land"}, why: "drawing belongs to the board"},
	{from: "actions", not: []string{"charm.land"}, why: "drawing belongs to the board"},
	{from: ".", except: []string{"testdata"}, not: []string{"charm.land/lipgloss/v2/compat"}, why: "it asks the terminal during initialisation"},
}

func TestImportsFollowTheArchitecture(t *testing.T) {
	root := filepath.Join("..", "..")
	files := 0
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && d.Name() != "..") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		files++
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, i := range file.Imports {
			imported, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			if why := forbidden(filepath.ToSlash(rel), imported); why != "" {
				t.Errorf("%s imports %s: %s", rel, imported, why)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 50 {
		t.Errorf("only %d files were looked at", files)
	}
}

// forbidden says why a file may not import a package, or nothing if it may.
func forbidden(file, imported string) string {
	dir := path.Dir(file)
	for _, a := range arrows {
		if !below(dir, a.from) || a.only && dir != a.from || anyBelow(dir, a.except) {
			continue
		}
		if anyBelow(imported, a.not) {
			return a.why
		}
		if ours, ok := strings.CutPrefix(imported, module+"/"); ok && a.ours != nil && !anyBelow(ours, a.ours) {
			return a.why
		}
	}
	return ""
}

func below(name, folder string) bool {
	return folder == "." || name == folder || strings.HasPrefix(name, folder+"/")
}

func anyBelow(name string, folders []string) bool {
	for _, f := range folders {
		if below(name, f) {
			return true
		}
	}
	return false
}

func TestTheRulesCatchWhatTheyAreFor(t *testing.T) {
	for _, bad := range [][2]string{
		{"tui/board.go", "os/exec"}, {"tui/board.go", "net/http"}, {"tui/board.go", module + "/internal/state"}, {"tui/x.go", "k8s.io/api/core/v1"},
		{"probes/ask.go", module + "/probes/kube"}, {"probes/kube/nodes.go", module + "/internal/platform"}, {"internal/state/state.go", "charm.land/lipgloss/v2"},
		{"theme/theme.go", module + "/tui"}, {"actions/actions.go", module + "/internal/runs"}, {"cmd/gonogo/main.go", "charm.land/lipgloss/v2/compat"},
	} {
		if forbidden(bad[0], bad[1]) == "" {
			t.Errorf("%s may import %s", bad[0], bad[1])
		}
	}
	for _, good := range [][2]string{
		{"tui/board.go", module + "/probes"}, {"tui/board.go", "charm.land/bubbletea/v2"}, {"probes/all/all.go", module + "/internal/platform"}, {"cmd/gonogo/main.go", module + "/tui"},
	} {
		if why := forbidden(good[0], good[1]); why != "" {
			t.Errorf("%s may not import %s: %s", good[0], good[1], why)
		}
	}
}
