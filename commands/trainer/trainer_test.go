package trainer_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"strata/commands"
	"strata/commands/trainer"
	"strata/domain"
	"strata/domain/evaluation"
	"strata/domain/training"
)

func TestTrainsAndEvaluates(t *testing.T) {
	w := newWorld(t)
	w.tables.put("con_1/a.csv", csv(1, 300))
	w.tables.put("con_1/b.csv", csv(2, 300))
	w.tables.put("con_2/test.csv", strings.Replace(csv(3, 300), "churned", "left", 1))
	benchmark := w.benchmark("accuracy", "roc_auc", "log_loss")
	id := w.create(wish(func(c *training.Create) { c.BenchmarkIDs = []string{benchmark}; c.Sources[0].Files = nil }))
	w.start(w.config)
	s := w.ended(id)
	if s.Status != training.Succeeded || s.Runner != training.BuiltIn || len(s.Metrics) != 12 || len(s.Checkpoints) != 3 || s.Epochs != 12 {
		t.Fatalf("%+v %+v", s, s.Reason)
	}
	last := s.Checkpoints[2]
	if last.Step != 12 || !last.Final || s.Checkpoints[0].Final || last.Name != "churn, epoch 12" || last.Metrics["accuracy"] < 0.9 || last.URI == "" {
		t.Errorf("%+v", last)
	}
	if first := s.Metrics[0].Metrics; first["train_loss"] <= s.Metrics[11].Metrics["train_loss"] || first["validation_loss"] == 0 {
		t.Errorf("%+v", first)
	}
	evaluations, err := w.queries.OpenEvaluations(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range evaluations { // if it has ended by now it is found below
		w.awaited(e.ID)
	}
	e := w.only(evaluation.Aggregate.Category)
	if got := w.awaited(e); got.Status != evaluation.Succeeded || got.Result.Rows != 300 || got.Result.Metrics["accuracy"] < 0.9 ||
		len(got.Result.Metrics) != 3 || got.CheckpointID != last.ID || got.TrainingID != id {
		t.Errorf("%+v %+v %+v", got, got.Result, got.Reason)
	}
}

// only finds the one aggregate of a category.
func (w *world) only(category string) string {
	w.Helper()
	var found []string
	for _, stream := range w.streams() {
		if stream.Category() == category {
			found = append(found, stream.Key())
		}
	}
	if len(found) != 1 {
		w.Fatalf("%d of %s", len(found), category)
	}
	return found[0]
}

func (w *world) awaited(id string) evaluation.State {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), deadline)
	defer cancel()
	s, err := trainer.Await(ctx, w.h, principal(), id)
	if err != nil || s.Status == evaluation.Pending || s.Position == 0 {
		w.Fatalf("evaluation %s: %+v, %v", id, s, err)
	}
	return s.State
}

// A process that is killed between any two steps changes nothing in the end.
func TestGoesOnAfterAKill(t *testing.T) {
	w := newWorld(t)
	w.tables.put("con_1/a.csv", csv(1, 200))
	whole := w.create(wish())
	stop := w.start(w.config)
	want := w.ended(whole)
	stop()
	for _, point := range []string{"trainer.stored", "trainer.checkpoint"} {
		id := w.create(wish())
		reached := make(chan struct{})
		cfg, once := w.config, sync.OnceFunc(func() { close(reached) })
		died := make(chan struct{})
		seen := 0
		cfg.At = func(at string) {
			if at != point {
				return
			}
			if seen++; seen == 2 {
				once()
				<-died // whoever was killed goes on no further
			}
		}
		kill := w.start(cfg, func() { close(died) }) // the context has ended before the next step is taken
		select {
		case <-reached:
		case <-t.Context().Done():
			t.Fatal("the point was never reached")
		}
		kill()
		before := w.state(id)
		if before.Status != training.Running {
			t.Fatalf("%s: %s", point, before.Status)
		}
		stop := w.start(w.config)
		s := w.ended(id)
		stop()
		if s.Status != training.Succeeded || len(s.Metrics) != 12 || len(s.Checkpoints) != 3 || s.Checkpoints[2].Digest != want.Checkpoints[2].Digest {
			t.Errorf("%s: %d epochs, checkpoints %+v, want %+v", point, len(s.Metrics), s.Checkpoints, want.Checkpoints)
		}
		types := w.types(training.Aggregate.Stream(id))
		for _, once := range []string{"training.started.v1", "training.succeeded.v1"} {
			if n := count(types, once); n != 1 {
				t.Errorf("%s: %s happened %d times", point, once, n)
			}
		}
	}
}

