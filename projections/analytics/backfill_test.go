package analytics

import (
	"testing"

	"strata/internal/clickhouse"
	"strata/internal/clickhouse/clickhousetest"
)

// Installations of before have rollups by the hour and by user, model and app.
// The newer tables begin with what those count, however often a step is begun.
func TestNewRollupsBeginWithWhatWasCounted(t *testing.T) {
	db := clickhousetest.Open(t, clickhouse.Config{})
	steps, err := readMigrations(migrationFiles)
	if err != nil {
		t.Fatal(err)
	}
	ctx, conn := t.Context(), db.Conn()
	exec := func(sql string) {
		t.Helper()
		if err := conn.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	if err := apply(ctx, conn, layout{}, steps[:2]); err != nil {
		t.Fatal(err)
	}
	exec(`INSERT INTO rollup_hour (workspace_id, bucket, model, calls, users, latency, last_position) SELECT 'ws_1',
		toDateTime('2026-01-30 00:00:00', 'UTC') + 3600 * number, 'm', 2, uniqState(toString(number % 10)), quantilesTDigestState(0.5, 0.95, 0.99)(number), 7
		FROM numbers(72) GROUP BY number`)
	exec(`INSERT INTO rollup_user_day (workspace_id, bucket, end_user, model, calls, last_position) SELECT 'ws_1',
		toDateTime('2026-01-30 00:00:00', 'UTC') + 86400 * (number % 3), 'u', toString(number), 5, number FROM numbers(9)`)
	for range 2 {
		if err := apply(ctx, conn, layout{}, steps[:3]); err != nil {
			t.Fatal(err)
		}
		exec("TRUNCATE TABLE schema_migrations") // as if killed before the step was noted
	}
	if err := apply(ctx, conn, layout{}, steps); err != nil {
		t.Fatal(err)
	}
	for sql, want := range map[string]uint64{
		"SELECT sum(calls) FROM rollup_day":                                144,
		"SELECT count() FROM rollup_day FINAL":                             3,
		"SELECT uniqMerge(users) FROM rollup_day":                          10,
		"SELECT max(last_position) FROM rollup_day":                        7,
		"SELECT sum(calls) FROM rollup_total":                              144,
		"SELECT max(last_position) FROM rollup_total":                      7,
		"SELECT sum(calls) FROM rollup_user":                               45,
		"SELECT count() FROM rollup_user FINAL":                            3,
		"SELECT max(last_position) FROM rollup_user":                       8,
		"SELECT count() FROM system.tables WHERE name = 'rollup_user_day'": 0,
	} {
		var got uint64
		if err := conn.QueryRow(ctx, sql).Scan(&got); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		if got != want {
			t.Errorf("%s: %d, want %d", sql, got, want)
		}
	}
}
