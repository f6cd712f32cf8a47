// Package prom is the Prometheus of the simulated platform: targets and metrics in memory, served as the real one serves them, with an
// evaluator for the part of PromQL that gonogo asks. What it does not evaluate it refuses; it never makes an answer up.
package prom

import (
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
)

// How the simulated server scrapes and looks back unless told otherwise.
const (
	scrapeEvery     = 15 * time.Second
	defaultLookback = 5 * time.Minute
)

// Server is a simulated Prometheus and the handler that serves it. It is safe for concurrent use.
type Server struct {
	now       func() time.Time
	mu        sync.Mutex
	series    []*series // in the order in which they were added
	warnings  []string
	lookback  time.Duration
	replaying bool
}

// New returns a server without targets. The clock is the simulated platform's; nil for the machine's.
func New(now func() time.Time) *Server {
	if now == nil {
		now = time.Now
	}
	return &Server{now: now, lookback: defaultLookback}
}

// series is a metric whose value holds from each change to the next.
type series struct {
	labels  map[string]string
	changes []change
	pool    string    // of the target that it is up of
	frozen  time.Time // from when on there are no more samples; zero if it lives
}

type change struct {
	since time.Time // zero: always
	value float64
}

// last is the newest sample at a moment: of the last scrape before it, or before the series froze.
func (m *series) last(now time.Time) (value float64, at time.Time, ok bool) {
	at = now.Truncate(scrapeEvery)
	if !m.frozen.IsZero() && m.frozen.Before(at) {
		at = m.frozen
	}
	for _, c := range m.changes {
		if !c.since.After(now) {
			value, ok = c.value, true
			if c.since.After(at) { // a change shows at once, not at the next scrape
				at = c.since
			}
		}
	}
	return value, at, ok
}

// within are the values that held at some time between two moments.
func (m *series) within(from, to time.Time) (values []float64) {
	if !m.frozen.IsZero() && m.frozen.Before(to) {
		to = m.frozen
	}
	if !from.Before(to) {
		return nil
	}
	for i, c := range m.changes {
		ended := i+1 < len(m.changes) && !m.changes[i+1].since.After(from)
		if !ended && c.since.Before(to) {
			values = append(values, c.value)
		}
	}
	return values
}

// increase is by how much a counter has grown between two moments; one that fell began anew.
func (m *series) increase(from, to time.Time) (grown float64, ok bool) {
	if !m.frozen.IsZero() && m.frozen.Before(to) {
		to = m.frozen
	}
	if !from.Before(to) {
		return 0, false
	}
	last := math.NaN()
	for _, c := range m.changes {
		switch {
		case c.since.After(to):
		case c.since.After(from) && !math.IsNaN(last):
			if grown += c.value - last; c.value < last {
				grown += last
			}
			last, ok = c.value, true
		default: // the value when the window begins, or the first one in it
			last, ok = c.value, true
		}
	}
	return grown, ok
}

// set makes a value hold from a moment on, whatever was there later.
func (m *series) set(value float64, since time.Time) {
	m.changes = slices.DeleteFunc(m.changes, func(c change) bool { return !c.since.Before(since) })
	m.changes = append(m.changes, change{since: since, value: value})
}

// find returns the series of a metric with exactly these labels, made if need be. The lock must be held.
func (s *Server) find(name string, labels map[string]string) *series {
	all := maps.Clone(labels)
	if all == nil {
		all = map[string]string{}
	}
	all["__name__"] = name
	k := key(all)
	for _, m := range s.series {
		if key(m.labels) == k {
			return m
		}
	}
	m := &series{labels: all}
	s.series = append(s.series, m)
	return m
}

func target(job, instance string) map[string]string {
	return map[string]string{"job": job, "instance": instance}
}

// Add adds targets of a job that have always been up.
func (s *Server) Add(job string, instances ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, instance := range instances {
		s.find("up", target(job, instance)).set(1, time.Time{})
	}
}

// SetPool puts a job's targets into a scrape pool; without one, the pool is called as the job.
func (s *Server) SetPool(job, pool string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.series {
		if m.labels["__name__"] == "up" && m.labels["job"] == job {
			m.pool = pool
		}
	}
}

// SetUp makes a target go up or down now; what it was before stays in its past. A target that is not there is added.
func (s *Server) SetUp(job, instance string, up bool) { s.SetUpSince(job, instance, up, s.now()) }

// SetUpSince makes a target have been up or down since a moment.
func (s *Server) SetUpSince(job, instance string, up bool, since time.Time) {
	value := 0.0
	if up {
		value = 1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.find("up", target(job, instance)).set(value, since)
}

// RemoveJob takes a job out of the configuration, as if it had never been there.
func (s *Server) RemoveJob(job string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.series = slices.DeleteFunc(s.series, func(m *series) bool { return m.labels["job"] == job })
}

// Freeze makes a job have no samples since a moment, as when its scrapes hang. It is forgotten once that is longer ago than the server looks
// back.
func (s *Server) Freeze(job string, since time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.series {
		if m.labels["job"] == job {
			m.frozen = since
		}
	}
}

// SetLookback says how far instant queries look back; the real default is 5 minutes.
func (s *Server) SetLookback(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lookback = d
}

// SetWarnings makes every answer carry warnings, as those of a store that could see only a part do. None ends it.
func (s *Server) SetWarnings(warnings ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.warnings = slices.Clone(warnings)
}

// SetReplaying makes the server say that it is not ready, as it does while it replays its log after a start.
func (s *Server) SetReplaying(replaying bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replaying = replaying
}

// Set makes a metric have a value from now on; if it is new, it always had it.
func (s *Server) Set(name string, labels map[string]string, value float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.find(name, labels)
	if since := s.now(); len(m.changes) > 0 {
		m.set(value, since)
		return
	}
	m.set(value, time.Time{})
}

// SetSince makes a metric have had a value for so long, and 0 before.
func (s *Server) SetSince(name string, labels map[string]string, value float64, ago time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.find(name, labels)
	m.changes = []change{{}, {since: s.now().Add(-ago), value: value}}
}

// counted is how far into the future a counter goes on growing: no simulation lasts longer.
const counted = 60 * 24 * time.Hour

// Count makes a metric a counter that grows by one each time, at a moment and before and after it as often as that.
func (s *Server) Count(name string, labels map[string]string, at time.Time, every time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.find(name, labels)
	m.changes = []change{{}}
	n := 0.0
	for t := at.Add(-48 * every); t.Before(at.Add(counted)); t = t.Add(every) {
		n++
		m.changes = append(m.changes, change{since: t, value: n})
	}
}

// Remove takes away every series of a metric that has these labels, as if it had never been there.
func (s *Server) Remove(name string, labels map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.series = slices.DeleteFunc(s.series, func(m *series) bool {
		for l, v := range labels {
			if m.labels[l] != v {
				return false
			}
		}
		return m.labels["__name__"] == name
	})
}

// Target is a target as it stands.
type Target struct {
	Job, Instance string
	Up            bool
	LastSample    time.Time
}

// Targets lists the targets, also those that instant queries have forgotten, by job and instance.
func (s *Server) Targets() (list []Target) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.series {
		if m.labels["__name__"] == "up" {
			v, at, _ := m.last(s.now())
			list = append(list, Target{Job: m.labels["job"], Instance: m.labels["instance"], Up: v == 1, LastSample: at})
		}
	}
	slices.SortFunc(list, func(a, b Target) int { return strings.Compare(a.Job+"\x00"+a.Instance, b.Job+"\x00"+b.Instance) })
	return list
}
