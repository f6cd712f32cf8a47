package prom

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// snapshot is the state as it is kept.
type snapshot struct {
	Series    []keptSeries  `json:"series"`
	Warnings  []string      `json:"warnings,omitempty"`
	Lookback  time.Duration `json:"lookback"`
	Replaying bool          `json:"replaying,omitempty"`
}

type keptSeries struct {
	Labels  map[string]string `json:"labels"`
	Changes []keptChange      `json:"changes"`
	Pool    string            `json:"pool,omitempty"`
	Frozen  time.Time         `json:"frozen,omitzero"`
}

type keptChange struct {
	Since time.Time `json:"since,omitzero"`
	Value string    `json:"value"` // JSON has no NaN
}

// Snapshot returns the state as JSON.
func (s *Server) Snapshot() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := snapshot{Warnings: s.warnings, Lookback: s.lookback, Replaying: s.replaying}
	for _, m := range s.series {
		kept := keptSeries{Labels: m.labels, Pool: m.pool, Frozen: m.frozen}
		for _, c := range m.changes {
			kept.Changes = append(kept.Changes, keptChange{Since: c.since, Value: number(c.value)})
		}
		k.Series = append(k.Series, kept)
	}
	return json.MarshalIndent(k, "", " ")
}

// Restore replaces the state by one that Snapshot wrote.
func (s *Server) Restore(kept []byte) error {
	var k snapshot
	decoder := json.NewDecoder(bytes.NewReader(kept))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&k); err != nil {
		return fmt.Errorf("reading the snapshot of Prometheus: %w", err)
	}
	var all []*series
	for _, x := range k.Series {
		m := &series{labels: x.Labels, pool: x.Pool, frozen: x.Frozen}
		for _, c := range x.Changes {
			v, err := strconv.ParseFloat(c.Value, 64)
			if err != nil {
				return fmt.Errorf("reading the snapshot of Prometheus: %w", err)
			}
			m.changes = append(m.changes, change{since: c.Since, value: v})
		}
		all = append(all, m)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.series, s.warnings, s.lookback, s.replaying = all, k.Warnings, k.Lookback, k.Replaying
	return nil
}
