package analytics

import (
	"context"
	"fmt"

	ch "github.com/ClickHouse/clickhouse-go/v2"

	"strata/domain"
	"strata/internal/clickhouse"
)

// Tables is what other writers of derived rows need to know of how tables lie:
// they are migrated with those of this package, and may be spread over a cluster.
type Tables struct {
	db     *clickhouse.DB
	layout layout
}

// TablesOf describes the tables of a database.
func TablesOf(db *clickhouse.DB) Tables { return Tables{db, layoutOf(db)} }

// Consistent makes a statement see everything that was acknowledged, or fail.
func (t Tables) Consistent(ctx context.Context) context.Context { return t.layout.consistent(ctx) }

// Inserting prepares a context for INSERTs of a few columns, which are acknowledged
// when they are stored. Rows of one key come to lie on one shard, which tables that
// replace rows by their key need.
func (t Tables) Inserting(ctx context.Context, key string, columns []ch.ColumnNameAndType) (context.Context, error) {
	settings := t.layout.settings()
	settings["async_insert"], settings["insert_deduplicate"] = 0, 0
	if t.layout.isCluster() {
		shards, err := t.layout.shards(ctx, t.db.Conn())
		if err != nil {
			return nil, err
		}
		settings["insert_shard_id"] = shardOf(key, shards)
	}
	options := []ch.QueryOption{ch.WithSettings(settings)}
	if columns != nil {
		options = append(options, ch.WithColumnNamesAndTypes(columns))
	}
	return ch.Context(ctx, options...), nil
}

// Progress is the position up to which everything derived from a topic is complete.
func (t Tables) Progress(ctx context.Context, topic string) (domain.Position, error) {
	return readProgressOf(ctx, t.db.Conn(), t.layout, topic)
}

// Advance records that everything derived from a topic is complete up to a position.
func (t Tables) Advance(ctx context.Context, topic string, position domain.Position) error {
	settings := t.layout.settings()
	settings["async_insert"] = 0
	err := t.db.Conn().Exec(ch.Context(ctx, ch.WithSettings(settings)), "INSERT INTO writer_progress (topic, position) SELECT {topic:String}, {position:UInt64}",
		ch.Named("topic", topic), ch.Named("position", uint64(position)))
	if err != nil {
		return fmt.Errorf("record progress: %w", err)
	}
	return nil
}
