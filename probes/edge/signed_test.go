package edge

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// FuzzVerify holds that whatever comes in place of a statement is called forged and nothing else, as long as nobody knows the team's key.
func FuzzVerify(f *testing.F) {
	const set = `{"keys":[{"kid":"k","kty":"RSA","alg":"RS256","use":"sig","e":"AQAB","n":"` +
		`sXchDaQebHnPiGvyDOAT4saGEUetSyo9MKLOoWFsueri23bOdgWp4Dy1WlUzewbgBHod5pcM9H95GQRV3JDXboIRROSBigeC5yjU1hGzHHyXss8UDprecbAYxknTcQkhslANG` +
		`RUZmdTOQ5qTRsLAt6BTYuyvVRdhS8exSZEy_c4gs_7svlJJQ4H9_NxsiIoLwAEk7-Q3UXERGYw_75IDrGA84-lA_-Ct4eTlXHBIY2EaV7t7LjJaynVJCpkv4LKjTTAumiGUIuQ` +
		`hrNhZLuF_RJLqHpM2kgWFLU7-VTdL1VbC2tejvcI2BlMkEpk1BzBZI0KQB0GaDWFLN-aEAw3vRw"}]}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(set)) }))
	f.Cleanup(server.Close)
	k := &keys{domain: "team", now: time.Now, get: func(context.Context, string, string) (*http.Response, error) { return http.Get(server.URL) }} //nolint:noctx // a test
	for _, seed := range []string{
		"", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsifQ.e30.AAAA", "eyJhbGciOiJIUzI1NiIsImtpZCI6ImsifQ.e30.AAAA",
		`{"payload":"e30","signatures":[{"protected":"eyJhbGciOiJSUzI1NiJ9","signature":"AAAA"}]}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		var wrong *forgedError
		if _, err := k.verify(t.Context(), token, inHeader, "host", ""); !errors.As(err, &wrong) || wrong.label != "forged" {
			t.Errorf("%q: %v", token, err)
		}
	})
}

func TestStatement(t *testing.T) {
	now := time.Date(2025, time.October, 20, 12, 0, 0, 0, time.UTC)
	good := statement{Type: inHeader, Hostname: "h", AuthDomain: "team", Audience: "a", Issued: now.Unix()}
	for name, tt := range map[string]struct {
		change   func(s *statement)
		place    string
		audience string
		label    string
	}{
		"good":                       {func(*statement) {}, inHeader, "", ""},
		"the application is known":   {func(*statement) {}, inHeader, "a", ""},
		"a list of one":              {func(s *statement) { s.Audience = []any{"a"} }, inHeader, "a", ""},
		"a list of two":              {func(s *statement) { s.Audience = []any{"a", "b"} }, inHeader, "", "forged"},
		"another application":        {func(*statement) {}, inHeader, "b", "forged"},
		"in the wrong place":         {func(*statement) {}, inRedirect, "", "forged"},
		"another host":               {func(s *statement) { s.Hostname = "g" }, inHeader, "", "forged"},
		"another team":               {func(s *statement) { s.AuthDomain = "b" }, inHeader, "", "forged"},
		"no date":                    {func(s *statement) { s.Issued = 0 }, inHeader, "", "forged"},
		"a day old":                  {func(s *statement) { s.Issued -= 86400 }, inHeader, "", ""},
		"older":                      {func(s *statement) { s.Issued -= 86401 }, inHeader, "", "expired"},
		"a clock that runs ahead":    {func(s *statement) { s.Issued += 299 }, inHeader, "", ""},
		"of tomorrow":                {func(s *statement) { s.Issued += 86400 }, inHeader, "", "forged"},
		"valid from tomorrow":        {func(s *statement) { s.NotBefore = s.Issued + 86400 }, inHeader, "", "forged"},
		"ended":                      {func(s *statement) { s.Expires = s.Issued - 301 }, inHeader, "", "expired"},
		"ended within clocks' drift": {func(s *statement) { s.Expires = s.Issued - 200 }, inHeader, "", ""},
	} {
		s := good
		tt.change(&s)
		err := s.judge(now, tt.place, "h", "team", tt.audience)
		var wrong *forgedError
		if errors.As(err, &wrong); err == nil && tt.label != "" || err != nil && (wrong == nil || wrong.label != tt.label) {
			t.Errorf("%s: %v, want %q", name, err, tt.label)
		}
	}
}
