//go:build e2e

package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"strata/test/kit"
)

// trained is how long a small training may take on a busy machine.
const trained = 60 * time.Second

// clients is a table that can be learned: the old leave, and the young on plan b.
func clients(seed uint64, n int) string {
	r := rand.New(rand.NewPCG(seed, 1))
	var b strings.Builder
	b.WriteString("age,plan,visits,churned\n")
	for range n {
		age, plan := 18+r.IntN(60), []string{"a", "b"}[r.IntN(2)]
		fmt.Fprintf(&b, "%d,%s,%d,%v\n", age, plan, r.IntN(9), age > 50 || plan == "b" && age < 30)
	}
	return b.String()
}

// lab is a workspace with data, a data model and a benchmark.
type lab struct {
	tenant
	connector, model, benchmark string
}

func newLab(t *testing.T, s *kit.Server) lab {
	t.Helper()
	l := lab{tenant: newTenant(t, s)}
	bucket := kit.Bucket(t, map[string]string{"churn/q3.csv": clients(1, 400), "churn/q4.csv": clients(2, 400), "large.csv": clients(3, 20_000)})
	l.connector = l.Create(t, "/v1/connectors", object{"name": "churn data", "type": "aws-s3",
		"s3": object{"bucket": "data", "region": "us-east-1", "endpoint": bucket, "force_path_style": true}}).Str("id")
	l.model = l.Create(t, "/v1/data-models", object{"name": "Churn"}).Str("id")
	l.benchmark = l.Create(t, "/v1/benchmarks", object{"name": "Q4", "description": "of the last quarter", "task": "binary_classification",
		"metrics":    []string{"accuracy", "f1", "precision", "recall", "roc_auc", "log_loss", "ks", "gini"},
		"connectors": []object{{"connector_id": l.connector, "files": []string{"churn/q4.csv"}, "target": "churned"}}}).Str("id")
	return l
}

// wish is a training of the lab's data.
func (l lab) wish(architecture string, configuration object) object {
	return object{"name": "Churn", "architecture": architecture, "data_model_id": l.model, "gpu_count": 0, "configuration": configuration,
		"benchmark_ids": []string{l.benchmark},
		"connectors":    []object{{"connector_id": l.connector, "files": []string{"churn/q3.csv"}, "target": "churned"}}}
}

// until waits for a training to be in one of some states.
func (l lab) until(t *testing.T, id string, states ...string) *kit.Answer {
	t.Helper()
	var last *kit.Answer
	kit.Eventually(t, trained, "training "+id+" "+strings.Join(states, " or "), func() error {
		last = l.Get(t, "/v1/trainings/"+id)
		for _, s := range states {
			if last.Str("status") == s {
				return nil
			}
		}
		return fmt.Errorf("%s", last.Short())
	})
	return last
}

func laboratory(t *testing.T) (*kit.Server, lab) {
	t.Helper()
	s := kit.Start(t, kit.Options{Env: []string{"STRATA_OUTBOUND_PRIVATE=127.0.0.0/8"}})
	if err := s.WaitClickHouse(clickHouseDeadline); err != nil {
		t.Fatal(err)
	}
	l := newLab(t, s)
	kit.Eventually(t, clickHouseDeadline, "leaderboards", func() error { // the tables are made one after the other
		a, err := l.Call(t.Context(), "GET", "/v1/leaderboards", nil)
		if err == nil && a.Status != http.StatusOK {
			err = fmt.Errorf("%s", a.Short())
		}
		return err
	})
	return s, l
}

