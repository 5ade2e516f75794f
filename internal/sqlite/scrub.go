package sqlite

import (
	"context"
	"fmt"
	"time"
)

// scrubRetry is how long Scrub waits for readers before it tries again.
const scrubRetry = 20 * time.Millisecond

// Scrub carries the write-ahead log over into the file and empties it, so that
// content which was deleted or overwritten before the call is on disk in
// neither: free space in the file is zeroed as it comes to be. It waits for
// running reads, and writers wait for it.
func (db *DB) Scrub(ctx context.Context) error {
	for {
		busy, err := db.checkpoint(ctx)
		if err != nil {
			return fmt.Errorf("scrub %s: %w", db.path, classify(err))
		}
		if !busy {
			return nil
		}
		select {
		case <-time.After(scrubRetry):
		case <-ctx.Done():
			return fmt.Errorf("scrub %s: readers do not end: %w", db.path, ctx.Err())
		}
	}
}

func (db *DB) checkpoint(ctx context.Context) (busy bool, err error) {
	db.write.Lock()
	defer db.write.Unlock()
	var blocked, pages, moved int
	err = db.writer.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&blocked, &pages, &moved)
	return blocked != 0, err
}
