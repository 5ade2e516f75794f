package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"strata/domain"
	"strata/streams"
	"strata/streams/archive"
	"strata/streams/embedded"
)

func open(t testing.TB, clock func() time.Time) *embedded.Log {
	t.Helper()
	l, err := embedded.Open(t.TempDir(), embedded.Options{SegmentSize: 16 << 10, NoSync: true, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// ticking is a clock that goes on by some microseconds at every look.
func ticking() func() time.Time {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return func() time.Time { at = at.Add(1234567 * time.Nanosecond); return at }
}

// background is for the bodies of property checks, which have no context.
var background = context.Background()

// portOnly hides that a store is an importer.
type portOnly struct{ streams.Store }

// payloads are what the log may hold: JSON in one line is only one of it.
var payloads = rapid.OneOf(
	rapid.SampledFrom([][]byte{nil, []byte(`{}`), []byte(`{"a":1,  "b":"\u003c<ü"}`), []byte("{\n\"a\":1}"), []byte(" 1"), []byte("null"),
		{1, 0xff, 0, 13}, []byte("\"\xff\""), []byte(`{"a":`), []byte("\u2028"), []byte(`"` + "\u2028" + `"`)}),
	rapid.SliceOfN(rapid.Byte(), 0, 40),
)

// live makes a random history: appends, deletes, tombstones, metadata.
func live(t *rapid.T, s streams.Store) []domain.StreamID {
	names := []domain.StreamID{"a-1", "a-2", "b-1", "ü-\"<", "lonely"}
	stream := rapid.SampledFrom(names)
	steps := rapid.IntRange(1, 60).Draw(t, "steps")
	for range steps {
		var err error
		id := stream.Draw(t, "stream")
		switch rapid.SampledFrom([]string{"append", "append", "append", "append", "meta", "delete", "tombstone"}).Draw(t, "step") {
		case "append":
			list := make([]streams.Proposed, rapid.IntRange(1, 3).Draw(t, "events"))
			for i := range list {
				list[i] = streams.Proposed{ID: domain.NewEventID(), Type: rapid.SampledFrom([]string{"a.made.v1", "a.<&>.v2"}).Draw(t, "type"),
					Workspace: rapid.SampledFrom([]string{"", "ws_1"}).Draw(t, "workspace"), Data: payloads.Draw(t, "data"), Meta: payloads.Draw(t, "meta")}
			}
			_, err = s.Append(background, id, streams.Any, list...)
		case "meta":
			m := streams.Meta{MaxCount: rapid.Int64Range(0, 3).Draw(t, "count"), TruncateBefore: domain.Revision(rapid.IntRange(0, 3).Draw(t, "before"))}
			if rapid.Bool().Draw(t, "custom") {
				m.Custom = map[string]any{"owner": "me"}
			}
			err = s.SetStreamMeta(background, id, m)
		case "delete":
			_, err = s.Delete(background, id, streams.Any)
		case "tombstone":
			if rapid.IntRange(0, 3).Draw(t, "really") == 0 {
				_, err = s.Tombstone(background, id, streams.Any)
			}
		}
		if err != nil && !errors.Is(err, streams.ErrStreamNotFound) && !errors.Is(err, streams.ErrTombstoned) {
			t.Fatal(err)
		}
	}
	return names
}

type fataler interface{ Fatal(args ...any) }

func dump(t fataler, s streams.Store) []byte {
	var b bytes.Buffer
	if _, err := archive.Dump(background, s, &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// What was dumped and loaded dumps the same, and reads the same.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		from, to, other := open(t, ticking()), open(t, nil), open(t, nil)
		names := live(rt, from)
		text := dump(rt, from)
		stats, err := archive.Load(background, to, bytes.NewReader(text))
		if err != nil {
			rt.Fatal(err)
		}
		if stats.Moved+stats.Renumbered+stats.Retimed+stats.Adjusted != 0 {
			rt.Fatalf("not all as it was: %+v", stats)
		}
		if again := dump(rt, to); !bytes.Equal(again, text) {
			rt.Fatalf("dumped again it is\n%s\nnot\n%s", again, text)
		}
		if _, err := archive.Load(background, portOnly{other}, bytes.NewReader(text)); err != nil {
			rt.Fatal(err)
		}
		for _, name := range names {
			want := visible(from, name)
			if got := visible(to, name); got != want {
				rt.Fatalf("%s reads\n%s\nnot\n%s", name, got, want)
			}
			if got := visible(other, name); got != want {
				rt.Fatalf("through the port alone %s reads\n%s\nnot\n%s", name, got, want)
			}
		}
		sameEvents(rt, from, other)
	})
}

// A log that was scavenged is loaded with gaps where events were: what is left
// keeps its revisions, and streams go on where they did.
func TestScavengedLog(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		from, to := open(t, ticking()), open(t, nil)
		names := live(rt, from)
		if _, err := from.Scavenge(background, embedded.ScavengeOptions{}); err != nil {
			rt.Fatal(err)
		}
		text := dump(rt, from)
		if _, err := archive.Load(background, to, bytes.NewReader(text)); err != nil {
			rt.Fatal(err)
		}
		for _, name := range names {
			want := visible(from, name)
			if !strings.Contains(want, "<nil> ") && !strings.Contains(want, "not found") && !strings.Contains(want, "tombstoned") {
				continue // nothing is left of it but that it was truncated
			}
			if got := visible(to, name); got != want {
				rt.Fatalf("%s reads\n%s\nnot\n%s", name, got, want)
			}
			e := streams.Proposed{ID: domain.NewEventID(), Type: "a.made.v1"}
			a, aerr := from.Append(background, name, streams.Any, e)
			b, berr := to.Append(background, name, streams.Any, e)
			if a.Revision != b.Revision || !errors.Is(berr, aerr) {
				rt.Fatalf("%s goes on at %d (%v), not at %d (%v)", name, b.Revision, berr, a.Revision, aerr)
			}
		}
		if err := to.Err(); err != nil {
			rt.Fatal(err)
		}
	})
}

