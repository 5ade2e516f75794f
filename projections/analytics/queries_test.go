package analytics_test

import (
	"fmt"
	"math"
	"os"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"strata/domain"
	"strata/domain/inference"
	"strata/internal/clickhouse/clickhousetest"
	"strata/projections/analytics"
)

// seeded are the calls that the query tests share: two workspaces of one
// organization, written once.
var seeded = struct {
	sync.Once
	items []analytics.Item
}{}

func seed(t *testing.T) (*analytics.Queries, []inference.Recorded) {
	t.Helper()
	db := clickhousetest.Shared(t)
	seeded.Do(func() {
		w := analytics.NewWriter(db, analytics.WriterOptions{MaxDelay: time.Millisecond})
		_, err := w.Resume(t.Context())
		must(t, err)
		stop := start(t, w)
		defer stop()
		items := history(10, 1500, "ws_q")
		for _, it := range history(11, 300, "ws_other") {
			it.Position += last(items[:len(items):len(items)])
			seeded.items = append(seeded.items, it)
		}
		seeded.items = append(items, seeded.items...)
		deliver(t, w, seeded.items)
		settled(t, w, last(seeded.items))
	})
	if seeded.items == nil {
		t.Fatal("seeding failed in an earlier test")
	}
	var calls []inference.Recorded
	for _, it := range seeded.items {
		if call, ok := it.Fact.(inference.Recorded); ok {
			calls = append(calls, call)
		}
	}
	return analytics.NewQueries(db, func() time.Time { return noon.Add(40 * time.Hour) }), calls
}

// matching is the reference: the filter in plain Go.
func matching(calls []inference.Recorded, f analytics.Filter) []inference.Recorded {
	match := func(want, got string) bool { return want == "" || want == got }
	var list []inference.Recorded
	for _, c := range calls {
		if match(f.Workspace, c.Workspace) && match(f.Organization, c.Organization) && match(f.User, c.User) && match(f.Model, c.Model) &&
			match(f.App, c.App) && match(f.Agent, c.Agent) && match(f.APIKey, c.APIKey) && match(f.Type, c.Type) &&
			match(f.Status, string(c.Status)) && match(f.CorrelationID, c.CorrelationID) &&
			(f.Tag == "" || slices.Contains(c.Tags, f.Tag)) && !c.StartedAt.Before(f.Start) && c.StartedAt.Before(f.End) {
			list = append(list, c)
		}
	}
	return list
}

type totals struct {
	calls, errors, in, out uint64
	cost                   domain.Money
	latency                int64
	users                  map[string]bool
}

func sum(calls []inference.Recorded) totals {
	s := totals{users: map[string]bool{}}
	for _, c := range calls {
		s.calls++
		if c.Status == inference.Failed {
			s.errors++
		}
		s.in, s.out, s.cost, s.latency = s.in+uint64(c.InputTokens), s.out+uint64(c.OutputTokens), s.cost+c.Cost, s.latency+c.LatencyUS
		s.users[c.User] = true
	}
	return s
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-6*math.Max(1, math.Abs(b)) }

// drawFilter draws a filter and a range whose edges fall anywhere.
func drawFilter(t *rapid.T) analytics.Filter {
	opt := func(name string, values ...string) string {
		return rapid.SampledFrom(append([]string{"", ""}, values...)).Draw(t, name)
	}
	from := noon.Add(-13 * time.Hour)
	a := rapid.Int64Range(0, int64(50*time.Hour)).Draw(t, "a")
	b := rapid.Int64Range(0, int64(50*time.Hour)).Draw(t, "b")
	if rapid.Bool().Draw(t, "whole hours") {
		a -= a % int64(time.Hour)
	}
	return analytics.Filter{
		Workspace: "ws_q", Start: from.Add(time.Duration(min(a, b))).Truncate(time.Microsecond), End: from.Add(time.Duration(max(a, b))).Truncate(time.Microsecond),
		User: opt("user", "user_7"), Model: opt("model", "p/small", "none"), App: opt("app", "app_1"),
		APIKey: opt("key", "key_1"), Type: opt("type", "chat"),
	}
}

