package platform

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/254carbon/gonogo/internal/platform/transport"
)

func TestFetchFollowsNothingAndSaysHowToRepeatIt(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	}))
	defer server.Close()
	w := &Web{client: transport.Client(transport.New(transport.Options{ReadOnly: true}))}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/x?a='$(reboot)'", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, request, err := w.Fetch(t.Context(), "", r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusFound || asked != 1 {
		t.Errorf("status %s after %d requests", resp.Status, asked)
	}
	if want := "curl -sS -i '" + server.URL + `/x?a='\''$(reboot)'\'''`; request.Repeat != want {
		t.Errorf("%s, want %s", request.Repeat, want)
	}
}
