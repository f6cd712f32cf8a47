//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/254carbon/gonogo/internal/labtest"
)

// The large cluster, and how long a board is watched on it.
const (
	scaleNodes  = 1000
	scalePods   = 10_000
	scaleWatch  = time.Minute
	scaleSettle = 20 * time.Second // after the first board, before the idle minute begins
)

// What is hoped for, at most. The figures are printed; only what can be held on any machine is held.
const (
	goalMemory = 80 << 20
	goalCPU    = 1.0 // percent of one core
	goalBoard  = 2 * time.Second
	goalBytes  = 1000
)

// TestScale measures a board on 1,000 nodes and 10,000 pods. It needs a lab of its own and some minutes, so it runs only when GONOGO_SCALE
// is set, as make bench-scale does.
func TestScale(t *testing.T) {
	if os.Getenv("GONOGO_SCALE") == "" {
		t.Skip("GONOGO_SCALE is not set: make bench-scale sets it")
	}
	ctx := t.Context()
	lab := labtest.Start(t, labtest.Options{KWOK: true, Users: users()})
	took, err := lab.Scale(ctx, scaleNodes, scalePods)
	must(t, err)
	t.Logf("%d nodes in %v, %d pods in %v", scaleNodes, took.Nodes.Round(time.Second), scalePods, took.Pods.Round(time.Second))
	deploy(t, lab, "platform", "api", "registry.example/api:1", 2)
	calm(t)

	s := newStation(t, kubeconfig(t, lab, userCheckReadOnly), checks(fmt.Sprintf(`
- {id: nodes, title: Nodes, probe: kubernetes.nodes, with: {min: %d, workers: %d}, weight: 1, gate: true, every: watch}
- {id: workloads, title: Workloads, probe: kubernetes.workloads, weight: 1, every: watch, with: {workloads: [{kind: Deployment, namespace: platform, name: api, image: registry.example/api}]}}
- {id: inventory, title: Inventory, probe: kubernetes.inventory, weight: 1, every: watch, with: {services: [{name: API, workloads: [{kind: Deployment, namespace: platform, name: api, image: registry.example/api}]}]}}
- {id: hpa, title: Autoscaler, probe: kubernetes.hpa, weight: 0, every: watch, with: {namespace: platform, name: api}}
`, scaleNodes, scaleNodes)))

	b := s.start(t, 120, 36, "--read-only")
	firstFrame := b.await(t, "the first frame", 30*time.Second, func(raw string) bool { return strings.Contains(raw, "\x1b[?1049h") })
	// The window's title is written whole, other than cells that change.
	scored := b.await(t, "the first scored board", 60*time.Second, func(raw string) bool { return strings.Contains(raw, "\x1b]2;100 % GO Lab") })
	select {
	case <-time.After(scaleSettle):
	case <-ctx.Done():
		t.Fatal(ctx.Err())
	}
	before, sent, used := time.Now(), len(b.raw()), cpuTime(t, b.cmd.Process.Pid)
	select {
	case <-time.After(scaleWatch):
	case <-ctx.Done():
		t.Fatal(ctx.Err())
	}
	idle := time.Since(before)
	percent := 100 * float64(cpuTime(t, b.cmd.Process.Pid)-used) / float64(idle)
	bytes := float64(len(b.raw())-sent) * float64(time.Minute) / float64(idle)
	memory := residentMemory(t, b.cmd.Process.Pid)

	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 3, ' ', 0)
	fmt.Fprintf(w, "figure\tmeasured\tgoal\n")
	megabytes := func(name string) float64 { return float64(memory[name]) / (1 << 20) }
	fmt.Fprintf(w, "resident memory\t%.1f MB\t%d MB\n", megabytes("VmRSS"), goalMemory>>20)
	fmt.Fprintf(w, "- of its own\t%.1f MB\t\n", megabytes("RssAnon"))
	fmt.Fprintf(w, "- the program's file\t%.1f MB\t\n", megabytes("RssFile"))
	fmt.Fprintf(w, "- at most, until now\t%.1f MB\t\n", megabytes("VmHWM"))
	fmt.Fprintf(w, "CPU over %v\t%.2f %% of a core\t%.0f %%\n", idle.Round(time.Second), percent, goalCPU)
	fmt.Fprintf(w, "first frame\t%v\t\n", firstFrame.Round(10*time.Millisecond))
	fmt.Fprintf(w, "first scored board\t%v\t%v\n", scored.Round(10*time.Millisecond), goalBoard)
	fmt.Fprintf(w, "bytes per idle minute\t%.0f\t%d\n", bytes, goalBytes)
	must(t, w.Flush())
	fmt.Printf("board of 120x36 on %d nodes and %d pods\n%s", scaleNodes, scalePods, table.String())

	scaleRequests(t, lab, before)
	if end := b.signal(t, syscall.SIGTERM); end.ExitCode() != 0 {
		t.Errorf("the board ended with %v", end)
	}
	// Ten times the goal is no matter of a busy machine any more.
	if memory["VmRSS"] > 2*goalMemory || percent > 10*goalCPU || scored > 10*goalBoard || bytes > 10*goalBytes {
		t.Error("a figure is far from its goal")
	}
}

