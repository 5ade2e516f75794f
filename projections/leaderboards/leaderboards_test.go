package leaderboards_test

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"strata/domain"
	"strata/domain/evaluation"
	"strata/domain/training"
	"strata/internal/clickhouse/clickhousetest"
	"strata/projections/analytics"
	"strata/projections/leaderboards"
)

func TestMain(m *testing.M) { clickhousetest.Main(m, func() error { return goleak.Find() }) }

var march = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// world is the shared table; every test has a workspace of its own in it.
type world struct {
	*testing.T
	writer    *leaderboards.Writer
	queries   *leaderboards.Queries
	workspace string
	position  domain.Position
}

func newWorld(t *testing.T) *world {
	t.Helper()
	db := clickhousetest.Shared(t)
	if err := analytics.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	return &world{T: t, writer: leaderboards.NewWriter(db, nil), queries: leaderboards.NewQueries(db), workspace: clickhousetest.Unique("ws")}
}

func (w *world) event(stream domain.StreamID, day int, f domain.Fact) domain.Event {
	w.position++
	return domain.Event{Stream: stream, Position: w.position, Fact: f, Meta: domain.Metadata{Workspace: w.workspace, OccurredAt: march.AddDate(0, 0, day)}}
}

// scored is an evaluation of checkpoint "t/c" of training "t".
func (w *world) scored(checkpoint, benchmark string, day int, metrics map[string]float64) domain.Event {
	trainingID, _, _ := strings.Cut(checkpoint, "/")
	return w.event(evaluation.Aggregate.Stream(fmt.Sprintf("eva_%d", w.position+1)), day, evaluation.Scored{TrainingID: trainingID, CheckpointID: checkpoint,
		CheckpointName: "name of " + checkpoint, BenchmarkID: benchmark, Result: evaluation.Result{Metrics: metrics, Rows: 10}})
}

func (w *world) write(events ...domain.Event) {
	w.Helper()
	if err := w.writer.Write(w.Context(), events); err != nil {
		w.Fatal(err)
	}
}

// ranked asks for ids in their order.
func (w *world) ranked(q leaderboards.Query) []string {
	w.Helper()
	ids, err := w.try(q)
	if err != nil {
		w.Fatal(err)
	}
	return ids
}

func (w *world) try(q leaderboards.Query) (ids []string, err error) {
	q.Workspace = cmp.Or(q.Workspace, w.workspace)
	p, err := w.queries.Rank(w.Context(), q)
	for _, e := range p.Entries {
		ids = append(ids, e.CheckpointID)
	}
	return ids, err
}

type m = map[string]float64

