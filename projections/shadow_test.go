package projections_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"strata/domain"
	"strata/internal/sqlite"
	"strata/projections"
)

func (w *world) rebuild(o projections.RebuildOptions) {
	w.Helper()
	if err := w.runner.Rebuild(w.Context(), "tallies", o); err != nil {
		w.Fatal(err)
	}
}

func (w *world) rebuilt(want projections.RebuildState) projections.Rebuilding {
	w.Helper()
	got, err := w.runner.WaitRebuild(w.Context(), "tallies")
	if err != nil || got.State != want {
		w.Fatalf("rebuild %+v, %v, want %s", got, err, want)
	}
	return got
}

// files lists the model's files.
func (w *world) files(want ...string) {
	w.Helper()
	all, err := filepath.Glob(filepath.Join(w.dir, "*.db"))
	if err != nil {
		w.Fatal(err)
	}
	for i := range all {
		all[i] = filepath.Base(all[i])
	}
	if !slices.Equal(all, want) {
		w.Errorf("files %v, want %v", all, want)
	}
}

func TestRebuildBesideTheLivingModel(t *testing.T) {
	w := newWorld(t)
	for i := range 100 {
		w.add(fmt.Sprint("s", i%5), i)
	}
	var flushed atomic.Int64
	w.prepare = func(r *projections.Runner) { r.OnReplace(func(string) { flushed.Add(1) }) }
	w.start()
	w.caughtUp()
	before := w.trail("s3")
	db, err := w.runner.Reader("tallies")
	if err != nil {
		t.Fatal(err)
	}
	open, err := db.Query(t.Context(), "SELECT stream FROM tallies ORDER BY stream")
	if err != nil || !open.Next() {
		t.Fatal(err)
	}
	for n := range 3 {
		w.rebuild(projections.RebuildOptions{})
		got := w.rebuilt(projections.RebuildDone)
		if got.Position != 100 || got.ComparedAt != 100 || len(got.Differences) > 0 || got.Error != "" || !got.FinishedAt.Equal(w.clock.Now()) {
			t.Errorf("%+v", got)
		}
		w.files(fmt.Sprintf("tallies-v1.%d.db", n+1))
		w.expect("s3", before)
	}
	if n := flushed.Load(); n != 3 {
		t.Errorf("caches were flushed %d times", n)
	}
	// Rows that were being read when their file was replaced are whole.
	rows := 1
	for open.Next() {
		rows++
	}
	if err := errors.Join(open.Err(), open.Close()); err != nil || rows != 5 {
		t.Errorf("%d rows, %v", rows, err)
	}
	w.add("s3", 1000)
	w.caughtUp()
	w.expect("s3", before+",1000")
	w.stop()
	w.start() // the new file is the one that is found again
	w.caughtUp()
	w.expect("s3", before+",1000")
	if r := w.status().Rebuild; r == nil || r.State != projections.RebuildDone {
		t.Errorf("after a restart the rebuild is %+v", r)
	}
}

func TestRebuildMendsAndReportsDifferences(t *testing.T) {
	w := newWorld(t)
	w.add("a", 1, 2)
	w.add("b", 3)
	w.start()
	w.caughtUp()
	w.stop()
	change(t, filepath.Join(w.dir, "tallies-v1.db"), "UPDATE tallies SET sum = 7 WHERE stream = 'tally-a'; DELETE FROM tallies WHERE stream = 'tally-b'")
	w.start()
	w.caughtUp()
	w.expect("b", "")
	w.rebuild(projections.RebuildOptions{})
	got := w.rebuilt(projections.RebuildDone)
	if len(got.Differences) != 1 || got.Differences[0].OnlyA != 1 || got.Differences[0].OnlyB != 2 {
		t.Errorf("%+v", got)
	}
	w.expect("b", "3")
}

