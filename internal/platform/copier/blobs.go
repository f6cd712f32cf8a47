package copier

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/254carbon/gonogo/actions/mirror"
)

// flight is the one upload of a blob to a registry, which everybody waits for who wants it there.
type flight struct {
	mu sync.Mutex
	on bool // somebody has it; under mu
	c  sync.Cond
}

// blob brings a blob into a repository, if it is not there.
func (c *Copier) blob(ctx context.Context, source, target place, d v1.Descriptor, r *counter) error {
	digest := d.Digest.String()
	who := c.memory.who(target.host.registry.RegistryStr(), digest)
	if len(who) == 0 || slices.Contains(who, target.repo) { // else it is mounted, which asks as much
		has, err := target.has(ctx, digest, r)
		if err != nil {
			return fmt.Errorf("looking for %s in %s: %w", digest, target.repo, err)
		}
		if has {
			r.Bytes(d.Size, 0)
			return c.memory.know(target.host.registry.RegistryStr(), target.repo, digest)
		}
	}
	leave, err := c.board(ctx, target.host, digest)
	if err != nil {
		return err
	}
	defer leave()
	if mounted, err := c.mount(ctx, target, digest, r); err != nil {
		return err
	} else if !mounted {
		if err := c.upload(ctx, source, target, d, r); err != nil {
			return fmt.Errorf("the layer %s: %w", digest, err)
		}
	} else {
		r.Bytes(d.Size, 0)
	}
	return c.memory.know(target.host.registry.RegistryStr(), target.repo, digest)
}

// board waits until nobody else brings the blob to the registry, and keeps others from it until leave.
func (c *Copier) board(ctx context.Context, h *host, digest string) (leave func(), err error) {
	c.mu.Lock()
	f := c.flights[key(h.registry.RegistryStr(), digest)]
	if f == nil {
		f = &flight{}
		f.c.L = &f.mu
		c.flights[key(h.registry.RegistryStr(), digest)] = f
	}
	c.mu.Unlock()
	stop := context.AfterFunc(ctx, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.c.Broadcast()
	})
	defer stop()
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.on {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		f.c.Wait()
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	f.on = true
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.on = false
		f.c.Signal()
	}, nil
}

// has asks whether a repository has a blob.
func (p place) has(ctx context.Context, digest string, r mirror.Reporter) (bool, error) {
	response, err := p.host.do(ctx, ask{method: http.MethodHead, url: p.repo + "/blobs/" + digest, scopes: p.push()}, r)
	if err != nil {
		return false, err
	}
	defer drain(response)
	switch response.StatusCode {
	case http.StatusOK:
		return true, nil
	case http.StatusNotFound:
		return false, nil
	}
	return false, answerError(response)
}

// mount has the registry take the blob from another of its repositories, if it has it there.
func (c *Copier) mount(ctx context.Context, target place, digest string, r mirror.Reporter) (bool, error) {
	for _, from := range c.memory.who(target.host.registry.RegistryStr(), digest) {
		if from == target.repo {
			continue
		}
		query := url.Values{"mount": {digest}, "from": {from}}
		a := ask{method: http.MethodPost, url: target.repo + "/blobs/uploads/?" + query.Encode(), scopes: target.push(from), body: nothing}
		response, err := target.host.do(ctx, a, r)
		if err != nil {
			return false, fmt.Errorf("mounting %s from %s: %w", digest, from, err)
		}
		switch response.StatusCode {
		case http.StatusCreated:
			drain(response)
			return true, nil
		case http.StatusAccepted: // it opened an upload instead
			drain(response)
			target.forget(ctx, response, r)
		default:
			if err := answerError(response); errors.Is(err, mirror.ErrQuota) {
				return false, err
			} // whatever else it has against mounting, it may take an upload
		}
	}
	return false, nil
}

var errStill = errors.New("the registry takes no more of it")

func nothing() (io.Reader, int64) { return http.NoBody, 0 }

// forget gives an upload up that was opened.
func (p place) forget(ctx context.Context, opened *http.Response, r mirror.Reporter) {
	location, err := opened.Location()
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if response, err := p.host.do(ctx, ask{method: http.MethodDelete, url: location.String(), scopes: p.push(), once: true}, r); err == nil {
		drain(response)
	}
}

