package training_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"strata/domain"
	"strata/domain/domaintest"
	"strata/domain/training"
)

func raw(s string) json.RawMessage { return json.RawMessage(s) }

// The history most scenarios begin with.
var (
	source  = training.Source{ConnectorID: "con_1", Files: []string{"a.csv"}, Target: "churned", Features: []string{"age", "plan"}}
	created = training.Created{Name: "churn", Architecture: training.LogisticRegression, DataModelID: "dm_1", GPUCount: 1, BenchmarkIDs: []string{"bmk_1"},
		Configuration: domain.Doc{"epochs": raw("3")}, Sources: []training.Source{source}}
	queued  = training.QueuedUp{Attempt: 1, Runner: training.BuiltIn}
	started = training.Started{Attempt: 1, Runner: training.BuiltIn, Epochs: 3, Rows: 80, Kept: 20}
	epochs  = training.EpochsCompleted{Attempt: 1, Epochs: []training.Epoch{{Epoch: 1, Metrics: map[string]float64{"train_loss": 0.7}}}}
	kept    = training.CheckpointRecorded{Checkpoint: training.Checkpoint{ID: "ckp_1", Name: "churn, epoch 1", Attempt: 1, Step: 1,
		Metrics: map[string]float64{"train_loss": 0.7}, URI: "strata:checkpoint/ckp_1", Digest: "sha256:00", Size: 7, Final: true}}
	restarted = training.Restarted{Attempt: 2, Architecture: training.LogisticRegression, Configuration: domain.Doc{"epochs": raw("5")}, Sources: created.Sources}
	when      = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
)

func TestGolden(t *testing.T) {
	domaintest.Golden(t, append(training.FactTypes(), training.Models.Facts...), created, queued, started, epochs, kept, restarted,
		training.Renamed{Name: "x"}, training.BenchmarksChosen{BenchmarkIDs: []string{"bmk_2"}},
		training.StatusReported{Attempt: 1, Status: training.Running, ReportedAt: when},
		training.Completed{Attempt: 1}, training.Broken{Attempt: 1, Code: training.BadData, Message: "no"}, training.Stopped{Attempt: 1}, training.Removed{},
		training.PartStored{TrainingID: "trn_1", Part: 1, Of: 2, Digest: "sha256:00", Size: 3, Data: []byte("ab")})
}

func TestCreate(t *testing.T) {
	cmd := training.Create(created)
	domaintest.Given(t, training.Aggregate).When(cmd).Then(created)
	domaintest.Given(t, training.Aggregate, created).When(cmd).ThenError(domain.CodeConflict)
	domaintest.Given(t, training.Aggregate).When(training.Create{GPUCount: -1, BenchmarkIDs: []string{"b", "b"}}).
		ThenError(domain.CodeValidation, "name", "data_model_id", "gpu_count", "benchmark_ids[1]", "architecture", "configuration", "connectors")
	cmd.Configuration = domain.Doc{"epochs": raw("0"), "batch_size": raw(`"x"`), "max_depth": raw("3")}
	cmd.Sources = []training.Source{{ConnectorID: "", Files: []string{""}}}
	domaintest.Given(t, training.Aggregate).When(cmd).ThenError(domain.CodeValidation, "connectors[0].connector_id", "connectors[0].files",
		"configuration.epochs", "configuration.batch_size", "configuration.max_depth", "configuration.target")
	cmd.Architecture = "transformer" // what it needs only a cluster knows
	cmd.Sources = created.Sources
	if s := domaintest.Given(t, training.Aggregate).When(cmd).State(); s.Status != training.Pending || s.Attempt != 1 {
		t.Errorf("%+v", s)
	}
}

