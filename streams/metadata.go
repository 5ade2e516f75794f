package streams

import (
	"encoding/json"
	"strings"
	"time"

	"strata/domain"
)

// Every event has metadata, and each of its readers reads it: a reflecting
// encoder would be a large part of what an event costs. These functions write
// and read exactly what encoding/json does, and leave to it what is unusual.

// metadataField is one text field of the metadata, under its JSON name.
type metadataField struct {
	name string
	of   func(m *domain.Metadata) *string
}

const occurredAt = "occurred_at"

// metadataFields lists the text fields in the order of the struct.
func metadataFields() []metadataField {
	return []metadataField{
		{"correlation_id", func(m *domain.Metadata) *string { return &m.CorrelationID }},
		{"causation_id", func(m *domain.Metadata) *string { return &m.CausationID }},
		{"actor", func(m *domain.Metadata) *string { return &m.Actor }},
		{"organization", func(m *domain.Metadata) *string { return &m.Organization }},
		{"workspace", func(m *domain.Metadata) *string { return &m.Workspace }},
		{occurredAt, nil},
		{"request_id", func(m *domain.Metadata) *string { return &m.RequestID }},
		{"idempotency_key", func(m *domain.Metadata) *string { return &m.IdempotencyKey }},
		{"subject", func(m *domain.Metadata) *string { return &m.Subject }},
	}
}

// metadataCodec writes and reads metadata.
type metadataCodec struct {
	fields []metadataField
	plain  [256]bool // bytes that are the same inside and outside of JSON
}

func newMetadataCodec() *metadataCodec {
	c := &metadataCodec{fields: metadataFields()}
	for b := byte(' '); b < 0x7f; b++ {
		c.plain[b] = b != '"' && b != '\\' && b != '<' && b != '>' && b != '&'
	}
	return c
}

// isPlain tells whether a text is the same inside and outside of JSON.
func (c *metadataCodec) isPlain(text string) bool {
	for i := range len(text) {
		if !c.plain[text[i]] {
			return false
		}
	}
	return true
}

// encode writes metadata as JSON.
func (c *metadataCodec) encode(m domain.Metadata) ([]byte, error) {
	dst := append(make([]byte, 0, 320), '{')
	for _, f := range c.fields {
		if f.of == nil {
			if m.OccurredAt.IsZero() {
				continue
			}
			if _, offset := m.OccurredAt.Zone(); offset != 0 || m.OccurredAt.Year() < 1000 || m.OccurredAt.Year() > 9999 {
				return json.Marshal(m)
			}
			dst = append(appendName(dst, f.name), '"')
			dst = append(m.OccurredAt.AppendFormat(dst, time.RFC3339Nano), '"')
			continue
		}
		text := *f.of(&m)
		if text == "" {
			continue
		}
		if !c.isPlain(text) {
			return json.Marshal(m)
		}
		dst = append(appendName(dst, f.name), '"')
		dst = append(append(dst, text...), '"')
	}
	return append(dst, '}'), nil
}

func appendName(dst []byte, name string) []byte {
	if len(dst) > 1 {
		dst = append(dst, ',')
	}
	return append(append(append(dst, '"'), name...), '"', ':')
}

// decode reads what encode wrote, or any other JSON form of metadata.
func (c *metadataCodec) decode(data []byte) (m domain.Metadata, err error) {
	if m, ok := c.decodePlain(string(data)); ok {
		return m, nil
	}
	err = json.Unmarshal(data, &m)
	return m, err
}

// decodePlain reads an object without spaces and escapes whose fields are in
// the order of the struct. The texts share the memory of data.
func (c *metadataCodec) decodePlain(data string) (m domain.Metadata, ok bool) {
	rest, ok := strings.CutPrefix(data, "{")
	if !ok {
		return m, false
	}
	first := true
	for _, f := range c.fields {
		at := rest
		if !first {
			if at, ok = strings.CutPrefix(at, ","); !ok {
				break
			}
		}
		if at, ok = cutName(at, f.name); !ok {
			continue // left out
		}
		end := strings.IndexByte(at, '"')
		if end < 0 || !c.isPlain(at[:end]) {
			return m, false
		}
		text := at[:end]
		first, rest = false, at[end+1:]
		if f.of != nil {
			*f.of(&m) = text
		} else if m.OccurredAt.UnmarshalText([]byte(text)) != nil {
			return m, false
		}
	}
	return m, rest == "}"
}

// cutName cuts `"name":"` from the beginning of a text.
func cutName(text, name string) (rest string, found bool) {
	n := len(name)
	if len(text) < n+4 || text[0] != '"' || text[1:n+1] != name || text[n+1:n+4] != `":"` {
		return text, false
	}
	return text[n+4:], true
}
