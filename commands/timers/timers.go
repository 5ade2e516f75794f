package timers

import (
	"context"
	"fmt"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/domain/timer"
)

// Of names a timer.
type Of struct {
	Kind, Owner             string
	Organization, Workspace string // whom the owner belongs to
}

// Set sets a timer, or moves it. cause is the event it follows from.
func Set(ctx context.Context, h *commands.Handler, of Of, due time.Time, cause domain.Event) error {
	return run(ctx, h, of, timer.Schedule{Kind: of.Kind, Owner: of.Owner, Due: due}, cause)
}

// SetSooner is Set for a timer that is to fire at the earliest of all the times
// asked for.
func SetSooner(ctx context.Context, h *commands.Handler, of Of, due time.Time, cause domain.Event) error {
	return run(ctx, h, of, timer.Schedule{Kind: of.Kind, Owner: of.Owner, Due: due, Sooner: true}, cause)
}

// Clear cancels a timer, if it is pending.
func Clear(ctx context.Context, h *commands.Handler, of Of, cause domain.Event) error {
	return run(ctx, h, of, timer.Cancel{}, cause)
}

func run(ctx context.Context, h *commands.Handler, of Of, cmd domain.Decider[timer.State], cause domain.Event) error {
	req := follow(commands.Request{Principal: domain.System(of.Organization, of.Workspace), ID: timer.ID(of.Kind, of.Owner), Create: true}, cause)
	// A reactor sees its last events again after a crash. By then the timer may
	// have fired, and must not be set once more by what set it before.
	req.IdempotencyKey, req.Route = cause.ID.String(), fmt.Sprintf("%T", cmd)
	_, err := commands.Run[timer.State, struct{}](ctx, h, timer.Aggregate, req, cmd, nil)
	return err
}

// follow says which event a command follows from.
func follow(req commands.Request, cause domain.Event) commands.Request {
	req.CausationID, req.CorrelationID = cause.ID.String(), cause.Meta.CorrelationID
	return req
}
