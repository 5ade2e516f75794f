// Package fold helps read models of aggregates to write each row once per
// batch, however many events of the batch are about it: writing a row with its
// indexes is what a rebuild spends its time on.
package fold

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"strata/domain"
)

// Streams folds a batch of events stream by stream: load is called with the
// first event of a stream, apply with each of its events in order, and store
// once at the end, in the order in which streams first occur.
func Streams[R any](events []domain.Event, load func(e domain.Event) (R, error), apply func(r R, e domain.Event) error, store func(r R) error) error {
	rows := make(map[domain.StreamID]R)
	order := make([]domain.StreamID, 0, len(events))
	for _, e := range events {
		r, ok := rows[e.Stream]
		if !ok {
			var err error
			if r, err = load(e); err != nil {
				return fmt.Errorf("%s: %w", e.Stream, err)
			}
			rows[e.Stream] = r
			order = append(order, e.Stream)
		}
		if err := apply(r, e); err != nil {
			return fmt.Errorf("%s: event %d (%s): %w", e.Stream, e.Position, e.Fact.EventType(), err)
		}
	}
	for _, stream := range order {
		if err := store(rows[stream]); err != nil {
			return fmt.Errorf("%s: %w", stream, err)
		}
	}
	return nil
}

// Micros writes a time as Unix microseconds, the zero time as 0.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// Time reads what Micros wrote.
func Time(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

// JSON writes a document for a text column: "" for none, which a null column
// would only make harder to read.
func JSON(d domain.Doc) (string, error) {
	if d == nil {
		return "", nil
	}
	b, err := json.Marshal(d)
	return string(b), err
}

// Doc scans a column that JSON wrote.
type Doc struct{ Into *domain.Doc }

var _ sql.Scanner = Doc{}

// Scan implements sql.Scanner.
func (d Doc) Scan(value any) error {
	var text []byte
	switch v := value.(type) {
	case string:
		text = []byte(v)
	case []byte:
		text = v
	default:
		return fmt.Errorf("a document is stored as %T, not as text", value)
	}
	if len(text) == 0 {
		*d.Into = nil
		return nil
	}
	return json.Unmarshal(text, d.Into)
}

// At scans a column that Micros wrote.
type At struct{ Into *time.Time }

var _ sql.Scanner = At{}

// Scan implements sql.Scanner.
func (a At) Scan(value any) error {
	micros, ok := value.(int64)
	if !ok {
		return fmt.Errorf("a time is stored as %T, not as an integer", value)
	}
	*a.Into = Time(micros)
	return nil
}
