//go:build !linux

package state

// networkFileSystem names the network file system that dir is on, or nothing. It is known on Linux only.
func networkFileSystem(string) string { return "" }
