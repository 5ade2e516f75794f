package logbus

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"github.com/google/uuid"

	"strata/domain"
	"strata/streams"
)

// Metadata keys of a message that carries an event. The payload is the event's
// data as stored (sealed data stays sealed), the UUID its id.
const (
	MetaStream    = "stream"
	MetaRevision  = "revision"
	MetaPosition  = "position"
	MetaType      = "type"
	MetaWorkspace = "workspace"
	MetaAt        = "at"   // when the log accepted it, RFC 3339
	MetaMeta      = "meta" // the event's metadata as JSON
)

// NewMessage makes the message of a stored event.
func NewMessage(r streams.Recorded) *message.Message {
	m := message.NewMessage(r.ID.String(), r.Data)
	m.Metadata = message.Metadata{
		MetaStream:   string(r.Stream),
		MetaRevision: strconv.FormatInt(int64(r.Revision), 10),
		MetaPosition: strconv.FormatUint(uint64(r.Position), 10),
		MetaType:     r.Type,
		MetaAt:       r.At.UTC().Format(time.RFC3339Nano),
		MetaMeta:     string(r.Meta),
	}
	if r.Workspace != "" {
		m.Metadata[MetaWorkspace] = r.Workspace
	}
	var meta struct {
		CorrelationID string `json:"correlation_id"`
	}
	// Metadata that cannot be read fails where the event is decoded.
	if json.Unmarshal(r.Meta, &meta) == nil && meta.CorrelationID != "" {
		m.Metadata[middleware.CorrelationIDMetadataKey] = meta.CorrelationID
	}
	return m
}

// RecordedOf reads the event back from its message.
func RecordedOf(m *message.Message) (streams.Recorded, error) {
	var r streams.Recorded
	fail := func(key string, err error) (streams.Recorded, error) {
		return r, fmt.Errorf("message %s: %s: %w", m.UUID, key, err)
	}
	var err error
	if r.ID, err = uuid.Parse(m.UUID); err != nil {
		return fail("id", err)
	}
	revision, err := strconv.ParseInt(m.Metadata[MetaRevision], 10, 64)
	if err != nil {
		return fail(MetaRevision, err)
	}
	position, err := strconv.ParseUint(m.Metadata[MetaPosition], 10, 64)
	if err != nil {
		return fail(MetaPosition, err)
	}
	if r.At, err = time.Parse(time.RFC3339Nano, m.Metadata[MetaAt]); err != nil {
		return fail(MetaAt, err)
	}
	r.Stream, r.Revision, r.Position = domain.StreamID(m.Metadata[MetaStream]), domain.Revision(revision), domain.Position(position)
	r.Type, r.Workspace = m.Metadata[MetaType], m.Metadata[MetaWorkspace]
	r.Data, r.Meta = m.Payload, []byte(m.Metadata[MetaMeta])
	return r, nil
}