func TestSettings(t *testing.T) {
	s, err := training.SettingsOf(training.GradientBoostedTrees, domain.Doc{"max_depth": raw("3"), "target": raw(`"y"`), "seed": raw("9")}, nil)
	if err != nil || s.MaxDepth != 3 || s.Epochs != 100 || s.Target != "y" || s.Seed != 9 || s.Validation != 0.2 {
		t.Errorf("%+v, %v", s, err)
	}
	due := 0
	for epoch := 1; epoch <= s.Epochs; epoch++ {
		if s.CheckpointAt(epoch) {
			due++
		}
	}
	if due != 10 || !s.CheckpointAt(100) {
		t.Errorf("%d checkpoints of 100 epochs", due)
	}
	two := []training.Source{{ConnectorID: "a", Target: "y", Features: []string{"p"}}, {ConnectorID: "b", Target: "z", Features: []string{"q"}}}
	_, err = training.SettingsOf(training.LogisticRegression, domain.Doc{"features": raw(`["p","p"]`), "learning_rate": raw("0")}, two)
	if got := fmt.Sprint(err); domain.CodeOf(err) != domain.CodeValidation {
		t.Error(got)
	}
	if _, err := training.SettingsOf(training.LogisticRegression, domain.Doc{"features": raw(`["p","y"]`)}, two[:1]); err == nil {
		t.Error("the target is taken for a feature")
	}
}

func TestRevise(t *testing.T) {
	name, none := "other", ""
	domaintest.Given(t, training.Aggregate, created).When(training.Revise{Name: &name}).Then(training.Renamed{Name: "other"})
	domaintest.Given(t, training.Aggregate, created).When(training.Revise{Name: &none}).ThenError(domain.CodeValidation, "name")
	domaintest.Given(t, training.Aggregate, created).When(training.Revise{Name: &created.Name, Source: &source, Configuration: created.Configuration}).ThenNothing()
	domaintest.Given(t, training.Aggregate, created).When(training.Revise{BenchmarkIDs: &[]string{}}).Then(training.BenchmarksChosen{BenchmarkIDs: []string{}})
	o := domaintest.Given(t, training.Aggregate, created, queued, started, epochs, kept).When(training.Revise{Configuration: restarted.Configuration}).Then(restarted)
	if s := o.State(); s.Status != training.Pending || s.Attempt != 2 || len(s.Metrics) != 0 || len(s.Checkpoints) != 1 || s.Latest() != nil {
		t.Errorf("%+v", s)
	}
	other := training.Source{ConnectorID: "con_2", Target: "y"}
	if s := domaintest.Given(t, training.Aggregate, created).When(training.Revise{Source: &other}).State(); len(s.Sources) != 1 || s.Sources[0].ConnectorID != "con_2" {
		t.Errorf("%+v", s.Sources)
	}
	domaintest.Given(t, training.Aggregate, created, training.Removed{}).When(training.Revise{Name: &name}).ThenError(domain.CodeNotFound)
}

func TestRun(t *testing.T) {
	given := func(more ...domain.Fact) *domaintest.Scenario[training.State] {
		return domaintest.Given(t, training.Aggregate, append([]domain.Fact{created}, more...)...)
	}
	given().When(training.Enqueue(queued)).Then(queued)
	given(queued).When(training.Enqueue(queued)).ThenNothing()
	given(queued, started).When(training.Enqueue(queued)).ThenError(domain.CodeConflict)
	given(queued).When(training.Start(started)).Then(started)
	given(queued, started).When(training.Start(started)).ThenNothing()
	given(queued).When(training.RecordEpochs(epochs)).ThenError(domain.CodeConflict)
	given(queued, started).When(training.RecordEpochs(epochs)).Then(epochs)
	both := append([]training.Epoch{{Epoch: 2}}, epochs.Epochs...)
	given(queued, started, epochs).When(training.RecordEpochs{Attempt: 1, Epochs: both}).Then(training.EpochsCompleted{Attempt: 1, Epochs: both[:1]})
	given(queued, started).When(training.RecordCheckpoint(kept)).Then(kept)
	given(queued, started, kept).When(training.RecordCheckpoint(kept)).ThenNothing()
	given(queued, started).When(training.Finish{Attempt: 1}).Then(training.Completed{Attempt: 1})
	given(started, training.Completed{Attempt: 1}).When(training.Finish{Attempt: 1}).ThenNothing()
	given(queued).When(training.Fail{Attempt: 1, Code: "X", Message: "no"}).Then(training.Broken{Attempt: 1, Code: "X", Message: "no"})
}

