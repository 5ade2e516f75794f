package domain

import (
	"time"

	"github.com/google/uuid"
)

// Aggregate tells how to fold the facts of one kind of stream into a state of
// type S. It holds no rules: those are decisions, one per command.
type Aggregate[S any] struct {
	Category string // stream category: "session"
	Prefix   string // of ids: "ses"
	Noun     string // for messages: "session"

	// Fold names the way events are folded. It changes whenever Apply would make
	// another state of the same events, so that states kept on disk by an
	// earlier program are not taken for its own. The state's Go type need not be
	// named: it is looked at. States are kept as JSON; an unexported field that
	// Apply makes again from the others when it is missing has the tag
	// `snapshot:"derived"`.
	Fold string

	// New makes the state of a stream that has no event yet.
	New func(id string) *S
	// Apply folds one event into s. It must accept every fact ever written,
	// including [Erased], and must not fail: what was decided has happened.
	Apply func(s *S, e Event)
	// Gone tells whether what s held was erased, so that a repeated request
	// cannot be answered again; nil for aggregates that hold nothing personal.
	Gone func(s *S) bool
	// Facts are the types that streams of this category hold.
	Facts []FactType
}

// Stream returns the stream of one aggregate.
func (a *Aggregate[S]) Stream(id string) StreamID { return Stream(a.Category, id) }

// Env is what a decision may know of the world beside its state.
type Env struct {
	Now   time.Time // UTC
	Actor string
	// Organization and Workspace are the tenant the command acts for.
	Organization, Workspace string
	// ids yields ids; derived from the idempotency key when there is one, so
	// that deciding again names the same things.
	ids func() uuid.UUID
}

// NewEnv makes an Env. ids yields the identifiers decisions may draw.
func NewEnv(now time.Time, p Principal, ids func() uuid.UUID) Env {
	return Env{Now: now.UTC(), Actor: p.Actor, Organization: p.Organization, Workspace: p.Workspace, ids: ids}
}

// NewID draws an id "<prefix>_…" for something a decision brings into being.
func (e Env) NewID(prefix string) string {
	if e.ids == nil {
		return NewID(prefix)
	}
	return FormatID(prefix, e.ids())
}

// Decider is a command: data plus a pure decision. Decide looks at a state,
// which it must not change, and answers the facts that follow, none when there
// is nothing to do, or an error that says why not.
type Decider[S any] interface {
	Decide(env Env, s *S) ([]Fact, error)
}
