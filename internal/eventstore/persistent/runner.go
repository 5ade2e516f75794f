package persistent

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"strata/domain"
	"strata/internal/eventstore/eslog"
	"strata/streams"
)

// runner runs one group: it reads for it, keeps its time, and writes down what
// it asks for. Three goroutines share the group under one lock, none of which is
// held while the log is read or written: pump reads the source, keep does
// everything that has a time or a write, and refill, while there is a replay,
// reads parked messages.
type runner struct {
	key    Key
	entry  entry
	filter *eslog.Filter
	log    *eslog.Log
	clock  func() time.Time
	logger *slog.Logger

	mu           sync.Mutex
	group        *group
	read         int64     // place up to which the source was read
	noCheckpoint bool      // none was ever written
	armed        time.Time // when keep will look by itself; zero = never

	parkedNext int64 // revision of the next message to be parked
	replayNext int64 // revision of the next parked message to be handed out again
	replayTo   int64 // revision at which the replay stops
	replaying  bool

	roomMade, due, refillable chan struct{} // wake pump, keep, refill
	stop                      context.CancelFunc
	wg                        sync.WaitGroup
	ctx                       context.Context
}

// retryAfter is the pause after the log refused something.
const retryAfter = time.Second

// startRunner loads what is known of a group and runs it.
func startRunner(ctx context.Context, key Key, e entry, log *eslog.Log, clock func() time.Time, logger *slog.Logger) (*runner, error) {
	r := &runner{
		key: key, entry: e, log: log, clock: clock, logger: logger.With("group", key.String()),
		roomMade: make(chan struct{}, 1), due: make(chan struct{}, 1), refillable: make(chan struct{}, 1),
	}
	var err error
	if f := e.Settings.Filter; f != nil {
		if r.filter, err = eslog.NewFilter(f.ByType, f.Regex, f.Prefixes); err != nil {
			return nil, err
		}
	}
	floor, found, err := loadCheckpoint(ctx, log, key, e.Floor)
	if err != nil {
		return nil, err
	}
	parked, err := log.Embedded().StreamState(ctx, key.ParkedStream())
	if err != nil {
		return nil, err
	}
	r.read, r.noCheckpoint = floor, !found
	r.replayNext, r.parkedNext = int64(parked.First), int64(parked.Last)+1
	r.group = newGroup(e.Settings, floor, r.replayNext-1, clock())
	r.group.all = key.Stream == All
	r.ctx, r.stop = context.WithCancel(context.WithoutCancel(ctx))
	r.wg.Go(r.pump)
	r.wg.Go(r.keep)
	return r, nil
}

// loadCheckpoint reads where a group stood, floor if it never said.
func loadCheckpoint(ctx context.Context, log *eslog.Log, key Key, floor int64) (place int64, found bool, err error) {
	for rec, err := range log.ReadStream(ctx, key.checkpointStream(), eslog.ReadStream{From: streams.End, Backwards: true, Limit: 1}) {
		if errors.Is(err, streams.ErrStreamNotFound) {
			break
		}
		if err != nil {
			return 0, false, err
		}
		place, err = parseCheckpoint(key.Stream == All, rec.Data)
		return place, err == nil, err
	}
	return floor, false, nil
}

// change does something with the group and wakes whom it concerns.
func (r *runner) change(do func(g *group, now time.Time)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock()
	do(r.group, now)
	r.wake(now)
}

// wake is called with the lock held.
func (r *runner) wake(now time.Time) {
	if r.group.room() > 0 {
		signal(r.roomMade)
	}
	if r.replaying && r.refillRoom() > 0 {
		signal(r.refillable)
	}
	if at, ok := r.dueAt(now); ok && (r.armed.IsZero() || at.Before(r.armed) || !at.After(now)) {
		signal(r.due)
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// dueAt tells when keep has something to do.
func (r *runner) dueAt(now time.Time) (at time.Time, ok bool) {
	g := r.group
	if _, _, due := g.checkpoint(now, false); due || g.parking.len() > 0 || g.parked.floor > g.parked.marked {
		return now, true
	}
	at, ok = g.nextTick()
	if c, timed := g.checkpointAt(); timed && (!ok || c.Before(at)) {
		return c, true
	}
	return at, ok
}

// pump reads the source whenever there is room.
func (r *runner) pump() {
	for {
		err := r.follow()
		switch {
		case r.ctx.Err() != nil, errors.Is(err, streams.ErrTombstoned), errors.Is(err, streams.ErrClosed):
			return // there will be no more
		}
		r.logger.Error("a persistent subscription cannot read its source", "error", err)
		if !r.pause(retryAfter) {
			return
		}
	}
}

// follow reads the source from where it was left until something fails.
func (r *runner) follow() error {
	var sub eslog.Subscription
	defer func() {
		if sub != nil {
			_ = sub.Close() // frees memory only
		}
	}()
	for {
		if err := r.waitForRoom(); err != nil {
			return err
		}
		if sub == nil {
			var err error
			if sub, err = r.subscribe(); err != nil {
				return err
			}
		}
		b, err := sub.Next(r.ctx)
		if err != nil {
			return err
		}
		events, err := r.events(b.Records)
		if err != nil {
			return err
		}
		r.change(func(g *group, now time.Time) {
			r.read = r.upTo(&b, events)
			g.feed(events, r.read, b.CaughtUp, now)
		})
	}
}

// subscribe begins behind what was read.
func (r *runner) subscribe() (eslog.Subscription, error) {
	if r.key.Stream == All {
		return r.log.SubscribeAll(r.ctx, domain.Position(r.read), r.filter) //nolint:gosec // not negative
	}
	return r.log.SubscribeStream(r.ctx, domain.StreamID(r.key.Stream), domain.Revision(r.read))
}

// upTo is the place that a batch reaches.
func (r *runner) upTo(b *eslog.Batch, events []*Event) int64 {
	switch {
	case r.key.Stream == All:
		return int64(b.Position) //nolint:gosec // positions count events
	case len(events) > 0:
		return int64(events[len(events)-1].Original().Revision)
	}
	return r.read
}

func (r *runner) waitForRoom() error {
	for {
		r.mu.Lock()
		room := r.group.room()
		r.mu.Unlock()
		if room > 0 {
			return nil
		}
		select {
		case <-r.roomMade:
		case <-r.ctx.Done():
			return r.ctx.Err()
		}
	}
}

// events turns what was read into events, with links resolved if that is wanted.
// A tombstone is not delivered: nobody could answer for it any more.
func (r *runner) events(records []eslog.Record) ([]*Event, error) {
	out := make([]*Event, 0, len(records))
	for i := range records {
		rec := &records[i]
		if r.key.Stream != All && rec.Revision == eslog.TombstoneRevision {
			continue
		}
		e, err := r.event(rec, r.entry.Settings.ResolveLinks)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

func (r *runner) event(rec *eslog.Record, resolve bool) (*Event, error) {
	e := &Event{Record: rec}
	if resolve && rec.Type == eslog.LinkType {
		target, err := r.log.Resolve(r.ctx, rec)
		if err != nil {
			return nil, err
		}
		e = &Event{Record: target, Link: rec}
	}
	e.key = pinKey(r.entry.Settings.Strategy, e)
	return e, nil
}

// pause waits; it returns false when the group is stopped.
func (r *runner) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.ctx.Done():
		return false
	}
}

// close stops everything; consumers get the reason. The last checkpoint is
// written as far as the log still takes it.
func (r *runner) close(why error) {
	r.stop() // first, so that nobody comes after
	r.change(func(g *group, _ time.Time) { g.drop(why) })
	r.wg.Wait()
}
