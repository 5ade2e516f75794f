package subjectkeys

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"strata/domain"
	"strata/internal/sqlite"
	"strata/streams"
)

var _ streams.Keys = (*Store)(nil)

// Seal implements streams.Keys. What it makes is the key's id, a nonce, and the
// data encrypted with AES-256-GCM, which also authenticates subject and bound.
func (s *Store) Seal(dst []byte, subject streams.Subject, bound, data []byte) ([]byte, error) {
	k, err := s.current(subject)
	if errors.Is(err, sqlite.ErrStorage) { // it may pass, and whoever waits can try again
		err = domain.Errorf(domain.CodeUnavailable, "no key can be kept for personal data, the disk is full or fails; nothing was written").Because(err)
	}
	if err != nil {
		return nil, err
	}
	return k.seal(dst, subject, bound, data)
}

// seal appends to dst what data reads as, sealed.
func (k *key) seal(dst []byte, subject streams.Subject, bound, data []byte) ([]byte, error) {
	size := k.aead.NonceSize()
	out := make([]byte, 0, len(dst)+len(k.id)+size+len(data)+k.aead.Overhead())
	out = append(append(out, dst...), k.id[:]...)
	nonce := out[len(out) : len(out)+size]
	if _, err := rand.Read(nonce); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return k.aead.Seal(out[:len(out)+size], nonce, data, authenticated(subject, bound)), nil
}

// Open implements streams.Keys. Errors: streams.ErrErased, ErrLost, ErrDamaged.
func (s *Store) Open(subject streams.Subject, bound, sealed []byte) ([]byte, error) {
	var id uuid.UUID
	if len(sealed) < len(id) {
		return nil, ErrDamaged
	}
	box := sealed[copy(id[:], sealed):]
	k, err := s.key(id)
	if err != nil {
		return nil, err
	}
	return k.open(subject, bound, box)
}

// open opens what seal made, without the key's id in front.
func (k *key) open(subject streams.Subject, bound, box []byte) ([]byte, error) {
	if k.aead == nil {
		return nil, streams.ErrErased
	}
	if len(box) < k.aead.NonceSize() {
		return nil, ErrDamaged
	}
	plain, err := k.aead.Open(nil, box[:k.aead.NonceSize()], box[k.aead.NonceSize():], authenticated(subject, bound))
	if err != nil {
		return nil, ErrDamaged
	}
	return plain, nil
}

func authenticated(s streams.Subject, bound []byte) []byte {
	out := make([]byte, 0, 16+len(s.Organization)+len(s.Workspace)+len(s.ID)+len(bound))
	out = append(out, byte(len(bound)))
	return appendSubject(append(out, bound...), s)
}

// key finds a key by id.
func (s *Store) key(id uuid.UUID) (*key, error) {
	for {
		s.mu.Lock()
		if k := s.cache.byID(id); k != nil {
			s.mu.Unlock()
			return k, nil
		}
		epoch, limit := s.epoch, s.ahead.next(id)
		s.mu.Unlock()
		keys, err := s.read(id, limit)
		if err != nil {
			return nil, err
		}
		if len(keys) == 0 || keys[0].id != id {
			return nil, fmt.Errorf("%w (key %s)", ErrLost, id)
		}
		s.mu.Lock()
		current := s.epoch == epoch
		if current {
			for _, k := range keys {
				s.cache.add(k)
			}
			s.ahead.reached(keys[len(keys)-1].id)
		}
		s.mu.Unlock()
		if current {
			return keys[0], nil
		}
	}
}

// read reads a key and those made after it.
func (s *Store) read(id uuid.UUID, limit int) (keys []*key, err error) {
	rows, err := s.db.Query(context.Background(), "SELECT "+columns+" FROM subject_keys WHERE id >= ? ORDER BY id LIMIT ?", id[:], limit)
	if err != nil {
		return nil, fmt.Errorf("key store: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		k, err := s.scan(rows)
		if err != nil {
			return nil, fmt.Errorf("key store: %w", err)
		}
		keys = append(keys, k)
	}
	return keys, sqlite.Classify(rows.Err())
}

// Key describes a key of a subject.
type Key struct {
	ID        uuid.UUID
	Subject   streams.Subject
	Destroyed bool
}

// Find lists the keys of a subject in a workspace, destroyed ones too. An empty
// workspace stands for all of the organization, an empty organization for any.
func (s *Store) Find(ctx context.Context, subject streams.Subject) (found []Key, err error) {
	rows, err := s.db.Query(ctx, `SELECT id, organization, workspace, subject, key IS NULL FROM subject_keys
		WHERE subject = ?1 AND (?2 = '' OR workspace = ?2) AND (?3 = '' OR organization = ?3) ORDER BY id`,
		subject.ID, subject.Workspace, subject.Organization)
	if err != nil {
		return nil, fmt.Errorf("key store: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var k Key
		var id []byte
		if err := rows.Scan(&id, &k.Subject.Organization, &k.Subject.Workspace, &k.Subject.ID, &k.Destroyed); err != nil {
			return nil, sqlite.Classify(err)
		}
		copy(k.ID[:], id)
		found = append(found, k)
	}
	return found, sqlite.Classify(rows.Err())
}

// Living lists the keys of a subject that are not destroyed, as Find finds them.
func (s *Store) Living(ctx context.Context, subject streams.Subject) ([]uuid.UUID, error) {
	all, err := s.Find(ctx, subject)
	var living []uuid.UUID
	for _, k := range all {
		if !k.Destroyed {
			living = append(living, k.ID)
		}
	}
	return living, err
}

// Destroy destroys keys for good; keys that are not there, or are destroyed
// already, are passed over. A key's id is enough to find it. When it returns, the keys are neither in
// memory nor on disk.
func (s *Store) Destroy(ctx context.Context, keys []streams.SubjectKey, at time.Time) error {
	err := s.db.Write(ctx, func(tx *sqlite.Tx) error {
		for _, k := range keys {
			if _, err := tx.Exec(ctx, "UPDATE subject_keys SET key = NULL, destroyed_at = ?, ended = id WHERE id = ? AND key IS NOT NULL", at.UnixMicro(), k.ID[:]); err != nil {
				return err
			}
		}
		return nil
	})
	s.mu.Lock()
	s.epoch++
	for _, k := range keys {
		s.cache.drop(k.ID)
	}
	s.mu.Unlock()
	if err != nil {
		return fmt.Errorf("key store: %w", err)
	}
	return s.db.Scrub(ctx)
}
