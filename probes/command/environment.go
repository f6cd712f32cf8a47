package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/254carbon/gonogo/probes"
)

// usual are the variables that a program may need to work at all. Everything else stays here: gonogo's own credentials are often kept in
// variables, and are none of a program's business.
func usual(name string) bool {
	name = strings.ToUpper(name) // as Windows and proxies have it
	return strings.HasPrefix(name, "LC_") || strings.HasPrefix(name, "XDG_") || slices.Contains([]string{
		"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR", "TERM", "KUBECONFIG", "SSL_CERT_FILE", "SSL_CERT_DIR",
		"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
		"SYSTEMROOT", "SYSTEMDRIVE", "COMSPEC", "PATHEXT", "WINDIR", "USERPROFILE", "USERNAME", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "TEMP", "TMP",
	}, name)
}

// Usual returns the variables of an environment that any program may have.
func Usual(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(pair string) bool {
		name, _, ok := strings.Cut(pair, "=")
		return !ok || !usual(name)
	})
}

// environment is what the program gets, and what must not be seen of it.
func (p probe) environment(ctx context.Context) ([]string, mask, error) {
	env := []string{} // never nil: that would be all of gonogo's own
	for _, pair := range Usual(p.options.Environ) {
		name, _, _ := strings.Cut(pair, "=")
		if _, own := p.params.Env[name]; !own {
			env = append(env, pair)
		}
	}
	var m mask
	for _, name := range names(p.params.Env) {
		if p.options.Secrets == nil {
			return nil, m, errors.New("there is nothing that finds secrets")
		}
		value, err := p.options.Secrets.Resolve(ctx, p.params.Env[name])
		if err != nil {
			return nil, m, fmt.Errorf("finding the value of %s: %w", name, err)
		}
		env = append(env, name+"="+value)
		m.add(value)
	}
	return env, m, nil
}

// mask takes secrets out of texts.
type mask struct{ secrets [][]byte }

// add remembers a secret, and each of its lines: a text is shown line by line.
func (m *mask) add(secret string) {
	for _, s := range append(strings.Split(secret, "\n"), secret) {
		if s = strings.TrimSpace(s); s != "" {
			m.secrets = append(m.secrets, []byte(s))
		}
	}
	slices.SortFunc(m.secrets, func(a, b []byte) int { return len(b) - len(a) }) // a secret may be part of another
}

func (m mask) bytes(text []byte) []byte {
	for _, s := range m.secrets {
		text = bytes.ReplaceAll(text, s, []byte("***"))
	}
	return text
}

// masked is an error whose text has been freed of secrets.
type masked struct {
	error
	mask mask
}

func (e masked) Error() string { return string(e.mask.bytes([]byte(e.error.Error()))) }
func (e masked) Unwrap() error { return e.error }

// said is what the program had to say in one line: of standard output, or of standard error if it exited with anything but 0.
func (d finished) said() string {
	for _, text := range [][]byte{d.stderr, d.stdout} {
		if d.code == 0 {
			text = d.stdout
		}
		for line := range bytes.Lines(text) {
			if s := probes.Clean(string(line[:min(len(line), 4096)]), 300); s != "" {
				return s
			}
		}
	}
	return ""
}
