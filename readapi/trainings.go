package readapi

import (
	"context"
	"net/http"
	"strings"
	"time"

	"strata/domain"
	"strata/domain/evaluation"
	"strata/domain/training"
	"strata/internal/httpx"
	"strata/internal/view"
	"strata/projections/history"
	"strata/projections/leaderboards"
	"strata/projections/trainings"
)

// bothMounts are where trainings and what belongs to them are served, with what
// is added to the names of operations.
func bothMounts() map[string]*httpx.Mount {
	return map[string]*httpx.Mount{"": httpx.API, "V1": httpx.V1}
}

// trainings registers what can be asked about trainings, checkpoints,
// evaluations and leaderboards.
func (a *API) trainings() {
	for suffix, mount := range bothMounts() {
		op := func(id, path, summary, permission string) httpx.Op {
			o := httpx.Op{ID: id + suffix, Method: http.MethodGet, Path: path, Mount: mount, Tag: "Trainings", Summary: summary,
				Permission: permission, Reads: trainings.Name, Paging: httpx.NoPaging}
			if strings.HasPrefix(id, "list") {
				if o.Paging = httpx.Cursor; mount == httpx.V1 {
					o.Paging = httpx.After
				}
			}
			return o
		}
		listing := op("listTrainings", "/trainings", "List trainings", "trainings:list")
		if mount == httpx.V1 {
			listing.Paging, listing.PageDefault = httpx.Pages, 10
		}
		a.listTrainings(listing)
		serve(a, a.training(op("getTraining", "/trainings/{id}", "Get training", "trainings:get")))
		a.checkpoints(op)
		a.evaluations(op)
		a.leaderboard(op("listLeaderboards", "/leaderboards", "List leaderboards", "leaderboards:list"))
	}
}

func (a *API) listTrainings(op httpx.Op) {
	op.Sort = trainings.SortFields
	op.Filters = []string{"status=" + join(training.Statuses()), "architecture"}
	httpx.Register(a.r, op, func(ctx context.Context, in *struct{ httpx.ListParams }) (httpx.Reply[httpx.List[view.Training]], error) {
		_, ws := tenant(ctx)
		found, total, err := a.Trainings.List(ctx, trainings.Filter{Workspace: ws, Status: in.Filters["status"], Architecture: in.Filters["architecture"]}, page(in.ListParams))
		if err != nil {
			return httpx.Reply[httpx.List[view.Training]]{}, err
		}
		out, err := list(found, always(func(t trainings.Training) view.Training { return view.TrainingOf(&t.State) }))
		out.Body.Total = &total
		return out, err
	})
}

// join writes the values of a filter.
func join[S ~string](values []S) string {
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = string(v)
	}
	return strings.Join(parts, "|")
}

// training is one training, now and in the past.
func (a *API) training(op httpx.Op) resource[training.State, view.Training] {
	return resource[training.State, view.Training]{
		op: op, agg: training.Aggregate, param: "id", grown: []string{"metrics", "checkpoints"},
		now: func(ctx context.Context) (httpx.Reply[view.Training], error) {
			_, ws := tenant(ctx)
			t, err := a.Trainings.Get(ctx, ws, httpx.PathValue(ctx, "id"))
			return httpx.Reply[view.Training]{Body: view.TrainingOf(&t.State), Revision: &t.Revision}, err
		},
		stream: func(ctx context.Context) (domain.StreamID, bool) {
			return training.Aggregate.Stream(httpx.PathValue(ctx, "id")), true
		},
		alive: func(m *history.Moment[training.State]) bool { return m.State.Status != "" && !m.State.Deleted },
		show:  func(m *history.Moment[training.State]) (view.Training, error) { return view.TrainingOf(m.State), nil },
		added: func(m *history.Moment[training.State]) (out []addition) {
			switch f := m.Event.Fact.(type) {
			case training.EpochsCompleted:
				for _, e := range f.Epochs {
					out = append(out, addition{list: "metrics", item: view.TrainingEpoch(e)})
				}
			case training.CheckpointRecorded:
				c := f.Checkpoint
				c.CreatedAt = m.Event.Meta.OccurredAt
				out = append(out, addition{list: "checkpoints", item: view.CheckpointOf(m.State.ID, &c)})
			}
			return out
		},
	}
}

