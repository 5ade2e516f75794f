package analytics

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// rollup is a table of aggregate states by time and keys.
type rollup struct {
	name    string
	unit    time.Duration // length of its buckets
	floor   string        // SQL function that rounds a time down to a bucket
	keys    []string      // beside workspace_id and bucket
	users   bool          // has the states for distinct users
	latency bool          // has those for quantiles
}

var (
	commonKeys = []string{"model", "provider", "app_id", "agent_id", "api_key_id", "type"}
	minutes    = rollup{name: "rollup_minute", unit: time.Minute, floor: "toStartOfMinute", keys: commonKeys, users: true, latency: true}
	hours      = rollup{name: "rollup_hour", unit: time.Hour, floor: "toStartOfHour", keys: commonKeys, users: true, latency: true}
	days       = rollup{name: "rollup_day", unit: 24 * time.Hour, floor: "toStartOfDay", keys: commonKeys, users: true, latency: true}
	userDays   = rollup{name: "rollup_user", unit: 24 * time.Hour, floor: "toStartOfDay", keys: []string{"end_user"}}
	// totals have no keys: merging the digests of every model and app of a month
	// takes ten times as long as merging those of its hours.
	totals  = rollup{name: "rollup_total", unit: time.Hour, floor: "toStartOfHour", latency: true}
	rollups = []rollup{minutes, hours, days, userDays, totals}
)

// The states as they are computed from rows. -StateIf, not -IfState: the state
// then has the type of the plain function.
const (
	usersState   = "uniqStateIf(end_user, end_user != '')"
	latencyState = "quantilesTDigestState(0.5, 0.95, 0.99)(latency_us)"
	ttftState    = "quantilesTDigestStateIf(0.5, 0.95, 0.99)(ttft_us, ttft_us > 0)"
)

// fillSQL is the INSERT that adds rows of a month, between two positions, to a
// rollup. Its GROUP BY makes one block, so it is atomic like any INSERT here.
func (r rollup) fillSQL() string {
	columns := append([]string{"workspace_id", "organization_id", "bucket"}, r.keys...)
	columns = append(columns, "calls", "errors", "input_tokens", "output_tokens", "cost_micro_usd", "latency_us")
	values := append([]string{"workspace_id", "any(organization_id)", "toDateTime(" + r.floor + "(ts), 'UTC') AS at"}, r.keys...)
	values = append(values, "count()", "countIf(status = 'error')", "sum(input_tokens)", "sum(output_tokens)",
		"sum(cost_micro_usd)", "sum(latency_us)")
	if r.users {
		columns, values = append(columns, "users"), append(values, usersState)
	}
	if r.latency {
		columns, values = append(columns, "latency", "ttft"), append(values, latencyState, ttftState)
	}
	columns, values = append(columns, "last_position", "lane"), append(values, "max(position)", "lane")
	return "INSERT INTO " + r.name + " (" + strings.Join(columns, ", ") + ") SELECT " + strings.Join(values, ", ") +
		" FROM inferences WHERE toYYYYMM(ts) = {month:UInt32} AND lane = {lane:UInt16} AND position > {after:UInt64} AND position <= {upto:UInt64}" +
		" GROUP BY " + strings.Join(append([]string{"workspace_id", "at", "lane"}, r.keys...), ", ")
}

// lookAtRollup learns how far a rollup counts a month, unless that is known.
func (s *store) lookAtRollup(ctx context.Context, conn driver.Conn, r rollup, m month) error {
	p := partition{r.name, m}
	if _, known := s.counted[p]; known {
		return nil
	}
	var counted uint64
	err := conn.QueryRow(s.layout.consistent(ctx), "SELECT max(last_position) FROM "+r.name+" WHERE toYYYYMM(bucket) = {month:UInt32} AND lane = {lane:UInt16}",
		ch.Named("month", uint32(m)), ch.Named("lane", s.lane)).Scan(&counted)
	if err == nil {
		s.counted[p] = counted
	}
	return err
}

// fill adds to a rollup the rows of a month that it does not count yet.
func (s *store) fill(ctx context.Context, conn driver.Conn, r rollup, m month, upTo uint64) error {
	after := s.counted[partition{r.name, m}]
	if after >= upTo {
		return nil
	}
	settings := s.insertSettings(fmt.Sprintf("%s:%d:%d:%d-%d", r.name, s.lane, m, after, upTo))
	maps.Copy(settings, oneBlock)
	if err := s.may(); err != nil {
		return err
	}
	return conn.Exec(ch.Context(ctx, ch.WithSettings(settings)), r.fillSQL(),
		ch.Named("month", uint32(m)), ch.Named("lane", s.lane), ch.Named("after", after), ch.Named("upto", upTo))
}

// oneBlock makes INSERT SELECT collect its whole result before writing it.
var oneBlock = ch.Settings{
	"max_threads": 1, "max_insert_threads": 1, "min_insert_block_size_rows": 100_000_000, "min_insert_block_size_bytes": 0,
	"group_by_two_level_threshold": 0, "group_by_two_level_threshold_bytes": 0,
}
