package labtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// postgresUser owns the database; postgresAccount is the system's account that runs
// the servers when the test runs as root, which PostgreSQL refuses.
const (
	postgresUser    = "lab"
	postgresAccount = "postgres"
)

// Postgres is a primary with a standby that streams from it.
type Postgres struct {
	// Primary and Standby are connection URLs, password included, of a superuser.
	Primary, Standby string

	bin      string
	password string
	account  *syscall.Credential
	ports    [2]int
	standby  *process
	lab      *Lab
}

// startPostgres makes the primary, copies it, and waits until the copy streams.
func (l *Lab) startPostgres(ctx context.Context) error {
	p, err := l.newPostgres()
	if err != nil {
		return err
	}
	primary, standby, err := p.folders()
	if err != nil {
		return err
	}
	if err := p.initialise(ctx, primary); err != nil {
		return err
	}
	if _, err := p.run(ctx, "postgres-primary", primary, p.ports[0]); err != nil {
		return err
	}
	from := fmt.Sprintf("host=127.0.0.1 port=%d user=%s application_name=standby", p.ports[0], postgresUser)
	if err := p.command(ctx, "pg_basebackup", "-D", standby, "-R", "-X", "stream", "--checkpoint=fast", "--no-sync", "-d", from); err != nil {
		return err
	}
	if p.standby, err = p.run(ctx, "postgres-standby", standby, p.ports[1]); err != nil {
		return err
	}
	l.postgres = p
	return p.WaitStreaming(ctx, true)
}

// newPostgres finds the programs, the account and two ports.
func (l *Lab) newPostgres() (*Postgres, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return nil, fmt.Errorf("finding PostgreSQL: %w", err)
	}
	if len(found) == 0 {
		return nil, errors.New("finding PostgreSQL: none in /usr/lib/postgresql: run testdata/lab/build.sh, or install the package postgresql")
	}
	p := &Postgres{lab: l, bin: filepath.Dir(slices.Max(found)), password: rand.Text()}
	for i := range p.ports {
		if p.ports[i], err = l.ports.free(); err != nil {
			return nil, err
		}
	}
	p.Primary, p.Standby = p.url(p.ports[0]), p.url(p.ports[1])
	if os.Geteuid() == 0 {
		p.account, err = credential(postgresAccount)
	}
	return p, err
}

// url is the connection URL of the server on a port.
func (p *Postgres) url(port int) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(postgresUser, p.password), Host: loopback(port),
		Path: "/postgres", RawQuery: "sslmode=disable",
	}
	return u.String()
}

// credential is a system account by its name.
func credential(name string) (*syscall.Credential, error) {
	account, err := user.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("finding the account that runs PostgreSQL: %w", err)
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("finding the account that runs PostgreSQL: %w", err)
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("finding the account that runs PostgreSQL: %w", err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// folders makes the servers' two folders, which belong to their account.
func (p *Postgres) folders() (primary, standby string, err error) {
	if p.account != nil {
		// The account must be able to pass through; the files in it stay private.
		if err := os.Chmod(p.lab.dir, 0o711); err != nil {
			return "", "", fmt.Errorf("opening the lab's folder: %w", err)
		}
	}
	primary, standby = filepath.Join(p.lab.dir, "postgres-primary"), filepath.Join(p.lab.dir, "postgres-standby")
	for _, folder := range []string{primary, standby} {
		if err := os.Mkdir(folder, 0o700); err != nil {
			return "", "", fmt.Errorf("making a folder of PostgreSQL: %w", err)
		}
		if p.account == nil {
			continue
		}
		if err := os.Chown(folder, int(p.account.Uid), int(p.account.Gid)); err != nil {
			return "", "", fmt.Errorf("making a folder of PostgreSQL: %w", err)
		}
	}
	return primary, standby, nil
}

// initialise makes the primary's database, open to password logins on loopback.
func (p *Postgres) initialise(ctx context.Context, folder string) error {
	// A file, and not an argument, which the process list would show.
	secret, err := os.CreateTemp(p.lab.dir, "postgres-password-")
	if err != nil {
		return fmt.Errorf("writing the password of PostgreSQL: %w", err)
	}
	defer secret.Close()
	if _, err := secret.WriteString(p.password + "\n"); err != nil {
		return fmt.Errorf("writing the password of PostgreSQL: %w", err)
	}
	if p.account != nil {
		if err := secret.Chown(int(p.account.Uid), int(p.account.Gid)); err != nil {
			return fmt.Errorf("writing the password of PostgreSQL: %w", err)
		}
	}
	return p.command(ctx, "initdb", "-D", folder, "-U", postgresUser, "--auth=scram-sha-256", "--pwfile="+secret.Name(),
		"--no-sync", "--encoding=UTF8", "--locale=C")
}

// run starts a server and waits until it takes connections.
func (p *Postgres) run(ctx context.Context, name, folder string, port int) (*process, error) {
	s := server{
		name: name, path: filepath.Join(p.bin, "postgres"), user: p.account,
		// SIGQUIT is PostgreSQL's immediate shutdown, which ends its children too.
		onDeath: syscall.SIGQUIT, onClose: syscall.SIGQUIT,
		args: []string{
			"-D", folder, "-c", "listen_addresses=127.0.0.1", "-c", fmt.Sprintf("port=%d", port),
			"-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "wal_level=replica", "-c", "max_wal_senders=5",
			"-c", "hot_standby=on", "-c", "wal_keep_size=64MB", "-c", "wal_retrieve_retry_interval=1s",
		},
	}
	running, err := p.lab.run(s)
	if err != nil {
		return nil, err
	}
	return running, running.await(ctx, func(ctx context.Context) error {
		return p.command(ctx, "pg_isready", "-h", "127.0.0.1", "-p", strconv.Itoa(port), "-t", "2")
	})
}

// command runs one of PostgreSQL's programs to its end.
func (p *Postgres) command(ctx context.Context, name string, args ...string) error {
	_, err := p.output(ctx, name, args...)
	return err
}

func (p *Postgres) output(ctx context.Context, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(p.bin, name), args...)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "PGPASSWORD="+p.password)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.account}
	var out, complaint strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("running %s: %w: %s", name, err, strings.TrimSpace(complaint.String()))
	}
	return strings.TrimSpace(out.String()), nil
}

