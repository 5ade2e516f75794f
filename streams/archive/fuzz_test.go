package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/google/uuid"

	"strata/streams"
)

// seal gives lines their sums and a trailer, so that fuzzing gets past them.
func seal(text []byte) []byte {
	w := &writer{out: new(bytes.Buffer), sums: newSums()}
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSuffix(line, []byte("\n")); len(line) == 0 || line[0] != '{' {
			line = append([]byte{'{'}, line...)
		}
		if w.put(line) != nil {
			panic("a buffer takes everything")
		}
		w.n++
	}
	w.n-- // the header
	if w.close() != nil {
		panic("a buffer takes everything")
	}
	return w.out.(*bytes.Buffer).Bytes()
}

// FuzzReader reads anything as a dump: what is accepted is written again and
// read the same.
func FuzzReader(f *testing.F) {
	e := streams.Recorded{Proposed: streams.Proposed{ID: uuid.UUID{1}, Type: "a.made.v1", Workspace: "ws_1", Data: []byte(`{"a":[1,"ü"]}`), Meta: []byte{1, 2}},
		Stream: "a-1", Revision: 3, Position: 9, At: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)}
	line, err := appendEvent(nil, &e)
	if err != nil {
		f.Fatal(err)
	}
	head := fmt.Appendf(nil, "{\"strata_dump\":%d}\n", formatVersion)
	f.Add(head, true)
	f.Add(append(head, line...), true)
	f.Add(seal(append(head, line...)), false)
	f.Add([]byte(`{"strata_dump":1}`+"\n"+`{"position":1,"stream":"$$a-1","revision":0,"id":"01000000-0000-0000-0000-000000000000","type":"$metadata","at":"2026-01-02T03:04:05Z","data":{"$tb":5},"meta64":"AQ=="}`), true)
	f.Fuzz(func(t *testing.T, text []byte, sealed bool) {
		if sealed {
			text = seal(text)
		}
		list, err := readDump(text)
		if err != nil {
			if _, ok := errors.AsType[*Fault](err); !ok {
				t.Fatalf("a fault without a line: %v", err)
			}
			return
		}
		var again bytes.Buffer
		w, err := newWriter(&again)
		if err != nil {
			t.Fatal(err)
		}
		for i := range list {
			if err := w.event(&list[i]); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.close(); err != nil {
			t.Fatal(err)
		}
		second, err := readDump(again.Bytes())
		if err != nil || len(second) != len(list) {
			t.Fatalf("%d events came back of %d: %v\n%s", len(second), len(list), err, again.Bytes())
		}
		for i, a := range list {
			b := second[i]
			if a.ID != b.ID || a.Stream != b.Stream || a.Revision != b.Revision || a.Position != b.Position || !a.At.Equal(b.At) ||
				a.Type != b.Type || a.Workspace != b.Workspace || !bytes.Equal(a.Data, b.Data) || !bytes.Equal(a.Meta, b.Meta) {
				t.Fatalf("%+v came back as %+v", a, b)
			}
		}
	})
}

func readDump(text []byte) (list []streams.Recorded, err error) {
	r, err := NewReader(bytes.NewReader(text))
	for err == nil {
		var e streams.Recorded
		if e, err = r.Next(); err == nil {
			list = append(list, e)
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return list, err
}

// FuzzControl reads anything as stream metadata.
func FuzzControl(f *testing.F) {
	f.Add([]byte(`{"$maxCount":3,"$maxAge":1.5,"$tb":9223372036854775807,"owner":"me"}`))
	f.Add([]byte(`{"$deletedBefore":7}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parseControl(data)
		if err != nil {
			return
		}
		for k := range c.meta.Custom {
			if k != "" && k[0] == '$' {
				t.Fatalf("%q is taken for the application's", k)
			}
		}
		_ = withTime(data, time.Unix(0, 0).UTC())
	})
}

func BenchmarkDump(b *testing.B) {
	e := streams.Recorded{Proposed: streams.Proposed{ID: uuid.UUID{1}, Type: "session.turn_added.v1", Workspace: "ws_1", Data: append(append([]byte(`{"text":"`), bytes.Repeat([]byte("x"), 300)...), `"}`...), Meta: []byte(`{"actor":"key_1","request_id":"req_123456"}`)},
		Stream: "session-0123456789", Revision: 3, Position: 9, At: time.Now().UTC().Truncate(time.Microsecond)}
	w, err := newWriter(io.Discard)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := w.event(&e); err != nil {
			b.Fatal(err)
		}
	}
}
