package eslog_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"strata/domain"
	"strata/internal/eventstore/eslog"
	"strata/streams"
	"strata/streams/embedded"
)

// A log that Strata used by itself is served as it is, and the other way round.
func TestStrataAndServedLogsAreOne(t *testing.T) {
	dir := t.TempDir()
	raw, err := embedded.Open(dir, embedded.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	l, ctx := eslog.New(raw), background(t)
	event := func(data, meta string) streams.Proposed {
		return streams.Proposed{ID: uuid.New(), Type: "made", Workspace: "ws_1", Data: []byte(data), Meta: []byte(meta)}
	}
	if _, err := raw.Append(ctx, "mine-1", streams.NoStream, event(`{"a":1}`, `{"workspace":"ws_1"}`), event("\x01sealed", `{}`)); err != nil {
		t.Fatal(err)
	}
	var got []eslog.Record
	for r, err := range l.ReadStream(ctx, "mine-1", eslog.ReadStream{}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, r)
	}
	if len(got) != 2 || got[0].ContentType != eslog.ContentJSON || got[1].ContentType != eslog.ContentBinary || string(got[0].Metadata) != `{"workspace":"ws_1"}` {
		t.Errorf("got %+v", got)
	}
	// What the log deleted by itself is deleted for clients, and comes back.
	if _, err := raw.Delete(ctx, "mine-1", streams.Any); err != nil {
		t.Fatal(err)
	}
	if _, err := revisions(t, l, "mine-1", eslog.ReadStream{}); !errors.Is(err, streams.ErrStreamNotFound) {
		t.Errorf("a deleted stream: %v", err)
	}
	if data := metadataOf(t, l, "mine-1"); data != `{"$tb":9223372036854775807}` {
		t.Errorf("metadata of a deleted stream is %s", data)
	}
	if r, err := l.Append(ctx, "mine-1", streams.NoStream, ids{}.events("a")); err != nil || r.Last != 2 {
		t.Errorf("answered %+v, %v", r, err)
	}
	// And what clients deleted is deleted for the log, which may go on by itself.
	if _, err := l.Delete(ctx, "mine-1", streams.Any); err != nil {
		t.Fatal(err)
	}
	if rev, err := raw.StreamRevision(ctx, "mine-1"); err != nil || rev != domain.NoRevision {
		t.Errorf("the log sees revision %d, %v", rev, err)
	}
	if r, err := raw.Append(ctx, "mine-1", streams.NoStream, event(`{}`, `{}`)); err != nil || r.Revision != 3 {
		t.Errorf("answered %+v, %v", r, err)
	}
	if got, err := revisions(t, l, "mine-1", eslog.ReadStream{}); err != nil || !reflect.DeepEqual(got, []domain.Revision{3}) {
		t.Errorf("the stream shows %v, %v", got, err)
	}
	if data := metadataOf(t, l, "mine-1"); data != `{"$tb":3}` { // else whoever sets it again deletes the stream
		t.Errorf("metadata of a stream that went on is %s", data)
	}
	// Strata finds its events by workspace when they came over the protocol.
	e := eslog.Event{ID: uuid.New(), Type: "made", ContentType: eslog.ContentJSON, Metadata: []byte(`{"workspace":"ws_2"}`), Data: []byte(`{}`)}
	if _, err := l.Append(ctx, "mine-2", streams.NoStream, []eslog.Event{e}); err != nil {
		t.Fatal(err)
	}
	n := 0
	for r, err := range raw.ReadAll(ctx, streams.ReadAll{Filter: &streams.Filter{Workspace: "ws_2"}}) {
		if n++; err != nil || string(r.Meta) != `{"workspace":"ws_2"}` {
			t.Errorf("%+v, %v", r, err)
		}
	}
	if n != 1 {
		t.Errorf("%d events of the workspace", n)
	}
	if err := raw.Close(); err != nil {
		t.Fatal(err)
	}
	if report, err := embedded.Verify(dir); err != nil || report.Damaged() {
		t.Errorf("verify: %+v, %v", report, err)
	}
}

