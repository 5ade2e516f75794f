package analytics

import (
	"context"
	"errors"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/ClickHouse/clickhouse-go/v2/lib/proto"
	"github.com/google/uuid"

	"strata/internal/clickhouse"
)

const (
	tableExists  = 57               // ClickHouse's TABLE_ALREADY_EXISTS
	tableMissing = 60               // ClickHouse's UNKNOWN_TABLE
	lockLease    = 20 * time.Second // a lock that nobody renewed for so long was left by a process that died
	lockCertain  = 15 * time.Second // one that was renewed so lately is nobody's but its holder's
	lockMemory   = time.Hour        // for so long a lock that was found stale may still be retired by who saw it
	lockBeat     = 3 * time.Second  // between two renewals
	lockInterval = time.Second / 4  // between two tries to take the lock
	lockPatience = 10 * time.Second // for one statement about the lock
	lockDoubt    = 10 * time.Second // for finding out what became of one whose answer was lost
)

// schemaLock is the lock between processes that share a server: creating a table
// without IF NOT EXISTS succeeds for exactly one of them. The table's comment
// says whose it is, and writing it again renews it.
//
// A statement names a table, not which one that was when it was looked at, so
// nobody drops the lock: whoever finds it stale, or has done with it, renames it to
// a name that bears its UUID. That name can be given once. Of two who saw the same
// stale lock the second is refused, and so does not take away what the first has
// taken by then; nor does a holder that was thought dead. The renamed tables are
// dropped when nobody can still remember them.
//
// What the lock cannot do is stop a holder that was paused for longer than the
// lease: see ownership.claim.
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
		asked := time.Now()
		taken, err := k.take(ctx)
		if err != nil {
			return nil, err
		}
		if taken {
			k.clean(ctx)
			return k.keep(ctx, asked), nil
		}
		stale, id, err := k.stale(ctx)
		if err != nil {
			return nil, err
		}
		if stale {
			if err := k.retire(ctx, id); err != nil {
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

// lockSelect asks for the lock's table by a condition. A database that gives its
// tables no UUIDs tells them apart by their holders.
const lockSelect = `SELECT count(), max(if(uuid = toUUID('00000000-0000-0000-0000-000000000000'), comment, toString(uuid)))
	FROM system.tables WHERE database = currentDatabase() AND name = 'schema_lock' AND `

// stale tells whether a lock is there that nobody renews, and which.
func (k schemaLock) stale(ctx context.Context) (found bool, id string, err error) {
	return k.find(ctx, "metadata_modification_time < now() - {lease:UInt32}", ch.Named("lease", uint32(lockLease.Seconds())))
}

// ours tells whether the table is the one that we created, and which that is.
func (k schemaLock) ours(ctx context.Context) (found bool, id string, err error) {
	return k.find(ctx, "comment = {token:String}", ch.Named("token", k.token))
}

func (k schemaLock) find(ctx context.Context, condition string, value any) (found bool, id string, err error) {
	var n uint64
	err = k.conn.QueryRow(ctx, lockSelect+condition, value).Scan(&n, &id)
	return n > 0, id, err
}

// retired is the name of a lock that is none any more.
func retired(id string) string { return clickhouse.QuoteIdent("schema_lock_" + id) }

// retire ends a lock, once. That it was ended before, whatever lock there is by
// now, is no error.
func (k schemaLock) retire(ctx context.Context, id string) error {
	return k.insist(ctx, func(ctx context.Context, _ bool) error {
		err := k.conn.Exec(ctx, "RENAME TABLE schema_lock TO "+retired(id)+k.layout.onCluster())
		if exception, ok := errors.AsType[*proto.Exception](err); ok && (exception.Code == tableExists || exception.Code == tableMissing) {
			return nil
		}
		return err
	})
}

// clean drops what retired locks have left. If that fails the next holder does it.
func (k schemaLock) clean(ctx context.Context) {
	var names []string
	err := k.conn.QueryRow(ctx, `SELECT groupArray(name) FROM system.tables WHERE database = currentDatabase() AND startsWith(name, 'schema_lock_')
		AND metadata_modification_time < now() - {age:UInt32}`, ch.Named("age", uint32(lockMemory.Seconds()))).Scan(&names)
	if err != nil {
		return
	}
	for _, name := range names {
		_ = k.conn.Exec(ctx, "DROP TABLE IF EXISTS "+clickhouse.QuoteIdent(name)+k.layout.onCluster())
	}
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
		taken, _, err = k.ours(ctx)
		return err
	})
	return taken, err
}

// keep renews the lock, last renewed when it was asked for, until the function
// that it returns gives it back.
func (k schemaLock) keep(ctx context.Context, renewed time.Time) (release func()) {
	beat, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(lockBeat)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if now := time.Now(); k.renew(beat, renewed) {
					renewed = now
				}
			case <-beat.Done():
				return
			}
		}
	}()
	return func() {
		stop()
		<-ended
		k.release(ctx, time.Since(renewed) < lockCertain)
	}
}

// renew renews the lock, if nobody can have thought it stale: it may be another's
// by then. A renewal that fails is made good by the next one, or the lease ends.
func (k schemaLock) renew(ctx context.Context, renewed time.Time) bool {
	ctx, cancel := context.WithDeadline(ctx, renewed.Add(lockCertain))
	defer cancel()
	if ours, _, err := k.ours(ctx); err != nil || !ours {
		return false
	}
	return k.conn.Exec(ctx, "ALTER TABLE schema_lock"+k.layout.onCluster()+" MODIFY COMMENT '"+k.token+"'") == nil
}

// release gives the lock back. If that fails the lease frees it. Of a lock that
// nobody can have thought stale nothing needs to be remembered.
func (k schemaLock) release(ctx context.Context, certain bool) {
	var lock string
	err := k.insist(ctx, func(ctx context.Context, _ bool) error {
		_, id, err := k.ours(ctx)
		lock = id
		return err
	})
	if err != nil || lock == "" || k.retire(ctx, lock) != nil || !certain {
		return
	}
	_ = k.insist(ctx, func(ctx context.Context, _ bool) error {
		return k.conn.Exec(ctx, "DROP TABLE IF EXISTS "+retired(lock)+k.layout.onCluster())
	})
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
