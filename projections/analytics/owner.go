package analytics

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"strata/internal/clickhouse"
)

// Owner names the writer that a lane of a database at a server has.
type Owner struct {
	// Installation says whose log the rows come from; it never changes. It is
	// asked once the server is reached, and may wait.
	Installation func(context.Context) (string, error)
	// Instance tells processes of the installation apart. A process that takes
	// the place of one that died should bear its name: then it need not wait.
	Instance string
}

const (
	ownerTable = "writer_owner"
	// ownerLease is how long an owner counts as alive after it was last heard
	// of. It sends nothing when two thirds of that are over. Statements that a
	// server has begun to receive by then are waited for (see store.quiet).
	ownerLease = 15 * time.Second
	ownerBeat  = 3 * time.Second // how often it is heard of
)

// ErrNotOwner says that another writer has the database.
var ErrNotOwner = errors.New("the ClickHouse database has another writer")

// owned is the entry of an owner.
type owned struct {
	installation, instance string
	since                  time.Time
	quiet                  time.Duration // since it was last heard of, by the server's clock
}

// claim makes the owner that of the database, or says who has it. The caller
// holds the schema's lock, so that claims come one after another.
func (o Owner) claim(ctx context.Context, conn driver.Conn, l layout, lane uint16, installation string) error {
	err := l.exec(ctx, conn, `CREATE TABLE IF NOT EXISTS `+ownerTable+`
(topic LowCardinality(String), installation String, instance String, at DateTime64(3, 'UTC') DEFAULT now64(3))
ENGINE = ReplacingMergeTree(at) ORDER BY topic`)
	if err != nil {
		return fmt.Errorf("create %s: %w", ownerTable, err)
	}
	now, err := readOwner(ctx, conn, l, lane)
	if err != nil {
		return err
	}
	if now.installation != "" && now.installation != installation {
		return fmt.Errorf("%w: it holds the calls of another installation (%s, this is %s; last written by %s at %s). Give this one a database of its own in STRATA_CLICKHOUSE_URL, or drop that one: its rows are made anew from the log",
			ErrNotOwner, now.installation, installation, now.instance, now.since.Format(time.RFC3339))
	}
	if now.instance != "" && now.instance != o.Instance && now.quiet < ownerLease {
		return fmt.Errorf("%w: %s of this installation, heard of %s ago, and this is %s. One process writes at a time; it will take over when the other one has ended",
			ErrNotOwner, now.instance, now.quiet.Round(time.Second), o.Instance)
	}
	return enter(ctx, conn, l, lane, installation, o.Instance)
}

// readOwner reads who owns the database; nobody is the zero value.
func readOwner(ctx context.Context, conn driver.Conn, l layout, lane uint16) (owned, error) {
	var now owned
	var quiet int64
	err := conn.QueryRow(l.consistent(ctx), `SELECT argMax(installation, at), argMax(instance, at), max(at),
		dateDiff('millisecond', max(at), now64(3)) FROM `+ownerTable+` WHERE topic = {topic:String}`, ch.Named("topic", topicOf(lane))).
		Scan(&now.installation, &now.instance, &now.since, &quiet)
	if err != nil {
		return owned{}, fmt.Errorf("read who writes: %w", err)
	}
	now.quiet = time.Duration(quiet) * time.Millisecond
	return now, nil
}

// enter records an owner; no instance says that nobody writes now.
func enter(ctx context.Context, conn driver.Conn, l layout, lane uint16, installation, instance string) error {
	settings := l.settings()
	settings["async_insert"] = 0
	err := conn.Exec(ch.Context(ctx, ch.WithSettings(settings)), "INSERT INTO "+ownerTable+
		" (topic, installation, instance) SELECT {topic:String}, {installation:String}, {instance:String}",
		ch.Named("topic", topicOf(lane)), ch.Named("installation", installation), ch.Named("instance", instance))
	if err != nil {
		return fmt.Errorf("record who writes: %w", err)
	}
	return nil
}

// ownership is what a writer knows of its claim.
type ownership struct {
	db           *clickhouse.DB
	owner        Owner
	lane         uint16
	installation string
	heard        atomic.Pointer[time.Time] // when the claim was last renewed; nil: there is none
}

// renewed notes that the claim was renewed, asked for at a moment.
func (o *ownership) renewed(asked time.Time) { o.heard.Store(&asked) }

// holds tells whether the claim was renewed within a time.
func (o *ownership) holds(within time.Duration) bool {
	heard := o.heard.Load()
	return heard != nil && time.Since(*heard) < within
}

// check fails when the claim is too old to write by it. It is asked before every
// INSERT and only looks at the clock: a process can be stopped for long between
// any two statements.
func (o *ownership) check() error {
	if o.guarded() && !o.holds(ownerLease*2/3) {
		return fmt.Errorf("%w, perhaps: the claim was not renewed in time", ErrNotOwner)
	}
	return nil
}

// guarded tells whether anybody else could write: nobody can to the embedded engine.
func (o *ownership) guarded() bool { return !o.db.Embedded() && o.owner.Installation != nil }

// take claims the database and migrates it, all under the schema's lock.
func (o *ownership) take(ctx context.Context) error {
	if !o.guarded() {
		return Migrate(ctx, o.db)
	}
	installation, err := o.owner.Installation(ctx)
	if err != nil {
		return fmt.Errorf("ask for the installation: %w", err)
	}
	o.installation = installation
	if err := o.claim(ctx); err != nil {
		return err
	}
	return Migrate(ctx, o.db)
}

// claim claims the database under the schema's lock.
func (o *ownership) claim(ctx context.Context) error {
	return locked(ctx, o.db, func(l layout) error {
		asked := time.Now()
		if err := o.owner.claim(ctx, o.db.Conn(), l, o.lane, o.installation); err != nil {
			return err
		}
		// Whoever was stopped in the middle may have lost the schema's lock, and
		// another may have claimed what was free to both.
		if took := time.Since(asked); took > lockLease/2 {
			return fmt.Errorf("claiming took %s: %w, perhaps", took.Round(time.Millisecond), ErrNotOwner)
		}
		o.renewed(asked)
		return nil
	})
}

// keep renews the claim when that is due, and fails when it is lost: a process
// that hung may wake when another has taken its place.
func (o *ownership) keep(ctx context.Context) error {
	if !o.guarded() || o.holds(ownerBeat) {
		return nil
	}
	if !o.holds(ownerLease / 2) {
		return o.claim(ctx)
	}
	conn, l, asked := o.db.Conn(), layoutOf(o.db), time.Now()
	now, err := readOwner(ctx, conn, l, o.lane)
	if err != nil {
		return err
	}
	if now.instance != o.owner.Instance || now.installation != o.installation {
		o.heard.Store(nil)
		return fmt.Errorf("%w: %s took over", ErrNotOwner, now.instance)
	}
	if err := enter(ctx, conn, l, o.lane, o.installation, o.owner.Instance); err != nil {
		return err
	}
	o.renewed(asked)
	return nil
}

// release says that nobody writes any more, so that another can at once.
func (o *ownership) release(ctx context.Context) error {
	if !o.guarded() || !o.holds(ownerLease/2) {
		return nil // it may be somebody else's by now
	}
	o.heard.Store(nil)
	return enter(ctx, o.db.Conn(), layoutOf(o.db), o.lane, o.installation, "")
}
