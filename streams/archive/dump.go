package archive

import (
	"context"
	"fmt"
	"io"

	"strata/domain"
	"strata/streams"
)

// Stats tell what was written or read.
type Stats struct {
	Events uint64          // system records included
	Head   domain.Position // of the last event, in the store that was dumped or loaded

	// Of a load:
	Moved      uint64 // events whose position is another one here
	Filled     uint64 // revisions without an event, since a scavenge had removed it
	Renumbered uint64 // events whose revision is another one here: the store begins every stream at 0
	Retimed    uint64 // events whose time of recording is the load's; the original is in their metadata
	Adjusted   uint64 // events that were recorded before the event in front of them, and got its time
}

// Dump writes everything the log holds as of the call, what is hidden by
// metadata or deletion included.
func Dump(ctx context.Context, store streams.Store, out io.Writer) (Stats, error) {
	w, err := newWriter(out)
	if err != nil {
		return Stats{}, fmt.Errorf("write the dump: %w", err)
	}
	var s Stats
	for e, err := range store.ReadAll(ctx, streams.ReadAll{Filter: everything()}) {
		if err != nil {
			return s, fmt.Errorf("read the log: %w", err)
		}
		if err := w.event(&e); err != nil {
			return s, fmt.Errorf("write the dump: %w", err)
		}
		s.Events, s.Head = w.n, e.Position
	}
	if err := w.close(); err != nil {
		return s, fmt.Errorf("write the dump: %w", err)
	}
	return s, nil
}

// everything selects system records too, by a prefix that all types have.
func everything() *streams.Filter { return &streams.Filter{TypePrefixes: []string{""}} }
