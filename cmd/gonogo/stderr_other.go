//go:build !unix

package main

// captureStderr does nothing where standard error cannot be redirected under a running program.
func captureStderr() (release func() string, err error) { return func() string { return "" }, nil }
