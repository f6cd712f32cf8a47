package labtest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// startLimit is how long a server may take until it answers. A busy machine with
// two cores needs some of it, a healthy one a few seconds.
const startLimit = 2 * time.Minute

// process is one running server.
type process struct {
	name string
	log  string
	pid  int
	stop syscall.Signal
	done chan struct{} // closed once the process has ended
	err  error         // how it ended; valid after done
}

// server says what to run.
type server struct {
	name string // the program and its log
	args []string
	env  []string // added to the environment
	path string   // of the program, where name alone does not find it
	// user runs it, nil for the one who runs the test.
	user *syscall.Credential
	// onDeath is the signal for the death of the test process, onClose the one for
	// its orderly end; zero is SIGKILL. A server with children is told more gently,
	// so that it ends them.
	onDeath, onClose syscall.Signal
}

// run starts a server with its output in a log file. It returns once the process
// exists; whether it serves is for await to find out.
func (l *Lab) run(s server) (*process, error) {
	if s.path == "" {
		var err error
		if s.path, err = l.program(s.name); err != nil {
			return nil, err
		}
	}
	name := s.name
	p := &process{
		name: name, log: filepath.Join(l.dir, name+".log"),
		stop: cmp.Or(s.onClose, syscall.SIGKILL), done: make(chan struct{}),
	}
	out, err := os.Create(p.log)
	if err != nil {
		return nil, fmt.Errorf("creating the log of %s: %w", name, err)
	}
	defer out.Close()
	cmd := exec.Command(s.path, s.args...)
	cmd.Dir = l.dir
	cmd.Env = append(os.Environ(), s.env...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = ownGroup(cmp.Or(s.onDeath, syscall.SIGKILL))
	cmd.SysProcAttr.Credential = s.user
	started := make(chan error, 1)
	go func() {
		// The kernel kills the child when the thread that started it ends, so this
		// thread stays with the child for life.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	p.pid = cmd.Process.Pid
	l.mu.Lock()
	defer l.mu.Unlock()
	l.processes = append(l.processes, p)
	return p, nil
}

// await blocks until ask succeeds. It gives up when the process ends, when ctx
// does, or after startLimit, and then quotes the process's log.
func (p *process) await(ctx context.Context, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("starting %s: it ended at once (%v)\n%s", p.name, p.err, p.tail(20))
		case <-ctx.Done():
			return fmt.Errorf("starting %s: it does not serve (%w)\n%s", p.name, errors.Join(ctx.Err(), err), p.tail(20))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// kill ends the process and its children, and waits for it.
func (p *process) kill() {
	// The negative number means the process group, so that plug-ins end too.
	_ = syscall.Kill(-p.pid, p.stop)
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
		_ = syscall.Kill(-p.pid, syscall.SIGKILL)
		<-p.done
	}
}

// tail returns the last lines of the process's log, with its name above them.
func (p *process) tail(lines int) string {
	const limit = 16 << 10
	text, err := lastBytes(p.log, limit)
	if err != nil {
		return fmt.Sprintf("--- %s: %v", p.log, err)
	}
	all := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	if len(all) > lines {
		all = all[len(all)-lines:]
	}
	return fmt.Sprintf("--- last lines of %s:\n%s", p.log, strings.Join(all, "\n"))
}

// lastBytes reads at most limit bytes from the end of a file.
func lastBytes(path string, limit int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	text := make([]byte, min(limit, info.Size()))
	n, err := file.ReadAt(text, info.Size()-int64(len(text)))
	if err != nil && n < len(text) {
		return nil, err
	}
	return bytes.ToValidUTF8(text, []byte("?")), nil
}
