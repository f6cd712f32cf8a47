// Package secrets finds the secrets that a profile refers to, and takes them out of whatever is about to be shown.
package secrets

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// Limits of one secret.
const (
	maxSecret      = 64 << 10
	commandTimeout = 10 * time.Second
)

// Cluster reads one key of a Kubernetes Secret. A Secret or key that is not there is an error that wraps probes.ErrNoSecret.
type Cluster interface {
	Secret(ctx context.Context, namespace, name, key string) (string, error)
}

// Resolver finds secrets by their references and remembers them for masking. It is safe for concurrent use.
type Resolver struct {
	Getenv   func(name string) (string, bool)
	Cluster  Cluster // nil if there is none
	ReadOnly bool    // refuses commands: what they do cannot be guarded
	Mask     *Mask   // told of every secret that was found; may be nil
}

// Resolve returns the secret. It is asked for anew each time, so that a rotated one is seen. What is not there is an error that wraps
// [probes.ErrNoSecret]; no error holds the secret.
func (r *Resolver) Resolve(ctx context.Context, ref probes.SecretRef) (string, error) {
	secret, err := r.Name(ctx, ref)
	if err == nil && r.Mask != nil {
		r.Mask.Add(secret)
	}
	return secret, err
}

// Name returns what a reference leads to when that is no secret by itself, such as the name of a user: it is not masked.
func (r *Resolver) Name(ctx context.Context, ref probes.SecretRef) (string, error) {
	if err := ref.Validate(); err != nil {
		return "", err
	}
	secret, err := r.find(ctx, ref)
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", ref, err)
	}
	secret = strings.TrimRight(secret, "\r\n")
	if secret == "" {
		return "", fmt.Errorf("%s is empty: %w", ref, probes.ErrNoSecret)
	}
	return secret, nil
}

func (r *Resolver) find(ctx context.Context, ref probes.SecretRef) (string, error) {
	switch {
	case ref.Env != "":
		value, ok := r.Getenv(ref.Env)
		if !ok {
			return "", fmt.Errorf("it is not set: %w", probes.ErrNoSecret)
		}
		return value, nil
	case ref.File != "":
		return readFile(ref.File)
	case ref.Secret != "":
		parts := strings.Split(ref.Secret, "/")
		if len(parts) != 3 {
			return "", errors.New("it is not of the form namespace/name/key")
		}
		if r.Cluster == nil {
			return "", errors.New("there is no cluster to read it from")
		}
		return r.Cluster.Secret(ctx, parts[0], parts[1], parts[2])
	}
	if r.ReadOnly {
		return "", errors.New("commands are not run in read-only mode, because what they do cannot be guarded: keep the secret in a variable, file or Secret")
	}
	return runCommand(ctx, ref.Command)
}

func readFile(path string) (string, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return "", errors.New("it is not a file") // opening a pipe might never end
	}
	file, err := os.Open(path) //nolint:gosec // the profile's author names it
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("it does not exist: %w", probes.ErrNoSecret)
	}
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.LimitReader(file, maxSecret+1))
	if err != nil {
		return "", err
	}
	if len(text) > maxSecret {
		return "", fmt.Errorf("it is larger than %d KiB, which no secret is", maxSecret>>10)
	}
	return string(text), nil
}

// runCommand returns what a command prints. Its standard error is not kept: it may hold anything.
func runCommand(ctx context.Context, argv []string) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, commandTimeout, fmt.Errorf("no answer within %s", commandTimeout))
	defer cancel()
	command := exec.CommandContext(ctx, argv[0], argv[1:]...) //nolint:gosec // the profile's author names it
	out := &limited{}
	command.Stdout = out
	command.WaitDelay = time.Second
	if err := command.Run(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return "", err
	}
	return out.text.String(), nil
}

// limited keeps what a command prints, up to the limit.
type limited struct{ text bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if l.text.Len()+len(p) > maxSecret {
		return 0, errors.New("it prints more than any secret has")
	}
	return l.text.Write(p)
}
