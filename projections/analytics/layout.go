package analytics

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"regexp"
	"slices"
	"strings"

	ch "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"strata/internal/clickhouse"
)

// layout says how tables lie on a server. The migrations are written for one
// server; on a cluster each statement is rendered anew:
//
//   - A table becomes two: name_local, replicated, holds the rows of a shard, and
//     name, distributed over all shards, is what statements read and write.
//   - Small tables of the writer's own (see everywhere) are not spread: every
//     server of the cluster has a replica of the whole, under the plain name.
//   - What changes tables runs ON CLUSTER.
//
// The writer's promise needs three things of a cluster, which its settings see to:
// a block goes to one shard (insert_shard_id), so an INSERT stays atomic; it is
// acknowledged by most replicas, one block after another; and the writer reads
// from replicas that have all of that only. Which shard a block of calls goes to
// does not matter: watermarks are asked of all shards together, and blocks are
// written in the order of their positions, wherever they go. Rows that are replaced
// by their key must meet on one shard: see keyed.
type layout struct{ cluster string }

func layoutOf(db *clickhouse.DB) layout { return layout{db.Cluster()} }

// everywhere are tables that every server of a cluster has whole.
var everywhere = []string{"schema_migrations", "writer_progress", ownerTable}

// keyed are the tables whose rows are replaced by later ones of the same key, and
// the part of it that says on which shard they lie: what writers of ours give to
// Tables.Inserting.
var keyed = map[string]string{"vectors": "index_id", "rankings": "workspace_id"}

// shardingKey is how a distributed table finds the shard of a row that comes
// without one: where shardOf puts it, if the shards have no weights of their own.
func shardingKey(table string) string {
	if column, ok := keyed[table]; ok {
		return hashOf(column)
	}
	return "rand()"
}

// hashOf is what shardOf makes of a column: the server has no such function.
func hashOf(column string) string {
	return "arrayFold((hash, byte) -> bitXor(hash, byte) * toUInt64(1099511628211), arrayMap(at -> toUInt64(ascii(substring(" + column + ", at, 1))), range(1, length(" +
		column + ") + 1)), toUInt64(14695981039346656037))"
}

func (l layout) isCluster() bool { return l.cluster != "" }

// onCluster goes behind the name of a table in a statement that changes it.
func (l layout) onCluster() string {
	if !l.isCluster() {
		return ""
	}
	return " ON CLUSTER " + clickhouse.QuoteIdent(l.cluster)
}

// stored is the name of the table that has the rows.
func (l layout) stored(table string) string {
	if !l.isCluster() || slices.Contains(everywhere, table) {
		return table
	}
	return table + "_local"
}

// systemTable is a table of the system, over all servers.
func (l layout) systemTable(name string) string {
	if !l.isCluster() {
		return "system." + name
	}
	return "clusterAllReplicas(" + quoteText(l.cluster) + ", system." + name + ")"
}

var (
	createStatement = regexp.MustCompile(`(?m)^CREATE TABLE IF NOT EXISTS (\w+)\b`)
	changeStatement = regexp.MustCompile(`(?m)^(ALTER TABLE|DROP TABLE IF EXISTS|TRUNCATE TABLE IF EXISTS) (\w+)\b`)
	sortingChange   = regexp.MustCompile(`, MODIFY ORDER BY \([^)]*\)`)
	tableEngine     = regexp.MustCompile(`(?m)ENGINE = (\w*)MergeTree(?:\(([^)\n]*)\))?`)
)

