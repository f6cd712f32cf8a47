package doctor

import (
	"fmt"
	"net/url"
	"os"
	"strings"
)

const machineArea = "machine"

// Machine is what the caller knows of the machine that gonogo runs on.
type Machine struct {
	StateDir string
	History  error // why the history cannot be kept; nil if it can
	Terminal Terminal
	Environ  []string
}

// Terminal is what standard output is drawn on.
type Terminal struct {
	Is            bool // whether it is one at all
	Dumb          bool
	Name          string // TERM
	Colours       string // in words
	ASCII         bool   // the locale shows no more
	Width, Height int
}

// machine looks at the state directory, the terminal, and the proxies of the environment.
func (e *examination) machine() {
	e.stateDir()
	e.terminal()
	e.clipboard()
	e.proxies()
}

func (e *examination) stateDir() {
	f := Finding{Area: machineArea, Subject: "state directory", State: OK, Text: e.Machine.StateDir + " can be written, the history is kept there"}
	const do = "Choose a directory of your own on a local disk with --state-dir."
	if err := writable(e.Machine.StateDir); err != nil {
		f.State, f.Text, f.Do = Wrong, err.Error(), do
	} else if e.Machine.History != nil {
		f.State, f.Text, f.Do = Wrong, "the history is not kept: "+e.Machine.History.Error(), do
	}
	e.add(f)
}

// writable tries to make a file in a directory, and removes it.
func writable(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making the state directory: %w", err)
	}
	file, err := os.CreateTemp(dir, "doctor-*")
	if err != nil {
		return fmt.Errorf("writing to the state directory: %w", err)
	}
	_ = file.Close()
	return os.Remove(file.Name())
}

// The smallest terminal that holds the board, and the smallest that holds it in full.
const (
	leastWidth, leastHeight = 40, 12
	goodWidth, goodHeight   = 80, 24
)

func (e *examination) terminal() {
	t := e.Machine.Terminal
	f := Finding{Area: machineArea, Subject: "terminal", State: OK}
	size := fmt.Sprintf("%d×%d", t.Width, t.Height)
	switch {
	case !t.Is:
		f.State, f.Text = Note, "standard output is none, so the board cannot be drawn here"
	case t.Dumb:
		f.State, f.Text, f.Do = Note, "TERM says that it understands text only, so the board cannot be drawn", "Set TERM to what the terminal is, such as xterm-256color."
	default:
		f.Text = strings.Join([]string{t.Name, size, t.Colours}, ", ")
		if t.ASCII {
			f.Text += ", ASCII only: the locale (LC_ALL, LC_CTYPE, LANG) shows no more"
		}
		if t.Width < leastWidth || t.Height < leastHeight {
			f.State, f.Do = Note, fmt.Sprintf("Make it larger: the board wants %d×%d, and shows the verdict alone in less than %d×%d.", goodWidth, goodHeight, leastWidth, leastHeight)
		}
	}
	e.add(f)
}

// clipboard says what copying depends on: whether a terminal takes OSC 52 cannot be asked.
func (e *examination) clipboard() {
	if !e.Machine.Terminal.Is {
		return
	}
	f := Finding{Area: machineArea, Subject: "clipboard", State: Note, Text: "copying uses OSC 52; whether the terminal allows it cannot be known from here"}
	switch {
	case e.env("TMUX") != "":
		f.Do = "If a copied command does not arrive: tmux set -g set-clipboard on, and allow clipboard access in the terminal."
	case e.env("STY") != "":
		f.Do = "GNU screen passes no OSC 52 on: use tmux, or copy with the mouse while holding shift."
	default:
		f.Do = "If a copied command does not arrive, allow clipboard access (OSC 52) in the terminal's settings."
	}
	e.add(f)
}

// proxies tells which proxies the environment names for what is outside of the cluster.
func (e *examination) proxies() {
	var said []string
	f := Finding{Area: machineArea, Subject: "proxies", State: OK}
	for _, name := range []string{"HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"} {
		value := e.env(name)
		if value == "" {
			value = e.env(strings.ToLower(name))
		}
		if value == "" {
			continue
		}
		if name == "NO_PROXY" {
			said = append(said, name+"="+value)
			continue
		}
		u, err := url.Parse(value)
		if err == nil && u.Host == "" {
			u, err = url.Parse("http://" + value)
		}
		if err != nil || u.Host == "" {
			f.State, f.Do = Wrong, "Write "+name+" as http://host:port."
			said = append(said, name+" is no URL")
			continue
		}
		said = append(said, name+"="+u.Scheme+"://"+u.Host) // without user and password
	}
	if f.Text = strings.Join(said, ", "); f.Text == "" {
		f.Text = "none: everything is reached directly"
	}
	e.add(f)
}

func (e *examination) env(name string) string {
	for _, entry := range e.Machine.Environ {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}
