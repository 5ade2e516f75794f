package streamstest

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"strata/domain"
	"strata/streams"
)

func testReadStream(t *testing.T, f Factory) {
	s := f.Open(t)
	stream := newStream("read")
	for i := range 5 {
		mustAppend(t, s, stream, streams.At(domain.Revision(i*2-1)), events("made", 2)...)
	}
	for _, test := range []struct {
		name string
		read streams.ReadStream
		want []domain.Revision
	}{
		{"all", streams.ReadStream{}, []domain.Revision{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}},
		{"from the middle", streams.ReadStream{From: 7}, []domain.Revision{7, 8, 9}},
		{"limit", streams.ReadStream{From: 3, Limit: 2}, []domain.Revision{3, 4}},
		{"limit beyond the end", streams.ReadStream{From: 8, Limit: 20}, []domain.Revision{8, 9}},
		{"from beyond the end", streams.ReadStream{From: 10}, []domain.Revision{}},
		{"from the end", streams.ReadStream{From: streams.End}, []domain.Revision{}},
		{"backwards", streams.ReadStream{From: streams.End, Backwards: true}, []domain.Revision{9, 8, 7, 6, 5, 4, 3, 2, 1, 0}},
		{"backwards from the middle", streams.ReadStream{From: 2, Backwards: true}, []domain.Revision{2, 1, 0}},
		{"backwards, limit", streams.ReadStream{From: streams.End, Backwards: true, Limit: 3}, []domain.Revision{9, 8, 7}},
		{"backwards from the start", streams.ReadStream{Backwards: true}, []domain.Revision{0}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := revisionsOf(mustRead(t, s, stream, test.read)); !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
	t.Run("missing", func(t *testing.T) {
		for _, r := range []streams.ReadStream{{}, {From: streams.End, Backwards: true}} {
			if _, err := read(t, s, newStream("read"), r); !errors.Is(err, streams.ErrStreamNotFound) {
				t.Errorf("got %v", err)
			}
		}
	})
	t.Run("stopping early", func(t *testing.T) {
		n := 0
		for _, err := range s.ReadStream(background(t), stream, streams.ReadStream{}) {
			if err != nil {
				t.Fatal(err)
			}
			if n++; n == 3 {
				break
			}
		}
	})
}

func testReadAll(t *testing.T, f Factory) {
	s := f.Open(t)
	start := mustHead(t, s)
	a, b := newStream("walka"), newStream("walkb")
	var want []domain.Position
	for i := range 10 {
		stream := a
		if i%2 == 1 {
			stream = b
		}
		want = append(want, mustAppend(t, s, stream, streams.Any, event("made", i)).Position)
	}
	ours := &streams.Filter{Categories: []string{"walka", "walkb"}}
	reversed := slices.Clone(want)
	slices.Reverse(reversed)
	for _, test := range []struct {
		name string
		read streams.ReadAll
		want []domain.Position
	}{
		{"after the start", streams.ReadAll{After: start, Filter: ours}, want},
		{"after an event", streams.ReadAll{After: want[3], Filter: ours}, want[4:]},
		{"limit", streams.ReadAll{After: want[3], Limit: 2, Filter: ours}, want[4:6]},
		{"from the first", streams.ReadAll{From: want[0], Filter: ours}, want},
		{"from an event", streams.ReadAll{From: want[3], Filter: ours}, want[3:]},
		{"one event", streams.ReadAll{From: want[3], Limit: 1, Filter: ours}, want[3:4]},
		{"from an event that does not match", streams.ReadAll{From: want[3], Filter: &streams.Filter{Categories: []string{"walka"}}}, every(want[4:], 2)},
		{"from the last", streams.ReadAll{From: want[9], Filter: ours}, want[9:]},
		{"from the last, limit", streams.ReadAll{From: want[9], Limit: 5, Filter: ours}, want[9:]},
		{"after the end", streams.ReadAll{After: want[9], Filter: ours}, nil},
		{"backwards from the end", streams.ReadAll{Backwards: true, Limit: 10, Filter: ours}, reversed},
		{"backwards before an event", streams.ReadAll{After: want[4], Backwards: true, Limit: 4, Filter: ours}, reversed[6:]},
		{"backwards, limit", streams.ReadAll{After: want[4], Backwards: true, Limit: 2, Filter: ours}, reversed[6:8]},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []domain.Position
			for _, e := range mustReadAll(t, s, test.read) {
				got = append(got, e.Position)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
	t.Run("as of the call", func(t *testing.T) {
		n := 0
		for e, err := range s.ReadAll(background(t), streams.ReadAll{After: start, Filter: ours}) {
			if err != nil {
				t.Fatal(err)
			}
			n++
			mustAppend(t, s, e.Stream, streams.Any, event("while reading", n))
			if n > 10 {
				t.Fatal("the read never ends")
			}
		}
	})
}

// every is the first of a list and each n-th that follows.
func every(list []domain.Position, n int) (out []domain.Position) {
	for i := 0; i < len(list); i += n {
		out = append(out, list[i])
	}
	return out
}

func testFilters(t *testing.T, f Factory) {
	s := f.Open(t)
	start := mustHead(t, s)
	one, two := newStream("filterone"), newStream("filtertwo")
	types := []string{"a.made.v1", "a.changed.v1", "b.made.v1"}
	for i := range 12 {
		stream, e := one, event(types[i%3], i)
		if i%2 == 1 {
			stream = two
		}
		if i%4 == 0 {
			e.Workspace = "ws_other"
		}
		mustAppend(t, s, stream, streams.Any, e)
	}
	all := mustReadAll(t, s, streams.ReadAll{After: start, Filter: &streams.Filter{Categories: []string{"filterone", "filtertwo"}}})
	if len(all) != 12 {
		t.Fatalf("the log shows %d events, want 12", len(all))
	}
	for name, filter := range map[string]streams.Filter{
		"category":               {Categories: []string{"filterone"}},
		"type":                   {Types: []string{"a.made.v1"}},
		"types":                  {Types: []string{"a.made.v1", "b.made.v1"}},
		"prefix":                 {TypePrefixes: []string{"a."}},
		"type or prefix":         {Types: []string{"b.made.v1"}, TypePrefixes: []string{"a.ch"}},
		"workspace":              {Workspace: "ws_other"},
		"category and type":      {Categories: []string{"filtertwo"}, TypePrefixes: []string{"a."}},
		"all three":              {Categories: []string{"filterone"}, Types: types, Workspace: "ws_other"},
		"unknown category":       {Categories: []string{"filter"}},
		"category is not a name": {Categories: []string{string(one)}},
		"unknown workspace":      {Workspace: "ws_none"},
	} {
		t.Run(name, func(t *testing.T) {
			var want, got, back []domain.Position
			for i := range all {
				if filter.Matches(&all[i]) {
					want = append(want, all[i].Position)
				}
			}
			keep := func(list []streams.Recorded) (out []domain.Position) {
				for _, e := range list { // of other tests in a shared store
					if e.Stream == one || e.Stream == two {
						out = append(out, e.Position)
					}
				}
				return out
			}
			got = keep(mustReadAll(t, s, streams.ReadAll{After: start, Filter: &filter}))
			if !slices.Equal(got, want) {
				t.Errorf("forwards: got %v, want %v", got, want)
			}
			back = keep(mustReadAll(t, s, streams.ReadAll{Backwards: true, Filter: &filter}))
			slices.Reverse(back)
			if !slices.Equal(back, want) {
				t.Errorf("backwards: got %v, want %v", back, want)
			}
		})
	}
}

// testContents writes payloads of many shapes and reads them back by both ways.
func testContents(t *testing.T, f Factory) {
	s := f.Open(t)
	stream := newStream("content")
	start := mustHead(t, s)
	var list []streams.Proposed
	for i, size := range []int{2, 100, 5_000, 70_000, 300_000} {
		e := event("made", i)
		e.Data = append(append([]byte(`"`), bytes.Repeat([]byte("é\x00"[:2]), size/2)...), '"')
		e.Meta = nil
		if i%2 == 0 {
			e.Meta = []byte(`{"with":"metadata"}`)
			e.Workspace = ""
		}
		list = append(list, e)
	}
	before := time.Now().Add(-time.Minute)
	mustAppend(t, s, stream, streams.NoStream, list...)
	byLog := mustReadAll(t, s, streams.ReadAll{After: start, Filter: &streams.Filter{Categories: []string{"content"}}})
	for _, got := range [][]streams.Recorded{mustRead(t, s, stream, streams.ReadStream{}), byLog} {
		if len(got) != len(list) {
			t.Fatalf("got %d events, want %d", len(got), len(list))
		}
		for i := range list {
			w, g := &list[i], &got[i]
			if g.ID != w.ID || g.Type != w.Type || g.Workspace != w.Workspace || g.Stream != stream ||
				!bytes.Equal(g.Data, w.Data) || !bytes.Equal(g.Meta, w.Meta) {
				t.Errorf("event %d came back different", i)
			}
			if g.At.Location() != time.UTC || g.At.Before(before) || g.At.Truncate(time.Microsecond) != g.At {
				t.Errorf("event %d was recorded at %v", i, g.At)
			}
		}
	}
}
