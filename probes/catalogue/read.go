package catalogue

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/254carbon/gonogo/probes"
)

// maxList is how long a list may be.
const maxList = 1 << 20

// text is a list as it was read, or what was measured wrong with where it should be.
type text struct {
	body    []byte
	wrong   string
	request probes.Request
}

func (p probe) read(ctx context.Context) (text, error) {
	switch {
	case p.params.Service != "":
		page, err := p.params.at().Get(ctx, p.sources.Web, p.params.Path, nil)
		if err == nil && page.Status != http.StatusOK {
			return text{wrong: "the answer is " + page.String(), request: page.Request}, nil
		}
		return text{body: page.Body, request: page.Request}, err
	case p.params.ConfigMap != "":
		return p.configMap(ctx)
	}
	return p.file(ctx)
}

func (p probe) configMap(ctx context.Context) (text, error) {
	parts := strings.SplitN(p.params.ConfigMap, "/", 3)
	name, key := parts[1], parts[2]
	body, request, err := p.sources.Cluster.Raw(ctx, fmt.Sprintf("/api/v1/namespaces/%s/configmaps/%s", parts[0], name), 2*maxList)
	if status := (apierrors.APIStatus)(nil); errors.As(err, &status) && apierrors.IsNotFound(err) && status.Status().Details != nil && status.Status().Details.Name == name {
		return text{wrong: "the ConfigMap does not exist", request: request}, nil
	}
	if err != nil {
		return text{}, fmt.Errorf("reading configmap %s/%s: %w", parts[0], name, err)
	}
	var o struct {
		Kind string
		Data map[string]string
	}
	if err := json.Unmarshal(body, &o); err != nil || o.Kind != "ConfigMap" {
		return text{}, fmt.Errorf("reading configmap %s/%s: the answer is not one", parts[0], name)
	}
	value, ok := o.Data[key]
	if !ok {
		return text{wrong: "the ConfigMap has no key " + key, request: request}, nil
	}
	return text{body: []byte(value), request: request}, nil
}

func (p probe) file(ctx context.Context) (text, error) {
	folder := p.sources.Checkout.Name()
	whole := path.Join(folder, p.params.File)
	request := probes.Request{Source: "file " + whole, Repeat: "cat " + probes.ShellWord(whole)}
	tree, err := p.sources.Checkout.Open(ctx)
	if err != nil {
		return text{}, fmt.Errorf("opening the checkout %s: %w", folder, err)
	}
	defer func() { _ = tree.Close() }()
	f, err := tree.Open(path.Clean(p.params.File))
	if errors.Is(err, fs.ErrNotExist) {
		return text{wrong: "the checkout has no " + p.params.File, request: request}, nil
	}
	if err != nil {
		return text{}, fmt.Errorf("reading %s: %w", whole, err)
	}
	defer func() { _ = f.Close() }()
	body, err := io.ReadAll(io.LimitReader(f, maxList+1))
	switch {
	case err != nil:
		return text{}, fmt.Errorf("reading %s: %w", whole, err)
	case len(body) > maxList:
		return text{}, fmt.Errorf("reading %s: it is longer than %d MiB", whole, maxList>>20)
	}
	return text{body: body, request: request}, nil
}

// fields are what every entry must have.
var fields = []string{"id", "name", "category", "description", "icon", "url"}

// entry is a service in the list.
type entry struct {
	at     int
	values map[string]string // of fields, without blanks around them
}

// name is what a person calls the entry.
func (e entry) name() string {
	if id := e.values["id"]; id != "" {
		return probes.Clean(id, 60)
	}
	return fmt.Sprintf("number %d", e.at+1)
}

func (e entry) host() string {
	u, err := url.Parse(e.values["url"])
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Hostname())
}

// parse reads a list: an array of services, or an object that has one under the key services. Fields that it does not know are left alone;
// one that it knows and that is no text is an error.
func parse(body []byte) ([]entry, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var root any
	if err := d.Decode(&root); err != nil {
		return nil, errors.New("it is not JSON")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON")
	}
	list, ok := root.([]any)
	if o, isObject := root.(map[string]any); isObject {
		inner, there := o["services"]
		if !there {
			return nil, errors.New("it has no services")
		}
		list, ok = inner.([]any)
	}
	switch {
	case !ok:
		return nil, errors.New("it is no list of services")
	case len(list) == 0:
		return nil, errors.New("it is empty")
	}
	entries := make([]entry, 0, len(list))
	for i, item := range list {
		o, ok := item.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("entry number %d is no service", i+1)
		}
		e := entry{at: i, values: map[string]string{}}
		for _, field := range fields {
			value, there := o[field]
			words, ok := value.(string)
			if there && value != nil && !ok {
				return nil, fmt.Errorf("the %s of entry number %d is no text", field, i+1)
			}
			e.values[field] = strings.TrimSpace(words)
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// badURL says why a browser should not be sent there, or nothing.
func badURL(raw string) string {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Hostname() == "" || strings.ContainsAny(raw, " \t\r\n"):
		return "that is none"
	case u.Scheme != "https":
		return "that is not https"
	case u.User != nil:
		return "with a credential in it"
	}
	return ""
}
