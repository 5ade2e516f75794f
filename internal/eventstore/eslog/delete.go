package eslog

import (
	"context"
	"fmt"

	"strata/domain"
	"strata/streams"
	"strata/streams/embedded"
)

// Delete hides a stream's events; an append brings the stream back, without them,
// at the next revision. The rest of the stream's metadata stays, in the same
// write: EventStoreDB drops it, and whoever wants to keep it there sets it anew
// afterwards, and loses it when he dies in between.
//
// Errors: *streams.WrongRevision, also when there is nothing to delete,
// ErrDeleted, streams.ErrTombstoned, ErrFull, ErrInvalid, ErrClosed.
func (l *Log) Delete(ctx context.Context, stream domain.StreamID, expected streams.Expected) (Result, error) {
	return l.remove(ctx, stream, expected, func(v *view) (streams.Proposed, error) {
		if there, err := v.exists(); err != nil || !there {
			return streams.Proposed{}, firstOf(err, v.wrong(expected))
		}
		data, err := truncated(v.st, deletedMark)
		if err == nil {
			data, err = stored(data, v.st.Last)
		}
		return streams.Proposed{ID: domain.NewEventID(), Type: streams.TypeMetadata, Data: data}, err
	})
}

// Tombstone closes a stream for ever, also one that was never written.
//
// Errors: as of Delete.
func (l *Log) Tombstone(ctx context.Context, stream domain.StreamID, expected streams.Expected) (Result, error) {
	return l.remove(ctx, stream, expected, func(*view) (streams.Proposed, error) {
		return streams.Proposed{ID: domain.NewEventID(), Type: streams.TypeTombstone, Data: []byte("{}")}, nil
	})
}

// remove puts the record that removes a stream, if the stream is as expected.
func (l *Log) remove(ctx context.Context, stream domain.StreamID, expected streams.Expected, record func(*view) (streams.Proposed, error)) (Result, error) {
	if streams.IsSystem(stream) {
		return Result{}, fmt.Errorf("%w: stream %q cannot be deleted, only the stream it is about", streams.ErrInvalid, stream)
	}
	r, err := l.log.Transact(ctx, recordOverhead+len(stream), func(tx *embedded.Tx) (streams.Result, error) {
		v, err := look(tx, stream)
		if err != nil {
			return streams.Result{}, err
		}
		// One event that nobody has written: the deletion itself.
		if _, err = v.admits(expected, []Event{{ID: domain.NewEventID()}}); err != nil {
			return streams.Result{}, err
		}
		p, err := record(&v)
		if err != nil {
			return streams.Result{}, err
		}
		return streams.Result{Revision: v.st.Last, Position: tx.Put(MetadataStream(stream), p)}, nil
	})
	return Result{Last: r.Revision, Position: r.Position}, err
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
