package profile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// Limits on what is read as a profile.
const (
	maxSource = 1 << 20
	maxNodes  = 100_000 // with aliases written out
	maxDepth  = 32
)

const secretPlaces = "write {env: NAME}, {file: PATH}, {secret: namespace/name/key} or {command: [argv…]}"

// parse reads the one YAML document of src. What it returns is free of double keys, tags, merge keys, control characters, literal
// secrets and aliases that expand without end, or else c has a fault.
func parse(c *collector, src []byte) *yaml.Node {
	switch {
	case len(src) > maxSource:
		c.add(Pos{}, "the profile is larger than %d KiB; a profile describes a platform, data belongs elsewhere", maxSource>>10)
		return nil
	case !utf8.Valid(src):
		c.add(Pos{}, "the profile is not UTF-8 text; save it as UTF-8")
		return nil
	}
	loader, err := yaml.NewLoader(bytes.NewReader(src), yaml.WithUniqueKeys(false))
	if err != nil {
		c.add(Pos{}, "reading YAML: %v", err)
		return nil
	}
	var doc, second yaml.Node
	switch err := loader.Load(&doc); {
	case errors.Is(err, io.EOF):
		c.add(Pos{}, "the profile is empty; gonogo profile init writes one to begin with")
		return nil
	case err != nil:
		c.syntax(src, err)
		return nil
	}
	if err := loader.Load(&second); err == nil {
		c.add(c.pos(&second), "a second YAML document begins here; a profile is one document")
	} else if !errors.Is(err, io.EOF) {
		c.syntax(src, err)
		return nil
	}
	root := &doc
	if root.Kind == yaml.DocumentNode && len(root.Content) == 1 {
		root = root.Content[0]
	}
	w := walker{collector: c, left: maxNodes}
	if !w.walk(root, "", 0) {
		return nil
	}
	return root
}

func (c *collector) pos(n *yaml.Node) Pos { return Pos{File: c.file, Line: n.Line, Column: n.Column} }

// quoted is what a message of the YAML reader quotes. More than a few characters of punctuation are of the file, and may be a secret.
var quoted = regexp.MustCompile("'[^']*'|\"[^\"]*\"|`[^`]*`")

// syntax adds what the YAML reader did not understand.
func (c *collector) syntax(src []byte, err error) {
	var at *yaml.LoadError
	if !errors.As(err, &at) {
		c.add(Pos{Line: 1, Column: 1}, "the profile is not YAML that can be read; check quotes, brackets and indentation")
		return
	}
	text := quoted.ReplaceAllStringFunc(at.Message, func(part string) string {
		if len(part) > len("'-'")+1 {
			return "something"
		}
		return part
	})
	switch {
	case strings.Contains(text, "anchor"):
		text = "an alias (*) refers to no anchor (&)" // its name would be the text after the asterisk
	case tabIndented(src, at.Mark.Line):
		text = "a line is indented with a tab, write spaces"
	}
	c.add(Pos{Line: max(1, at.Mark.Line), Column: max(1, at.Mark.Column)}, "not YAML: %s; check quotes, brackets and indentation around here", text)
}

// tabIndented reports whether a line, counted from 1, has a tab among its leading blanks.
func tabIndented(src []byte, line int) bool {
	lines := bytes.SplitN(src, []byte("\n"), line+1)
	if line < 1 || line > len(lines) {
		return false
	}
	text := lines[line-1]
	return bytes.ContainsRune(text[:len(text)-len(bytes.TrimLeft(text, " \t"))], '\t')
}

type walker struct {
	*collector
	left int
}

// walk reports whether the tree can be read on at all.
func (w *walker) walk(n *yaml.Node, path string, depth int) bool {
	w.left--
	switch {
	case w.left < 0:
		w.add(w.pos(n), "the aliases (*) of this profile expand to more than %d values; write out what is meant", maxNodes)
		return false
	case depth > maxDepth:
		w.add(w.pos(n), "nested more than %d levels deep; a profile needs fewer", maxDepth)
		return false
	}
	if n.Kind == yaml.AliasNode {
		if n.Alias == nil {
			w.add(w.pos(n), "an alias (*) refers to no anchor (&)")
			return false
		}
		return w.walk(n.Alias, path, depth+1)
	}
	if n.Style&yaml.TaggedStyle != 0 {
		w.add(w.pos(n), "%s: tags (!…) have no meaning in a profile; write the value alone", named(path))
		return true
	}
	switch n.Kind {
	case yaml.MappingNode:
		return w.mapping(n, path, depth)
	case yaml.SequenceNode:
		for i, child := range n.Content {
			if !w.walk(child, fmt.Sprintf("%s[%d]", path, i), depth+1) {
				return false
			}
		}
	case yaml.ScalarNode:
		w.scalar(n, path)
	}
	return true
}

func (w *walker) mapping(n *yaml.Node, path string, depth int) bool {
	first := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Kind != yaml.ScalarNode:
			w.add(w.pos(key), "%s: a key must be a word", named(path))
			continue
		case key.Value == "<<" && key.Style == 0:
			w.add(w.pos(key), "%s: merge keys (<<) are not supported; write the keys out", named(path))
			continue
		}
		w.scalar(key, path)
		if before := first[key.Value]; before != nil {
			w.add(w.pos(key), "key %q is written twice in %s, first in line %d; remove one of them", shown(key.Value), named(path), before.Line)
			continue
		}
		first[key.Value] = key
		if secretKey(key.Value) && literal(value) {
			w.add(w.pos(value), "%s: a secret is never written in a profile (its text is not shown here); %s", join(path, key.Value), secretPlaces)
			continue
		}
		if !w.walk(value, join(path, key.Value), depth+1) {
			return false
		}
	}
	return true
}

func literal(n *yaml.Node) bool {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		n = n.Alias
	}
	return n.Kind == yaml.ScalarNode && n.Tag != "!!null"
}

// secretKey reports whether a key names something that is a secret wherever it stands.
func secretKey(key string) bool {
	switch strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(key)) {
	case "password", "passwd", "passphrase", "token", "apitoken", "accesstoken", "bearertoken", "dsn", "apikey", "xapikey", "secretkey",
		"secretaccesskey", "clientsecret", "privatekey", "authorization", "proxyauthorization", "cookie", "cfaccessclientsecret":
		return true
	}
	return false
}

// urlPassword finds a password in a URL; one that begins with $ is a variable of a command to type.
var urlPassword = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^/\s:@?#]*:[^/\s@$<{][^/\s@]*@`)

func (w *walker) scalar(n *yaml.Node, path string) {
	if i := strings.IndexFunc(n.Value, control); i >= 0 {
		w.add(w.pos(n), "%s holds a control character, which has no place in a profile; remove it", named(path))
		return
	}
	if urlPassword.MatchString(n.Value) {
		w.add(w.pos(n), "%s: a URL with a password in it (its text is not shown here); leave user and password out of the URL, and for the password %s",
			named(path), secretPlaces)
	}
}

func control(r rune) bool {
	return r < 0x20 && r != '\n' && r != '\t' || r >= 0x7f && r <= 0x9f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

func join(path, key string) string {
	if path == "" {
		return shown(key)
	}
	return path + "." + shown(key)
}

func named(path string) string {
	if path == "" {
		return "the profile"
	}
	return path
}

// shown bounds a word of the file for a message.
func shown(word string) string {
	if runes := []rune(word); len(runes) > 60 {
		return string(runes[:59]) + "…"
	}
	return word
}
