package streamstest

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"strata/domain"
	"strata/streams"
)

func testExpectations(t *testing.T, f Factory) {
	s := f.Open(t)
	empty := func(t *testing.T) domain.StreamID { return newStream("expect") }
	three := func(t *testing.T) domain.StreamID {
		stream := newStream("expect")
		mustAppend(t, s, stream, streams.NoStream, events("made", 3)...)
		return stream
	}
	deleted := func(t *testing.T) domain.StreamID {
		stream := three(t)
		if _, err := s.Delete(background(t), stream, streams.At(2)); err != nil {
			t.Fatal(err)
		}
		return stream
	}
	const refused = -9
	for _, test := range []struct {
		name     string
		given    func(*testing.T) domain.StreamID
		expected streams.Expected
		want     domain.Revision // of the appended event, or refused
	}{
		{"empty, any", empty, streams.Any, 0},
		{"empty, none", empty, streams.NoStream, 0},
		{"empty, exists", empty, streams.StreamExists, refused},
		{"empty, at 0", empty, streams.At(0), refused},
		{"three, any", three, streams.Any, 3},
		{"three, none", three, streams.NoStream, refused},
		{"three, exists", three, streams.StreamExists, 3},
		{"three, at the last", three, streams.At(2), 3},
		{"three, behind the last", three, streams.At(1), refused},
		{"three, beyond the last", three, streams.At(3), refused},
		{"deleted, any", deleted, streams.Any, 3},
		{"deleted, none", deleted, streams.NoStream, 3},
		{"deleted, at the last", deleted, streams.At(2), 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			stream := test.given(t)
			r, err := s.Append(background(t), stream, test.expected, event("more", 1))
			if test.want == refused {
				var wrong *streams.WrongRevision
				if !errors.As(err, &wrong) {
					t.Fatalf("got %+v, %v, want a wrong revision", r, err)
				}
				if wrong.Stream != stream || wrong.Expected != test.expected {
					t.Errorf("error names %s and %d", wrong.Stream, wrong.Expected)
				}
				return
			}
			if err != nil || r.Revision != test.want || r.Repeated {
				t.Fatalf("got %+v, %v, want revision %d", r, err, test.want)
			}
		})
	}
	t.Run("the error tells the actual revision", func(t *testing.T) {
		for given, want := range map[domain.StreamID]domain.Revision{empty(t): domain.NoRevision, three(t): 2} {
			_, err := s.Append(background(t), given, streams.At(7), event("more", 1))
			var wrong *streams.WrongRevision
			if !errors.As(err, &wrong) || wrong.Actual != want {
				t.Errorf("got %v, want actual revision %d", err, want)
			}
		}
	})
}

func testInvalidAppends(t *testing.T, f Factory) {
	s := f.Open(t)
	stream := newStream("invalid")
	noID, noType, longType := event("x", 1), event("", 1), event(strings.Repeat("t", 256), 1)
	noID.ID = uuid.Nil
	huge := event("x", 1)
	huge.Data = make([]byte, 64<<20)
	for _, test := range []struct {
		name   string
		stream domain.StreamID
		events []streams.Proposed
		want   error
	}{
		{"no events", stream, nil, streams.ErrInvalid},
		{"no stream", "", events("x", 1), streams.ErrInvalid},
		{"no id", stream, []streams.Proposed{noID}, streams.ErrInvalid},
		{"no type", stream, []streams.Proposed{noType}, streams.ErrInvalid},
		{"long type", stream, []streams.Proposed{longType}, streams.ErrInvalid},
		{"the store's own stream", "$$" + stream, events("x", 1), streams.ErrInvalid},
		{"huge", stream, []streams.Proposed{huge}, streams.ErrTooLarge},
		{"second is invalid", stream, []streams.Proposed{event("x", 1), noType}, streams.ErrInvalid},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := s.Append(background(t), test.stream, streams.Any, test.events...); !errors.Is(err, test.want) {
				t.Fatalf("got %v, want %v", err, test.want)
			}
		})
	}
	if _, err := read(t, s, stream, streams.ReadStream{}); !errors.Is(err, streams.ErrStreamNotFound) {
		t.Fatalf("a refused append left something: %v", err)
	}
}