// render makes of a statement for one server those for this layout.
func (l layout) render(statement string) []string {
	if !l.isCluster() {
		return []string{statement}
	}
	if m := createStatement.FindStringSubmatch(statement); m != nil {
		return l.renderCreate(m[1], statement)
	}
	m := changeStatement.FindStringSubmatch(statement)
	if m == nil {
		return []string{statement} // it reads and writes through the distributed tables
	}
	verb, table := m[1], m[2]
	sync := ""
	if verb != "ALTER TABLE" {
		sync = " SYNC"
	}
	list := []string{changeStatement.ReplaceAllLiteralString(statement, verb+" "+l.stored(table)+l.onCluster()) + sync}
	columns := verb == "ALTER TABLE" && strings.Contains(statement, " COLUMN ")
	if l.stored(table) != table && (verb == "DROP TABLE IF EXISTS" || columns) {
		// A distributed table has columns, and no order.
		statement = sortingChange.ReplaceAllString(statement, "")
		list = append(list, changeStatement.ReplaceAllLiteralString(statement, verb+" "+table+l.onCluster())+sync)
	}
	return list
}

func (l layout) renderCreate(table, statement string) []string {
	stored := l.stored(table)
	path, replica := "/clickhouse/tables/{shard}/{database}/{table}", "{replica}"
	if stored == table {
		path, replica = "/clickhouse/tables/all/{database}/{table}", "{shard}-{replica}"
	}
	s := createStatement.ReplaceAllLiteralString(statement, "CREATE TABLE IF NOT EXISTS "+stored+l.onCluster())
	s = tableEngine.ReplaceAllStringFunc(s, func(engine string) string {
		m := tableEngine.FindStringSubmatch(engine)
		args := quoteText(path) + ", " + quoteText(replica)
		if m[2] != "" {
			args += ", " + m[2]
		}
		return "ENGINE = Replicated" + m[1] + "MergeTree(" + args + ")"
	})
	s = strings.ReplaceAll(s, "non_replicated_deduplication_window", "replicated_deduplication_window")
	if stored == table {
		return []string{s}
	}
	return []string{s, "CREATE TABLE IF NOT EXISTS " + table + l.onCluster() + " AS " + stored +
		"\nENGINE = Distributed(" + quoteText(l.cluster) + ", currentDatabase(), " + quoteText(stored) + ", " + shardingKey(table) + ")"}
}

// exec runs a statement that is written for one server.
func (l layout) exec(ctx context.Context, conn driver.Conn, statement string) error {
	for _, s := range l.render(statement) {
		if err := conn.Exec(l.consistent(ctx), s); err != nil {
			return err
		}
	}
	return nil
}

// consistent makes statements of the writer see everything that was
// acknowledged, or fail. On a cluster, what they insert is one block in one
// shard and is acknowledged by most replicas.
func (l layout) consistent(ctx context.Context) context.Context {
	if !l.isCluster() {
		return ctx
	}
	return ch.Context(ctx, ch.WithSettings(l.settings()))
}

// settings are those of consistent.
func (l layout) settings() ch.Settings {
	if !l.isCluster() {
		return ch.Settings{}
	}
	return ch.Settings{
		"select_sequential_consistency": 1, "skip_unavailable_shards": 0,
		"insert_quorum": "auto", "insert_quorum_parallel": 0,
		"distributed_foreground_insert": 1, "parallel_distributed_insert_select": 0, "insert_shard_id": 1,
		"distributed_ddl_output_mode": "none",
	}
}

// shards asks how many shards the cluster has; without a cluster it is one.
func (l layout) shards(ctx context.Context, conn driver.Conn) (uint64, error) {
	if !l.isCluster() {
		return 1, nil
	}
	var n uint32
	err := conn.QueryRow(ctx, "SELECT max(shard_num) FROM system.clusters WHERE cluster = {cluster:String}", ch.Named("cluster", l.cluster)).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("ask for the cluster's shards: %w", err)
	}
	if n == 0 {
		return 0, errors.New("the ClickHouse server knows no cluster " + l.cluster)
	}
	return uint64(n), nil
}

// shardOf is the shard of a block. It depends on the token alone, so that a
// second attempt goes where the first one's token is remembered.
func shardOf(token string, shards uint64) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(token)) // a hash takes everything
	return 1 + h.Sum64()%shards
}

// quoteText writes a string literal of ClickHouse.
func quoteText(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
