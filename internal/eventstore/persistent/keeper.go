package persistent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"strata/domain"
	"strata/internal/eventstore/eslog"
	"strata/streams"
)

// lastWrites bounds how long a group that is stopped tries to write.
const lastWrites = 5 * time.Second

// keep lets the group's time pass and does what it asks for, until it is stopped;
// then it writes the last checkpoint.
func (r *runner) keep() {
	for r.ctx.Err() == nil {
		wait, err := r.once()
		switch {
		case errors.Is(err, streams.ErrClosed):
			return
		case err != nil && r.ctx.Err() == nil:
			r.logger.Error("a persistent subscription cannot write", "error", err)
			wait = retryAfter
		}
		r.sleep(wait, err != nil)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), lastWrites)
	defer cancel()
	if err := r.write(ctx, true); err != nil && !errors.Is(err, streams.ErrClosed) {
		r.logger.Error("a persistent subscription cannot write its last checkpoint", "error", err)
	}
}

// once does what is due and tells how long to wait then; 0 means until woken.
func (r *runner) once() (wait time.Duration, err error) {
	r.change(func(g *group, now time.Time) { g.tick(now) })
	if err := r.write(r.ctx, false); err != nil {
		return 0, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock()
	at, ok := r.dueAt(now)
	r.armed = time.Time{}
	if !ok {
		return 0, nil
	}
	r.armed = at
	return max(at.Sub(now), time.Millisecond), nil
}

// sleep waits for a time or to be woken; a deaf one is not woken.
func (r *runner) sleep(d time.Duration, deaf bool) {
	var timer <-chan time.Time
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		timer = t.C
	}
	due := r.due
	if deaf {
		due = nil
	}
	select {
	case <-timer:
	case <-due:
	case <-r.ctx.Done():
	}
}

// write parks what is to be parked, then writes down how far everything is: in
// this order, so that no checkpoint passes a message that is nowhere.
func (r *runner) write(ctx context.Context, final bool) error {
	if err := r.park(ctx); err != nil {
		return err
	}
	if err := r.checkpoint(ctx, final); err != nil {
		return err
	}
	return r.truncateParked(ctx)
}

// parkAtOnce bounds how many messages are parked with one write.
const parkAtOnce = 100

// park moves messages to the stream of parked ones.
func (r *runner) park(ctx context.Context) error {
	for {
		r.mu.Lock()
		var batch []*message
		for len(batch) < parkAtOnce && len(batch) < r.group.parking.len() {
			batch = append(batch, r.group.parking.at(len(batch)))
		}
		now := r.clock()
		r.mu.Unlock()
		if len(batch) == 0 {
			return nil
		}
		events := make([]eslog.Event, len(batch))
		for i, m := range batch {
			var err error
			if events[i], err = parkedEvent(m, now); err != nil {
				return err
			}
		}
		res, err := r.log.Append(ctx, r.key.ParkedStream(), streams.Any, events)
		if err != nil {
			return fmt.Errorf("park messages: %w", err)
		}
		r.change(func(g *group, _ time.Time) {
			for range batch {
				m := g.parking.pop()
				m.ledger.settle(m)
			}
			r.parkedNext = int64(res.Last) + 1
		})
	}
}

func (r *runner) checkpoint(ctx context.Context, final bool) error {
	r.mu.Lock()
	place, n, due := r.group.checkpoint(r.clock(), final)
	first := r.noCheckpoint
	r.mu.Unlock()
	if !due {
		return nil
	}
	stream := r.key.checkpointStream()
	if first {
		if err := r.keepLast(ctx, stream); err != nil {
			return err
		}
	}
	if _, err := r.log.Append(ctx, stream, streams.Any, []eslog.Event{checkpointEvent(r.key.Stream == All, place)}); err != nil {
		return fmt.Errorf("write a checkpoint: %w", err)
	}
	r.change(func(g *group, now time.Time) {
		g.checkpointed(place, n, now)
		r.noCheckpoint = false
	})
	return nil
}

// keepLast lets a stream keep its last two events only.
func (r *runner) keepLast(ctx context.Context, stream domain.StreamID) error {
	_, err := r.log.Append(ctx, eslog.MetadataStream(stream), streams.Any, []eslog.Event{metadataEvent(eslog.KeyMaxCount, 2)})
	if err != nil {
		return fmt.Errorf("set metadata of checkpoints: %w", err)
	}
	return nil
}

// truncateParked forgets parked messages that were handed out again and settled.
// Until then they stay, so that a crash does not lose them.
func (r *runner) truncateParked(ctx context.Context) error {
	r.mu.Lock()
	floor, marked := r.group.parked.floor, r.group.parked.marked
	r.mu.Unlock()
	if floor == marked {
		return nil
	}
	stream := eslog.MetadataStream(r.key.ParkedStream())
	if _, err := r.log.Append(ctx, stream, streams.Any, []eslog.Event{metadataEvent(eslog.KeyTruncateBefore, floor+1)}); err != nil {
		return fmt.Errorf("truncate parked messages: %w", err)
	}
	r.change(func(g *group, _ time.Time) { g.parked.marked = floor })
	return nil
}

// replay hands parked messages out again: those below a revision of their stream.
func (r *runner) replay(stopAt int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.replayTo = max(r.replayTo, min(stopAt, r.parkedNext))
	if !r.replaying && r.replayNext < r.replayTo && r.ctx.Err() == nil {
		r.replaying = true
		r.wg.Go(r.refill)
	}
}

// refillRoom is the number of parked messages that may be read.
func (r *runner) refillRoom() int {
	s := &r.group.settings
	return min(int(s.ReadBatchSize), int(s.HistoryBufferSize)-len(r.group.again))
}

// refill reads parked messages for a replay until it is done.
func (r *runner) refill() {
	for {
		err := r.refillOnce()
		switch {
		case errors.Is(err, errReplayed), errors.Is(err, streams.ErrClosed), r.ctx.Err() != nil:
			return
		case err != nil:
			r.logger.Error("a persistent subscription cannot read its parked messages", "error", err)
			if !r.pause(retryAfter) {
				return
			}
		}
	}
}

var errReplayed = errors.New("everything is handed out again")

func (r *runner) refillOnce() error {
	r.mu.Lock()
	room, from, to := r.refillRoom(), r.replayNext, r.replayTo
	if from >= to {
		r.replaying = false
		r.mu.Unlock()
		return errReplayed
	}
	r.mu.Unlock()
	if room <= 0 {
		select {
		case <-r.refillable:
		case <-r.ctx.Done():
		}
		return r.ctx.Err()
	}
	var events []*Event
	next := min(from+int64(room), to)
	for rec, err := range r.log.ReadStream(r.ctx, r.key.ParkedStream(), eslog.ReadStream{From: domain.Revision(from), Limit: int(next - from)}) {
		if err != nil && !errors.Is(err, streams.ErrStreamNotFound) {
			return err
		}
		if err != nil || int64(rec.Revision) >= to {
			break
		}
		e, err := r.event(&rec, true)
		if err != nil {
			return err
		}
		events = append(events, e)
		next = max(next, int64(rec.Revision)+1)
	}
	r.change(func(g *group, now time.Time) {
		g.replay(events, now)
		g.parked.pass(next - 1)
		r.replayNext = next
	})
	return nil
}
