package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"strata/domain"
)

// A server that is stopped while it starts ends in order, unless something else is
// wrong, too.
func TestStoppedWhileStarting(t *testing.T) {
	broken := errors.New("the disk is full")
	for _, c := range []struct {
		err     error
		stopped bool
		fails   bool
	}{
		{nil, true, false},
		{context.Canceled, true, false},
		{context.Canceled, false, true},
		{fmt.Errorf("key store: %w", context.Canceled), true, false},
		{domain.Errorf(domain.CodeUnavailable, "the log is away").Because(context.Canceled), true, false},
		{domain.Errorf(domain.CodeUnavailable, "the log is away"), true, true},
		{errors.Join(fmt.Errorf("read model: %w", context.Canceled), nil, context.Canceled), true, false},
		{errors.Join(context.Canceled, broken), true, true},
		{fmt.Errorf("open: %w", errors.Join(context.Canceled, fmt.Errorf("close: %w", broken))), true, true},
		{broken, true, true},
		{context.DeadlineExceeded, true, true},
	} {
		ctx, stop := context.WithCancel(t.Context())
		if c.stopped {
			stop()
		}
		err := untilStopped(func(context.Context, []string, io.Writer) error { return c.err })(ctx, nil, io.Discard)
		stop()
		if (err != nil) != c.fails {
			t.Errorf("%v, stopped %v: %v", c.err, c.stopped, err)
		}
	}
}