func (a *API) checkpoints(op func(id, path, summary, permission string) httpx.Op) {
	listing := op("listCheckpoints", "/checkpoints", "List checkpoints", "trainings:list")
	listing.Description = "The latest first."
	listing.Filters = []string{"training_id"}
	httpx.Register(a.r, listing, func(ctx context.Context, in *struct{ httpx.ListParams }) (httpx.Reply[httpx.List[view.Checkpoint]], error) {
		_, ws := tenant(ctx)
		found, err := a.Trainings.Checkpoints(ctx, trainings.Filter{Workspace: ws, Training: in.Filters["training_id"]}, page(in.ListParams))
		if err != nil {
			return httpx.Reply[httpx.List[view.Checkpoint]]{}, err
		}
		return list(found, always(showCheckpoint))
	})
	httpx.Register(a.r, op("getCheckpoint", "/checkpoints/{id}", "Get checkpoint", "trainings:get"),
		func(ctx context.Context, in *idInput) (httpx.Reply[view.Checkpoint], error) {
			_, ws := tenant(ctx)
			c, err := a.Trainings.Checkpoint(ctx, ws, in.ID)
			return httpx.Reply[view.Checkpoint]{Body: showCheckpoint(c)}, err
		})
}

type idInput struct {
	ID string `path:"id"`
}

func showCheckpoint(c trainings.Checkpoint) view.Checkpoint {
	return view.CheckpointOf(c.TrainingID, &c.Checkpoint)
}

func (a *API) evaluations(op func(id, path, summary, permission string) httpx.Op) {
	listing := op("listEvaluations", "/evaluations", "List evaluations", "evaluations:list")
	listing.Description = "The latest first."
	listing.Filters = []string{"status=" + join(evaluation.Statuses()), "training_id", "checkpoint_id", "benchmark_id"}
	httpx.Register(a.r, listing, func(ctx context.Context, in *struct{ httpx.ListParams }) (httpx.Reply[httpx.List[view.Evaluation]], error) {
		_, ws := tenant(ctx)
		found, err := a.Trainings.Evaluations(ctx, trainings.Filter{Workspace: ws, Status: in.Filters["status"], Training: in.Filters["training_id"],
			Checkpoint: in.Filters["checkpoint_id"], Benchmark: in.Filters["benchmark_id"]}, page(in.ListParams))
		if err != nil {
			return httpx.Reply[httpx.List[view.Evaluation]]{}, err
		}
		return list(found, always(func(e trainings.Evaluation) view.Evaluation { return view.EvaluationOf(&e.State) }))
	})
	serve(a, resource[evaluation.State, view.Evaluation]{
		op: op("getEvaluation", "/evaluations/{id}", "Get evaluation", "evaluations:get"), agg: evaluation.Aggregate, param: "id",
		now: func(ctx context.Context) (httpx.Reply[view.Evaluation], error) {
			_, ws := tenant(ctx)
			e, err := a.Trainings.Evaluation(ctx, ws, httpx.PathValue(ctx, "id"))
			return httpx.Reply[view.Evaluation]{Body: view.EvaluationOf(&e.State), Revision: &e.Revision}, err
		},
		stream: func(ctx context.Context) (domain.StreamID, bool) {
			return evaluation.Aggregate.Stream(httpx.PathValue(ctx, "id")), true
		},
		alive: func(m *history.Moment[evaluation.State]) bool { return m.State.Status != "" },
		show: func(m *history.Moment[evaluation.State]) (view.Evaluation, error) {
			return view.EvaluationOf(m.State), nil
		},
	})
}

// LeaderboardEntry is a checkpoint with its place.
type LeaderboardEntry struct {
	Rank           uint64              `json:"rank" doc:"Its place, from 1." example:"1"`
	CheckpointID   string              `json:"checkpoint_id" example:"ckp_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	CheckpointName string              `json:"checkpoint_name" example:"Churn, epoch 50"`
	TrainingID     string              `json:"training_id" example:"trn_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	BenchmarkID    string              `json:"benchmark_id" doc:"The benchmark that is ordered by, or the only one that counts; empty when it is a mean over several." example:"bmk_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Metrics        map[string]float64  `json:"metrics" doc:"As measured on that benchmark, else the mean over all that count." example:"{\"accuracy\":0.87,\"roc_auc\":0.93}"`
	Score          *float64            `json:"score" nullable:"true" doc:"The metric that is ordered by; null where it was not measured: those come last." example:"0.87"`
	Results        []LeaderboardResult `json:"results" doc:"Of each benchmark that counts, its latest evaluation."`
	CreatedAt      time.Time           `json:"created_at" doc:"When the latest of them was computed."`
}

