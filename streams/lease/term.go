package lease

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"strata/domain"
	"strata/streams"
)

var (
	// ErrLost: the lease has run out, or somebody else holds it.
	ErrLost = errors.New("lease is lost")
	// ErrReleased: the lease was given back.
	ErrReleased = errors.New("lease was released")
)

// releaseTime bounds how long giving a lease back may take: it runs out anyway.
const releaseTime = 2 * time.Second

// Term is a lease while it is held: from its acquisition until it is lost or
// released. It renews itself. It is safe for concurrent use.
type Term struct {
	keeper *Keeper
	token  domain.Revision
	ctx    context.Context
	cancel context.CancelCauseFunc
	loops  sync.WaitGroup

	writing chan struct{} // holds one token while a record is being appended
	// What follows belongs to whoever is writing.
	revision domain.Revision // of the last record of the stream, as far as known
	unsure   *sent           // a record whose fate is not known

	mu    sync.Mutex
	from  time.Time       // when the last accepted record was sent
	state json.RawMessage // of the next record
}

// sent is a record on its way.
type sent struct {
	event streams.Proposed
	at    time.Time
}

// begin makes the term that a record has opened which was sent at a time.
func (k *Keeper) begin(ctx context.Context, at time.Time, revision domain.Revision, state json.RawMessage) *Term {
	t := &Term{keeper: k, token: revision, revision: revision, writing: make(chan struct{}, 1), from: at, state: state}
	t.ctx, t.cancel = context.WithCancelCause(ctx)
	k.tried = attempt{}
	k.note(func(s *Status) { s.Held, s.Holder, s.Token = true, k.cfg.Holder, revision })
	t.loops.Go(t.expire)
	t.loops.Go(t.renew)
	return t
}

// Token identifies the term: it is greater than that of every term before.
func (t *Term) Token() domain.Revision { return t.token }

// Context ends when the lease is lost or released; its cause tells which.
func (t *Term) Context() context.Context { return t.ctx }

// State is what was given to Save or Keep last, by this holder or, before it has,
// the one before; nil for nothing.
func (t *Term) State() json.RawMessage {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.state
}

// Err is nil while the lease is held, by the clock at this very moment; else
// ErrLost, ErrReleased or the error of the context it was acquired with. Ask it
// right before acting: after a pause of the process it knows before Context does.
func (t *Term) Err() error {
	if t.left() <= 0 {
		t.end(ErrLost)
	}
	return context.Cause(t.ctx)
}

// left is how long the lease lasts if it is not renewed. The time that passed is
// the longer of what the monotonic and the wall clock say: the former may stand
// still while a machine sleeps, the latter can be set.
func (t *Term) left() time.Duration {
	t.mu.Lock()
	from := t.from
	t.mu.Unlock()
	now := t.keeper.cfg.Now()
	return t.keeper.cfg.TTL - max(now.Sub(from), now.Round(0).Sub(from.Round(0)))
}

func (t *Term) end(why error) {
	t.cancel(why)
	t.keeper.note(func(s *Status) {
		if s.Token == t.token {
			s.Held = false
		}
	})
}

// Save stores a state, a JSON value, for this and later holders, and renews the
// lease. It is fenced: it succeeds only if nobody has acquired the lease since.
// After ErrLost the state is not stored; after another error it may be, and the
// next Save or renewal, which carries it too, settles that.
func (t *Term) Save(ctx context.Context, state json.RawMessage) error {
	if !json.Valid(state) {
		return fmt.Errorf("lease %s: the state is not JSON", t.keeper.cfg.Name)
	}
	t.Keep(state)
	return t.Confirm(ctx)
}

// Keep is Save without writing now: the next record of this term, a renewal or the
// release, carries the state. If the lease is lost before, the state is too.
func (t *Term) Keep(state json.RawMessage) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.state = state
}

// Confirm asks the log whether the lease is still held, and renews it. Where Err
// relies on clocks this does not; but it is as late as its answer.
func (t *Term) Confirm(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(t.ctx, cancel)()
	if err := t.begun(ctx); err != nil {
		return t.because(err)
	}
	defer t.ended()
	if err := t.Err(); err != nil {
		return err
	}
	if err := t.settle(ctx); err != nil {
		return t.because(err)
	}
	return t.because(t.append(ctx, typeRenewed))
}

// Release gives the lease back, so that others need not wait until it has run
// out. Its context ends first. ErrLost and ErrReleased mean that it was gone already.
func (t *Term) Release(ctx context.Context) error {
	over := t.Err()
	t.end(ErrReleased)
	t.loops.Wait()
	if errors.Is(over, ErrLost) || errors.Is(over, ErrReleased) {
		return over
	}
	ctx, cancel := context.WithTimeout(ctx, releaseTime)
	defer cancel()
	if err := t.begun(ctx); err != nil {
		return err
	}
	defer t.ended()
	if err := t.settle(ctx); err != nil {
		return err
	}
	return t.append(ctx, typeReleased)
}

// because names the end of the term as the reason of an error that it caused.
func (t *Term) because(err error) error {
	if cause := context.Cause(t.ctx); err != nil && cause != nil {
		return cause
	}
	return err
}

func (t *Term) begun(ctx context.Context) error {
	select {
	case t.writing <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t *Term) ended() { <-t.writing }

// settle finds out about a record whose fate is not known, by sending it again.
func (t *Term) settle(ctx context.Context) error {
	if t.unsure == nil {
		return nil
	}
	return t.send(ctx, t.unsure)
}

func (t *Term) append(ctx context.Context, eventType string) error {
	p, err := propose(eventType, t.keeper.record(t.State()))
	if err != nil {
		return err
	}
	return t.send(ctx, &sent{event: p, at: t.keeper.cfg.Now()})
}

// send appends a record at the revision that is known. Sending one again is
// harmless: the store recognises it.
func (t *Term) send(ctx context.Context, s *sent) error {
	t.unsure = s
	r, err := t.keeper.cfg.Store.Append(ctx, t.keeper.stream, streams.At(t.revision), s.event)
	wrong := (*streams.WrongRevision)(nil)
	switch {
	case err == nil:
		t.unsure, t.revision = nil, r.Revision
		t.mu.Lock()
		t.from = s.at
		t.mu.Unlock()
		return nil
	case errors.As(err, &wrong), errors.Is(err, streams.ErrTombstoned):
		t.unsure = nil
		t.end(ErrLost)
		return ErrLost
	case errors.Is(err, streams.ErrTooLarge), errors.Is(err, streams.ErrInvalid):
		t.unsure = nil // it never will be written
	}
	return fmt.Errorf("lease: renew %s: %w", t.keeper.cfg.Name, err)
}

// expire ends the term when the lease has run out.
func (t *Term) expire() {
	for t.Err() == nil {
		select {
		case <-t.keeper.cfg.After(t.left()):
		case <-t.ctx.Done():
		}
	}
}

// renew keeps the lease as long as it can.
func (t *Term) renew() {
	third := t.keeper.cfg.TTL / 3
	for wait := third; ; {
		select {
		case <-t.keeper.cfg.After(wait):
		case <-t.ctx.Done():
			return
		}
		if wait = third - (t.keeper.cfg.TTL - t.left()); wait > 0 {
			continue // something was saved in the meantime
		}
		err := t.Confirm(t.ctx)
		if t.ctx.Err() != nil {
			return
		}
		t.keeper.faulty(err)
		if wait = third; err != nil {
			wait = t.keeper.cfg.Poll
		}
	}
}
