package live

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"strata/domain"
	"strata/streams"
)

const (
	tailBatch = 512
	spokes    = 16 // parts of the followers that are pinged one after another
)

// tail is the one subscription that all clients share, with the workers that
// write to them. It lives as long as somebody follows.
type tail struct {
	hub     *Hub
	cancel  context.CancelFunc
	ctx     context.Context // ends with the tail
	sub     streams.Subscription
	queue   queue
	reading chan struct{} // bounds how many read from the log at a time
	running sync.WaitGroup
	at      atomic.Uint64 // everything up to here was given to the rooms
	tick    atomic.Uint64

	// Guarded by the hub's mutex.
	rooms     map[string]*room
	wheel     [spokes]map[*follower]struct{}
	followers int
	admitted  int
}

func newTail(h *Hub, at domain.Position) (*tail, error) {
	ctx, cancel := context.WithCancel(context.Background())
	sub, err := h.Store.Subscribe(ctx, at, nil)
	if err != nil {
		cancel()
		return nil, err
	}
	t := &tail{hub: h, ctx: ctx, cancel: cancel, sub: sub, rooms: map[string]*room{}}
	t.at.Store(uint64(at))
	t.queue.init()
	workers := runtime.GOMAXPROCS(0)
	t.reading = make(chan struct{}, workers)
	for i := range t.wheel {
		t.wheel[i] = map[*follower]struct{}{}
	}
	t.running.Go(t.run)
	t.running.Go(t.spin)
	for range workers {
		t.running.Go(func() { (&worker{tail: t}).run() })
	}
	return t, nil
}

// stop ends everything the tail does, after the last follower has left.
func (t *tail) stop() {
	t.cancel()
	t.queue.close()
	t.running.Wait()
	_ = t.sub.Close() // nobody reads it any more
}

// run hands events to the rooms until the tail stops. If the log cannot be
// followed any more, every client is told where to resume.
func (t *tail) run() {
	for {
		batch, err := t.sub.Next(t.ctx, tailBatch)
		if err == nil {
			t.publish(batch)
			continue
		}
		if t.ctx.Err() != nil {
			return
		}
		if !errors.Is(err, streams.ErrClosed) {
			t.hub.Logger.Error("live connections cannot follow the log", "error", err)
		}
		t.hub.mu.Lock()
		if t.hub.tail == t { // whoever comes next begins a new one
			t.hub.tail = nil
		}
		t.shutAll(failed)
		t.hub.mu.Unlock()
		return
	}
}

func (t *tail) publish(batch streams.Batch) {
	t.hub.mu.Lock()
	defer t.hub.mu.Unlock()
	last := domain.Position(t.at.Load())
	for i := range batch.Events {
		r := &batch.Events[i]
		last = r.Position
		if room := t.rooms[r.Workspace]; room != nil && t.hub.Public(r.Type) {
			room.publish(&entry{recorded: *r, tick: t.tick.Load()})
		}
	}
	t.at.Store(uint64(max(last, batch.Position)))
}

// spin keeps connections alive, a part of them at a time, and lets the rooms
// forget what is old.
func (t *tail) spin() {
	clock := time.NewTicker(pingEvery / spokes)
	defer clock.Stop()
	for {
		select {
		case <-clock.C:
		case <-t.ctx.Done():
			return
		}
		tick := t.tick.Add(1)
		t.hub.mu.Lock()
		for f := range t.wheel[tick%spokes] {
			f.pingDue.Store(true)
			f.wake()
		}
		for _, r := range t.rooms {
			r.mu.Lock()
			r.trim(tick)
			r.mu.Unlock()
		}
		t.hub.mu.Unlock()
	}
}

// admit gives a follower its room. The hub's mutex is held.
func (t *tail) admit(f *follower, workspace string) {
	r := t.rooms[workspace]
	if r == nil {
		r = &room{workspace: workspace, from: domain.Position(t.at.Load()), groups: map[string]*group{}}
		t.rooms[workspace] = r
	}
	r.followers++
	t.followers++
	t.admitted++
	f.tail, f.room, f.spoke = t, r, uint8(t.admitted%spokes)
	t.wheel[f.spoke][f] = struct{}{}
}

// leave forgets a follower and tells whether it was the last. The hub's mutex is
// held.
func (t *tail) leave(f *follower) (last bool) {
	delete(t.wheel[f.spoke], f)
	if f.room.followers--; f.room.followers == 0 {
		delete(t.rooms, f.room.workspace)
	}
	t.followers--
	return t.followers == 0
}

// shutAll ends every connection. The hub's mutex is held.
func (t *tail) shutAll(why ending) {
	for _, spoke := range t.wheel {
		for f := range spoke {
			f.shut(why)
		}
	}
}
