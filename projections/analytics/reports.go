package analytics

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"strata/domain"
)

// Report asks for figures over a range.
type Report struct {
	Filter
	GroupBy  string   // day, model, app, agent or user: splits the series; user also adds ByUser to Usage
	Interval Interval // steps of the series; "": chosen by the length of the range
}

// maxGroups bounds the groups of a breakdown, most expensive or busiest first.
const maxGroups = 100

// maxPoints bounds a series, so that a year by the minute is refused.
const maxPoints = 5000

// groupColumns are the columns behind GroupBy.
var groupColumns = map[string]string{"model": "model", "app": "app_id", "agent": "agent_id", "user": "end_user"}

// Group is the part of a report that belongs to one model, app, agent or user.
// Calls without one are in the group with the empty name.
type Group struct {
	Model        *string `json:"model,omitempty"`
	App          *string `json:"app_id,omitempty"`
	Agent        *string `json:"agent_id,omitempty"`
	User         *string `json:"user,omitempty"`
	Calls        uint64  `json:"calls"`
	InputTokens  uint64  `json:"input_tokens"`
	OutputTokens uint64  `json:"output_tokens"`
	TotalTokens  uint64  `json:"total_tokens"`
	CostUSD      float64 `json:"cost_usd"`
}

// Point is one step of a series. Steps without calls are left out.
type Point struct {
	Timestamp time.Time `json:"timestamp"` // when the step begins, UTC
	Group
	Errors       uint64  `json:"errors"`
	AvgLatencyMS float64 `json:"avg_latency_ms"`
}

// Usage answers how much was used.
type Usage struct {
	PeriodStart  time.Time `json:"period_start"`
	PeriodEnd    time.Time `json:"period_end"`
	Interval     Interval  `json:"interval"`
	TotalCalls   uint64    `json:"total_calls"`
	InputTokens  uint64    `json:"input_tokens"`
	OutputTokens uint64    `json:"output_tokens"`
	TotalTokens  uint64    `json:"total_tokens"`
	UniqueUsers  uint64    `json:"unique_users"`
	ByModel      []Group   `json:"by_model"`
	ByApp        []Group   `json:"by_app"`
	ByUser       []Group   `json:"by_user,omitempty"`
	Series       []Point   `json:"series"`
}

// Costs answers what it cost.
type Costs struct {
	PeriodStart time.Time `json:"period_start"`
	PeriodEnd   time.Time `json:"period_end"`
	Interval    Interval  `json:"interval"`
	TotalUSD    float64   `json:"total_usd"`
	ByModel     []Group   `json:"by_model"`
	ByApp       []Group   `json:"by_app"`
	ByAgent     []Group   `json:"by_agent"`
	ByUser      []Group   `json:"by_user"`
	Series      []Point   `json:"series"`
}

// PerformancePoint is one step of a performance series.
type PerformancePoint struct {
	Timestamp    time.Time `json:"timestamp"`
	Calls        uint64    `json:"calls"`
	Errors       uint64    `json:"errors"`
	AvgLatencyMS float64   `json:"avg_latency_ms"`
	P50LatencyMS float64   `json:"p50_latency_ms"`
	P95LatencyMS float64   `json:"p95_latency_ms"`
	P99LatencyMS float64   `json:"p99_latency_ms"`
	P95TTFTMS    float64   `json:"p95_ttft_ms"`
}

// Performance answers how fast and how reliable calls were. Quantiles are
// estimates (t-digest), close at the tails.
type Performance struct {
	PeriodStart         time.Time          `json:"period_start"`
	PeriodEnd           time.Time          `json:"period_end"`
	Interval            Interval           `json:"interval"`
	TotalCalls          uint64             `json:"total_calls"`
	AvgLatencyMS        float64            `json:"avg_latency_ms"`
	P50LatencyMS        float64            `json:"p50_latency_ms"`
	P95LatencyMS        float64            `json:"p95_latency_ms"`
	P99LatencyMS        float64            `json:"p99_latency_ms"`
	P50TTFTMS           float64            `json:"p50_ttft_ms"` // time to first token, streams only
	P95TTFTMS           float64            `json:"p95_ttft_ms"`
	P99TTFTMS           float64            `json:"p99_ttft_ms"`
	SuccessRate         float64            `json:"success_rate"` // 0 to 1; 0 when there were no calls
	ErrorRate           float64            `json:"error_rate"`   // 0 to 1
	ThroughputPerMinute float64            `json:"throughput_per_minute"`
	Series              []PerformancePoint `json:"series"`
}

// normalise checks a report and chooses what is left open. groups are the
// values GroupBy may have.
func (q *Queries) normalise(r Report, groups ...string) (Report, error) {
	filter, err := r.Filter.normalise(q.now())
	if err != nil {
		return r, err
	}
	r.Filter = filter
	if r.Interval == "" {
		r.Interval = intervalFor(r.Start, r.End)
		if r.GroupBy == "day" {
			r.Interval = Day
		}
	}
	var faults domain.Faults
	faults.Add(r.GroupBy != "" && !slices.Contains(groups, r.GroupBy), "group_by", "must be one of %v", groups)
	if step := r.Interval.duration(); step == 0 {
		faults.Add(true, "interval", "must be minute, hour or day")
	} else {
		faults.Add(r.End.Sub(r.Start)/step > maxPoints, "interval", "makes more than %d points over this range", maxPoints)
	}
	return r, faults.Err()
}