// LeaderboardResult is what one benchmark said of a checkpoint.
type LeaderboardResult struct {
	BenchmarkID  string             `json:"benchmark_id" example:"bmk_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	EvaluationID string             `json:"evaluation_id" example:"eva_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Metrics      map[string]float64 `json:"metrics" example:"{\"accuracy\":0.87,\"roc_auc\":0.93}"`
	CreatedAt    time.Time          `json:"created_at"`
}

type leaderboardQuery struct {
	httpx.ListParams
	ModelID    string    `query:"model_id" doc:"Only this checkpoint, or those of this training."`
	Name       string    `query:"name" doc:"Only checkpoints whose name holds this, in either case."`
	Benchmarks []string  `query:"benchmarks" doc:"Only these benchmarks count."`
	Trainings  []string  `query:"trainings" doc:"Only checkpoints of these trainings."`
	StartDate  time.Time `query:"start_date" doc:"Only evaluations from then on."`
	EndDate    time.Time `query:"end_date" doc:"Only evaluations before."`
	Benchmark  string    `query:"order_by_metric.benchmark_id" doc:"Rank the checkpoints that were measured on this benchmark by the metric there; when absent, all by its mean over the benchmarks that count."`
	Metric     string    `query:"order_by_metric.metric_name" enum:"accuracy,f1,precision,recall,roc_auc,log_loss,ks,gini" default:"accuracy" doc:"The metric to order by."`
	Direction  string    `query:"order_by_metric.direction" enum:"asc,desc" default:"desc" doc:"desc: the highest first; of log_loss the least is the best, so ask for asc."`
}

// leaderboard registers the ranking of checkpoints. Its rows come from ClickHouse,
// a moment after an evaluation has ended.
func (a *API) leaderboard(op httpx.Op) {
	op.Reads, op.Paging = "", httpx.After
	op.Description = "Ranks checkpoints by what their latest evaluation on each benchmark said. The highest come first unless the direction is asc, " +
		"which for log_loss means the best first. A result shows up about a second after its evaluation has ended."
	httpx.Register(a.r, op, func(ctx context.Context, in *leaderboardQuery) (httpx.Reply[httpx.List[LeaderboardEntry]], error) {
		_, ws := tenant(ctx)
		q := leaderboards.Query{Workspace: ws, Model: in.ModelID, Name: in.Name, Benchmarks: in.Benchmarks, Trainings: in.Trainings, Start: in.StartDate, End: in.EndDate,
			Metric: in.Metric, Benchmark: in.Benchmark, Ascending: in.Direction == "asc", After: in.After, Limit: in.Limit}
		found, err := a.Leaderboards.Rank(ctx, q)
		if err != nil {
			return httpx.Reply[httpx.List[LeaderboardEntry]]{}, err
		}
		out := httpx.List[LeaderboardEntry]{Items: make([]LeaderboardEntry, len(found.Entries)), HasMore: found.HasMore}
		for i, e := range found.Entries {
			out.Items[i] = entryOf(e, q.Benchmark)
		}
		return httpx.Reply[httpx.List[LeaderboardEntry]]{Body: out}, nil
	})
}

func entryOf(e leaderboards.Entry, benchmark string) LeaderboardEntry {
	if benchmark == "" && len(e.Results) == 1 {
		benchmark = e.Results[0].BenchmarkID
	}
	out := LeaderboardEntry{Rank: e.Rank, CheckpointID: e.CheckpointID, CheckpointName: e.CheckpointName, TrainingID: e.TrainingID, BenchmarkID: benchmark,
		Metrics: e.Metrics, Score: e.Score, Results: make([]LeaderboardResult, len(e.Results)), CreatedAt: e.EvaluatedAt}
	for i, r := range e.Results {
		out.Results[i] = LeaderboardResult{BenchmarkID: r.BenchmarkID, EvaluationID: r.EvaluationID, Metrics: r.Metrics, CreatedAt: r.EvaluatedAt}
	}
	return out
}