func count(list []string, what string) (n int) {
	for _, s := range list {
		if s == what {
			n++
		}
	}
	return n
}

func TestFails(t *testing.T) {
	w := newWorld(t)
	w.tables.put("con_1/a.csv", csv(1, 50))
	w.tables.put("con_1/one.csv", "age,churned\n1,yes\n2,yes\n3,yes\n")
	w.start(w.config)
	for name, c := range map[string]struct {
		wish training.Create
		code string
		says string
	}{
		"an architecture that only a cluster knows": {wish(func(c *training.Create) { c.Architecture = "transformer" }), training.NeedsCluster, "transformer"},
		"a file that is not there":                  {wish(func(c *training.Create) { c.Sources[0].Files = []string{"con_1/none.csv"} }), training.BadData, "none.csv"},
		"no file at all":                            {wish(func(c *training.Create) { c.Sources[0] = training.Source{ConnectorID: "con_9", Target: "y"} }), training.BadData, "no file"},
		"a target that is not there":                {wish(func(c *training.Create) { c.Sources[0].Target = "left" }), training.BadData, "left"},
		"a feature that is not there":               {wish(func(c *training.Create) { c.Sources[0].Features = []string{"size"} }), training.BadData, "size"},
		"a target of one class":                     {wish(func(c *training.Create) { c.Sources[0].Files = []string{"con_1/one.csv"} }), training.BadData, "two classes"},
	} {
		s := w.ended(w.create(c.wish))
		if s.Status != training.Failed || s.Reason.Code != c.code || !strings.Contains(s.Reason.Message, c.says) {
			t.Errorf("%s: %s %+v", name, s.Status, s.Reason)
		}
	}
}

func TestTriesAgain(t *testing.T) {
	w := newWorld(t)
	w.tables.put("con_1/a.csv", csv(1, 50))
	away := domain.Errorf(domain.CodeUnavailable, "the bucket does not answer")
	w.tables.faults = []error{away, away, away}
	w.start(w.config)
	if s := w.ended(w.create(wish())); s.Status != training.Succeeded || w.tables.opened < 5 {
		t.Errorf("%+v after %d openings", s.Reason, w.tables.opened)
	}
	w.tables.mu.Lock()
	w.tables.faults = slices.Repeat([]error{away}, 5)
	w.tables.mu.Unlock()
	if s := w.ended(w.create(wish())); s.Status != training.Failed || !strings.Contains(s.Reason.Message, "does not answer") {
		t.Errorf("%+v", s)
	}
}

// Cancelled, deleted or changed, a training stops in the middle of its epochs,
// and nothing is recorded of it afterwards.
func TestStopsAtOnce(t *testing.T) {
	w := newWorld(t)
	w.tables.put("con_1/a.csv", csv(1, 4000))
	w.start(w.config)
	long := wish(func(c *training.Create) {
		c.Configuration = domain.Doc{"epochs": []byte("2000"), "max_depth": []byte("12")}
	})
	running := func(s *training.State) bool { return s.Status == training.Running && len(s.Metrics) > 0 }
	cancelled := w.create(long)
	w.until(cancelled, running)
	w.do(cancelled, training.Cancel{})
	deleted := w.create(long) // begins when the place is free
	w.until(deleted, running)
	w.do(deleted, training.Delete{})
	changed := w.create(long)
	w.until(changed, running)
	w.do(changed, training.Revise{Configuration: domain.Doc{"epochs": []byte("1"), "max_depth": []byte("2")}})
	if s := w.ended(changed); s.Status != training.Succeeded || s.Attempt != 2 || len(s.Metrics) != 1 {
		t.Errorf("%+v %+v", s, s.Reason)
	}
	for id, last := range map[string]string{cancelled: "training.cancelled.v1", deleted: "training.deleted.v1"} {
		if types := w.types(training.Aggregate.Stream(id)); types[len(types)-1] != last {
			t.Errorf("%s ends with %s", id, types[len(types)-1])
		}
	}
}