func TestRebuildGoesOnAfterARestart(t *testing.T) {
	w := newWorld(t)
	for i := range 200 {
		w.add("a", i)
	}
	w.start()
	w.caughtUp()
	want := w.trail("a")
	slow := w.clock.blockAt(6) // the throttle waits for ever
	w.rebuild(projections.RebuildOptions{EventsPerSecond: 100})
	<-slow
	if err := w.runner.Rebuild(t.Context(), "tallies", projections.RebuildOptions{}); !errors.Is(err, domain.ErrConflict) {
		t.Errorf("a second rebuild: %v", err)
	}
	w.expect("a", want)
	w.stop()
	w.files("tallies-v1.1.db", "tallies-v1.db")
	w.clock = &impatient{}
	w.add("a", 1000)
	w.start()
	got := w.rebuilt(projections.RebuildDone)
	if got.EventsPerSecond != 100 || len(got.Differences) > 0 || got.Position < 200 {
		t.Errorf("%+v", got)
	}
	if n := len(w.clock.waits); n > 24 {
		t.Errorf("it waited %d times: it began anew", n)
	}
	w.caughtUp()
	w.expect("a", want+",1000")
	w.files("tallies-v1.1.db")
}

func TestRebuildCanBeCancelled(t *testing.T) {
	w := newWorld(t)
	for i := range 200 {
		w.add("a", i)
	}
	w.start()
	w.caughtUp()
	if err := w.runner.CancelRebuild(t.Context(), "tallies"); !errors.Is(err, domain.ErrConflict) {
		t.Errorf("nothing to cancel: %v", err)
	}
	slow := w.clock.blockAt(6)
	w.rebuild(projections.RebuildOptions{EventsPerSecond: 100})
	<-slow
	if err := w.runner.CancelRebuild(t.Context(), "tallies"); err != nil {
		t.Fatal(err)
	}
	w.rebuilt(projections.RebuildCancelled)
	w.files("tallies-v1.db")
	w.add("a", 1)
	w.caughtUp()
	w.stop()
	w.start()
	w.caughtUp()
	if r := w.status().Rebuild; r != nil {
		t.Errorf("after a restart there is %+v", r)
	}
	for _, err := range []error{w.runner.Rebuild(t.Context(), "none", projections.RebuildOptions{}), w.runner.CancelRebuild(t.Context(), "none")} {
		if !errors.Is(err, domain.ErrNotFound) {
			t.Errorf("an unknown model: %v", err)
		}
	}
}

func TestAModelThatIsBeingBuiltCannotBeRead(t *testing.T) {
	for name, spoil := range map[string]func(w *world){
		"new version": func(w *world) { w.model = &tallies{version: 1} },
		"missing": func(w *world) {
			if err := sqlite.Remove(filepath.Join(w.dir, "tallies-v1.db")); err != nil {
				w.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.start()
			db, err := w.runner.Reader("tallies")
			if err != nil {
				t.Fatal(err)
			}
			var n int
			if err := db.QueryRow(t.Context(), "SELECT count(*) FROM tallies").Scan(&n); err != nil {
				t.Errorf("over an empty log the model is live at once: %v", err)
			}
			w.addFailing("a", 1, "error")
			for i := range 20 {
				w.add("b", i)
			}
			w.caughtUp()
			w.stop()
			spoil(w)
			gate := w.clock.blockAt(1) // the first failing try waits for ever
			w.start()
			<-gate
			if db, err = w.runner.Reader("tallies"); err != nil {
				t.Fatal(err)
			}
			_, err = db.Query(t.Context(), "SELECT 1")
			for _, err := range []error{err, db.QueryRow(t.Context(), "SELECT 1").Scan(&n), w.runner.Ready("tallies")} {
				e, ok := errors.AsType[*domain.Error](err)
				if !ok || e.Code != domain.CodeUnavailable || e.Params["retry_after"] == nil || e.Params["target"] != domain.Position(21) {
					t.Errorf("half-built: %v", err)
				}
			}
			if s := w.status(); s.Ready {
				t.Errorf("%+v", s)
			}
			if err := w.runner.Rebuild(t.Context(), "tallies", projections.RebuildOptions{}); !errors.Is(err, domain.ErrConflict) {
				t.Errorf("rebuild: %v", err)
			}
		})
	}
}