// From data in a bucket to a place on the leaderboard.
func TestTrainings(t *testing.T) {
	s, l := laboratory(t)
	socket := l.Dial(t, "/api/v1/events/ws", "types", "training.*", "after", "0")
	defer socket.Close()
	made := l.Create(t, "/v1/trainings", l.wish("gradient_boosted_trees", object{"epochs": 20, "checkpoint_every": 10}))
	made.Want("architecture", "gradient_boosted_trees", "gpu_count", 0, "data_model_id", l.model, "connectors.0.target", "churned", "benchmark_ids.0", l.benchmark)
	id := made.Str("id")
	l.Get(t, "/v1/trainings/"+id, made.After()...).Want("name", "Churn")
	done := l.until(t, id, "succeeded", "failed").Want("status", "succeeded", "epochs", 20, "runner", "built_in", "metrics.19.epoch", 20, "checkpoints.1.step", 20, "checkpoints.1.final", true)
	if got := done.Num("metrics.19.metrics.accuracy"); got < 0.9 {
		t.Errorf("accuracy %v", got)
	}
	for _, want := range []string{"training.epochs_completed.v1", "training.succeeded.v1"} {
		for {
			if frame := socket.Receive(); strings.Contains(fmt.Sprint(frame), want) {
				break
			}
		}
	}
	l.Get(t, "/api/v1/trainings/"+id).Want("success", true, "data.dataModelId", l.model, "data.checkpoints.1.trainingId", id)
	if revisions := l.Get(t, "/v1/trainings/"+id+"/history").List("data"); len(revisions) < 5 {
		t.Errorf("%d revisions", len(revisions))
	}
	checkpoints := l.Get(t, "/v1/checkpoints").Want("count", 2, "has_more", false, "data.0.training_id", id)
	best := checkpoints.Str("data.0.id")
	l.Get(t, "/v1/checkpoints/"+best).Want("id", best, "name", "Churn, epoch 20")
	l.evaluated(t, id, best)
	l.linear(t, best)
	l.refused(t, s)
	gone := l.Do(t, http.StatusOK, "DELETE", "/v1/trainings/"+id, nil).Want("id", id)
	l.Do(t, http.StatusNotFound, "GET", "/v1/trainings/"+id, nil, gone.After()...)
	l.Do(t, http.StatusNotFound, "GET", "/v1/checkpoints/"+best, nil, gone.After()...)
	kit.Eventually(t, visible, "a leaderboard without the deleted training", func() error {
		if got := l.Get(t, "/v1/leaderboards?model_id="+id); got.Num("count") != 0 {
			return fmt.Errorf("%s", got.Short())
		}
		return nil
	})
}

// evaluated checks the training's own evaluation and makes another.
func (l lab) evaluated(t *testing.T, id, best string) {
	t.Helper()
	kit.Eventually(t, trained, "the evaluation that the training asked for", func() error {
		if a := l.Get(t, "/v1/evaluations?training_id="+id); a.Num("count") != 1 || a.Str("data.0.result.status") != "succeeded" {
			return fmt.Errorf("%s", a.Short())
		}
		return nil
	})
	first := l.Get(t, "/v1/checkpoints?limit=1&after="+best).Str("data.0.id")
	asked := l.Create(t, "/v1/evaluations", object{"benchmark_id": l.benchmark, "checkpoint_id": first, "gpu_count": 0})
	asked.Want("result.status", "succeeded", "result.rows", 400, "benchmark_id", l.benchmark, "checkpoint_id", first)
	l.Get(t, "/v1/evaluations/"+asked.Str("id"), asked.After()...).Want("result.status", "succeeded", "result.metrics.accuracy", asked.Num("result.metrics.accuracy"))
	if auc, gini := asked.Num("result.metrics.roc_auc"), asked.Num("result.metrics.gini"); auc < 0.9 || gini-(2*auc-1) > 1e-12 {
		t.Errorf("roc_auc %v, gini %v", auc, gini)
	}
	var board *kit.Answer
	kit.Eventually(t, visible, "both checkpoints on the leaderboard", func() error {
		if board = l.Get(t, "/v1/leaderboards?order_by_metric.metric_name=log_loss&order_by_metric.direction=asc"); board.Num("count") != 2 {
			return fmt.Errorf("%s", board.Short())
		}
		return nil
	})
	board.Want("data.0.rank", 1, "data.0.checkpoint_id", best, "data.1.checkpoint_id", first, "data.0.benchmark_id", l.benchmark, "data.0.training_id", id)
	if a, b := board.Num("data.0.score"), board.Num("data.1.score"); a > b {
		t.Errorf("log losses %v, %v", a, b)
	}
	for query, want := range map[string]int{
		"benchmarks=" + l.benchmark + "&trainings=" + id + "&name=churn&start_date=2024-01-01T00:00:00Z&end_date=2124-01-01T00:00:00Z&order_by_metric.benchmark_id=" + l.benchmark: 2,
		"model_id=" + best: 1, "model_id=" + id: 2, "trainings=trn_other": 0, "benchmarks=bmk_other": 0, "name=" + url.QueryEscape("epoch 10"): 1,
		"start_date=2124-01-01T00:00:00Z": 0, "end_date=2024-01-01T00:00:00Z": 0, "limit=1": 1, "after=" + board.Str("data.1.checkpoint_id") + "&order_by_metric.metric_name=log_loss&order_by_metric.direction=asc": 0,
	} {
		if got := l.Get(t, "/v1/leaderboards?"+query).Num("count"); int(got) != want {
			t.Errorf("%s: %v, want %d", query, got, want)
		}
	}
	l.Get(t, "/api/v1/leaderboards?limit=1").Want("success", true, "pagination.hasMore", true)
	for _, query := range []string{"order_by_metric.metric_name=beauty", "order_by_metric.direction=up", "start_date=yesterday", "after=ckp_none"} {
		l.Do(t, http.StatusBadRequest, "GET", "/v1/leaderboards?"+query, nil)
	}
}

