package eslog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"strata/domain"
	"strata/streams"
	"strata/streams/embedded"
)

// Keys of metadata with a meaning for the store.
const (
	KeyMaxCount       = "$maxCount"
	KeyMaxAge         = "$maxAge" // seconds
	KeyTruncateBefore = "$tb"
	KeyCacheControl   = "$cacheControl" // seconds
	KeyACL            = "$acl"
	// keyDeletedBefore is the log's own key. EventStoreDB marks a deleted stream
	// with the largest "$tb" there is; the log wants to know from which revision
	// on a stream is new. Both stand in the record, and readers see theirs.
	keyDeletedBefore = "$deletedBefore"
)

// deletedMark is the "$tb" of a deleted stream.
const deletedMark = math.MaxInt64

// MetadataStream names the stream of a stream's metadata.
func MetadataStream(s domain.StreamID) domain.StreamID { return "$$" + s }

// OfMetadata returns the stream that a metadata stream is about.
func OfMetadata(s domain.StreamID) (of domain.StreamID, ok bool) {
	if streams.IsSystem(s) {
		return s[len("$$"):], true
	}
	return s, false
}

// checkMetadata checks the JSON that a client writes into a metadata stream.
func checkMetadata(data []byte) error {
	var known struct {
		MaxCount      *int64          `json:"$maxCount"`
		MaxAge        *int64          `json:"$maxAge"`
		Truncate      *int64          `json:"$tb"`
		CacheControl  *int64          `json:"$cacheControl"`
		DeletedBefore json.RawMessage `json:"$deletedBefore"`
		ACL           json.RawMessage `json:"$acl"`
	}
	if err := json.Unmarshal(data, &known); err != nil {
		return fmt.Errorf("%w: stream metadata: %w", streams.ErrInvalid, err)
	}
	for key, v := range map[string]*int64{
		KeyMaxCount: known.MaxCount, KeyMaxAge: known.MaxAge, KeyTruncateBefore: known.Truncate, KeyCacheControl: known.CacheControl,
	} {
		if v != nil && *v < 0 {
			return fmt.Errorf("%w: %s of stream metadata is %d, it must not be negative", streams.ErrInvalid, key, *v)
		}
	}
	if known.MaxAge != nil && *known.MaxAge > math.MaxInt64/int64(time.Second) {
		return fmt.Errorf("%w: %s of stream metadata is %d seconds, which is too long", streams.ErrInvalid, KeyMaxAge, *known.MaxAge)
	}
	if known.DeletedBefore != nil {
		return fmt.Errorf("%w: %s of stream metadata belongs to the store", streams.ErrInvalid, keyDeletedBefore)
	}
	if _, err := ParseACL(known.ACL); err != nil {
		return fmt.Errorf("%w: %w", streams.ErrInvalid, err)
	}
	return nil
}

// stored turns metadata as a client writes it into what the log keeps: one that
// says the stream is deleted also says from which revision on it is new.
func stored(data []byte, last domain.Revision) ([]byte, error) {
	if last < 0 || !bytes.Contains(data, []byte("9223372036854775807")) {
		return data, nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, fmt.Errorf("stream metadata: %w", err)
	}
	var tb int64
	if json.Unmarshal(fields[KeyTruncateBefore], &tb) != nil || tb != deletedMark {
		return data, nil
	}
	fields[keyDeletedBefore] = fmt.Append(nil, last+1)
	return json.Marshal(fields)
}

// shown turns metadata as the log keeps it into what clients read: EventStoreDB's
// mark while the stream is deleted, and when the log went on by itself, from where.
func shown(data []byte, deleted bool) []byte {
	if !bytes.Contains(data, []byte(keyDeletedBefore)) {
		return data
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(data, &fields) != nil {
		return data
	}
	before := fields[keyDeletedBefore]
	delete(fields, keyDeletedBefore)
	var truncated int64
	set := json.Unmarshal(fields[KeyTruncateBefore], &truncated) == nil
	switch {
	case deleted:
		fields[KeyTruncateBefore] = fmt.Append(nil, int64(deletedMark))
	case !set || truncated == deletedMark:
		fields[KeyTruncateBefore] = before
	}
	out, err := json.Marshal(fields)
	if err != nil {
		return data
	}
	return out
}

// revived is the metadata of a stream that was deleted and begins anew at a
// revision: everything else stays.
func revived(st embedded.StreamState, from domain.Revision) ([]byte, error) {
	return truncated(st, int64(from))
}

// truncated is the metadata of a stream with another "$tb".
func truncated(st embedded.StreamState, before int64) ([]byte, error) {
	fields := make(map[string]any, len(st.Meta.Custom)+len(st.System)+3)
	for k, v := range st.Meta.Custom {
		fields[k] = v
	}
	for k, v := range st.System {
		fields[k] = v
	}
	if st.Meta.MaxCount > 0 {
		fields[KeyMaxCount] = st.Meta.MaxCount
	}
	if st.Meta.MaxAge > 0 {
		fields[KeyMaxAge] = int64(st.Meta.MaxAge.Seconds())
	}
	fields[KeyTruncateBefore] = before
	return json.Marshal(fields)
}
