package projections_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"strata/domain"
	"strata/projections"
	"strata/projections/projectionstest"
)

func TestRunnerCatchesUpAndFollows(t *testing.T) {
	w := newWorld(t)
	for i := range 20 {
		w.add("a", i)
	}
	w.add("b", 1)
	w.start()
	w.caughtUp()
	w.expect("a", "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19")
	w.add("b", 2)
	w.caughtUp()
	w.expect("b", "1,2")
	if s := w.status(); s.State != projections.StateLive || s.Position != 22 || s.Lag != 0 || s.Version != 1 {
		t.Errorf("status %+v", s)
	}
}

func TestRunnerGoesOnAfterARestart(t *testing.T) {
	w := newWorld(t)
	for i := range 5 {
		w.start()
		w.add("a", i)
		w.caughtUp()
		w.stop()
		w.add("a", 10+i)
	}
	w.start()
	w.caughtUp()
	w.expect("a", "0,10,1,11,2,12,3,13,4,14")
}

func TestRunnerPassesEventsThatDoNotConcernTheModel(t *testing.T) {
	w := newWorld(t)
	w.start()
	pos := w.log.Write(t, w.codec, "other-1", domain.Metadata{}, renamed{})
	lag, err := w.runner.Wait(t.Context(), "tallies", pos)
	if err != nil || lag != 0 {
		t.Fatalf("lag %d, %v", lag, err)
	}
}

func TestWaitTellsTheLagWhenTimeIsUp(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.add("a", 1)
	w.caughtUp()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if lag, err := w.runner.Wait(ctx, "tallies", 5); err != nil || lag != 4 {
		t.Errorf("lag %d, %v, want 4", lag, err)
	}
	if _, err := w.runner.Wait(t.Context(), "nothing", 1); err == nil {
		t.Error("waiting for an unknown model is no error")
	}
}

func TestManyWaitersWakeInAnyOrder(t *testing.T) {
	w := newWorld(t)
	w.start()
	const n = 200
	done := make(chan error, n)
	for i := range n {
		go func() {
			_, err := w.runner.Wait(context.Background(), "tallies", domain.Position((i*37)%n+1))
			done <- err
		}()
	}
	for i := range n {
		w.add("a", i)
	}
	for range n {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

func TestHooksRunBeforeWaitersWake(t *testing.T) {
	w := newWorld(t)
	var told atomic.Int64
	w.start(func(model string, events []domain.Event) {
		if model == "tallies" {
			told.Store(int64(events[len(events)-1].Position))
		}
	})
	for i := range 50 {
		w.add("a", i)
		pos := domain.Position(i + 1)
		if lag, err := w.runner.Wait(t.Context(), "tallies", pos); err != nil || lag > 0 {
			t.Fatal(lag, err)
		}
		if told.Load() < int64(pos) {
			t.Fatalf("a waiter for %d woke when the hook had been told of %d", pos, told.Load())
		}
	}
}

func TestNewVersionReplacesTheFile(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.add("a", 1, 2)
	w.caughtUp()
	w.stop()
	w.model = &tallies{version: 1}
	w.start()
	w.caughtUp()
	w.expect("a", "1,2")
	w.stop()
	files, err := filepath.Glob(filepath.Join(w.dir, "*.db"))
	if err != nil || len(files) != 1 || filepath.Base(files[0]) != "tallies-v2.db" {
		t.Errorf("files %v, %v", files, err)
	}
}

func TestUnusableFilesAreFoldedAgain(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, w *world){
		"corrupt": func(t *testing.T, w *world) {
			if err := os.WriteFile(filepath.Join(w.dir, "tallies-v1.db"), []byte("no database at all, only some text that is long enough"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"ahead of the log": func(t *testing.T, w *world) {
			w.log = projectionstest.NewLog()
			w.add("a", 1, 2)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.add("a", 1, 2)
			w.add("b", 3)
			w.start()
			w.caughtUp()
			w.stop()
			spoil(t, w)
			w.start()
			w.caughtUp()
			w.expect("a", "1,2")
		})
	}
}

func TestRunnerSurvivesAFailingLog(t *testing.T) {
	w := newWorld(t)
	var calls atomic.Int64
	w.log.Fail = func() error {
		if n := calls.Add(1); n > 1 && n%6 < 3 { // not while opening
			return errors.New("the log is away")
		}
		return nil
	}
	for i := range 10 {
		w.add("a", i)
	}
	w.start()
	w.caughtUp()
	w.expect("a", "0,1,2,3,4,5,6,7,8,9")
	if got := w.parked(); len(got) > 0 {
		t.Errorf("parked %v because the log failed", got)
	}
}

func TestStopAndStartUnderLoad(t *testing.T) {
	w := newWorld(t)
	written := make(chan struct{})
	go func() {
		defer close(written)
		for i := range 300 {
			w.add("a", i)
		}
	}()
	for range 10 {
		w.start()
		w.stop()
	}
	<-written
	w.start()
	w.caughtUp()
	if s := w.status(); s.Position != 300 || s.Parked != 0 {
		t.Errorf("status %+v", s)
	}
	if err := w.runner.Stop(); err != nil {
		t.Error(err)
	}
	if err := w.runner.Stop(); err != nil {
		t.Errorf("stopping twice: %v", err)
	}
}

func TestTwoModelsOfOneNameAreRefused(t *testing.T) {
	w := newWorld(t)
	_, err := projections.Open(t.Context(), projections.Config{Dir: w.dir, Store: w.log, Codec: w.codec}, w.model, &tallies{})
	if err == nil {
		t.Error("no error")
	}
}
