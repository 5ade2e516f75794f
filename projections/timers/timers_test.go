package timers_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"strata/domain"
	"strata/domain/timer"
	"strata/projections/projectionstest"
	"strata/projections/timers"
	"strata/streams"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newCodec(t *testing.T) *streams.Codec {
	t.Helper()
	codec, err := streams.NewCodec(timer.Aggregate.Facts, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return codec
}

func at(second int) time.Time { return time.Unix(int64(second), 0).UTC() }

func TestDueAndNext(t *testing.T) {
	log, codec := projectionstest.NewLog(), newCodec(t)
	runner := projectionstest.Start(t, log, codec, timers.Model{})
	db, err := runner.Reader(timers.Name)
	if err != nil {
		t.Fatal(err)
	}
	q := timers.NewQueries(db)
	write := func(id string, facts ...domain.Fact) {
		t.Helper()
		log.Write(t, codec, timer.Aggregate.Stream(id), projectionstest.Meta("ws_1", 1), facts...)
		projectionstest.WaitFor(t, runner, log, timers.Name)
	}
	expect := func(now time.Time, next time.Time, want ...string) {
		t.Helper()
		due, err := q.Due(t.Context(), now, 2)
		if err != nil || !slices.Equal(due, want) {
			t.Errorf("due %v, want %v (%v)", due, want, err)
		}
		if got, err := q.Next(t.Context()); err != nil || !got.Equal(next) {
			t.Errorf("next %s, want %s (%v)", got, next, err)
		}
	}
	expect(at(100), time.Time{})
	write("c", timer.Scheduled{Due: at(30)})
	write("a", timer.Scheduled{Due: at(20)})
	write("b", timer.Scheduled{Due: at(10)})
	expect(at(9), at(10))
	expect(at(20), at(10), "b", "a")
	expect(at(50), at(10), "b", "a") // at most two
	write("b", timer.Fired{Due: at(10), Fires: 1})
	write("a", timer.Scheduled{Due: at(40)}, timer.Cancelled{}, timer.Scheduled{Due: at(60)})
	expect(at(60), at(30), "c", "a")
	write("c", timer.Cancelled{})
	expect(at(59), at(60))
}

// Whatever a batch holds, the model's rows are those of a fresh fold.
func TestModelRebuild(t *testing.T) {
	codec, history := newCodec(t), projectionstest.NewLog()
	for i := range 60 {
		id := fmt.Sprint("t", i%7)
		f := domain.Fact(timer.Scheduled{Kind: "k", Owner: id, Due: time.Unix(int64(i), 0)})
		switch i % 5 {
		case 3:
			f = timer.Fired{Kind: "k", Owner: id, Fires: 1}
		case 4:
			f = timer.Cancelled{}
		}
		history.Write(t, codec, timer.Aggregate.Stream(id), projectionstest.Meta("ws_1", i), f)
	}
	projectionstest.CheckRebuild(t, codec, timers.Model{}, history)
}