// clusters is a cluster that remembers what it was told.
type clusters struct {
	mu        sync.Mutex
	faults    []error
	handed    []string
	withdrawn []string
	none      bool
}

func (c *clusters) Dispatch(_ context.Context, _ domain.Principal, job trainer.Job, key string) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.faults) > 0 {
		err := c.faults[0]
		c.faults = c.faults[1:]
		return false, err
	}
	if !c.none {
		c.handed = append(c.handed, key+" "+job.Architecture)
	}
	return !c.none, nil
}

func (c *clusters) Withdraw(_ context.Context, _ domain.Principal, id string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.withdrawn = append(c.withdrawn, id)
	return nil
}

func TestGoesToTheCluster(t *testing.T) {
	w := newWorld(t)
	away := domain.Errorf(domain.CodeUnavailable, "the manager does not answer")
	cluster := &clusters{faults: []error{away, away}}
	w.config.Clusters = cluster
	w.start(w.config)
	other := wish(func(c *training.Create) { c.Architecture = "transformer" })
	id := w.create(other)
	w.until(id, func(s *training.State) bool { return s.Status == training.Queued && s.Runner == training.Cluster })
	w.do(id, training.Report{Status: training.Succeeded, Checkpoints: []training.Checkpoint{{Step: 3, URI: "s3://models/3"}}})
	cluster.mu.Lock()
	if !slices.Equal(cluster.handed, []string{id + "-1 transformer"}) {
		t.Errorf("handed over: %v", cluster.handed)
	}
	cluster.faults = []error{errors.New("no GPUs")}
	cluster.mu.Unlock()
	if s := w.ended(w.create(other)); s.Status != training.Failed || s.Reason.Code != training.ClusterError || !strings.Contains(s.Reason.Message, "no GPUs") {
		t.Errorf("%+v", s.Reason)
	}
}

// A training that is cancelled while the cluster takes it is withdrawn there.
func TestWithdrawsWhatWasCancelledMeanwhile(t *testing.T) {
	w := newWorld(t)
	cluster := &clusters{}
	w.config.Clusters = cluster
	id := w.create(wish())
	cancelled := make(chan struct{})
	w.config.At = func(point string) {
		if point == "trainer.dispatched" {
			w.do(id, training.Cancel{})
			close(cancelled)
		}
	}
	w.start(w.config)
	<-cancelled
	w.until(id, func(*training.State) bool {
		cluster.mu.Lock()
		defer cluster.mu.Unlock()
		return slices.Equal(cluster.withdrawn, []string{id})
	})
}

func TestWithdrawsFromTheCluster(t *testing.T) {
	w := newWorld(t)
	cluster := &clusters{}
	reactor := trainer.Withdrawals{Handler: w.h, Clusters: cluster}
	atCluster, here, again := w.create(wish()), w.create(wish()), w.create(wish())
	w.do(atCluster, training.Enqueue{Attempt: 1, Runner: training.Cluster})
	w.do(again, training.Enqueue{Attempt: 1, Runner: training.Cluster})
	w.do(here, training.Enqueue{Attempt: 1, Runner: training.BuiltIn})
	for _, id := range []string{atCluster, here, again} {
		w.do(id, training.Cancel{})
		if id == again {
			w.do(id, training.Revise{Configuration: domain.Doc{"epochs": []byte("1")}})
		}
		err := commands.Events(t.Context(), w.h, training.Aggregate, principal(), id, func(e domain.Event) bool {
			if _, stopped := e.Fact.(training.Stopped); stopped {
				if err := reactor.Handle(t.Context(), e); err != nil {
					t.Error(err)
				}
			}
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(cluster.withdrawn, []string{atCluster}) {
		t.Errorf("withdrawn: %v", cluster.withdrawn)
	}
}

func TestEvaluateRefuses(t *testing.T) {
	w := newWorld(t)
	_, err := trainer.Evaluate(t.Context(), w.h, w.res, commands.Request{Principal: principal()}, trainer.Wish{BenchmarkID: "bmk_0", CheckpointID: "ckp_0"})
	e, ok := errors.AsType[*domain.Error](err)
	if !ok || len(e.Fields) != 2 || e.Fields[0].Field != "benchmark_id" || e.Fields[1].Field != "checkpoint_id" {
		t.Errorf("%v", err)
	}
}
