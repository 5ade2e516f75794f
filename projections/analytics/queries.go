package analytics

import (
	"context"
	"time"

	"strata/domain"
	"strata/internal/clickhouse"
)

// Queries answers from the tables. Every answer is of one tenant: the caller
// must have checked that the principal may read the filter's workspace.
//
// Errors: a domain validation error for a filter that cannot be; "service
// unavailable" while the engine is away; anything else is internal.
type Queries struct {
	db  *clickhouse.DB
	now func() time.Time
}

// NewQueries makes queries over db. now is the clock that closes open ranges;
// nil: time.Now.
func NewQueries(db *clickhouse.DB, now func() time.Time) *Queries {
	if now == nil {
		now = time.Now
	}
	return &Queries{db: db, now: now}
}

// measure is one group of calls, as ClickHouse sums it up.
type measure struct {
	Absent    uint64    `ch:"absent"` // of which set it is: selection.absent
	Step      time.Time `ch:"step"`
	Model     string    `ch:"model"`
	App       string    `ch:"app_id"`
	Agent     string    `ch:"agent_id"`
	User      string    `ch:"end_user"`
	Calls     uint64    `ch:"calls"`
	Errors    uint64    `ch:"errors"`
	Input     uint64    `ch:"input_tokens"`
	Output    uint64    `ch:"output_tokens"`
	Cost      int64     `ch:"cost_micro_usd"`
	LatencyUS uint64    `ch:"latency_us"`
	Users     uint64    `ch:"users"`
	Latency   []float32 `ch:"latency"` // µs at 50, 95 and 99 %
	TTFT      []float32 `ch:"ttft"`    // the same to the first token, streams only
}

func (m measure) costUSD() float64 { return domain.Money(m.Cost).Dollars() }

func (m measure) avgLatencyMS() float64 { return ratio(m.LatencyUS, m.Calls) / 1000 }

func (m measure) successRate() float64 { return ratio(m.Calls-m.Errors, m.Calls) }

func ratio(part, whole uint64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// quantileMS returns the i-th quantile in milliseconds; of no calls it is 0.
func quantileMS(list []float32, i int) float64 {
	if i >= len(list) || list[i] != list[i] { // NaN
		return 0
	}
	return float64(list[i]) / 1000
}

// measures runs a selection and returns the groups of each of its sets.
func (q *Queries) measures(ctx context.Context, s selection) ([][]measure, error) {
	sql, args := s.sql()
	var list []measure
	if err := q.db.Conn().Select(ctx, &list, sql, args...); err != nil {
		return nil, q.db.Explain("query analytics", err)
	}
	if len(s.sets) == 1 {
		return [][]measure{list}, nil
	}
	groups := make([][]measure, len(s.sets))
	for i, set := range s.sets {
		for _, m := range list {
			if m.Absent == s.absent(set) {
				groups[i] = append(groups[i], m)
			}
		}
	}
	return groups, nil
}

// total is the one group of a set without columns; it has none when there are no
// calls and other sets beside it.
func total(groups []measure) measure {
	if len(groups) == 0 {
		return measure{}
	}
	return groups[0]
}