// What somebody reports who has not heard that the attempt is over is refused.
func TestOver(t *testing.T) {
	for _, over := range []domain.Fact{training.Stopped{Attempt: 1}, training.Completed{Attempt: 1}, restarted, training.Broken{Attempt: 1}} {
		for _, cmd := range []domain.Decider[training.State]{training.Enqueue(queued), training.Start(started), training.RecordEpochs(epochs),
			training.RecordCheckpoint{Checkpoint: training.Checkpoint{ID: "ckp_9", Attempt: 1}}, training.Fail{Attempt: 1}} {
			domaintest.Given(t, training.Aggregate, created, started, over).When(cmd).ThenError(domain.CodeConflict)
		}
	}
}

func TestCancelAndDelete(t *testing.T) {
	domaintest.Given(t, training.Aggregate, created, started).When(training.Cancel{}).Then(training.Stopped{Attempt: 1})
	domaintest.Given(t, training.Aggregate, created, training.Stopped{Attempt: 1}).When(training.Cancel{}).ThenNothing()
	domaintest.Given(t, training.Aggregate, created, training.Completed{Attempt: 1}).When(training.Cancel{}).ThenError(domain.CodeConflict)
	domaintest.Given(t, training.Aggregate, created, started).When(training.Delete{}).Then(training.Stopped{Attempt: 1}, training.Removed{})
	domaintest.Given(t, training.Aggregate, created, training.Completed{Attempt: 1}).When(training.Delete{}).Then(training.Removed{})
	for _, cmd := range []domain.Decider[training.State]{training.Cancel{}, training.Delete{}} {
		domaintest.Given(t, training.Aggregate).When(cmd).ThenError(domain.CodeNotFound)
	}
}

func TestReport(t *testing.T) {
	atCluster := training.QueuedUp{Attempt: 1, Runner: training.Cluster}
	running := training.Started{Attempt: 1, Runner: training.Cluster}
	reported := func(s training.Status, at time.Time) training.StatusReported {
		return training.StatusReported{Attempt: 1, Status: s, ReportedAt: at}
	}
	given := func(more ...domain.Fact) *domaintest.Scenario[training.State] {
		return domaintest.Given(t, training.Aggregate, append([]domain.Fact{created, atCluster}, more...)...)
	}
	given().When(training.Report{Status: training.Running, At: when}).Then(reported(training.Running, when), running)
	given(reported(training.Running, when), running).When(training.Report{Status: training.Queued, At: when.Add(-time.Second)}).ThenNothing()
	given(running).When(training.Report{Status: training.Succeeded, At: when, Epochs: epochs.Epochs, Checkpoints: []training.Checkpoint{{Step: 1, URI: "s3://m/1"}}}).
		Then(reported(training.Succeeded, when), epochs,
			training.CheckpointRecorded{Checkpoint: training.Checkpoint{ID: domaintest.ID("ckp", 1), Name: "churn, epoch 1", Attempt: 1, Step: 1, URI: "s3://m/1", Metrics: map[string]float64{}}},
			training.Completed{Attempt: 1})
	given(running, training.Completed{Attempt: 1}).When(training.Report{Status: training.Failed, At: when}).ThenNothing()
	given(running, training.Completed{Attempt: 1}).When(training.Report{Epochs: epochs.Epochs}).Then(epochs) // late, and still news
	given(running).When(training.Report{Status: training.Failed, Message: "out of memory"}).
		Then(reported(training.Failed, domaintest.Now), training.Broken{Attempt: 1, Code: training.ClusterError, Message: "out of memory"})
	given(running).When(training.Report{Status: training.Cancelled, At: when}).Then(reported(training.Cancelled, when), training.Stopped{Attempt: 1})
	given(running, restarted).When(training.Report{Attempt: 1, Status: training.Succeeded}).ThenNothing()
	given().When(training.Report{Status: "odd", Epochs: []training.Epoch{{}}, Checkpoints: []training.Checkpoint{{}}}).
		ThenError(domain.CodeValidation, "status", "payload.epochs", "payload.checkpoints")
	domaintest.Given(t, training.Aggregate, created, queued).When(training.Report{Status: training.Running}).ThenError(domain.CodeValidation, "id")
}

