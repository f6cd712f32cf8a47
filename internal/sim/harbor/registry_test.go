package harbor

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/254carbon/gonogo/internal/sim/oci"
)

// TestRegistry pulls and pushes with a client of registries, as the accounts that may and as those that may not.
func TestRegistry(t *testing.T) {
	accounts := DemoAccounts()
	s := New(Ready(noon, accounts), Options{Now: func() time.Time { return noon }, LockTime: time.Nanosecond, Registry: oci.NewRegistry()})
	server := httptest.NewServer(s)
	defer server.Close()
	reference := func(text string) name.Reference {
		ref, err := name.ParseReference(server.Listener.Addr().String() + "/" + text)
		if err != nil {
			t.Fatal(err)
		}
		return ref
	}
	as := func(a Account) remote.Option {
		return remote.WithAuth(&authn.Basic{Username: a.Username, Password: a.Password})
	}
	trino := reference("254carbon/trino:424")
	index, err := remote.Index(trino, as(accounts.Reader))
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
	if digest, err := index.Digest(); err != nil || digest.String() != oci.Digest("trinodb/trino:424") {
		t.Errorf("%s, %v", digest, err)
	}
	for _, absent := range []string{"254carbon/trino:425", "254carbon/nothing:1", "254carbon/nothing@" + oci.Digest("trinodb/trino:424")} {
		if _, err := remote.Head(reference(absent), as(accounts.Reader)); err == nil || !strings.Contains(err.Error(), "404") {
			t.Errorf("%s: %v", absent, err)
		}
	}
	wrong := Account{accounts.Reader.Username, "wrong"}
	for _, who := range []Account{wrong, {}} {
		if _, err := remote.Head(trino, as(who)); err == nil || !strings.Contains(err.Error(), "401") {
			t.Errorf("as %q: %v", who.Username, err)
		}
	}
	own, err := random.Index(256, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	target := reference("254carbon/our-own:1")
	if err := remote.WriteIndex(target, own, as(accounts.Reader)); err == nil {
		t.Error("the reader pushed")
	}
	if err := remote.WriteIndex(reference("library/our-own:1"), own, as(accounts.Platform)); err == nil {
		t.Error("the platform's robot pushed to another project")
	}
	if err := remote.WriteIndex(target, own, as(accounts.Platform)); err != nil {
		t.Fatal(err)
	}
	want, err := own.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := remote.Head(target, as(accounts.Reader)); err != nil || got.Digest != want {
		t.Errorf("after the push: %v, %v", got, err)
	}
	w := do(t, s, accounts.Reader, http.MethodGet, "/api/v2.0/projects/254carbon/repositories/our-own/artifacts/1", "")
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), want.String()) {
		t.Errorf("Harbor lists %d %s", w.Code, w.Body)
	}
	snapshot, err := s.Snapshot()
	if err != nil || !strings.Contains(string(snapshot), want.String()) {
		t.Errorf("what was pushed is not kept: %v", err)
	}
}

// TestTokens holds that only the token service's own tokens count, for as long as they do, and for what they allow.
func TestTokens(t *testing.T) {
	now := noon
	s := New(Ready(noon, DemoAccounts()), Options{Now: func() time.Time { return now }, LockTime: time.Nanosecond, Registry: oci.NewRegistry()})
	claims := func(s *Server, until time.Time, repository string, actions ...string) string {
		return s.sign(map[string]any{"exp": until.Unix(), "access": []access{{"repository", repository, actions}}})
	}
	later := noon.Add(time.Minute)
	other := New(Ready(noon, DemoAccounts()), Options{})
	good := claims(s, later, "254carbon/trino", "pull")
	for token, want := range map[string]int{
		good: http.StatusOK, claims(s, noon, "254carbon/trino", "pull"): http.StatusUnauthorized, claims(s, later, "254carbon/trino", "push"): http.StatusUnauthorized,
		claims(s, later, "254carbon/redis", "pull"): http.StatusUnauthorized, claims(other, later, "254carbon/trino", "pull"): http.StatusUnauthorized,
		"": http.StatusUnauthorized, "a.b.c": http.StatusUnauthorized, strings.Replace(good, ".", "", 1): http.StatusUnauthorized, good + "x": http.StatusUnauthorized,
	} {
		r := httptest.NewRequest(http.MethodHead, "/v2/254carbon/trino/manifests/424", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%.60s: %d, want %d", token, w.Code, want)
		}
		if challenge := w.Header().Get("Www-Authenticate"); want == http.StatusUnauthorized && !strings.HasPrefix(challenge, "Bearer realm=") {
			t.Errorf("the challenge is %q", challenge)
		}
	}
}
