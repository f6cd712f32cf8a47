package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
)

// tooLargeError is the error of reading an answer, or one event of a watch, beyond its limit.
type tooLargeError struct{ limit int64 }

func (e *tooLargeError) Error() string {
	if e.limit < 1<<20 {
		return fmt.Sprintf("the answer is larger than %d KiB and was not read further", e.limit>>10)
	}
	return fmt.Sprintf("the answer is larger than %d MiB and was not read further", e.limit>>20)
}

// exchange follows one request through client-go: what client-go does not tell (why a watch ended) and does not bound (how much of a body
// it reads) is kept here. The round tripper finds it in the request's context.
type exchange struct {
	limit int64        // bytes of the body, or of a watch's body between two events
	read  atomic.Int64 // since the beginning or the last event

	mu  sync.Mutex
	err error // of the transport or of reading the body
}

type exchangeKey struct{}

func withExchange(ctx context.Context, limit int64) (context.Context, *exchange) {
	ex := &exchange{limit: limit}
	return context.WithValue(ctx, exchangeKey{}, ex), ex
}

func (e *exchange) fail(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err == nil {
		e.err = err
	}
}

// failure is what went wrong below client-go, if anything did.
func (e *exchange) failure() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}

// progress gives a watch's next event its whole limit again.
func (e *exchange) progress() { e.read.Store(0) }

// watched is the round tripper that feeds exchanges.
type watched struct{ next http.RoundTripper }

func (w watched) RoundTrip(r *http.Request) (*http.Response, error) {
	ex, _ := r.Context().Value(exchangeKey{}).(*exchange)
	resp, err := w.next.RoundTrip(r)
	if ex == nil {
		return resp, err
	}
	if err != nil {
		ex.fail(err)
		return nil, err
	}
	if resp.ContentLength > ex.limit && resp.StatusCode != http.StatusSwitchingProtocols {
		_ = resp.Body.Close()
		err := &tooLargeError{limit: ex.limit}
		ex.fail(err)
		return nil, err
	}
	resp.Body = &countedBody{ReadCloser: resp.Body, ex: ex}
	return resp, nil
}

// WrappedRoundTripper lets client-go find the transport below.
func (w watched) WrappedRoundTripper() http.RoundTripper { return w.next }

type countedBody struct {
	io.ReadCloser
	ex *exchange
}

func (b *countedBody) Read(p []byte) (int, error) {
	left := b.ex.limit - b.ex.read.Load()
	if left < 0 {
		err := &tooLargeError{limit: b.ex.limit}
		b.ex.fail(err)
		return 0, err
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), left+1)])
	b.ex.read.Add(int64(n))
	if err != nil && !errors.Is(err, io.EOF) {
		b.ex.fail(err)
	}
	return n, err
}
