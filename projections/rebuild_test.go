package projections_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"strata/domain"
	"strata/internal/sqlite"
	"strata/projections"
	"strata/projections/projectionstest"
)

func TestRebuildAndCompare(t *testing.T) {
	w := newWorld(t)
	for i := range 3000 {
		w.add(fmt.Sprint(i%7), i)
	}
	w.addFailing("bad", 1, "error")
	w.add("bad", 2)
	w.start()
	w.caughtUp()
	w.stop()
	fresh, live := filepath.Join(w.dir, "fresh.db"), filepath.Join(w.dir, "tallies-v1.db")
	for range 2 { // the second replaces the first
		done, err := projections.Rebuild(t.Context(), w.log, w.codec, w.model, fresh)
		if err != nil || done.Events != 3000 || done.Parked != 2 || done.Position != 3002 {
			t.Fatalf("%+v, %v", done, err)
		}
	}
	diff, err := projections.Compare(t.Context(), fresh, live)
	if err != nil || len(diff) > 0 {
		t.Fatalf("%v, %v", diff, err)
	}
	change(t, live, "UPDATE tallies SET sum = -1 WHERE stream = 'tally-3'; DELETE FROM tallies WHERE stream = 'tally-4'; CREATE TABLE more (n)")
	diff, err = projections.Compare(t.Context(), fresh, live)
	if err != nil || len(diff) != 2 {
		t.Fatalf("%v, %v", diff, err)
	}
	if d := diff[0]; d.Table != "more" || d.RowsA != -1 || d.RowsB != 0 {
		t.Errorf("%+v", d)
	}
	if d := diff[1]; d.Table != "tallies" || d.RowsA != 7 || d.RowsB != 6 || d.OnlyA != 2 || d.OnlyB != 1 || !strings.Contains(d.String(), "sum=-1") {
		t.Errorf("%v", d)
	}
}

func change(t *testing.T, path, script string) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Write(t.Context(), func(tx *sqlite.Tx) error {
		_, err := tx.Exec(context.Background(), script)
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// Whatever the batch sizes, failures and restarts, every stream takes exactly
// its own numbers, in order, up to its first failing one.
func TestPropertyEveryStreamIsAPrefixOfItself(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ctx := t.Context()
		codec, log, model := newCodec(t), projectionstest.NewLog(), &tallies{}
		dir := t.TempDir()
		want := map[string][]string{}
		broken := map[string]bool{}
		for i := range rapid.IntRange(1, 3).Draw(rt, "runs") {
			for j := range rapid.IntRange(0, 30).Draw(rt, "events") {
				s, n := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "stream"), i*100+j
				f := added{N: n}
				if rapid.IntRange(0, 20).Draw(rt, "dice") == 0 {
					f.Fail = "error"
					broken[s] = true
				}
				log.Write(t, codec, domain.Stream("tally", s), domain.Metadata{}, f)
				if !broken[s] {
					want[s] = append(want[s], fmt.Sprint(n))
				}
			}
			r, err := projections.Open(ctx, projections.Config{Dir: dir, Store: log, NoSync: true, Codec: codec, Clock: &impatient{},
				BatchSize: rapid.IntRange(1, 20).Draw(rt, "batch")}, model)
			if err != nil {
				rt.Fatal(err)
			}
			if err := r.Start(); err != nil {
				rt.Fatal(err)
			}
			projectionstest.WaitFor(t, r, log, "tallies")
			db, err := r.Reader("tallies")
			if err != nil {
				rt.Fatal(err)
			}
			for s, numbers := range want {
				var got string
				if err := db.QueryRow(ctx, "SELECT trail FROM tallies WHERE stream = ?", "tally-"+s).Scan(&got); err != nil || got != strings.Join(numbers, ",") {
					rt.Errorf("%s took %s, want %v (%v)", s, got, numbers, err)
				}
			}
			if err := r.Stop(); err != nil {
				rt.Fatal(err)
			}
		}
	})
}
