package main

import (
	"bytes"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"strata/domain"
	"strata/internal/eventstore/eventstoretest"
	"strata/streams"
	"strata/streams/archive"
	"strata/streams/eventstoredb"
	"strata/streams/lease"
	"strata/streams/logbus"
)

// dutiful is as much of a process over a log as notes how far reactors are.
func dutiful(t *testing.T, log streams.Store) (*app, *lease.Term) {
	t.Helper()
	state, err := logbus.OpenState(t.Context(), filepath.Join(t.TempDir(), "reactors.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = state.Close() })
	keeper, err := lease.New(lease.Config{Store: log, Name: dutyLease, TTL: time.Minute, Sole: true})
	if err != nil {
		t.Fatal(err)
	}
	term, err := keeper.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = term.Release(t.Context()) })
	return &app{store: log, reactions: state, log: slog.New(slog.DiscardHandler)}, term
}

// How far reactors are goes from one node to the next, but not along with a dump: the
// same events stand elsewhere in the log that it is loaded into.
func TestPositionsStayWithTheirLog(t *testing.T) {
	log := shareLog(t)
	at, err := log.Append(t.Context(), "thing-1", streams.Any, streams.Proposed{ID: domain.NewEventID(), Type: "t", Data: []byte("{}"), Meta: []byte("{}")})
	if err != nil {
		t.Fatal(err)
	}
	a, term := dutiful(t, log)
	for range 2 { // the second time there is nothing to note
		if err := a.saveProgress(t.Context(), []logbus.Status{{Name: "healer", Position: at.Position}, {Name: "writer", Writer: true, Position: 9}}, term); err != nil {
			t.Fatal(err)
		}
	}
	if err := term.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	position := func(log streams.Store) domain.Position {
		t.Helper()
		next, term := dutiful(t, log)
		if err := next.takeOver(t.Context(), term); err != nil {
			t.Fatal(err)
		}
		p, err := next.reactions.Load(t.Context(), "healer")
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	if got := position(log); got != at.Position {
		t.Errorf("the next node begins at %d, not at %d", got, at.Position)
	}

	var text bytes.Buffer
	if _, err := archive.Dump(t.Context(), log, &text); err != nil {
		t.Fatal(err)
	}
	other, err := eventstoredb.Open(eventstoretest.Start(t).URL(), eventstoredb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() })
	if err := other.SetStreamMeta(t.Context(), "its-own", streams.Meta{MaxCount: 1}); err != nil { // so that positions differ
		t.Fatal(err)
	}
	if _, err := archive.Load(t.Context(), other, &text); err != nil {
		t.Fatal(err)
	}
	if state, err := lease.State(t.Context(), other, dutyLease); err != nil || state == nil {
		t.Fatalf("the dump has no state of the lease (%v): that proves nothing", err)
	}
	if got := position(other); got != 0 {
		t.Errorf("in another log a reactor begins at %d", got)
	}
}

// A node that stops notes how far its reactors have come, as the last thing they do.
func TestReactorsNoteTheirProgressWhenTheyStop(t *testing.T) {
	log := shareLog(t)
	w, p := join(t, log, writing), join(t, log, projecting)
	call(t, w, "POST", "/api/v1/budgets", object{"name": "b", "scopeType": "workspace", "limitUsd": 1, "period": "total"}).must(t, http.StatusCreated)
	at, err := log.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var there []logbus.Status
	eventually(t, "the reactors have come so far", func() bool {
		all, err := p.app.duty.Status(t.Context())
		there = all
		return err == nil && len(all) > 0 && !slices.ContainsFunc(all, func(s logbus.Status) bool { return !s.Writer && s.Position < at })
	})
	if err := p.app.close(); err != nil {
		t.Fatal(err)
	}
	state, err := logbus.OpenState(t.Context(), filepath.Join(p.app.cfg.Data.ModelsDir(), "reactors.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	for _, s := range there {
		if got, err := state.Load(t.Context(), s.Name); err != nil || !s.Writer && got < s.Position {
			t.Errorf("%s came to %d, and noted %d, %v", s.Name, s.Position, got, err)
		}
	}
}
