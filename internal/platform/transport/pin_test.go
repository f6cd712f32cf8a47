package transport

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// A request goes to the address that its context names, by the host's own name; the certificate is valid by the clock that was given.
func TestPinnedAndByTheClock(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(r.Host)) }))
	defer server.Close()
	leaf, roots := server.Certificate(), x509.NewCertPool()
	roots.AddCert(leaf)
	var dialed []string
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		dialed = append(dialed, address)
		return (&net.Dialer{}).DialContext(ctx, network, server.Listener.Addr().String())
	}
	for name, tt := range map[string]struct {
		to      string // host that the pin is for
		address string
		now     time.Time
		expired bool
	}{
		"pinned":           {"example.com:443", "192.0.2.7:443", leaf.NotBefore.Add(time.Hour), false},
		"for another host": {"example.org:443", "example.com:443", leaf.NotBefore.Add(time.Hour), false},
		"before its time":  {"example.com:443", "192.0.2.7:443", leaf.NotBefore.Add(-time.Hour), true},
		"after its time":   {"example.com:443", "192.0.2.7:443", leaf.NotAfter.Add(time.Hour), true},
	} {
		t.Run(name, func(t *testing.T) {
			dialed = nil
			client := Client(New(Options{Dial: dial, Roots: roots, Now: func() time.Time { return tt.now }, Afresh: true}))
			r, err := http.NewRequestWithContext(To(t.Context(), tt.to, "192.0.2.7:443"), http.MethodGet, "https://example.com/", nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client.Do(r)
			if err == nil {
				_ = resp.Body.Close()
			}
			var invalid x509.CertificateInvalidError
			if tt.expired != errors.As(err, &invalid) || !tt.expired && err != nil || len(dialed) != 1 || dialed[0] != tt.address {
				t.Errorf("%v, dialed %v, want %s", err, dialed, tt.address)
			}
		})
	}
}