func metadataOf(t *testing.T, l *eslog.Log, stream domain.StreamID) string {
	t.Helper()
	for r, err := range l.ReadStream(background(t), eslog.MetadataStream(stream), eslog.ReadStream{}) {
		if err != nil {
			t.Fatal(err)
		}
		return string(r.Data)
	}
	return ""
}

// A stream that comes back keeps everything of its metadata but the mark.
func TestRevivalKeepsMetadata(t *testing.T) {
	l, known := open(t), ids{}
	ctx := background(t)
	if _, err := l.Append(ctx, "back-1", streams.NoStream, known.events("ab")); err != nil {
		t.Fatal(err)
	}
	set := func(data string) {
		t.Helper()
		e := eslog.Event{ID: uuid.New(), Type: streams.TypeMetadata, ContentType: eslog.ContentJSON, Data: []byte(data)}
		if _, err := l.Append(ctx, "$$back-1", streams.Any, []eslog.Event{e}); err != nil {
			t.Fatal(err)
		}
	}
	set(`{"$tb":9223372036854775807,"$maxCount":5,"$maxAge":3600,"$acl":{"$r":["a"]},"$cacheControl":3,"own":{"x":[1]}}`)
	if _, err := revisions(t, l, "back-1", eslog.ReadStream{}); !errors.Is(err, streams.ErrStreamNotFound) {
		t.Errorf("deleted by metadata: %v", err)
	}
	if _, err := l.Append(ctx, "back-1", streams.Any, known.events("c")); err != nil {
		t.Fatal(err)
	}
	var got, want any
	if err := json.Unmarshal([]byte(metadataOf(t, l, "back-1")), &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(`{"$tb":2,"$maxCount":5,"$maxAge":3600,"$acl":{"$r":["a"]},"$cacheControl":3,"own":{"x":[1]}}`), &want); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("metadata is %v, want %v", got, want)
	}
	set(`{}`) // as in EventStoreDB: without $tb, what was deleted shows again until it is scavenged
	if got, err := revisions(t, l, "back-1", eslog.ReadStream{}); err != nil || len(got) != 3 {
		t.Errorf("the stream shows %v, %v", got, err)
	}
}

// A deletion is one write, which keeps the rest of the metadata: nobody has to set
// it again and can die before.
func TestDeletionKeepsMetadata(t *testing.T) {
	l, known := open(t), ids{}
	ctx := background(t)
	if _, err := l.Append(ctx, "kept-1", streams.NoStream, known.events("ab")); err != nil {
		t.Fatal(err)
	}
	const rest = `"$maxCount":5,"$maxAge":3600,"$acl":{"$r":["a"]},"$cacheControl":3,"own":{"x":[1]}}`
	e := eslog.Event{ID: uuid.New(), Type: streams.TypeMetadata, ContentType: eslog.ContentJSON, Data: []byte(`{"$tb":1,` + rest)}
	if _, err := l.Append(ctx, "$$kept-1", streams.NoStream, []eslog.Event{e}); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		do   func() error
		want string
	}{
		{func() error { _, err := l.Delete(ctx, "kept-1", streams.At(1)); return err }, `{"$tb":9223372036854775807,` + rest},
		{func() error { _, err := l.Append(ctx, "kept-1", streams.NoStream, known.events("c")); return err }, `{"$tb":2,` + rest},
		{func() error { _, err := l.Delete(ctx, "kept-1", streams.Any); return err }, `{"$tb":9223372036854775807,` + rest},
	} {
		if err := test.do(); err != nil {
			t.Fatal(err)
		}
		var got, want any
		if err := json.Unmarshal([]byte(metadataOf(t, l, "kept-1")), &got); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(test.want), &want); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("metadata is %v, want %v", got, want)
		}
	}
	if _, err := revisions(t, l, "kept-1", eslog.ReadStream{}); !errors.Is(err, streams.ErrStreamNotFound) {
		t.Errorf("the deleted stream: %v", err)
	}
}

