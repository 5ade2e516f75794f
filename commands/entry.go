package commands

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/google/uuid"

	"strata/domain"
	"strata/streams"
)

const (
	// maxBatchOps and maxBatchEvents bound what is combined into one append.
	maxBatchOps    = 1024
	maxBatchEvents = 4096
	// maxRetries bounds how often a batch is decided again because another
	// process wrote to the stream in between. Each time somebody's command was
	// carried out, so that many mean that others are faster by chance, or nearer.
	maxRetries = 1000
	// mostLooks bounds how often the stream is looked at before such a try.
	mostLooks = 4
	// keptKeys is how many of a stream's latest events under idempotency keys
	// are remembered: a retry is recognised until that many more were written.
	keptKeys = 4096
)

// op is one command waiting for its turn on a stream.
type op[S any] struct {
	req Request
	cmd domain.Decider[S]
	see func(*Loaded[S])

	done     chan struct{}
	err      error
	facts    []domain.Fact
	revision domain.Revision
	position domain.Position
	includes domain.Position // everything that the command saw
	repeated bool
}

// wait returns when the command is done, or with the error of a context that
// ended before.
func (o *op[S]) wait(ctx context.Context) error {
	select {
	case <-o.done: // whatever the context says: the outcome is known
		return nil
	default:
	}
	select {
	case <-o.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// entry is the one place in this process where a stream's commands meet. As long
// as there are commands, one goroutine works on them; it alone touches the state.
type entry[S any] struct {
	h   *Handler
	agg *domain.Aggregate[S]
	id  string

	mu      sync.Mutex
	queue   []*op[S]
	running bool

	// Owned by the running goroutine.
	loaded Loaded[S]
	valid  bool            // loaded reflects the log up to its revision
	at     domain.Position // of the last event folded from the log or appended to it
	keys   keyMemory

	// What a snapshot says beside the state.
	last     uuid.UUID         // id of the last event folded
	about    []streams.Subject // whose data was folded
	kept     domain.Revision   // of the last snapshot
	erasures uint64            // how often somebody was forgotten before the folding began
}

// keyMemory remembers where events written under idempotency keys went.
type keyMemory struct {
	at    map[uuid.UUID]domain.Revision
	order []uuid.UUID
}

func (k *keyMemory) add(id uuid.UUID, r domain.Revision) {
	if k.at == nil {
		k.at = map[uuid.UUID]domain.Revision{}
	}
	k.at[id] = r
	if k.order = append(k.order, id); len(k.order) > keptKeys {
		delete(k.at, k.order[0])
		k.order = k.order[1:]
	}
}

// entryOf is the entry of a stream. A passing one is used when there is one, and not
// kept when there is none: then the log decides between it and another.
func entryOf[S any](h *Handler, agg *domain.Aggregate[S], id string, passing bool) *entry[S] {
	fresh := func() any { return &entry[S]{h: h, agg: agg, id: id} }
	if passing {
		if kept := h.cache.peek(agg.Stream(id)); kept != nil {
			return kept.(*entry[S])
		}
		return fresh().(*entry[S])
	}
	return h.cache.get(agg.Stream(id), fresh).(*entry[S])
}

// submit queues a command. Who finds nobody at work does the work itself, for
// all who wait by then: handing it to another goroutine would cost a tenth of
// the processor time of a command. Those who come later are not its business.
func (e *entry[S]) submit(o *op[S]) {
	e.mu.Lock()
	e.queue = append(e.queue, o)
	start := !e.running
	e.running = true
	e.mu.Unlock()
	if start && e.round() {
		go e.run()
	}
}

func (e *entry[S]) run() {
	for e.round() {
	}
}

// round works off one batch and tells whether there is another.
func (e *entry[S]) round() (more bool) {
	e.mu.Lock()
	n := min(len(e.queue), maxBatchOps)
	batch := e.queue[:n:n]
	e.queue = e.queue[n:]
	e.mu.Unlock()
	defer func() {
		if p := recover(); p != nil { // the others must not wait for ever
			e.abandon(batch, p)
			panic(p)
		}
	}()
	done := e.process(batch)
	for _, o := range batch[:done] {
		close(o.done)
	}
	batch = batch[done:]
	e.snapshot()
	return e.rest(batch)
}

// rest puts commands that are still to be decided before the others that wait.
// It tells whether any wait; else the entry is at rest.
func (e *entry[S]) rest(undecided []*op[S]) (more bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(undecided) > 0 {
		e.queue = append(undecided, e.queue...)
	}
	if len(e.queue) > 0 {
		return true
	}
	// A cached entry must not keep the commands it has run: without this, they
	// were a third of the heap after a load of creates.
	e.queue, e.running = nil, false
	return false
}

// abandon answers commands among which a decision, or a view, panicked.
func (e *entry[S]) abandon(batch []*op[S], panicked any) {
	e.valid = false
	fail(batch, fmt.Errorf("a command on %s panicked: %v", e.agg.Stream(e.id), panicked))
	for _, o := range batch {
		close(o.done)
	}
	if e.rest(nil) {
		go e.run()
	}
}

// process decides a batch and appends it, deciding again when another process
// wrote in between. It returns how many of the batch are done: all, or those
// before one that must wait until the others' events are in the log.
func (e *entry[S]) process(batch []*op[S]) (done int) {
	ctx, cancel := context.WithTimeout(context.Background(), e.h.cfg.AppendTimeout)
	defer cancel()
	for try := 0; ; try++ {
		if err := e.catchUp(ctx, try); err != nil {
			e.valid = false
			fail(batch, asDomain(err))
			return len(batch)
		}
		base := e.loaded.Revision
		// A smaller batch is sooner in the log: who was too slow hurries.
		proposed, done := e.decide(ctx, batch[:max(1, len(batch)>>min(try, 10))])
		if len(proposed) == 0 {
			e.tell(batch[:done])
			return done
		}
		res, err := e.h.cfg.Store.Append(ctx, e.agg.Stream(e.id), streams.At(base), proposed...)
		if err == nil {
			if e.h.cfg.At != nil {
				e.h.cfg.At(e.agg.Category + ".durable")
			}
			e.at = res.Position // the append is atomic: who sees its end sees each part
			e.tell(batch[:done])
			return done
		}
		e.valid = false // the state has facts in it that the log may not have
		if errors.Is(err, streams.ErrTooLarge) && done > 1 {
			batch = batch[:done/2] // together they are too large, one by one they may not be
			continue
		}
		if _, conflict := errors.AsType[*streams.WrongRevision](err); conflict && try < maxRetries {
			continue
		}
		// Also those that wrote nothing: what they saw, or were refused for, may
		// be facts that never came to be.
		fail(batch[:done], asDomain(err))
		return done
	}
}

// tell says how far the log has to be read to see what commands did and saw.
func (e *entry[S]) tell(batch []*op[S]) {
	for _, o := range batch {
		if o.err != nil {
			continue
		}
		o.includes = e.at
		if len(o.facts) > 0 || o.repeated {
			o.position = e.at
		}
	}
}

// fail answers every command of a batch with an error.
func fail[S any](batch []*op[S], err error) {
	for _, o := range batch {
		o.err = err
	}
}

// errLater says that a command has to wait for the batch before it.
var errLater = errors.New("decide after the next append")

// decide lets each command of the batch decide on the state that the ones
// before it left. It returns the events to append and how many commands have
// decided; there is always one.
func (e *entry[S]) decide(ctx context.Context, batch []*op[S]) (proposed []streams.Proposed, decided int) {
	durable := e.loaded.Revision
	for i, o := range batch {
		if len(proposed) > maxBatchEvents {
			return proposed, i
		}
		o.err, o.facts, o.repeated = nil, nil, false
		events, err := e.decideOne(ctx, o, durable)
		if errors.Is(err, errLater) {
			return proposed, i
		}
		if err != nil {
			o.err = err
			continue
		}
		proposed = append(proposed, events...)
	}
	return proposed, len(batch)
}

// decideOne decides one command; the log has the stream up to durable.
func (e *entry[S]) decideOne(ctx context.Context, o *op[S], durable domain.Revision) ([]streams.Proposed, error) {
	l := &e.loaded
	if err := e.admit(o); err != nil {
		return nil, err
	}
	if o.req.IdempotencyKey != "" {
		if last, ok := e.repeatOf(o.req); ok {
			if last > durable && last != l.Revision {
				return nil, errLater // what the first try left is neither here nor in the log yet
			}
			return nil, e.answerAgain(ctx, o, last)
		}
	}
	if err := matches(o.req, e.agg.Noun, l.Revision); err != nil {
		return nil, err
	}
	now := e.h.Now()
	facts, err := o.cmd.Decide(o.req.env(now), l.State)
	if err != nil {
		return nil, err
	}
	meta := o.req.metadata(now)
	if o.req.Principal.AnyTenant() && l.Revision != domain.NoRevision {
		meta.Organization, meta.Workspace = l.Organization, l.Workspace
	}
	proposed := make([]streams.Proposed, len(facts))
	ids := make([]uuid.UUID, len(facts))
	for i, f := range facts {
		if o.req.IdempotencyKey != "" {
			ids[i] = o.req.derived(i)
		} else {
			ids[i] = domain.NewEventID()
		}
		if proposed[i], err = e.h.cfg.Codec.Encode(ids[i], f, meta); err != nil {
			return nil, err
		}
	}
	// Only now, when nothing can fail any more, does the state move on.
	for i, f := range facts {
		e.fold(domain.Event{ID: ids[i], Stream: e.agg.Stream(e.id), Revision: l.Revision + 1, Fact: f, Meta: meta})
	}
	o.facts, o.revision = facts, l.Revision
	o.see(l)
	return proposed, nil
}

// matches checks a request's condition on the revision.
func matches(req Request, noun string, at domain.Revision) error {
	if m := req.IfMatch; m != nil && *m != at {
		return domain.Errorf(domain.CodeConflict, "%s %q is at revision %d, not %d", noun, req.ID, at, *m).With("revision", at)
	}
	return nil
}

// admit checks existence and tenancy. What belongs to somebody else does not
// exist, as far as the caller can tell.
func (e *entry[S]) admit(o *op[S]) error {
	l, p := &e.loaded, o.req.Principal
	if l.Revision == domain.NoRevision {
		if o.req.Create {
			return nil
		}
		return domain.NotFound(e.agg.Noun, e.id)
	}
	if p.AnyTenant() {
		return nil
	}
	if l.Organization != p.Organization || l.Workspace != "" && l.Workspace != p.Workspace {
		return domain.NotFound(e.agg.Noun, e.id)
	}
	return nil
}

// repeatOf finds the last event that an earlier try of the request wrote.
func (e *entry[S]) repeatOf(req Request) (domain.Revision, bool) {
	last, ok := e.keys.at[req.derived(0)]
	if !ok {
		return 0, false
	}
	for i := 1; ; i++ {
		r, ok := e.keys.at[req.derived(i)]
		if !ok {
			return last, true
		}
		last = r
	}
}

// answerAgain shows the state as the first try left it.
func (e *entry[S]) answerAgain(ctx context.Context, o *op[S], last domain.Revision) error {
	then := &e.loaded
	if last != then.Revision {
		past := entry[S]{h: e.h, agg: e.agg, id: e.id}
		if err := past.foldFrom(ctx, last); err != nil {
			return asDomain(err)
		}
		then = &past.loaded
	}
	if e.agg.Gone != nil && e.agg.Gone(then.State) {
		return domain.Gone(e.agg.Noun, e.id)
	}
	o.repeated, o.revision = true, then.Revision
	o.see(then)
	return nil
}

// catchUp refreshes the state. After a conflict that meant to read all of the
// stream, while others went on: what they wrote meanwhile is read once more, until
// it is little, so that whoever lost has the same chance as the others.
func (e *entry[S]) catchUp(ctx context.Context, try int) error {
	err := e.refresh(ctx)
	for range min(try, mostLooks) {
		before := e.loaded.Revision
		if err != nil {
			return err
		}
		if err = e.refresh(ctx); e.loaded.Revision == before {
			return err
		}
	}
	return err
}

// refresh brings the state up to the log's revision of the stream.
func (e *entry[S]) refresh(ctx context.Context) error {
	if e.erasures != e.h.erasures.Load() {
		e.valid = false // the state may hold what is to be forgotten
	}
	if e.valid {
		r, err := e.h.cfg.Store.StreamRevision(ctx, e.agg.Stream(e.id))
		if err != nil {
			return err
		}
		if r == e.loaded.Revision {
			return nil
		}
		if r < e.loaded.Revision { // deleted under us
			e.valid = false
		}
	}
	return e.foldFrom(ctx, streams.End)
}

// errOtherLog says that a snapshot is of another log than the one there is.
var errOtherLog = errors.New("the snapshot does not fit the log")

// foldFrom folds events after the loaded revision up to and including upTo.
func (e *entry[S]) foldFrom(ctx context.Context, upTo domain.Revision) error {
	from := e.loaded.Revision + 1
	if !e.valid {
		from = e.begin(ctx, upTo)
	}
	err := e.read(ctx, from, upTo)
	if errors.Is(err, errOtherLog) {
		e.clear()
		err = e.read(ctx, 0, upTo)
	}
	e.valid = err == nil
	return err
}

func (e *entry[S]) read(ctx context.Context, from, upTo domain.Revision) error {
	unproven := from == e.loaded.Revision // a snapshot whose own event has not been seen
	for r, err := range e.h.cfg.Store.ReadStream(ctx, e.agg.Stream(e.id), streams.ReadStream{From: from}) {
		if errors.Is(err, streams.ErrStreamNotFound) {
			break
		}
		if errors.Is(err, streams.ErrTombstoned) {
			return domain.NotFound(e.agg.Noun, e.id)
		}
		if err != nil {
			return err
		}
		if unproven {
			if r.Revision != e.loaded.Revision || r.ID != e.last {
				return errOtherLog
			}
			unproven, e.at = false, r.Position
			continue
		}
		if r.Revision > upTo {
			break
		}
		ev, err := e.h.cfg.Codec.Decode(r)
		if err != nil {
			return err
		}
		e.fold(ev)
		e.at = r.Position
	}
	if unproven {
		return errOtherLog
	}
	return nil
}

func (e *entry[S]) fold(ev domain.Event) {
	l := &e.loaded
	if l.Revision == domain.NoRevision {
		l.Organization, l.Workspace = ev.Meta.Organization, ev.Meta.Workspace
		l.CreatedAt, l.CreatedBy = ev.Meta.OccurredAt, ev.Meta.Actor
	}
	e.agg.Apply(l.State, ev)
	e.last = ev.ID
	if who, personal := subjectOf(ev); personal {
		e.concerns(who)
	}
	l.Revision, l.UpdatedAt, l.UpdatedBy = ev.Revision, ev.Meta.OccurredAt, ev.Meta.Actor
	if ev.Meta.IdempotencyKey != "" {
		e.keys.add(ev.ID, ev.Revision)
	}
}