// Postgres returns the databases, or nil when the lab has none.
func (l *Lab) Postgres() *Postgres { return l.postgres }

// SQL runs statements on one of the two connection URLs and returns the rows, with
// "|" between the columns.
func (p *Postgres) SQL(ctx context.Context, url, statements string) (string, error) {
	return p.output(ctx, "psql", "--no-psqlrc", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", "--command="+statements, url)
}

// StopStandby ends the standby, as if its machine were gone.
func (p *Postgres) StopStandby(ctx context.Context) error {
	p.standby.kill()
	return p.WaitStreaming(ctx, false)
}

// StartStandby brings a stopped standby back and waits until it streams.
func (p *Postgres) StartStandby(ctx context.Context) error {
	var err error
	if p.standby, err = p.run(ctx, "postgres-standby", filepath.Join(p.lab.dir, "postgres-standby"), p.ports[1]); err != nil {
		return err
	}
	return p.WaitStreaming(ctx, true)
}

// WaitStreaming waits until the primary has a standby that streams, or none.
func (p *Postgres) WaitStreaming(ctx context.Context, want bool) error {
	const question = "select count(*) from pg_stat_replication where state = 'streaming'"
	return WaitFor(ctx, fmt.Sprintf("waiting for streaming %v", want), time.Minute, retry, func(ctx context.Context) (bool, error) {
		got, err := p.SQL(ctx, p.Primary, question)
		return err == nil && (got != "0") == want, err
	})
}

// Receive starts somebody who takes the primary's log and replays none of it, and waits until it streams.
func (p *Postgres) Receive(ctx context.Context) (stop func(), err error) {
	folder := filepath.Join(p.lab.dir, "postgres-received")
	if err := os.Mkdir(folder, 0o700); err != nil {
		return nil, fmt.Errorf("making a folder for the log of PostgreSQL: %w", err)
	}
	if p.account != nil {
		if err := os.Chown(folder, int(p.account.Uid), int(p.account.Gid)); err != nil {
			return nil, fmt.Errorf("making a folder for the log of PostgreSQL: %w", err)
		}
	}
	receiver, err := p.lab.run(server{
		name: "postgres-receiver", path: filepath.Join(p.bin, "pg_receivewal"), user: p.account, env: []string{"PGPASSWORD=" + p.password},
		args: []string{"-D", folder, "-d", fmt.Sprintf("host=127.0.0.1 port=%d user=%s application_name=receiver", p.ports[0], postgresUser)},
	})
	if err != nil {
		return nil, err
	}
	return receiver.kill, p.WaitStreaming(ctx, true)
}
