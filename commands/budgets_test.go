package commands_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"strata/commands"
	"strata/domain"
	"strata/domain/budget"
)

type fixedIndex []budget.Ref

func (f fixedIndex) BudgetsOf(context.Context, string, string) ([]budget.Ref, error) { return f, nil }

func (w *world) createBudget(p domain.Principal, c budget.Create) string {
	w.t.Helper()
	out, err := commands.Run[budget.State, struct{}](ctx, w.h, budget.Aggregate, commands.Request{Principal: p, Create: true}, c, nil)
	ok(w.t, err)
	return out.ID
}

func (w *world) figures(p domain.Principal, id string) budget.State {
	w.t.Helper()
	s, err := commands.Load(ctx, w.h, budget.Aggregate, p, id, func(l *commands.Loaded[budget.State]) budget.State { return *l.State })
	ok(w.t, err)
	return s
}

// 64 callers hammer two budgets; the smaller one decides, to the micro-dollar.
func TestConcurrentCallersCannotOverspend(t *testing.T) {
	w := newWorld(t)
	p := principal("ws_1")
	team := w.createBudget(p, budget.Create{Name: "team", ScopeType: "workspace", Limit: 1_000_003, Period: budget.Total})
	all := p
	all.Workspace = ""
	org := w.createBudget(all, budget.Create{Name: "org", ScopeType: "organization", Limit: 5_000_000, Period: budget.Total})
	budgets := commands.NewBudgets(w.h, fixedIndex{
		{ID: org, ScopeType: "organization", ScopeID: "org_1"},
		{ID: team, ScopeType: "workspace", ScopeID: "ws_1"},
		{ID: "bud_other", ScopeType: "workspace", ScopeID: "ws_2"},
	})
	who := commands.Spender{Organization: "org_1", Workspace: "ws_1"}
	var spent, refused atomic.Int64
	var wg sync.WaitGroup
	for caller := range 64 {
		rng := rand.New(rand.NewPCG(1, uint64(caller)))
		wg.Go(func() {
			for range 40 {
				most := domain.Money(rng.Int64N(5000) + 1)
				held, err := budgets.Reserve(ctx, who, most, 10)
				if domain.CodeOf(err) == domain.CodeQuotaExceeded {
					refused.Add(1)
					continue
				}
				if err != nil || len(held) != 2 {
					t.Errorf("held %v: %v", held, err)
					return
				}
				if rng.IntN(4) == 0 {
					_, err = budgets.Release(ctx, held)
					ok(t, err)
					continue
				}
				actual := domain.Money(rng.Int64N(int64(most) + 1))
				_, err = budgets.Settle(ctx, held, actual, 7)
				ok(t, err)
				_, err = budgets.Settle(ctx, held, actual, 7) // told twice, counted once
				ok(t, err)
				spent.Add(int64(actual))
			}
		})
	}
	wg.Wait()
	for _, id := range []string{team, org} {
		s := w.figures(p, id)
		if int64(s.Spent) != spent.Load() || s.Reserved != 0 || s.Spent > s.Limit {
			t.Errorf("%s: spent %d of %d with %d reserved, the callers paid %d", s.Name, s.Spent, s.Limit, s.Reserved, spent.Load())
		}
	}
	if refused.Load() == 0 {
		t.Error("nobody was refused: the test proves nothing")
	}
}

func TestDeletedBudgetIsNoObstacle(t *testing.T) {
	w := newWorld(t)
	p := principal("ws_1")
	id := w.createBudget(p, budget.Create{Name: "team", ScopeType: "workspace", Limit: 1, Period: budget.Total})
	_, err := commands.Run[budget.State, struct{}](ctx, w.h, budget.Aggregate, commands.Request{Principal: p, ID: id}, budget.Delete{}, nil)
	ok(t, err)
	budgets := commands.NewBudgets(w.h, fixedIndex{{ID: id, ScopeType: "workspace", ScopeID: "ws_1"}})
	held, err := budgets.Reserve(ctx, commands.Spender{Organization: "org_1", Workspace: "ws_1"}, 100, 1)
	ok(t, err)
	if len(held) != 0 {
		t.Errorf("held %v in a budget that is gone", held)
	}
}

// A user's budget is spent from by what the user calls and by what is called
// for the user.
func TestUserBudgets(t *testing.T) {
	w := newWorld(t)
	id := w.createBudget(principal("ws_1"), budget.Create{Name: "ann", ScopeType: "user", ScopeID: "ann", Limit: 100, Period: budget.Total})
	budgets := commands.NewBudgets(w.h, fixedIndex{{ID: id, ScopeType: "user", ScopeID: "ann"}})
	for who, want := range map[commands.Spender]int{
		{User: "ann"}: 1, {User: "robot", EndUser: "ann"}: 1, {User: "ann", EndUser: "bob"}: 1, {User: "robot", EndUser: "bob"}: 0,
	} {
		who.Organization, who.Workspace = "org_1", "ws_1"
		if held, err := budgets.Reserve(ctx, who, 1, 1); err != nil || len(held) != want {
			t.Errorf("%+v held %v: %v", who, held, err)
		}
	}
}

// A caller that is gone before the answer leaves nothing reserved behind.
func TestReserveForACallerThatIsGone(t *testing.T) {
	w := newWorld(t)
	p := principal("ws_1")
	id := w.createBudget(p, budget.Create{Name: "team", ScopeType: "workspace", Limit: 100, Period: budget.Total})
	budgets := commands.NewBudgets(w.h, fixedIndex{{ID: id, ScopeType: "workspace", ScopeID: "ws_1"}})
	gone, cancel := context.WithCancel(ctx)
	cancel()
	for range 50 {
		held, err := budgets.Reserve(gone, commands.Spender{Organization: "org_1", Workspace: "ws_1"}, 1, 1)
		ok(t, err)
		_, err = budgets.Release(ctx, held)
		ok(t, err)
	}
	if s := w.figures(p, id); s.Reserved != 0 || len(s.Open) != 0 {
		t.Errorf("reserved %d in %d holds", s.Reserved, len(s.Open))
	}
}
