package memories

import (
	"context"
	"errors"
	"maps"
	"unicode/utf8"

	"strata/commands"
	"strata/commands/timers"
	"strata/domain"
	"strata/domain/memory"
	"strata/domain/timer"
	"strata/streams"
)

// Expiry is the kind of the timers that remove memories.
const Expiry = "memory-expiry"

// MaxText is how much of a text is embedded, in bytes: models take no more than
// some thousand tokens. What a memory says beyond it is found by words alone.
const MaxText = 8 << 10

// Embedder turns texts into vectors, on the account of who asks.
type Embedder interface {
	Embed(ctx context.Context, p domain.Principal, model string, texts []string) ([][]float32, error)
}

// Index finds what is remembered already.
type Index interface {
	// Nearest finds the memory beside one that is most like a vector, among those
	// that belong to the same: "" for none.
	Nearest(ctx context.Context, workspace string, beside *memory.State, model string, vector []byte) (id string, likeness float64, err error)
	// Failing draws memories whose text could not be embedded when that was last
	// tried, at most so many of a workspace: others each time, so that one that never
	// succeeds keeps none back.
	Failing(ctx context.Context, perWorkspace int) ([]memory.Unembedded, error)
	// CatchUp returns when the index knows everything that has been written by now.
	CatchUp(ctx context.Context) error
}

// Config of a Reactor.
type Config struct {
	Handler  *commands.Handler
	Embedder Embedder
	Index    Index
	Model    string // that embeds; "" embeds nothing
	// Duplicate is the likeness from which on a memory counts as said before.
	Duplicate float64
}

// Reactor embeds memories and removes the expired. It is safe for concurrent use.
type Reactor struct {
	cfg Config
	// comparing is held while a memory that is to be no duplicate is compared and its
	// vector written: of two that say the same the second finds the first.
	comparing chan struct{}
}

// New makes a Reactor.
func New(cfg Config) *Reactor { return &Reactor{cfg, make(chan struct{}, 1)} }

// Name implements logbus.Reactor.
func (*Reactor) Name() string { return "memory-keeper" }

// Filter implements logbus.Reactor.
func (*Reactor) Filter() *streams.Filter {
	f := &streams.Filter{Categories: []string{memory.Aggregate.Category, timer.Aggregate.Category}, Types: []string{timer.Fired{}.EventType()}}
	for _, fact := range memory.FactTypes() {
		f.Types = append(f.Types, fact.Name)
	}
	return f
}

// Handle implements logbus.Reactor. The expiry comes first: it needs nobody else.
func (r *Reactor) Handle(ctx context.Context, e domain.Event) error {
	switch f := e.Fact.(type) {
	case memory.Added, memory.Revised:
		s, err := r.load(ctx, domain.System(e.Meta.Organization, e.Meta.Workspace), e.Stream.Key())
		if err != nil || s.Deleted {
			return unlessGone(err)
		}
		if err := r.schedule(ctx, s, e); err != nil {
			return err
		}
		req := follow(e, s.ID)
		req.Principal = domain.System(e.Meta.Organization, e.Meta.Workspace)
		_, err = r.embed(ctx, s, req)
		return err
	case memory.Forgotten, memory.Expired:
		if err := timers.Clear(ctx, r.cfg.Handler, of(e), e); err != nil {
			return err
		}
		return runOn(ctx, r, memory.Vectors, follow(e, e.Stream.Key()), memory.Remove{})
	case timer.Fired:
		if f.Kind == Expiry {
			return runOn(ctx, r, memory.Aggregate, follow(e, f.Owner), memory.Expire{})
		}
	}
	return nil
}

// load reads the memory as it is now: the event may have been overtaken.
func (r *Reactor) load(ctx context.Context, p domain.Principal, id string) (*memory.State, error) {
	return commands.Load(ctx, r.cfg.Handler, memory.Aggregate, p, id,
		func(l *commands.Loaded[memory.State]) *memory.State {
			s := *l.State
			s.Metadata = maps.Clone(s.Metadata)
			return &s
		})
}

func (r *Reactor) schedule(ctx context.Context, s *memory.State, e domain.Event) error {
	if s.ExpiresAt.IsZero() {
		if _, first := e.Fact.(memory.Added); first {
			return nil
		}
		return timers.Clear(ctx, r.cfg.Handler, of(e), e)
	}
	return timers.Set(ctx, r.cfg.Handler, of(e), s.ExpiresAt, e)
}

// outcome is how a try to embed a memory ended.
type outcome int

const (
	needless outcome = iota // it has its vector, or is to have none
	kept
	refused
)

