package script

import "bytes"

// maxLine bounds a line; what is longer is shown in parts.
const maxLine = 16 << 10

// lines cuts what a program prints into lines. A carriage return begins a line anew, as it does on a terminal, so that of a spinner its
// last state is kept. It is used by one goroutine.
type lines struct {
	say     func(string)
	pending []byte
	fresh   bool // a carriage return came: the next character overwrites what is pending
}

// Write implements io.Writer.
func (l *lines) Write(p []byte) (int, error) {
	for n := len(p); ; {
		at := bytes.IndexAny(p, "\r\n")
		if at < 0 {
			l.add(p)
			return n, nil
		}
		l.add(p[:at])
		if p[at] == '\n' {
			l.end()
		} else {
			l.fresh = true
		}
		p = p[at+1:]
	}
}

func (l *lines) add(p []byte) {
	if len(p) == 0 {
		return
	}
	if l.fresh {
		l.pending, l.fresh = l.pending[:0], false
	}
	for len(l.pending)+len(p) > maxLine {
		room := maxLine - len(l.pending)
		l.pending = append(l.pending, p[:room]...)
		p = p[room:]
		l.end()
	}
	l.pending = append(l.pending, p...)
}

// end says what is pending, even if that is an empty line.
func (l *lines) end() {
	l.say(string(l.pending))
	l.pending, l.fresh = l.pending[:0], false
}

// flush says what no line break ended.
func (l *lines) flush() {
	if len(l.pending) > 0 {
		l.end()
	}
}
