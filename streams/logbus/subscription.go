package logbus

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"

	"strata/domain"
	"strata/streams"
)

// subscription delivers one topic. One goroutine reads the log and hands out
// the messages of streams that have none under way; another per busy stream
// waits for the ack and then hands out the stream's next one.
type subscription struct {
	owner  *Subscriber
	name   string
	filter *streams.Filter
	out    chan *message.Message
	track  *tracker
	slots  chan struct{} // one per message handed out or waiting

	reading context.Context // ends with the wish to stop
	stop    context.CancelFunc
	living  context.Context // parent of the messages' contexts; ends when handlers must give up
	kill    context.CancelFunc

	mu      sync.Mutex
	stopped bool
	behind  map[domain.StreamID][]pending // of busy streams: what waits

	senders sync.WaitGroup // those who may be sending on out
	serving sync.WaitGroup // goroutines of busy streams
	drained chan struct{}  // closed when the last of them is gone
	failed  int            // consecutive errors of the log
}

// pending is an event with its place in the tracker.
type pending struct {
	event  streams.Recorded
	flight *flight
}

func newSubscription(ctx context.Context, owner *Subscriber, name string, filter *streams.Filter, from domain.Position) *subscription {
	d := &subscription{owner: owner, name: name, filter: filter, out: make(chan *message.Message), track: newTracker(from),
		slots: make(chan struct{}, owner.cfg.Window), behind: map[domain.StreamID][]pending{}, drained: make(chan struct{})}
	d.living, d.kill = context.WithCancel(ctx)
	d.reading, d.stop = context.WithCancel(d.living)
	return d
}

// run delivers until the subscription is stopped, then winds it down.
func (d *subscription) run() {
	saved := make(chan struct{})
	go func() { defer close(saved); d.save() }()
	for d.reading.Err() == nil {
		err := d.read()
		if d.reading.Err() != nil {
			break
		}
		d.failed++
		d.owner.cfg.Failing(err)
		d.owner.cfg.Logger.Error("subscription cannot read the log", "subscription", d.name, "error", err, "attempt", d.failed)
		select {
		case <-d.owner.cfg.After(d.owner.cfg.Backoff(d.failed)):
		case <-d.reading.Done():
		}
	}
	d.stop()
	d.mu.Lock()
	d.stopped = true
	d.mu.Unlock()
	d.senders.Wait()
	close(d.out)

	go func() { defer close(d.drained); d.serving.Wait() }()
	select {
	case <-d.drained:
	case <-d.living.Done():
	case <-d.owner.cfg.After(d.owner.cfg.Drain):
	}
	d.kill()
	<-d.drained
	<-saved
}

// read follows the log from where the tracker is.
func (d *subscription) read() (err error) {
	sub, err := d.owner.store.Subscribe(d.reading, d.track.seenUpTo(), d.filter)
	if err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	defer func() { err = errors.Join(err, sub.Close()) }()
	for {
		b, err := sub.Next(d.reading, d.owner.cfg.Window)
		if err != nil {
			return fmt.Errorf("next events: %w", err)
		}
		if d.failed > 0 {
			d.failed = 0
			d.owner.cfg.Failing(nil)
		}
		for _, e := range b.Events {
			if skip := d.owner.cfg.Skip; skip != nil && skip(e) {
				continue
			}
			if !d.handOut(e) {
				return d.reading.Err()
			}
		}
		d.track.pass(b.Position)
	}
}

// handOut delivers an event, or puts it behind those of its stream that are
// under way. False means that the subscription was stopped.
func (d *subscription) handOut(e streams.Recorded) bool {
	select {
	case d.slots <- struct{}{}:
	case <-d.reading.Done():
		return false
	}
	p := pending{e, d.track.start(e.Position)}
	d.mu.Lock()
	if waiting, busy := d.behind[e.Stream]; busy {
		d.behind[e.Stream] = append(waiting, p)
		d.mu.Unlock()
		return true
	}
	d.behind[e.Stream] = nil
	d.mu.Unlock()
	m := d.send(p)
	if m == nil {
		return false
	}
	d.serving.Go(func() { d.serve(p, m) })
	return true
}

// delivered is a message with what ends its context.
type delivered struct {
	*message.Message
	cancel context.CancelFunc
}

// send makes the message of an event and delivers it; nil when stopped.
func (d *subscription) send(p pending) *delivered {
	d.mu.Lock()
	if d.stopped {
		d.mu.Unlock()
		return nil
	}
	d.senders.Add(1)
	d.mu.Unlock()
	defer d.senders.Done()
	m := NewMessage(p.event)
	ctx, cancel := context.WithCancel(d.living)
	m.SetContext(ctx)
	select {
	case d.out <- m:
		return &delivered{m, cancel}
	case <-d.reading.Done():
		cancel()
		return nil
	}
}

// serve sees a busy stream through: ack, then its next event, until none waits.
func (d *subscription) serve(p pending, m *delivered) {
	for attempt := 1; ; {
		select {
		case <-m.Acked():
			m.cancel()
			d.track.finish(p.flight)
			<-d.slots
			var more bool
			if p, more = d.next(p.event.Stream); !more {
				return
			}
			attempt = 1
		case <-m.Nacked():
			m.cancel()
			select {
			case <-d.owner.cfg.After(d.owner.cfg.Backoff(attempt)):
			case <-d.reading.Done():
				return
			}
			attempt++
		case <-d.living.Done():
			m.cancel()
			return
		}
		if m = d.send(p); m == nil {
			return
		}
	}
}

// next takes the next waiting event of a stream; when there is none the stream
// is no longer busy.
func (d *subscription) next(stream domain.StreamID) (pending, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	waiting := d.behind[stream]
	if len(waiting) == 0 {
		delete(d.behind, stream)
		return pending{}, false
	}
	d.behind[stream] = waiting[1:]
	return waiting[0], true
}

// save keeps the checkpoint up to date until the last message is finished.
func (d *subscription) save() {
	keep := d.owner.cfg.Checkpoints
	if keep == nil {
		return
	}
	at := d.track.position()
	write := func() {
		now := d.track.position()
		if now == at {
			return
		}
		// Saving outlives the subscription's context: it is the last thing done.
		if err := keep.Save(context.WithoutCancel(d.living), d.name, now); err != nil {
			d.owner.cfg.Logger.Error("checkpoint is not saved; events will be delivered again", "subscription", d.name, "error", err)
			return
		}
		at = now
	}
	for {
		select {
		case <-d.track.changed:
		case <-d.living.Done():
			<-d.drained
			write()
			return
		}
		write()
		select {
		case <-d.owner.cfg.After(d.owner.cfg.SaveEvery):
		case <-d.living.Done():
		}
	}
}