// visible is what a reader of a stream sees, without times and positions.
func visible(s streams.Store, name domain.StreamID) string {
	var b strings.Builder
	for e, err := range s.ReadStream(background, name, streams.ReadStream{}) {
		fmt.Fprintf(&b, "%v %d %s %q\n", err, e.Revision, e.ID, e.Data)
	}
	m, err := s.StreamMeta(background, name)
	fmt.Fprintf(&b, "%+v %v", m, err)
	return b.String()
}

// sameEvents compares two logs whose events were recorded at different times.
func sameEvents(t *rapid.T, from, to streams.Store) {
	all := func(s streams.Store) (out []streams.Recorded) {
		for e, err := range s.ReadAll(background, streams.ReadAll{}) {
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, e)
		}
		return out
	}
	got, want := all(to), all(from)
	if len(got) != len(want) {
		t.Fatalf("%d events, want %d", len(got), len(want))
	}
	for i, w := range want {
		g := got[i]
		if g.ID != w.ID || g.Stream != w.Stream || g.Revision != w.Revision || g.Type != w.Type || g.Workspace != w.Workspace || !bytes.Equal(g.Data, w.Data) {
			t.Fatalf("event %d is %+v, want %+v", i, g, w)
		}
		if at := fmt.Sprintf(`{"recorded_at":"%s"`, w.At.Format(time.RFC3339Nano)); len(bytes.TrimSpace(w.Meta)) == 0 && string(g.Meta) != at+"}" {
			t.Fatalf("the metadata of event %d is %s, want %s}", i, g.Meta, at)
		}
	}
}

// sample is a dump of a small log.
func sample(t *testing.T) []byte {
	t.Helper()
	l := open(t, ticking())
	for i := range 5 {
		if _, err := l.Append(t.Context(), "a-1", streams.Any, streams.Proposed{ID: domain.NewEventID(), Type: "a.made.v1", Data: fmt.Appendf(nil, `{"n":%d}`, i), Meta: []byte(`{}`)}); err != nil {
			t.Fatal(err)
		}
	}
	return dump(t, l)
}

// Whatever is done to a dump, the fault names the line it was done to.
func TestFaultsNameTheLine(t *testing.T) {
	whole := sample(t)
	lines := bytes.SplitAfter(whole, []byte("\n"))
	lines = lines[:len(lines)-1]
	join := func(l ...[]byte) []byte { return bytes.Join(l, nil) }
	load := func(text []byte) error {
		r, err := archive.NewReader(bytes.NewReader(text))
		for err == nil {
			_, err = r.Next()
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	}
	at := func(what string, text []byte, line int) {
		t.Helper()
		f, ok := errors.AsType[*archive.Fault](load(text))
		if !ok || f.Line != line {
			t.Errorf("%s: %v, want a fault in line %d", what, f, line)
		}
	}
	start := 0
	for n, line := range lines {
		for i := range line {
			changed := bytes.Clone(whole)
			changed[start+i] ^= 1
			if n == 0 && load(changed) == nil {
				t.Fatalf("byte %d of the header may change", i)
			}
			switch {
			case line[i] == '\n' && n == len(lines)-1:
			case line[i] == '\n': // two lines have become one
				at(fmt.Sprintf("end of line %d changed", n+1), changed, n+1)
			default:
				at(fmt.Sprintf("byte %d of line %d changed", i, n+1), changed, n+1)
			}
		}
		if n > 0 && n < len(lines)-1 {
			at(fmt.Sprintf("line %d is missing", n+1), join(append(append([][]byte{}, lines[:n]...), lines[n+1:]...)...), n+1)
		}
		if n < len(lines)-1 {
			at(fmt.Sprintf("cut behind line %d", n+1), whole[:start+len(line)], n+2)
		}
		at(fmt.Sprintf("cut in line %d", n+1), whole[:start+len(line)/2], n+1)
		start += len(line)
	}
	at("with something behind", append(bytes.Clone(whole), 'x'), len(lines)+1)
	at("empty", nil, 1)
	at("no dump", []byte("{\"a\":1}\n"), 1)
	if err := load(whole); err != nil {
		t.Error(err)
	}
}

func TestLoadWantsAnEmptyLog(t *testing.T) {
	text := sample(t)
	l := open(t, nil)
	for i, want := range []error{nil, archive.ErrNotEmpty} {
		if _, err := archive.Load(t.Context(), l, bytes.NewReader(text)); !errors.Is(err, want) {
			t.Errorf("load %d: %v, want %v", i+1, err, want)
		}
	}
}

// broken is a store or a file that fails.
type broken struct{ io.Writer }

func (broken) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestDumpTellsOfFaults(t *testing.T) {
	l := open(t, nil)
	if _, err := archive.Dump(t.Context(), l, broken{}); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("a file that cannot be written: %v", err)
	}
	if _, err := l.Append(t.Context(), "a-\xff", streams.Any, streams.Proposed{ID: domain.NewEventID(), Type: "a.made.v1"}); err != nil {
		t.Fatal(err)
	}
	if _, err := archive.Dump(t.Context(), l, io.Discard); err == nil || !strings.Contains(err.Error(), "not UTF-8") {
		t.Errorf("a name that is no text: %v", err)
	}
}
