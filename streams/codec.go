package streams

import (
	"errors"
	"fmt"

	"github.com/google/uuid"

	"strata/domain"
)

// Upcast turns the data of an old event version into the next one. It must be
// pure: the log is read again and again.
type Upcast struct {
	From, To string // event types: "session.turn_added.v1" → "session.turn_added.v2"
	Change   func(data []byte) ([]byte, error)
}

// Subject is whose key seals a personal fact: an id as clients give it, within
// a workspace (or within an organization, for facts that belong to none). One
// id in two workspaces is two subjects.
type Subject struct{ Organization, Workspace, ID string }

// SubjectOf tells whose key seals an event, from what its envelope says.
func SubjectOf(m domain.Metadata) Subject {
	return Subject{Organization: m.Organization, Workspace: m.Workspace, ID: m.Subject}
}

// Keys is the store of subject keys. A personal fact's data is sealed under
// its subject's key; destroying that key erases the data wherever it was copied.
type Keys interface {
	// Seal encrypts data under the subject's key and appends the result to dst.
	// A subject without a key gets one, which is durable when Seal returns. What
	// is bound is not in the result, but must be the same to open it.
	Seal(dst []byte, s Subject, bound, data []byte) ([]byte, error)
	// Open decrypts what Seal made. It returns ErrErased when the key was destroyed.
	Open(s Subject, bound, sealed []byte) ([]byte, error)
}

// SubjectKey names a key of a subject. Where it is asked for, the subject's
// Workspace may be left out: ids are unique.
type SubjectKey struct {
	Subject Subject
	ID      uuid.UUID
}

// KeysOf names several keys of one subject.
func KeysOf(s Subject, ids []uuid.UUID) []SubjectKey {
	keys := make([]SubjectKey, len(ids))
	for i, id := range ids {
		keys[i] = SubjectKey{Subject: s, ID: id}
	}
	return keys
}

// ErrErased: the subject's key was destroyed, the data cannot be read by anybody.
var ErrErased = errors.New("subject was erased")

// Codec turns facts into stored events and back: it knows every fact type,
// lifts old versions, and seals personal data.
type Codec struct {
	types   map[string]domain.FactType
	upcasts map[string]Upcast
	keys    Keys
	meta    *metadataCodec
}

// NewCodec makes a codec. keys may be nil: then personal data is stored as it is.
// It fails when two facts claim one name or an upcast leads nowhere.
func NewCodec(facts []domain.FactType, upcasts []Upcast, keys Keys) (*Codec, error) {
	c := &Codec{types: map[string]domain.FactType{}, upcasts: map[string]Upcast{}, keys: keys, meta: newMetadataCodec()}
	for _, f := range facts {
		if _, twice := c.types[f.Name]; twice {
			return nil, fmt.Errorf("event type %s is declared twice", f.Name)
		}
		c.types[f.Name] = f
	}
	for _, u := range upcasts {
		if _, twice := c.upcasts[u.From]; twice {
			return nil, fmt.Errorf("event type %s has two upcasts", u.From)
		}
		c.upcasts[u.From] = u
	}
	for _, u := range upcasts {
		to := u.To
		for n := 0; ; n++ {
			next, more := c.upcasts[to]
			if !more {
				break
			}
			if n > len(upcasts) {
				return nil, fmt.Errorf("upcasts from %s go in a circle", u.From)
			}
			to = next.To
		}
		if _, ok := c.types[to]; !ok {
			return nil, fmt.Errorf("upcast from %s leads to unknown type %s", u.From, to)
		}
	}
	return c, nil
}

// Encode makes a storable event of a fact.
func (c *Codec) Encode(id uuid.UUID, f domain.Fact, meta domain.Metadata) (Proposed, error) {
	data, err := c.seal(id, f, &meta)
	if err != nil {
		return Proposed{}, err
	}
	m, err := c.meta.encode(meta)
	if err != nil {
		return Proposed{}, fmt.Errorf("encode metadata of %s: %w", f.EventType(), err)
	}
	return Proposed{ID: id, Type: f.EventType(), Workspace: meta.Workspace, Data: data, Meta: m}, nil
}

// Decode reads a stored event: opened, lifted to the newest version, typed.
// An erased subject's event comes back as domain.Erased, which is no error; of
// a partly personal one, what is not personal comes back.
func (c *Codec) Decode(r Recorded) (domain.Event, error) {
	e := domain.Event{ID: r.ID, Stream: r.Stream, Revision: r.Revision, Position: r.Position}
	var err error
	if e.Meta, err = c.meta.decode(r.Meta); err != nil {
		return e, fmt.Errorf("metadata of event %d (%s): %w", r.Position, r.Type, err)
	}
	data, err := c.open(r, e.Meta)
	if errors.Is(err, ErrErased) {
		e.Fact = domain.Erased{Type: r.Type}
		return e, nil
	}
	if err != nil {
		return e, fmt.Errorf("open event %d (%s): %w", r.Position, r.Type, err)
	}
	typ := r.Type
	for u, ok := c.upcasts[typ]; ok; u, ok = c.upcasts[typ] {
		lifted, err := u.Change(data)
		if err != nil {
			return e, fmt.Errorf("lift event %d from %s to %s: %w", r.Position, u.From, u.To, err)
		}
		data, typ = lifted, u.To
	}
	t, ok := c.types[typ]
	if !ok {
		return e, fmt.Errorf("event %d has unknown type %s", r.Position, typ)
	}
	f, err := t.Decode(data)
	if err != nil {
		return e, fmt.Errorf("event %d: %w", r.Position, err)
	}
	e.Fact = f
	return e, nil
}

// Envelope reads what is around a stored event and leaves the fact unread: its
// place is taken by domain.Unread with the newest version of the type. It needs
// no key, so what was erased does not show.
func (c *Codec) Envelope(r Recorded) (domain.Event, error) {
	e := domain.Event{ID: r.ID, Stream: r.Stream, Revision: r.Revision, Position: r.Position}
	var err error
	if e.Meta, err = c.meta.decode(r.Meta); err != nil {
		return e, fmt.Errorf("metadata of event %d (%s): %w", r.Position, r.Type, err)
	}
	typ := r.Type
	for u, ok := c.upcasts[typ]; ok; u, ok = c.upcasts[typ] {
		typ = u.To
	}
	if _, ok := c.types[typ]; !ok {
		return e, fmt.Errorf("event %d has unknown type %s", r.Position, typ)
	}
	e.Fact = domain.Unread{Type: typ, Recorded: r.Type, Metadata: r.Meta, Data: r.Data}
	return e, nil
}

// Knows tells whether the codec can decode an event type.
func (c *Codec) Knows(typ string) bool {
	for u, ok := c.upcasts[typ]; ok; u, ok = c.upcasts[typ] {
		typ = u.To
	}
	_, ok := c.types[typ]
	return ok
}

// RecordedAs lists the names under which events of a type may be in the log:
// its own and those that are lifted to it, oldest last.
func (c *Codec) RecordedAs(typ string) []string {
	out := []string{typ}
	for i := 0; i < len(out); i++ {
		for from, u := range c.upcasts {
			if u.To == out[i] {
				out = append(out, from)
			}
		}
	}
	return out
}

// Types lists the event types the codec writes, in no order.
func (c *Codec) Types() []string {
	out := make([]string, 0, len(c.types))
	for name := range c.types {
		out = append(out, name)
	}
	return out
}
