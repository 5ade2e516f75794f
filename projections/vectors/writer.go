package vectors

import (
	"context"
	"encoding/json"
	"fmt"

	ch "github.com/ClickHouse/clickhouse-go/v2"

	"strata/domain"
	"strata/internal/clickhouse"
	"strata/projections/analytics"
	"strata/streams"
)

// Topic names the writer in the table of progress.
const Topic = "vectors"

// Writer brings what the log says was embedded into the table. It is a batch
// writer of the router of reactors: one process at a time runs it.
type Writer struct {
	db     *clickhouse.DB
	tables analytics.Tables
	// installation names the log: another one that is given the same database
	// does not take this one's progress for its own.
	installation func(ctx context.Context) (string, error)
}

// NewWriter makes a writer. installation may be nil where nobody else has the
// database.
func NewWriter(db *clickhouse.DB, installation func(ctx context.Context) (string, error)) *Writer {
	return &Writer{db: db, tables: analytics.TablesOf(db), installation: installation}
}

// Name implements logbus.BatchWriter.
func (*Writer) Name() string { return Topic }

// Filter implements logbus.BatchWriter.
func (*Writer) Filter() *streams.Filter { return &streams.Filter{Categories: categories()} }

// BatchSize bounds how many events are in memory at once: one that was embedded is
// large.
func (*Writer) BatchSize() int { return 64 }

// Resume implements logbus.BatchWriter. It waits for the engine.
func (w *Writer) Resume(ctx context.Context) (domain.Position, error) {
	if err := w.db.WaitReady(ctx); err != nil {
		return 0, err
	}
	if err := analytics.Migrate(ctx, w.db); err != nil {
		return 0, err
	}
	return progress(ctx, w.tables, w.installation)
}

// Write implements logbus.BatchWriter.
func (w *Writer) Write(ctx context.Context, events []domain.Event) error {
	if len(events) == 0 {
		return nil
	}
	var changes []Change
	for _, e := range events {
		changes = append(changes, ChangesOf(e)...)
	}
	if err := w.Apply(ctx, changes); err != nil {
		return err
	}
	topic, err := topicOf(ctx, w.installation)
	if err != nil {
		return err
	}
	return w.tables.Advance(ctx, topic, events[len(events)-1].Position)
}

// Apply makes changes, in order. When it fails any part of them may have been made,
// and all can be made again.
func (w *Writer) Apply(ctx context.Context, changes []Change) error {
	ctx = context.WithoutCancel(ctx) // the engine would go on with a statement nobody waits for
	var puts []Change
	for _, c := range changes {
		if c.Clear {
			if err := w.put(ctx, puts); err != nil {
				return err
			}
			puts = nil
			if err := w.clear(ctx, c); err != nil {
				return err
			}
		}
		if len(c.Rows) > 0 {
			puts = append(puts, c)
		}
	}
	return w.put(ctx, puts)
}

// columns are those of the table that rows fill.
var columns = []ch.ColumnNameAndType{
	{Name: "workspace_id", Type: "String"}, {Name: "index_id", Type: "String"}, {Name: "item_id", Type: "String"},
	{Name: "ordinal", Type: "UInt32"}, {Name: "position", Type: "UInt64"}, {Name: "deleted", Type: "UInt8"},
	{Name: "subject", Type: "String"}, {Name: "model", Type: "String"}, {Name: "text", Type: "String"}, {Name: "metadata", Type: "String"},
	{Name: "terms", Type: "Array(UInt32)"}, {Name: "embedding", Type: "Array(Float32)"},
}

const columnNames = "workspace_id, index_id, item_id, ordinal, position, deleted, subject, model, text, metadata, terms, embedding"

// put inserts rows, index by index: those of one lie on one shard of a cluster.
func (w *Writer) put(ctx context.Context, changes []Change) error {
	byIndex := map[string][]Change{}
	for _, c := range changes {
		byIndex[c.Index] = append(byIndex[c.Index], c)
	}
	for index, list := range byIndex {
		if err := w.insert(ctx, index, list); err != nil {
			return fmt.Errorf("put vectors into %s: %w", index, err)
		}
	}
	return nil
}

func (w *Writer) insert(ctx context.Context, index string, changes []Change) error {
	ctx, err := w.tables.Inserting(ctx, index, columns)
	if err != nil {
		return err
	}
	batch, err := w.db.Conn().PrepareBatch(ctx, "INSERT INTO vectors ("+columnNames+")")
	if err != nil {
		return err
	}
	defer batch.Close() //nolint:errcheck // after Send there is nothing left to close
	for _, c := range changes {
		for _, r := range c.Rows {
			metadata := []byte("{}")
			if len(r.Metadata) > 0 {
				if metadata, err = json.Marshal(r.Metadata); err != nil {
					return err
				}
			}
			err = batch.Append(c.Workspace, c.Index, c.Item, r.Ordinal, uint64(c.Position), uint8(0),
				r.Subject, r.Model, r.Text, string(metadata), termsOf(r.Text), r.Embedding)
			if err != nil {
				return err
			}
		}
	}
	return batch.Send()
}

// clear writes over everything that an item, or an index, had before a position.
func (w *Writer) clear(ctx context.Context, c Change) error {
	ctx, err := w.tables.Inserting(ctx, c.Index, nil)
	if err != nil {
		return err
	}
	where := "workspace_id = {workspace:String} AND index_id = {index:String} AND position < {position:UInt64}"
	if c.Item != "" {
		where += " AND item_id = {item:String}"
	}
	err = w.db.Conn().Exec(ctx, "INSERT INTO vectors (workspace_id, index_id, item_id, ordinal, position, deleted)"+
		" SELECT workspace_id, index_id, item_id, ordinal, {position:UInt64}, 1 FROM vectors FINAL WHERE "+where,
		ch.Named("workspace", c.Workspace), ch.Named("index", c.Index), ch.Named("item", c.Item), ch.Named("position", uint64(c.Position)))
	if err != nil {
		return fmt.Errorf("clear vectors of %s: %w", c.Index, err)
	}
	return nil
}

func topicOf(ctx context.Context, installation func(ctx context.Context) (string, error)) (string, error) {
	if installation == nil {
		return Topic, nil
	}
	name, err := installation(ctx)
	return Topic + "/" + name, err
}

func progress(ctx context.Context, tables analytics.Tables, installation func(ctx context.Context) (string, error)) (domain.Position, error) {
	topic, err := topicOf(ctx, installation)
	if err != nil {
		return 0, err
	}
	return tables.Progress(ctx, topic)
}