// embed gives the memory the vector of its text, unless it has it. What the model,
// a budget or the index answers is no error of the event: it is recorded, and the
// text is tried again later (see [Sweeper]), while the events after it go on.
func (r *Reactor) embed(ctx context.Context, s *memory.State, req commands.Request) (outcome, error) {
	if r.cfg.Model == "" || s.Content == "" || s.Erased || s.Deleted {
		return needless, nil
	}
	said := memory.Fingerprint(s.Content)
	stands, err := commands.Load(ctx, r.cfg.Handler, memory.Vectors, req.Principal, s.ID,
		func(l *commands.Loaded[memory.Vector]) bool {
			return l.State.Removed || l.State.Stands(said, r.cfg.Model, s.Subject())
		})
	if err := unlessGone(err); err != nil || stands {
		return needless, err
	}
	req.ID, req.Create = s.ID, true
	f, failed := r.vector(ctx, s, req.Principal)
	if failed == nil && s.OnDuplicate != "" {
		select {
		case r.comparing <- struct{}{}:
			defer func() { <-r.comparing }()
		case <-ctx.Done():
			return needless, ctx.Err()
		}
	}
	if failed == nil {
		failed = r.compare(ctx, s, req.Principal, &f)
	}
	if ctx.Err() != nil { // we stop; that says nothing about the text
		return needless, ctx.Err()
	}
	if failed != nil {
		code, reason := inShort(failed)
		return refused, runOn(ctx, r, memory.Vectors, req, memory.Fail{EmbeddingFailed: memory.EmbeddingFailed{
			Of: said, Model: r.cfg.Model, Code: code, Reason: reason, Subject: s.Subject()}})
	}
	if f.DuplicateOf != "" && s.OnDuplicate != "" {
		return kept, r.dissolve(ctx, s, f.DuplicateOf, req)
	}
	return kept, runOn(ctx, r, memory.Vectors, req, memory.Keep{Embedded: f})
}

// dissolve ends a memory that repeats an earlier one. What a crash cuts off is done
// again with the event, and the earlier memory is still what is nearest.
func (r *Reactor) dissolve(ctx context.Context, s *memory.State, earlier string, req commands.Request) error {
	req.Create = false
	if s.OnDuplicate == memory.MergeInto {
		into := req
		into.ID = earlier
		if err := runOn(ctx, r, memory.Aggregate, into, memory.Absorb{Later: s.Fields}); err != nil {
			return err
		}
	}
	return runOn(ctx, r, memory.Aggregate, req, memory.Drop{DuplicateOf: earlier})
}

// vector asks the model what a memory means.
func (r *Reactor) vector(ctx context.Context, s *memory.State, p domain.Principal) (f memory.Embedded, err error) {
	vectors, err := r.cfg.Embedder.Embed(ctx, p, r.cfg.Model, []string{Cut(s.Content)})
	if err != nil {
		return f, err
	}
	if len(vectors) != 1 {
		return f, domain.Errorf(domain.CodeAIService, "the embedding model %s answered with %d vectors for one text", r.cfg.Model, len(vectors))
	}
	return memory.Embedded{Of: memory.Fingerprint(s.Content), Model: r.cfg.Model, Numbers: memory.Pack(vectors[0]), Subject: s.Subject()}, nil
}

// compare asks the index whether a memory repeats an earlier one that is still there.
func (r *Reactor) compare(ctx context.Context, s *memory.State, p domain.Principal, f *memory.Embedded) error {
	if s.OnDuplicate != "" {
		if err := r.cfg.Index.CatchUp(ctx); err != nil {
			return err
		}
	}
	near, likeness, err := r.cfg.Index.Nearest(ctx, p.Workspace, s, f.Model, f.Numbers)
	if err != nil || near == "" || likeness < r.cfg.Duplicate {
		return err
	}
	f.DuplicateOf = near
	if s.OnDuplicate != "" { // nothing may be forgotten for what has gone itself
		earlier, err := r.load(ctx, p, near)
		if unlessGone(err) != nil {
			return err
		}
		if err != nil || earlier.Deleted || earlier.Erased {
			f.DuplicateOf = ""
		}
	}
	return nil
}

// maxReason bounds what is recorded of a failure, in bytes.
const maxReason = 1000

// inShort is what a memory tells of a failure.
func inShort(err error) (domain.Code, string) {
	reason := "a fault of the server's own; its log tells more"
	if e, ok := errors.AsType[*domain.Error](err); ok {
		reason = e.Message // without the cause, which is for the log
	}
	return domain.CodeOf(err), cut(reason, maxReason)
}

// Cut is the part of a text that is embedded.
func Cut(text string) string { return cut(text, MaxText) }

func cut(text string, end int) string {
	if len(text) <= end {
		return text
	}
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}

func of(e domain.Event) timers.Of {
	return timers.Of{Kind: Expiry, Owner: e.Stream.Key(), Organization: e.Meta.Organization, Workspace: e.Meta.Workspace}
}

// follow is the request of a command that follows from an event.
func follow(e domain.Event, id string) commands.Request {
	return commands.Request{Principal: domain.System("", ""), ID: id, CausationID: e.ID.String(), CorrelationID: e.Meta.CorrelationID}
}

// runOn runs a command; what is gone needs nothing any more.
func runOn[S any](ctx context.Context, r *Reactor, agg *domain.Aggregate[S], req commands.Request, cmd domain.Decider[S]) error {
	_, err := commands.Run[S, struct{}](ctx, r.cfg.Handler, agg, req, cmd, nil)
	return unlessGone(err)
}

func unlessGone(err error) error {
	if code := domain.CodeOf(err); err != nil && (code == domain.CodeNotFound || code == domain.CodeGone) {
		return nil
	}
	return err
}
