// Package leaderboards ranks checkpoints by what evaluations have said of them,
// in ClickHouse.
//
// Rows are derived from the log like every other read model. [Writer] follows it
// under the router of reactors and may be given an event twice: a row bears the
// position of its event as its version, and the table keeps the latest version
// of a key, which is checkpoint and benchmark. A deleted training is a row, too,
// so an evaluation that comes after it brings nothing back.
package leaderboards

import (
	"context"
	"fmt"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"

	"strata/domain"
	"strata/domain/evaluation"
	"strata/domain/training"
	"strata/internal/clickhouse"
	"strata/projections/analytics"
	"strata/streams"
)

// Topic names the writer in the table of progress.
const Topic = "rankings"

// Writer brings evaluations into the table. It is a batch writer of the router
// of reactors: one process at a time runs it.
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
func (*Writer) Filter() *streams.Filter {
	return &streams.Filter{Categories: []string{training.Aggregate.Category, evaluation.Aggregate.Category},
		Types: []string{evaluation.Scored{}.EventType(), training.Removed{}.EventType()}}
}

// Resume implements logbus.BatchWriter. It waits for the engine.
func (w *Writer) Resume(ctx context.Context) (domain.Position, error) {
	if err := w.db.WaitReady(ctx); err != nil {
		return 0, err
	}
	if err := analytics.Migrate(ctx, w.db); err != nil {
		return 0, err
	}
	topic, err := w.topic(ctx)
	if err != nil {
		return 0, err
	}
	return w.tables.Progress(ctx, topic)
}

func (w *Writer) topic(ctx context.Context) (string, error) {
	if w.installation == nil {
		return Topic, nil
	}
	name, err := w.installation(ctx)
	return Topic + "/" + name, err
}

// row is a row of the table. Without checkpoint it says that its training is gone.
type row struct {
	workspace, training, checkpoint, benchmark string
	position                                   domain.Position
	name, evaluation                           string
	at                                         time.Time
	metrics                                    map[string]float64
}

func rowOf(e domain.Event) (row, bool) {
	r := row{workspace: e.Meta.Workspace, position: e.Position, at: e.Meta.OccurredAt, metrics: map[string]float64{}}
	switch f := e.Fact.(type) {
	case evaluation.Scored:
		r.training, r.checkpoint, r.benchmark = f.TrainingID, f.CheckpointID, f.BenchmarkID
		r.name, r.evaluation = f.CheckpointName, e.Stream.Key()
		if f.Metrics != nil {
			r.metrics = f.Metrics
		}
	case training.Removed:
		r.training = e.Stream.Key()
	default:
		return r, false
	}
	return r, true
}

// Write implements logbus.BatchWriter.
func (w *Writer) Write(ctx context.Context, events []domain.Event) error {
	if len(events) == 0 {
		return nil
	}
	ctx = context.WithoutCancel(ctx) // the engine would go on with a statement nobody waits for
	byWorkspace := map[string][]row{}
	for _, e := range events {
		if r, ok := rowOf(e); ok {
			byWorkspace[r.workspace] = append(byWorkspace[r.workspace], r)
		}
	}
	for workspace, rows := range byWorkspace { // those of one lie on one shard of a cluster
		if err := w.insert(ctx, workspace, rows); err != nil {
			return fmt.Errorf("rank in workspace %s: %w", workspace, err)
		}
	}
	topic, err := w.topic(ctx)
	if err != nil {
		return err
	}
	return w.tables.Advance(ctx, topic, events[len(events)-1].Position)
}

func (w *Writer) insert(ctx context.Context, workspace string, rows []row) error {
	ctx, err := w.tables.Inserting(ctx, workspace, []ch.ColumnNameAndType{
		{Name: "workspace_id", Type: "String"}, {Name: "training_id", Type: "String"}, {Name: "checkpoint_id", Type: "String"},
		{Name: "benchmark_id", Type: "String"}, {Name: "position", Type: "UInt64"}, {Name: "checkpoint_name", Type: "String"},
		{Name: "evaluation_id", Type: "String"}, {Name: "evaluated_at", Type: "DateTime64(6, 'UTC')"}, {Name: "metrics", Type: "Map(String, Float64)"},
	})
	if err != nil {
		return err
	}
	batch, err := w.db.Conn().PrepareBatch(ctx, `INSERT INTO rankings (workspace_id, training_id, checkpoint_id, benchmark_id, position,
		checkpoint_name, evaluation_id, evaluated_at, metrics)`)
	if err != nil {
		return err
	}
	defer batch.Close() //nolint:errcheck // after Send there is nothing left to close
	for _, r := range rows {
		if err := batch.Append(r.workspace, r.training, r.checkpoint, r.benchmark, uint64(r.position), r.name, r.evaluation, r.at, r.metrics); err != nil {
			return err
		}
	}
	return batch.Send()
}