func testResults(t *testing.T, f Factory) {
	s := f.Open(t)
	stream := newStream("results")
	before := mustHead(t, s)
	r := mustAppend(t, s, stream, streams.NoStream, events("made", 3)...)
	if r.Revision != 2 || r.Position <= before || r.Repeated {
		t.Fatalf("got %+v", r)
	}
	if head := mustHead(t, s); head < r.Position {
		t.Errorf("head %d is behind an acknowledged append at %d", head, r.Position)
	}
	list := mustRead(t, s, stream, streams.ReadStream{})
	if len(list) != 3 || list[2].Position != r.Position {
		t.Fatalf("the last event is not at the position of the result %+v: %+v", r, list)
	}
	rev, err := s.StreamRevision(background(t), stream)
	if err != nil || rev != 2 {
		t.Errorf("stream revision: %d, %v", rev, err)
	}
	rev, err = s.StreamRevision(background(t), newStream("results"))
	if err != nil || rev != domain.NoRevision {
		t.Errorf("revision of an empty stream: %d, %v", rev, err)
	}
}

// testRepeats is the table of repeated appends.
func testRepeats(t *testing.T, f Factory) {
	s := f.Open(t)
	for _, expected := range []streams.Expected{streams.NoStream, streams.Any} {
		stream := newStream("repeat")
		list := events("made", 2)
		first := mustAppend(t, s, stream, expected, list...)
		checkRepeat(t, s, stream, expected, first, list)
		mustAppend(t, s, stream, streams.At(1), events("more", 3)...)
		checkRepeat(t, s, stream, expected, first, list)
	}
	stream := newStream("repeat")
	mustAppend(t, s, stream, streams.NoStream, events("made", 2)...)
	list := events("exact", 3)
	exact := mustAppend(t, s, stream, streams.At(1), list...)
	checkRepeat(t, s, stream, streams.At(1), exact, list)
	exists := events("exists", 2)
	checkRepeat(t, s, stream, streams.StreamExists, mustAppend(t, s, stream, streams.StreamExists, exists...), exists)
	checkRepeat(t, s, stream, streams.At(1), exact, list)
	second := mustRead(t, s, stream, streams.ReadStream{From: 3, Limit: 1})[0]
	checkRepeat(t, s, stream, streams.At(1), streams.Result{Revision: 3, Position: second.Position}, list[:2])

	for name, try := range map[string]struct {
		expected streams.Expected
		events   []streams.Proposed
	}{
		"other ids":               {streams.At(1), events("exact", 3)},
		"second id differs":       {streams.At(1), []streams.Proposed{list[0], event("exact", 2)}},
		"same ids elsewhere":      {streams.At(0), list},
		"more than was written":   {streams.At(4), append(append([]streams.Proposed{}, exists...), event("more", 1))},
		"any, first known":        {streams.Any, []streams.Proposed{exists[1], event("new", 1)}},
		"any, not in their order": {streams.Any, []streams.Proposed{exists[1], exists[0]}},
	} {
		var wrong *streams.WrongRevision
		if r, err := s.Append(background(t), stream, try.expected, try.events...); !errors.As(err, &wrong) {
			t.Errorf("%s: got %+v, %v, want a wrong revision", name, r, err)
		}
	}
	if got := len(mustRead(t, s, stream, streams.ReadStream{})); got != 7 {
		t.Errorf("the stream has %d events, want 7", got)
	}
	// Repeats are a matter of one stream: the same ids may go to another.
	if r := mustAppend(t, s, newStream("repeat"), streams.Any, list...); r.Repeated {
		t.Error("an append to another stream was taken for a repeat")
	}
}

func checkRepeat(t *testing.T, s streams.Store, stream domain.StreamID, expected streams.Expected, first streams.Result, list []streams.Proposed) {
	t.Helper()
	r := mustAppend(t, s, stream, expected, list...)
	first.Repeated = true
	if r != first {
		t.Errorf("repeat expecting %d: got %+v, want %+v", expected, r, first)
	}
}

