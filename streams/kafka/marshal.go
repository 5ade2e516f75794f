package kafka

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Record is what Kafka keeps of a message.
type Record struct {
	Key     []byte // nil: any partition, and no order
	Value   []byte
	Headers []Header
	Time    time.Time // zero: now

	// Where it stands; known of records that were read.
	Topic     string
	Partition int
	Offset    int64
}

// Header is a name and a value beside a record's. A name may occur twice.
type Header struct {
	Name  string
	Value []byte
}

// Marshaler turns messages into records and back. One is used by several
// goroutines at the same time.
type Marshaler interface {
	// Marshal makes the record of a message; what it says of topic, partition
	// and offset is not regarded.
	Marshal(topic string, m *message.Message) (Record, error)
	// Unmarshal makes the message of a record. A record that has no message is
	// an error, which keeps its key from going on.
	Unmarshal(r Record) (*message.Message, error)
}

// UUIDHeader is the header that carries a message's UUID; Watermill's own Kafka
// marshaler calls it so too.
const UUIDHeader = "_watermill_message_uuid"

// Plain is the default Marshaler: the payload is the value, metadata are
// headers, the UUID is one more. A record of somebody else, without a UUID, is
// named by its place, "topic/partition/offset".
type Plain struct {
	// KeyOf returns a message's key, nil for none. Default: what the message's
	// metadata say under KeyMetadata.
	KeyOf func(m *message.Message) []byte
}

// KeyMetadata is the metadata that is a message's key unless said otherwise:
// messages of events bear the name of their stream under it.
const KeyMetadata = "stream"

// Marshal implements Marshaler.
func (p Plain) Marshal(_ string, m *message.Message) (Record, error) {
	if _, taken := m.Metadata[UUIDHeader]; taken {
		return Record{}, fmt.Errorf("message %s: metadata may not be called %s", m.UUID, UUIDHeader)
	}
	r := Record{Value: m.Payload, Headers: make([]Header, 1, len(m.Metadata)+1)}
	r.Headers[0] = Header{UUIDHeader, []byte(m.UUID)}
	for name, value := range m.Metadata {
		r.Headers = append(r.Headers, Header{name, []byte(value)})
	}
	// In an order that does not change: a message sent again is the same bytes.
	slices.SortFunc(r.Headers[1:], func(a, b Header) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	if p.KeyOf != nil {
		r.Key = p.KeyOf(m)
	} else if key := m.Metadata[KeyMetadata]; key != "" {
		r.Key = []byte(key)
	}
	return r, nil
}

// Unmarshal implements Marshaler.
func (p Plain) Unmarshal(r Record) (*message.Message, error) {
	m := message.NewMessage("", r.Value)
	for _, h := range r.Headers {
		if h.Name == UUIDHeader {
			m.UUID = string(h.Value)
		} else {
			m.Metadata[h.Name] = string(h.Value)
		}
	}
	if m.UUID == "" {
		m.UUID = fmt.Sprintf("%s/%d/%d", r.Topic, r.Partition, r.Offset)
	}
	return m, nil
}

type recordKey struct{}

// RecordOf returns the record that a received message comes from.
func RecordOf(m *message.Message) (Record, bool) {
	r, ok := m.Context().Value(recordKey{}).(Record)
	return r, ok
}

func withRecord(ctx context.Context, r Record) context.Context {
	return context.WithValue(ctx, recordKey{}, r)
}
