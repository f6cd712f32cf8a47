package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/254carbon/gonogo/probes"
)

// refusing is a server that answers every login with an error, or with nothing at all if it has no code. It keeps what a client asks of
// its session.
type refusing struct {
	address string
	mu      sync.Mutex
	session map[string]string
}

func refuse(t *testing.T, code, message string) *refusing {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &refusing{address: listener.Addr().String()}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer func() { _ = conn.Close() }()
				r.answer(conn, code, message)
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		all.Wait()
	})
	return r
}

func (r *refusing) answer(conn net.Conn, code, message string) {
	backend := pgproto3.NewBackend(conn, conn)
	first, err := backend.ReceiveStartupMessage()
	if err != nil {
		return
	}
	if startup, ok := first.(*pgproto3.StartupMessage); ok {
		r.mu.Lock()
		r.session = startup.Parameters
		r.mu.Unlock()
	}
	if code == "" {
		_, _ = conn.Read(make([]byte, 1)) // until the client leaves
		return
	}
	backend.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: code, Message: message})
	_ = backend.Flush()
}

func refused(ctx context.Context, t *testing.T, dsn string) error {
	t.Helper()
	masked := ""
	c := New(Options{
		DSN: func(context.Context) (string, error) { return dsn, nil }, Place: "environment variable POSTGRES_DSN",
		Mask: func(password string) { masked = password },
	})
	_, request, err := c.Look(ctx)
	if err == nil {
		t.Fatal("a server that refuses everybody was asked")
	}
	if text := err.Error() + request.Source + request.Repeat; strings.Contains(text, "hunter22") {
		t.Errorf("the password is shown: %s", text)
	}
	if strings.Contains(dsn, "u:hunter22@") && !strings.Contains(dsn, "%zz") && masked != "hunter22" {
		t.Errorf("the mask was told %q", masked)
	}
	return err
}

func TestRefusals(t *testing.T) {
	for _, tt := range []struct{ code, message, says string }{
		{"28P01", "password authentication failed", "refuses gonogo's own credential, user u"},
		{"28000", "no pg_hba.conf entry", "refuses gonogo's own credential"},
		{"42501", "permission denied for function", "grant it pg_monitor"},
		{"57P03", "the database system is starting up", "starting up (57P03)"},
		{"53300", "sorry, too many clients already", "too many clients"},
	} {
		t.Run(tt.code, func(t *testing.T) {
			server := refuse(t, tt.code, tt.message)
			err := refused(t.Context(), t, fmt.Sprintf("postgres://u:hunter22@%s/db?sslmode=disable", server.address))
			var said *ServerError
			if !errors.As(err, &said) || said.Code != tt.code || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v does not say %q", err, tt.says)
			}
			server.mu.Lock()
			defer server.mu.Unlock()
			if s := server.session; s["default_transaction_read_only"] != "on" || s["statement_timeout"] != "5000" || s["application_name"] != "gonogo" {
				t.Errorf("the session is %v", s)
			}
		})
	}
}

func TestNobodyThere(t *testing.T) {
	err := refused(t.Context(), t, "postgres://u:hunter22@127.0.0.1:1/db?sslmode=disable")
	if !strings.Contains(err.Error(), "asking PostgreSQL at 127.0.0.1:1") || !strings.Contains(err.Error(), "refused") {
		t.Error(err)
	}
}

func TestASilentServerIsLeft(t *testing.T) {
	server := refuse(t, "", "")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := refused(ctx, t, fmt.Sprintf("postgres://u:hunter22@%s/db?sslmode=disable", server.address)); time.Since(began) > 2*time.Second {
		t.Errorf("%v after %s", err, time.Since(began))
	}
}

func TestConnectionStringsThatAreNone(t *testing.T) {
	err := refused(t.Context(), t, "postgres://u:hunter22@%zz/db")
	if !strings.Contains(err.Error(), "environment variable POSTGRES_DSN: it is none") {
		t.Error(err)
	}
	c := New(Options{DSN: func(context.Context) (string, error) { return "", probes.ErrNoSecret }})
	if _, _, err := c.Look(t.Context()); !errors.Is(err, probes.ErrNoSecret) {
		t.Error(err)
	}
}
