package leaderboards

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"

	"strata/domain"
	"strata/domain/catalogue"
	"strata/internal/clickhouse"
	"strata/projections/analytics"
)

// Query says what is ranked and how. Only Workspace is needed.
type Query struct {
	Workspace  string
	Model      string    // only this checkpoint, or those of this training
	Name       string    // only checkpoints whose name holds this, in either case
	Benchmarks []string  // only these count
	Trainings  []string  // only checkpoints of these
	Start, End time.Time // only evaluations from Start on and before End; zero: any

	Metric    string // ranks by this; accuracy when empty
	Benchmark string // as measured on this benchmark, by those that were; the mean over all that count when empty
	Ascending bool   // the least first; for log_loss that is the best

	After string // checkpoint after which the page begins
	Limit int    // 10 when 0
}

// DefaultMetric is what is ranked by when nothing is said.
const DefaultMetric = "accuracy"

// MaxLimit bounds a page.
const MaxLimit = 100

// Entry is a checkpoint with its place.
type Entry struct {
	Rank           uint64
	CheckpointID   string
	CheckpointName string
	TrainingID     string
	Metrics        map[string]float64 // of the benchmark that is ranked by, else the means over those that count
	Score          *float64           // the metric that is ranked by; nil where it was not measured: those come last
	Results        []Result           // by benchmark, those that count
	EvaluatedAt    time.Time          // the latest of them
}

// Result is what one benchmark said.
type Result struct {
	BenchmarkID  string
	EvaluationID string
	Metrics      map[string]float64
	EvaluatedAt  time.Time
}

// Page is a part of a leaderboard.
type Page struct {
	Entries []Entry
	HasMore bool
}

// Queries reads the table. Errors: SERVICE_UNAVAILABLE while the engine is away,
// VALIDATION_ERROR for what cannot be asked.
type Queries struct{ db *clickhouse.DB }

// NewQueries makes queries over db; nil on a node that registers operations and
// answers none of them.
func NewQueries(db *clickhouse.DB) *Queries { return &Queries{db: db} }

func (q *Query) check() error {
	if q.Metric == "" {
		q.Metric = DefaultMetric
	}
	if q.Limit == 0 {
		q.Limit = 10
	}
	var f domain.Faults
	f.Add(!slices.Contains(catalogue.Metrics(), q.Metric), "order_by_metric.metric_name", "must be one of %s", strings.Join(catalogue.Metrics(), ", "))
	f.Add(q.Benchmark != "" && len(q.Benchmarks) > 0 && !slices.Contains(q.Benchmarks, q.Benchmark), "order_by_metric.benchmark_id", "must be one of benchmarks")
	f.Add(!q.Start.IsZero() && !q.End.IsZero() && !q.Start.Before(q.End), "end_date", "must be after start_date")
	f.Add(q.Limit < 1 || q.Limit > MaxLimit, "limit", "must be between 1 and %d", MaxLimit)
	return f.Err()
}

