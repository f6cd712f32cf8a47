package cluster

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/util/httpstream"

	"github.com/254carbon/gonogo/probes"
)

// podConn is one stream to a pod's port as a net.Conn. It has no deadlines: whoever waits too long closes it.
type podConn struct {
	session    *session
	data, errs httpstream.Stream
	heard      atomic.Bool   // something was read
	told       chan struct{} // closed when the kubelet has nothing more to say
	trouble    error         // what it said; read after told
	once       sync.Once
}

// lastWords is how long an ended stream waits for the reason.
const lastWords = 200 * time.Millisecond

func newPodConn(s *session, data, errs httpstream.Stream) *podConn {
	c := &podConn{session: s, data: data, errs: errs, told: make(chan struct{})}
	go c.listen()
	return c
}

// listen waits for what the kubelet has to say of the connection, which is nothing if all is well.
func (c *podConn) listen() {
	const most = 4 << 10
	defer close(c.told)
	text, err := io.ReadAll(io.LimitReader(c.errs, most))
	if err == nil && len(text) > 0 {
		c.trouble = fmt.Errorf("connecting to %s: %s", c.session.name(), probes.Clean(string(text), 400))
		_ = c.data.Reset()
	}
}

func (c *podConn) Read(p []byte) (int, error) {
	n, err := c.data.Read(p)
	if n > 0 {
		c.heard.Store(true)
	}
	if errors.Is(err, io.EOF) && !c.heard.Load() {
		select {
		case <-c.told:
			if c.trouble != nil {
				return n, c.trouble
			}
		case <-time.After(lastWords):
		}
	}
	return n, err
}

func (c *podConn) Write(p []byte) (int, error) {
	n, err := c.data.Write(p)
	if err != nil {
		select {
		case <-c.told:
			if c.trouble != nil {
				return n, c.trouble
			}
		default:
		}
	}
	return n, err
}

func (c *podConn) Close() error {
	c.once.Do(func() {
		c.session.RemoveStreams(c.data, c.errs)
		_ = c.data.Reset()
		_ = c.errs.Reset()
	})
	return nil
}

// podAddr is where a podConn leads.
type podAddr string

func (podAddr) Network() string  { return "pod" }
func (a podAddr) String() string { return string(a) }

func (c *podConn) LocalAddr() net.Addr  { return podAddr("gonogo") }
func (c *podConn) RemoteAddr() net.Addr { return podAddr(c.session.name()) }

// Deadlines are not there: a transport closes a connection that takes too long.
func (c *podConn) SetDeadline(time.Time) error      { return nil }
func (c *podConn) SetReadDeadline(time.Time) error  { return nil }
func (c *podConn) SetWriteDeadline(time.Time) error { return nil }