func TestUpdate(t *testing.T) {
	given := domaintest.Given(t, training.Aggregate, created, training.QueuedUp{Attempt: 1, Runner: training.Cluster})
	o := given.When(training.Update{Status: "completed", At: when, Payload: domain.Doc{"epochs": raw(`[{"epoch":1,"metrics":{"train_loss":0.7}}]`),
		"checkpoints": raw(`[{"step":1,"uri":"s3://m/1","final":true,"metrics":{"accuracy":1}}]`), "attempt": raw("1"), "message": raw("null")}})
	if s := o.State(); s.Status != training.Succeeded || s.Metrics[0].Metrics["train_loss"] != 0.7 || !s.Checkpoints[0].Final || s.Checkpoints[0].Metrics["accuracy"] != 1 || s.Checkpoints[0].Here() {
		t.Errorf("%+v", s)
	}
	given.When(training.Update{Payload: domain.Doc{"epochs": raw(`7`), "attempt": raw(`"x"`)}}).ThenError(domain.CodeValidation, "payload.attempt", "payload.epochs")
	given.When(training.Update{Status: "lost"}).ThenError(domain.CodeValidation, "status")
}

// In whatever order and however often reports come, the same is known in the end.
func TestReportsInAnyOrder(t *testing.T) {
	reports := []training.Report{
		{Status: training.Running, At: when.Add(time.Second)},
		{Status: training.Running, At: when.Add(2 * time.Second), Epochs: []training.Epoch{{Epoch: 1}}},
		{Status: training.Running, At: when.Add(3 * time.Second), Epochs: []training.Epoch{{Epoch: 2}}, Checkpoints: []training.Checkpoint{{Step: 2, URI: "s3://m/2"}}},
		{Status: training.Succeeded, At: when.Add(4 * time.Second), Checkpoints: []training.Checkpoint{{Step: 3, URI: "s3://m/3"}}},
	}
	rapid.Check(t, func(t *rapid.T) {
		log, s := domaintest.NewLog(), training.Aggregate.New("trn_1")
		do := func(cmd domain.Decider[training.State]) {
			if err := domaintest.Do(log, training.Aggregate, "trn_1", s, cmd); err != nil {
				t.Fatal(err)
			}
		}
		do(training.Create(created))
		do(training.Enqueue{Attempt: 1, Runner: training.Cluster})
		for _, r := range rapid.Permutation(append(reports, reports...)).Draw(t, "reports") {
			do(r)
		}
		if s.Status != training.Succeeded || len(s.Metrics) != 2 || s.Metrics[0].Epoch != 1 || len(s.Checkpoints) != 2 {
			t.Fatalf("%+v", s)
		}
	})
}

func TestModelsInParts(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcdef"), training.PartSize/8)
	data = append(data, 'x')
	given := domaintest.Given(t, training.Models)
	o := given.When(training.Store{Data: data})
	if s := o.State(); s.Parts != 3 || s.Size != int64(len(data)) || s.Digest != training.Digest(data) {
		t.Errorf("%+v", s)
	}
	facts, err := training.Store{Data: data}.Decide(domain.Env{}, training.Models.New("ckp_1"))
	if err != nil {
		t.Fatal(err)
	}
	var whole, part training.Assembly
	for i, f := range facts {
		whole.Add(f.(training.PartStored))
		if i < 2 {
			part.Add(f.(training.PartStored))
		}
	}
	if got, err := whole.Model(); err != nil || !bytes.Equal(got, data) {
		t.Error(len(got), err)
	}
	if _, err := part.Model(); err == nil {
		t.Error("two parts of three are taken for a model")
	}
	again := domaintest.Given(t, training.Models, facts...)
	again.When(training.Store{Data: data}).ThenNothing()
	again.When(training.Store{Data: []byte("other")}).ThenError(domain.CodeConflict)
	given.When(training.Store{}).ThenError(domain.CodePayloadTooLarge)
}
