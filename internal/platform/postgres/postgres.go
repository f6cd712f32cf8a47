// Package postgres reads what PostgreSQL servers say of their replication. Whatever it asks, it asks in a read-only transaction of a session
// that knows no other, read-only mode or not.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/254carbon/gonogo/probes"
	asked "github.com/254carbon/gonogo/probes/postgres"
)

// Limits of one look.
const (
	connectTimeout   = 5 * time.Second
	statementTimeout = 5 * time.Second
	maxSenders       = 200
)

// Options are the settings of [New].
type Options struct {
	// DSN finds the connection string, as a URL or as keywords and values.
	DSN func(ctx context.Context) (string, error)
	// Place says where the connection string is kept, for people.
	Place string
	// Mask is told of the password in it; may be nil.
	Mask func(password string)
	// Dial opens connections; nil for the machine's own, which also resolves names.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Client looks at one server. It keeps no connection, so that two looks show where two connections lead.
type Client struct {
	o Options
}

var _ asked.Database = (*Client)(nil)

// New returns a client. It sends nothing.
func New(o Options) *Client { return &Client{o: o} }

// serverQuery asks a server about itself; what a primary has written is what a standby has replayed.
const serverQuery = `select (select system_identifier::text from pg_control_system()), coalesce(host(inet_server_addr()), ''), current_user::text,
	pg_has_role('pg_read_all_stats', 'usage'), pg_is_in_recovery(),
	coalesce(pg_wal_lsn_diff(case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end, '0/0'), 0)::bigint`

// sendersQuery asks whom the server sends its log to.
const sendersQuery = `select r.pid::bigint, coalesce(r.application_name, ''), coalesce(host(r.client_addr), ''), coalesce(r.state, ''),
	exists (select from pg_replication_slots s where s.active_pid = r.pid and s.slot_type = 'logical'),
	r.replay_lsn is not null, coalesce(pg_wal_lsn_diff(r.replay_lsn, '0/0'), 0)::bigint,
	r.replay_lag is not null, coalesce(extract(epoch from r.replay_lag), 0)::float8, coalesce(r.sync_state, '')
	from pg_stat_replication r order by r.application_name, r.pid limit $1`

// Look implements the probes' Database.
func (c *Client) Look(ctx context.Context) (asked.Server, probes.Request, error) {
	request := probes.Request{
		Source: "SELECT … FROM pg_stat_replication",
		Repeat: `psql "$POSTGRES_DSN" -c 'select application_name, client_addr, state, replay_lsn, pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn) as behind from pg_stat_replication'`,
	}
	config, err := c.config(ctx)
	if err != nil {
		return asked.Server{}, request, err
	}
	request.Source += " at " + net.JoinHostPort(config.Host, fmt.Sprint(config.Port))
	s, err := look(ctx, config)
	if err != nil {
		return asked.Server{}, request, fmt.Errorf("asking PostgreSQL at %s: %w", net.JoinHostPort(config.Host, fmt.Sprint(config.Port)), better(err, config.User))
	}
	return s, request, nil
}

// config reads the connection string. No error shows it: it may hold a password.
func (c *Client) config(ctx context.Context) (*pgx.ConnConfig, error) {
	dsn, err := c.o.DSN(ctx)
	if err != nil {
		return nil, err
	}
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("reading the connection string of PostgreSQL from %s: it is none", c.o.Place)
	}
	if c.o.Mask != nil && config.Password != "" {
		c.o.Mask(config.Password)
	}
	config.ConnectTimeout = connectTimeout
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	config.RuntimeParams["application_name"] = "gonogo"
	config.RuntimeParams["default_transaction_read_only"] = "on"
	config.RuntimeParams["statement_timeout"] = fmt.Sprint(statementTimeout.Milliseconds())
	if c.o.Dial != nil {
		config.DialFunc = c.o.Dial
		config.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	}
	return config, nil
}

func look(ctx context.Context, config *pgx.ConnConfig) (s asked.Server, err error) {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return s, err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(ctx)
	}()
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly})
	if err != nil {
		return s, err
	}
	var position int64
	if err := tx.QueryRow(ctx, serverQuery).Scan(&s.System, &s.Address, &s.User, &s.SeesAll, &s.Recovery, &position); err != nil {
		return s, err
	}
	s.Position = uint64(max(0, position))
	rows, err := tx.Query(ctx, sendersQuery, maxSenders)
	if err != nil {
		return s, err
	}
	s.Senders, err = pgx.CollectRows(rows, sender)
	return s, err
}

func sender(row pgx.CollectableRow) (s asked.Sender, err error) {
	var replayed int64
	var lag float64
	err = row.Scan(&s.PID, &s.Name, &s.Address, &s.State, &s.Logical, &s.Confirms, &replayed, &s.LagKnown, &lag, &s.SyncState)
	s.Replayed, s.Lag = uint64(max(0, replayed)), time.Duration(lag*float64(time.Second))
	return s, err
}

// better says of an error what a person can do about it. What it says holds no password: PostgreSQL's own messages hold none, and pgx's,
// which name the user and database, are not shown.
func better(err error, user string) error {
	var refused *pgconn.PgError
	var connect *pgconn.ConnectError
	switch {
	case errors.As(err, &refused):
		return &ServerError{Code: refused.Code, text: words(refused, user)}
	case errors.As(err, &connect):
		if inner := errors.Unwrap(connect); inner != nil {
			err = inner
		}
	}
	return err
}

// ServerError is what a server said instead of an answer.
type ServerError struct {
	Code string // SQLSTATE
	text string
}

func (e *ServerError) Error() string { return e.text }

func words(e *pgconn.PgError, user string) string {
	said := fmt.Sprintf("%s (%s)", e.Message, e.Code)
	switch {
	case strings.HasPrefix(e.Code, "28"):
		return fmt.Sprintf("PostgreSQL refuses gonogo's own credential, user %s: %s", user, said)
	case e.Code == "42501":
		return fmt.Sprintf("gonogo's user %s may not see replication, grant it pg_monitor: %s", user, said)
	}
	return said
}
