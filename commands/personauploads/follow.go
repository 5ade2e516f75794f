package personauploads

import (
	"context"
	"errors"

	"strata/commands"
	"strata/domain"
	"strata/domain/personaupload"
	"strata/streams"
)

// Follow waits until an upload that was confirmed at a position has completed,
// or ctx ends, and answers how far it is then and where in the log that is
// written. The end of ctx is no error: the upload goes on behind.
func Follow(ctx context.Context, h *commands.Handler, store streams.Store, p domain.Principal, id string, at domain.Position) (s personaupload.State, end domain.Position, err error) {
	end, err = completed(ctx, store, id, at)
	if err != nil {
		return s, 0, err
	}
	s, err = commands.Load(context.WithoutCancel(ctx), h, personaupload.Aggregate, p, id,
		func(l *commands.Loaded[personaupload.State]) personaupload.State { return *l.State })
	return s, end, err
}

// completed waits for the last event of an upload.
func completed(ctx context.Context, store streams.Store, id string, at domain.Position) (end domain.Position, err error) {
	sub, err := store.Subscribe(ctx, at, &streams.Filter{
		Categories: []string{personaupload.Aggregate.Category}, Types: []string{personaupload.Completed{}.EventType()}})
	if ctx.Err() != nil {
		if err == nil {
			err = sub.Close()
		} else {
			err = nil // the caller's patience ended before it began
		}
		return 0, err
	}
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, sub.Close()) }()
	stream := personaupload.Aggregate.Stream(id)
	for {
		batch, err := sub.Next(ctx, 100)
		if ctx.Err() != nil {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		for _, r := range batch.Events {
			if r.Stream == stream {
				return r.Position, nil
			}
		}
	}
}