// Whatever is appended is read as it was.
func TestEventsComeBack(t *testing.T) {
	l := open(t)
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		stream := domain.StreamID(fmt.Sprintf("same-%d", n))
		e := eslog.Event{
			ID: uuid.New(), Type: "t",
			ContentType: rapid.SampledFrom([]string{eslog.ContentJSON, eslog.ContentBinary, "text/plain"}).Draw(rt, "content type"),
			Metadata:    rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(rt, "metadata"),
			Data:        rapid.OneOf(rapid.SliceOfN(rapid.Byte(), 0, 20), rapid.Just([]byte(`{"a":1}`)), rapid.Just([]byte(nil))).Draw(rt, "data"),
		}
		if rapid.Bool().Draw(rt, "marked") {
			e.Metadata = append([]byte{0}, e.Metadata...)
		}
		if _, err := l.Append(background(t), stream, streams.NoStream, []eslog.Event{e}); err != nil {
			rt.Fatal(err)
		}
		for r, err := range l.ReadStream(background(t), stream, eslog.ReadStream{}) {
			if err != nil || r.ID != e.ID || r.Type != e.Type || r.ContentType != e.ContentType || string(r.Metadata) != string(e.Metadata) || string(r.Data) != string(e.Data) {
				rt.Fatalf("wrote %+v, read %+v, %v", e, r, err)
			}
		}
	})
}

// The log's own filter, which goes before, never takes away what the filter wants.
func TestFilterFindsEverything(t *testing.T) {
	l := open(t)
	ctx := background(t)
	for i, name := range []string{"order-1", "order-2", "orders-1", "ord", "order", "$sys-1", "-", "a-b-c"} {
		e := eslog.Event{ID: uuid.New(), Type: []string{"placed", "paid", "$x"}[i%3], ContentType: eslog.ContentJSON, Data: []byte("{}")}
		stream := domain.StreamID(name)
		if _, err := l.Append(ctx, stream, streams.Any, []eslog.Event{e}); err != nil {
			t.Fatal(err)
		}
		m := eslog.Event{ID: uuid.New(), Type: streams.TypeMetadata, ContentType: eslog.ContentJSON, Data: []byte("{}")}
		if _, err := l.Append(ctx, eslog.MetadataStream(stream), streams.Any, []eslog.Event{m}); err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			if _, err := l.Tombstone(ctx, stream, streams.Any); err != nil {
				t.Fatal(err)
			}
		}
	}
	read := func(f *eslog.Filter) (out []eslog.Record) {
		for r, err := range l.ReadAll(ctx, eslog.ReadAll{Filter: f}) {
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, r)
		}
		return out
	}
	all := read(nil)
	if len(all) != 20 {
		t.Fatalf("%d events", len(all))
	}
	names := []string{"", "o", "order", "order-", "order-1", "$", "$$", "$$order-", "$$$sys-1", "-", "a-b", "p", "pa", "placed", "$m", "$s", "z-"}
	rapid.Check(t, func(rt *rapid.T) {
		prefixes := rapid.SliceOfN(rapid.SampledFrom(names), 1, 3).Draw(rt, "prefixes")
		byType := rapid.Bool().Draw(rt, "by type")
		expression := ""
		if rapid.Bool().Draw(rt, "regex") {
			quoted := make([]string, len(prefixes))
			for i, p := range prefixes {
				quoted[i] = "^" + strings.NewReplacer("$", `\$`).Replace(p)
			}
			expression = strings.Join(quoted, "|")
		}
		f, err := eslog.NewFilter(byType, expression, prefixes)
		if err != nil {
			rt.Fatal(err)
		}
		var want []domain.Position
		for _, r := range all {
			name := string(r.Stream)
			if byType {
				name = r.Type
			}
			for _, p := range prefixes {
				if strings.HasPrefix(name, p) {
					want = append(want, r.Position)
					break
				}
			}
		}
		var got []domain.Position
		for _, r := range read(f) {
			got = append(got, r.Position)
		}
		if !reflect.DeepEqual(got, want) {
			rt.Fatalf("%v by type %t, expression %q: got %v, want %v", prefixes, byType, expression, got, want)
		}
	})
}