// Rank answers a page of the leaderboard. Equals are in the order of their ids,
// so pages never overlap while nothing changes.
func (q *Queries) Rank(ctx context.Context, query Query) (Page, error) {
	if err := query.check(); err != nil {
		return Page{}, err
	}
	if q.db == nil {
		return Page{}, domain.Errorf(domain.CodeUnavailable, "this node does not answer from analytics")
	}
	ctx = analytics.TablesOf(q.db).Consistent(ctx)
	ranked, args := query.ranked()
	after := uint64(0)
	if query.After != "" {
		err := q.db.Conn().QueryRow(ctx, "SELECT rank FROM ("+ranked+") WHERE checkpoint_id = {after:String}", append(args, ch.Named("after", query.After))...).Scan(&after)
		if errors.Is(err, sql.ErrNoRows) {
			var f domain.Faults
			f.Add(true, "after", "names no item of this list")
			return Page{}, f.Err()
		}
		if err != nil {
			return Page{}, q.db.Explain("leaderboard", err)
		}
	}
	rows, err := q.db.Conn().Query(ctx, `SELECT rank, checkpoint_id, name, training_id, shown, score, benchmarks, evaluations, times, results
		FROM (`+ranked+`) WHERE rank > {from:UInt64} ORDER BY rank LIMIT {limit:UInt64}`,
		append(args, ch.Named("from", after), ch.Named("limit", uint64(query.Limit)+1))...)
	if err != nil {
		return Page{}, q.db.Explain("leaderboard", err)
	}
	defer rows.Close() //nolint:errcheck // its fault is that of Err
	var out Page
	for rows.Next() {
		if len(out.Entries) == query.Limit {
			out.HasMore = true
			break
		}
		var e Entry
		var benchmarks, evaluations []string
		var times []time.Time
		var results []map[string]float64
		err := rows.Scan(&e.Rank, &e.CheckpointID, &e.CheckpointName, &e.TrainingID, &e.Metrics, &e.Score, &benchmarks, &evaluations, &times, &results)
		if err != nil {
			return Page{}, fmt.Errorf("leaderboard: %w", err)
		}
		for i := range benchmarks {
			e.Results = append(e.Results, Result{BenchmarkID: benchmarks[i], EvaluationID: evaluations[i], Metrics: results[i], EvaluatedAt: times[i].UTC()})
			if times[i].After(e.EvaluatedAt) {
				e.EvaluatedAt = times[i].UTC()
			}
		}
		out.Entries = append(out.Entries, e)
	}
	if err := rows.Err(); err != nil {
		return Page{}, q.db.Explain("leaderboard", err)
	}
	return out, nil
}

// ranked is the whole leaderboard: every checkpoint with its rank.
func (q *Query) ranked() (string, []any) {
	args := []any{ch.Named("workspace", q.Workspace), ch.Named("metric", q.Metric)}
	var where strings.Builder
	and := func(condition, name string, value any) {
		where.WriteString(" AND " + condition)
		args = append(args, ch.Named(name, value))
	}
	if q.Model != "" {
		and("(checkpoint_id = {model:String} OR training_id = {model:String})", "model", q.Model)
	}
	if q.Name != "" {
		and("positionCaseInsensitiveUTF8(checkpoint_name, {name:String}) > 0", "name", q.Name)
	}
	if len(q.Benchmarks) > 0 {
		and("has({benchmarks:Array(String)}, benchmark_id)", "benchmarks", q.Benchmarks)
	}
	if len(q.Trainings) > 0 {
		and("has({trainings:Array(String)}, training_id)", "trainings", q.Trainings)
	}
	if !q.Start.IsZero() {
		and("evaluated_at >= fromUnixTimestamp64Micro({start:Int64}, 'UTC')", "start", q.Start.UnixMicro())
	}
	if !q.End.IsZero() {
		and("evaluated_at < fromUnixTimestamp64Micro({end:Int64}, 'UTC')", "end", q.End.UnixMicro())
	}
	counted, direction := "1", "DESC"
	if q.Benchmark != "" {
		counted = "benchmark_id = {benchmark:String}"
		args = append(args, ch.Named("benchmark", q.Benchmark))
	}
	if q.Ascending {
		direction = "ASC"
	}
	return `
SELECT *, if(mapContains(shown, {metric:String}), shown[{metric:String}], NULL) AS score,
	row_number() OVER (ORDER BY score ` + direction + ` NULLS LAST, checkpoint_id ASC) AS rank
FROM (
	SELECT training_id, checkpoint_id, max(checkpoint_name) AS name, avgMapIf(metrics, ` + counted + `) AS shown,
		groupArray(benchmark_id) AS benchmarks, groupArray(evaluation_id) AS evaluations, groupArray(evaluated_at) AS times, groupArray(metrics) AS results
	FROM (
		SELECT *, max(checkpoint_id = '') OVER (PARTITION BY training_id) AS gone FROM rankings FINAL
		WHERE workspace_id = {workspace:String} ORDER BY benchmark_id
	) WHERE NOT gone AND checkpoint_id <> ''` + where.String() + `
	GROUP BY training_id, checkpoint_id HAVING countIf(` + counted + `) > 0
)`, args
}
