package archive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"

	"strata/domain"
	"strata/streams"
)

// RecordedAtKey is the key in an event's metadata under which the time of its
// first recording is kept by a store that gives out times itself.
const RecordedAtKey = "recorded_at"

// appender loads through the port alone: the store gives out times, and numbers
// every stream from 0.
type appender struct {
	store streams.Store
	stats *Stats
	known map[domain.StreamID]control
}

// put appends runs of events of one stream at once, and does what system
// records say.
func (a *appender) put(ctx context.Context, batch []streams.Recorded) (head domain.Position, err error) {
	for len(batch) > 0 {
		if of, system := strings.CutPrefix(string(batch[0].Stream), "$$"); system {
			if err := a.control(ctx, domain.StreamID(of), &batch[0]); err != nil {
				return 0, err
			}
			batch = batch[1:]
			continue
		}
		n := 1
		for n < len(batch) && batch[n].Stream == batch[0].Stream {
			n++
		}
		if err := a.append(ctx, batch[:n]); err != nil {
			return 0, err
		}
		batch = batch[n:]
	}
	return a.store.Head(ctx)
}

func (a *appender) append(ctx context.Context, run []streams.Recorded) error {
	list := make([]streams.Proposed, len(run))
	for i := range run {
		list[i] = run[i].Proposed
		list[i].Meta = withTime(list[i].Meta, run[i].At)
	}
	done, err := a.store.Append(ctx, run[0].Stream, streams.Any, list...)
	if err != nil {
		return fmt.Errorf("stream %s: %w", run[0].Stream, err)
	}
	for i := range run {
		left := len(run) - 1 - i
		if run[i].Position != done.Position-domain.Position(left) {
			a.stats.Moved++
		}
		if run[i].Revision != done.Revision-domain.Revision(left) {
			a.stats.Renumbered++
		}
		a.stats.Retimed++
	}
	return nil
}

// withTime adds the time of recording to metadata that is a JSON object without
// one; other metadata stays as it is.
func withTime(meta []byte, at time.Time) []byte {
	var fields map[string]json.RawMessage
	if len(bytes.TrimSpace(meta)) == 0 {
		meta = []byte("{}")
	}
	if err := json.Unmarshal(meta, &fields); err != nil || fields == nil || fields[RecordedAtKey] != nil {
		return meta
	}
	rest := bytes.TrimSpace(bytes.TrimPrefix(bytes.TrimSpace(meta), []byte("{")))
	out := fmt.Appendf(nil, "{%q:%q", RecordedAtKey, at.Format(time.RFC3339Nano))
	if len(fields) > 0 {
		out = append(out, ',')
	}
	return append(out, rest...)
}

// control is what a system record says of its stream.
type control struct {
	meta          streams.Meta
	deletedBefore domain.Revision
}

// control does what a system record says, by comparing it with the one before.
func (a *appender) control(ctx context.Context, stream domain.StreamID, e *streams.Recorded) error {
	if e.Type == streams.TypeTombstone {
		_, err := a.store.Tombstone(ctx, stream, streams.Any)
		return err
	}
	now, err := parseControl(e.Data)
	if err != nil {
		return fmt.Errorf("metadata of %s: %w", stream, err)
	}
	before := a.known[stream]
	a.known[stream] = now
	if !reflect.DeepEqual(now.meta, before.meta) || now.deletedBefore == before.deletedBefore {
		if err := a.store.SetStreamMeta(ctx, stream, now.meta); err != nil {
			return err
		}
	}
	if now.deletedBefore == before.deletedBefore {
		return nil
	}
	_, err = a.store.Delete(ctx, stream, streams.Any)
	if errors.Is(err, streams.ErrStreamNotFound) { // what was deleted is not in the dump
		return nil
	}
	return err
}

// parseControl reads the data of a metadata record: the keys are those of
// EventStoreDB, where a soft delete truncates before the largest number, and
// one of our own.
func parseControl(data []byte) (c control, err error) {
	var known struct {
		MaxCount       int64           `json:"$maxCount"`
		MaxAge         float64         `json:"$maxAge"` // seconds
		TruncateBefore int64           `json:"$tb"`
		DeletedBefore  domain.Revision `json:"$deletedBefore"`
	}
	if err := json.Unmarshal(data, &known); err != nil {
		return c, err
	}
	if err := json.Unmarshal(data, &c.meta.Custom); err != nil {
		return c, err
	}
	for k := range c.meta.Custom {
		if strings.HasPrefix(k, "$") {
			delete(c.meta.Custom, k)
		}
	}
	if len(c.meta.Custom) == 0 {
		c.meta.Custom = nil
	}
	c.meta.MaxCount, c.meta.MaxAge = known.MaxCount, time.Duration(math.Round(known.MaxAge*float64(time.Second)))
	c.deletedBefore = known.DeletedBefore
	if known.TruncateBefore == math.MaxInt64 {
		c.deletedBefore = math.MaxInt64
	} else {
		c.meta.TruncateBefore = domain.Revision(known.TruncateBefore)
	}
	return c, nil
}
