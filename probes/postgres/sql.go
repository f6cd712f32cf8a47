package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// Database is a PostgreSQL server, or a Service that stands before several. Look connects anew each time and reads, no more. An error means
// that it could not be asked, a refusal of gonogo's own credential included.
type Database interface {
	Look(ctx context.Context) (Server, probes.Request, error)
}

// Server is what a PostgreSQL server says of itself.
type Server struct {
	System   string // identifier of the database that it serves
	Address  string // at which it was reached, as it sees it; empty over a socket
	User     string // that was logged in
	SeesAll  bool   // the user may see what servers and standbys do
	Recovery bool   // it is a standby
	Position uint64 // in the log: written by a primary, replayed by a standby
	Senders  []Sender
}

// Sender is a process that sends a server's log to somebody.
type Sender struct {
	PID       int64
	Name      string // that the receiver gave itself
	Address   string
	State     string // empty if the user may not see it
	Logical   bool   // sends changes of rows, which makes no standby
	Confirms  bool   // the receiver says how far it has replayed
	Replayed  uint64
	Lag       time.Duration
	LagKnown  bool
	SyncState string
}

// behind is how much of what the server has written the receiver has not replayed.
func (s Sender) behind(server Server) uint64 {
	if s.Replayed >= server.Position {
		return 0
	}
	return server.Position - s.Replayed
}

func (s Sender) String() string {
	switch {
	case s.Name != "" && s.Address != "":
		return probes.Clean(s.Name+" at "+s.Address, 100)
	case s.Name != "":
		return probes.Clean(s.Name, 100)
	}
	return probes.Clean(s.Address, 100)
}

// again is the pause between two looks at a standby that is behind.
const again = 500 * time.Millisecond

// sql asks the servers themselves.
func (p replicationProbe) sql(ctx context.Context) (picture, error) {
	first, request, err := p.sources.Database.Look(ctx)
	if err != nil {
		return picture{}, err
	}
	seen := picture{
		request: request, empty: "pg_stat_replication is empty",
		want: fmt.Sprintf("streams, at most %s and %s behind", mebibytes(float64(p.params.MaxBytes)), p.params.MaxLag),
	}
	if first.Recovery {
		return p.recovering(ctx, first, seen)
	}
	for _, s := range first.Senders {
		if s.State == "" && !first.SeesAll {
			return picture{}, fmt.Errorf("reading pg_stat_replication: PostgreSQL shows it to gonogo's user %s without its values: grant it pg_monitor", first.User)
		}
	}
	last, moved, err := p.watch(ctx, first)
	if err != nil {
		return picture{}, err
	}
	primary := memberOf("the primary", last)
	seen.primaries = []member{primary}
	if last.System != first.System || last.Recovery {
		other := memberOf("another server", last)
		seen.primaries[0] = memberOf("the primary", first)
		if seen.faults = append(seen.faults, fmt.Sprintf("one connection leads to %s, the next to %s", describe(first), describe(last))); !last.Recovery {
			seen.primaries = append(seen.primaries, other)
		}
		return seen, nil
	}
	for _, s := range last.Senders {
		if !s.Logical {
			seen.standbys = append(seen.standbys, p.judge(s, last, moved[s.PID]))
		}
	}
	return seen, p.others(ctx, first, &seen)
}

// recovering is the answer of a server that should be the primary and is a standby: that says something of the platform only if it is where
// the write Service leads.
func (p replicationProbe) recovering(ctx context.Context, s Server, seen picture) (picture, error) {
	m := memberOf("a standby", s)
	namespace, name, _ := strings.Cut(p.params.Service, "/")
	ready, _, err := p.backends(ctx, namespace, name)
	if err != nil {
		return picture{}, err
	}
	if !placed(m) || !slices.ContainsFunc(ready, func(b backend) bool { return b.is(m) }) {
		return picture{}, errors.New("the server of gonogo's connection postgres is a standby: its dsn must lead to the primary")
	}
	seen.followers, seen.only = []member{m}, m.name+" answers where programs write"
	return seen, nil
}

// describe tells servers apart for people.
func describe(s Server) string {
	role := "a primary"
	if s.Recovery {
		role = "a standby"
	}
	return fmt.Sprintf("%s of database %s", role, probes.Clean(s.System, 40))
}

