package budget_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"strata/domain"
	"strata/domain/budget"
	"strata/domain/domaintest"
)

const dollar = domain.Money(1_000_000)

var (
	march = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	april = time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)

	created = budget.Created{Name: "Team", ScopeType: "workspace", ScopeID: domaintest.Workspace, Limit: 10 * dollar,
		LimitTokens: 1000, Period: budget.Monthly, PeriodStart: march, Hard: true}
	soon = domaintest.Now.Add(time.Minute)
)

func held(id string, amount domain.Money, tokens int64) budget.Reserved {
	return budget.Reserved{ID: id, Amount: amount, Tokens: tokens, ExpiresAt: soon}
}

func given(t *testing.T, more ...domain.Fact) *domaintest.Scenario[budget.State] {
	return domaintest.Given(t, budget.Aggregate, append([]domain.Fact{created}, more...)...)
}

func TestGolden(t *testing.T) {
	domaintest.Golden(t, budget.FactTypes(), created,
		budget.Renamed{Name: "All"}, budget.LimitRaised{From: 1, To: 2}, budget.LimitLowered{From: 2, To: 1},
		budget.TokenLimitSet{Tokens: 5}, budget.PeriodChanged{Period: budget.Daily, PeriodStart: march},
		budget.Hardened{}, budget.Softened{}, budget.Enabled{}, budget.Disabled{}, budget.Deleted{},
		budget.Reset{Reason: "new project", Spent: 3, Tokens: 4}, budget.PeriodRolled{PeriodStart: april, Spent: 5, Tokens: 6},
		held("res_1", 7, 8), budget.Settled{ID: "res_1", Amount: 5, Tokens: 6, Late: true}, budget.Released{ID: "res_1", Expired: true})
}

func TestCreate(t *testing.T) {
	domaintest.Given(t, budget.Aggregate).
		When(budget.Create{Name: "Team", ScopeType: "workspace", Limit: 10 * dollar, LimitTokens: 1000, Period: budget.Monthly}).
		Then(created)
	domaintest.Given(t, budget.Aggregate).
		When(budget.Create{ScopeType: "planet", Limit: -1, LimitTokens: -1, Period: "yearly"}).
		ThenError(domain.CodeValidation, "name", "scope_type", "scope_id", "limit_usd", "limit_tokens", "period")
	domaintest.Given(t, budget.Aggregate).
		When(budget.Create{Name: "x", ScopeType: "workspace", ScopeID: "ws_other", Period: budget.Total}).
		ThenError(domain.CodeValidation, "scope_id")
	given(t).When(budget.Create{Name: "again"}).ThenError(domain.CodeConflict)
}

func TestChange(t *testing.T) {
	limit, lower, tokens := 20*dollar, 5*dollar, int64(0)
	daily, soft, off, name := budget.Daily, false, "disabled", "All"
	given(t).When(budget.Change{Name: &name, Limit: &limit, LimitTokens: &tokens, Period: &daily, Hard: &soft, Status: &off}).
		Then(budget.Renamed{Name: "All"}, budget.LimitRaised{From: 10 * dollar, To: limit}, budget.TokenLimitSet{},
			budget.PeriodChanged{Period: budget.Daily, PeriodStart: time.Date(2026, 3, 14, 0, 0, 0, 0, time.UTC)},
			budget.Softened{}, budget.Disabled{})
	given(t).When(budget.Change{Limit: &lower}).Then(budget.LimitLowered{From: 10 * dollar, To: lower})
	given(t).When(budget.Change{Name: &created.Name}).ThenNothing()
	bad := "exceeded"
	given(t).When(budget.Change{Status: &bad}).ThenError(domain.CodeValidation, "status")
	given(t, budget.Deleted{}).When(budget.Change{Limit: &limit}).ThenError(domain.CodeNotFound)
}

func TestReserve(t *testing.T) {
	reserve := budget.Reserve{ID: "res_2", Amount: 4 * dollar, Tokens: 100, TTL: time.Minute}
	given(t).When(reserve).Then(held("res_2", 4*dollar, 100))
	// Exactly what is left fits; one micro-dollar more does not.
	given(t, held("res_1", 6*dollar, 1)).When(reserve).Then(held("res_2", 4*dollar, 100))
	given(t, held("res_1", 6*dollar+1, 1)).When(reserve).ThenError(domain.CodeQuotaExceeded)
	given(t, held("res_1", 1, 900)).When(reserve).Then(held("res_2", 4*dollar, 100))
	given(t, held("res_1", 1, 901)).When(reserve).ThenError(domain.CodeQuotaExceeded)
	// Soft and disabled budgets do not refuse; the disabled one does not even count.
	given(t, budget.Softened{}, held("res_1", 9*dollar, 1)).When(reserve).Then(held("res_2", 4*dollar, 100))
	given(t, budget.Disabled{}, held("res_1", 9*dollar, 1)).When(reserve).ThenNothing()
	given(t, held("res_2", 4*dollar, 100)).When(reserve).ThenNothing()
	given(t).When(budget.Reserve{ID: "x", Amount: -1, Tokens: -1}).ThenError(domain.CodeValidation, "amount", "tokens")
}

