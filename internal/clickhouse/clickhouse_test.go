package clickhouse_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/proto"
	"go.uber.org/goleak"

	"strata/domain"
	"strata/internal/clickhouse"
	"strata/internal/clickhouse/clickhousetest"
)

func TestMain(m *testing.M) {
	clickhousetest.Main(m, func() error { return goleak.Find() })
}

func TestDriverTypesRoundTrip(t *testing.T) {
	db := clickhousetest.Shared(t)
	ctx := t.Context()
	table := clickhousetest.Unique("types")
	must(t, db.Conn().Exec(ctx, `CREATE TABLE `+table+` (
		id UInt64, name String, model LowCardinality(String), at DateTime64(6, 'UTC'),
		tags Array(LowCardinality(String)), meta Map(String, String), cost Int64, ok Bool, note Nullable(String)
	) ENGINE = MergeTree ORDER BY id`))

	at := time.Date(2026, 3, 4, 5, 6, 7, 123456000, time.UTC)
	note := "x"
	batch, err := db.Conn().PrepareBatch(ctx, "INSERT INTO "+table)
	must(t, err)
	must(t, batch.Append(uint64(1), "tab\tnl\nq'\\ü\x00z", "m/1", at, []string{"a", "b"}, map[string]string{"k": "v"}, int64(-5), true, &note))
	must(t, batch.Append(uint64(2), "", "", at, []string{}, map[string]string{}, int64(1<<60), false, nil))
	must(t, batch.Send())

	type row struct {
		ID    uint64            `ch:"id"`
		Name  string            `ch:"name"`
		Model string            `ch:"model"`
		At    time.Time         `ch:"at"`
		Tags  []string          `ch:"tags"`
		Meta  map[string]string `ch:"meta"`
		Cost  int64             `ch:"cost"`
		OK    bool              `ch:"ok"`
		Note  *string           `ch:"note"`
	}
	var rows []row
	must(t, db.Conn().Select(ctx, &rows, "SELECT * FROM "+table+" ORDER BY id"))
	if len(rows) != 2 {
		t.Fatalf("got %d rows", len(rows))
	}
	want := row{1, "tab\tnl\nq'\\ü\x00z", "m/1", at, []string{"a", "b"}, map[string]string{"k": "v"}, -5, true, &note}
	if got := rows[0]; got.Name != want.Name || !got.At.Equal(want.At) ||
		len(got.Tags) != 2 || got.Meta["k"] != "v" || got.Cost != -5 || !got.OK || *got.Note != "x" || got.Model != "m/1" {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := rows[1]; got.Cost != 1<<60 || got.Note != nil || got.OK {
		t.Errorf("got %+v", got)
	}

	// A result without rows keeps its columns, low-cardinality ones too.
	must(t, db.Conn().Select(ctx, &rows, "SELECT * FROM "+table+" WHERE id > 10"))
	if len(rows) != 0 {
		t.Errorf("got %d rows, want none", len(rows))
	}
}

func TestParametersAreValuesNotText(t *testing.T) {
	db := clickhousetest.Shared(t)
	for _, value := range []string{"", "plain", "it's", `back\slash`, "tab\tnewline\n", "'; DROP TABLE x; --", "{x:String}", "日本語"} {
		var got string
		row := db.Conn().QueryRow(t.Context(), "SELECT {v:String}", ch.Named("v", value))
		must(t, row.Scan(&got))
		if got != value {
			t.Errorf("sent %q, got %q", value, got)
		}
	}
	var got []string
	want := []string{"a'b", `c\d`, ""}
	must(t, db.Conn().QueryRow(t.Context(), "SELECT {v:Array(String)}", ch.Named("v", want)).Scan(&got))
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSettingsLastOneStatement(t *testing.T) {
	db := clickhousetest.Shared(t)
	setting := func(ctx context.Context) (v uint64) {
		t.Helper()
		must(t, db.Conn().QueryRow(ctx, "SELECT toUInt64(getSetting('max_block_size'))").Scan(&v))
		return v
	}
	usual := setting(t.Context())
	for range 20 { // more than there are connections
		with := ch.Context(t.Context(), ch.WithSettings(ch.Settings{"max_block_size": 777}))
		if got := setting(with); got != 777 {
			t.Fatalf("with the setting: %d", got)
		}
		if got := setting(t.Context()); got != usual {
			t.Fatalf("after it: %d, want %d", got, usual)
		}
	}
	err := db.Conn().Exec(ch.Context(t.Context(), ch.WithSettings(ch.Settings{"no_such_setting": 1})), "SELECT 1")
	if _, ok := errors.AsType[*proto.Exception](err); !ok {
		t.Errorf("unknown setting: %v", err)
	}
}

func TestFaultsAreTypedExceptions(t *testing.T) {
	db := clickhousetest.Shared(t)
	err := db.Conn().Exec(t.Context(), "SELECT no_such_column")
	exception, ok := errors.AsType[*proto.Exception](err)
	if !ok || exception.Code != 47 {
		t.Fatalf("got %v, want exception 47", err)
	}
	if clickhouse.Unreachable(err) {
		t.Error("a fault of the statement counts as an outage")
	}
	if got := domain.CodeOf(db.Explain("read", err)); got != domain.CodeInternal {
		t.Errorf("code %s", got)
	}

	table := clickhousetest.Unique("typed")
	must(t, db.Conn().Exec(t.Context(), "CREATE TABLE "+table+" (n UInt8, CONSTRAINT small CHECK n < 10) ENGINE = MergeTree ORDER BY n"))
	batch, err := db.Conn().PrepareBatch(t.Context(), "INSERT INTO "+table)
	must(t, err)
	must(t, batch.Append(uint8(11)))
	if err := batch.Send(); err == nil || !strings.Contains(err.Error(), "small") {
		t.Errorf("violated constraint: %v", err)
	}
	// The connection that failed is as good as before.
	for range 10 {
		must(t, db.Conn().Ping(t.Context()))
	}
}

func TestStatementsRunSideBySide(t *testing.T) {
	db := clickhousetest.Shared(t)
	var wg sync.WaitGroup
	for i := range 24 {
		wg.Go(func() {
			var n uint64
			if err := db.Conn().QueryRow(t.Context(), "SELECT sum(number) FROM numbers({n:UInt64})", ch.Named("n", uint64(i+1))).Scan(&n); err != nil {
				t.Error(err)
			} else if want := uint64(i * (i + 1) / 2); n != want {
				t.Errorf("got %d, want %d", n, want)
			}
		})
	}
	wg.Wait()
}

func TestLargeResultAndLargeInsert(t *testing.T) {
	db := clickhousetest.Shared(t)
	table := clickhousetest.Unique("large")
	must(t, db.Conn().Exec(t.Context(), "CREATE TABLE "+table+" (n UInt64, s String) ENGINE = MergeTree ORDER BY n"))
	batch, err := db.Conn().PrepareBatch(t.Context(), "INSERT INTO "+table)
	must(t, err)
	const rows = 150_000 // several blocks, some megabytes: far above max_query_size
	for i := range rows {
		must(t, batch.Append(uint64(i), "value-of-some-length"))
	}
	must(t, batch.Send())
	result, err := db.Conn().Query(t.Context(), "SELECT n, s FROM "+table)
	must(t, err)
	defer result.Close()
	var n, sum, seen uint64
	var s string
	for result.Next() {
		must(t, result.Scan(&n, &s))
		sum += n
		seen++
	}
	must(t, result.Err())
	if seen != rows || sum != rows*(rows-1)/2 {
		t.Errorf("read %d rows with sum %d", seen, sum)
	}
}

func TestChildComesBackAfterKill(t *testing.T) {
	db := clickhousetest.Open(t, clickhouse.Config{RestartDelay: time.Millisecond})
	ctx := t.Context()
	must(t, db.Conn().Exec(ctx, "CREATE TABLE kept (n UInt64) ENGINE = MergeTree ORDER BY n"))
	must(t, db.Conn().Exec(ctx, "INSERT INTO kept VALUES (42)"))
	for range 3 {
		before := db.Status()
		clickhousetest.Kill(t, db)
		clickhousetest.WaitReady(t, db)
		after := db.Status()
		if after.PID == before.PID || after.Error == "" || after.State != clickhouse.Ready {
			t.Fatalf("before %+v, after %+v", before, after)
		}
		var n uint64
		must(t, db.Conn().QueryRow(ctx, "SELECT n FROM kept").Scan(&n))
		if n != 42 {
			t.Fatalf("read %d", n)
		}
	}
}

func TestStatementDuringOutageIsUnavailable(t *testing.T) {
	db := clickhousetest.Open(t, clickhouse.Config{RestartDelay: time.Hour})
	clickhousetest.Kill(t, db)
	err := db.Conn().Ping(t.Context())
	if !clickhouse.Unreachable(err) {
		t.Fatalf("got %v", err)
	}
	if got := domain.CodeOf(db.Explain("read", err)); got != domain.CodeUnavailable {
		t.Errorf("code %s", got)
	}
	if db.Status().State != clickhouse.Restarting {
		t.Errorf("status %+v", db.Status())
	}
}

func TestMissingTableIsUnavailable(t *testing.T) {
	db := clickhousetest.Open(t, clickhouse.Config{})
	for _, table := range []string{"nothing", "nowhere.nothing"} {
		err := db.Conn().Exec(t.Context(), "SELECT * FROM "+table)
		if got := domain.CodeOf(db.Explain("read", err)); got != domain.CodeUnavailable {
			t.Errorf("%s: code %s of %v", table, got, err)
		}
	}
}

func TestStopEndsTheChild(t *testing.T) {
	db := clickhousetest.Open(t, clickhouse.Config{})
	pid := db.Status().PID
	must(t, db.Stop(t.Context()))
	if db.Status().State != clickhouse.Stopped {
		t.Errorf("status %+v", db.Status())
	}
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err == nil {
		t.Errorf("child %d still exists", pid)
	}
}

func TestMemoryCapFailsTheStatementOnly(t *testing.T) {
	db := clickhousetest.Open(t, clickhouse.Config{MaxMemory: 400 << 20})
	pid := db.Status().PID
	err := db.Conn().Exec(t.Context(), "SELECT groupArray(toString(number)) FROM numbers(200000000) FORMAT Null")
	if exception, ok := errors.AsType[*proto.Exception](err); !ok || exception.Code != 241 {
		t.Fatalf("got %v, want exception 241 (memory limit)", err)
	}
	must(t, db.Conn().Ping(t.Context()))
	if db.Status().PID != pid {
		t.Error("the child died of it")
	}
}

func TestMissingLibraryIsOneClearSentence(t *testing.T) {
	db, err := clickhouse.Open(t.Context(), clickhouse.Config{DataDir: t.TempDir(), Library: "/nowhere/libchdb.so"})
	must(t, err)
	defer func() { must(t, db.Stop(t.Context())) }()
	if status := db.Status(); status.State != clickhouse.Missing || !strings.Contains(status.Error, "make engine") {
		t.Errorf("status %+v", status)
	}
	err = db.Explain("read", db.Conn().Ping(t.Context()))
	if domain.CodeOf(err) != domain.CodeUnavailable || !strings.Contains(err.Error(), "STRATA_CLICKHOUSE_URL") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := db.WaitReady(ctx); !errors.Is(err, clickhouse.ErrNotReady) {
		t.Errorf("got %v", err)
	}
}

func TestFindLibraryInDataDirectory(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "lib", "libchdb.so")
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, nil, 0o644))
	got, err := clickhouse.FindLibrary("", dir)
	must(t, err)
	if os.Getenv(clickhouse.LibraryVariable) == "" && got != path {
		t.Errorf("got %s, want %s", got, path)
	}
}

func TestServerURLFaults(t *testing.T) {
	for _, url := range []string{"localhost:8123", "ftp://host", "http://", "http://u:secret@h:1/?dial_timeout=x"} {
		_, err := clickhouse.Open(t.Context(), clickhouse.Config{URL: url})
		if err == nil {
			t.Errorf("%s was accepted", url)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("the password is in %q", err)
		}
	}
}

func TestServerThatIsAway(t *testing.T) {
	db, err := clickhouse.Open(t.Context(), clickhouse.Config{URL: "http://127.0.0.1:1"})
	must(t, err)
	err = db.Explain("read", db.Conn().Ping(t.Context()))
	if domain.CodeOf(err) != domain.CodeUnavailable {
		t.Errorf("got %v", err)
	}
	must(t, db.Stop(t.Context()))
	if db.Embedded() || db.Status().State != clickhouse.Stopped {
		t.Errorf("status %+v", db.Status())
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
