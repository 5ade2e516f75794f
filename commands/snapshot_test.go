package commands_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/domain/session"
	"strata/internal/snapshots"
	"strata/streams"
)

// openKept opens a store of snapshots in the world's directory and a handler
// that uses it, as after a start.
func (w *world) openKept(every int) *snapshots.Store {
	w.t.Helper()
	kept, err := snapshots.Open(ctx, snapshots.Config{Path: filepath.Join(w.dir, "snapshots.db"), Every: time.Microsecond})
	ok(w.t, err)
	w.h = commands.New(commands.Config{Store: w.store, Codec: w.codec, Now: w.clock, Snapshots: kept, SnapshotEvery: every})
	return kept
}

// The same requests, some of them repeated, are answered alike with snapshots
// and without, however often the process is started again.
func TestSnapshotsChangeNoAnswer(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	plain, w := newWorld(t), newWorld(t)
	kept := w.openKept(3)
	p := principal("ws_1")
	var ids []string
	for i := range 6 {
		req := commands.Request{Principal: p, IdempotencyKey: fmt.Sprint("create", i), Route: "r"}
		_, err := plain.createSession(req, session.Create{})
		ok(t, err)
		out, err := w.createSession(req, session.Create{})
		ok(t, err)
		ids = append(ids, out.ID)
	}
	for i := range 400 {
		if random.IntN(15) == 0 {
			ok(t, kept.Close())
			if random.IntN(4) == 0 {
				ok(t, os.Remove(filepath.Join(w.dir, "snapshots.db")))
			}
			kept = w.openKept(3)
			plain.h = commands.New(commands.Config{Store: plain.store, Codec: plain.codec, Now: plain.clock})
		}
		again := max(0, i-random.IntN(40)*random.IntN(2)) // now and then a request of some time ago
		req := commands.Request{Principal: p, ID: ids[again%len(ids)], IdempotencyKey: fmt.Sprint(again), Route: "r"}
		want, wantErr := plain.addEvent(req, fmt.Sprint(again))
		got, gotErr := w.addEvent(req, fmt.Sprint(again))
		if wantErr != nil || gotErr != nil {
			t.Fatal(wantErr, gotErr)
		}
		// Written for people: an empty document and none are the same.
		if got.Revision != want.Revision || got.Repeated != want.Repeated || fmt.Sprint(got.View) != fmt.Sprint(want.View) {
			t.Fatalf("step %d: %+v\nwithout snapshots: %+v", i, got, want)
		}
	}
	ok(t, kept.Close())
}

// spy counts how far back a stream is read.
type spy struct {
	*snapshots.Store
	hits int
}

func (s *spy) Latest(c context.Context, stream domain.StreamID, fold string, upTo domain.Revision) (commands.Snapshot, bool) {
	snap, found := s.Store.Latest(c, stream, fold, upTo)
	if found {
		s.hits++
	}
	return snap, found
}

// A snapshot of another log, as after a restore from an older backup, is
// noticed by the event it stands at.
func TestSnapshotOfAnotherLog(t *testing.T) {
	w, other := newWorld(t), newWorld(t)
	kept := w.openKept(2)
	p := principal("ws_1")
	make := func(w *world, text string) {
		_, err := w.createSession(commands.Request{Principal: p, ID: "ses_1"}, session.Create{})
		ok(t, err)
		for range 7 {
			_, err = w.addEvent(commands.Request{Principal: p, ID: "ses_1"}, text)
			ok(t, err)
		}
	}
	make(w, "one")
	make(other, "another")
	ok(t, kept.Close())
	kept, err := snapshots.Open(ctx, snapshots.Config{Path: filepath.Join(w.dir, "snapshots.db")})
	ok(t, err)
	defer func() { ok(t, kept.Close()) }()
	seen := &spy{Store: kept}
	other.h = commands.New(commands.Config{Store: other.store, Codec: other.codec, Snapshots: seen})
	got, err := commands.Load(ctx, other.h, session.Aggregate, p, "ses_1", shown)
	ok(t, err)
	if seen.hits != 1 || string(got.Last.Content) != `{"text":"another"}` || got.EventCount != 7 {
		t.Errorf("%d snapshots found; the state is %+v", seen.hits, got)
	}
	seen.hits = 0
	w.h = commands.New(commands.Config{Store: w.store, Codec: w.codec, Snapshots: seen})
	if got, err = commands.Load(ctx, w.h, session.Aggregate, p, "ses_1", shown); err != nil || seen.hits != 1 || string(got.Last.Content) != `{"text":"one"}` {
		t.Errorf("its own log: %d found, %v, %+v", seen.hits, err, got)
	}
}

// Who is forgotten is in no snapshot any more, nor comes back from a state
// that was in memory.
func TestForget(t *testing.T) {
	w := newWorld(t)
	kept := w.openKept(2)
	p := principal("ws_1")
	for user, id := range map[string]string{"ann": "ses_ann", "bob": "ses_bob"} {
		_, err := w.createSession(commands.Request{Principal: p, ID: id}, session.Create{UserID: user})
		ok(t, err)
		for range 3 {
			_, err = w.addEvent(commands.Request{Principal: p, ID: id}, "the secret of "+user)
			ok(t, err)
		}
	}
	ok(t, kept.Close())
	kept = w.openKept(2)
	ok(t, w.h.Forget(ctx, streams.Subject{Organization: "org_1", Workspace: "ws_1", ID: "ann"}))
	for id, want := range map[string]bool{"ses_ann": false, "ses_bob": true} {
		seen := &spy{Store: kept}
		h := commands.New(commands.Config{Store: w.store, Codec: w.codec, Snapshots: seen})
		_, err := commands.Load(ctx, h, session.Aggregate, p, id, shown)
		ok(t, err)
		if (seen.hits > 0) != want {
			t.Errorf("%s has a snapshot: %v", id, seen.hits > 0)
		}
	}
	ok(t, kept.Close())
	files, err := filepath.Glob(filepath.Join(w.dir, "snapshots.db*"))
	ok(t, err)
	for _, f := range files {
		b, err := os.ReadFile(f)
		ok(t, err)
		if bytes.Contains(b, []byte("secret of ann")) || len(files) == 1 && !bytes.Contains(b, []byte("secret of bob")) {
			t.Errorf("%s holds what it should not, or not what it should", filepath.Base(f))
		}
	}
}
