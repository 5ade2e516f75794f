package analytics

import (
	"fmt"
	"slices"
	"strings"

	ch "github.com/ClickHouse/clickhouse-go/v2"
)

// stepColumn stands for the steps of time in the sets of a [selection].
const stepColumn = "step"

// selection asks for sums over the calls of a filter. Everything it groups by is
// answered by one statement: planning one that reads four tables costs the engine
// 20 ms, several times what reading a month's rollups does.
type selection struct {
	filter   Filter
	sets     [][]string // what to group by, each on its own; the empty set is the total
	only     []string   // values of the first key to look at; nil: all
	interval Interval   // length of the steps, where a set has stepColumn
	sums     []string   // columns to add up
	users    bool       // also the number of distinct users
	latency  bool       // also quantiles of latencies
	most     string     // keep the maxGroups groups of each set that have the most of this; "": keep all
}

// allSums are the columns every source has, in the order of [measure].
var allSums = []string{"calls", "errors", "input_tokens", "output_tokens", "cost_micro_usd", "latency_us"}

// groupSums are what a [Group] shows.
var groupSums = []string{"calls", "input_tokens", "output_tokens", "cost_micro_usd"}

// columns are all that is grouped by, steps first.
func (s selection) columns() []string {
	list := s.keys()
	if s.stepped() {
		list = slices.Insert(list, 0, stepColumn)
	}
	return list
}

// keys are the columns without the steps.
func (s selection) keys() []string {
	var list []string
	for _, column := range slices.Concat(s.sets...) {
		if column != stepColumn && !slices.Contains(list, column) {
			list = append(list, column)
		}
	}
	return list
}

func (s selection) stepped() bool { return slices.Contains(slices.Concat(s.sets...), stepColumn) }

// sql composes one statement: a UNION ALL of the sources, and the sums over it.
func (s selection) sql() (string, []any) {
	c := s.filter.condition()
	used := slices.Concat(c.columns, s.keys())
	args := c.args
	if s.only != nil {
		c.terms = append(c.terms, s.keys()[0]+" IN {only:Array(String)}")
		args = append(args, ch.Named("only", s.only))
	}
	interval := s.interval
	if !s.stepped() {
		interval = ""
	}
	spans := cover(s.filter.Start, s.filter.End, ladder(used, interval, s.users, s.latency))
	if len(spans) == 0 { // an empty range
		spans = []span{{nil, s.filter.Start, s.filter.End}}
	}
	var parts []string
	for _, list := range bySource(spans) {
		var times []string
		for _, sp := range list {
			column, timeType := sp.timeColumn()
			start, end := fmt.Sprintf("start%d", len(args)), fmt.Sprintf("end%d", len(args))
			times = append(times, fmt.Sprintf("%s >= {%s:%s} AND %s < {%s:%s}", column, start, timeType, column, end, timeType))
			args = append(args, ch.Named(start, sp.start), ch.Named(end, sp.end))
		}
		parts = append(parts, s.part(list[0], slices.Concat(c.terms, []string{"(" + strings.Join(times, " OR ") + ")"})))
	}
	return s.outer("(" + strings.Join(parts, " UNION ALL ") + ")"), args
}

// bySource puts the spans of each table together: both edges of a range are read
// from the same tables.
func bySource(spans []span) [][]span {
	var list [][]span
	for _, sp := range spans {
		i := slices.IndexFunc(list, func(l []span) bool { return l[0].table() == sp.table() })
		if i < 0 {
			list = append(list, []span{sp})
			continue
		}
		list[i] = append(list[i], sp)
	}
	return list
}

// outer sums up what the sources have.
func (s selection) outer(from string) string {
	columns := s.columns()
	read := slices.Clone(columns)
	if len(s.sets) > 1 {
		read = append(read, "grouping("+strings.Join(columns, ", ")+") AS absent")
	}
	for _, sum := range s.sums {
		read = append(read, "sum(n_"+sum+") AS "+sum)
	}
	if s.users {
		read = append(read, "uniqMerge(s_users) AS users")
	}
	if s.latency {
		read = append(read, "quantilesTDigestMerge(0.5, 0.95, 0.99)(s_latency) AS latency",
			"quantilesTDigestMerge(0.5, 0.95, 0.99)(s_ttft) AS ttft")
	}
	sql := "SELECT " + strings.Join(read, ", ") + " FROM " + from
	switch {
	case len(s.sets) > 1:
		sets := make([]string, len(s.sets))
		for i, set := range s.sets {
			sets[i] = "(" + strings.Join(set, ", ") + ")"
		}
		sql += " GROUP BY GROUPING SETS (" + strings.Join(sets, ", ") + ")"
	case len(columns) > 0:
		sql += " GROUP BY " + strings.Join(columns, ", ")
	default:
		return sql
	}
	return sql + s.order(columns)
}

// order sorts by time, then groups with the most first. The limit is one of every
// set and step, so it never takes away a step.
func (s selection) order(columns []string) string {
	limit, by := "", slices.Clone(columns)
	if s.most != "" {
		at := 0
		if s.stepped() {
			at = 1
		}
		limit = fmt.Sprintf(" LIMIT %d", maxGroups)
		if len(s.sets) > 1 {
			limit += " BY " + strings.Join(append([]string{"absent"}, by[:at]...), ", ")
		}
		by = slices.Insert(by, at, s.most+" DESC")
	}
	return " ORDER BY " + strings.Join(by, ", ") + limit
}

// absent is what the column of that name is in the groups of a set: a bit for
// every column that the set lacks, the last column's the lowest.
func (s selection) absent(set []string) uint64 {
	var bits uint64
	for _, column := range s.columns() {
		bits <<= 1
		if !slices.Contains(set, column) {
			bits |= 1
		}
	}
	return bits
}

// states are the columns of a source from which users and quantiles are merged.
func (s selection) states(sp span) (columns []string) {
	users, latency, ttft := usersState, latencyState, ttftState
	if sp.source != nil {
		const merge = "quantilesTDigestMergeState(0.5, 0.95, 0.99)"
		latency, ttft = merge+"(latency)", merge+"(ttft)"
		if sp.source.users {
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

// part reads one source. What the sets share is summed up here: rows, which are
// many, and states, which are dear to merge. The numbers of a rollup are not: its
// rows are few, and summing them twice costs more than once.
func (s selection) part(sp span, terms []string) string {
	group := s.keys()
	columns := slices.Clone(group)
	if s.stepped() {
		column, _ := sp.timeColumn()
		columns = append(columns, "toDateTime("+s.interval.floor()+"("+column+"), 'UTC') AS "+stepColumn)
		group = append(group, stepColumn)
	}
	merges := sp.source == nil || s.users || s.latency
	for _, sum := range s.sums {
		columns = append(columns, sp.sum(sum, merges)+" AS n_"+sum)
	}
	columns = append(columns, s.states(sp)...)
	sql := "SELECT " + strings.Join(columns, ", ") + " FROM " + sp.table() + " WHERE " + strings.Join(terms, " AND ")
	if merges && len(group) > 0 {
		sql += " GROUP BY " + strings.Join(group, ", ")
	}
	return sql
}
