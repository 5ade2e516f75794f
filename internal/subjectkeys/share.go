package subjectkeys

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"strata/domain"
	"strata/internal/sqlite"
	"strata/streams"
)

// Share writes every key of the store, and which were destroyed, into a log where
// processes will share them: for the move of an installation from a log of its
// own to one of a server. It returns the number of keys. The log must hold no
// keys yet; the master key stays the same.
func (s *Store) Share(ctx context.Context, log streams.Store) (int, error) {
	if err := checkMaster(ctx, log, s.master); err != nil {
		return 0, fmt.Errorf("share keys: %w", err)
	}
	type keys struct {
		living    []streams.Proposed
		destroyed []uuid.UUID
	}
	of := map[domain.StreamID]*keys{}
	n := 0
	err := s.each(ctx, func(m made) error {
		n++
		stream := streamOf(m.of())
		k := of[stream]
		if k == nil {
			k = &keys{}
			of[stream] = k
		}
		if m.Wrapped == nil {
			k.destroyed = append(k.destroyed, m.Key)
			return nil
		}
		p, err := m.propose()
		k.living = append(k.living, p)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("share keys: %w", err)
	}
	for stream, k := range of {
		list := k.living
		if len(k.destroyed) > 0 {
			p, err := propose(typeDestroyed, destroyed{Keys: k.destroyed, Kept: int64(len(k.living))})
			if err != nil {
				return 0, err
			}
			list = append(list, p)
		}
		if _, err := log.Append(ctx, stream, streams.NoStream, list...); err != nil {
			return 0, fmt.Errorf("share keys: %w", err)
		}
	}
	return n, nil
}

// each visits every key, wrapped, in the order they were made in.
func (s *Store) each(ctx context.Context, visit func(made) error) (err error) {
	rows, err := s.db.Query(ctx, "SELECT "+columns+" FROM subject_keys ORDER BY id")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var id []byte
		var m made
		if err := rows.Scan(&id, &m.Organization, &m.Workspace, &m.Subject, &m.Wrapped); err != nil {
			return sqlite.Classify(err)
		}
		if len(id) != len(m.Key) {
			return fmt.Errorf("%w: a key has a malformed id", sqlite.ErrCorrupt)
		}
		copy(m.Key[:], id)
		if err := visit(m); err != nil {
			return err
		}
	}
	return sqlite.Classify(rows.Err())
}
