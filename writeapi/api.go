package writeapi

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/gateway/mcp"
	"strata/gateway/openaiapi"
	"strata/internal/cluster"
	"strata/internal/connectors"
	"strata/internal/httpx"
	"strata/internal/inbound"
	"strata/internal/vault"
	"strata/writeapi/agents"
	"strata/writeapi/arguments"
	"strata/writeapi/chat"
	"strata/writeapi/knowledge"
	"strata/writeapi/personas"
	"strata/writeapi/workflows"
)

// Deps is what the write side works with.
type Deps struct {
	Arguments  *arguments.Service
	Handler    *commands.Handler
	Resources  *commands.Resources
	Kinds      []domain.AnyKind
	Chat       *chat.Service
	Workflows  *workflows.Service
	Clusters   *cluster.Service
	Connectors *connectors.Service
	Inbound    *inbound.Receiver // of reports that others make
	Erasures   *commands.Erasures
	Knowledge  *knowledge.Service
	Agents     *agents.Service
	MCP        *mcp.Client
	Models     *openaiapi.API // the gateway's face in OpenAI's wire format
	Personas   *personas.Service
	// MemoryProviders are who keeps memories elsewhere.
	MemoryProviders MemoryProviders
	// Wait blocks until a read model reflects a position, or ctx ends.
	Wait   func(ctx context.Context, model string, pos domain.Position) (lag uint64, err error)
	Random io.Reader // source of secrets
	// FindUser returns the id of an organization's user with an e-mail address,
	// "" when there is none, as of the last write that was settled.
	FindUser func(ctx context.Context, organization, email string) (string, error)
	// Secrets runs the commands of secrets; SecretUsers lists what refers to one.
	Secrets     *commands.Secrets
	SecretUsers func(ctx context.Context, workspace, name string) ([]vault.Reference, error)
	// Workspaces runs the commands of workspaces.
	Workspaces *commands.Workspaces
	Logger     *slog.Logger
	// At is called with the name of a point that has been reached, for tests that
	// stop a process there; nil: nothing.
	At func(point string)
}

func (a *API) reached(point string) {
	if a.At != nil {
		a.At(point)
	}
}

// API registers the write side's operations.
type API struct {
	Deps
	r        *httpx.Router
	inviting sync.Mutex
}

// Register adds every operation of the write side to a router.
func Register(r *httpx.Router, d Deps) {
	a := &API{Deps: d, r: r}
	for _, k := range d.Kinds {
		a.kind(k)
	}
	a.arguments()
	a.sessions()
	a.mcp()
	a.memories()
	a.budgets()
	a.chats()
	a.clusters()
	a.connectors()
	a.identity()
	a.feedback()
	a.privacy()
	a.secrets()
	a.spaces()
	a.users()
	d.Personas.Register(r)
	d.Agents.Register(r)
	d.Chat.Register(r)
	d.Workflows.Register(r)
	d.Knowledge.Register(r)
	a.models()
	a.webhooks()
	a.trainings()
}

// request says for whom the command of an operation runs.
func request(ctx context.Context, permission, id string) commands.Request {
	r := httpx.From(ctx)
	return commands.Request{
		Principal: r.Principal, Permission: permission, ID: id, IfMatch: r.IfMatch,
		IdempotencyKey: r.IdempotencyKey, Route: r.Operation + " " + id,
		RequestID: r.ID, CorrelationID: r.CorrelationID,
	}
}

// operation is an operation that runs one command of a rich aggregate. I is the
// input, S the aggregate's state, O the answer.
type operation[I, S, O any] struct {
	httpx.Op
	agg *domain.Aggregate[S]
	// decide makes the command of an input, and completes req: the aggregate's
	// id, and whether the command creates it.
	decide func(req *commands.Request, in *I) (domain.Decider[S], error)
	// view shows the state after the command.
	view func(l *commands.Loaded[S]) O
	// settle names a read model that must know of the change before the answer
	// leaves, because other rooms act on it.
	settle string
}

// command registers an operation.
func command[I, S, O any](a *API, op operation[I, S, O]) {
	httpx.Register(a.r, op.Op, decided(a, op))
}

// decided answers an operation with its command.
func decided[I, S, O any](a *API, op operation[I, S, O]) func(context.Context, *I) (httpx.Reply[O], error) {
	return func(ctx context.Context, in *I) (httpx.Reply[O], error) {
		var none httpx.Reply[O]
		req := request(ctx, op.Permission, "")
		cmd, err := op.decide(&req, in)
		if err != nil {
			return none, err
		}
		req.Route = op.ID + " " + req.ID
		out, err := commands.Run(ctx, a.Handler, op.agg, req, cmd, op.view)
		if err != nil {
			return none, err
		}
		if op.settle != "" {
			a.settled(ctx, op.settle, out.Position)
		}
		return httpx.Reply[O]{Body: out.View, Revision: &out.Revision, Position: out.Position}, nil
	}
}

// expiry reads when something ends. The zero time is in the past as any other,
// though to the domain it means never.
func expiry(at *time.Time) (time.Time, error) {
	if at == nil {
		return time.Time{}, nil
	}
	var f domain.Faults
	f.Add(at.IsZero(), "expires_at", "must be in the future")
	return *at, f.Err()
}

// settleWithin bounds how long a write waits for the read models it settles.
const settleWithin = 2 * time.Second

// settled waits until a read model reflects a write that other rooms act on:
// who creates a key or a budget may rely on it in the next request. The write
// stands in any case, so giving up is only worth a line in the log.
func (a *API) settled(ctx context.Context, model string, pos domain.Position) {
	if pos == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	if lag, err := a.Wait(ctx, model, pos); err != nil || lag > 0 {
		a.Logger.WarnContext(ctx, "a read model is behind a write that is acted on", "model", model, "lag", lag, "error", err)
	}
}
