package timers

import (
	"context"
	"sync"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/domain/budget"
	"strata/domain/timer"
	"strata/streams"
)

// The kinds of timers that budgets have.
const (
	BudgetPeriod = "budget-period" // the end of the current period
	BudgetSweep  = "budget-sweep"  // the expiry of the first open reservation
)

// Budgets is the reactor that keeps budgets in time: it records the end of a
// period though nobody spends, and releases reservations that nobody settled.
//
// Reservations are many, so a budget has one timer for all of them: the first
// sets it, those that follow while it is pending are not even looked at, and
// when it fires it is set again only if a reservation is open then. Under load
// that is two events in half an hour, not two per call.
type Budgets struct {
	h *commands.Handler
	// At is called with the name of a point that has been reached, for tests
	// that stop a process there.
	at func(point string)

	mu    sync.Mutex
	swept map[string]bool // budgets whose sweep is known to be pending
}

// NewBudgets makes the reactor. at may be nil; see [Config.At].
func NewBudgets(h *commands.Handler, at func(point string)) *Budgets {
	if at == nil {
		at = func(string) {}
	}
	return &Budgets{h: h, at: at, swept: map[string]bool{}}
}

// Name implements logbus.Reactor.
func (*Budgets) Name() string { return "budget-clock" }

// Filter implements logbus.Reactor.
func (*Budgets) Filter() *streams.Filter {
	return &streams.Filter{
		Categories: []string{budget.Aggregate.Category, timer.Aggregate.Category},
		Types: []string{budget.Created{}.EventType(), budget.PeriodChanged{}.EventType(), budget.PeriodRolled{}.EventType(),
			budget.Deleted{}.EventType(), budget.Reserved{}.EventType(), timer.Fired{}.EventType()},
	}
}

// Skip implements logbus.Skipper: a reservation of a budget whose sweep is
// pending needs nothing.
func (b *Budgets) Skip(stored streams.Recorded) bool {
	return stored.Type == reservedType && b.pending(stored.Stream.Key())
}

// reservedType is compared with every reservation that is made.
var reservedType = budget.Reserved{}.EventType()

func (b *Budgets) pending(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.swept[id]
}

func (b *Budgets) setPending(id string, pending bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if pending {
		b.swept[id] = true
	} else {
		delete(b.swept, id)
	}
}

// Handle implements logbus.Reactor.
func (b *Budgets) Handle(ctx context.Context, e domain.Event) error {
	switch f := e.Fact.(type) {
	case budget.Created, budget.PeriodChanged, budget.PeriodRolled:
		return b.setPeriod(ctx, e)
	case budget.Deleted:
		id := e.Stream.Key()
		b.setPending(id, false)
		if err := Clear(ctx, b.h, b.of(BudgetPeriod, id, e), e); err != nil {
			return err
		}
		return Clear(ctx, b.h, b.of(BudgetSweep, id, e), e)
	case budget.Reserved:
		return b.reserved(ctx, f, e)
	case timer.Fired:
		switch f.Kind {
		case BudgetPeriod:
			return b.periodOver(ctx, f.Owner, e)
		case BudgetSweep:
			return b.sweep(ctx, f.Owner, e)
		}
	}
	return nil
}

func (b *Budgets) of(kind, id string, e domain.Event) Of {
	return Of{Kind: kind, Owner: id, Organization: e.Meta.Organization, Workspace: e.Meta.Workspace}
}

// setPeriod sets the timer to the end of the period as it is now: the event may
// have been overtaken by others.
func (b *Budgets) setPeriod(ctx context.Context, e domain.Event) error {
	id := e.Stream.Key()
	end, err := look(ctx, b.h, id, func(s *budget.State) time.Time { return s.PeriodEnd() })
	if err != nil {
		return err
	}
	if end.IsZero() {
		return Clear(ctx, b.h, b.of(BudgetPeriod, id, e), e)
	}
	return Set(ctx, b.h, b.of(BudgetPeriod, id, e), end, e)
}

// periodOver records the end of a period; the event of it sets the next timer.
func (b *Budgets) periodOver(ctx context.Context, id string, e domain.Event) error {
	b.at("budget.period_over")
	return b.run(ctx, id, budget.Roll{}, e)
}

func (b *Budgets) reserved(ctx context.Context, f budget.Reserved, e domain.Event) error {
	id := e.Stream.Key()
	if !f.ExpiresAt.After(b.h.Now()) { // history, or this reactor was far behind
		return b.run(ctx, id, budget.Sweep{}, e)
	}
	if err := SetSooner(ctx, b.h, b.of(BudgetSweep, id, e), f.ExpiresAt, e); err != nil {
		return err
	}
	b.setPending(id, true)
	return nil
}

// sweep releases what has expired and sets the timer again if anything is open.
// From the start on, new reservations set it too: one of them that was not
// looked at is open when the state is.
func (b *Budgets) sweep(ctx context.Context, id string, e domain.Event) error {
	b.setPending(id, false)
	b.at("budget.sweep_due")
	if err := b.run(ctx, id, budget.Sweep{}, e); err != nil {
		return err
	}
	b.at("budget.swept")
	next, err := look(ctx, b.h, id, func(s *budget.State) time.Time { return s.NextExpiry() })
	if err != nil || next.IsZero() {
		return err
	}
	if err := SetSooner(ctx, b.h, b.of(BudgetSweep, id, e), next, e); err != nil {
		return err
	}
	b.setPending(id, true)
	return nil
}

// run runs a command on a budget. One that is gone needs nothing any more.
func (b *Budgets) run(ctx context.Context, id string, cmd domain.Decider[budget.State], e domain.Event) error {
	req := follow(commands.Request{Principal: domain.System("", ""), ID: id}, e)
	_, err := commands.Run[budget.State, struct{}](ctx, b.h, budget.Aggregate, req, cmd, nil)
	return unlessGone(err)
}

func look(ctx context.Context, h *commands.Handler, id string, see func(*budget.State) time.Time) (time.Time, error) {
	at, err := commands.Load(ctx, h, budget.Aggregate, domain.System("", ""), id,
		func(l *commands.Loaded[budget.State]) time.Time { return see(l.State) })
	return at, unlessGone(err)
}

func unlessGone(err error) error {
	if err != nil && domain.CodeOf(err) == domain.CodeNotFound {
		return nil
	}
	return err
}
