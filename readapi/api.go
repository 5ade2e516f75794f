package readapi

import (
	"context"
	"crypto/ed25519"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"strata/domain"
	"strata/domain/argument"
	"strata/domain/insight"
	"strata/internal/httpx"
	"strata/internal/view"
	"strata/projections/agentruns"
	"strata/projections/analytics"
	"strata/projections/budgets"
	"strata/projections/connectors"
	"strata/projections/conversations"
	"strata/projections/erasures"
	"strata/projections/events"
	"strata/projections/history"
	"strata/projections/identity"
	"strata/projections/leaderboards"
	"strata/projections/memories"
	"strata/projections/query"
	"strata/projections/resources"
	"strata/projections/secrets"
	"strata/projections/sessions"
	"strata/projections/states"
	"strata/projections/trainings"
	"strata/projections/workflows"
	"strata/readapi/live"
	"strata/streams"
)

// Deps is what the read side works with.
type Deps struct {
	Kinds     []domain.AnyKind
	AgentRuns *agentruns.Queries
	Resources *resources.Queries
	Secrets   *secrets.Queries
	Sessions  *sessions.Queries
	Runs      *workflows.Queries // of workflows
	Memories  *memories.Queries
	Meaning   Meaning // of what memories are searched for
	// MemoryProviders are who keeps memories elsewhere.
	MemoryProviders MemoryProviders
	Conversations   *conversations.Queries
	Identity        *identity.Queries
	Knowledge       Library
	Budgets         *budgets.Queries
	Connectors      *connectors.Queries
	Events          *events.Reader
	Erasures        *erasures.Queries
	Leaderboards    *leaderboards.Queries
	Trainings       *trainings.Queries
	History         *history.Reader
	AuditKey        ed25519.PrivateKey // signs exports of the audit trail
	Answers         *Answers
	Arguments       *states.Queries[argument.State]
	Insights        *states.Queries[insight.State]
	Store           streams.Store
	Codec           *streams.Codec
	// Analytics answers from ClickHouse; while that is not there, its error says so.
	Analytics func(ctx context.Context) (*analytics.Queries, error)
	Now       func() time.Time
	Docs      http.Handler
	// Live ends when the server begins to drain: live connections are then told
	// where to resume and closed.
	Live context.Context
	// Patience is how long a live client may take for one frame before its
	// connection is cut; 10 s when 0.
	Patience time.Duration
	// Hold is called for each live connection, which outlives its request, and
	// what it returns when the connection has ended; may be nil.
	Hold func() (release func())
	// Logger and Metrics tell of live connections; may be nil.
	Logger  *slog.Logger
	Metrics prometheus.Registerer
}

// API registers the read side's operations.
type API struct {
	Deps
	r   *httpx.Router
	hub *live.Hub
	// changes tells what a revision changed, by category of the resource.
	changes map[string]changesAt
}

// changesAt tells what one revision of a resource changed, as /api/v1 shows it.
type changesAt func(ctx context.Context, key string, revision domain.Revision) ([]view.Change, error)

// Register adds every operation of the read side to a router.
func Register(r *httpx.Router, d Deps) {
	a := &API{Deps: d, r: r, changes: map[string]changesAt{}}
	a.hub = live.New(live.Config{Store: d.Store, Show: a.showRecorded, Public: public, Patience: d.Patience, Hold: d.Hold,
		Logger: d.Logger, Metrics: d.Metrics})
	context.AfterFunc(d.Live, a.hub.Drain)
	for _, k := range d.Kinds {
		a.kind(k)
	}
	a.arguments()
	a.insights()
	a.agentRuns()
	a.prompts()
	a.sessions()
	a.workflows()
	a.memories()
	a.chats()
	a.spaces()
	a.identity()
	a.budgets()
	a.connectors()
	a.inferenceLogs()
	a.knowledge()
	a.analytics()
	a.events()
	a.audit()
	a.privacy()
	a.secrets()
	a.users()
	a.pages()
	a.trainings()
}

// page turns list parameters into a page of a read model.
func page(p httpx.ListParams) query.Page {
	return query.Page{Limit: p.Limit, Cursor: p.Cursor, After: p.After, Offset: p.Offset, Sort: p.Sort, Desc: p.Desc}
}

// list turns a page of a read model into an answer.
func list[T, V any](r query.Result[T], show func(T) (V, error)) (httpx.Reply[httpx.List[V]], error) {
	out := httpx.List[V]{Items: make([]V, 0, len(r.Items)), HasMore: r.HasMore, Next: r.Next}
	for _, item := range r.Items {
		v, err := show(item)
		if err != nil {
			return httpx.Reply[httpx.List[V]]{}, err
		}
		out.Items = append(out.Items, v)
	}
	return httpx.Reply[httpx.List[V]]{Body: out}, nil
}

// always adapts a view that cannot fail.
func always[T, V any](show func(T) V) func(T) (V, error) {
	return func(t T) (V, error) { return show(t), nil }
}

// tenant is the organization and workspace of the caller.
func tenant(ctx context.Context) (organization, workspace string) {
	p := httpx.From(ctx).Principal
	return p.Organization, p.Workspace
}
