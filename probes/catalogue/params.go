package catalogue

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/web"
)

// Params are the parameters of the kind catalogue; exactly one of the places is set.
type Params struct {
	Service   string   `yaml:"service,omitempty" jsonschema:"description=Service that serves the list: namespace/name:port"`
	Path      string   `yaml:"path,omitempty" jsonschema:"description=path that the Service serves it under"`
	ConfigMap string   `yaml:"configMap,omitempty" jsonschema:"description=ConfigMap that holds it: namespace/name/key"`
	File      string   `yaml:"file,omitempty" jsonschema:"description=file of the checkout that holds it"`
	Min       int      `yaml:"min,omitempty" jsonschema:"description=how many services there must be,minimum=1"`
	IDs       []string `yaml:"ids,omitempty" jsonschema:"description=ids of the services that must be there; all declared ones by default"`
	Answers   bool     `yaml:"answers,omitempty" jsonschema:"description=also ask every URL; one that cannot be reached from here is noted and costs nothing"`

	wanted []wanted
}

// wanted is a service that must be in the list: under its id, or under another with its host.
type wanted struct{ id, host string }

func (w wanted) is(e entry) bool {
	return e.values["id"] == w.id || w.host != "" && badURL(e.values["url"]) == "" && e.host() == w.host
}

// Declare keeps the services that must be there.
func (p *Params) Declare(d probes.Declared) {
	p.wanted = nil
	for _, s := range d.Services {
		if len(p.IDs) == 0 || slices.Contains(p.IDs, string(s.ID)) {
			p.wanted = append(p.wanted, wanted{id: string(s.ID), host: strings.ToLower(s.Host)})
		}
	}
	for _, id := range p.IDs {
		if !slices.ContainsFunc(p.wanted, func(w wanted) bool { return w.id == id }) {
			p.wanted = append(p.wanted, wanted{id: id})
		}
	}
}

// at is the Service that serves the list, if one does.
func (p Params) at() web.Place { return web.Place{Service: p.Service} }

// Connections says over what the list is reached.
func (p *Params) Connections() []string {
	switch {
	case p.File != "" && p.Answers:
		return []string{web.Connection, "checkout"}
	case p.File != "":
		return []string{"checkout"}
	}
	return []string{web.Connection, "kubernetes"}
}

var dnsName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$`)

// Validate reports what is wrong with the parameters.
func (p *Params) Validate() error {
	places := 0
	for _, place := range []string{p.Service, p.ConfigMap, p.File} {
		if place != "" {
			places++
		}
	}
	switch {
	case places != 1:
		return errors.New("write exactly one of service, configMap and file")
	case p.Min < 1:
		return fmt.Errorf("min must be at least 1, not %d", p.Min)
	case p.Path != "" && p.Service == "":
		return errors.New("path belongs to a service")
	case p.Service != "" && (!strings.HasPrefix(p.Path, "/") || strings.HasPrefix(p.Path, "//")):
		return errors.New("path must begin with one slash")
	case p.File != "" && !fs.ValidPath(path.Clean(p.File)):
		return fmt.Errorf("file must be a path within the checkout, not %q", p.File)
	}
	for i, id := range p.IDs {
		if strings.TrimSpace(id) == "" || slices.Contains(p.IDs[:i], id) {
			return fmt.Errorf("ids must be there once each, and not be empty: %q is not", id)
		}
	}
	if p.Service != "" {
		return p.at().Validate()
	}
	if p.ConfigMap != "" {
		parts := strings.Split(p.ConfigMap, "/")
		if len(parts) != 3 || !dnsName.MatchString(parts[0]) || !dnsName.MatchString(parts[1]) || parts[2] == "" {
			return fmt.Errorf("configMap must be written namespace/name/key, not %q", p.ConfigMap)
		}
	}
	return nil
}

// place is where the list is read, for people.
func (p Params) place() string {
	switch {
	case p.Service != "":
		return "service " + p.Service + p.Path
	case p.ConfigMap != "":
		return "configmap " + p.ConfigMap
	}
	return "file " + p.File
}
