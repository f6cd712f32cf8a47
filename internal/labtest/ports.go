package labtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// ports hands out free loopback ports, each once.
type ports struct {
	mu   sync.Mutex
	used map[int]bool
}

// free returns a port on which nothing listens. It lies below the range from which
// the system takes the ports of outgoing connections, so that none of those can
// take it before the server does.
func (p *ports) free() (int, error) {
	const first, count, tries = 20000, 12000, 200
	p.mu.Lock()
	defer p.mu.Unlock()
	for range tries {
		port := first + rand.IntN(count)
		if p.used[port] {
			continue
		}
		listener, err := net.Listen("tcp", loopback(port))
		if err != nil {
			continue
		}
		if err := listener.Close(); err != nil {
			return 0, fmt.Errorf("probing port %d: %w", port, err)
		}
		if p.used == nil {
			p.used = make(map[int]bool)
		}
		p.used[port] = true
		return port, nil
	}
	return 0, errors.New("finding a free port: none after many tries")
}

// loopback is the address of a port on this machine.
func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
