package eventstoredb

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

// The server's own members of stream metadata.
const (
	keyMaxCount       = "$maxCount"
	keyMaxAge         = "$maxAge" // seconds
	keyTruncateBefore = "$tb"
	// deletedMark in $tb says that the stream is deleted.
	deletedMark = math.MaxInt64
	// keyCut is ours; see cut.
	keyCut = "strata.cut"
)

// cut tells the two meanings of $tb apart. A deletion writes there what it hid,
// and hiding it must not end when an application sets its own.
type cut struct {
	Asked   int64           `json:"asked"`   // what the application set
	Deleted int64           `json:"deleted"` // what a deletion hid; all when the stream is deleted
	At      domain.Revision `json:"at"`      // of the metadata that says so: what the server wrote later is a deletion's
}

// all in a cut stands for deletedMark, which is more than JSON numbers hold in
// the hands of those who take them for floating point.
const all = -1

// streamMetadata is the metadata of a stream as the server has it.
type streamMetadata struct {
	revision domain.Revision // of the metadata stream; NoRevision without any
	members  map[string]json.RawMessage
	tb       int64
	cut      *cut
}

// asked is what the application wants to be hidden.
func (m *streamMetadata) asked() int64 {
	switch {
	case m.cut != nil:
		return m.cut.Asked
	case m.tb == deletedMark:
		return 0
	}
	return m.tb
}

// deleted is what a deletion has hidden, or the mark of a stream that is deleted.
func (m *streamMetadata) deleted() int64 {
	if m.cut != nil && m.cut.At == m.revision && m.cut.Deleted != all {
		return m.cut.Deleted
	}
	return m.tb
}

// StreamMeta reads a stream's metadata.
func (s *Store) StreamMeta(ctx context.Context, stream domain.StreamID) (streams.Meta, error) {
	m, err := s.metadataOf(ctx, stream)
	if err != nil {
		return streams.Meta{}, err
	}
	out := streams.Meta{TruncateBefore: domain.Revision(m.asked())}
	if out.MaxCount, err = member[int64](m, keyMaxCount); err != nil {
		return out, err
	}
	age, err := member[float64](m, keyMaxAge)
	if err != nil {
		return out, err
	}
	out.MaxAge = time.Duration(math.Round(age * float64(time.Second)))
	for k, v := range m.members {
		if strings.HasPrefix(k, "$") || k == keyCut {
			continue
		}
		var value any
		if err := json.Unmarshal(v, &value); err != nil {
			return out, fmt.Errorf("metadata of %s: %w", stream, err)
		}
		if out.Custom == nil {
			out.Custom = map[string]any{}
		}
		out.Custom[k] = value
	}
	return out, nil
}

// member reads one member of metadata; the zero value when it is not there.
func member[T any](m *streamMetadata, key string) (v T, err error) {
	raw, ok := m.members[key]
	if !ok {
		return v, nil
	}
	if err = json.Unmarshal(raw, &v); err != nil {
		err = fmt.Errorf("stream metadata %s: %w", key, err)
	}
	return v, err
}

// metadataOf reads the last metadata of a stream that a caller named.
func (s *Store) metadataOf(ctx context.Context, stream domain.StreamID) (*streamMetadata, error) {
	if err := checkStream(stream); err != nil {
		return nil, err
	}
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	m, err := s.metadata(ctx, stream)
	if err != nil {
		return nil, s.readFailed(ctx, err)
	}
	return m, nil
}

// metadata reads the last metadata of a stream.
func (s *Store) metadata(ctx context.Context, stream domain.StreamID) (*streamMetadata, error) {
	c := s.scanStream("$$"+stream, streams.ReadStream{From: streams.End, Backwards: true, Limit: 1})
	defer c.close()
	m := &streamMetadata{revision: domain.NoRevision}
	events, err := c.fill(ctx, 1)
	if errors.Is(err, streams.ErrStreamNotFound) {
		return m, nil
	}
	if err != nil || len(events) == 0 {
		return m, err
	}
	m.revision = events[0].Revision
	if len(events[0].Data) > 0 {
		if err := json.Unmarshal(events[0].Data, &m.members); err != nil {
			return nil, fmt.Errorf("metadata of %s: %w", stream, err)
		}
	}
	if m.tb, err = member[int64](m, keyTruncateBefore); err != nil {
		return nil, err
	}
	m.cut, err = member[*cut](m, keyCut)
	return m, err
}

