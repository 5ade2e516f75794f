package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// syncLoop is what the disk gives to one writer: append 400 bytes to a
// preallocated file and sync, again and again.
func syncLoop(ctx context.Context, duration time.Duration) (r result, err error) {
	dir, err := os.MkdirTemp("", "strata-bench-")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	f, err := os.Create(filepath.Join(dir, "sync"))
	if err != nil {
		return r, err
	}
	defer f.Close() // it is thrown away
	if err := unix.Fallocate(int(f.Fd()), 0, 0, 64<<20); err != nil {
		return r, fmt.Errorf("reserve space: %w", err)
	}
	record := make([]byte, 400)
	for began := time.Now(); r.elapsed < duration && ctx.Err() == nil; r.elapsed = time.Since(began) {
		one := time.Now()
		if _, err := f.WriteAt(record, int64(r.requests*len(record))); err != nil {
			return r, err
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return r, fmt.Errorf("sync: %w", err)
		}
		r.requests++
		r.latencies = append(r.latencies, time.Since(one))
	}
	slices.Sort(r.latencies)
	return r, ctx.Err()
}
