// Package snapshots keeps folded states of long streams in one SQLite file, so
// that a command on a stream of 100,000 events need not fold them all when the
// state is not in memory. It implements commands.Snapshots.
//
// The file is a cache and nothing else: it is written behind the log, may miss
// what was written last, and may be deleted while the server stands still. What
// is damaged, or was folded by another program, counts as missing. States with
// personal data are sealed under the keys of those they are about, like the
// events they were folded from; [Store.Forget] deletes them all the same, so
// that nothing of a forgotten person stays on disk, not even sealed.
package snapshots

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"

	"strata/commands"
	"strata/domain"
	"strata/internal/sqlite"
	"strata/streams"
)

// Config of a Store.
type Config struct {
	Path   string       // of the file
	Keys   streams.Keys // nil: states are kept as they are
	Logger *slog.Logger

	// MaxPending bounds the snapshots that wait to be written; what comes beyond
	// is dropped. 1,024 when 0.
	MaxPending int
	// MaxState is the largest state that is kept, in bytes; 8 MiB when 0.
	MaxState int
	// Every is how long snapshots are gathered for one transaction; 100 ms when 0.
	Every time.Duration
}

func (c *Config) setDefaults() {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.MaxPending == 0 {
		c.MaxPending = 1024
	}
	if c.MaxState == 0 {
		c.MaxState = 8 << 20
	}
	if c.Every == 0 {
		c.Every = 100 * time.Millisecond
	}
}

// Store keeps snapshots. It is safe for concurrent use.
type Store struct {
	cfg  Config
	db   *sqlite.DB
	seed maphash.Seed

	mu      sync.Mutex
	pending map[domain.StreamID]commands.Snapshot // the newest of each stream
	leaving map[domain.StreamID]commands.Snapshot // what is being written, until it can be read from the file
	known   map[uint64]struct{}                   // hashes of the streams in the file: most have none, and are not looked for
	wake    chan struct{}                         // holds one token while something is pending

	writing sync.Mutex // held while snapshots are written or forgotten

	stop chan struct{}
	done chan struct{}
	once sync.Once
}

var _ commands.Snapshots = (*Store)(nil)

const schema = `
CREATE TABLE IF NOT EXISTS snapshots (
  stream   TEXT NOT NULL,
  revision INTEGER NOT NULL,
  fold     TEXT NOT NULL, -- of which program the state is
  event    BLOB NOT NULL, -- id of the event at revision
  keys     BLOB, -- remembered idempotency keys and their SHA-256; of the newest snapshot only
  state    BLOB NOT NULL, -- sealed, if anybody is in about
  about    TEXT NOT NULL, -- whose keys seal the state, in order, as JSON
  sum      BLOB NOT NULL, -- SHA-256 of the rest without the keys
  PRIMARY KEY (stream, revision)
);
CREATE TABLE IF NOT EXISTS about (
  organization TEXT NOT NULL,
  workspace    TEXT NOT NULL,
  id           TEXT NOT NULL,
  stream       TEXT NOT NULL,
  PRIMARY KEY (organization, workspace, id, stream)
) WITHOUT ROWID;`

// Open opens the file, or makes it. A damaged one is thrown away.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	cfg.setDefaults()
	s := &Store{cfg: cfg, seed: maphash.MakeSeed(), pending: map[domain.StreamID]commands.Snapshot{}, known: map[uint64]struct{}{},
		wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	err := s.open(ctx)
	if errors.Is(err, sqlite.ErrCorrupt) {
		cfg.Logger.WarnContext(ctx, "the snapshots are damaged and thrown away; states are folded from the log", "file", cfg.Path, "error", err)
		if err = remove(cfg.Path); err == nil {
			err = s.open(ctx)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("snapshots: %w", err)
	}
	go s.run()
	return s, nil
}

func (s *Store) open(ctx context.Context) error {
	db, err := sqlite.Open(ctx, s.cfg.Path, sqlite.Options{Readers: 2, CacheKiB: 512, WriteKiB: 2048})
	if err != nil {
		return err
	}
	err = db.Write(ctx, func(tx *sqlite.Tx) error {
		_, err := tx.Exec(ctx, schema)
		return err
	})
	if err == nil {
		err = s.learn(ctx, db)
	}
	if err != nil {
		return errors.Join(sqlite.Classify(err), db.Close())
	}
	s.db = db
	return nil
}

// learn reads which streams have snapshots.
func (s *Store) learn(ctx context.Context, db *sqlite.DB) error {
	rows, err := db.Query(ctx, "SELECT DISTINCT stream FROM snapshots")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var stream string
		if err := rows.Scan(&stream); err != nil {
			return err
		}
		s.known[maphash.String(s.seed, stream)] = struct{}{}
	}
	return rows.Err()
}

