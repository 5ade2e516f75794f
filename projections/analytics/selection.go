package analytics

import (
	"fmt"
	"slices"
	"strings"

	ch "github.com/ClickHouse/clickhouse-go/v2"
)

// selection asks for sums over the calls of a filter, grouped.
type selection struct {
	filter   Filter
	keys     []string // columns to group by
	only     []string // values of the first key to look at; nil: all
	interval Interval // also group by steps of time; "": no
	users    bool     // also the number of distinct users
	latency  bool     // also quantiles of latencies
	total    bool     // with an interval: also one row over all steps, at the zero of Unix time
	order    string   // of the result; "": by time
	limit    int      // 0: none
}

// sums are the columns every source has, in the order of [measure].
var sums = []string{"calls", "errors", "input_tokens", "output_tokens", "cost_micro_usd", "latency_us"}

// sql composes one statement: a UNION ALL of the spans, each grouped already,
// and the sums over it.
func (s selection) sql() (string, []any) {
	c := s.filter.condition()
	used := slices.Concat(c.columns, s.keys)
	var parts []string
	args := c.args
	if s.only != nil {
		c.terms = append(c.terms, s.keys[0]+" IN {only:Array(String)}")
		args = append(args, ch.Named("only", s.only))
	}
	for i, sp := range cover(s.filter.Start, s.filter.End, ladder(used, s.interval, s.users, s.latency)) {
		start, end := fmt.Sprintf("start%d", i), fmt.Sprintf("end%d", i)
		parts = append(parts, s.part(sp, c.terms, start, end))
		args = append(args, ch.Named(start, sp.start), ch.Named(end, sp.end))
	}
	if len(parts) == 0 { // an empty range
		parts = append(parts, s.part(span{nil, s.filter.Start, s.filter.End}, c.terms, "start", "end"))
		args = append(args, ch.Named("start", s.filter.Start), ch.Named("end", s.filter.End))
	}
	columns, group := s.outerKeys()
	for _, sum := range sums {
		columns = append(columns, "sum(n_"+sum+") AS "+sum)
	}
	if s.users {
		columns = append(columns, "uniqMerge(s_users) AS users")
	}
	if s.latency {
		columns = append(columns, "quantilesTDigestMerge(0.5, 0.95, 0.99)(s_latency) AS latency",
			"quantilesTDigestMerge(0.5, 0.95, 0.99)(s_ttft) AS ttft")
	}
	sql := "SELECT " + strings.Join(columns, ", ") + " FROM (" + strings.Join(parts, " UNION ALL ") + ")" + group
	switch {
	case s.order != "":
		sql += " ORDER BY " + s.order
	case s.interval != "":
		sql += " ORDER BY " + strings.Join(append([]string{"step"}, s.keys...), ", ")
	}
	if s.limit > 0 {
		sql += fmt.Sprintf(" LIMIT %d", s.limit)
	}
	return sql, args
}

// outerKeys are the keys as columns over the union of the spans, and the clause
// that groups by them. A total takes every step twice: for itself and for the
// total. The spans have merged what belongs to a step by then, so this is cheap.
func (s selection) outerKeys() (columns []string, group string) {
	columns = slices.Clone(s.keys)
	names := columns
	if s.interval != "" {
		step := "inner_step AS step"
		if s.total {
			step = "arrayJoin([inner_step, toDateTime(0, 'UTC')]) AS step"
		}
		columns, names = append([]string{step}, columns...), append([]string{"step"}, columns...)
	}
	if len(names) > 0 {
		group = " GROUP BY " + strings.Join(names, ", ")
	}
	return columns, group
}

// states are the columns of a span from which users and quantiles are merged.
func (s selection) states(sp span) (columns []string) {
	users, latency, ttft := usersState, latencyState, ttftState
	if sp.source != nil {
		const merge = "quantilesTDigestMergeState(0.5, 0.95, 0.99)"
		latency, ttft = merge+"(latency)", merge+"(ttft)"
		if sp.source.states {
			users = "uniqMergeState(users)"
		} // else end users are a key
	}
	if s.users {
		columns = append(columns, users+" AS s_users")
	}
	if s.latency {
		columns = append(columns, latency+" AS s_latency", ttft+" AS s_ttft")
	}
	return columns
}

// part reads one span.
func (s selection) part(sp span, terms []string, start, end string) string {
	columns := slices.Clone(s.keys)
	from, column, timeType := "inferences", "ts", "DateTime64(6, 'UTC')"
	if sp.source != nil {
		from, column, timeType = sp.source.name, "bucket", "DateTime('UTC')"
	}
	if s.interval != "" {
		columns = append([]string{"toDateTime(" + s.interval.floor() + "(" + column + "), 'UTC') AS inner_step"}, columns...)
	}
	if sp.source != nil {
		for _, sum := range sums {
			columns = append(columns, "sum("+sum+") AS n_"+sum)
		}
	} else {
		columns = append(columns, "count() AS n_calls", "countIf(status = 'error') AS n_errors")
		for _, sum := range sums[2:] {
			columns = append(columns, "sum("+sum+") AS n_"+sum)
		}
	}
	columns = append(columns, s.states(sp)...)
	where := slices.Concat(terms, []string{
		fmt.Sprintf("%s >= {%s:%s}", column, start, timeType), fmt.Sprintf("%s < {%s:%s}", column, end, timeType),
	})
	sql := "SELECT " + strings.Join(columns, ", ") + " FROM " + from + " WHERE " + strings.Join(where, " AND ")
	group := slices.Clone(s.keys)
	if s.interval != "" {
		group = append([]string{"inner_step"}, group...)
	}
	if len(group) > 0 {
		sql += " GROUP BY " + strings.Join(group, ", ")
	}
	return sql
}
