package labtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// MinIO is the running object storage.
type MinIO struct {
	URL       string
	AccessKey string
	SecretKey string
	data      string
	server    server
	process   *process
}

// startMinIO starts object storage without its console.
func (l *Lab) startMinIO(ctx context.Context) error {
	port, err := l.ports.free()
	if err != nil {
		return err
	}
	console, err := l.ports.free()
	if err != nil {
		return err
	}
	m := &MinIO{URL: "http://" + loopback(port), AccessKey: "lab", SecretKey: rand.Text(), data: filepath.Join(l.dir, "minio")}
	if err := os.Mkdir(m.data, 0o700); err != nil {
		return fmt.Errorf("making the folder of MinIO: %w", err)
	}
	m.server = server{
		name: "minio",
		args: []string{"server", "--address=" + loopback(port), "--console-address=" + loopback(console), m.data},
		env: []string{
			"MINIO_ROOT_USER=" + m.AccessKey, "MINIO_ROOT_PASSWORD=" + m.SecretKey,
			"MINIO_BROWSER=off", "MINIO_UPDATE=off", "MINIO_CALLHOME_ENABLE=off", "HOME=" + l.dir,
		},
	}
	l.minio = m
	return l.ResumeMinIO(ctx)
}

// ResumeMinIO starts the object storage, with what it held when it was stopped.
func (l *Lab) ResumeMinIO(ctx context.Context) error {
	m := l.minio
	p, err := l.run(m.server)
	if err != nil {
		return err
	}
	m.process = p
	return p.await(ctx, func(ctx context.Context) error { return l.get(ctx, m.URL+"/minio/health/ready") })
}

// StopMinIO ends the object storage, as when its machine dies.
func (l *Lab) StopMinIO() { l.minio.process.kill() }

// MinIO returns the object storage, or nil when the lab has none.
func (l *Lab) MinIO() *MinIO { return l.minio }

// Bucket makes a bucket.
func (m *MinIO) Bucket(name string) error {
	// On a single drive a bucket is a folder.
	if err := os.Mkdir(filepath.Join(m.data, name), 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("making the bucket %s: %w", name, err)
	}
	return nil
}