func TestSubscribersOfAllDoNotHearThemselves(t *testing.T) {
	l := open(t)
	ctx := background(t)
	for _, s := range []domain.StreamID{"$persistentsubscription-$all::g-checkpoint", "$persistentsubscription-$all::g-parked", "$persistentsubscription-x::g-parked"} {
		if _, err := l.Append(ctx, s, streams.Any, ids{}.events("a")); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for _, err := range l.ReadAll(ctx, eslog.ReadAll{}) {
		if n++; err != nil {
			t.Fatal(err)
		}
	}
	if n != 1 {
		t.Errorf("%d events, want 1", n)
	}
}

func TestTargets(t *testing.T) {
	for data, want := range map[string]string{
		"0@a": "0 a true", "12@a@b": "12 a@b true", "@a": " 0 false", "1@": " 0 false", "1": " 0 false", "-1@a": " 0 false",
		"x@a": " 0 false", "99999999999999999999@a": " 0 false", "9223372036854775807@a": "9223372036854775807 a true", "": " 0 false",
	} {
		r := eslog.Record{Event: eslog.Event{Type: eslog.LinkType, Data: []byte(data)}}
		s, rev, ok := r.Target()
		got := fmt.Sprintf("%d %s %t", rev, s, ok)
		if !ok {
			got = " 0 false"
		}
		if got != want {
			t.Errorf("%q: %s, want %s", data, got, want)
		}
	}
	r := eslog.Record{Event: eslog.Event{Type: "other", Data: []byte("0@a")}}
	if _, _, ok := r.Target(); ok {
		t.Error("an event that is no link has a target")
	}
}

func FuzzFilter(f *testing.F) {
	f.Add(true, "^a", "b", "abc")
	f.Add(false, "", "order-", "order-1")
	f.Add(false, "(", "", "")
	f.Fuzz(func(t *testing.T, byType bool, expression, prefix, name string) {
		filter, err := eslog.NewFilter(byType, expression, []string{prefix})
		if err != nil {
			return
		}
		r := eslog.Record{Stream: domain.StreamID(name), Event: eslog.Event{Type: name}}
		if got := filter.Matches(&r); expression == "" && got != strings.HasPrefix(name, prefix) {
			t.Errorf("prefix %q of %q: %t", prefix, name, got)
		}
	})
}

// Metadata that is taken can be kept, and reads as it was written.
func FuzzMetadata(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"$maxCount":1,"$tb":9223372036854775807}`, `{"$acl":{"$r":"a"}}`, `{"$acl":"$userStreamAcl"}`, `null`, `[]`, `{"$maxAge":1.5}`,
		`{"$tb":9223372036854775808}`, `{"$TB":1}`, `{"$deletedBefore":null}`, `{"$DELETEDBEFORE":3}`, `{"a":9223372036854775807}`,
	} {
		f.Add([]byte(s))
	}
	l := open(f)
	ctx := background(f)
	n := 0
	f.Fuzz(func(t *testing.T, data []byte) {
		n++
		stream := domain.StreamID(fmt.Sprintf("fuzz-%d", n))
		if _, err := l.Append(ctx, stream, streams.NoStream, ids{}.events("ab")); err != nil {
			t.Fatal(err)
		}
		e := eslog.Event{ID: uuid.New(), Type: streams.TypeMetadata, ContentType: eslog.ContentJSON, Data: data}
		if _, err := l.Append(ctx, eslog.MetadataStream(stream), streams.Any, []eslog.Event{e}); err != nil {
			if !errors.Is(err, streams.ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		var want, got any
		if json.Unmarshal(data, &want) != nil || json.Unmarshal([]byte(metadataOf(t, l, stream)), &got) != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("wrote %s, read %s", data, metadataOf(t, l, stream))
		}
		if _, err := revisions(t, l, stream, eslog.ReadStream{}); err != nil && !errors.Is(err, streams.ErrStreamNotFound) {
			t.Errorf("metadata %s: read %v", data, err)
		}
		if r, err := l.Append(ctx, stream, streams.Any, ids{}.events("c")); err != nil || r.Last != 2 {
			t.Errorf("metadata %s: append %+v, %v", data, r, err)
		}
	})
}