// linear trains the other architecture, changes it, and pages through trainings.
func (l lab) linear(t *testing.T, _ string) {
	t.Helper()
	made := l.Create(t, "/api/v1/trainings", l.wish("logistic_regression", object{"epochs": 3, "target": "churned"}))
	id := made.Str("data.id")
	l.until(t, id, "succeeded")
	renamed := l.Put(t, "/v1/trainings/"+id, object{"name": "Churn, linear"}).Want("name", "Churn, linear", "status", "succeeded", "attempt", 1)
	l.Get(t, "/v1/trainings?pageSize=1&page=1&sort=name&order=desc", renamed.After()...).Want("count", 1, "has_more", true, "data.0.id", id)
	l.Get(t, "/v1/trainings?pageSize=1&page=2&sort=name&order=desc").Want("count", 1, "has_more", false, "data.0.name", "Churn")
	l.Put(t, "/v1/trainings/"+id, object{"configuration": object{"epochs": 2}, "connector": object{"connector_id": l.connector, "files": []string{"churn/q4.csv"}, "target": "churned"}}).
		Want("attempt", 2, "connectors.0.files.0", "churn/q4.csv", "configuration.epochs", 2)
	l.until(t, id, "succeeded").Want("attempt", 2, "epochs", 2)
	l.Do(t, http.StatusConflict, "POST", "/v1/trainings/"+id+"/cancel", object{})
	odd := l.Create(t, "/v1/trainings", l.wish("transformer", object{"layers": 12}))
	l.until(t, odd.Str("id"), "failed").Want("reason.code", "NEEDS_CLUSTER")
	long := l.wish("gradient_boosted_trees", object{"epochs": 2000, "max_depth": 12})
	long["connectors"] = []object{{"connector_id": l.connector, "files": []string{"large.csv"}, "target": "churned"}}
	running := l.Create(t, "/v1/trainings", long).Str("id")
	l.until(t, running, "running")
	cancelled := l.Do(t, http.StatusOK, "POST", "/api/v1/trainings/"+running+"/cancel", object{}).Want("data.status", "cancelled")
	l.Get(t, "/v1/trainings/"+running, cancelled.After()...).Want("status", "cancelled")
}

