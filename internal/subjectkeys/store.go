package subjectkeys

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/uuid"

	"strata/domain"
	"strata/internal/sqlite"
	"strata/streams"
)

// keySize is the length of a subject's key in bytes (AES-256).
const keySize = 32

// cachedKeys is how many unwrapped keys are kept in memory, about 1 KB each.
const cachedKeys = 8192

// ErrLost: data is sealed under a key that this store has never held. The store
// is not the one that belongs to the log: restore it from a backup.
var ErrLost = errors.New("the subject key is not in the key store, which does not belong to this log or is out of date")

// ErrDamaged: sealed data was changed, or moved to another event or subject.
var ErrDamaged = errors.New("the sealed data is damaged")

// schema: ids are UUIDv7, so that keys made one after another are neighbours.
const schema = `
CREATE TABLE IF NOT EXISTS subject_keys (
  id           BLOB PRIMARY KEY,
  organization TEXT NOT NULL,
  workspace    TEXT NOT NULL,
  subject      TEXT NOT NULL,
  key          BLOB,             -- wrapped with the master key; NULL once destroyed
  made_at      INTEGER NOT NULL, -- Unix microseconds
  destroyed_at INTEGER NOT NULL, -- 0 while the key lives
  ended        BLOB NOT NULL     -- empty while the key lives, then its id: a subject has one living key
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS subject_keys_of ON subject_keys (subject, workspace, organization, ended);
`

// Master wraps keys so that the file alone opens nothing.
type Master interface {
	// Wrap encrypts a key; what is bound must be the same to unwrap it.
	Wrap(plain, bound []byte) ([]byte, error)
	Unwrap(wrapped, bound []byte) ([]byte, error)
}

// key is an unwrapped key.
type key struct {
	id      uuid.UUID
	subject streams.Subject
	aead    cipher.AEAD // nil when the key was destroyed
}

// Store keeps keys. It implements streams.Keys and is safe for concurrent use.
type Store struct {
	db     *sqlite.DB
	master Master
	fresh  bool

	mu     sync.Mutex // guards the fields below
	cache  cache
	epoch  int // counts destructions: what was read before one may be out of date
	ahead  window
	wants  []*want
	making bool // make is running
}

// want is a caller that waits for its subject to have a key.
type want struct {
	subject streams.Subject
	done    chan struct{} // closed when the fields below are set
	key     *key
	err     error
}

// Open opens the key store in a file, making it when it is not there.
func Open(ctx context.Context, path string, master Master) (*Store, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("key store: %w", err)
	}
	db, err := sqlite.Open(ctx, path, sqlite.Options{Durable: true, Readers: 2, WriteKiB: 2048, MmapMiB: 16})
	if err != nil {
		return nil, fmt.Errorf("key store: %w", err)
	}
	s := &Store{db: db, master: master, cache: newCache(cachedKeys)}
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("key store: %w", err), db.Close())
	}
	return s, nil
}

func (s *Store) prepare(ctx context.Context) error {
	if err := os.Chmod(s.db.Path(), 0o600); err != nil {
		return err
	}
	err := s.db.Write(ctx, func(tx *sqlite.Tx) error {
		_, err := tx.Exec(ctx, schema)
		return err
	})
	if err != nil {
		return err
	}
	var rows int
	if err := s.db.QueryRow(ctx, "SELECT count(*) FROM (SELECT 1 FROM subject_keys LIMIT 1)").Scan(&rows); err != nil {
		return sqlite.Classify(err)
	}
	s.fresh = rows == 0
	// A crash after a destruction may have left the key in the write-ahead log.
	return s.db.Scrub(ctx)
}

// Fresh tells whether the store held no key when it was opened: then nothing in
// the log may be sealed yet.
func (s *Store) Fresh() bool { return s.fresh }

// Close closes the file.
func (s *Store) Close() error { return s.db.Close() }

// current returns the living key of a subject, making one when there is none.
func (s *Store) current(subject streams.Subject) (*key, error) {
	s.mu.Lock()
	if k := s.cache.current(subject); k != nil {
		s.mu.Unlock()
		return k, nil
	}
	w := &want{subject: subject, done: make(chan struct{})}
	s.wants = append(s.wants, w)
	if !s.making {
		s.making = true
		go s.make()
	}
	s.mu.Unlock()
	<-w.done
	return w.key, w.err
}

