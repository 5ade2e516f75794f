package lease

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"strata/domain"
	"strata/streams"
)

// Category is the stream category of leases.
const Category = "lease"

// Types of the records in a lease's stream.
const (
	typeAcquired = "lease.acquired.v1"
	typeRenewed  = "lease.renewed.v1"
	typeReleased = "lease.released.v1"
)

// keptRecords of a stream stay readable: one is needed, the others are for people
// who wonder who held it.
const keptRecords = 10

// record is the data of every event in a lease's stream.
type record struct {
	Holder string          `json:"holder"`
	TTL    int64           `json:"ttl_ms"`
	State  json.RawMessage `json:"state,omitempty"`
}

// entry is the last record of a lease's stream.
type entry struct {
	record
	id       uuid.UUID
	revision domain.Revision // NoRevision when there is none
	released bool
}

// patience is how long a challenger waits after it has first seen a record.
func (e *entry) patience() time.Duration {
	ttl := time.Duration(e.TTL) * time.Millisecond
	return ttl + ttl/8
}

// propose makes the event of a record.
func propose(eventType string, r record) (streams.Proposed, error) {
	data, err := json.Marshal(r)
	if err != nil {
		return streams.Proposed{}, fmt.Errorf("lease: encode %s: %w", eventType, err)
	}
	return streams.Proposed{ID: domain.NewEventID(), Type: eventType, Data: data, Meta: []byte("{}")}, nil
}

// last reads the last record of a lease's stream.
func last(ctx context.Context, store streams.Store, stream domain.StreamID) (entry, error) {
	for r, err := range store.ReadStream(ctx, stream, streams.ReadStream{From: streams.End, Backwards: true, Limit: 1}) {
		if errors.Is(err, streams.ErrStreamNotFound) {
			break
		}
		if err != nil {
			return entry{}, fmt.Errorf("lease: read %s: %w", stream, err)
		}
		e := entry{id: r.ID, revision: r.Revision, released: r.Type == typeReleased}
		if err := json.Unmarshal(r.Data, &e.record); err != nil {
			return entry{}, fmt.Errorf("lease: revision %d of %s: %w", r.Revision, stream, err)
		}
		return e, nil
	}
	return entry{revision: domain.NoRevision, released: true}, nil
}
