//go:build !unix

package sim

import "fmt"

// lockFolder refuses: without a lock that ends with its process, two would serve different platforms.
func lockFolder(_, _ string) (unlock func(), err error) {
	return nil, fmt.Errorf("%w: this system has no locks that end with their process", ErrServed)
}