func TestReportsEqualTheRows(t *testing.T) {
	q, calls := seed(t)
	rounds, most := 0, 8
	if os.Getenv("STRATA_TEST_LONG") != "" {
		most = 100
	}
	rapid.Check(t, func(rt *rapid.T) {
		if rounds++; rounds > most { // a round is some twenty statements
			return
		}
		f := drawFilter(rt)
		want := sum(matching(calls, f))
		group := rapid.SampledFrom([]string{"", "day", "model", "app", "user"}).Draw(rt, "group by")
		interval := rapid.SampledFrom([]analytics.Interval{"", analytics.Hour, analytics.Day, analytics.Minute}).Draw(rt, "interval")

		usage, err := q.Usage(t.Context(), analytics.Report{Filter: f, GroupBy: group, Interval: interval})
		if err != nil {
			rt.Fatal(err)
		}
		if usage.TotalCalls != want.calls || usage.InputTokens != want.in || usage.OutputTokens != want.out ||
			usage.TotalTokens != want.in+want.out || usage.UniqueUsers != uint64(len(want.users)) {
			rt.Fatalf("usage %+v, want %+v with %d users", usage, want, len(want.users))
		}
		var points totals
		for _, p := range usage.Series {
			points.calls, points.in, points.errors = points.calls+p.Calls, points.in+p.InputTokens, points.errors+p.Errors
		}
		if points.calls != want.calls || points.in != want.in || points.errors != want.errors {
			rt.Fatalf("series adds up to %+v, want %+v", points, want)
		}

		costs, err := q.Costs(t.Context(), analytics.Report{Filter: f, Interval: interval})
		if err != nil {
			rt.Fatal(err)
		}
		if !near(costs.TotalUSD, want.cost.Dollars()) {
			rt.Fatalf("costs %v, want %v", costs.TotalUSD, want.cost.Dollars())
		}
		for name, groups := range map[string][]analytics.Group{"model": costs.ByModel, "app": costs.ByApp, "agent": costs.ByAgent, "user": costs.ByUser} {
			var total float64
			for _, g := range groups {
				total += g.CostUSD
			}
			if !near(total, want.cost.Dollars()) {
				rt.Fatalf("costs by %s add up to %v, want %v", name, total, want.cost.Dollars())
			}
		}

		performance, err := q.Performance(t.Context(), analytics.Report{Filter: f, Interval: interval})
		if err != nil {
			rt.Fatal(err)
		}
		if performance.TotalCalls != want.calls {
			rt.Fatalf("performance of %d calls, want %d", performance.TotalCalls, want.calls)
		}
		if want.calls > 0 && !near(performance.AvgLatencyMS, float64(want.latency)/float64(want.calls)/1000) {
			rt.Fatalf("average latency %v", performance.AvgLatencyMS)
		}

		summary, err := q.Summary(t.Context(), f)
		if err != nil {
			rt.Fatal(err)
		}
		if summary.TotalCalls != want.calls || !near(summary.CostUSD, want.cost.Dollars()) {
			rt.Fatalf("summary %+v, want %+v", summary, want)
		}
	})
}

func TestPerformanceQuantiles(t *testing.T) {
	q, calls := seed(t)
	f := analytics.Filter{Workspace: "ws_q", Start: noon.Add(-24 * time.Hour), End: noon.Add(48 * time.Hour)}
	p, err := q.Performance(t.Context(), analytics.Report{Filter: f})
	must(t, err)
	var latencies []float64
	for _, c := range matching(calls, f) {
		latencies = append(latencies, float64(c.LatencyUS)/1000)
	}
	sort.Float64s(latencies)
	for quantile, got := range map[float64]float64{0.5: p.P50LatencyMS, 0.95: p.P95LatencyMS, 0.99: p.P99LatencyMS} {
		want := latencies[int(quantile*float64(len(latencies)))]
		if math.Abs(got-want) > 0.03*want {
			t.Errorf("p%v is %v ms, want about %v", quantile*100, got, want)
		}
	}
	if p.P95TTFTMS < 0.1 || p.P95TTFTMS > 0.2 {
		t.Errorf("p95 to the first token is %v ms", p.P95TTFTMS)
	}
	if !near(p.SuccessRate+p.ErrorRate, 1) || p.Interval != analytics.Hour || len(p.Series) < 40 {
		t.Errorf("got %+v", p)
	}
	if want := float64(p.TotalCalls) / (72 * 60); !near(p.ThroughputPerMinute, want) {
		t.Errorf("throughput %v, want %v", p.ThroughputPerMinute, want)
	}

	empty, err := q.Performance(t.Context(), analytics.Report{Filter: analytics.Filter{Workspace: "ws_nobody"}})
	must(t, err)
	if empty.TotalCalls != 0 || empty.P99LatencyMS != 0 || empty.SuccessRate != 0 || len(empty.Series) != 0 {
		t.Errorf("of nothing: %+v", empty)
	}
}

func TestInferenceLogsFilterAndPage(t *testing.T) {
	q, calls := seed(t)
	all := analytics.Filter{Workspace: "ws_q"}
	for name, change := range map[string]func(*analytics.Filter){
		"all":            func(*analytics.Filter) {},
		"user":           func(f *analytics.Filter) { f.User = "user_3" },
		"model":          func(f *analytics.Filter) { f.Model = "p/large" },
		"errors":         func(f *analytics.Filter) { f.Status = "error" },
		"type":           func(f *analytics.Filter) { f.Type = "embedding" },
		"tag":            func(f *analytics.Filter) { f.Tag = "red" },
		"correlation id": func(f *analytics.Filter) { f.CorrelationID = "corr_5" },
		"hostile":        func(f *analytics.Filter) { f.User = "' OR 1=1 --" },
		"from":           func(f *analytics.Filter) { f.Start = noon },
		"between":        func(f *analytics.Filter) { f.Start, f.End = noon, noon.Add(time.Hour) },
	} {
		f := all
		change(&f)
		reference := f
		if f.End.IsZero() {
			reference.End = noon.Add(100 * time.Hour)
		}
		want := matching(calls, reference)
		slices.SortFunc(want, func(a, b inference.Recorded) int {
			if c := b.StartedAt.Compare(a.StartedAt); c != 0 {
				return c
			}
			return strings.Compare(b.ID, a.ID)
		})
		got := 0
		for number := 1; ; number++ {
			page, err := q.InferenceLogs(t.Context(), f, analytics.Page{Number: number, Size: 100, Total: number == 1})
			must(t, err)
			if page.Total != nil && *page.Total != uint64(len(want)) {
				t.Fatalf("%s: total %d, want %d", name, *page.Total, len(want))
			}
			for _, l := range page.Logs {
				if got >= len(want) || l.ID != want[got].ID {
					t.Fatalf("%s: row %d is %s", name, got, l.ID)
				}
				got++
			}
			if !page.HasMore || (name == "all" && number == 3) {
				break
			}
		}
		if name != "all" && got != len(want) {
			t.Errorf("%s: %d rows, want %d", name, got, len(want))
		}
	}
}

