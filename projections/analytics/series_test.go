package analytics_test

import (
	"fmt"
	"testing"

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
