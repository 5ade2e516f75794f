package trainings_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"strata/domain"
	"strata/domain/evaluation"
	"strata/domain/training"
	"strata/projections"
	"strata/projections/projectionstest"
	"strata/projections/query"
	"strata/projections/trainings"
	"strata/streams"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newCodec(t *testing.T) *streams.Codec {
	t.Helper()
	codec, err := streams.NewCodec(slices.Concat(training.FactTypes(), evaluation.FactTypes()), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return codec
}

// world is the model running over a log.
type world struct {
	*testing.T
	log    *projectionstest.Log
	codec  *streams.Codec
	runner *projections.Runner
	*trainings.Queries
	second int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, log: projectionstest.NewLog(), codec: newCodec(t)}
	w.runner = projectionstest.Start(t, w.log, w.codec, trainings.Model{})
	db, err := w.runner.Reader(trainings.Name)
	if err != nil {
		t.Fatal(err)
	}
	w.Queries = trainings.NewQueries(db)
	return w
}

func (w *world) given(workspace string, stream domain.StreamID, facts ...domain.Fact) {
	w.Helper()
	w.second++
	w.log.Write(w.T, w.codec, stream, projectionstest.Meta(workspace, w.second), facts...)
	projectionstest.WaitFor(w.T, w.runner, w.log, trainings.Name)
}

func created(name string) training.Created {
	return training.Created{Name: name, Architecture: training.GradientBoostedTrees, DataModelID: "dm_1", Configuration: domain.Doc{"epochs": []byte("2")},
		Sources: []training.Source{{ConnectorID: "con_1", Target: "y"}}}
}

func checkpoint(id string, step int) training.CheckpointRecorded {
	return training.CheckpointRecorded{Checkpoint: training.Checkpoint{ID: id, Name: "of step " + fmt.Sprint(step), Attempt: 1, Step: step, Digest: "sha256:1"}}
}

func fill(w *world) {
	w.given("ws_1", "training-trn_1", created("first"), training.QueuedUp{Attempt: 1, Runner: training.BuiltIn}, training.Started{Attempt: 1, Runner: training.BuiltIn, Epochs: 2})
	w.given("ws_1", "training-trn_1", training.EpochsCompleted{Attempt: 1, Epochs: []training.Epoch{{Epoch: 1, Metrics: map[string]float64{"ks": 0.5}}}}, checkpoint("ckp_1", 1))
	w.given("ws_1", "training-trn_1", checkpoint("ckp_2", 2), training.Completed{Attempt: 1})
	w.given("ws_1", "training-trn_2", created("second"))
	w.given("ws_2", "training-trn_3", created("theirs"), checkpoint("ckp_3", 1))
	w.given("ws_1", "training-trn_4", created("gone"), checkpoint("ckp_4", 1), training.Stopped{Attempt: 1}, training.Removed{})
	w.given("ws_1", "training-trn_4", training.StatusReported{Attempt: 1}) // brings nothing back
	w.given("ws_1", "evaluation-eva_1", evaluation.Requested{BenchmarkID: "bmk_1", CheckpointID: "ckp_1", TrainingID: "trn_1"})
	w.given("ws_1", "evaluation-eva_2", evaluation.Requested{BenchmarkID: "bmk_2", CheckpointID: "ckp_2", TrainingID: "trn_1"},
		evaluation.Scored{BenchmarkID: "bmk_2", CheckpointID: "ckp_2", TrainingID: "trn_1", Result: evaluation.Result{Metrics: map[string]float64{"ks": 1}, Rows: 3}})
}

func ids[T any](w *world, r query.Result[T], err error, id func(T) string) string {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
	out := make([]string, len(r.Items))
	for i, item := range r.Items {
		out[i] = id(item)
	}
	return strings.Join(out, " ")
}

