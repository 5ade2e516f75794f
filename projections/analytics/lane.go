package analytics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"

	"strata/domain"
	"strata/internal/clickhouse"
)

// LaneOptions tell who writes a lane.
type LaneOptions struct {
	Owner  Owner        // without an Installation nobody is kept out
	Logger *slog.Logger // nil: none
}

// Lane writes the calls of one partition of a topic into the tables. Lanes are
// written side by side, each by one process at a time, which claims it.
//
// What a lane is given may repeat what it was given before, but what it was not
// given yet comes in the order of positions: so the highest position of a lane
// tells what of it is in the tables. A call must always come over the same lane.
type Lane struct {
	db    *clickhouse.DB
	log   *slog.Logger
	store *store

	owning    sync.Mutex // held while ownership is used
	ownership *ownership
	durable   domain.Position // everything of the lane up to here is in the tables
	stop      context.CancelFunc
	beating   sync.WaitGroup
}

// OpenLane claims lane number, from 1, and finds out what the tables hold of it.
// It fails while another process has the lane, and as long as somebody writes
// what the log itself says (see Writer): that would be the same calls.
func OpenLane(ctx context.Context, db *clickhouse.DB, number int, o LaneOptions) (*Lane, error) {
	if number < 1 || number > math.MaxUint16 {
		return nil, fmt.Errorf("lane %d does not exist", number)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	lane := uint16(number)
	if err := db.WaitReady(ctx); err != nil {
		return nil, err
	}
	owned := &ownership{db: db, owner: o.Owner, lane: lane}
	if err := owned.take(ctx); err != nil {
		return nil, err
	}
	l := &Lane{db: db, log: o.Logger, store: newStore(db, lane, owned.check), ownership: owned}
	if err := l.resume(ctx); err != nil {
		return nil, errors.Join(err, owned.release(context.WithoutCancel(ctx)))
	}
	beat, stop := context.WithCancel(context.WithoutCancel(ctx))
	l.stop = stop
	l.beating.Go(func() { l.beat(beat) })
	return l, nil
}

// resume reads how far the lane has come. What the writer without a lane has
// written is done for all lanes.
func (l *Lane) resume(ctx context.Context) error {
	conn, layout := l.db.Conn(), layoutOf(l.db)
	before, err := readProgress(ctx, conn, layout, 0)
	if err != nil {
		return err
	}
	if l.ownership.guarded() {
		now, err := readOwner(ctx, conn, layout, 0)
		if err != nil {
			return err
		}
		if now.instance != "" && now.quiet < ownerLease {
			return fmt.Errorf("%w: %s writes what the log says without Kafka; end it, or give it the same brokers", ErrNotOwner, now.instance)
		}
	}
	var more uint64
	err = conn.QueryRow(layout.consistent(ctx), "SELECT count() FROM (SELECT 1 FROM inferences WHERE lane = 0 AND position > {before:UInt64} LIMIT 1)",
		ch.Named("before", uint64(before))).Scan(&more)
	if err != nil {
		return fmt.Errorf("look for calls without a lane: %w", err)
	}
	if more > 0 {
		return errors.New("the last writer without Kafka ended in the middle of a batch: run it once more, without brokers, until it has caught up, then begin with Kafka")
	}
	if l.durable, err = readProgress(ctx, conn, layout, l.store.lane); err != nil {
		return err
	}
	l.durable = max(l.durable, before)
	return nil
}

// Write brings items into the tables; when it returns nil they are there. Items
// that were given before, to this lane in whatever process, are recognised. After
// an error any part of them may be there, and the same are to be given again.
// Calls must not overlap.
func (l *Lane) Write(ctx context.Context, items []Item) error {
	fresh := make([]Item, 0, len(items))
	seen := l.durable
	for _, it := range items {
		if it.Position > seen {
			fresh, seen = append(fresh, it), it.Position
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	if err := l.db.WaitReady(ctx); err != nil {
		return err
	}
	if err := l.keep(ctx); err != nil {
		l.store.known = false // whoever has it, or had it, wrote too
		return err
	}
	if err := l.store.write(ctx, fresh); err != nil {
		return err
	}
	l.durable = seen
	return nil
}

func (l *Lane) keep(ctx context.Context) error {
	l.owning.Lock()
	defer l.owning.Unlock()
	return l.ownership.keep(ctx)
}

// beat renews the claim until ctx ends, also while a batch is being written for
// long.
func (l *Lane) beat(ctx context.Context) {
	tick := time.NewTicker(ownerBeat)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if l.db.Status().State != clickhouse.Ready {
			continue
		}
		if err := l.keep(ctx); err != nil && ctx.Err() == nil {
			l.log.WarnContext(ctx, "analytics cannot renew its claim on a lane", "lane", l.store.lane, "error", err)
		}
	}
}

// Close gives the lane up, so that another process can have it at once.
func (l *Lane) Close() error {
	l.stop()
	l.beating.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), finalFlush)
	defer cancel()
	return l.ownership.release(ctx)
}

// refuseLanes fails when lanes have been written: their calls would be written
// once more.
func refuseLanes(ctx context.Context, db *clickhouse.DB) error {
	var lanes uint64
	err := db.Conn().QueryRow(layoutOf(db).consistent(ctx), "SELECT uniqExact(topic) FROM writer_progress WHERE startsWith(topic, {topic:String})",
		ch.Named("topic", Topic+"/")).Scan(&lanes)
	if err != nil {
		return fmt.Errorf("look for lanes: %w", err)
	}
	if lanes > 0 {
		return errors.New("the calls in this ClickHouse database came over Kafka: give this process the brokers, or drop the database; its rows are made anew from the log")
	}
	return nil
}