func remove(path string) error {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Close writes what is pending and closes the file.
func (s *Store) Close() error {
	s.once.Do(func() { close(s.stop) })
	<-s.done
	s.flush()
	return s.db.Close()
}

// Latest implements commands.Snapshots.
func (s *Store) Latest(ctx context.Context, stream domain.StreamID, fold string, upTo domain.Revision) (commands.Snapshot, bool) {
	s.mu.Lock()
	waiting, pending := s.pending[stream]
	if !pending {
		waiting, pending = s.leaving[stream]
	}
	_, known := s.known[maphash.String(s.seed, string(stream))]
	s.mu.Unlock()
	if pending && waiting.Fold == fold && waiting.Revision <= upTo {
		return waiting, true
	}
	if !known {
		return commands.Snapshot{}, false
	}
	snap, err := s.read(ctx, stream, fold, upTo)
	if err != nil {
		if !errors.Is(err, sql.ErrNoRows) {
			s.cfg.Logger.WarnContext(ctx, "a snapshot cannot be read; its stream is", "stream", stream, "error", err)
		}
		return commands.Snapshot{}, false
	}
	return snap, true
}

func (s *Store) read(ctx context.Context, stream domain.StreamID, fold string, upTo domain.Revision) (commands.Snapshot, error) {
	r := row{stream: stream, fold: fold}
	err := s.db.QueryRow(ctx, `SELECT revision, event, keys, state, about, sum FROM snapshots
		WHERE stream = ? AND revision <= ? AND fold = ? ORDER BY revision DESC LIMIT 1`, string(stream), int64(upTo), fold).
		Scan(&r.revision, &r.event, &r.keys, &r.state, &r.about, &r.sum)
	if err != nil {
		return commands.Snapshot{}, err
	}
	keys, sound := splitSum(r.keys)
	if !sound || !bytes.Equal(r.checksum(), r.sum) {
		return commands.Snapshot{}, errors.New("it is damaged")
	}
	event, err := uuid.FromBytes(r.event)
	if err != nil {
		return commands.Snapshot{}, err
	}
	snap := commands.Snapshot{Stream: stream, Revision: r.revision, Event: event, Fold: fold, Keys: keys, State: r.state}
	if snap.About, err = readAbout(r.about); err != nil {
		return snap, err
	}
	return snap, s.unseal(&snap)
}

// Put implements commands.Snapshots.
func (s *Store) Put(snap commands.Snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, waits := s.pending[snap.Stream]; len(snap.State) > s.cfg.MaxState || !waits && len(s.pending) >= s.cfg.MaxPending {
		return
	}
	s.pending[snap.Stream] = snap
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run writes what is pending, gathered for a moment.
func (s *Store) run() {
	defer close(s.done)
	for {
		select {
		case <-s.wake:
		case <-s.stop:
			return
		}
		gather := time.NewTimer(s.cfg.Every)
		select {
		case <-gather.C:
		case <-s.stop:
			gather.Stop()
			return
		}
		s.flush()
	}
}

// flush writes everything pending in one transaction. It is only a cache: what
// cannot be written is dropped.
func (s *Store) flush() {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	batch := s.pending
	s.pending, s.leaving = map[domain.StreamID]commands.Snapshot{}, batch
	s.mu.Unlock()
	if len(batch) == 0 {
		return
	}
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.leaving = nil
	}()
	ctx := context.Background()
	err := s.db.Write(ctx, func(tx *sqlite.Tx) error {
		for _, snap := range batch {
			if err := s.write(ctx, tx, snap); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.cfg.Logger.WarnContext(ctx, "snapshots could not be written; states are folded from the log", "count", len(batch), "error", err)
		return
	}
	s.mu.Lock()
	for stream := range batch {
		s.known[maphash.String(s.seed, string(stream))] = struct{}{}
	}
	s.mu.Unlock()
}

func (s *Store) write(ctx context.Context, tx *sqlite.Tx, snap commands.Snapshot) error {
	if err := s.seal(&snap); err != nil {
		s.cfg.Logger.WarnContext(ctx, "a snapshot could not be sealed", "stream", snap.Stream, "error", err)
		return nil
	}
	about, err := writeAbout(snap.About)
	if err != nil {
		return err
	}
	r := row{stream: snap.Stream, revision: snap.Revision, fold: snap.Fold, event: snap.Event[:], keys: snap.Keys, state: snap.State, about: about}
	for _, st := range []struct {
		sql  string
		args []any
	}{
		// States of another program would be left without their keys below.
		{`DELETE FROM snapshots WHERE stream = ? AND (fold <> ? OR revision >= ?)`, []any{string(r.stream), r.fold, int64(r.revision)}},
		{`UPDATE snapshots SET keys = NULL WHERE stream = ?`, []any{string(r.stream)}},
		{`INSERT INTO snapshots (stream, revision, fold, event, keys, state, about, sum) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
			[]any{string(r.stream), int64(r.revision), r.fold, r.event, withSum(r.keys), r.state, r.about, r.checksum()}},
		{`DELETE FROM snapshots WHERE stream = ? AND revision <= coalesce((SELECT revision FROM snapshots WHERE stream = ?
			ORDER BY revision DESC LIMIT 1 OFFSET ?), -1)`, []any{string(r.stream), string(r.stream), commands.SnapshotsKept}},
	} {
		if _, err := tx.Exec(ctx, st.sql, st.args...); err != nil {
			return err
		}
	}
	for _, who := range snap.About {
		if _, err := tx.Exec(ctx, `INSERT OR IGNORE INTO about (organization, workspace, id, stream) VALUES (?, ?, ?, ?)`,
			who.Organization, who.Workspace, who.ID, string(r.stream)); err != nil {
			return err
		}
	}
	return nil
}

// Forget implements commands.Snapshots.
func (s *Store) Forget(ctx context.Context, who streams.Subject) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	clear(s.pending) // of everybody: simpler than right for a few, and only a cache
	s.mu.Unlock()
	err := s.db.Write(ctx, func(tx *sqlite.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM snapshots WHERE stream IN (SELECT stream FROM about WHERE organization = ? AND workspace = ? AND id = ?)`,
			who.Organization, who.Workspace, who.ID)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `DELETE FROM about WHERE organization = ? AND workspace = ? AND id = ?`, who.Organization, who.Workspace, who.ID)
		return err
	})
	if err != nil {
		return fmt.Errorf("forget snapshots: %w", err)
	}
	// What was deleted is overwritten in the file, but still in the file of changes.
	if err := s.db.Scrub(ctx); err != nil {
		return fmt.Errorf("forget snapshots: %w", err)
	}
	return nil
}
