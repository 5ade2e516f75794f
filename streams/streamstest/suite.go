package streamstest

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"strata/domain"
	"strata/streams"
)

// Factory makes stores for the suite.
type Factory interface {
	// Open returns a store that is closed when the test ends.
	Open(t *testing.T) streams.Store
	// Reopen closes a store made by Open and opens it again with what it
	// holds. A factory that cannot answers nil, and the tests that need it are
	// skipped.
	Reopen(t *testing.T, s streams.Store) streams.Store
}

// Scavenger is a [Factory] of stores that can remove from disk what streams hide.
type Scavenger interface {
	// Scavenge removes what it can and returns when that is done.
	Scavenge(t *testing.T, s streams.Store)
}

// deadline bounds every wait of the suite; only failures come near it.
const deadline = 30 * time.Second

// Run runs the suite.
func Run(t *testing.T, f Factory) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Factory)
	}{
		{"Expectations", testExpectations},
		{"InvalidAppends", testInvalidAppends},
		{"Results", testResults},
		{"Repeats", testRepeats},
		{"RepeatsAfterReopen", testRepeatsAfterReopen},
		{"RepeatsAtOnce", testRepeatsAtOnce},
		{"ConcurrentWritersOfOneStream", testOneStream},
		{"ConcurrentWritersOfManyStreams", testManyStreams},
		{"ReadStream", testReadStream},
		{"ReadAll", testReadAll},
		{"Filters", testFilters},
		{"Contents", testContents},
		{"Metadata", testMetadata},
		{"SoftDelete", testSoftDelete},
		{"Tombstone", testTombstone},
		{"DeleteExpectations", testDeleteExpectations},
		{"LifecycleAfterReopen", testLifecycleAfterReopen},
		{"SystemStreams", testSystemStreams},
		{"Scavenge", testScavenge},
		{"Subscribe", testSubscribe},
		{"SubscribeFiltered", testSubscribeFiltered},
		{"SubscribeUnderLoad", testSubscribeUnderLoad},
		{"SubscriptionEnds", testSubscriptionEnds},
		{"Contexts", testContexts},
		{"Closing", testClosing},
		{"Import", testImport},
		{"Histories", testHistories},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, f) })
	}
}

var streamCount atomic.Int64

// newStream names a stream that no other test uses.
func newStream(category string) domain.StreamID {
	return domain.Stream(category, fmt.Sprintf("%s_%d", domain.NewID("t"), streamCount.Add(1)))
}

// event proposes an event of a type with data that says which it is.
func event(typ string, n int) streams.Proposed {
	return streams.Proposed{
		ID: domain.NewEventID(), Type: typ, Workspace: "ws_test",
		Data: fmt.Appendf(nil, `{"n":%d}`, n), Meta: fmt.Appendf(nil, `{"of":%q}`, typ),
	}
}

func events(typ string, n int) []streams.Proposed {
	list := make([]streams.Proposed, n)
	for i := range list {
		list[i] = event(typ, i)
	}
	return list
}

func background(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	t.Cleanup(cancel)
	return ctx
}

// mustAppend appends and fails the test when that fails.
func mustAppend(t *testing.T, s streams.Store, stream domain.StreamID, expected streams.Expected, list ...streams.Proposed) streams.Result {
	t.Helper()
	r, err := s.Append(background(t), stream, expected, list...)
	if err != nil {
		t.Fatalf("append to %s expecting %d: %v", stream, expected, err)
	}
	return r
}

// read collects a stream.
func read(t *testing.T, s streams.Store, stream domain.StreamID, r streams.ReadStream) ([]streams.Recorded, error) {
	t.Helper()
	return collect(s.ReadStream(background(t), stream, r))
}

func mustRead(t *testing.T, s streams.Store, stream domain.StreamID, r streams.ReadStream) []streams.Recorded {
	t.Helper()
	list, err := read(t, s, stream, r)
	if err != nil {
		t.Fatalf("read %s: %v", stream, err)
	}
	return list
}

func mustReadAll(t *testing.T, s streams.Store, r streams.ReadAll) []streams.Recorded {
	t.Helper()
	list, err := collect(s.ReadAll(background(t), r))
	if err != nil {
		t.Fatalf("read the whole log: %v", err)
	}
	return list
}

func collect(seq func(func(streams.Recorded, error) bool)) ([]streams.Recorded, error) {
	var list []streams.Recorded
	for e, err := range seq {
		if err != nil {
			return list, err
		}
		list = append(list, e)
	}
	return list, nil
}

func mustHead(t *testing.T, s streams.Store) domain.Position {
	t.Helper()
	p, err := s.Head(background(t))
	if err != nil {
		t.Fatalf("head: %v", err)
	}
	return p
}

func revisionsOf(list []streams.Recorded) []domain.Revision {
	revs := []domain.Revision{}
	for i := range list {
		revs = append(revs, list[i].Revision)
	}
	return revs
}

func reopen(t *testing.T, f Factory, s streams.Store) streams.Store {
	t.Helper()
	again := f.Reopen(t, s)
	if again == nil {
		t.Skip("the store cannot be opened again in a test")
	}
	return again
}
