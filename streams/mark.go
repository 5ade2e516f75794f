package streams

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"strata/domain"
)

// Mark is an event by which a log is recognised: positions mean nothing in another
// one. The same events have other positions in a log that a dump was loaded into, and
// what was noted in streams comes along with them.
type Mark struct {
	ID       uuid.UUID       `json:"id"`
	Stream   domain.StreamID `json:"stream"`
	Revision domain.Revision `json:"revision"`
	Position domain.Position `json:"position"`
}

// MarkOf is the mark that an event makes.
func MarkOf(r *Recorded) Mark { return Mark{r.ID, r.Stream, r.Revision, r.Position} }

// IsIn tells whether the event is in a log, and where it was. It is not found, either,
// when its stream hides it by now.
func (m *Mark) IsIn(ctx context.Context, log Store) (bool, error) {
	for r, err := range log.ReadStream(ctx, m.Stream, ReadStream{From: m.Revision, Limit: 1}) {
		if errors.Is(err, ErrStreamNotFound) || errors.Is(err, ErrTombstoned) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("look for the event that marks the log: %w", err)
		}
		return r.ID == m.ID && r.Position == m.Position, nil
	}
	return false, nil
}