// Usage sums up calls and tokens. GroupBy: day, model, app or user.
func (q *Queries) Usage(ctx context.Context, r Report) (Usage, error) {
	r, err := q.normalise(r, "day", "model", "app", "user")
	if err != nil {
		return Usage{}, err
	}
	u := Usage{PeriodStart: r.Start, PeriodEnd: r.End, Interval: r.Interval}
	g, gctx := errgroup.WithContext(ctx)
	var sum figures
	g.Go(func() (err error) { sum, err = q.figures(gctx, r, "calls", "model", "app"); return err })
	g.Go(func() error {
		sets, err := q.measures(gctx, selection{filter: r.Filter, sets: [][]string{{}}, users: true})
		if err == nil {
			u.UniqueUsers = total(sets[0]).Users
		}
		return err
	})
	if r.GroupBy == "user" {
		g.Go(func() (err error) { u.ByUser, err = q.users(gctx, r.Filter, "calls"); return err })
	}
	if err := g.Wait(); err != nil {
		return Usage{}, err
	}
	u.TotalCalls, u.InputTokens, u.OutputTokens, u.TotalTokens = sum.all.Calls, sum.all.Input, sum.all.Output, sum.all.Input+sum.all.Output
	u.ByModel, u.ByApp = sum.by["model"], sum.by["app"]
	sum.by["user"] = u.ByUser
	u.Series, err = q.series(ctx, r, sum)
	return u, err
}

// Costs sums up what calls cost. GroupBy: day, model, app, agent or user.
func (q *Queries) Costs(ctx context.Context, r Report) (Costs, error) {
	r, err := q.normalise(r, "day", "model", "app", "agent", "user")
	if err != nil {
		return Costs{}, err
	}
	c := Costs{PeriodStart: r.Start, PeriodEnd: r.End, Interval: r.Interval}
	g, gctx := errgroup.WithContext(ctx)
	var sum figures
	g.Go(func() (err error) {
		sum, err = q.figures(gctx, r, "cost_micro_usd", "model", "app", "agent")
		return err
	})
	g.Go(func() (err error) { c.ByUser, err = q.users(gctx, r.Filter, "cost_micro_usd"); return err })
	if err := g.Wait(); err != nil {
		return Costs{}, err
	}
	c.TotalUSD = sum.all.costUSD()
	c.ByModel, c.ByApp, c.ByAgent = sum.by["model"], sum.by["app"], sum.by["agent"]
	sum.by["user"] = c.ByUser
	c.Series, err = q.series(ctx, r, sum)
	return c, err
}

// Performance sums up latency and errors. It takes no GroupBy.
func (q *Queries) Performance(ctx context.Context, r Report) (Performance, error) {
	r, err := q.normalise(r)
	if err != nil {
		return Performance{}, err
	}
	p := Performance{PeriodStart: r.Start, PeriodEnd: r.End, Interval: r.Interval, Series: []PerformancePoint{}}
	sets, err := q.measures(ctx, selection{
		filter: r.Filter, sets: [][]string{{}, {stepColumn}}, interval: r.Interval, sums: allSums, latency: true,
	})
	if err != nil {
		return Performance{}, err
	}
	p.sumUp(total(sets[0]))
	for _, m := range sets[1] {
		p.Series = append(p.Series, PerformancePoint{
			Timestamp: m.Step.UTC(), Calls: m.Calls, Errors: m.Errors, AvgLatencyMS: m.avgLatencyMS(),
			P50LatencyMS: quantileMS(m.Latency, 0), P95LatencyMS: quantileMS(m.Latency, 1),
			P99LatencyMS: quantileMS(m.Latency, 2), P95TTFTMS: quantileMS(m.TTFT, 1),
		})
	}
	return p, nil
}

// sumUp fills in the figures over the whole period.
func (p *Performance) sumUp(m measure) {
	p.TotalCalls, p.AvgLatencyMS = m.Calls, m.avgLatencyMS()
	p.P50LatencyMS, p.P95LatencyMS, p.P99LatencyMS = quantileMS(m.Latency, 0), quantileMS(m.Latency, 1), quantileMS(m.Latency, 2)
	p.P50TTFTMS, p.P95TTFTMS, p.P99TTFTMS = quantileMS(m.TTFT, 0), quantileMS(m.TTFT, 1), quantileMS(m.TTFT, 2)
	p.SuccessRate, p.ErrorRate = m.successRate(), ratio(m.Errors, m.Calls)
	if length := p.PeriodEnd.Sub(p.PeriodStart).Minutes(); length > 0 {
		p.ThroughputPerMinute = float64(m.Calls) / length
	}
}

// figures are what a report says of the whole range: one statement answers it.
type figures struct {
	all   measure
	by    map[string][]Group // by the values of GroupBy, those with the most first
	steps []measure          // nil when GroupBy splits the series
}