// make gives keys to those who wait, as long as somebody does. While one batch
// is written the next one gathers, so that a sync serves all of it.
func (s *Store) make() {
	for {
		s.mu.Lock()
		batch := s.wants
		s.wants = nil
		s.making = len(batch) > 0
		s.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		s.fill(batch)
		for _, w := range batch {
			close(w.done)
		}
	}
}

// fill finds or makes the keys of a batch, durably.
func (s *Store) fill(batch []*want) {
	ctx := context.Background() // what is written is everybody's
	s.mu.Lock()
	epoch := s.epoch
	s.mu.Unlock()
	made := make(map[streams.Subject]*key, len(batch))
	err := s.db.Write(ctx, func(tx *sqlite.Tx) error {
		for _, w := range batch {
			if made[w.subject] != nil {
				continue
			}
			k, err := s.ensure(ctx, tx, w.subject)
			if err != nil {
				return err
			}
			made[w.subject] = k
		}
		return nil
	})
	if err != nil {
		err = fmt.Errorf("key store: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range batch {
		if w.err = err; err != nil {
			continue
		}
		w.key = made[w.subject]
		if s.epoch == epoch {
			s.cache.add(w.key)
		}
	}
}

// ensure inserts a key for a subject unless it has one.
func (s *Store) ensure(ctx context.Context, tx *sqlite.Tx, subject streams.Subject) (*key, error) {
	id, plain := domain.NewEventID(), newSecret()
	wrapped, err := s.master.Wrap(plain, boundTo(id, subject))
	if err != nil {
		return nil, err
	}
	r, err := tx.Exec(ctx, `INSERT INTO subject_keys (id, organization, workspace, subject, key, made_at, destroyed_at, ended)
		VALUES (?, ?, ?, ?, ?, ?, 0, x'')
		ON CONFLICT DO NOTHING`, id[:], subject.Organization, subject.Workspace, subject.ID, wrapped, time.Now().UnixMicro())
	if err != nil {
		return nil, err
	}
	if n, err := r.RowsAffected(); err != nil || n == 1 {
		if err != nil {
			return nil, err
		}
		return newKey(id, subject, plain)
	}
	row := tx.QueryRow(ctx, `SELECT `+columns+` FROM subject_keys
		WHERE subject = ? AND workspace = ? AND organization = ? AND ended = x''`, subject.ID, subject.Workspace, subject.Organization)
	return s.scan(row)
}

const columns = "id, organization, workspace, subject, key"

// scan reads a row of columns.
func (s *Store) scan(row interface{ Scan(into ...any) error }) (*key, error) {
	var id, wrapped []byte
	var subject streams.Subject
	if err := row.Scan(&id, &subject.Organization, &subject.Workspace, &subject.ID, &wrapped); err != nil {
		return nil, sqlite.Classify(err)
	}
	k := &key{subject: subject}
	if len(id) != len(k.id) {
		return nil, fmt.Errorf("%w: a key has a malformed id", sqlite.ErrCorrupt)
	}
	copy(k.id[:], id)
	if wrapped == nil {
		return k, nil
	}
	plain, err := s.master.Unwrap(wrapped, boundTo(k.id, subject))
	if err != nil {
		return nil, fmt.Errorf("subject key %s: %w", k.id, err)
	}
	return newKey(k.id, subject, plain)
}

// newSecret draws a key.
func newSecret() []byte {
	plain := make([]byte, keySize)
	_, _ = rand.Read(plain) // it never fails, says its documentation
	return plain
}

func newKey(id uuid.UUID, subject streams.Subject, plain []byte) (*key, error) {
	block, err := aes.NewCipher(plain)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	return &key{id: id, subject: subject, aead: aead}, err
}

// boundTo ties a wrapped key to its row.
func boundTo(id uuid.UUID, s streams.Subject) []byte {
	return appendSubject(append([]byte("subject key\x00"), id[:]...), s)
}

// appendSubject writes a subject so that no two read the same.
func appendSubject(b []byte, s streams.Subject) []byte {
	return fmt.Appendf(b, "%d:%s%d:%s%s", len(s.Organization), s.Organization, len(s.Workspace), s.Workspace, s.ID)
}
