package simulated

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/254carbon/gonogo/probes"
)

func TestOnARealPlatformNobodyCanAsk(t *testing.T) {
	if _, err := (Probe{ID: "guides"}).Observe(t.Context()); !errors.Is(err, ErrNoProbe) {
		t.Errorf("error %v, want %v", err, ErrNoProbe)
	}
}

func TestAnswers(t *testing.T) {
	tests := map[string]struct {
		code int
		body string
		want probes.Status // Pending for an error
	}{
		"pass":    {200, `{"status":"pass","summary":"12 guides","evidence":[{"subject":"docs","want":"12","got":"12"}]}`, probes.Pass},
		"fail":    {200, `{"status":"fail","summary":"no guides","evidence":[]}`, probes.Fail},
		"broken":  {500, `oh`, probes.Pending},
		"garbage": {200, "\x00\x1b[2J", probes.Pending},
		"no word": {200, `{"status":"fine"}`, probes.Pending},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/simulated/guides" {
					t.Errorf("asked for %s", r.URL.Path)
				}
				w.WriteHeader(tt.code)
				_, _ = w.Write([]byte(tt.body))
			}))
			defer server.Close()
			o, err := Probe{ID: "guides", Client: server.Client(), Base: server.URL}.Observe(t.Context())
			if o.Status != tt.want || (err != nil) != (tt.want == probes.Pending) {
				t.Errorf("%s, %v; want %s", o.Status, err, tt.want)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"status":"warn","num":1,"den":2,"summary":"x","evidence":[{"subject":"a"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) { _, _ = decode(body, probes.Request{}) })
}
