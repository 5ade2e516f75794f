//go:build !failpoint

package main

import "time"

// clock is the time that everything goes by.
func clock() func() time.Time { return time.Now }

// failpoint is nothing in a program that is released; see failpoint_on.go.
func failpoint() func(point string) { return nil }
