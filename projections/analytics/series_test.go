package analytics_test

import (
	"fmt"
	"testing"
	"time"

	"strata/domain"
	"strata/domain/inference"
	"strata/internal/clickhouse"
	"strata/internal/clickhouse/clickhousetest"
	"strata/projections/analytics"
)

// A series by user has the users of the breakdown, not every user there ever
// was: with 20,000 of them it would be hundreds of megabytes.
func TestSeriesHasTheGroupsOfTheBreakdown(t *testing.T) {
	db := clickhousetest.Open(t, clickhouse.Config{})
	w := analytics.NewWriter(db, analytics.WriterOptions{})
	_, err := w.Resume(t.Context())
	must(t, err)
	items := calls(history(11, 1500, "ws_1"))
	for i := range items {
		call := items[i].Fact.(inference.Recorded)
		call.User = fmt.Sprintf(`o'neil\%d, "it"]`, i%120)
		if i%120 == 0 {
			call.User = "rare"
			call.Cost = 0
		}
		items[i].Fact, items[i].Position = call, domain.Position(i+1)
	}
	stop := start(t, w)
	deliver(t, w, items)
	settled(t, w, last(items))
	stop()
	q := analytics.NewQueries(db, nil)
	report := analytics.Report{GroupBy: "user",
		Filter: analytics.Filter{Workspace: "ws_1", Start: noon.AddDate(0, 0, -3), End: noon.AddDate(0, 0, 3)}}
	costs, err := q.Costs(t.Context(), report)
	must(t, err)
	top := map[string]uint64{}
	for _, g := range costs.ByUser {
		top[*g.User] = g.Calls
	}
	if _, cheap := top["rare"]; len(top) != 100 || cheap {
		t.Fatalf("%d users in the breakdown", len(top))
	}
	for _, p := range costs.Series {
		if p.Calls > top[*p.User] {
			t.Fatalf("%q is in the series with %d calls more than in the breakdown", *p.User, p.Calls-top[*p.User])
		}
		top[*p.User] -= p.Calls
	}
	for user, missing := range top {
		if missing != 0 {
			t.Errorf("%d calls of %q are not in the series", missing, user)
		}
	}
}

// One statement answers for models, apps and steps. Its limit is one of groups:
// no model beyond the hundredth, but every step.
func TestLimitOfGroupsTakesNoSteps(t *testing.T) {
	db := clickhousetest.Open(t, clickhouse.Config{})
	w := analytics.NewWriter(db, analytics.WriterOptions{})
	_, err := w.Resume(t.Context())
	must(t, err)
	items := calls(history(12, 600, "ws_1"))
	for i := range items {
		call := items[i].Fact.(inference.Recorded)
		call.Model, call.StartedAt = fmt.Sprintf("p/m%d", i%150), noon.Add(time.Duration(i%250)*time.Minute)
		items[i].Fact, items[i].Position = call, domain.Position(i+1)
	}
	stop := start(t, w)
	deliver(t, w, items)
	settled(t, w, last(items))
	stop()
	usage, err := analytics.NewQueries(db, nil).Usage(t.Context(), analytics.Report{
		Filter: analytics.Filter{Workspace: "ws_1", Start: noon, End: noon.Add(5 * time.Hour)}, Interval: analytics.Minute,
	})
	must(t, err)
	if usage.TotalCalls != uint64(len(items)) || len(usage.ByModel) != 100 || len(usage.Series) != 250 {
		t.Errorf("%d calls, %d models, %d steps; want %d, 100, 250", usage.TotalCalls, len(usage.ByModel), len(usage.Series), len(items))
	}
	var charted uint64
	for _, p := range usage.Series {
		charted += p.Calls
	}
	if charted != usage.TotalCalls {
		t.Errorf("the series has %d calls of %d", charted, usage.TotalCalls)
	}
	for i, g := range usage.ByModel[1:] {
		if g.Calls > usage.ByModel[i].Calls {
			t.Errorf("%s comes after %s, which has fewer calls", *g.Model, *usage.ByModel[i].Model)
		}
	}
}
