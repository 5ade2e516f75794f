package analytics

import (
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	ch "github.com/ClickHouse/clickhouse-go/v2"

	"strata/internal/clickhouse/clickhousetest"
)

var update = flag.Bool("update", false, "rewrite golden files")

// rendered are all statements of the migrations, and those that are made
// outside of them, as a cluster gets them.
func rendered(t *testing.T, l layout) []string {
	t.Helper()
	steps, err := readMigrations(migrationFiles)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, step := range steps {
		for _, statement := range step.statements {
			list = append(list, l.render(statement)...)
		}
	}
	return list
}

// What a cluster gets is reviewed as it is.
func TestRenderedForACluster(t *testing.T) {
	got := strings.Join(rendered(t, layout{"strata"}), ";\n\n") + ";\n"
	golden := filepath.Join("testdata", "cluster.sql")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || string(want) != got {
		t.Errorf("%s is out of date: go test ./projections/analytics -run Rendered -update (%v)", golden, err)
	}
}

func TestColumnsAreAddedToBothTables(t *testing.T) {
	got := layout{"c"}.render("-- why\nALTER TABLE inferences ADD COLUMN IF NOT EXISTS x UInt8")
	want := []string{
		"-- why\nALTER TABLE inferences_local ON CLUSTER `c` ADD COLUMN IF NOT EXISTS x UInt8",
		"-- why\nALTER TABLE inferences ON CLUSTER `c` ADD COLUMN IF NOT EXISTS x UInt8",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// The engine cannot run replicated tables, which need ClickHouse Keeper, but it
// parses the statements as a server would.
func TestRenderedStatementsParse(t *testing.T) {
	db := clickhousetest.Shared(t)
	for _, statement := range rendered(t, layout{"strata"}) {
		if err := db.Conn().Exec(t.Context(), "EXPLAIN AST "+withoutComments(statement)); err != nil {
			t.Errorf("%v\n%s", err, statement)
		}
	}
	if err := db.Conn().Exec(t.Context(), "EXPLAIN AST CREATE TABLE a ON CLUSTER (x Int8)"); err == nil {
		t.Error("anything passes")
	}
}

func withoutComments(statement string) string {
	var lines []string
	for line := range strings.Lines(statement) {
		if !strings.HasPrefix(line, "--") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

func TestEveryChangeOfTablesIsRendered(t *testing.T) {
	for _, statement := range rendered(t, layout{"strata"}) {
		text := withoutComments(statement)
		verb, _, _ := strings.Cut(text, " ")
		if verb != "INSERT" && !strings.Contains(text, " ON CLUSTER `strata`") {
			t.Errorf("this changes one server only: %s", text)
		}
		if strings.Contains(text, "= MergeTree") || strings.Contains(text, "= AggregatingMergeTree") || strings.Contains(text, "= ReplacingMergeTree") {
			t.Errorf("this table is not replicated: %s", text)
		}
	}
}

// The server finds the shard of a key that we do.
func TestTheServerShardsAsWeDo(t *testing.T) {
	conn := clickhousetest.Shared(t).Conn()
	for _, key := range []string{"", "a", "ws_1", "kb_01JB3ZK9V8Q2", "clé\x00\xff"} {
		for shards := range uint64(5) {
			var got uint64
			err := conn.QueryRow(t.Context(), "SELECT 1 + "+hashOf("key")+" % {shards:UInt64} FROM (SELECT toLowCardinality(unhex({key:String})) AS key)",
				ch.Named("shards", shards+1), ch.Named("key", hex.EncodeToString([]byte(key)))).Scan(&got)
			if want := shardOf(key, shards+1); err != nil || got != want {
				t.Errorf("%q of %d: shard %d, want %d: %v", key, shards+1, got, want, err)
			}
		}
	}
}

func TestShardOfStaysWithTheToken(t *testing.T) {
	used := map[uint64]int{}
	for i := range 300 {
		token := fmt.Sprintf("inferences:202611:%d-%d:1", i, i+1)
		shard := shardOf(token, 3)
		if shard != shardOf(token, 3) || shard < 1 || shard > 3 {
			t.Fatalf("shard %d", shard)
		}
		used[shard]++
	}
	for shard, n := range used {
		if n < 50 {
			t.Errorf("shard %d has %d of 300 blocks", shard, n)
		}
	}
}
