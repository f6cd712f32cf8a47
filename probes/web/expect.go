package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// answer is what came back.
type answer struct {
	resp  *http.Response
	body  []byte
	whole bool // body is all of it
	now   time.Time
}

// String is the answer in a few words, with what tells which program gave it.
func (a answer) String() string {
	text := strconv.Itoa(a.resp.StatusCode)
	if word := http.StatusText(a.resp.StatusCode); word != "" {
		text += " " + word
	}
	for _, h := range []string{"Content-Type", "Server", "X-Powered-By"} {
		if v := a.resp.Header.Get(h); v != "" {
			text += fmt.Sprintf(", %s %s", h, probes.Clean(v, 80))
		}
	}
	if a.redirect() {
		text += ", leads to " + a.location()
	}
	if until, ok := a.certificate(); ok {
		text += ", certificate until " + day(until)
	}
	return text
}

func (a answer) redirect() bool {
	return a.resp.StatusCode/100 == 3 && a.resp.Header.Get("Location") != ""
}

// location is where a redirect leads, without a query: those of logins carry tokens.
func (a answer) location() string {
	u, err := url.Parse(a.resp.Header.Get("Location")) // as it is written: of a service it is relative to the service
	if err != nil {
		return "nowhere"
	}
	u.RawQuery, u.Fragment, u.User = "", "", nil
	return probes.Clean(u.String(), 120)
}

func (a answer) certificate() (until time.Time, ok bool) {
	if a.resp.TLS == nil || len(a.resp.TLS.PeerCertificates) == 0 {
		return time.Time{}, false
	}
	until = a.resp.TLS.PeerCertificates[0].NotAfter
	for _, c := range a.resp.TLS.PeerCertificates { // whichever ends first ends the chain
		if c.NotAfter.Before(until) {
			until = c.NotAfter
		}
	}
	return until, true
}

// String is what is expected, in a few words.
func (e Expect) String() string {
	words := make([]string, 0, 4)
	var statuses []string
	for _, s := range e.Status {
		statuses = append(statuses, strconv.Itoa(s))
	}
	words = append(words, strings.Join(statuses, " or "))
	for _, name := range sorted(e.Headers) {
		words = append(words, strings.TrimSpace(fmt.Sprintf("header %s %s", name, e.Headers[name])))
	}
	if e.Contains != "" {
		words = append(words, fmt.Sprintf("body with %q", e.Contains))
	}
	if e.Matches != "" {
		words = append(words, fmt.Sprintf("body like %q", e.Matches))
	}
	for _, path := range sorted(e.JSONEquals) {
		words = append(words, fmt.Sprintf("%s = %v", path, e.JSONEquals[path]))
	}
	if e.TLSMinDays > 0 {
		words = append(words, fmt.Sprintf("certificate for %d more days", e.TLSMinDays))
	}
	return strings.Join(words, ", ")
}

