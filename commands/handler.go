package commands

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"

	"strata/domain"
	"strata/streams"
)

// Config of a Handler.
type Config struct {
	Store  streams.Store
	Codec  *streams.Codec
	Logger *slog.Logger
	Now    func() time.Time // the clock; time.Now when nil
	// CacheStreams is how many folded states are kept in memory; 50,000 when 0.
	CacheStreams int
	// AppendTimeout bounds one append, whatever the callers' contexts say: its
	// outcome concerns every command combined in it. 30 s when 0.
	AppendTimeout time.Duration
	// Snapshots keeps states of long streams; nil: they are folded whole.
	Snapshots Snapshots
	// SnapshotEvery is how many events lie between two snapshots of a stream;
	// 1,024 when 0.
	SnapshotEvery int
	// At is called with the name of a point between two appends that has been
	// reached, for tests that stop a process there; nil: nothing.
	At func(point string)
}

// Handler runs commands against one log. It is safe for concurrent use.
type Handler struct {
	cfg   Config
	cache *cache
	folds sync.Map // category → how its states are folded, see foldOf

	forgetting sync.RWMutex  // held by Forget; read-held while a snapshot is handed over
	erasures   atomic.Uint64 // how often somebody was forgotten
}

// New makes a Handler.
func New(cfg Config) *Handler {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.CacheStreams == 0 {
		cfg.CacheStreams = 50_000
	}
	if cfg.AppendTimeout == 0 {
		cfg.AppendTimeout = 30 * time.Second
	}
	if cfg.SnapshotEvery == 0 {
		cfg.SnapshotEvery = snapshotEvery
	}
	return &Handler{cfg: cfg, cache: newCache(cfg.CacheStreams)}
}

// reached tells a test that a point between two appends is reached.
func (h *Handler) reached(point string) {
	if h.cfg.At != nil {
		h.cfg.At(point)
	}
}

// Now is the handler's clock, in UTC.
func (h *Handler) Now() time.Time { return h.cfg.Now().UTC() }

// Request says for whom and under which conditions a command runs.
type Request struct {
	Principal domain.Principal
	// Permission the principal must hold, "resource:verb"; "" when the command
	// is not a caller's (process managers).
	Permission string
	// ID of the aggregate. For a create it may be empty: then it is drawn, from
	// the idempotency key when there is one.
	ID string
	// Create says that the command brings the aggregate into being: a missing
	// stream is no error, and the tenant is the principal's.
	Create bool
	// IfMatch makes the command conditional on the aggregate's revision.
	IfMatch *domain.Revision
	// Passing says that nobody is expected to come back to the aggregate soon: its
	// state is not kept in memory, where those of a large import would take the place
	// of all that are in use.
	Passing bool

	IdempotencyKey string
	Route          string // what the key belongs to: operation id and path, so that one key may serve two routes
	RequestID      string
	CorrelationID  string
	CausationID    string
}

// Outcome of a command. V is what the view made of the state.
type Outcome[V any] struct {
	ID       string
	View     V
	Revision domain.Revision // of the aggregate, as of this command
	Position domain.Position // of the last event written, also by the first try of a repeat; 0 when nothing had to be
	// Includes is a position that includes everything the command saw, also when it
	// wrote nothing because another process had.
	Includes domain.Position
	Facts    []domain.Fact // what happened; nil for a repeat or when nothing had to
	Repeated bool          // the idempotency key was used before: this is the first answer again
}

// Loaded is an aggregate's state with what its envelope says. Views get it
// while nobody else changes it, and must not keep pointers into State.
type Loaded[S any] struct {
	ID           string
	State        *S
	Revision     domain.Revision
	Organization string
	Workspace    string
	CreatedAt    time.Time
	CreatedBy    string
	UpdatedAt    time.Time
	UpdatedBy    string
}

var tracer = otel.Tracer("strata/commands")

// Run decides cmd on the aggregate that req names and makes its facts durable.
// view is called with the state right after the command; it may be nil.
//
// When ctx ends while others do the work the answer is TIMEOUT; a caller who
// does it itself (see entry.submit) stays until the outcome is known. That is
// at most AppendTimeout, unless the log has begun the append: then for as long
// as the disk takes.
//
// Errors: FORBIDDEN without the permission; NOT_FOUND for an aggregate that
// does not exist or belongs to another tenant; CONFLICT when IfMatch names
// another revision (parameter "revision" tells the current one) or the decision
// says so; whatever the decision answers; SERVICE_UNAVAILABLE when the log
// cannot take events.
func Run[S, V any](ctx context.Context, h *Handler, agg *domain.Aggregate[S], req Request,
	cmd domain.Decider[S], view func(*Loaded[S]) V) (Outcome[V], error) {

	if req.Permission != "" && !req.Principal.Can(req.Permission) {
		return Outcome[V]{}, domain.Errorf(domain.CodeForbidden, "this credential lacks the permission %s", req.Permission)
	}
	if req.ID == "" {
		if !req.Create {
			return Outcome[V]{}, domain.NotFound(agg.Noun, req.ID)
		}
		req.ID = h.NewID(agg.Prefix, req)
	}
	ctx, span := tracer.Start(ctx, "command "+agg.Category)
	defer span.End()
	span.SetAttributes(attribute.String("strata.aggregate", req.ID))

	var out Outcome[V]
	o := &op[S]{
		req: req, cmd: cmd, done: make(chan struct{}),
		see: func(l *Loaded[S]) {
			if view != nil {
				out.View = view(l)
			}
		},
	}
	entryOf(h, agg, req.ID, req.Passing).submit(o)
	if err := o.wait(ctx); err != nil {
		// The command may still happen; the caller learns it by asking again
		// with its idempotency key.
		return Outcome[V]{}, domain.Errorf(domain.CodeTimeout, "the command did not finish in time").Because(err)
	}
	if o.err != nil {
		span.SetStatus(codes.Error, o.err.Error())
		return Outcome[V]{}, o.err
	}
	out.ID, out.Revision, out.Position, out.Includes, out.Facts, out.Repeated = req.ID, o.revision, o.position, o.includes, o.facts, o.repeated
	return out, nil
}

