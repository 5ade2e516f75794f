package evaluation_test

import (
	"math"
	"testing"

	"strata/domain"
	"strata/domain/domaintest"
	"strata/domain/evaluation"
	"strata/domain/training"
)

var (
	requested = evaluation.Requested{BenchmarkID: "bmk_1", CheckpointID: "ckp_1", CheckpointName: "churn, epoch 3", TrainingID: "trn_1", GPUCount: 1,
		Metrics: []string{"accuracy", "roc_auc", "ks"}, Sources: []training.Source{{ConnectorID: "con_1", Files: []string{"q4.csv"}, Target: "churned", Features: []string{"age"}}}}
	scored = evaluation.Scored{BenchmarkID: "bmk_1", CheckpointID: "ckp_1", CheckpointName: "churn, epoch 3", TrainingID: "trn_1",
		Result: evaluation.Result{Metrics: map[string]float64{"accuracy": 0.75}, Undefined: []string{"roc_auc", "ks"}, Rows: 12, Skipped: 1}}
	broken = evaluation.Broken{Code: training.BadData, Message: "no file"}
)

func TestGolden(t *testing.T) {
	domaintest.Golden(t, evaluation.FactTypes(), requested, scored, broken)
}

func TestAsk(t *testing.T) {
	domaintest.Given(t, evaluation.Aggregate).When(evaluation.Ask(requested)).Then(requested)
	domaintest.Given(t, evaluation.Aggregate, requested).When(evaluation.Ask(requested)).ThenNothing()
	domaintest.Given(t, evaluation.Aggregate).When(evaluation.Ask{GPUCount: -1}).ThenError(domain.CodeValidation, "benchmark_id", "checkpoint_id", "gpu_count")
}

func TestScore(t *testing.T) {
	result := evaluation.Result{Metrics: map[string]float64{"accuracy": 0.75, "f1": 0.5, "ks": math.NaN()}, Rows: 12, Skipped: 1}
	o := domaintest.Given(t, evaluation.Aggregate, requested).When(evaluation.Score{Result: result}).Then(scored)
	if s := o.State(); s.Status != evaluation.Succeeded || s.Result.Metrics["accuracy"] != 0.75 || s.TrainingID != "trn_1" {
		t.Errorf("%+v", s)
	}
	domaintest.Given(t, evaluation.Aggregate, requested, scored).When(evaluation.Score{}).ThenNothing()
	domaintest.Given(t, evaluation.Aggregate).When(evaluation.Score{}).ThenError(domain.CodeNotFound)
}

func TestFail(t *testing.T) {
	o := domaintest.Given(t, evaluation.Aggregate, requested).When(evaluation.Fail(broken)).Then(broken)
	if s := o.State(); s.Status != evaluation.Failed || s.Reason.Message != "no file" {
		t.Errorf("%+v", s)
	}
	domaintest.Given(t, evaluation.Aggregate, requested, scored).When(evaluation.Fail(broken)).ThenNothing()
	domaintest.Given(t, evaluation.Aggregate).When(evaluation.Fail(broken)).ThenError(domain.CodeNotFound)
}
