package projectionstest

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"strata/domain"
	"strata/projections"
	"strata/streams"
)

// deadline is long enough for any machine; nothing waits for it to pass.
const deadline = 30 * time.Second

// Start runs models over a log in a new directory and stops them with the test.
func Start(t testing.TB, log streams.Store, codec *streams.Codec, models ...projections.Model) *projections.Runner {
	t.Helper()
	return StartIn(t, t.TempDir(), log, codec, 0, models...)
}

// StartIn is Start in a given directory, with a batch size (0 = default).
func StartIn(t testing.TB, dir string, log streams.Store, codec *streams.Codec, batch int, models ...projections.Model) *projections.Runner {
	t.Helper()
	r, err := projections.Open(t.Context(), projections.Config{Dir: dir, Store: log, Codec: codec, BatchSize: batch, NoSync: true}, models...)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return r
}

// WaitFor waits until a model's rows reflect the log as it is now.
func WaitFor(t testing.TB, r *projections.Runner, log streams.Store, model string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	head, err := log.Head(ctx)
	if err != nil {
		t.Fatal(err)
	}
	lag, err := r.Wait(ctx, model, head)
	if err == nil {
		err = r.WaitLive(ctx)
	}
	if err != nil || lag > 0 {
		t.Fatalf("read model %s is %d behind: %v", model, lag, err)
	}
}

// CheckRebuild proves for a recorded history that the model's rows do not
// depend on how they came about: folded in one go, or in batches of random
// sizes with restarts in between while the log still grows, they are the same,
// and nothing is parked.
func CheckRebuild(t *testing.T, codec *streams.Codec, m projections.Model, history *Log) {
	t.Helper()
	ctx := t.Context()
	whole := filepath.Join(t.TempDir(), "whole.db")
	done, err := projections.Rebuild(ctx, history, codec, m, whole)
	if err != nil {
		t.Fatal(err)
	}
	if done.Parked > 0 {
		t.Fatalf("%d events are parked", done.Parked)
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	dir, growing := t.TempDir(), NewLog()
	for left := history.snapshot(); len(left) > 0; {
		n := min(1+random.IntN(50), len(left))
		for _, e := range left[:n] {
			if _, err := growing.Append(ctx, e.Stream, streams.Any, e.Proposed); err != nil {
				t.Fatal(err)
			}
		}
		left = left[n:]
		if random.IntN(3) == 0 || len(left) == 0 {
			foldOnce(t, dir, growing, codec, 1+random.IntN(20), m)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.db"))
	if err != nil || len(files) != 1 {
		t.Fatalf("files %v, %v", files, err)
	}
	diff, err := projections.Compare(ctx, whole, files[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range diff {
		t.Error(d)
	}
}

// foldOnce opens the model, lets it catch up and stops it.
func foldOnce(t *testing.T, dir string, log *Log, codec *streams.Codec, batch int, m projections.Model) {
	t.Helper()
	r, err := projections.Open(t.Context(), projections.Config{Dir: dir, Store: log, Codec: codec, BatchSize: batch, NoSync: true}, m)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Stop(); err != nil {
			t.Error(err)
		}
	}()
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	WaitFor(t, r, log, m.Name())
}

// Meta is metadata of an event of a workspace at a second of a fixed day.
func Meta(workspace string, second int) domain.Metadata {
	return domain.Metadata{Organization: "org_1", Workspace: workspace, Actor: "user_1",
		OccurredAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(time.Duration(second) * time.Second)}
}
