package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/254carbon/gonogo/probes"
)

// Place says where one program is asked. Kinds that ask a program of its own protocol inline it into their parameters.
type Place struct {
	Service string `yaml:"service,omitempty" jsonschema:"description=Service to ask through the API server: namespace/name:port"`
	URL     string `yaml:"url,omitempty" jsonschema:"description=where to ask instead; its path is where the program's own begin"`
}

// Validate reports a place that is none.
func (p Place) Validate() error {
	if (p.URL == "") == (p.Service == "") {
		return errors.New("give either service or url")
	}
	if u, err := url.Parse(p.URL); err == nil && (u.RawQuery != "" || u.Fragment != "") {
		return errors.New("url must have no query")
	}
	return Target{Service: p.Service, URL: p.URL, Path: "/"}.validatePlace()
}

// String is the place in short.
func (p Place) String() string { return Target{Service: p.Service, URL: p.URL}.place() }

// Page is what a program answered.
type Page struct {
	Status  int
	Header  http.Header
	Body    []byte
	Request probes.Request
}

// String is the status in words.
func (p Page) String() string { return answer{resp: &http.Response{StatusCode: p.Status}}.String() }

// JSON reads the body, which must be one value of that form and nothing else.
func (p Page) JSON(into any) error {
	if err := json.Unmarshal(p.Body, into); err != nil {
		return errors.New("not the JSON that was to be expected") // the error of the decoder speaks of Go
	}
	return nil
}

// A DownError says that there is nobody at a Service. That is a measurement.
type DownError struct {
	Why     string
	Request probes.Request
}

func (e *DownError) Error() string { return e.Why }

// A ForeignError says that an answer is not the one that only the program itself gives. Of a Service that is a measurement: something else
// runs behind it. Of a URL it is none: whatever stands in between may have answered.
type ForeignError struct {
	Want, Got string
	Request   probes.Request
}

func (e *ForeignError) Error() string { return fmt.Sprintf("want %s, got %s", e.Want, e.Got) }

// Foreign returns the error of a page that is not what only the program gives.
func (p Page) Foreign(want string, err error) error {
	got := p.String()
	if err != nil {
		got += ", " + err.Error()
	} else if begin := probes.Clean(string(p.Body[:min(len(p.Body), 400)]), 60); begin != "" && !strings.HasPrefix(begin, "<") {
		got += fmt.Sprintf(" %q", begin)
	}
	return &ForeignError{Want: want, Got: got, Request: p.Request}
}

// Get asks the program for a path and query. A redirect is an error: who answers then is not the program. Further headers may hold a
// credential; a request with headers is described so that a person puts them on, secrets as variables: set says how, as arguments of curl.
func (p Place) Get(ctx context.Context, f Fetcher, path string, header http.Header, set ...string) (Page, error) {
	address := path
	if p.Service == "" {
		address = strings.TrimRight(p.URL, "/") + path
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return Page{}, errors.New("the request cannot be made of what the profile says")
	}
	req.Header.Set("User-Agent", "gonogo")
	for name, values := range header {
		req.Header[name] = slices.Clone(values)
	}
	resp, request, err := f.Fetch(ctx, p.Service, req)
	if request.Source == "" || request.Repeat == "" {
		request = Target{Service: p.Service, URL: address, Path: path, Method: http.MethodGet}.fallback()
	}
	if len(set) > 0 {
		request.Repeat = p.byHand(path, set)
	}
	if err != nil {
		return Page{Request: request}, p.unanswered(err, request)
	}
	defer func() { _ = resp.Body.Close() }()
	if to := resp.Header.Get("Location"); resp.StatusCode/100 == 3 && to != "" {
		return Page{Request: request}, fmt.Errorf("it redirects to %s, which is not followed", answer{resp: resp}.location())
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err == nil && len(body) > maxBody {
		err = errCutOff
	}
	if err != nil {
		return Page{Request: request}, fmt.Errorf("reading the answer: %w", err)
	}
	return Page{Status: resp.StatusCode, Header: resp.Header, Body: body, Request: request}, nil
}

func (p Place) unanswered(err error, request probes.Request) error {
	if p.Service != "" {
		if why := saidOfService(err); why != "" {
			return &DownError{Why: why, Request: request}
		}
	}
	if inner := (*url.Error)(nil); errors.As(err, &inner) && p.Service == "" {
		return inner.Err // the request is named beside it
	}
	return err
}

// byHand is curl with arguments, for a Service through a port-forward: kubectl sends no headers.
func (p Place) byHand(path string, set []string) string {
	curl := "curl -sS " + strings.Join(set, " ") + " "
	if p.Service == "" {
		return curl + probes.ShellWord(strings.TrimRight(p.URL, "/")+path)
	}
	scheme, rest := "http", p.Service
	if before, after, ok := strings.Cut(rest, ":"); ok && !strings.Contains(before, "/") {
		scheme, rest = before, after
	}
	namespace, rest, _ := strings.Cut(rest, "/")
	name, port, _ := strings.Cut(rest, ":")
	const local = "8080"
	return fmt.Sprintf("kubectl -n %s port-forward %s %s & sleep 2; %s%s; kill $!", probes.ShellWord(namespace), probes.ShellWord("service/"+name),
		probes.ShellWord(local+":"+port), curl, probes.ShellWord(scheme+"://localhost:"+local+path))
}

// Observe gives the answer of ask, which asks the program called name at this place. That nobody or something else answers at a Service is
// a failure of the claim; anything but a pass is taken back if the way to the Service turns out to be broken.
func (p Place) Observe(ctx context.Context, f Fetcher, name string, ask func(context.Context) (probes.Observation, error)) (probes.Observation, error) {
	obs, err := ask(ctx)
	var down *DownError
	var foreign *ForeignError
	switch {
	case errors.As(err, &down):
		obs, err = p.wrong(name+": "+down.Why, "answers", down.Why, down.Request), nil
	case errors.As(err, &foreign) && p.Service != "":
		obs, err = p.wrong(fmt.Sprintf("what answers at %s is not %s: %s", p, name, foreign.Got), foreign.Want, foreign.Got, foreign.Request), nil
	}
	if err != nil {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			err = fmt.Errorf("no answer in time: %w", err)
		}
		return probes.Observation{}, fmt.Errorf("asking %s at %s: %w", name, p, err)
	}
	if v, ok := f.(Voucher); ok && obs.Status != probes.Pass && p.Service != "" {
		if err := v.Vouch(ctx); err != nil {
			return probes.Observation{}, fmt.Errorf("asking %s at %s: the way to services is broken: %w", name, p, err)
		}
	}
	return obs, nil
}

func (p Place) wrong(summary, want, got string, r probes.Request) probes.Observation {
	return probes.Observation{Status: probes.Fail, Summary: summary, Evidence: []probes.Evidence{
		probes.Evidence{Subject: p.String(), Want: want, Got: got, Wanting: true}.From(r),
	}}
}
