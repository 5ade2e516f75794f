package writeapi

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/gateway"
	"strata/internal/httpx"
	"strata/internal/secrets"
)

// Deps is what the write side works with.
type Deps struct {
	Handler   *commands.Handler
	Resources *commands.Resources
	Kinds     []domain.AnyKind
	Gateway   *gateway.Gateway
	// Settle waits until a read model reflects a position, for writes that
	// other rooms act on at once (keys, budgets, providers). It gives up by
	// itself after a short while.
	Settle func(ctx context.Context, model string, pos domain.Position)
	Random func([]byte) (int, error) // source of secrets
	Logger *slog.Logger
	// RecordPayloads says whether what is said in chats is kept in the
	// inference log, beside the conversation itself.
	RecordPayloads bool
	// OpenAI is the gateway's face in OpenAI's wire format.
	OpenAI http.Handler
	Sealer *secrets.Sealer
}

// API registers the write side's operations.
type API struct {
	Deps
	r *httpx.Router
}

// Register adds every operation of the write side to a router.
func Register(r *httpx.Router, d Deps) {
	a := &API{Deps: d, r: r}
	for _, k := range d.Kinds {
		a.kind(k)
	}
	a.sessions()
	a.memories()
	a.budgets()
	a.keys()
	a.chat()
	a.gateway()
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
	httpx.Register(a.r, op.Op, func(ctx context.Context, in *I) (httpx.Reply[O], error) {
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
		if op.settle != "" && out.Position > 0 {
			a.Settle(ctx, op.settle, out.Position)
		}
		return httpx.Reply[O]{Body: out.View, Revision: &out.Revision, Position: out.Position}, nil
	})
}

// settleWithin bounds how long a write waits for the read models it settles.
const settleWithin = 2 * time.Second