// Readers that never stop see the living rows, whole, through rebuilds under
// load, and positions do not go back.
func TestReadsDuringRebuilds(t *testing.T) {
	w := newWorld(t)
	for i := range 500 {
		w.add("a", i)
	}
	w.start()
	w.caughtUp()
	db, err := w.runner.Reader("tallies")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			last, at := -1, domain.Position(0)
			for ctx.Err() == nil {
				var n int
				err := db.QueryRow(t.Context(), "SELECT length(trail) - length(replace(trail, ',', '')) FROM tallies WHERE stream = 'tally-a'").Scan(&n)
				if err != nil || n < last {
					t.Errorf("read %d after %d: %v", n, last, err)
					return
				}
				if _, err := w.runner.Wait(ctx, "tallies", 0); err != nil {
					t.Error(err)
				}
				now := w.status().Position
				if now < at {
					t.Errorf("position %d after %d", now, at)
				}
				last, at = n, now
			}
		})
	}
	all.Go(func() {
		for i := range 500 {
			w.add("a", i)
		}
	})
	for range 5 {
		w.rebuild(projections.RebuildOptions{})
		if got := w.rebuilt(projections.RebuildDone); len(got.Differences) > 0 {
			t.Errorf("%+v", got.Differences)
		}
	}
	stop()
	all.Wait()
	w.caughtUp()
}

// Whenever the process dies, the next one finds exactly one living file and
// goes on.
func TestKilledWhileRebuilding(t *testing.T) {
	for _, point := range []string{"rebuild begins", "rebuild: filling", "rebuild: indexing", "rebuild: comparing", "rebuild: swap",
		"rebuild: swapped", "rebuild: taken", "rebuild is done"} {
		t.Run(point, func(t *testing.T) {
			w := newWorld(t)
			for i := range 50 {
				w.add("a", i)
			}
			gate := newGate(point)
			w.logger = slog.New(gate)
			w.start()
			w.caughtUp()
			want := w.trail("a")
			begun := make(chan error)
			go func() { begun <- w.runner.Rebuild(t.Context(), "tallies", projections.RebuildOptions{}) }()
			<-gate.reached
			next := &world{T: t, dir: t.TempDir(), log: w.log, codec: w.codec, model: &tallies{}, clock: &impatient{}}
			if err := os.CopyFS(next.dir, os.DirFS(w.dir)); err != nil { // what a killed process leaves
				t.Fatal(err)
			}
			close(gate.open)
			if err := <-begun; err != nil {
				t.Fatal(err)
			}
			next.start()
			defer next.stop()
			if err := next.runner.Ready("tallies"); err != nil {
				t.Errorf("after the kill: %v", err)
			}
			next.expect("a", want)
			next.rebuilt(projections.RebuildDone)
			next.add("a", 1000)
			next.caughtUp()
			next.expect("a", want+",1000")
			next.files("tallies-v1.1.db")
		})
	}
}

// gate is a log handler that stops whoever logs a message for the first time.
type gate struct {
	slog.Handler
	message       string
	once          *sync.Once
	reached, open chan struct{}
}

func newGate(message string) *gate {
	return &gate{slog.DiscardHandler, message, new(sync.Once), make(chan struct{}), make(chan struct{})}
}

func (g *gate) Enabled(context.Context, slog.Level) bool { return true }
func (g *gate) WithAttrs([]slog.Attr) slog.Handler       { return g }
func (g *gate) Handle(_ context.Context, r slog.Record) error {
	if r.Message == g.message {
		g.once.Do(func() { close(g.reached); <-g.open })
	}
	return nil
}
