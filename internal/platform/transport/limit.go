package transport

import (
	"fmt"
	"io"
	"net/http"
)

// TooLargeError is the error of reading a body beyond its limit.
type TooLargeError struct{ Limit int64 }

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("the answer is larger than %d MiB and was not read further", e.Limit>>20)
}

// limiter bounds the bodies of answers, so that no server can fill the memory. Watches of a Kubernetes API server are left alone: they are
// bounded event by event.
type limiter struct {
	next       http.RoundTripper
	limit      int64
	kubernetes bool
}

// RoundTrip sends the request and bounds the body of its answer.
func (l limiter) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.next.RoundTrip(r)
	if err != nil || l.kubernetes && isWatch(r) || resp.StatusCode == http.StatusSwitchingProtocols {
		return resp, err
	}
	if resp.ContentLength > l.limit && r.Method != http.MethodHead { // it says itself that it is too large: not a byte of it is read
		_ = resp.Body.Close()
		resp.Body = refusedBody{limit: l.limit}
		return resp, nil
	}
	resp.Body = &boundedBody{body: resp.Body, left: l.limit, limit: l.limit}
	return resp, nil
}

// refusedBody stands for a body that nobody reads.
type refusedBody struct{ limit int64 }

func (b refusedBody) Read([]byte) (int, error) { return 0, &TooLargeError{Limit: b.limit} }
func (refusedBody) Close() error               { return nil }

func isWatch(r *http.Request) bool {
	watch := r.URL.Query().Get("watch")
	return watch == "true" || watch == "1"
}

type boundedBody struct {
	body        io.ReadCloser
	left, limit int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		var one [1]byte
		if n, err := b.body.Read(one[:]); n == 0 {
			return 0, err
		}
		return 0, &TooLargeError{Limit: b.limit}
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.body.Read(p)
	b.left -= int64(n)
	return n, err
}

func (b *boundedBody) Close() error { return b.body.Close() }
