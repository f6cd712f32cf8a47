//go:build e2e && linux

package labtest_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/254carbon/gonogo/internal/labtest"
)

const childVariable = "GONOGO_LAB_TEST_CHILD"

// TestServersDieWithTheirTest kills a process that runs a lab, the hardest way, and
// wants its servers gone.
func TestServersDieWithTheirTest(t *testing.T) {
	if os.Getenv(childVariable) != "" {
		lab := labtest.Start(t, labtest.Options{ControlPlane: true, MinIO: true, Postgres: true})
		fmt.Println("LAB", lab.Dir())
		<-t.Context().Done() // never: the parent kills this process
	}
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestServersDieWithTheirTest$", "-test.timeout=5m")
	command.Env = append(os.Environ(), childVariable+"=1")
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	check(t, err)
	check(t, command.Start())
	dir := ""
	for lines := bufio.NewScanner(out); dir == "" && lines.Scan(); {
		line, ok := strings.CutPrefix(lines.Text(), "LAB ")
		if ok {
			dir = line
		} else {
			t.Log(lines.Text())
		}
	}
	servers := running(t, dir)
	check(t, command.Process.Kill())
	_ = command.Wait()
	if dir == "" || len(servers) < 7 {
		t.Fatalf("the child ran %d servers in %q, want 7 or more", len(servers), dir)
	}
	defer os.RemoveAll(dir)
	check(t, labtest.WaitFor(t.Context(), "waiting for the servers to end", 10*time.Second, 50*time.Millisecond, func(context.Context) (bool, error) {
		left := running(t, dir)
		return len(left) == 0, fmt.Errorf("running: %v", left)
	}))
}

// TestCloseEndsEverything: nothing of a closed lab runs or lies around.
func TestCloseEndsEverything(t *testing.T) {
	lab, err := labtest.New(t.Context(), labtest.Options{MinIO: true, Prometheus: true})
	check(t, err)
	defer lab.Close()
	if got := running(t, lab.Dir()); len(got) != 2 {
		t.Fatalf("running: %v, want two servers", got)
	}
	lab.Close()
	if got := running(t, lab.Dir()); len(got) != 0 {
		t.Errorf("still running: %v", got)
	}
	if _, err := os.Stat(lab.Dir()); !os.IsNotExist(err) {
		t.Errorf("the folder is still there: %v", err)
	}
}

// running lists the processes that work in dir or below it.
func running(t *testing.T, dir string) []int {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	check(t, err)
	var pids []int
	for _, link := range links {
		// Processes that end meanwhile, or are no business of ours, have no readable link.
		if folder, err := os.Readlink(link); err == nil && dir != "" && strings.HasPrefix(folder, dir) {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link)))
			check(t, err)
			pids = append(pids, pid)
		}
	}
	return pids
}