// upload sends a blob from its source.
func (c *Copier) upload(ctx context.Context, source, target place, d v1.Descriptor, r *counter) error {
	for _, h := range sortedHosts(source.host, target.host) { // the same order for all, so that nobody waits in a circle
		select {
		case h.slots <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		defer func() { <-h.slots }()
	}
	for attempt := 1; ; attempt++ {
		sent, err := c.transfer(ctx, source, target, d, r)
		if err == nil {
			return nil
		}
		r.Bytes(-sent, 0)
		final := errors.Is(err, mirror.ErrDigest) || errors.Is(err, mirror.ErrQuota) || errors.Is(err, mirror.ErrDenied)
		if final || ctx.Err() != nil || attempt >= attempts {
			return err
		}
		if err := c.o.Sleep(ctx, firstPause<<attempt); err != nil {
			return err
		}
	}
}

func sortedHosts(a, b *host) []*host {
	hosts := []*host{a, b}
	slices.SortFunc(hosts, func(a, b *host) int { return strings.Compare(a.registry.RegistryStr(), b.registry.RegistryStr()) })
	return slices.Compact(hosts)
}

// transfer opens an upload, and sends the blob in one piece or in several. It returns how much was counted, for whoever takes it back.
func (c *Copier) transfer(ctx context.Context, source, target place, d v1.Descriptor, r *counter) (int64, error) {
	opened, err := target.host.do(ctx, ask{method: http.MethodPost, url: target.repo + "/blobs/uploads/", scopes: target.push(), body: nothing}, r)
	if err != nil {
		return 0, err
	}
	if opened.StatusCode != http.StatusAccepted {
		return 0, answerError(opened)
	}
	drain(opened)
	location, err := opened.Location()
	if err != nil {
		return 0, errors.New("the registry opened an upload and does not say where")
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	still := time.AfterFunc(3*c.o.Idle, func() { stop(errStill) }) // as long as the registry takes something, its reader puts it off
	defer still.Stop()
	body := &body{ctx: ctx, still: still, c: c, source: source, digest: d.Digest.String(), size: d.Size, r: r, hash: sha256.New()}
	defer body.close()
	err = c.pieces(ctx, target, location, body, d)
	if err != nil {
		if errors.Is(context.Cause(ctx), errStill) {
			return body.counted, errStill
		}
		if body.err != nil { // why there was nothing more to send, rather than what the registry made of it
			err = body.err
		}
		target.forget(ctx, &http.Response{Header: http.Header{"Location": {location.String()}}, Request: opened.Request}, r)
	}
	return body.counted, err
}

// pieces sends the body of a blob, none of its requests larger than the limit, and closes the upload.
func (c *Copier) pieces(ctx context.Context, target place, location *url.URL, b *body, d v1.Descriptor) error {
	for d.Size-b.at > c.o.PutLimit {
		first, length := b.at, c.o.PutLimit
		header := http.Header{"Content-Type": {"application/octet-stream"}, "Content-Range": {fmt.Sprintf("%d-%d", first, first+length-1)}}
		expect(header, length)
		response, err := target.host.do(ctx, ask{
			method: http.MethodPatch, url: location.String(), scopes: target.push(), header: header, once: true, spent: func() bool { return b.at > first },
			body: func() (io.Reader, int64) { return io.LimitReader(b, length), length },
		}, b.r)
		if err != nil {
			return err
		}
		if response.StatusCode != http.StatusAccepted && response.StatusCode != http.StatusNoContent {
			return answerError(response)
		}
		drain(response)
		if next, err := response.Location(); err == nil {
			location = next
		}
		if b.at != first+length {
			return fmt.Errorf("the registry took %d bytes of a piece of %d", b.at-first, length)
		}
	}
	query := location.Query()
	query.Set("digest", d.Digest.String())
	end := *location
	end.RawQuery = query.Encode()
	header := http.Header{"Content-Type": {"application/octet-stream"}}
	if b.at > 0 {
		header.Set("Content-Range", fmt.Sprintf("%d-%d", b.at, d.Size-1))
	}
	first, left := b.at, d.Size-b.at
	expect(header, left)
	response, err := target.host.do(ctx, ask{
		method: http.MethodPut, url: end.String(), scopes: target.push(), header: header, once: true, spent: func() bool { return b.at > first },
		body: func() (io.Reader, int64) { return io.LimitReader(b, left), left },
	}, b.r)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusCreated && response.StatusCode != http.StatusNoContent {
		err := answerError(response)
		if b.err != nil {
			return b.err
		}
		return err
	}
	drain(response)
	if b.at < d.Size { // it took the blob without reading it
		b.r.Bytes(d.Size-b.counted, 0)
		b.counted = d.Size
	}
	return nil
}

// expect asks the registry whether it wants a body before that is sent, where it is worth the wait.
func expect(header http.Header, length int64) {
	if length >= 64<<10 {
		header.Set("Expect", "100-continue")
	}
}

// body is a blob as its source serves it, continued where it breaks off, and found out if it is another.
type body struct {
	ctx     context.Context
	c       *Copier
	source  place
	digest  string
	size    int64
	r       *counter
	hash    hash.Hash
	at      int64 // read so far
	counted int64
	open    io.ReadCloser
	idle    *time.Timer
	still   *time.Timer
	stop    context.CancelFunc
	breaks  int // since something came
	err     error
}

// Read reads on.
func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	for b.at < b.size {
		if b.open == nil {
			if b.err = b.begin(); b.err != nil {
				return 0, b.err
			}
		}
		b.idle.Reset(b.c.o.Idle)
		b.still.Reset(3 * b.c.o.Idle)
		n, err := b.open.Read(p[:min(int64(len(p)), b.size-b.at)])
		if n > 0 {
			return b.took(p[:n])
		}
		if err == nil {
			continue
		}
		b.close()
		if b.ctx.Err() != nil {
			b.err = b.ctx.Err()
			return 0, b.err
		}
		if b.breaks++; b.breaks > attempts {
			b.err = fmt.Errorf("the source breaks off after %d of %d bytes", b.at, b.size)
			return 0, b.err
		}
		if b.err = b.c.o.Sleep(b.ctx, firstPause<<b.breaks); b.err != nil {
			return 0, b.err
		}
	}
	return 0, io.EOF
}

// took counts what came, and weighs the whole at its end.
func (b *body) took(p []byte) (int, error) {
	b.breaks = 0
	b.at += int64(len(p))
	b.counted += int64(len(p))
	_, _ = b.hash.Write(p)
	b.r.Bytes(int64(len(p)), 0)
	if b.at == b.size {
		if sum := "sha256:" + hex.EncodeToString(b.hash.Sum(nil)); sum != b.digest {
			b.err = fmt.Errorf("%w: the layer %s is one of %s", mirror.ErrDigest, b.digest, sum)
			return 0, b.err // so that the registry never gets the whole of it
		}
	}
	return len(p), nil
}

// begin asks for what is left.
func (b *body) begin() error {
	ctx, stop := context.WithCancel(b.ctx)
	a := ask{method: http.MethodGet, url: b.source.repo + "/blobs/" + b.digest, scopes: b.source.pull(), header: http.Header{"Accept-Encoding": {"identity"}}}
	if b.at > 0 {
		a.header.Set("Range", fmt.Sprintf("bytes=%d-%d", b.at, b.size-1))
	}
	b.idle = time.AfterFunc(b.c.o.Idle, stop)
	response, err := b.source.host.do(ctx, a, b.r)
	if err != nil {
		b.idle.Stop()
		stop()
		return err
	}
	b.open, b.stop = response.Body, stop
	switch {
	case response.StatusCode == http.StatusPartialContent && b.at > 0:
		return nil
	case response.StatusCode == http.StatusOK && b.at > 0: // it does not know ranges
		if _, err := io.CopyN(io.Discard, response.Body, b.at); err != nil {
			b.close()
			return fmt.Errorf("the source breaks off again before %d bytes", b.at)
		}
		return nil
	case response.StatusCode == http.StatusOK:
		return nil
	}
	err = answerError(response)
	b.close()
	return err
}

func (b *body) close() {
	if b.open == nil {
		return
	}
	b.idle.Stop()
	b.stop()
	_ = b.open.Close()
	b.open = nil
}
