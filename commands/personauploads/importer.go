package personauploads

import (
	"context"
	"errors"
	"sync"

	"strata/commands"
	"strata/commands/timers"
	"strata/domain"
	"strata/domain/personaupload"
	"strata/domain/timer"
	"strata/streams"
)

// Expiry is the kind of the timers that uploads have.
const Expiry = "persona-upload"

// Config of an Importer. All but At is needed.
type Config struct {
	Handler   *commands.Handler
	Resources *commands.Resources
	Store     streams.Store
	Codec     *streams.Codec
	Index     Index
	// Forget destroys the key that the rows of an upload which has ended are
	// sealed under.
	Forget func(ctx context.Context, p domain.Principal, upload string) error
	// At is called with the name of a point that has been reached, for tests that
	// stop a process there; nil: nothing.
	At func(point string)
}

// Importer is the reactor that carries uploads out. It is safe for concurrent use.
type Importer struct {
	cfg Config

	mu   sync.Mutex
	seen map[string]*met // of uploads that are being applied
}

// met is which keys an upload has met in its chunks so far.
type met struct {
	chunks int
	rows   map[Key]int // the first row with a key
}

// New makes an Importer.
func New(cfg Config) *Importer {
	if cfg.At == nil {
		cfg.At = func(string) {}
	}
	return &Importer{cfg: cfg, seen: map[string]*met{}}
}

// Name implements logbus.Reactor.
func (*Importer) Name() string { return "persona-uploads" }

// Filter implements logbus.Reactor.
func (*Importer) Filter() *streams.Filter {
	return &streams.Filter{
		Categories: []string{personaupload.Aggregate.Category, timer.Aggregate.Category},
		Types: []string{personaupload.Received{}.EventType(), personaupload.Confirmed{}.EventType(), personaupload.RowsApplied{}.EventType(),
			personaupload.Completed{}.EventType(), personaupload.Expired{}.EventType(), timer.Fired{}.EventType()},
	}
}

// Handle implements logbus.Reactor.
func (i *Importer) Handle(ctx context.Context, e domain.Event) error {
	switch f := e.Fact.(type) {
	case personaupload.Received:
		return timers.Set(ctx, i.cfg.Handler, of(e), f.ExpiresAt, e)
	case personaupload.Confirmed, personaupload.RowsApplied:
		return i.applyNext(ctx, e)
	case personaupload.Completed, personaupload.Expired:
		i.forget(e.Stream.Key())
		if err := timers.Clear(ctx, i.cfg.Handler, of(e), e); err != nil {
			return err
		}
		return i.cfg.Forget(ctx, principal(e), e.Stream.Key())
	case timer.Fired:
		if f.Kind == Expiry {
			return i.run(ctx, e, f.Owner, personaupload.Expire{})
		}
	}
	return nil
}

func of(e domain.Event) timers.Of {
	return timers.Of{Kind: Expiry, Owner: e.Stream.Key(), Organization: e.Meta.Organization, Workspace: e.Meta.Workspace}
}

func principal(e domain.Event) domain.Principal {
	return domain.System(e.Meta.Organization, e.Meta.Workspace)
}

func (i *Importer) run(ctx context.Context, e domain.Event, upload string, cmd domain.Decider[personaupload.State]) error {
	req := commands.Request{Principal: domain.System("", ""), ID: upload, CausationID: e.ID.String(), CorrelationID: e.Meta.CorrelationID}
	_, err := commands.Run[personaupload.State, struct{}](ctx, i.cfg.Handler, personaupload.Aggregate, req, cmd, nil)
	if domain.CodeOf(err) == domain.CodeNotFound && err != nil {
		return nil
	}
	return err
}

// applyNext applies the chunk that is the next one now, whatever event asks.
func (i *Importer) applyNext(ctx context.Context, e domain.Event) error {
	id := e.Stream.Key()
	s, err := commands.Load(ctx, i.cfg.Handler, personaupload.Aggregate, principal(e), id,
		func(l *commands.Loaded[personaupload.State]) personaupload.State { return *l.State })
	if err != nil || s.Status != personaupload.Processing {
		return err
	}
	seen, err := i.met(ctx, id, s.Applied)
	if err != nil {
		return err
	}
	parsed, err := i.chunk(ctx, id, s.Applied)
	if err != nil {
		return err
	}
	seen.add(parsed)
	c := &chunk{upload: id, first: parsed.First, rows: parsed.Rows, resolution: s.Resolution, seen: seen.rows, principal: principal(e)}
	c.principal.Actor = s.By // the personas are made at their word
	if c.existing, err = i.cfg.Index.Find(ctx, e.Meta.Workspace, e.Position, c.keys()); err != nil {
		return err
	}
	i.cfg.At("upload.applying")
	counts, err := c.apply(ctx, i.cfg.Resources)
	if err != nil {
		return err
	}
	i.cfg.At("upload.applied")
	return i.run(ctx, e, id, personaupload.Record{Chunk: s.Applied, Counts: counts})
}

// errErased: the rows of an upload that goes on cannot be read any more.
var errErased = errors.New("the rows of the upload were erased before they were applied")

// chunk reads a chunk from the log.
func (i *Importer) chunk(ctx context.Context, id string, n int) (personaupload.RowsParsed, error) {
	ask := streams.ReadStream{From: personaupload.ChunkRevision(n), Limit: 1}
	for r, err := range i.cfg.Store.ReadStream(ctx, personaupload.Aggregate.Stream(id), ask) {
		if err != nil {
			return personaupload.RowsParsed{}, err
		}
		e, err := i.cfg.Codec.Decode(r)
		if err != nil {
			return personaupload.RowsParsed{}, err
		}
		if parsed, ok := e.Fact.(personaupload.RowsParsed); ok && parsed.Chunk == n {
			return parsed, nil
		}
	}
	return personaupload.RowsParsed{}, errErased
}

// met returns which keys the chunks before one have, reading those that this
// process has not applied itself. Events of an upload come one after the other,
// so nobody else uses the answer meanwhile.
func (i *Importer) met(ctx context.Context, id string, before int) (*met, error) {
	i.mu.Lock()
	m := i.seen[id]
	if m == nil || m.chunks > before {
		m = &met{rows: map[Key]int{}}
		i.seen[id] = m
	}
	i.mu.Unlock()
	for m.chunks < before {
		parsed, err := i.chunk(ctx, id, m.chunks)
		if err != nil {
			return nil, err
		}
		m.add(parsed)
	}
	return m, nil
}

func (m *met) add(c personaupload.RowsParsed) {
	for n, r := range c.Rows {
		if _, twice := m.rows[KeyOf(r)]; !twice {
			m.rows[KeyOf(r)] = c.First + n
		}
	}
	m.chunks = c.Chunk + 1
}

func (i *Importer) forget(id string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.seen, id)
}
