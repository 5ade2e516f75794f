package commands

import (
	"context"
	"errors"
	"time"

	"strata/domain"
	"strata/domain/budget"
	"strata/domain/inference"
)

// BudgetIndex knows which budgets there are. It answers from a read model and
// from memory: it is asked before every call.
type BudgetIndex interface {
	BudgetsOf(ctx context.Context, organization, workspace string) ([]budget.Ref, error)
}

// Spender is what a call spends on behalf of: each field is matched against
// the budgets' scopes.
type Spender struct {
	Organization, Workspace, Agent, App, APIKey, Model string
	// User is who calls, EndUser for whom: a budget of either is spent from.
	// The end user is what the caller says it is, so it limits honest programs;
	// whom the credential belongs to cannot be talked away.
	User, EndUser string
}

func (s Spender) in(b budget.Ref) bool {
	switch b.ScopeType {
	case "organization":
		return b.ScopeID == s.Organization
	case "workspace":
		return b.ScopeID == s.Workspace
	case "agent":
		return b.ScopeID == s.Agent
	case "app":
		return b.ScopeID == s.App
	case "user":
		return b.ScopeID == s.User || b.ScopeID == s.EndUser
	case "api_key":
		return b.ScopeID == s.APIKey
	case "model":
		return b.ScopeID == s.Model
	}
	return false
}

// ReservationTTL is longer than any call can take, so that a living call never
// loses its reservation.
const ReservationTTL = 30 * time.Minute

// Budgets reserves, settles and releases what model calls spend.
type Budgets struct {
	h     *Handler
	index BudgetIndex
}

// NewBudgets makes the ledger's entrance.
func NewBudgets(h *Handler, index BudgetIndex) *Budgets { return &Budgets{h: h, index: index} }

// Reserve holds cost and tokens, the most a call can use, in every budget that
// applies to it: in all of them or in none. Errors: QUOTA_EXCEEDED from the
// first budget that refuses.
func (b *Budgets) Reserve(ctx context.Context, who Spender, cost domain.Money, tokens int64) ([]inference.Reservation, error) {
	refs, err := b.index.BudgetsOf(ctx, who.Organization, who.Workspace)
	if err != nil {
		return nil, err
	}
	// A caller that goes away in the middle must not leave behind a reservation
	// that nobody knows of: it would block the budget until it expires.
	ctx = context.WithoutCancel(ctx)
	var held []inference.Reservation
	for _, ref := range refs {
		if !who.in(ref) {
			continue
		}
		r := inference.Reservation{BudgetID: ref.ID, ID: domain.NewID("res")}
		cmd := budget.Reserve{ID: r.ID, Amount: cost, Tokens: tokens, TTL: ReservationTTL}
		out, err := Run[budget.State, struct{}](ctx, b.h, budget.Aggregate, system(ref.ID), cmd, nil)
		if domain.CodeOf(err) == domain.CodeNotFound && err != nil {
			continue // deleted since the index was read
		}
		if err != nil {
			_, freed := b.Release(ctx, append(held, r)) // r too: an append may have failed after it was durable
			return nil, errors.Join(err, freed)
		}
		if len(out.Facts) > 0 {
			held = append(held, r)
			b.h.reached("reserve.held")
		}
	}
	return held, nil
}

// Settle records what a call really cost in every budget that held something
// for it. It may be repeated. It returns the position that includes it in all
// of them, whoever wrote it.
func (b *Budgets) Settle(ctx context.Context, held []inference.Reservation, cost domain.Money, tokens int64) (domain.Position, error) {
	return b.each(ctx, held, func(id string) domain.Decider[budget.State] {
		return budget.Settle{ID: id, Amount: cost, Tokens: tokens}
	})
}

// Release gives back what was held for a call that cost nothing. It returns
// what Settle does.
func (b *Budgets) Release(ctx context.Context, held []inference.Reservation) (domain.Position, error) {
	return b.each(ctx, held, func(id string) domain.Decider[budget.State] {
		return budget.Release{ID: id}
	})
}

// Sweep releases a budget's reservations that expire by a time; zero is now.
func (b *Budgets) Sweep(ctx context.Context, id string, until time.Time) error {
	_, err := Run[budget.State, struct{}](ctx, b.h, budget.Aggregate, system(id), budget.Sweep{Until: until}, nil)
	return err
}

func (b *Budgets) each(ctx context.Context, held []inference.Reservation, cmd func(id string) domain.Decider[budget.State]) (domain.Position, error) {
	var errs []error
	var last domain.Position
	for _, r := range held {
		out, err := Run[budget.State, struct{}](ctx, b.h, budget.Aggregate, system(r.BudgetID), cmd(r.ID), nil)
		errs = append(errs, err)
		last = max(last, out.Includes) // the healer of another process may have been quicker
		b.h.reached("reserve.ended")
	}
	return last, errors.Join(errs...)
}

// system addresses a budget as Strata itself: a call may spend from its
// organization's budget as well as from its workspace's.
func system(id string) Request { return Request{Principal: domain.System("", ""), ID: id} }
