package analytics

import (
	"context"
	"fmt"
	"strings"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// rollup is a table of aggregate states by time and keys.
type rollup struct {
	name   string
	unit   time.Duration // length of its buckets
	floor  string        // SQL function that rounds a time down to a bucket
	keys   []string      // beside workspace_id and bucket
	states bool          // has the states for distinct users and quantiles
}

var (
	commonKeys = []string{"model", "provider", "app_id", "agent_id", "api_key_id", "type"}
	minutes    = rollup{name: "rollup_minute", unit: time.Minute, floor: "toStartOfMinute", keys: commonKeys, states: true}
	hours      = rollup{name: "rollup_hour", unit: time.Hour, floor: "toStartOfHour", keys: commonKeys, states: true}
	userDays   = rollup{name: "rollup_user_day", unit: 24 * time.Hour, floor: "toStartOfDay", keys: []string{"end_user", "model", "provider", "app_id", "agent_id"}}
	rollups    = []rollup{minutes, hours, userDays}
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
	if r.states {
		columns = append(columns, "users", "latency", "ttft")
		values = append(values, usersState, latencyState, ttftState)
	}
	columns, values = append(columns, "last_position"), append(values, "max(position)")
	return "INSERT INTO " + r.name + " (" + strings.Join(columns, ", ") + ") SELECT " + strings.Join(values, ", ") +
		" FROM inferences WHERE toYYYYMM(ts) = {month:UInt32} AND position > {after:UInt64} AND position <= {upto:UInt64}" +
		" GROUP BY workspace_id, at, " + strings.Join(r.keys, ", ")
}

// fill adds to a rollup the rows of a month that it does not count yet.
func (s *store) fill(ctx context.Context, conn driver.Conn, r rollup, m month, upTo uint64) error {
	p := partition{r.name, m}
	after, known := s.counted[p]
	if !known {
		err := conn.QueryRow(ctx, "SELECT max(last_position) FROM "+r.name+" WHERE toYYYYMM(bucket) = {month:UInt32}",
			ch.Named("month", uint32(m))).Scan(&after)
		if err != nil {
			return err
		}
	}
	if after < upTo {
		settings := s.insertSettings(fmt.Sprintf("%s:%d:%d-%d", r.name, m, after, upTo))
		for name, value := range oneBlock {
			settings[name] = value
		}
		err := conn.Exec(ch.Context(ctx, ch.WithSettings(settings)), r.fillSQL(),
			ch.Named("month", uint32(m)), ch.Named("after", after), ch.Named("upto", upTo))
		if err != nil {
			return err
		}
	}
	s.counted[p] = max(after, upTo)
	return nil
}

// oneBlock makes INSERT SELECT collect its whole result before writing it.
var oneBlock = ch.Settings{
	"max_threads": 1, "max_insert_threads": 1, "min_insert_block_size_rows": 100_000_000, "min_insert_block_size_bytes": 0,
	"group_by_two_level_threshold": 0, "group_by_two_level_threshold_bytes": 0,
}
