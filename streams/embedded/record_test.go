package embedded

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"strata/domain"
	"strata/streams"
)

// FuzzDecodeRecord gives the codec any bytes: it never panics, and what it
// takes for a record encodes to the same bytes again.
func FuzzDecodeRecord(f *testing.F) {
	e := streams.Proposed{ID: uuid.MustParse("01890a5d-ac96-774b-bcce-b302099a8057"), Type: "made", Workspace: "ws",
		Data: []byte(`{"a":1}`), Meta: []byte(`{}`)}
	valid := appendRecord(nil, "a-1", &e, place{group: 64, flags: flagFirst | flagLast, position: 7, revision: 3, at: 1})
	f.Add(valid)
	f.Add(valid[:len(valid)-1])
	f.Add(bytes.Repeat([]byte{0}, 64))
	f.Add(bytes.Repeat([]byte{0xff}, 80))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r record
		if err := decodeRecord(b, &r); err != nil {
			return
		}
		got := streams.Proposed{ID: r.id, Type: string(r.typ), Workspace: string(r.workspace), Data: r.data, Meta: r.meta}
		again := appendRecord(nil, domain.StreamID(r.stream), &got,
			place{group: r.group, flags: r.flags, position: r.position, revision: r.revision, at: r.at})
		if !bytes.Equal(again, b[:r.size]) {
			t.Fatalf("% x became % x", b[:r.size], again)
		}
	})
}

// FuzzParseIndex gives the index parser any bytes.
func FuzzParseIndex(f *testing.F) {
	m := newMemIndex(segmentHeaderSize)
	m.add(m.open("a-1", 1, 0, noSegment), 9, "made", 100)
	f.Add(encodeIndex(m, 1, 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := parseIndex(b)
		if err != nil {
			if !errors.Is(err, errIndexDamaged) {
				t.Fatal(err)
			}
			return
		}
		for r := regionFilter; r <= regionColumns; r++ {
			_ = x.check(r) // must not panic
		}
	})
}

func TestRecordRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := func(label string, max int) string { return rapid.StringOfN(rapid.Rune(), 0, -1, max).Draw(t, label) }
		e := streams.Proposed{
			Type: name("type", maxTypeName), Workspace: name("workspace", maxWorkspace),
			Data: rapid.SliceOf(rapid.Byte()).Draw(t, "data"), Meta: rapid.SliceOf(rapid.Byte()).Draw(t, "meta"),
		}
		copy(e.ID[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
		stream := domain.StreamID(name("stream", maxStreamName))
		p := place{rapid.Uint32().Draw(t, "group"), rapid.Byte().Draw(t, "flags"),
			domain.Position(rapid.Uint64().Draw(t, "position")), domain.Revision(rapid.Int64Min(0).Draw(t, "revision")), rapid.Int64().Draw(t, "at")}
		b := appendRecord([]byte("before"), stream, &e, p)[6:]
		var r record
		if err := decodeRecord(append(b, "behind"...), &r); err != nil {
			t.Fatal(err)
		}
		if r.id != e.ID || string(r.typ) != e.Type || string(r.workspace) != e.Workspace || string(r.stream) != string(stream) ||
			!bytes.Equal(r.data, e.Data) || !bytes.Equal(r.meta, e.Meta) || r.size != recordSize(stream, &e) ||
			(place{r.group, r.flags, r.position, r.revision, r.at}) != p {
			t.Fatalf("%+v came back as %+v", e, r)
		}
	})
}

// TestBloom checks that nothing added is missed and that errors stay rare.
func TestBloom(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, test := range []struct {
		bits int
		most float64
	}{{10, 0.03}, {16, 0.006}} {
		const n = 50_000
		b := newBloom(n, test.bits)
		keys := make([]uint64, n)
		for i := range keys {
			keys[i] = rng.Uint64()
			b.add(keys[i])
		}
		for _, k := range keys {
			if !b.mayHave(k) {
				t.Fatal("a key that was added is missed")
			}
		}
		wrong := 0
		for range n {
			if b.mayHave(rng.Uint64()) {
				wrong++
			}
		}
		if rate := float64(wrong) / n; rate > test.most {
			t.Errorf("%d bits per key: wrong in %.2f %% of the cases", test.bits, 100*rate)
		}
	}
}

// TestUnnamed runs a segment out of numbers for types: filters then ask the
// records themselves.
func TestUnnamed(t *testing.T) {
	m := newMemIndex(segmentHeaderSize)
	for i := range int(unnamed) + 2 {
		if n := m.types.number(fmt.Sprint(i)); i >= int(unnamed) && n != unnamed {
			t.Fatalf("type %d has number %d", i, n)
		}
	}
	m.add(m.open("a-1", 1, 0, noSegment), 9, "one type too many", 100)
	x, err := parseIndex(encodeIndex(m, 1, 1))
	if err != nil {
		t.Fatal(err)
	}
	for _, index := range []index{m, x} {
		match := matcher{filter: &streams.Filter{Types: []string{"b"}}}
		match.use(index)
		if want, exact := match.wants(0); !want || exact {
			t.Errorf("want %v, exact %v", want, exact)
		}
		if index.category(0) != "a" || index.eventType(unnamed) != "" {
			t.Errorf("names are %q and %q", index.category(0), index.eventType(unnamed))
		}
	}
}
