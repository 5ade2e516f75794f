package projections

import (
	"context"
	"maps"
	"sync"

	"strata/domain"
	"strata/streams"
	"strata/streams/discards"
)

// leftOut is what an operator has discarded from a model, by position. It is
// shared by the living file and the shadow of a rebuild. A nil one is empty.
type leftOut struct {
	mu  sync.RWMutex
	set map[domain.Position]bool
}

// readLeftOut reads the decisions there are.
func readLeftOut(ctx context.Context, store streams.Store, m Model) (*leftOut, error) {
	set, err := discards.Of(ctx, store, m.Name())
	return &leftOut{set: set}, err
}

func (l *leftOut) has(p domain.Position) bool {
	if l == nil {
		return false
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.set[p]
}

func (l *leftOut) add(p domain.Position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.set[p] = true
}

func (l *leftOut) count() int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return len(l.set)
}

// clone is a copy that does not change with the original.
func (l *leftOut) clone() *leftOut {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return &leftOut{set: maps.Clone(l.set)}
}