func memberOf(role string, s Server) member {
	m := member{name: role, system: s.System}
	if s.Address != "" {
		m.name, m.addresses = role+" at "+s.Address, []string{s.Address}
	}
	return m
}

// watch looks again until every standby that was behind has come forward, or the time for that is over. It returns the last look, and
// which senders came forward. One that connected meanwhile is watched for as long from then on; if another does so after that, it is an error.
func (p replicationProbe) watch(ctx context.Context, first Server) (last Server, moved map[int64]bool, err error) {
	last, moved = first, map[int64]bool{}
	begin, late, extended := map[int64]Sender{}, map[int64]bool{}, false
	for _, s := range first.Senders {
		begin[s.PID] = s
		moved[s.PID] = s.behind(first) == 0 && s.Confirms
	}
	until := time.Now().Add(p.params.Settle)
	for {
		waiting := false
		for _, s := range last.Senders {
			old, known := begin[s.PID]
			if !known {
				old, begin[s.PID], late[s.PID] = s, s, extended
				if !extended {
					until, extended = time.Now().Add(p.params.Settle), true
				}
			}
			moved[s.PID] = moved[s.PID] || s.Confirms && (s.Replayed > old.Replayed || s.Replayed >= first.Position)
			waiting = waiting || !moved[s.PID] && !s.Logical
		}
		if !waiting || time.Now().After(until) {
			return last, moved, stillNew(last, moved, late)
		}
		select {
		case <-ctx.Done():
			return last, moved, fmt.Errorf("watching the standbys come forward: %w", context.Cause(ctx))
		case <-time.After(min(again, p.params.Settle)):
		}
		if last, _, err = p.sources.Database.Look(ctx); err != nil {
			return last, moved, err
		}
		if last.System != first.System || last.Recovery {
			return last, moved, nil
		}
	}
}

// stillNew is the error of a standby that connected too late to be watched, and is behind: it may be about to come forward.
func stillNew(last Server, moved, late map[int64]bool) error {
	for _, s := range last.Senders {
		if late[s.PID] && !moved[s.PID] && !s.Logical && s.State == "streaming" && s.Confirms {
			return fmt.Errorf("%s connected anew while it was watched: whether it replays cannot be told yet", s)
		}
	}
	return nil
}

// judge says what of a standby falls short.
func (p replicationProbe) judge(s Sender, primary Server, moved bool) standby {
	behind := s.behind(primary)
	out := standby{name: s.String(), got: mebibytes(float64(behind)) + " behind"}
	if s.State != "streaming" {
		out.got = probes.Clean(s.State, 40) + ", " + out.got
	}
	if s.LagKnown && behind > 0 {
		out.got += fmt.Sprintf(" for %s", s.Lag.Round(100*time.Millisecond))
	}
	switch {
	case s.State != "streaming":
		out.fault = fmt.Sprintf("does not stream: it is in state %s", probes.Clean(s.State, 40))
	case !s.Confirms:
		out.got, out.fault = s.State+", confirms nothing", "takes the log and does not say that it replays it"
	case !moved:
		out.fault = fmt.Sprintf("stands still, %s behind: it replayed nothing in %s", mebibytes(float64(behind)), p.params.Settle)
	case behind > uint64(p.params.MaxBytes):
		out.fault = fmt.Sprintf("is %s behind, more than %s", mebibytes(float64(behind)), mebibytes(float64(p.params.MaxBytes)))
	case behind > 0 && s.LagKnown && s.Lag > p.params.MaxLag:
		out.fault = fmt.Sprintf("is %s behind, more than %s", s.Lag.Round(100*time.Millisecond), p.params.MaxLag)
	}
	return out
}

// others asks the standbys that the profile has connection strings for.
func (p replicationProbe) others(ctx context.Context, primary Server, seen *picture) error {
	for _, ref := range p.params.DSNs {
		s, _, err := p.sources.At(ref).Look(ctx)
		if err != nil {
			return fmt.Errorf("asking the standby of %s: %w", ref, err)
		}
		switch {
		case !s.Recovery:
			seen.primaries = append(seen.primaries, memberOf("the server of "+ref.String(), s))
		case s.System != primary.System:
			seen.faults = append(seen.faults, fmt.Sprintf("the standby of %s is one of another database, %s and not %s", ref, s.System, primary.System))
		default:
			seen.followers = append(seen.followers, memberOf("standby of "+ref.String(), s))
		}
	}
	return nil
}