// Load shows an aggregate to view as the log has it now, without a command.
// Errors: NOT_FOUND when it has no event or belongs to another tenant.
func Load[S, V any](ctx context.Context, h *Handler, agg *domain.Aggregate[S], p domain.Principal, id string, view func(*Loaded[S]) V) (V, error) {
	out, err := Run(ctx, h, agg, Request{Principal: p, ID: id}, look[S]{}, view)
	return out.View, err
}

// Repeat answers a request under an idempotency key with what its first try
// left, if there was one, before anything else is looked at: what the first
// try needed may be gone by now. req names the aggregate, or leaves it to the
// key when the first try created it. Errors: as Run.
func Repeat[S, V any](ctx context.Context, h *Handler, agg *domain.Aggregate[S], req Request, view func(*Loaded[S]) V) (Outcome[V], bool, error) {
	if req.IdempotencyKey == "" {
		return Outcome[V]{}, false, nil
	}
	if req.ID == "" {
		req.ID = h.NewID(agg.Prefix, req)
	}
	req.Create, req.IfMatch = false, nil
	out, err := Run(ctx, h, agg, req, look[S]{}, view)
	if domain.CodeOf(err) == domain.CodeNotFound && err != nil {
		return Outcome[V]{}, false, nil
	}
	if err != nil || !out.Repeated {
		return Outcome[V]{}, false, err
	}
	return out, true, nil
}

// Events shows the events of an aggregate, oldest first, to see, until it
// returns false. Errors: as Load.
func Events[S any](ctx context.Context, h *Handler, agg *domain.Aggregate[S], p domain.Principal, id string, see func(domain.Event) bool) error {
	if _, err := Load[S, struct{}](ctx, h, agg, p, id, nil); err != nil {
		return err
	}
	for r, err := range h.cfg.Store.ReadStream(ctx, agg.Stream(id), streams.ReadStream{}) {
		if err != nil {
			return asDomain(err)
		}
		e, err := h.cfg.Codec.Decode(r)
		if err != nil {
			return err
		}
		if !see(e) {
			return nil
		}
	}
	return nil
}

// look is the command that decides nothing.
type look[S any] struct{}

func (look[S]) Decide(domain.Env, *S) ([]domain.Fact, error) { return nil, nil }

// Indexes of derived ids: events from 0, the aggregate's own id and the ids a
// decision draws well above them.
const (
	aggregateIDIndex = 1_000_000
	drawnIDIndex     = 1_000_001
)

// NewID draws the id of an aggregate that a request is to create: the same for every
// try under an idempotency key.
func (h *Handler) NewID(prefix string, req Request) string {
	if req.IdempotencyKey == "" {
		return domain.NewID(prefix)
	}
	return domain.FormatID(prefix, req.derived(aggregateIDIndex))
}

// derived belongs to the workspace, or to the organization where the aggregate
// belongs to no workspace: tenants never meet in each other's keys.
func (r Request) derived(index int) uuid.UUID {
	return domain.DerivedEventID(cmp.Or(r.Principal.Workspace, r.Principal.Organization), r.IdempotencyKey, r.Route, index)
}

// env builds the decision's surroundings. Ids drawn under an idempotency key
// are the same at every try.
func (r Request) env(now time.Time) domain.Env {
	ids := domain.NewEventID
	if r.IdempotencyKey != "" {
		n := drawnIDIndex
		ids = func() uuid.UUID { n++; return r.derived(n) }
	}
	return domain.NewEnv(now, r.Principal, ids)
}

func (r Request) metadata(now time.Time) domain.Metadata {
	return domain.Metadata{
		CorrelationID: r.CorrelationID, CausationID: r.CausationID, RequestID: r.RequestID,
		Actor: r.Principal.Actor, Organization: r.Principal.Organization, Workspace: r.Principal.Workspace,
		OccurredAt: now.Truncate(time.Microsecond), IdempotencyKey: r.IdempotencyKey,
	}
}

// asDomain turns the log's errors into ours.
func asDomain(err error) error {
	if _, ok := errors.AsType[*domain.Error](err); ok {
		return err
	}
	if _, conflict := errors.AsType[*streams.WrongRevision](err); conflict {
		return domain.Errorf(domain.CodeUnavailable, "others change this all the time; nothing was written, try again").Because(err)
	}
	switch {
	case errors.Is(err, streams.ErrFull):
		return domain.Errorf(domain.CodeUnavailable, "the event log is out of disk space; nothing was written").Because(err)
	case errors.Is(err, streams.ErrClosed):
		return domain.Errorf(domain.CodeUnavailable, "the event log takes no writes now").Because(err)
	case errors.Is(err, streams.ErrTooLarge):
		return domain.Errorf(domain.CodePayloadTooLarge, "the event is larger than the log accepts").Because(err)
	case errors.Is(err, streams.ErrUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return domain.Errorf(domain.CodeUnavailable, "the event log did not answer in time; the outcome is unknown, retry with an idempotency key").Because(err)
	}
	return err
}
