package main

import (
	"os"
	"runtime/debug"

	"strata/internal/config"
)

// garbagePercent is how much a process may allocate, in per cent of what is in
// use, before Go collects garbage. What is in use is small (some tens of MB) and
// every request allocates, so at Go's own 100 collecting was an eighth of the
// processor time of writes.
const garbagePercent = 200

// tuneGarbage trades memory for processor time within a limit, beyond which it
// is the other way round. Go's own variables have the last word.
func tuneGarbage(cfg config.Memory) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(cfg.Limit))
	}
}