func TestLists(t *testing.T) {
	w := newWorld(t)
	fill(w)
	for want, f := range map[string]trainings.Filter{
		"trn_1 trn_2": {}, "trn_2": {Status: "pending,failed"}, "trn_1": {Status: "succeeded"}, "": {Architecture: "transformer"},
	} {
		f.Workspace = "ws_1"
		r, total, err := w.List(t.Context(), f, query.Page{Limit: 10})
		if got := ids(w, r, err, func(t trainings.Training) string { return t.ID }); got != want || total != len(strings.Fields(want)) {
			t.Errorf("%+v: %q of %d, want %q", f, got, total, want)
		}
	}
	for want, f := range map[string]trainings.Filter{"ckp_1 ckp_2": {Workspace: "ws_1"}, "ckp_3": {Workspace: "ws_2"}, "": {Workspace: "ws_1", Training: "trn_2"}} {
		r, err := w.Checkpoints(t.Context(), f, query.Page{})
		if got := ids(w, r, err, func(c trainings.Checkpoint) string { return c.ID }); got != want {
			t.Errorf("%+v: %q, want %q", f, got, want)
		}
	}
	for want, f := range map[string]trainings.Filter{"eva_1 eva_2": {}, "eva_1": {Status: "pending"}, "eva_2": {Benchmark: "bmk_2", Checkpoint: "ckp_2", Training: "trn_1"}} {
		f.Workspace = "ws_1"
		r, err := w.Evaluations(t.Context(), f, query.Page{})
		if got := ids(w, r, err, func(e trainings.Evaluation) string { return e.ID }); got != want {
			t.Errorf("%+v: %q, want %q", f, got, want)
		}
	}
}

func TestGets(t *testing.T) {
	w := newWorld(t)
	fill(w)
	got, err := w.Get(t.Context(), "ws_1", "trn_1")
	if err != nil || got.Status != training.Succeeded || len(got.Checkpoints) != 2 || got.Metrics[0].Metrics["ks"] != 0.5 || got.Revision != 6 || got.Name != "first" {
		t.Errorf("%+v, %v", got, err)
	}
	c, err := w.Checkpoint(t.Context(), "ws_1", "ckp_2")
	if err != nil || c.TrainingID != "trn_1" || c.Step != 2 {
		t.Errorf("%+v, %v", c, err)
	}
	e, err := w.Evaluation(t.Context(), "ws_1", "eva_2")
	if err != nil || e.Status != evaluation.Succeeded || e.Result.Rows != 3 || e.Revision != 1 {
		t.Errorf("%+v, %v", e, err)
	}
	for what, err := range map[string]error{
		"a deleted training": get(w.Get(t.Context(), "ws_1", "trn_4")), "another's training": get(w.Get(t.Context(), "ws_1", "trn_3")),
		"a checkpoint of a deleted training": get(w.Checkpoint(t.Context(), "ws_1", "ckp_4")), "another's checkpoint": get(w.Checkpoint(t.Context(), "ws_1", "ckp_3")),
		"another's evaluation": get(w.Evaluation(t.Context(), "ws_2", "eva_1")),
	} {
		if err == nil || domain.CodeOf(err) != domain.CodeNotFound {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func get[T any](_ T, err error) error { return err }

func TestOpen(t *testing.T) {
	w := newWorld(t)
	fill(w)
	open, err := w.OpenTrainings(t.Context())
	if err != nil || len(open) != 2 || open[0].ID != "trn_2" || open[0].Status != training.Pending || open[0].Attempt != 1 || open[0].Workspace != "ws_1" {
		t.Errorf("%+v, %v", open, err)
	}
	open, err = w.OpenEvaluations(t.Context())
	if err != nil || len(open) != 1 || open[0].ID != "eva_1" {
		t.Errorf("%+v, %v", open, err)
	}
}

func TestRebuild(t *testing.T) {
	history := projectionstest.NewLog()
	codec := newCodec(t)
	for i := range 12 {
		trainingID, evaluationID := domain.StreamID(fmt.Sprintf("training-trn_%d", i%3)), domain.StreamID(fmt.Sprintf("evaluation-eva_%d", i))
		meta := projectionstest.Meta("ws_1", i)
		switch {
		case i < 3:
			history.Write(t, codec, trainingID, meta, created("x"), training.Started{Attempt: 1, Runner: training.BuiltIn})
		case i == 10:
			history.Write(t, codec, trainingID, meta, training.Stopped{Attempt: 1}, training.Removed{})
		default:
			history.Write(t, codec, trainingID, meta, training.EpochsCompleted{Attempt: 1, Epochs: []training.Epoch{{Epoch: i}}}, checkpoint(fmt.Sprintf("ckp_%d", i), i))
			history.Write(t, codec, evaluationID, meta, evaluation.Requested{CheckpointID: fmt.Sprintf("ckp_%d", i)}, evaluation.Broken{Code: "X"})
		}
	}
	projectionstest.CheckRebuild(t, codec, trainings.Model{}, history)
}
