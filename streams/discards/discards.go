// Package discards tells whoever follows the log which events an operator has
// decided to leave out of it. The decision is an event of the log (see
// domain/projection), so that it survives everything that is derived, is honoured
// by every rebuild, and can be asked about.
package discards

import (
	"context"
	"errors"
	"fmt"

	"strata/domain"
	"strata/domain/projection"
	"strata/streams"
)

// Of reads what a projection leaves out, by position.
func Of(ctx context.Context, store streams.Store, name string) (map[domain.Position]bool, error) {
	out := map[domain.Position]bool{}
	codec, err := newCodec()
	if err != nil {
		return nil, err
	}
	for r, err := range store.ReadStream(ctx, projection.Aggregate.Stream(name), streams.ReadStream{}) {
		if errors.Is(err, streams.ErrStreamNotFound) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("what %s leaves out: %w", name, err)
		}
		f, err := decode(codec, r)
		if err != nil {
			return nil, err
		}
		out[f.Position] = true
	}
	return out, nil
}

// Follow calls tell for every decision after a position, in order, and passed
// when everything up to a position was looked at, until ctx ends or one of them
// fails.
func Follow(ctx context.Context, store streams.Store, after domain.Position,
	tell func(projection.EventDiscarded) error, passed func(domain.Position)) (err error) {

	codec, err := newCodec()
	if err != nil {
		return err
	}
	filter := &streams.Filter{Categories: []string{projection.Category}, Types: []string{projection.EventDiscarded{}.EventType()}}
	sub, err := store.Subscribe(ctx, after, filter)
	if err != nil {
		return fmt.Errorf("follow what is left out: %w", err)
	}
	defer func() { err = errors.Join(err, sub.Close()) }()
	for {
		b, err := sub.Next(ctx, 100)
		if err != nil {
			return err
		}
		for _, r := range b.Events {
			f, err := decode(codec, r)
			if err == nil {
				err = tell(f)
			}
			if err != nil {
				return err
			}
		}
		passed(b.Position)
	}
}

// newCodec knows the one fact: what reads a follower's decisions must not depend
// on what else the follower can read.
func newCodec() (*streams.Codec, error) {
	return streams.NewCodec(projection.Aggregate.Facts, nil, nil)
}

func decode(codec *streams.Codec, r streams.Recorded) (projection.EventDiscarded, error) {
	e, err := codec.Decode(r)
	if err != nil {
		return projection.EventDiscarded{}, err
	}
	f, ok := e.Fact.(projection.EventDiscarded)
	if !ok {
		return f, fmt.Errorf("event %d of %s is no decision to leave an event out", r.Position, r.Stream)
	}
	return f, nil
}