func testRepeatsAfterReopen(t *testing.T, f Factory) {
	s := f.Open(t)
	type done struct {
		stream   domain.StreamID
		expected streams.Expected
		events   []streams.Proposed
		result   streams.Result
	}
	var all []done
	for range 20 {
		stream, expected := newStream("repeat"), streams.NoStream
		for i, next := range []streams.Expected{streams.At(1), streams.Any, streams.StreamExists} {
			list := events("made", 2)
			all = append(all, done{stream, expected, list, mustAppend(t, s, stream, expected, list...)})
			if expected = next; i == 0 {
				expected = streams.At(1)
			}
		}
	}
	s = reopen(t, f, s)
	for _, d := range all {
		checkRepeat(t, s, d.stream, d.expected, d.result, d.events)
	}
}

// testRepeatsAtOnce sends the same append many times at the same moment: one is
// the first, the others are its repeats.
func testRepeatsAtOnce(t *testing.T, f Factory) {
	s := f.Open(t)
	for _, expected := range []streams.Expected{streams.NoStream, streams.Any} {
		stream := newStream("repeat")
		list := events("made", 2)
		results := make([]streams.Result, 16)
		var wg sync.WaitGroup
		for i := range results {
			wg.Go(func() {
				var err error
				if results[i], err = s.Append(background(t), stream, expected, list...); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		firsts := 0
		for _, r := range results {
			if !r.Repeated {
				firsts++
			}
			if r.Revision != 1 || r.Position != results[0].Position {
				t.Errorf("results differ: %+v and %+v", r, results[0])
			}
		}
		if got := len(mustRead(t, s, stream, streams.ReadStream{})); firsts != 1 || got != 2 {
			t.Errorf("%d appends were the first, the stream has %d events", firsts, got)
		}
	}
}

// testOneStream has writers race for one stream: every revision is won once.
func testOneStream(t *testing.T, f Factory) {
	s := f.Open(t)
	stream := newStream("race")
	const writers, each = 8, 25
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			expected := streams.NoStream
			for won := 0; won < each; {
				r, err := s.Append(background(t), stream, expected, event("won", won), event("won", won))
				var wrong *streams.WrongRevision
				switch {
				case errors.As(err, &wrong):
					expected = streams.At(wrong.Actual)
				case err != nil:
					t.Error(err)
					return
				default:
					won++
					expected = streams.At(r.Revision)
				}
			}
		})
	}
	wg.Wait()
	list := mustRead(t, s, stream, streams.ReadStream{})
	if len(list) != writers*each*2 {
		t.Fatalf("the stream has %d events, want %d", len(list), writers*each*2)
	}
	for i := range list {
		if list[i].Revision != domain.Revision(i) {
			t.Fatalf("event %d has revision %d", i, list[i].Revision)
		}
		if i%2 == 1 && string(list[i].Data) != string(list[i-1].Data) {
			t.Fatalf("an append was torn apart at revision %d", i)
		}
	}
}

func testManyStreams(t *testing.T, f Factory) {
	s := f.Open(t)
	before := mustHead(t, s)
	const writers, each = 16, 20
	names := make([]domain.StreamID, writers)
	var wg sync.WaitGroup
	for w := range writers {
		names[w] = newStream("many")
		wg.Go(func() {
			for i := range each {
				if _, err := s.Append(background(t), names[w], streams.At(domain.Revision(i*3-1)), events("made", 3)...); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	for _, name := range names {
		if got := len(mustRead(t, s, name, streams.ReadStream{})); got != each*3 {
			t.Errorf("%s has %d events, want %d", name, got, each*3)
		}
	}
	last := before
	seen := map[domain.StreamID]int{}
	for _, e := range mustReadAll(t, s, streams.ReadAll{After: before, Filter: &streams.Filter{Categories: []string{"many"}}}) {
		if e.Position <= last {
			t.Fatalf("position %d after %d", e.Position, last)
		}
		last = e.Position
		seen[e.Stream]++
	}
	for _, name := range names {
		if seen[name] != each*3 {
			t.Errorf("the log shows %d events of %s, want %d", seen[name], name, each*3)
		}
	}
}
