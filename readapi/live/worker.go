package live

import (
	"bytes"
	"errors"
	"os"
	"time"

	"strata/streams"
)

const (
	readEvents = 64      // read from the log at once for one client
	keepBuffer = 1 << 20 // a larger buffer is not kept
)

// worker writes to followers without ever waiting for one.
type worker struct {
	tail    *tail
	buf     []byte
	attempt attempt
}

func (w *worker) run() {
	for f := w.tail.queue.pop(); f != nil; f = w.tail.queue.pop() {
		w.serve(f)
		if cap(w.buf) > keepBuffer {
			w.buf = nil
		}
	}
}

// serve writes what a follower is to get. One that is behind, or takes no more
// for now, goes on in a goroutine of its own.
func (w *worker) serve(f *follower) {
	f.state.Store(running)
	for {
		out, next := f.gather(w.buf[:0])
		w.buf = out
		n, err := 0, error(nil)
		if len(out) > 0 {
			n, err = w.attempt.write(f.link.Load(), out)
		}
		switch {
		case err != nil:
			f.cut()
		case n < len(out):
			left := bytes.Clone(out[n:])
			w.tail.running.Go(func() { f.run(left) })
			return
		case f.done:
			f.link.Load().finish()
		case next == behind:
			w.tail.running.Go(func() { f.run(nil) })
			return
		case next == more:
			continue
		}
		if f.rest() {
			return
		}
	}
}

// run does the same in the follower's own goroutine, where it may wait: for the
// client to take what is left of a write, and for the log.
func (f *follower) run(buf []byte) {
	l := f.link.Load()
	for {
		if len(buf) > 0 {
			f.write(l, buf)
		}
		if f.done {
			l.finish()
		} else {
			var next outcome
			if buf, next = f.gather(buf[:0]); len(buf) > 0 || next == more {
				continue
			}
			if next == behind {
				buf = f.catchUp(buf)
				continue
			}
		}
		l.unhurried()
		if f.end.Load() != int32(open) {
			l.hurry()
		}
		if f.rest() {
			return
		}
		buf = buf[:0]
	}
}

// write writes and waits. A client that needs most of its time for it is told to
// come back while it can still be told.
func (f *follower) write(l *link, b []byte) {
	begin := time.Now()
	l.deadline(begin.Add(f.patience()))
	if p := f.patience(); p < f.hub.Patience { // it ends since the deadline was set
		l.deadline(begin.Add(p))
	}
	_, err := l.conn.Write(b)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		f.shut(slow)
		f.cut()
	case err != nil:
		f.cut()
	case time.Since(begin) > f.hub.Patience/2:
		f.shut(slow)
	}
}

// cut ends a connection that nothing can be written to any more.
func (f *follower) cut() {
	f.done = true
	f.shut(gone)
	f.link.Load().close()
}

// catchUp appends events from the log. When there are no more, the room takes
// over: the follower joins at exactly its position.
func (f *follower) catchUp(buf []byte) []byte {
	buf, all, err := f.read(buf)
	switch {
	case err != nil && f.tail.ctx.Err() != nil: // everybody has left
		f.cut()
	case err != nil:
		f.hub.Logger.Error("a live connection cannot read the log", "after", uint64(f.at), "error", err)
		f.shut(failed)
	case all && len(buf) == 0:
		f.room.join(f) // else the room has moved on meanwhile
	}
	return buf
}

// read appends what is wanted of the log after the follower's position; all
// means that it has reached the end of the log.
func (f *follower) read(buf []byte) (out []byte, all bool, err error) {
	t, store := f.tail, f.hub.Store
	select { // ten thousand clients may come back at once
	case t.reading <- struct{}{}:
		defer func() { <-t.reading }()
	case <-t.ctx.Done():
		return buf, false, t.ctx.Err()
	}
	head, err := store.Head(t.ctx)
	if err != nil {
		return buf, false, err
	}
	n := 0
	query := streams.ReadAll{After: f.at, Filter: f.want.filter(f.room.workspace), Limit: readEvents}
	for r, err := range store.ReadAll(t.ctx, query) {
		if err != nil {
			return buf, false, err
		}
		if f.want.wants(r.Type) && f.hub.Public(r.Type) && !streams.IsSystem(r.Stream) {
			e := entry{recorded: r}
			wire, err := e.wire(f.hub.Show, f.shape)
			if err != nil {
				return f.broken(buf, r.Position, err), false, nil
			}
			buf = append(buf, wire...)
			f.hub.meters.sent()
		}
		f.at = r.Position
		if n++; len(buf) >= gatherBytes {
			return buf, false, nil
		}
	}
	if n == readEvents {
		return buf, false, nil
	}
	f.at = max(f.at, head)
	return buf, true, nil
}