func TestReserveInANewPeriod(t *testing.T) {
	old := created
	old.PeriodStart = march.AddDate(0, -1, 0)
	spent := []domain.Fact{old, held("res_1", 9*dollar, 1), budget.Settled{ID: "res_1", Amount: 9 * dollar, Tokens: 1}}
	domaintest.Given(t, budget.Aggregate, spent...).
		When(budget.Reserve{ID: "res_2", Amount: 10 * dollar, Tokens: 1, TTL: time.Minute}).
		Then(budget.PeriodRolled{PeriodStart: march, Spent: 9 * dollar, Tokens: 1}, held("res_2", 10*dollar, 1))
	// What is still reserved from the old period goes on counting.
	domaintest.Given(t, budget.Aggregate, old, held("res_1", dollar, 1)).
		When(budget.Reserve{ID: "res_2", Amount: 10 * dollar, Tokens: 1, TTL: time.Minute}).
		ThenError(domain.CodeQuotaExceeded)
}

func TestSettle(t *testing.T) {
	settle := budget.Settle{ID: "res_1", Amount: 2 * dollar, Tokens: 5}
	given(t, held("res_1", 3*dollar, 10)).When(settle).Then(budget.Settled{ID: "res_1", Amount: 2 * dollar, Tokens: 5})
	given(t, held("res_1", 3*dollar, 10), budget.Settled{ID: "res_1", Amount: 2 * dollar, Tokens: 5}).When(settle).ThenNothing()
	given(t).When(settle).ThenNothing()
	given(t, held("res_1", 3*dollar, 10), budget.Released{ID: "res_1", Expired: true}).When(settle).
		Then(budget.Settled{ID: "res_1", Amount: 2 * dollar, Tokens: 5, Late: true})
	given(t, held("res_1", 3*dollar, 10), budget.Released{ID: "res_1"}).When(settle).ThenNothing()
}

func TestReleaseAndSweep(t *testing.T) {
	given(t, held("res_1", dollar, 1)).When(budget.Release{ID: "res_1"}).Then(budget.Released{ID: "res_1"})
	given(t).When(budget.Release{ID: "res_1"}).ThenNothing()
	past := budget.Reserved{ID: "res_2", Amount: 1, ExpiresAt: domaintest.Now}
	given(t, held("res_1", 1, 1), past).When(budget.Sweep{}).Then(budget.Released{ID: "res_2", Expired: true})
	given(t, held("res_1", 1, 1)).When(budget.Sweep{Until: soon.Add(-1)}).ThenNothing()
	given(t, held("res_1", 1, 1)).When(budget.Sweep{Until: soon}).Then(budget.Released{ID: "res_1", Expired: true})
}

func TestClear(t *testing.T) {
	given(t, held("res_1", 3, 1), budget.Settled{ID: "res_1", Amount: 2, Tokens: 1}).When(budget.Clear{Reason: "oops"}).
		Then(budget.Reset{Reason: "oops", Spent: 2, Tokens: 1})
}

func TestFigures(t *testing.T) {
	s := given(t, held("a", 3*dollar, 1), held("b", 2*dollar, 1), budget.Settled{ID: "a", Amount: dollar, Tokens: 7}).State()
	f := s.At(domaintest.Now)
	if f.Spent != dollar || f.Reserved != 2*dollar || f.Remaining != 7*dollar || f.Tokens != 7 || f.Status != "active" || !f.End.Equal(april) {
		t.Errorf("figures in the period: %+v", f)
	}
	f = s.At(april)
	if f.Spent != 0 || f.Tokens != 0 || f.Remaining != 8*dollar || !f.Start.Equal(april) {
		t.Errorf("figures in the next period: %+v", f)
	}
}

// However reservations, settlements below them, releases, expiries and limits
// interleave: what is spent and reserved never passes a hard limit, and the
// sums agree with the parts.
func TestNeverOverspent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log, s := domaintest.NewLog(), budget.Aggregate.New("bud_1")
		limit := domain.Money(rapid.Int64Range(0, 1000).Draw(t, "limit"))
		must(t, domaintest.Do(log, budget.Aggregate, "bud_1", s, budget.Create{Name: "b", ScopeType: "workspace", Limit: limit, Period: budget.Daily}))
		ids := rapid.SampledFrom([]string{"r1", "r2", "r3", "r4", "r5"})
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			id := ids.Draw(t, "id")
			var cmd domain.Decider[budget.State]
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0, 1:
				cmd = budget.Reserve{ID: id, Amount: domain.Money(rapid.Int64Range(0, 600).Draw(t, "amount")), TTL: time.Minute}
			case 2, 3:
				most := int64(s.Open[id].Amount)
				cmd = budget.Settle{ID: id, Amount: domain.Money(rapid.Int64Range(0, most).Draw(t, "actual"))}
			case 4:
				cmd = budget.Release{ID: id}
			case 5:
				log.Now = log.Now.Add(time.Duration(rapid.IntRange(0, 3000).Draw(t, "minutes")) * time.Minute)
				cmd = budget.Release{ID: id}
			}
			if err := domaintest.Do(log, budget.Aggregate, "bud_1", s, cmd); err != nil && domain.CodeOf(err) != domain.CodeQuotaExceeded {
				t.Fatal(err)
			}
			if f := s.At(log.Now); f.Spent+f.Reserved > limit {
				t.Fatalf("overspent: spent %d + reserved %d > limit %d", f.Spent, f.Reserved, limit)
			}
			var sum domain.Money
			for _, h := range s.Open {
				sum += h.Amount
			}
			if sum != s.Reserved {
				t.Fatalf("reserved %d, but the open holds sum to %d", s.Reserved, sum)
			}
		}
	})
}

func must(t *rapid.T, err error) {
	if err != nil {
		t.Fatal(err)
	}
}
