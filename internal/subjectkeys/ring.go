package subjectkeys

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"strata/domain"
	"strata/streams"
)

// What a subject's stream holds. It is no history to be shown: read models and
// clients never see it.
const (
	sharedCategory = "subjectkey"
	typeMade       = "subject_key.made.v1"
	typeDestroyed  = "subject_key.destroyed.v1"
)

// made is a key. After a destruction those that live on are told again.
type made struct {
	Key          uuid.UUID `json:"key"`
	Organization string    `json:"organization"`
	Workspace    string    `json:"workspace"`
	Subject      string    `json:"subject"`
	Wrapped      []byte    `json:"wrapped"` // with the master key
}

func (m made) propose() (streams.Proposed, error) { return propose(typeMade, m) }

func (m made) of() streams.Subject {
	return streams.Subject{Organization: m.Organization, Workspace: m.Workspace, ID: m.Subject}
}

// destroyed names every key of the stream that was ever destroyed, by which
// "erased" is told from "lost".
type destroyed struct {
	Keys []uuid.UUID `json:"keys"`
	// Kept is how many keys live on; they were told again right before this.
	Kept int64 `json:"kept"`
}

func (d *destroyed) decode(e streams.Recorded) error {
	if err := json.Unmarshal(e.Data, d); err != nil {
		return fmt.Errorf("%s at %d: %w", e.Type, e.Position, err)
	}
	return nil
}

func propose(eventType string, fact any) (streams.Proposed, error) {
	data, err := json.Marshal(fact)
	return streams.Proposed{ID: domain.NewEventID(), Type: eventType, Data: data, Meta: []byte("{}")}, err
}

// ring is what the stream of a subject holds.
type ring struct {
	stream    domain.StreamID
	revision  domain.Revision // of the last event
	first     domain.Revision // of the first that is not hidden
	begins    domain.Revision // what is before is to be hidden
	keys      []made          // living ones, in the order they were made in
	destroyed []uuid.UUID
}

// streamOf names the stream of a subject in an organization. Names of people do
// not belong into names of streams.
func streamOf(s streams.Subject) domain.StreamID {
	s.Workspace = ""
	sum := sha256.Sum256(appendSubject(nil, s))
	return domain.Stream(sharedCategory, hex.EncodeToString(sum[:16]))
}

func (s *Shared) read(ctx context.Context, subject streams.Subject) (*ring, error) {
	r := &ring{stream: streamOf(subject), revision: domain.NoRevision, first: domain.NoRevision}
	for e, err := range s.log.ReadStream(ctx, r.stream, streams.ReadStream{}) {
		if errors.Is(err, streams.ErrStreamNotFound) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("shared keys: %w", err)
		}
		if err := r.fold(e); err != nil {
			return nil, fmt.Errorf("shared keys: %w", err)
		}
	}
	return r, nil
}

func (r *ring) fold(e streams.Recorded) error {
	if r.first == domain.NoRevision {
		r.first = e.Revision
	}
	r.revision = e.Revision
	switch e.Type {
	case typeMade:
		var m made
		if err := json.Unmarshal(e.Data, &m); err != nil {
			return fmt.Errorf("%s at %d: %w", e.Type, e.Position, err)
		}
		r.keys = append(slices.DeleteFunc(r.keys, func(k made) bool { return k.Key == m.Key }), m)
	case typeDestroyed:
		var d destroyed
		if err := d.decode(e); err != nil {
			return err
		}
		r.destroyed = d.Keys
		r.keys = slices.DeleteFunc(r.keys, func(k made) bool { return slices.Contains(d.Keys, k.Key) })
		r.begins = e.Revision - domain.Revision(d.Kept)
	default:
		return fmt.Errorf("%s at %d: unknown here", e.Type, e.Position)
	}
	return nil
}

// living finds the key under which new data of a subject is sealed.
func (r *ring) living(s streams.Subject) (uuid.UUID, bool) {
	for _, k := range r.keys {
		if k.of() == s {
			return k.Key, true
		}
	}
	return uuid.Nil, false
}

// key unwraps a key. A destroyed one opens nothing. Errors: ErrLost.
func (r *ring) key(master Master, id uuid.UUID) (*key, error) {
	if slices.Contains(r.destroyed, id) {
		return &key{id: id}, nil
	}
	for _, m := range r.keys {
		if m.Key != id {
			continue
		}
		plain, err := master.Unwrap(m.Wrapped, boundTo(id, m.of()))
		if err != nil {
			return nil, fmt.Errorf("subject key %s: %w", id, err)
		}
		return newKey(id, m.of(), plain)
	}
	return nil, fmt.Errorf("%w (key %s)", ErrLost, id)
}

// lacks tells whether any of some keys is not known to be destroyed.
func (r *ring) lacks(ids []uuid.UUID) bool {
	return slices.ContainsFunc(ids, func(id uuid.UUID) bool { return !slices.Contains(r.destroyed, id) })
}

// without is what to append so that some keys are destroyed and everything before
// can be hidden.
func (r *ring) without(ids []uuid.UUID) ([]streams.Proposed, error) {
	var out []streams.Proposed
	for _, m := range r.keys {
		if slices.Contains(ids, m.Key) {
			continue
		}
		p, err := m.propose()
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	gone := slices.Clone(r.destroyed)
	for _, id := range ids {
		if !slices.Contains(gone, id) {
			gone = append(gone, id)
		}
	}
	p, err := propose(typeDestroyed, destroyed{Keys: gone, Kept: int64(len(out))})
	return append(out, p), err
}

const (
	masterStream = domain.StreamID("masterkey-check")
	typeChosen   = "master_key.chosen.v1"
)

// ErrOtherMaster: the master key is not the one that the log's keys are wrapped with.
var ErrOtherMaster = errors.New("the master key is not the one this event log's secrets are sealed with: " +
	"every node needs the same STRATA_MASTER_KEY (after a rotation, the old keys behind the new)")

// checkMaster compares the master key with a text that the first process to come
// has wrapped.
func checkMaster(ctx context.Context, log streams.Store, master Master) error {
	bound := []byte("master key check")
	for e, err := range log.ReadStream(ctx, masterStream, streams.ReadStream{Limit: 1}) {
		if errors.Is(err, streams.ErrStreamNotFound) {
			break
		}
		if err != nil {
			return err
		}
		var c struct{ Wrapped []byte }
		if err := json.Unmarshal(e.Data, &c); err != nil {
			return fmt.Errorf("%s at %d: %w", e.Type, e.Position, err)
		}
		if _, err := master.Unwrap(c.Wrapped, bound); err != nil {
			return errors.Join(ErrOtherMaster, err)
		}
		return nil
	}
	wrapped, err := master.Wrap([]byte("strata"), bound)
	if err != nil {
		return err
	}
	p, err := propose(typeChosen, struct {
		Wrapped []byte `json:"wrapped"`
	}{wrapped})
	if err != nil {
		return err
	}
	_, err = log.Append(ctx, masterStream, streams.NoStream, p)
	if _, faster := errors.AsType[*streams.WrongRevision](err); faster {
		return checkMaster(ctx, log, master)
	}
	return err
}
