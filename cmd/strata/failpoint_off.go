//go:build !failpoint

package main

// failpoint is nothing in a program that is released; see failpoint_on.go.
func failpoint() func(point string) { return nil }
