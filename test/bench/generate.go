package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"strata/domain"
	"strata/streams"
	"strata/streams/embedded"
)

// What generate writes: streams of a few small events each, many of them being
// written at a time, as sessions are.
const (
	generateCommand = "generate"
	eventsPerStream = 10
	openStreams     = 50 // interleaved
	generators      = 128
)

// scaleStream names the n-th generated stream.
func scaleStream(n int) domain.StreamID { return domain.Stream("scale", fmt.Sprintf("s%09d", n)) }

// scaleEvent proposes an event that takes about 130 bytes in the log.
func scaleEvent(n int) streams.Proposed {
	return streams.Proposed{
		ID: domain.NewEventID(), Type: "scale.made.v1", Workspace: "ws_scale",
		Data: fmt.Appendf(nil, `{"n":%d,"text":"hello"}`, n), Meta: []byte(`{}`),
	}
}

// generate fills a log to a number of events through the log's own writer,
// every append durable. A log that has some already is filled up.
func generate(ctx context.Context, args []string, out io.Writer) error {
	fs := flag.NewFlagSet("bench "+generateCommand, flag.ContinueOnError)
	events := fs.Int("events", 1_000_000, "events the log shall have")
	dir := fs.String("dir", "", "directory of the log")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if *dir == "" {
		return fmt.Errorf("usage: bench %s --events N --dir DIR", generateCommand)
	}
	l, err := embedded.Open(*dir, embedded.Options{})
	if err != nil {
		return err
	}
	first, err := generated(ctx, l)
	if err != nil {
		return err
	}
	const each = openStreams * eventsPerStream
	last := *events / each
	start := time.Now()
	if err := generateGroups(ctx, l, first, last); err != nil {
		return err
	}
	took := time.Since(start)
	if err := l.Close(); err != nil {
		return err
	}
	n := max(last-first, 0) * each
	_, err = fmt.Fprintf(out, "%s events more in %s: %s/s\n", count(float64(n)), took.Round(time.Millisecond), count(float64(n)/took.Seconds()))
	return err
}

// generated returns the number of groups of streams that a log has: a log may
// have events of others too.
func generated(ctx context.Context, l *embedded.Log) (groups int, err error) {
	head, err := l.Head(ctx)
	if err != nil {
		return 0, err
	}
	groups = sort.Search(int(head)/openStreams/eventsPerStream, func(group int) bool {
		rev, rerr := l.StreamRevision(ctx, scaleStream(group*openStreams))
		err = errors.Join(err, rerr)
		return rev < 0
	})
	return groups, err
}

// generateGroups writes the groups of streams from first to last.
func generateGroups(ctx context.Context, l *embedded.Log, first, last int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	var next atomic.Int64
	next.Store(int64(first))
	for range generators {
		wg.Go(func() {
			for {
				group := int(next.Add(1)) - 1
				if group >= last {
					return
				}
				if err := generateGroup(ctx, l, group); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// generateGroup writes some streams side by side, half of each at a time.
func generateGroup(ctx context.Context, l *embedded.Log, group int) error {
	const half = eventsPerStream / 2
	events := make([]streams.Proposed, half)
	for part := range 2 {
		for s := range openStreams {
			for i := range events {
				events[i] = scaleEvent(part*half + i)
			}
			if _, err := l.Append(ctx, scaleStream(group*openStreams+s), streams.At(domain.Revision(part*half-1)), events...); err != nil {
				return err
			}
		}
	}
	return nil
}
