package embedded

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"strata/domain"
	"strata/streams"
)

// control is what the log itself knows of a stream besides its events: the
// last record of its metadata stream.
type control struct {
	streams.Meta
	DeletedBefore domain.Revision // events below were deleted; a later append does not bring them back
	Tombstoned    bool
	// system are keys for others than the log ("$acl"): kept when the log
	// writes the metadata anew.
	system map[string]json.RawMessage
}

func isSystem(s domain.StreamID) bool { return streams.IsSystem(s) }

// metaStream names the metadata stream of a stream.
func metaStream(s domain.StreamID) domain.StreamID { return "$$" + s }

// Keys of metadata records; the first three are those of EventStoreDB.
const (
	keyMaxCount       = "$maxCount"
	keyMaxAge         = "$maxAge" // seconds
	keyTruncateBefore = "$tb"
	keyDeletedBefore  = "$deletedBefore"
)

// encode returns the type and data of the record that states c.
func (c *control) encode() (typ string, data []byte, err error) {
	fields := make(map[string]any, len(c.Custom)+len(c.system)+4)
	for k, v := range c.Custom {
		fields[k] = v
	}
	for k, v := range c.system {
		fields[k] = v
	}
	if c.MaxCount > 0 {
		fields[keyMaxCount] = c.MaxCount
	}
	if c.MaxAge > 0 {
		fields[keyMaxAge] = c.MaxAge.Seconds()
	}
	if c.TruncateBefore > 0 {
		fields[keyTruncateBefore] = c.TruncateBefore
	}
	if c.DeletedBefore > 0 {
		fields[keyDeletedBefore] = c.DeletedBefore
	}
	typ = streams.TypeMetadata
	if c.Tombstoned {
		typ = streams.TypeTombstone
	}
	data, err = json.Marshal(fields)
	return typ, data, err
}

// decodeControl reads a record of a metadata stream.
func decodeControl(typ string, data []byte) (*control, error) {
	c := &control{Tombstoned: typ == streams.TypeTombstone}
	var known struct {
		MaxCount       int64           `json:"$maxCount"`
		MaxAge         float64         `json:"$maxAge"`
		TruncateBefore domain.Revision `json:"$tb"`
		DeletedBefore  domain.Revision `json:"$deletedBefore"`
	}
	if err := json.Unmarshal(data, &known); err != nil {
		return nil, fmt.Errorf("decode stream metadata: %w", err)
	}
	c.MaxCount, c.TruncateBefore = known.MaxCount, known.TruncateBefore
	c.MaxAge = time.Duration(math.Round(known.MaxAge * float64(time.Second)))
	c.DeletedBefore = known.DeletedBefore
	if c.TruncateBefore == math.MaxInt64 && c.DeletedBefore > 0 {
		c.TruncateBefore = 0 // EventStoreDB's mark of a deleted stream, beside ours
	}
	if err := json.Unmarshal(data, &c.Custom); err != nil {
		return nil, fmt.Errorf("decode stream metadata: %w", err)
	}
	for k := range c.Custom {
		if strings.HasPrefix(k, "$") {
			delete(c.Custom, k)
			c.system = map[string]json.RawMessage{}
		}
	}
	if c.system != nil {
		if err := json.Unmarshal(data, &c.system); err != nil {
			return nil, fmt.Errorf("decode stream metadata: %w", err)
		}
		for k := range c.system {
			if !strings.HasPrefix(k, "$") || slices.Contains([]string{keyMaxCount, keyMaxAge, keyTruncateBefore, keyDeletedBefore}, k) {
				delete(c.system, k)
			}
		}
	}
	if len(c.Custom) == 0 {
		c.Custom = nil
	}
	return c, nil
}

// checkMeta names what cannot be metadata.
func checkMeta(m streams.Meta) error {
	if m.MaxCount < 0 || m.MaxAge < 0 || m.TruncateBefore < 0 {
		return fmt.Errorf("%w: metadata must not be negative", streams.ErrInvalid)
	}
	for k := range m.Custom {
		if strings.HasPrefix(k, "$") {
			return fmt.Errorf("%w: metadata key %q is reserved", streams.ErrInvalid, k)
		}
	}
	return nil
}

// lookUpControl reads the control of a stream from its metadata stream. That
// most streams have none need not be cached: their own heads say so.
func (l *Log) lookUpControl(stream domain.StreamID) (*control, error) {
	if isSystem(stream) || !l.controls.Load() {
		return nil, nil
	}
	meta := metaStream(stream)
	hash := streamHash(meta)
	h, st, _ := l.heads.get(meta, hash)
	if h == nil {
		var err error
		if st, err = l.locate(meta, hash); err != nil {
			return nil, err
		}
	}
	if st.seg == nil {
		return nil, nil
	}
	x, err := st.seg.columns()
	if err != nil {
		return nil, err
	}
	var c *control
	var decodeErr error
	err = st.seg.fetch(x, []uint32{st.part.last}, new(readBuffer), func(r *record) {
		c, decodeErr = decodeControl(string(r.typ), r.data)
	})
	if err == nil {
		err = decodeErr
	}
	return c, err
}

// visible returns the first revision of a stream that may be read, ages apart.
func (s *headState) visible() domain.Revision {
	if s.control == nil {
		return 0
	}
	first := max(s.control.TruncateBefore, s.control.DeletedBefore)
	if s.control.MaxCount > 0 {
		first = max(first, s.last-domain.Revision(s.control.MaxCount)+1)
	}
	return first
}
