package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// syncLoop is what the disk gives to one writer: append 400 bytes to a
// preallocated file and sync, again and again. It returns syncs per second.
func syncLoop(ctx context.Context, duration time.Duration) (rate float64, err error) {
	dir, err := os.MkdirTemp("", "strata-bench-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	f, err := os.Create(filepath.Join(dir, "sync"))
	if err != nil {
		return 0, err
	}
	defer f.Close() // it is thrown away
	if err := unix.Fallocate(int(f.Fd()), 0, 0, 64<<20); err != nil {
		return 0, fmt.Errorf("reserve space: %w", err)
	}
	record := make([]byte, 400)
	began, n := time.Now(), 0
	for ; time.Since(began) < duration && ctx.Err() == nil; n++ {
		if _, err := f.WriteAt(record, int64(n*len(record))); err != nil {
			return 0, err
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return 0, fmt.Errorf("sync: %w", err)
		}
	}
	return float64(n) / time.Since(began).Seconds(), ctx.Err()
}
