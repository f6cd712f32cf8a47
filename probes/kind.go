package probes

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrNoSecret is within the error of resolving a reference to a secret that is not there: the variable is not set, the file or the key
// does not exist, or it is empty. A secret that may not be read is another error.
var ErrNoSecret = errors.New("there is no such secret")

// SecretRef says where a secret is kept; exactly one of its fields is set. The secret itself never stands in a profile.
type SecretRef struct {
	Env     string   `yaml:"env,omitempty" jsonschema:"description=name of an environment variable"`
	File    string   `yaml:"file,omitempty" jsonschema:"description=path of a file that holds nothing else"`
	Secret  string   `yaml:"secret,omitempty" jsonschema:"description=namespace/name/key of a Kubernetes Secret"`
	Command []string `yaml:"command,omitempty" jsonschema:"description=argv of a command that prints the secret"`
}

// IsZero reports whether no place is named.
func (r SecretRef) IsZero() bool {
	return r.Env == "" && r.File == "" && r.Secret == "" && len(r.Command) == 0
}

// OfPlatform reports whether the secret is kept in the platform itself, so that its absence says something of the platform. A variable, a
// file or a command of the machine that gonogo runs on only says what gonogo was given.
func (r SecretRef) OfPlatform() bool { return r.Secret != "" }

// String says where the secret is kept, never what it is.
func (r SecretRef) String() string {
	switch {
	case r.Env != "":
		return "environment variable " + r.Env
	case r.File != "":
		return "file " + r.File
	case r.Secret != "":
		return "secret " + r.Secret
	case len(r.Command) > 0:
		return "command " + r.Command[0]
	}
	return "nowhere"
}

// Request says how a person looks whether the secret is there, without showing it.
func (r SecretRef) Request() Request {
	repeat := "false # no place is named"
	switch {
	case r.Env != "":
		repeat = fmt.Sprintf("test -n \"$%s\" && echo set", r.Env)
	case r.File != "":
		repeat = "wc -c " + ShellWord(r.File)
	case r.Secret != "":
		parts := append(strings.SplitN(r.Secret, "/", 3), "", "", "")
		repeat = fmt.Sprintf("kubectl describe secret -n %s %s # key %s", ShellWord(parts[0]), ShellWord(parts[1]), parts[2])
	case len(r.Command) > 0:
		words := make([]string, len(r.Command))
		for i, word := range r.Command {
			words[i] = ShellWord(word)
		}
		repeat = strings.Join(words, " ") + " | wc -c"
	}
	return Request{Source: r.String(), Repeat: repeat}
}

// ShellWord makes text one word of a POSIX shell, quoted where that is needed.
func ShellWord(word string) string {
	plain := func(c rune) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_./:=@%+,", c)
	}
	if word != "" && strings.IndexFunc(word, func(c rune) bool { return !plain(c) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// Validate reports whether exactly one place is named.
func (r SecretRef) Validate() error {
	places := 0
	for _, set := range []bool{r.Env != "", r.File != "", r.Secret != "", len(r.Command) > 0} {
		if set {
			places++
		}
	}
	if places != 1 {
		return fmt.Errorf("a secret is kept in exactly one place: {env: NAME}, {file: PATH}, {secret: namespace/name/key} or {command: [argv…]}")
	}
	return nil
}

// Credential is a user name and password, by reference.
type Credential struct {
	Username SecretRef `yaml:"username"`
	Password SecretRef `yaml:"password"`
}

// KindInfo describes a kind of probe to whoever reads, validates or documents a profile.
type KindInfo struct {
	Name       string        // as a profile writes it: "kubernetes.nodes"
	About      string        // one sentence: what it asks, and where its evidence comes from
	Connection string        // the connection it asks over; empty for none
	Others     []string      // the connections that it cannot do without besides
	OnChange   bool          // whether its answers come from a watch
	Every      time.Duration // default interval
	MinEvery   time.Duration // the shortest interval that a profile may ask for; zero for any
	Timeout    time.Duration // default deadline
	Confirm    int           // default number of failures in a row that flip a pass
	// Params returns a pointer to a new parameter struct with yaml tags, filled with its defaults. If the struct has a method
	// Validate() error, it is called after decoding.
	Params func() any
}

// Connections lists every connection that the kind cannot do without.
func (k KindInfo) Connections() []string {
	if k.Connection == "" {
		return k.Others
	}
	return append([]string{k.Connection}, k.Others...)
}

// Connecting is what the parameters of a kind implement if they decide what a check asks over: Connections takes the place of the kind's
// own, the main one first. It is called on parameters that may not be valid.
type Connecting interface {
	Connections() []string
}

// ConnectionsOf lists every connection that a check of the kind with these parameters cannot do without, the main one first.
func (k KindInfo) ConnectionsOf(params any) []string {
	if c, ok := params.(Connecting); ok {
		return c.Connections()
	}
	return k.Connections()
}

// Attestable is what the parameters of a kind implement if a person's word can count for its checks: where no probe can see. Attests says
// what the word is about, nothing if with these parameters it counts for nothing.
type Attestable interface {
	Attests() string
}
