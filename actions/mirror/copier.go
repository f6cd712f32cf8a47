package mirror

import (
	"context"
	"errors"
	"time"
)

// Job is one image to copy.
type Job struct {
	Source    string   `json:"source"`              // reference of the original, by digest
	Target    string   `json:"target"`              // reference in the mirror, by tag
	Digest    string   `json:"digest"`              // of the original
	Platforms []string `json:"platforms,omitempty"` // "linux/amd64"; none for all, which keeps the digest
	Referrers bool     `json:"referrers,omitempty"` // signatures and SBOMs go along
}

// Reporter is told how a copy goes on, by several goroutines.
type Reporter interface {
	Log(line string)
	Bytes(done, total int64)
	Waiting(why string, until time.Time)
}

// Budget is what a registry says of how many more pulls it allows; Known is false where it says nothing.
type Budget struct {
	Known       bool
	Left, Limit int
	Window      time.Duration
}

// Copier copies images between registries.
type Copier interface {
	// Head returns the digest that a reference names; found is false if there is no such manifest.
	Head(ctx context.Context, reference string) (digest string, found bool, err error)
	// Copy copies an image, unless its target names the right digest, and returns the digest that the target names then: the source's, or
	// with chosen platforms one that follows from it. The errors below are within its error.
	Copy(ctx context.Context, j Job, r Reporter) (digest string, err error)
	// Size returns how many bytes of layers an image has, and reads its manifests for that.
	Size(ctx context.Context, j Job) (int64, error)
	// Budget asks a registry how many more pulls it allows, by a repository of it.
	Budget(ctx context.Context, reference string) (Budget, error)
	Close() error
}

// The errors of copying that decide how a run goes on.
var (
	ErrDigest = errors.New("what the source serves is not what its digest says") // of this image only
	ErrQuota  = errors.New("the quota of the target is used up")                 // of every image
	ErrDenied = errors.New("the credential may not push there")                  // of every image
)
