package lease_test

import (
	"context"
	"errors"
	"iter"
	"testing"
	"time"

	"strata/domain"
	"strata/streams"
	"strata/streams/embedded"
	"strata/streams/lease"
)

const ttl = time.Second

func openLog(t *testing.T) *embedded.Log {
	t.Helper()
	log, err := embedded.Open(t.TempDir(), embedded.Options{NoSync: true, SegmentSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	return log
}

func newKeeper(t *testing.T, cfg lease.Config) *lease.Keeper {
	t.Helper()
	cfg.Name = "work"
	if cfg.TTL == 0 {
		cfg.TTL = ttl
	}
	k, err := lease.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func acquire(t *testing.T, k *lease.Keeper) *lease.Term {
	t.Helper()
	term, err := k.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return term
}

// errCut is what a node gets that is cut off from the log.
var errCut = errors.New("the log cannot be reached")

// link is a node's way to the log.
type link struct {
	streams.Store
	before func(ctx context.Context) error // what happens on the way there; nil: nothing
	after  func() error                    // on the way back, to appends
}

func (l *link) there(ctx context.Context) error {
	if l.before == nil {
		return nil
	}
	return l.before(ctx)
}

func (l *link) Append(ctx context.Context, s domain.StreamID, e streams.Expected, events ...streams.Proposed) (streams.Result, error) {
	if err := l.there(ctx); err != nil {
		return streams.Result{}, err
	}
	r, err := l.Store.Append(ctx, s, e, events...)
	if err == nil && l.after != nil {
		err = l.after()
	}
	if err != nil {
		return streams.Result{}, err
	}
	return r, nil
}

func (l *link) ReadStream(ctx context.Context, s domain.StreamID, r streams.ReadStream) iter.Seq2[streams.Recorded, error] {
	if err := l.there(ctx); err != nil {
		return func(yield func(streams.Recorded, error) bool) { yield(streams.Recorded{}, err) }
	}
	return l.Store.ReadStream(ctx, s, r)
}

func (l *link) StreamMeta(ctx context.Context, s domain.StreamID) (streams.Meta, error) {
	if err := l.there(ctx); err != nil {
		return streams.Meta{}, err
	}
	return l.Store.StreamMeta(ctx, s)
}