func TestRanksWithEveryFilter(t *testing.T) {
	w := newWorld(t)
	events := []domain.Event{
		w.scored("a/1", "x", 0, m{"accuracy": 0.1, "log_loss": 0.1}), // replaced by the next
		w.scored("a/1", "x", 1, m{"accuracy": 0.9, "log_loss": 0.3}),
		w.scored("a/1", "y", 2, m{"accuracy": 0.5}),
		w.scored("a/2", "x", 3, m{"accuracy": 0.8, "log_loss": 0.4}),
		w.scored("b/1", "y", 4, m{"accuracy": 0.6, "f1": 0.2}),
		w.scored("c/1", "x", 5, m{"accuracy": 1}),
		w.event(training.Aggregate.Stream("c"), 6, training.Removed{}),
		w.scored("c/2", "x", 7, m{"accuracy": 1}), // was under way when the training was deleted
	}
	w.write(events...)
	w.write(events[:3]...) // delivered twice
	for name, c := range map[string]struct {
		query leaderboards.Query
		want  []string
	}{
		"by the mean of accuracy":       {leaderboards.Query{}, []string{"a/2", "a/1", "b/1"}},
		"the least first":               {leaderboards.Query{Ascending: true}, []string{"b/1", "a/1", "a/2"}},
		"on one benchmark":              {leaderboards.Query{Benchmark: "x"}, []string{"a/1", "a/2"}},
		"on the other":                  {leaderboards.Query{Benchmark: "y"}, []string{"b/1", "a/1"}},
		"on none":                       {leaderboards.Query{Benchmark: "z"}, nil},
		"what only one has":             {leaderboards.Query{Metric: "f1"}, []string{"b/1", "a/1", "a/2"}},
		"losses, the least first":       {leaderboards.Query{Metric: "log_loss", Ascending: true}, []string{"a/1", "a/2", "b/1"}},
		"of a training":                 {leaderboards.Query{Model: "a"}, []string{"a/2", "a/1"}},
		"of a checkpoint":               {leaderboards.Query{Model: "a/1"}, []string{"a/1"}},
		"of trainings":                  {leaderboards.Query{Trainings: []string{"b", "c"}}, []string{"b/1"}},
		"where one benchmark counts":    {leaderboards.Query{Benchmarks: []string{"x"}}, []string{"a/1", "a/2"}},
		"where both do":                 {leaderboards.Query{Benchmarks: []string{"x", "y"}}, []string{"a/2", "a/1", "b/1"}},
		"by name":                       {leaderboards.Query{Name: "OF A"}, []string{"a/2", "a/1"}},
		"from a day on":                 {leaderboards.Query{Start: march.AddDate(0, 0, 3)}, []string{"a/2", "b/1"}},
		"before a day":                  {leaderboards.Query{End: march.AddDate(0, 0, 3)}, []string{"a/1"}},
		"all filters":                   {leaderboards.Query{Model: "a", Name: "a/", Trainings: []string{"a"}, Benchmarks: []string{"x"}, Start: march, End: march.AddDate(0, 1, 0), Metric: "log_loss", Benchmark: "x"}, []string{"a/2", "a/1"}},
		"after one":                     {leaderboards.Query{After: "a/2"}, []string{"a/1", "b/1"}},
		"after the last":                {leaderboards.Query{After: "b/1"}, nil},
		"nothing of a deleted training": {leaderboards.Query{Model: "c"}, nil},
		"nothing of other tenants":      {leaderboards.Query{Workspace: "ws_other"}, nil},
	} {
		if got := w.ranked(c.query); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	p, err := w.queries.Rank(t.Context(), leaderboards.Query{Workspace: w.workspace, Limit: 2})
	if err != nil || !p.HasMore || len(p.Entries) != 2 {
		t.Fatalf("%+v, %v", p, err)
	}
	if e := p.Entries[1]; e.Rank != 2 || e.CheckpointName != "name of a/1" || e.TrainingID != "a" || *e.Score != 0.7 || e.Metrics["accuracy"] != 0.7 ||
		e.Metrics["log_loss"] != 0.3 || len(e.Results) != 2 || e.Results[0].BenchmarkID != "x" || e.Results[0].Metrics["accuracy"] != 0.9 ||
		e.Results[0].EvaluationID != "eva_2" || !e.EvaluatedAt.Equal(march.AddDate(0, 0, 2)) {
		t.Errorf("%+v, score %v", e, *e.Score)
	}
}

func TestRefuses(t *testing.T) {
	w := newWorld(t)
	for field, q := range map[string]leaderboards.Query{
		"order_by_metric.metric_name":  {Metric: "beauty"},
		"order_by_metric.benchmark_id": {Benchmark: "z", Benchmarks: []string{"x"}},
		"end_date":                     {Start: march, End: march},
		"limit":                        {Limit: 1000},
		"after":                        {After: "ckp_0"},
	} {
		_, err := w.try(q)
		if e, ok := errors.AsType[*domain.Error](err); !ok || len(e.Fields) != 1 || e.Fields[0].Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestResumes(t *testing.T) {
	w := newWorld(t)
	w.write(w.scored("a/1", "x", 0, m{"accuracy": 1}))
	if at, err := w.writer.Resume(t.Context()); err != nil || at < w.position {
		t.Errorf("%d, %v", at, err)
	}
}

// Pages put together are the whole, whatever is drawn and however scores tie.
func TestPagesAreTheWhole(t *testing.T) {
	w := newWorld(t)
	for round := range 6 {
		r := rand.New(rand.NewPCG(uint64(round), 1))
		w.workspace = clickhousetest.Unique("ws")
		type place struct {
			id    string
			score float64
		}
		var want []place
		var events []domain.Event
		for i := range 1 + r.IntN(12) {
			p := place{fmt.Sprintf("t/%02d", i), float64(r.IntN(4))}
			want = append(want, p)
			events = append(events, w.scored(p.id, "x", 0, m{"ks": p.score}))
		}
		w.write(events...)
		slices.SortFunc(want, func(a, b place) int { return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.id, b.id)) })
		var got []string
		q := leaderboards.Query{Workspace: w.workspace, Metric: "ks", Limit: 1 + r.IntN(5)}
		for more := true; more; q.After = got[len(got)-1] {
			p, err := w.queries.Rank(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range p.Entries {
				if got = append(got, e.CheckpointID); int(e.Rank) != len(got) {
					t.Fatalf("rank %d in place %d", e.Rank, len(got))
				}
			}
			more = p.HasMore
		}
		for i, p := range want {
			if len(got) != len(want) || got[i] != p.id {
				t.Fatalf("round %d: %v, want %v", round, got, want)
			}
		}
	}
}
