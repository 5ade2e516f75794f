package budgets_test

import (
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"strata/domain"
	"strata/domain/budget"
	"strata/projections"
	"strata/projections/budgets"
	"strata/projections/projectionstest"
	"strata/projections/query"
	"strata/streams"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	march = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	now   = march.AddDate(0, 0, 13)
)

// world is the model running over a log.
type world struct {
	*testing.T
	log    *projectionstest.Log
	codec  *streams.Codec
	runner *projections.Runner
	*budgets.Queries
	second int
	now    time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	codec, err := streams.NewCodec(budget.FactTypes(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, log: projectionstest.NewLog(), codec: codec, now: now}
	w.runner = projectionstest.Start(t, w.log, codec, budgets.Model{})
	db, err := w.runner.Reader(budgets.Name)
	if err != nil {
		t.Fatal(err)
	}
	w.Queries = budgets.NewQueries(db, func() time.Time { return w.now })
	return w
}

// given records facts; the runner's hook stands in for the wiring's.
func (w *world) given(workspace, id string, facts ...domain.Fact) {
	w.Helper()
	w.second++
	meta := projectionstest.Meta(workspace, w.second)
	w.log.Write(w.T, w.codec, budget.Aggregate.Stream(id), meta, facts...)
	projectionstest.WaitFor(w.T, w.runner, w.log, budgets.Name)
	events := make([]domain.Event, len(facts))
	for i, f := range facts {
		events[i].Fact = f
	}
	w.Committed(events)
}

func created(scope, id string, limit domain.Money) budget.Created {
	return budget.Created{Name: "of " + id, ScopeType: scope, ScopeID: id, Limit: limit, Period: budget.Monthly, PeriodStart: march, Hard: true}
}

func organization() string { return projectionstest.Meta("ws_1", 1).Organization }

func (w *world) listed(f budgets.Filter) (ids []string) {
	w.Helper()
	f.Organization, f.Workspace = organization(), "ws_1"
	r, err := w.List(w.Context(), f, query.Page{})
	if err != nil {
		w.Fatal(err)
	}
	for _, b := range r.Items {
		ids = append(ids, b.State.ID)
	}
	return ids
}

func fill(w *world) {
	w.given("ws_1", "bud_team", created("workspace", "ws_1", 10))
	w.given("", "bud_org", created("organization", organization(), 20))
	w.given("ws_2", "bud_theirs", created("workspace", "ws_2", 30))
	w.given("ws_1", "bud_app", created("app", "app_1", 40), budget.Disabled{})
	w.given("ws_1", "bud_gone", created("app", "app_2", 50), budget.Reserved{ID: "r0", Amount: 5, ExpiresAt: now}, budget.Deleted{})
	w.given("ws_1", "bud_gone", budget.Settled{ID: "r0", Amount: 5}) // a call that was running then; no row comes back
	w.given("ws_1", "bud_team", budget.Reserved{ID: "r1", Amount: 10, Tokens: 5, ExpiresAt: now.Add(time.Minute)}, budget.Settled{ID: "r1", Amount: 10, Tokens: 4})
}

func TestListAndGet(t *testing.T) {
	w := newWorld(t)
	fill(w)
	for name, c := range map[string]struct {
		filter budgets.Filter
		want   []string
	}{
		"the workspace's and the organization's": {budgets.Filter{}, []string{"bud_team", "bud_org", "bud_app"}},
		"of a scope":                             {budgets.Filter{ScopeType: "app", ScopeID: "app_1"}, []string{"bud_app"}},
		"by name":                                {budgets.Filter{Search: "OF APP"}, []string{"bud_app"}},
		"active":                                 {budgets.Filter{Status: "active"}, []string{"bud_org"}},
		"exceeded":                               {budgets.Filter{Status: "exceeded"}, []string{"bud_team"}},
		"disabled":                               {budgets.Filter{Status: "disabled"}, []string{"bud_app"}},
	} {
		if got := w.listed(c.filter); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	b, err := w.Get(t.Context(), organization(), "ws_1", "bud_team")
	if err != nil || b.Figures.Spent != 10 || b.Figures.Status != "exceeded" || b.Revision != 2 {
		t.Errorf("%+v, %v", b, err)
	}
	w.now = march.AddDate(0, 1, 0) // a new month: nothing is spent, though no event said so
	if got := w.listed(budgets.Filter{Status: "active"}); !slices.Equal(got, []string{"bud_team", "bud_org"}) {
		t.Errorf("active in the next month: %v", got)
	}
	for _, id := range []string{"bud_theirs", "bud_gone", "bud_none"} {
		if _, err := w.Get(t.Context(), organization(), "ws_1", id); domain.CodeOf(err) != domain.CodeNotFound {
			t.Errorf("%s: %v", id, err)
		}
	}
	if _, err := w.List(t.Context(), budgets.Filter{Status: "odd"}, query.Page{}); domain.CodeOf(err) != domain.CodeValidation {
		t.Errorf("a status there is not: %v", err)
	}
}

func TestBudgetsOfFollowsEveryCommit(t *testing.T) {
	w := newWorld(t)
	fill(w)
	refs := func() (ids []string) {
		t.Helper()
		all, err := w.BudgetsOf(t.Context(), organization(), "ws_1")
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range all {
			ids = append(ids, r.ID)
		}
		return ids
	}
	if got := refs(); !slices.Equal(got, []string{"bud_org", "bud_team"}) {
		t.Errorf("at first: %v", got)
	}
	w.given("ws_1", "bud_app", budget.Enabled{})
	if got := refs(); !slices.Equal(got, []string{"bud_app", "bud_org", "bud_team"}) {
		t.Errorf("after one was enabled: %v", got)
	}
	w.given("ws_1", "bud_team", budget.Deleted{})
	if got := refs(); !slices.Equal(got, []string{"bud_app", "bud_org"}) {
		t.Errorf("after one was deleted: %v", got)
	}
}

func TestExpiring(t *testing.T) {
	w := newWorld(t)
	fill(w)
	w.given("ws_1", "bud_team", budget.Reserved{ID: "r2", Amount: 1, ExpiresAt: now.Add(time.Minute)})
	for until, want := range map[time.Time][]string{now: nil, now.Add(time.Minute): {"bud_team"}} {
		if got, err := w.Expiring(t.Context(), until); err != nil || !slices.Equal(got, want) {
			t.Errorf("until %s: %v, %v", until, got, err)
		}
	}
}

func TestRebuild(t *testing.T) {
	codec, err := streams.NewCodec(budget.FactTypes(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	history := projectionstest.NewLog()
	for i := range 40 {
		id := []string{"bud_a", "bud_b", "bud_c"}[i%3]
		facts := []domain.Fact{budget.Reserved{ID: "r", Amount: domain.Money(i), Tokens: 1, ExpiresAt: now}, budget.Settled{ID: "r", Amount: 1, Tokens: 1}}
		if i < 3 {
			facts = []domain.Fact{created("workspace", "ws_1", 100)}
		}
		history.Write(t, codec, budget.Aggregate.Stream(id), projectionstest.Meta("ws_1", i), facts...)
	}
	projectionstest.CheckRebuild(t, codec, budgets.Model{}, history)
}
