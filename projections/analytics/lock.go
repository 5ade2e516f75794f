package analytics

import (
	"context"
	"errors"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/ClickHouse/clickhouse-go/v2/lib/proto"
	"github.com/google/uuid"
)

const (
	tableExists  = 57               // ClickHouse's TABLE_ALREADY_EXISTS
	lockLease    = 20 * time.Second // a lock that nobody renewed for so long was left by a process that died
	lockBeat     = 3 * time.Second  // between two renewals
	lockInterval = time.Second / 4  // between two tries to take the lock
	lockPatience = 10 * time.Second // for one statement about the lock
	lockDoubt    = 10 * time.Second // for finding out what became of one whose answer was lost
)

// schemaLock is the lock between processes that share a server: creating a table
// without IF NOT EXISTS succeeds for exactly one of them. The table's comment
// says whose it is, and writing it again renews it. What it cannot do is stop a
// holder that was paused for longer than the lease: see ownership.claim.
type schemaLock struct {
	conn   driver.Conn
	layout layout
	token  string
}

// lockSchema takes the lock, waiting for it until ctx ends.
func lockSchema(ctx context.Context, conn driver.Conn, l layout) (release func(), err error) {
	k := schemaLock{conn: conn, layout: l, token: uuid.NewString()}
	tick := time.NewTicker(lockInterval)
	defer tick.Stop()
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		taken, err := k.take(ctx)
		if err != nil {
			return nil, err
		}
		if taken {
			return k.keep(ctx), nil
		}
		var stale uint64
		err = conn.QueryRow(ctx, `SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'schema_lock'
			AND metadata_modification_time < now() - {lease:UInt32}`, ch.Named("lease", uint32(lockLease.Seconds()))).Scan(&stale)
		if err != nil {
			return nil, err
		}
		if stale > 0 {
			if err := conn.Exec(ctx, k.dropping()); err != nil {
				return nil, err
			}
			continue
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (k schemaLock) dropping() string {
	return "DROP TABLE IF EXISTS schema_lock" + k.layout.onCluster()
}

// take tries to create the table; false means that somebody else has the lock.
// An answer can get lost, above all that to a process which was stopped for a
// while. The lock is then perhaps ours, and nobody would give it back.
func (k schemaLock) take(ctx context.Context) (taken bool, err error) {
	create := "CREATE TABLE schema_lock" + k.layout.onCluster() + " (held UInt8) ENGINE = Memory COMMENT '" + k.token + "'"
	err = k.insist(ctx, func(ctx context.Context, again bool) error {
		err := k.conn.Exec(ctx, create)
		exception, ok := errors.AsType[*proto.Exception](err)
		if !ok || exception.Code != tableExists {
			taken = err == nil
			return err
		}
		if !again {
			return nil
		}
		taken, err = k.ours(ctx)
		return err
	})
	return taken, err
}

// keep renews the lock until the function that it returns gives it back.
func (k schemaLock) keep(ctx context.Context) (release func()) {
	beat, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(lockBeat)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				// A renewal that fails is made good by the next one, or the lease ends.
				if ours, err := k.ours(beat); err == nil && ours {
					_ = k.conn.Exec(beat, "ALTER TABLE schema_lock"+k.layout.onCluster()+" MODIFY COMMENT '"+k.token+"'")
				}
			case <-beat.Done():
				return
			}
		}
	}()
	return func() {
		stop()
		<-ended
		k.release(ctx)
	}
}

// release drops the table. If that fails the lease frees the lock.
func (k schemaLock) release(ctx context.Context) {
	_ = k.insist(ctx, func(ctx context.Context, again bool) error {
		if again { // it may be gone, and be somebody else's by now
			if ours, err := k.ours(ctx); err != nil || !ours {
				return err
			}
		}
		return k.conn.Exec(ctx, k.dropping())
	})
}

// ours tells whether the table is the one that we created.
func (k schemaLock) ours(ctx context.Context) (bool, error) {
	var n uint64
	err := k.conn.QueryRow(ctx, "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'schema_lock' AND comment = {token:String}",
		ch.Named("token", k.token)).Scan(&n)
	return n > 0, err
}

// insist does something to its end even when ctx ends meanwhile, a lock whose
// taking was cut short could be held by nobody, and does it again as long as
// its outcome is not known: it failed, but not by the server's own words.
func (k schemaLock) insist(ctx context.Context, do func(ctx context.Context, again bool) error) error {
	ctx = context.WithoutCancel(ctx)
	first, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	err := do(first, false)
	more, cancel := context.WithTimeout(ctx, lockDoubt)
	defer cancel()
	for {
		if _, said := errors.AsType[*proto.Exception](err); err == nil || said {
			return err
		}
		select {
		case <-time.After(lockInterval):
		case <-more.Done():
			return err
		}
		if next := do(more, true); next == nil || more.Err() == nil {
			err = next
		}
	}
}