func TestInferenceLogWithPayload(t *testing.T) {
	q, calls := seed(t)
	i := slices.IndexFunc(seeded.items, func(it analytics.Item) bool { _, ok := it.Fact.(inference.PayloadRecorded); return ok })
	want := seeded.items[i-1].Fact.(inference.Recorded)
	n := slices.IndexFunc(calls, func(c inference.Recorded) bool { return c.ID == want.ID })
	got, err := q.InferenceLog(t.Context(), "ws_q", want.ID)
	must(t, err)
	if got.ID != want.ID || !got.Timestamp.Equal(want.StartedAt) || got.CostUSD != want.Cost.Dollars() || got.Metadata["n"] != fmt.Sprint(n) ||
		got.LatencyMS != (want.LatencyUS+500)/1000 || got.TotalTokens != uint64(want.InputTokens+want.OutputTokens) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if string(got.Request) != `{"q":"ü"}` {
		t.Errorf("request %q", got.Request)
	}
	for _, stranger := range [][2]string{{"ws_other", want.ID}, {"ws_q", "inf_none"}} {
		if _, err := q.InferenceLog(t.Context(), stranger[0], stranger[1]); domain.CodeOf(err) != domain.CodeNotFound {
			t.Errorf("%v: %v", stranger, err)
		}
	}
}

func TestBudgetBreakdown(t *testing.T) {
	q, calls := seed(t)
	within := analytics.Filter{Start: noon.Add(-12 * time.Hour), End: noon.Add(36 * time.Hour)}
	for name, scope := range map[string]analytics.Filter{
		"workspace":    {Workspace: "ws_q"},
		"organization": {Organization: "org_1"},
		"app":          {Workspace: "ws_q", App: "app_1"},
		"user":         {Workspace: "ws_q", User: "user_1"},
		"key":          {Workspace: "ws_q", APIKey: "key_2"},
	} {
		scope.Start, scope.End = within.Start, within.End
		want := sum(matching(calls, scope))
		for _, by := range []string{"", "day", "agent", "model"} {
			lines, err := q.BudgetBreakdown(t.Context(), scope, by)
			must(t, err)
			var cost float64
			for _, line := range lines {
				cost += line.CostUSD
				if (line.Day != nil) != (by == "" || by == "day") || (line.Agent != nil) != (by == "agent") || (line.Model != nil) != (by == "model") {
					t.Errorf("%s by %q: %+v", name, by, line)
				}
			}
			if !near(cost, want.cost.Dollars()) {
				t.Errorf("%s by %q: %v, want %v", name, by, cost, want.cost.Dollars())
			}
		}
	}
}

func TestFaultyFiltersNameTheirFields(t *testing.T) {
	q, _ := seed(t)
	_, err := q.Usage(t.Context(), analytics.Report{Filter: analytics.Filter{Workspace: "w"}, GroupBy: "colour", Interval: "week"})
	fields(t, err, "group_by", "interval")
	_, err = q.Costs(t.Context(), analytics.Report{Filter: analytics.Filter{Workspace: "w", Start: noon.AddDate(-5, 0, 0), End: noon}, Interval: analytics.Minute})
	fields(t, err, "interval")
	_, err = q.InferenceLogs(t.Context(), analytics.Filter{Workspace: "w", Start: noon, End: noon.Add(-1), Status: "odd"}, analytics.Page{})
	fields(t, err, "start_date", "status")
	_, err = q.InferenceLogs(t.Context(), analytics.Filter{Workspace: "w"}, analytics.Page{Number: -1, Size: -1})
	fields(t, err, "page", "page_size")
	if _, err = q.Summary(t.Context(), analytics.Filter{}); domain.CodeOf(err) != domain.CodeInternal {
		t.Errorf("without a tenant: %v", err)
	}
}

func fields(t *testing.T, err error, want ...string) {
	t.Helper()
	fault, ok := err.(*domain.Error)
	if !ok || fault.Code != domain.CodeValidation {
		t.Errorf("got %v, want faults in %v", err, want)
		return
	}
	var got []string
	for _, f := range fault.Fields {
		got = append(got, f.Field)
	}
	if !slices.Equal(got, want) {
		t.Errorf("faulty fields %v, want %v", got, want)
	}
}
