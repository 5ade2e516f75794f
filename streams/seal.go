package streams

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"strata/domain"
)

// The first byte of an event's data says how the rest is kept. JSON begins with
// neither mark, so what was written before there were keys stays readable.
const (
	sealedMark = 0x01 // all of it is sealed
	partlyMark = 0x02 // length and JSON of what is open, then the sealed JSON of the rest
)

// Sealed tells whether any of an event's data can be read with its subject's
// key only.
func Sealed(r Recorded) bool {
	return len(r.Data) > 0 && (r.Data[0] == sealedMark || r.Data[0] == partlyMark)
}

// seal writes the data of a fact, what is personal of it under its subject's key,
// and names the subject in the metadata.
func (c *Codec) seal(id uuid.UUID, f domain.Fact, meta *domain.Metadata) ([]byte, error) {
	open, personal, subject := f, any(nil), ""
	switch p := f.(type) {
	case domain.PersonalFact:
		subject = p.DataSubject()
	case domain.PartlyPersonalFact:
		if open, personal, subject = p.SplitPersonal(); personal == nil {
			subject = ""
		}
	}
	data, err := json.Marshal(open)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", f.EventType(), err)
	}
	if subject == "" {
		return data, nil
	}
	meta.Subject = subject
	if c.keys == nil {
		if personal == nil {
			return data, nil
		}
		return json.Marshal(f)
	}
	frame, secret := []byte{sealedMark}, data
	if personal != nil {
		if secret, err = json.Marshal(personal); err != nil {
			return nil, fmt.Errorf("encode %s: %w", f.EventType(), err)
		}
		frame = binary.AppendUvarint([]byte{partlyMark}, uint64(len(data)))
		frame = append(frame, data...)
	}
	frame, err = c.keys.Seal(frame, SubjectOf(*meta), bound(id, f.EventType()), secret)
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", f.EventType(), err)
	}
	return frame, nil
}

// bound ties sealed data to its event, so that it cannot be put into another.
func bound(id uuid.UUID, eventType string) []byte { return append(id[:], eventType...) }

// open reads the JSON of an event. It returns ErrErased when nothing of it can
// be read any more.
func (c *Codec) open(r Recorded, meta domain.Metadata) ([]byte, error) {
	if !Sealed(r) {
		return r.Data, nil
	}
	if c.keys == nil {
		return nil, errors.New("it is sealed and no key store is configured")
	}
	mark, sealed, public := r.Data[0], r.Data[1:], []byte(nil)
	if mark == partlyMark {
		size, n := binary.Uvarint(sealed)
		if n <= 0 || size < 2 || size > uint64(len(sealed)-n) {
			return nil, errors.New("its frame is damaged")
		}
		public, sealed = sealed[n:n+int(size)], sealed[n+int(size):] //nolint:gosec // bounded above
	}
	secret, err := c.keys.Open(SubjectOf(meta), bound(r.ID, r.Type), sealed)
	switch {
	case mark == sealedMark:
		return secret, err
	case errors.Is(err, ErrErased):
		return public, nil
	case err != nil:
		return nil, err
	}
	return joined(public, secret)
}

// joined makes one JSON object of two.
func joined(a, b []byte) ([]byte, error) {
	if len(a) < 2 || len(b) < 2 || a[0] != '{' || b[0] != '{' || a[len(a)-1] != '}' {
		return nil, errors.New("its parts are no JSON objects")
	}
	if len(a) == 2 {
		return b, nil
	}
	if len(b) == 2 {
		return a, nil
	}
	out := make([]byte, 0, len(a)+len(b))
	out = append(out, a[:len(a)-1]...)
	out = append(out, ',')
	return append(out, b[1:]...), nil
}
