package relay

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/ThreeDotsLabs/watermill/message"

	"strata/domain"
	"strata/streams"
)

// Metadata of a message: CloudEvents 1.0 in the binary mode of its Kafka
// binding. Extensions of ours stand below the attributes of the specification.
const (
	HeaderSpecVersion = "ce_specversion"
	HeaderID          = "ce_id"        // the event's id; the same when it is published again
	HeaderSource      = "ce_source"    // Config.Source
	HeaderType        = "ce_type"      // the event's type in today's version
	HeaderTime        = "ce_time"      // when it occurred, RFC 3339
	HeaderSubject     = "ce_subject"   // its stream
	HeaderContentType = "content-type" // absent when there is no data

	HeaderPartitionKey  = "ce_partitionkey"  // its stream
	HeaderRevision      = "ce_revision"      // its place in the stream, from 0
	HeaderPosition      = "ce_position"      // its place in the log
	HeaderOrganization  = "ce_organization"  // tenant; may be absent
	HeaderWorkspace     = "ce_workspace"     // tenant's part; may be absent
	HeaderCorrelationID = "ce_correlationid" // the request or flow it belongs to; may be absent
	HeaderCausationID   = "ce_causationid"   // the event that triggered it; may be absent
	HeaderDataRemoved   = "ce_dataremoved"   // why data, or a part of it, is missing: a Removed
)

// Removed says why an event is published without all of its data.
type Removed string

// The reasons there are.
const (
	RemovedPersonal Removed = "personal" // personal data of this category is not published
	RemovedErased   Removed = "erased"   // the person was erased
	RemovedSize     Removed = "size"     // it is larger than what is published
)

const (
	specVersion = "1.0"
	contentType = "application/json"
)

// encoder makes messages of events.
type encoder struct {
	codec    *streams.Codec
	source   string
	personal []string
	secrets  func(category string) []string
	maxData  int
}

// Message makes the message of an event.
func (c *encoder) message(r streams.Recorded) (*message.Message, error) {
	e, err := c.codec.Decode(r)
	if err != nil {
		return nil, err
	}
	data, removed, err := c.data(r, e.Fact)
	if err != nil {
		return nil, fmt.Errorf("data of event %d (%s): %w", r.Position, r.Type, err)
	}
	occurred := e.Meta.OccurredAt
	if occurred.IsZero() {
		occurred = r.At
	}
	m := message.NewMessage(r.ID.String(), data)
	m.Metadata = make(message.Metadata, 14)
	set := func(name, value string) {
		if value != "" {
			m.Metadata[name] = value
		}
	}
	set(HeaderSpecVersion, specVersion)
	set(HeaderID, m.UUID)
	set(HeaderSource, c.source)
	set(HeaderType, e.Fact.EventType())
	set(HeaderTime, domain.FormatTime(occurred))
	set(HeaderSubject, string(r.Stream))
	set(HeaderPartitionKey, string(r.Stream))
	set(HeaderRevision, strconv.FormatInt(int64(r.Revision), 10))
	set(HeaderPosition, strconv.FormatUint(uint64(r.Position), 10))
	set(HeaderOrganization, e.Meta.Organization)
	set(HeaderWorkspace, e.Meta.Workspace)
	set(HeaderCorrelationID, e.Meta.CorrelationID)
	set(HeaderCausationID, e.Meta.CausationID)
	set(HeaderDataRemoved, string(removed))
	if len(data) > 0 {
		set(HeaderContentType, contentType)
	}
	return m, nil
}

// data is what is published of a fact, and why that is not all of it.
func (c *encoder) data(r streams.Recorded, f domain.Fact) (data []byte, removed Removed, err error) {
	category := r.Stream.Category()
	allowed := slices.Contains(c.personal, category)
	switch p := f.(type) {
	case domain.Erased:
		return nil, RemovedErased, nil
	case domain.PersonalFact:
		if !allowed && p.DataSubject() != "" {
			return nil, RemovedPersonal, nil
		}
	case domain.PartlyPersonalFact:
		open, personal, _ := p.SplitPersonal()
		switch {
		case personal == nil && streams.Sealed(r):
			removed = RemovedErased
		case personal != nil && !allowed:
			f, removed = open, RemovedPersonal
		}
	}
	if data, err = json.Marshal(f); err != nil {
		return nil, "", err
	}
	if names := c.secrets(category); len(names) > 0 {
		if data, err = without(data, names); err != nil {
			return nil, "", err
		}
	}
	if len(data) > c.maxData {
		return nil, RemovedSize, nil
	}
	return data, removed, nil
}

// without removes fields of some names wherever they occur.
func without(data json.RawMessage, names []string) (json.RawMessage, error) {
	if len(data) == 0 {
		return data, nil
	}
	switch data[0] {
	case '{':
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(data, &fields); err != nil {
			return nil, err
		}
		for name, value := range fields {
			if slices.Contains(names, name) {
				delete(fields, name)
				continue
			}
			inner, err := without(value, names)
			if err != nil {
				return nil, err
			}
			fields[name] = inner
		}
		return json.Marshal(fields)
	case '[':
		var items []json.RawMessage
		if err := json.Unmarshal(data, &items); err != nil {
			return nil, err
		}
		for i, item := range items {
			inner, err := without(item, names)
			if err != nil {
				return nil, err
			}
			items[i] = inner
		}
		return json.Marshal(items)
	}
	return data, nil
}

// Key is the key of a message: its stream, so that a stream's events stay in
// order.
func Key(m *message.Message) []byte { return []byte(m.Metadata[HeaderSubject]) }