// SetStreamMeta replaces a stream's metadata. What the server itself, or its
// other users, keep there (access rights, cache control) stays.
func (s *Store) SetStreamMeta(ctx context.Context, stream domain.StreamID, meta streams.Meta) error {
	if err := checkStream(stream); err != nil {
		return err
	}
	if err := checkMeta(meta); err != nil {
		return err
	}
	return s.changeMetadata(ctx, stream, func(now *streamMetadata) ([]byte, error) { return now.replaced(meta) })
}

// changeMetadata puts metadata in the place of what there is.
func (s *Store) changeMetadata(ctx context.Context, stream domain.StreamID, change func(now *streamMetadata) ([]byte, error)) error {
	for try := 0; ; try++ {
		now, err := s.metadataOf(ctx, stream)
		if err != nil {
			return err
		}
		data, err := change(now)
		if err != nil {
			return err
		}
		e := streams.Proposed{ID: domain.NewEventID(), Type: streams.TypeMetadata, Data: data}
		_, err = s.append(ctx, "$$"+stream, streams.At(now.revision), []streams.Proposed{e})
		if _, conflict := errors.AsType[*streams.WrongRevision](err); conflict && try < maxConflicts {
			continue
		}
		return err
	}
}

// maxConflicts bounds how often a change is decided again because somebody else
// changed the same.
const maxConflicts = 16

// replaced is the metadata that follows.
func (m *streamMetadata) replaced(meta streams.Meta) ([]byte, error) {
	out := make(map[string]any, len(m.members)+len(meta.Custom)+4)
	for k, v := range m.members {
		if strings.HasPrefix(k, "$") {
			out[k] = v
		}
	}
	for _, k := range []string{keyMaxCount, keyMaxAge} {
		delete(out, k)
	}
	for k, v := range meta.Custom {
		out[k] = v
	}
	if meta.MaxCount > 0 {
		out[keyMaxCount] = meta.MaxCount
	}
	if meta.MaxAge > 0 {
		out[keyMaxAge] = int64(math.Ceil(meta.MaxAge.Seconds()))
	}
	return encodeMetadata(out, cut{Asked: int64(meta.TruncateBefore), Deleted: m.deleted(), At: m.revision + 1})
}

// lasting tells whether metadata says more than what is hidden.
func (m *streamMetadata) lasting() bool {
	for k := range m.members {
		if k != keyTruncateBefore && k != keyCut {
			return true
		}
	}
	return false
}

// keeps tells whether metadata that was written later says everything that was
// said before, apart from what is deleted. Without a cut it does not: once the
// stream goes on, what was deleted would pass for what was asked.
func (m *streamMetadata) keeps(before *streamMetadata) bool {
	if m.revision <= before.revision || m.cut == nil || m.asked() != before.asked() {
		return false
	}
	for k, v := range before.members {
		if k != keyTruncateBefore && k != keyCut && !sameJSON(v, m.members[k]) {
			return false
		}
	}
	return true
}

// sameJSON compares values, whatever their form. A number that lost digits on the
// way is another.
func sameJSON(a, b json.RawMessage) bool {
	var values [2]any
	for i, raw := range []json.RawMessage{a, b} {
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		if d.Decode(&values[i]) != nil {
			return false
		}
	}
	return reflect.DeepEqual(values[0], values[1])
}

// deletedBy is metadata from before a deletion, together with what the deletion,
// or whatever followed it, has hidden.
func (m *streamMetadata) deletedBy(now *streamMetadata) ([]byte, error) {
	out := make(map[string]any, len(m.members)+2)
	for k, v := range m.members {
		out[k] = v
	}
	return encodeMetadata(out, cut{Asked: m.asked(), Deleted: now.deleted(), At: now.revision + 1})
}

func encodeMetadata(members map[string]any, c cut) ([]byte, error) {
	delete(members, keyTruncateBefore)
	delete(members, keyCut)
	tb := max(c.Asked, c.Deleted)
	if c.Deleted == deletedMark {
		c.Deleted = all
	}
	if tb > 0 {
		members[keyTruncateBefore], members[keyCut] = tb, c
	}
	data, err := json.Marshal(members)
	if err != nil {
		return nil, fmt.Errorf("%w: metadata: %w", streams.ErrInvalid, err)
	}
	return data, nil
}

func checkMeta(m streams.Meta) error {
	if m.MaxCount < 0 || m.MaxAge < 0 || m.TruncateBefore < 0 {
		return fmt.Errorf("%w: metadata must not be negative", streams.ErrInvalid)
	}
	for k := range m.Custom {
		if strings.HasPrefix(k, "$") || k == keyCut {
			return fmt.Errorf("%w: metadata key %q is reserved", streams.ErrInvalid, k)
		}
	}
	return nil
}
