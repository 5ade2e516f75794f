package history_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"strata/domain"
	"strata/domain/session"
	"strata/projections/history"
	"strata/projections/projectionstest"
	"strata/projections/sessions"
	"strata/streams"
	"strata/streams/embedded"
)

// BenchmarkLongStream looks at the end and at the beginning of a session of
// 100,000 events in a log on disk.
func BenchmarkLongStream(b *testing.B) {
	const n = 100_000
	store, err := embedded.Open(b.TempDir(), embedded.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	codec, err := streams.NewCodec(session.FactTypes(), nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	batch := make([]streams.Proposed, 0, 1000)
	for i := range n {
		var f domain.Fact = session.Created{AppName: "a"}
		if i > 0 {
			f = session.EventAdded{ID: fmt.Sprint("sev_", i), Sequence: int64(i), Author: "user", Type: session.Message,
				Content: json.RawMessage(`{"text":"What are your business hours on a public holiday?"}`), StateDelta: domain.Doc{"step": fmt.Append(nil, i)}}
		}
		p, err := codec.Encode(domain.NewEventID(), f, projectionstest.Meta("ws_1", i))
		if err != nil {
			b.Fatal(err)
		}
		if batch = append(batch, p); len(batch) == cap(batch) {
			if _, err := store.Append(b.Context(), "session-ses_1", streams.Any, batch...); err != nil {
				b.Fatal(err)
			}
			batch = batch[:0]
		}
	}
	r := history.NewReader(store, codec, time.Now)
	s := history.Subject[sessions.Past]{Aggregate: sessions.PastAggregate(100), Key: "ses_1"}
	for name, at := range map[string]domain.Revision{"first": 0, "last": n - 1} {
		b.Run("at/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := history.At(b.Context(), r, s, "at", history.Point{Revision: at}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
