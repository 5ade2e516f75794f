package lease_test

import (
	"context"
	"iter"
	"sync"

	"github.com/google/uuid"

	"strata/domain"
	"strata/streams"
)

// memory is a log of one stream, for tests whose time is simulated: the embedded
// log reuses channels, which must not pass from one simulation to the next.
// TestOverTheEmbeddedLog looks that the two agree.
type memory struct {
	streams.Store

	mu     sync.Mutex
	events []streams.Recorded
	known  map[uuid.UUID]streams.Result
	meta   streams.Meta
}

func newMemory() *memory { return &memory{known: map[uuid.UUID]streams.Result{}} }

func (m *memory) Append(_ context.Context, s domain.StreamID, e streams.Expected, events ...streams.Proposed) (streams.Result, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r, again := m.known[events[0].ID]; again && r.Revision == domain.Revision(e)+1 {
		r.Repeated = true
		return r, nil
	}
	at := domain.Revision(len(m.events))
	if streams.At(at-1) != e {
		return streams.Result{}, &streams.WrongRevision{Stream: s, Expected: e, Actual: at - 1}
	}
	r := streams.Result{Revision: at, Position: domain.Position(at + 1)}
	m.events = append(m.events, streams.Recorded{Proposed: events[0], Stream: s, Revision: at, Position: r.Position})
	m.known[events[0].ID] = r
	return r, nil
}

func (m *memory) ReadStream(_ context.Context, _ domain.StreamID, r streams.ReadStream) iter.Seq2[streams.Recorded, error] {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.events
	if hidden := len(all) - int(m.meta.MaxCount); m.meta.MaxCount > 0 && hidden > 0 {
		all = all[hidden:]
	}
	if r.Backwards && len(all) > 0 {
		all = all[len(all)-1:]
	}
	return func(yield func(streams.Recorded, error) bool) {
		if len(all) == 0 {
			yield(streams.Recorded{}, streams.ErrStreamNotFound)
		}
		for _, e := range all {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func (m *memory) StreamMeta(context.Context, domain.StreamID) (streams.Meta, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.meta, nil
}

func (m *memory) SetStreamMeta(_ context.Context, _ domain.StreamID, to streams.Meta) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.meta = to
	return nil
}

// history is everything that was ever appended.
func (m *memory) history() []streams.Recorded {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.events
}