// figures sums up calls over the range, by keys and, unless GroupBy splits the
// series, by steps. Groups with the most of a column come first.
func (q *Queries) figures(ctx context.Context, r Report, most string, by ...string) (figures, error) {
	b := figures{by: map[string][]Group{}}
	s := selection{filter: r.Filter, sets: [][]string{{}}, interval: r.Interval, sums: allSums, most: most}
	for _, name := range by {
		s.sets = append(s.sets, []string{groupColumns[name]})
	}
	stepped := groupColumns[r.GroupBy] == ""
	if stepped {
		s.sets = append(s.sets, []string{stepColumn})
	}
	sets, err := q.measures(ctx, s)
	if err != nil {
		return b, err
	}
	b.all = total(sets[0])
	for i, name := range by {
		b.by[name] = groupsOf(sets[i+1], name)
	}
	if stepped {
		b.steps = sets[len(by)+1]
	}
	return b, nil
}

// users breaks calls down by end user, those with the most of a column first. It
// is a statement of its own, because end users are in a rollup of their own.
func (q *Queries) users(ctx context.Context, f Filter, most string) ([]Group, error) {
	sets, err := q.measures(ctx, selection{filter: f, sets: [][]string{{groupColumns["user"]}}, sums: groupSums, most: most})
	if err != nil {
		return nil, err
	}
	return groupsOf(sets[0], "user"), nil
}

func groupsOf(list []measure, by string) []Group {
	groups := make([]Group, 0, len(list))
	for _, m := range list {
		groups = append(groups, groupOf(m, by))
	}
	return groups
}

// name is the key's value.
func (g Group) name() string {
	for _, key := range []*string{g.Model, g.App, g.Agent, g.User} {
		if key != nil {
			return *key
		}
	}
	return ""
}

func groupOf(m measure, by string) Group {
	g := Group{
		Calls: m.Calls, InputTokens: m.Input, OutputTokens: m.Output, TotalTokens: m.Input + m.Output, CostUSD: m.costUSD(),
	}
	switch by {
	case "model":
		g.Model = &m.Model
	case "app":
		g.App = &m.App
	case "agent":
		g.Agent = &m.Agent
	case "user":
		g.User = &m.User
	}
	return g
}

// series breaks a report's calls down by time, and by GroupBy if that is a key:
// then it has the groups of the breakdown only.
func (q *Queries) series(ctx context.Context, r Report, whole figures) ([]Point, error) {
	steps := whole.steps
	if column := groupColumns[r.GroupBy]; column != "" {
		only := make([]string, 0, maxGroups)
		for _, g := range whole.by[r.GroupBy] {
			only = append(only, g.name())
		}
		sets, err := q.measures(ctx, selection{
			filter: r.Filter, sets: [][]string{{stepColumn, column}}, only: only, interval: r.Interval, sums: allSums,
		})
		if err != nil {
			return nil, err
		}
		steps = sets[0]
	}
	points := make([]Point, 0, len(steps))
	for _, m := range steps {
		points = append(points, Point{Timestamp: m.Step.UTC(), Group: groupOf(m, r.GroupBy), Errors: m.Errors, AvgLatencyMS: m.avgLatencyMS()})
	}
	return points, nil
}

// Breakdown is one line of what a budget was spent on.
type Breakdown struct {
	Agent        *string    `json:"agent_id,omitempty"`
	Model        *string    `json:"model,omitempty"`
	Day          *time.Time `json:"day,omitempty"`
	Calls        uint64     `json:"calls"`
	InputTokens  uint64     `json:"input_tokens"`
	OutputTokens uint64     `json:"output_tokens"`
	TotalTokens  uint64     `json:"total_tokens"`
	CostUSD      float64    `json:"cost_usd"`
}

// BudgetBreakdown tells what the calls of a budget's scope were spent on, by
// agent, model (dearest first) or day (in order). The scope is a Filter: only
// the field of the scope's type is set beside the workspace; for an
// organization, Organization alone.
func (q *Queries) BudgetBreakdown(ctx context.Context, scope Filter, groupBy string) ([]Breakdown, error) {
	r, err := q.normalise(Report{Filter: scope, GroupBy: groupBy, Interval: Day}, "agent", "model", "day")
	if err != nil {
		return nil, err
	}
	s := selection{filter: r.Filter, sets: [][]string{{stepColumn}}, interval: Day, sums: groupSums}
	byDay := groupColumns[groupBy] == ""
	if !byDay {
		s.sets, s.most = [][]string{{groupColumns[groupBy]}}, "cost_micro_usd"
	}
	sets, err := q.measures(ctx, s)
	if err != nil {
		return nil, err
	}
	lines := make([]Breakdown, 0, len(sets[0]))
	for _, m := range sets[0] {
		g := groupOf(m, groupBy)
		line := Breakdown{Agent: g.Agent, Model: g.Model, Calls: g.Calls, InputTokens: g.InputTokens,
			OutputTokens: g.OutputTokens, TotalTokens: g.TotalTokens, CostUSD: g.CostUSD}
		if byDay {
			day := m.Step.UTC()
			line.Day = &day
		}
		lines = append(lines, line)
	}
	return lines, nil
}
