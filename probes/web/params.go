package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// Params are the parameters of the kind http: one target, or a list of them.
type Params struct {
	Name    string   `yaml:"name,omitempty" jsonschema:"description=what the target is called; by default its service or host"`
	URL     string   `yaml:"url,omitempty" jsonschema:"description=where to ask"`
	Service string   `yaml:"service,omitempty" jsonschema:"description=Service to ask through the API server: namespace/name:port"`
	Path    string   `yaml:"path,omitempty" jsonschema:"description=path and query to ask the service for"`
	Method  string   `yaml:"method,omitempty" jsonschema:"description=GET or HEAD,enum=GET,enum=HEAD"`
	Expect  Expect   `yaml:"expect,omitempty" jsonschema:"description=what the answer must be like"`
	Targets []Target `yaml:"targets,omitempty" jsonschema:"description=several targets instead of one; method and expect above are their defaults"`
}

// Target is one page that is asked for.
type Target struct {
	Name    string `yaml:"name,omitempty" jsonschema:"description=what the target is called; by default its service or host"`
	URL     string `yaml:"url,omitempty" jsonschema:"description=where to ask"`
	Service string `yaml:"service,omitempty" jsonschema:"description=Service to ask through the API server: namespace/name:port"`
	Path    string `yaml:"path,omitempty" jsonschema:"description=path and query to ask the service for"`
	Method  string `yaml:"method,omitempty" jsonschema:"description=GET or HEAD,enum=GET,enum=HEAD"`
	Expect  Expect `yaml:"expect,omitempty" jsonschema:"description=what the answer must be like"`
}

// Expect is what an answer must be like. All of it must hold; an empty part asks nothing, except that the status is then 200.
type Expect struct {
	Status     []int             `yaml:"status,omitempty" jsonschema:"description=accepted statuses; 200 by default"`
	Headers    map[string]string `yaml:"headers,omitempty" jsonschema:"description=texts that headers must contain; an empty one asks for any value"`
	Contains   string            `yaml:"contains,omitempty" jsonschema:"description=text that the body must contain"`
	Matches    string            `yaml:"matches,omitempty" jsonschema:"description=regular expression (RE2) that the body must match somewhere"`
	JSONEquals map[string]any    `yaml:"jsonEquals,omitempty" jsonschema:"description=values that a JSON body must have: paths such as status.components.0.name with a text or number or true or false or null"`
	TLSMinDays int               `yaml:"tlsMinDays,omitempty" jsonschema:"description=days for which the certificate of an https URL must still be valid,minimum=0"`
}

func (e Expect) empty() bool {
	return len(e.Status) == 0 && len(e.Headers) == 0 && e.Contains == "" && e.Matches == "" && len(e.JSONEquals) == 0 && e.TLSMinDays == 0
}

func (e Expect) body() bool { return e.Contains != "" || e.Matches != "" || len(e.JSONEquals) > 0 }

// maxTargets bounds one check; more belong into several.
const maxTargets = 200

// Validate reports what is wrong with the parameters.
func (p *Params) Validate() error {
	if len(p.Targets) > 0 && (p.URL != "" || p.Service != "" || p.Name != "") {
		return errors.New("give url or service, or targets, not both")
	}
	if len(p.Targets) > maxTargets {
		return fmt.Errorf("targets has %d entries, more than %d", len(p.Targets), maxTargets)
	}
	seen := map[string]bool{}
	for _, t := range p.targets() {
		if err := t.validate(); err != nil {
			return fmt.Errorf("target %s: %w", t.Name, err)
		}
		if seen[t.Name] {
			return fmt.Errorf("two targets are called %s", t.Name)
		}
		seen[t.Name] = true
	}
	return nil
}

// targets are the targets with everything that a profile may leave out.
func (p Params) targets() []Target {
	list := p.Targets
	if len(list) == 0 {
		list = []Target{{Name: p.Name, URL: p.URL, Service: p.Service, Path: p.Path, Method: p.Method, Expect: p.Expect}}
	}
	whole := make([]Target, 0, len(list))
	for _, t := range list {
		if t.Method == "" {
			t.Method = p.Method
		}
		if t.Method == "" {
			t.Method = http.MethodGet
		}
		if t.Path == "" {
			t.Path = p.Path
		}
		if t.Path == "" {
			t.Path = "/"
		}
		if t.Expect.empty() {
			t.Expect = p.Expect
		}
		if len(t.Expect.Status) == 0 {
			t.Expect.Status = []int{http.StatusOK}
		}
		if t.Name == "" {
			t.Name = t.place()
		}
		whole = append(whole, t)
	}
	return whole
}

// place is where a target is, in short.
func (t Target) place() string {
	if t.Service != "" {
		return t.Service
	}
	if u, err := url.Parse(t.URL); err == nil && u.Host != "" {
		return u.Host + strings.TrimSuffix(u.Path, "/")
	}
	return "without a place"
}

func (t Target) validate() error {
	switch {
	case (t.URL == "") == (t.Service == ""):
		return errors.New("give either url or service")
	case t.Method != http.MethodGet && t.Method != http.MethodHead:
		return fmt.Errorf("method must be GET or HEAD, not %q", t.Method)
	case t.Method == http.MethodHead && t.Expect.body():
		return errors.New("the answer to a HEAD has no body to expect anything of")
	case t.Expect.TLSMinDays < 0:
		return fmt.Errorf("tlsMinDays must not be negative, it is %d", t.Expect.TLSMinDays)
	case t.Expect.TLSMinDays > 0 && !strings.HasPrefix(t.URL, "https://"):
		return errors.New("tlsMinDays needs an https url: of a service the API server's own certificate would be seen")
	}
	for _, status := range t.Expect.Status {
		if status < 100 || status > 599 {
			return fmt.Errorf("%d is no HTTP status", status)
		}
	}
	if _, err := regexp.Compile(t.Expect.Matches); err != nil {
		return fmt.Errorf("reading matches: %w", err)
	}
	for path, want := range t.Expect.JSONEquals {
		if _, err := canonical(want); err != nil {
			return fmt.Errorf("jsonEquals %s: %w", path, err)
		}
	}
	return t.validatePlace()
}

func (t Target) validatePlace() error {
	if t.Service != "" {
		rest := strings.TrimPrefix(strings.TrimPrefix(t.Service, "https:"), "http:")
		namespace, rest, ok := strings.Cut(rest, "/")
		name, port, ok2 := strings.Cut(rest, ":")
		if !ok || !ok2 || namespace == "" || name == "" || port == "" || strings.ContainsAny(name+port, "/: ") {
			return fmt.Errorf("service must be written namespace/name:port, not %q", t.Service)
		}
		if u, err := url.ParseRequestURI(t.Path); err != nil || u.Host != "" || !strings.HasPrefix(t.Path, "/") || strings.HasPrefix(t.Path, "//") {
			return fmt.Errorf("path must begin with one slash, it is %q", t.Path)
		}
		return nil
	}
	u, err := url.Parse(t.URL)
	switch {
	case err != nil:
		return errors.New("url is not a URL") // the error would show it, and with it perhaps a password
	case u.User != nil:
		return errors.New("a credential does not belong into url")
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("url must begin with https:// or http:// and a host, it is %q", t.URL)
	}
	return nil
}