func sorted[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// unmet says what of the expectation an answer does not meet, or nothing. An error means that it cannot be told, since only a part of the
// body was looked at.
func (e Expect) unmet(a answer) (string, error) {
	if !slices.Contains(e.Status, a.resp.StatusCode) {
		return a.String(), nil
	}
	for _, name := range sorted(e.Headers) {
		values := a.resp.Header.Values(name)
		want := e.Headers[name]
		switch {
		case len(values) == 0:
			return fmt.Sprintf("%d without a header %s", a.resp.StatusCode, name), nil
		case want != "" && !slices.ContainsFunc(values, func(v string) bool { return strings.Contains(strings.ToLower(v), strings.ToLower(want)) }):
			return fmt.Sprintf("%d with header %s %q, not %q", a.resp.StatusCode, name, probes.Clean(strings.Join(values, ", "), 100), want), nil
		}
	}
	if cause := e.unmetTLS(a); cause != "" {
		return cause, nil
	}
	return e.unmetBody(a)
}

func (e Expect) unmetTLS(a answer) string {
	if e.TLSMinDays == 0 {
		return ""
	}
	until, ok := a.certificate()
	if !ok {
		return "no certificate was shown"
	}
	if left := until.Sub(a.now); left < time.Duration(e.TLSMinDays)*24*time.Hour {
		return fmt.Sprintf("the certificate ends on %s, in %d days", day(until), int(left.Hours()/24))
	}
	return ""
}

// errCutOff is the error of a claim about a body of which only the beginning was looked at.
var errCutOff = errors.New("the body is longer than 1 MiB and was not read further")

func (e Expect) unmetBody(a answer) (string, error) {
	missing := ""
	switch {
	case e.Contains != "" && !bytes.Contains(a.body, []byte(e.Contains)):
		missing = fmt.Sprintf("%d, but the body does not contain %q", a.resp.StatusCode, e.Contains)
	case e.Matches != "" && !regexp.MustCompile(e.Matches).Match(a.body): // validated
		missing = fmt.Sprintf("%d, but nothing in the body is like %q", a.resp.StatusCode, e.Matches)
	case len(e.JSONEquals) == 0:
		return "", nil
	case !a.whole:
		return "", errCutOff
	}
	if missing != "" {
		if !a.whole {
			return "", errCutOff
		}
		return missing, nil
	}
	root, err := decode(a.body)
	if err != nil {
		return fmt.Sprintf("%d, but the body is not JSON", a.resp.StatusCode), nil //nolint:nilerr // that is the finding
	}
	for _, path := range sorted(e.JSONEquals) {
		if cause := differs(root, path, e.JSONEquals[path]); cause != "" {
			return fmt.Sprintf("%d, but %s", a.resp.StatusCode, cause), nil
		}
	}
	return "", nil
}

// decode reads exactly one JSON value, with numbers as they are written.
func decode(body []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON")
	}
	return v, nil
}

// differs says how the value at a path differs from the one that is wanted, or nothing.
func differs(root any, path string, want any) string {
	got, ok := lookup(root, path)
	if !ok {
		return fmt.Sprintf("there is no %s", path)
	}
	wanted, err := canonical(want)
	if err != nil {
		return err.Error()
	}
	found, err := canonical(got)
	if err != nil {
		return fmt.Sprintf("%s is %s", path, err)
	}
	if found != wanted {
		return fmt.Sprintf("%s is %s, not %s", path, probes.Clean(found, 100), wanted)
	}
	return ""
}

// lookup follows a path of names and list positions, joined by dots. A name that itself has dots is found if nothing shorter leads there.
func lookup(v any, path string) (any, bool) {
	if path == "" {
		return v, true
	}
	switch v := v.(type) {
	case map[string]any:
		for i := 0; i <= len(path); i++ {
			if i < len(path) && path[i] != '.' {
				continue
			}
			if inner, ok := v[path[:i]]; ok {
				if found, ok := lookup(inner, path[min(i+1, len(path)):]); ok {
					return found, true
				}
			}
		}
	case []any:
		head, rest, _ := strings.Cut(path, ".")
		if i, err := strconv.Atoi(head); err == nil && i >= 0 && i < len(v) {
			return lookup(v[i], rest)
		}
	}
	return nil, false
}

// canonical writes a value so that equal ones are equal texts: numbers by their worth, however they are written.
func canonical(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "null", nil
	case bool:
		return strconv.FormatBool(v), nil
	case string:
		return strconv.Quote(v), nil
	case json.Number:
		return rational(v.String())
	case int:
		return rational(strconv.Itoa(v))
	case int64:
		return rational(strconv.FormatInt(v, 10))
	case uint64:
		return rational(strconv.FormatUint(v, 10))
	case float64:
		return rational(strconv.FormatFloat(v, 'g', -1, 64))
	case map[string]any:
		return "", errors.New("an object, which is not compared")
	case []any:
		return "", errors.New("a list, which is not compared")
	}
	return "", fmt.Errorf("a %T, which is not compared", v)
}

// rational writes a number by its worth. One with an exponent that would take a mountain of digits is compared as it is written.
func rational(text string) (string, error) {
	if _, exponent, ok := strings.Cut(strings.ToLower(text), "e"); ok {
		if n, err := strconv.Atoi(exponent); err != nil || n > 400 || n < -400 {
			return text, nil
		}
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return "", fmt.Errorf("%s, which is no number", text)
	}
	return probes.FormatRat(r), nil
}