// calm gives the control plane time to digest what was created, and the machine to come to rest, and says how busy it is then: on a busy
// machine the figures of time are those of the machine.
func calm(t *testing.T) {
	t.Helper()
	const rested, patience = 0.5, time.Minute
	idle := 0.0
	for end := time.Now().Add(patience); idle < rested && time.Now().Before(end); {
		time.Sleep(4 * time.Second)
		idle = machineIdle(t)
	}
	t.Logf("the machine is idle for %.0f %%", 100*idle)
}

// machineIdle is the part of a second in which the processors had nothing to do.
func machineIdle(t *testing.T) float64 {
	t.Helper()
	read := func() (idle, all float64) {
		text, err := os.ReadFile("/proc/stat")
		must(t, err)
		line, _, _ := strings.Cut(string(text), "\n")
		for i, field := range strings.Fields(line)[1:] {
			n, err := strconv.ParseFloat(field, 64)
			must(t, err)
			all += n
			if i == 3 || i == 4 {
				idle += n
			}
		}
		return idle, all
	}
	idle, all := read()
	time.Sleep(time.Second)
	idleLater, allLater := read()
	return (idleLater - idle) / (allLater - all)
}

// scaleRequests wants one watch of each kind, no lists, and since a moment hardly anything.
func scaleRequests(t *testing.T, lab *labtest.Lab, since time.Time) {
	t.Helper()
	events, err := lab.Audit(userCheckReadOnly)
	must(t, err)
	watches, later := map[string]int{}, 0
	for _, e := range events {
		switch {
		case e.Verb == "watch":
			watches[e.Resource]++
		case e.Verb == "list":
			t.Errorf("a list: %v", e)
		}
		if e.At.After(since) {
			later++
			t.Errorf("a request while nothing happens: %v", e)
		}
	}
	for resource, n := range watches {
		if n != 1 {
			t.Errorf("%d watches of %s, want one", n, resource)
		}
	}
	t.Logf("%d requests in all, %d of them in the idle minute, watches %v", len(events), later, watches)
}

// cpuTime is what a process has used.
func cpuTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	must(t, err)
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	var ticks int64
	for _, i := range []int{11, 12} { // utime and stime
		n, err := strconv.ParseInt(fields[i], 10, 64)
		must(t, err)
		ticks += n
	}
	const perSecond = 100 // of the kernel's interface, on every architecture
	return time.Duration(ticks) * time.Second / perSecond
}

// residentMemory is what a process has in memory, in bytes, by the names of the kernel.
func residentMemory(t *testing.T, pid int) map[string]int64 {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	must(t, err)
	memory := map[string]int64{}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.HasSuffix(value, " kB\n") {
			n, err := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
			must(t, err)
			memory[name] = n << 10
		}
	}
	if memory["VmRSS"] == 0 {
		t.Fatal("the process tells nothing of its memory")
	}
	return memory
}
