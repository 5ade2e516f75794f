package analytics

import (
	"slices"
	"time"
)

// span is a half-open stretch of time read from one table.
type span struct {
	source     *rollup // nil: the rows themselves
	start, end time.Time
}

// table is where a span is read from.
func (s span) table() string {
	if s.source == nil {
		return rowsTable.name
	}
	return s.source.name
}

// timeColumn is the time of the table's rows, and its type.
func (s span) timeColumn() (column, timeType string) {
	if s.source == nil {
		return "ts", "DateTime64(6, 'UTC')"
	}
	return "bucket", "DateTime('UTC')"
}

// sum is a column that a [selection] adds up: added up already if it is merged,
// else as it stands in a rollup.
func (s span) sum(column string, merged bool) string {
	switch {
	case s.source != nil && !merged:
		return column
	case s.source != nil:
	case column == "calls":
		return "count()"
	case column == "errors":
		return "countIf(status = 'error')"
	}
	return "sum(" + column + ")"
}

// cover splits [start, end) so that as much as possible is read from the first
// rollup, what is left at both edges from the next, and the remainder from the
// rows. Spans of rollups begin and end at whole units, so no call is counted
// by halves; together the spans cover the range exactly once.
func cover(start, end time.Time, ladder []rollup) []span {
	if !start.Before(end) {
		return nil
	}
	if len(ladder) == 0 {
		return []span{{nil, start, end}}
	}
	unit, finer := ladder[0], ladder[1:]
	from, to := ceil(start, unit.unit), end.Truncate(unit.unit)
	if !from.Before(to) {
		return cover(start, end, finer)
	}
	spans := cover(start, from, finer)
	spans = append(spans, span{&unit, from, to})
	return append(spans, cover(to, end, finer)...)
}

func ceil(t time.Time, unit time.Duration) time.Time {
	floor := t.Truncate(unit)
	if floor.Before(t) {
		return floor.Add(unit)
	}
	return floor
}

// Interval is the length of the steps of a series.
type Interval string

// The intervals of a series.
const (
	Minute Interval = "minute"
	Hour   Interval = "hour"
	Day    Interval = "day"
)

func (i Interval) duration() time.Duration {
	return map[Interval]time.Duration{Minute: time.Minute, Hour: time.Hour, Day: 24 * time.Hour}[i]
}

func (i Interval) floor() string {
	return map[Interval]string{Minute: minutes.floor, Hour: hours.floor, Day: days.floor}[i]
}

// intervalFor chooses steps that make a chart of 30 to 400 points.
func intervalFor(start, end time.Time) Interval {
	switch length := end.Sub(start); {
	case length <= 3*time.Hour:
		return Minute
	case length <= 14*24*time.Hour:
		return Hour
	default:
		return Day
	}
}

// ladder returns the rollups that can answer for the columns in use (filters
// and keys) at an interval ("" when there is no series), the one to read most
// from first and then ever finer ones; users and latency tell whether distinct
// users and quantiles are asked for. Distinct users of all calls come from the
// rollup that has users as a key, quantiles of all calls from the one without
// keys: merging the states of every model and app takes ten times as long.
func ladder(columns []string, interval Interval, users, latency bool) []rollup {
	var list []rollup
	for _, r := range []rollup{userDays, totals, days, hours, minutes} {
		fine := interval == "" || r.unit <= interval.duration()
		holds := !slices.ContainsFunc(columns, func(c string) bool { return !slices.Contains(r.keys, c) })
		byUser := slices.Contains(r.keys, "end_user")
		can := (!users || r.users || byUser) && (!latency || r.latency)
		wanted := !byUser || users || slices.Contains(columns, "end_user")
		finer := len(list) == 0 || r.unit < list[len(list)-1].unit
		if fine && holds && wanted && can && finer {
			list = append(list, r)
		}
	}
	return list
}
