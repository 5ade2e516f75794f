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
