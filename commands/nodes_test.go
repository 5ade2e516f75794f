package commands_test

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"strata/commands"
	"strata/domain"
	"strata/domain/budget"
)

// Several nodes, each with a memory of its own, hammer one budget: whoever finds
// that another was faster decides again, nobody starves, and nothing is overspent.
func TestNodesContendForOneStream(t *testing.T) {
	w := newWorld(t)
	p := principal("ws_1")
	const limit = 500_003
	id := w.createBudget(p, budget.Create{Name: "team", ScopeType: "workspace", Limit: limit, Period: budget.Total})
	index := fixedIndex{{ID: id, ScopeType: "workspace", ScopeID: "ws_1"}}
	who := commands.Spender{Organization: "org_1", Workspace: "ws_1"}
	var spent, refused atomic.Int64
	var all sync.WaitGroup
	for node := range 2 {
		h := commands.New(commands.Config{Store: w.store, Codec: w.codec, Now: w.clock})
		budgets := commands.NewBudgets(h, index)
		for caller := range 16 {
			rng := rand.New(rand.NewPCG(uint64(node), uint64(caller)))
			all.Go(func() {
				for range 25 {
					most := domain.Money(rng.Int64N(5000) + 1)
					held, err := budgets.Reserve(ctx, who, most, 1)
					if domain.CodeOf(err) == domain.CodeQuotaExceeded {
						refused.Add(1)
						continue
					}
					if err != nil {
						t.Errorf("reserve: %v", err)
						return
					}
					actual := domain.Money(rng.Int64N(int64(most) + 1))
					if _, err := budgets.Settle(ctx, held, actual, 1); err != nil {
						t.Errorf("settle: %v", err)
						return
					}
					spent.Add(int64(actual))
				}
			})
		}
	}
	all.Wait()
	s := w.figures(p, id)
	if s.Spent != domain.Money(spent.Load()) || s.Reserved != 0 || s.Spent > limit {
		t.Errorf("the ledger says %d spent and %d reserved, callers spent %d of %d", s.Spent, s.Reserved, spent.Load(), limit)
	}
	if refused.Load() == 0 {
		t.Error("the limit was not reached: that proves nothing")
	}
}

// A node that finds done what it was about to do still knows where in the log that
// is: whoever reads after its answer must see it.
func TestWhatAnotherNodeDidIsIncluded(t *testing.T) {
	w := newWorld(t)
	id := w.createBudget(principal("ws_1"), budget.Create{Name: "team", ScopeType: "workspace", Limit: 1000, Period: budget.Total})
	index := fixedIndex{{ID: id, ScopeType: "workspace", ScopeID: "ws_1"}}
	gateway := commands.NewBudgets(w.h, index)
	healer := commands.NewBudgets(commands.New(commands.Config{Store: w.store, Codec: w.codec, Now: w.clock}), index)
	held, err := gateway.Reserve(ctx, commands.Spender{Organization: "org_1", Workspace: "ws_1"}, 100, 1)
	ok(t, err)
	healed, err := healer.Settle(ctx, held, 60, 1)
	ok(t, err)
	seen, err := gateway.Settle(ctx, held, 60, 1)
	ok(t, err)
	if healed == 0 || seen != healed {
		t.Errorf("one node settles at position %d, the other is told %d", healed, seen)
	}
}

// A repeat at another node tells the position of what the first try wrote.
func TestARepeatElsewhereTellsThePosition(t *testing.T) {
	w := newWorld(t)
	other := commands.New(commands.Config{Store: w.store, Codec: w.codec, Now: w.clock})
	req := commands.Request{Principal: principal("ws_1"), ID: "bud_1", Create: true, IdempotencyKey: "k"}
	cmd := budget.Create{Name: "team", ScopeType: "workspace", Limit: 1000, Period: budget.Total}
	first, err := commands.Run[budget.State, struct{}](ctx, w.h, budget.Aggregate, req, cmd, nil)
	ok(t, err)
	again, err := commands.Run[budget.State, struct{}](ctx, other, budget.Aggregate, req, cmd, nil)
	ok(t, err)
	if !again.Repeated || first.Position == 0 || again.Position < first.Position {
		t.Errorf("first at %d; repeated %v at %d", first.Position, again.Repeated, again.Position)
	}
}
