//go:build failpoint

package main

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// clock is ahead of the machine's by what STRATA_CLOCK_AHEAD says ("48h").
func clock() func() time.Time {
	ahead, err := time.ParseDuration(os.Getenv("STRATA_CLOCK_AHEAD"))
	if err != nil {
		return time.Now
	}
	return func() time.Time { return time.Now().Add(ahead) }
}

// failpoint ends the process as kill -9 would, at the point that
// STRATA_FAILPOINT names: "call.reserved", or "call.reserved:3" for the third
// time it is reached. It is built in only with the tag failpoint, for the tests
// that prove what is left heals (test/crash).
func failpoint() func(point string) {
	name, nth, counted := strings.Cut(os.Getenv("STRATA_FAILPOINT"), ":")
	if name == "" {
		return nil
	}
	left := int64(1)
	if n, err := strconv.ParseInt(nth, 10, 64); counted && err == nil {
		left = n
	}
	var reached atomic.Int64
	return func(point string) {
		if point == name && reached.Add(1) == left {
			os.Exit(137)
		}
	}
}
