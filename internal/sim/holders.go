package sim

import (
	"sync"
	"time"
)

// holders counts who needs a served platform.
type holders struct {
	mu   sync.Mutex
	n    int
	left time.Time // when the last one left, or when it began
}

func (h *holders) come() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.n++
}

func (h *holders) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.n--
	h.left = time.Now()
}

// alone returns for how long nobody has been there.
func (h *holders) alone() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.n > 0 {
		return 0
	}
	return time.Since(h.left)
}
