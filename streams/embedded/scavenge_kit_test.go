package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"strata/domain"
	"strata/streams"
	"strata/streams/embedded"
)

// lived is a log in which streams have been truncated, deleted and so on, with
// what it showed before it was scavenged.
type lived struct {
	*embedded.Log
	dir     string
	opts    embedded.Options
	clock   *atomic.Int64 // microseconds
	appends []livedAppend
	hidden  map[domain.Position]bool // what a scavenge has to remove
	before  []streams.Recorded
	shown   map[domain.StreamID]shown
}

type livedAppend struct {
	stream   domain.StreamID
	expected streams.Expected
	events   []streams.Proposed
	result   streams.Result
}

// shown is what reading a stream gives.
type shown struct {
	events []streams.Recorded
	err    error
}

var livedStreams = []domain.StreamID{"plain-1", "counted-1", "cut-1", "aged-1", "deleted-1", "revived-1", "buried-1", "plain-2", "hidden-1"}

// secretText is in the events that have to leave the disk.
func secretText(s domain.StreamID, rev domain.Revision) string { return fmt.Sprintf("<%s:%d>", s, rev) }

// newLived writes such a log: 40 events in each stream, in appends of two, then
// metadata and deletions, then some more.
func newLived(t testing.TB, opts embedded.Options) *lived {
	t.Helper()
	v := &lived{dir: t.TempDir(), clock: new(atomic.Int64), hidden: map[domain.Position]bool{}}
	v.clock.Store(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro())
	opts.Clock = func() time.Time { return time.UnixMicro(v.clock.Load()).UTC() }
	v.opts = opts
	v.Log = mustOpen(t, v.dir, opts)
	for i := range 20 {
		for _, s := range livedStreams {
			v.append(t, s, domain.Revision(2*i))
		}
		v.clock.Add(time.Minute.Microseconds())
	}
	ctx := context.Background()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(v.SetStreamMeta(ctx, "counted-1", streams.Meta{MaxCount: 5}))
	check(v.SetStreamMeta(ctx, "cut-1", streams.Meta{TruncateBefore: 33, Custom: map[string]any{"k": "v"}}))
	check(v.SetStreamMeta(ctx, "hidden-1", streams.Meta{TruncateBefore: 1000}))
	check(v.SetStreamMeta(ctx, "aged-1", streams.Meta{MaxAge: 5 * time.Minute}))
	for _, s := range []domain.StreamID{"deleted-1", "revived-1"} {
		_, err := v.Delete(ctx, s, streams.At(39))
		check(err)
	}
	_, err := v.Tombstone(ctx, "buried-1", streams.Any)
	check(err)
	v.append(t, "revived-1", 40)
	v.append(t, "counted-1", 40)
	v.look(t)
	return v
}

// append writes two events behind a revision.
func (v *lived) append(t testing.TB, s domain.StreamID, next domain.Revision) {
	t.Helper()
	a := livedAppend{stream: s, expected: streams.At(next - 1)}
	if next == 40 && s == "revived-1" {
		a.expected = streams.NoStream
	}
	for i := range 2 {
		e := event(i, 60)
		e.Data = fmt.Appendf(nil, `{"secret":%q}`, secretText(s, next+domain.Revision(i)))
		a.events = append(a.events, e)
	}
	var err error
	if a.result, err = v.Append(context.Background(), s, a.expected, a.events...); err != nil {
		t.Fatal(err)
	}
	v.appends = append(v.appends, a)
}

// look notes what the log shows, and what no stream of it does.
func (v *lived) look(t testing.TB) {
	t.Helper()
	v.shown = v.streams()
	v.before = readAll(t, v.Log)
	visible := map[domain.Position]bool{}
	for _, s := range v.shown {
		for _, e := range s.events {
			visible[e.Position] = true
		}
	}
	for _, e := range v.before {
		v.hidden[e.Position] = !visible[e.Position]
	}
}

func (v *lived) streams() map[domain.StreamID]shown {
	out := map[domain.StreamID]shown{}
	for _, s := range livedStreams {
		for _, r := range []streams.ReadStream{{}, {From: streams.End, Backwards: true}, {From: 35, Limit: 3}, {Limit: 2}} {
			var one shown
			for e, err := range v.ReadStream(context.Background(), s, r) {
				if err != nil {
					one.err = err
					break
				}
				one.events = append(one.events, e)
			}
			out[domain.StreamID(fmt.Sprintf("%s %+v", s, r))] = one
		}
	}
	return out
}

// check compares what the log shows with what it showed before the scavenge.
// removed says whether everything hidden is gone by now, or only may be.
func (v *lived) check(t testing.TB, removed bool) {
	t.Helper()
	if got := v.streams(); !reflect.DeepEqual(got, v.shown) {
		for name, want := range v.shown {
			if !reflect.DeepEqual(got[name], want) {
				t.Errorf("%s: got %v, want %v", name, got[name], want)
			}
		}
	}
	checkKept(t, readAll(t, v.Log), v.before, v.hidden, removed)
	for _, size := range []int{0, 3} {
		checkKept(t, subscribed(t, v.Log, size), v.before, v.hidden, removed)
	}
}

// checkKept compares the events of a log with those that were there.
func checkKept(t testing.TB, got, before []streams.Recorded, hidden map[domain.Position]bool, removed bool) {
	t.Helper()
	i := 0
	for _, e := range before {
		if i < len(got) && got[i].Position == e.Position {
			if removed && hidden[e.Position] {
				t.Errorf("position %d is still there", e.Position)
			}
			if !reflect.DeepEqual(got[i], e) {
				t.Errorf("position %d: got %+v, want %+v", e.Position, got[i], e)
			}
			i++
		} else if !hidden[e.Position] {
			t.Errorf("position %d of %s is gone", e.Position, e.Stream)
		}
	}
	if i != len(got) {
		t.Errorf("%d events too many or out of order", len(got)-i)
	}
}

// subscribed follows a log from its beginning until it has caught up.
func subscribed(t testing.TB, l *embedded.Log, size int) (list []streams.Recorded) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	sub, err := l.Subscribe(ctx, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	for {
		b, err := sub.Next(ctx, size)
		if err != nil {
			t.Fatal(err)
		}
		if b.CaughtUp {
			head, err := l.Head(ctx)
			if err != nil || b.Position != head {
				t.Fatalf("caught up at %d, the head is %d, %v", b.Position, head, err)
			}
			return list
		}
		list = append(list, b.Events...)
	}
}

// checkRepeats appends everything once more, as it was appended.
func (v *lived) checkRepeats(t testing.TB) {
	t.Helper()
	for _, a := range v.appends {
		for _, expected := range []streams.Expected{a.expected, streams.Any} {
			r, err := v.Append(context.Background(), a.stream, expected, a.events...)
			if a.stream == "buried-1" {
				if !errors.Is(err, streams.ErrTombstoned) {
					t.Fatalf("append to a tombstoned stream: %v", err)
				}
				continue
			}
			want := a.result
			want.Repeated = true
			if err != nil || r != want {
				t.Fatalf("repeat on %s expecting %d: got %+v, %v, want %+v", a.stream, expected, r, err, want)
			}
		}
	}
}

func (v *lived) reopen(t testing.TB) {
	t.Helper()
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	v.Log = mustOpen(t, v.dir, v.opts)
}

func scavenge(t testing.TB, l *embedded.Log) embedded.ScavengeReport {
	t.Helper()
	r, err := l.Scavenge(context.Background(), embedded.ScavengeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}
