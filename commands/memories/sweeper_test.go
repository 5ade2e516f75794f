package memories_test

import (
	"log/slog"
	"testing"
	"time"

	"strata/commands/memories"
	"strata/domain"
	"strata/domain/memory"
)

// What failed is tried again, ever more seldom while it fails, and embedded when it can be.
func TestSweep(t *testing.T) {
	w := newWorld(t)
	w.fails = domain.Errorf(domain.CodeQuotaExceeded, "the budget is spent")
	w.ok(w.do(add("tea", time.Time{})))
	w.failing = []memory.Unembedded{{Organization: "org_1", Workspace: "ws_1", ID: "mem_1"}}
	s := memories.NewSweeper(w.r, slog.New(slog.DiscardHandler))
	sweep := func(tries, embedded int) {
		t.Helper()
		w.asked = nil
		n, err := s.Sweep(t.Context())
		w.ok(err)
		if len(w.asked) != tries || n != embedded {
			t.Errorf("at %v: %d tries, %d embedded; want %d and %d", w.now, len(w.asked), n, tries, embedded)
		}
	}
	sweep(1, 0)
	sweep(0, 0)
	w.now = w.now.Add(5 * time.Second)
	sweep(1, 0)
	w.now = w.now.Add(5 * time.Second)
	sweep(0, 0)
	if all := w.vectors(); len(all) != 1 {
		t.Errorf("the same failure was recorded again: %+v", all)
	}
	w.now = w.now.Add(5 * time.Second)
	w.fails = nil
	sweep(1, 1)
	sweep(0, 0) // the index has not heard yet
	w.failing = append(w.failing, memory.Unembedded{Organization: "org_1", Workspace: "ws_1", ID: "mem_gone"})
	sweep(0, 0)
	if all := w.vectors(); len(all) != 2 {
		t.Errorf("facts %+v", all)
	}
}

// Some that fail in a row speak for the others of their workspace.
func TestSweepGivesUp(t *testing.T) {
	w := newWorld(t)
	w.fails = domain.Errorf(domain.CodeUnavailable, "away")
	w.ok(w.do(add("tea", time.Time{})))
	for range 9 {
		w.failing = append(w.failing, memory.Unembedded{Organization: "org_1", Workspace: "ws_1", ID: "mem_1"})
	}
	w.asked = nil
	if _, err := memories.NewSweeper(w.r, slog.New(slog.DiscardHandler)).Sweep(t.Context()); err != nil || len(w.asked) != 3 {
		t.Errorf("%d tries, %v", len(w.asked), err)
	}
}