// refused checks what is wrong, missing, forbidden or another's.
func (l lab) refused(t *testing.T, s *kit.Server) {
	t.Helper()
	empty := l.Do(t, http.StatusBadRequest, "POST", "/v1/trainings", object{})
	if got := empty.Strings("details", "field"); !sameSet(got, []string{"name", "architecture", "data_model_id", "gpu_count", "configuration", "connectors"}) {
		t.Errorf("faults of nothing: %v", got)
	}
	wrong := l.wish("gradient_boosted_trees", object{"epochs": 0, "layers": 2})
	wrong["gpu_count"], wrong["data_model_id"], wrong["benchmark_ids"] = 0, "dm_none", []string{"bmk_none"}
	wrong["connectors"] = []object{{"connector_id": "con_none", "target": "churned"}}
	faults := l.Do(t, http.StatusBadRequest, "POST", "/v1/trainings", wrong)
	if got := faults.Strings("details", "field"); !sameSet(got, []string{"configuration.epochs", "configuration.layers", "data_model_id", "benchmark_ids[0]", "connectors[0].connector_id"}) {
		t.Errorf("faults: %v", got)
	}
	wrong["gpu_count"] = -1
	l.Do(t, http.StatusBadRequest, "POST", "/v1/trainings", wrong).Want("details.0.field", "gpu_count")
	missing := l.Do(t, http.StatusBadRequest, "POST", "/v1/evaluations", object{"benchmark_id": "bmk_none", "checkpoint_id": "ckp_none", "gpu_count": 0})
	if got := missing.Strings("details", "field"); !sameSet(got, []string{"benchmark_id", "checkpoint_id"}) {
		t.Errorf("faults of an evaluation: %v", got)
	}
	stranger := newTenant(t, s)
	id := l.Get(t, "/v1/trainings").Str("data.0.id")
	for _, call := range [][2]string{{"GET", "/v1/trainings/" + id}, {"PUT", "/v1/trainings/" + id}, {"DELETE", "/v1/trainings/" + id}, {"POST", "/v1/trainings/" + id + "/cancel"}} {
		body := any(object{})
		if call[0] == "GET" || call[0] == "DELETE" {
			body = nil
		}
		stranger.Do(t, http.StatusNotFound, call[0], call[1], body)
	}
	stranger.Get(t, "/v1/trainings").Want("count", 0)
	stranger.Get(t, "/v1/leaderboards").Want("count", 0)
}

// Killed in the middle of its epochs, a training ends with the model that it
// would have made anyway.
func TestTrainingSurvivesAKill(t *testing.T) {
	s, l := laboratory(t)
	long := l.wish("gradient_boosted_trees", object{"epochs": 60, "max_depth": 8, "checkpoint_every": 5})
	long["connectors"] = []object{{"connector_id": l.connector, "files": []string{"large.csv"}, "target": "churned"}}
	whole := l.until(t, l.Create(t, "/v1/trainings", long).Str("id"), "succeeded")
	id := l.Create(t, "/v1/trainings", long).Str("id")
	kit.Eventually(t, trained, "two checkpoints", func() error {
		if a := l.Get(t, "/v1/trainings/"+id); len(a.List("checkpoints")) < 2 {
			return fmt.Errorf("%s", a.Short())
		}
		return nil
	})
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	l.Client = s.ClientFor(l.Key)
	t.Log("after the kill it is ", l.Get(t, "/v1/trainings/"+id).Str("status")) // running, unless the machine was so busy that its checkpoints were seen late
	again := l.until(t, id, "succeeded", "failed").Want("status", "succeeded", "metrics.59.epoch", 60)
	if a, b := whole.List("checkpoints"), again.List("checkpoints"); len(a) != 12 || len(b) != 12 || a[11].(object)["digest"] != b[11].(object)["digest"] {
		t.Errorf("%d checkpoints, and %d after a kill; the last are %v and %v", len(a), len(b), a[len(a)-1], b[len(b)-1])
	}
	if a, b := fmt.Sprint(whole.List("metrics")), fmt.Sprint(again.List("metrics")); a != b {
		t.Errorf("other metrics:\n%s\n%s", a, b)
	}
}
