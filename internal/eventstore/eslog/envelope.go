package eslog

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"strata/domain"
	"strata/streams"
)

// Content types of events. Others are kept as they are.
const (
	ContentJSON   = "application/json"
	ContentBinary = "application/octet-stream"
)

// Event is an event to be appended.
type Event struct {
	ID          uuid.UUID
	Type        string
	ContentType string
	Metadata    []byte // the writer's own, of any form
	Data        []byte
}

// Record is an event as it was recorded.
type Record struct {
	Event
	Stream   domain.StreamID
	Revision domain.Revision
	Position domain.Position
	At       time.Time
}

// TombstoneRevision is the revision of the event that closes a stream for ever.
const TombstoneRevision domain.Revision = 1<<63 - 1

// An envelope stands before the metadata of an event whose content type is not
// what its data looks like: a zero byte, the length of the content type, and the
// content type. Metadata that begins with a zero byte has one too. So events that
// Strata wrote need none, and those of most other writers neither.
const envelopeMark = 0x00

const maxContentType = 255

// seal makes an event of the log.
func (e *Event) seal() streams.Proposed {
	p := streams.Proposed{ID: e.ID, Type: e.Type, Data: e.Data, Meta: e.Metadata}
	if e.ContentType != guessedType(e.Data) || len(e.Metadata) > 0 && e.Metadata[0] == envelopeMark {
		meta := make([]byte, 0, 2+len(e.ContentType)+len(e.Metadata))
		meta = append(meta, envelopeMark, byte(len(e.ContentType))) //nolint:gosec // checked to fit
		p.Meta = append(append(meta, e.ContentType...), e.Metadata...)
	}
	p.Workspace = workspaceOf(e.Metadata)
	return p
}

// open reads an event of the log.
func open(r *streams.Recorded) Record {
	out := Record{
		Event:  Event{ID: r.ID, Type: r.Type, Metadata: r.Meta, Data: r.Data},
		Stream: r.Stream, Revision: r.Revision, Position: r.Position, At: r.At,
	}
	if m := r.Meta; len(m) > 1 && m[0] == envelopeMark && len(m) >= 2+int(m[1]) {
		n := 2 + int(m[1])
		out.ContentType, out.Metadata = string(m[2:n]), m[n:]
	} else {
		out.ContentType = guessedType(r.Data)
	}
	return out
}

// guessedType is the content type of data that nothing more is known of: JSON
// when it begins like it. Sealed data of Strata does not.
func guessedType(data []byte) string {
	for _, b := range data {
		switch {
		case b == ' ' || b == '\t' || b == '\n' || b == '\r':
		case b == '{' || b == '[' || b == '"' || b == '-' || b >= '0' && b <= '9' || b == 't' || b == 'f' || b == 'n':
			return ContentJSON
		default:
			return ContentBinary
		}
	}
	return ContentBinary
}

// workspaceOf finds the tenant in metadata that Strata wrote, for the log's own
// filter by workspace.
func workspaceOf(metadata []byte) string {
	if !bytes.Contains(metadata, []byte(`"workspace"`)) {
		return ""
	}
	var m struct {
		Workspace string `json:"workspace"`
	}
	if json.Unmarshal(metadata, &m) != nil || len(m.Workspace) > 255 {
		return ""
	}
	return m.Workspace
}
