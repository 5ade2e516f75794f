package copies

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"strata/domain"
	"strata/internal/sqlite"
	"strata/projections"
)

// Fetch gives a process that has no file of a model's version the newest copy that
// fits, in the directory where its runner will keep them. What does not fit is told
// to the logger and passed over: such a model is folded from the log, so that the
// only errors are of the process's own directory and of the log. It is called
// before projections.Open, after erasures know of this process.
func (s *Shelf) Fetch(ctx context.Context, dir string, models []projections.Model) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("copies of read models: %w", err)
	}
	for _, m := range models {
		kept, err := projections.Kept(dir, m)
		if err != nil {
			return fmt.Errorf("copies of read models: %w", err)
		}
		if kept {
			continue
		}
		if err := s.fetch(ctx, dir, m); err != nil {
			return fmt.Errorf("copy of read model %s: %w", m.Name(), err)
		}
	}
	return nil
}

func (s *Shelf) fetch(ctx context.Context, dir string, m projections.Model) error {
	log := s.cfg.Logger.With("model", m.Name())
	good, bad, err := s.of(m)
	if err != nil {
		log.WarnContext(ctx, "copies of read models cannot be read; the model is folded from the log", "error", err)
		return nil
	}
	for name, why := range bad {
		log.WarnContext(ctx, "copy of a read model is ignored", "copy", name, "cause", why)
	}
	for _, c := range good {
		why, err := s.fits(ctx, m, c.Manifest)
		if err != nil {
			return err
		}
		if why == nil {
			why = s.take(ctx, dir, m, c)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if why == nil {
			log.InfoContext(ctx, "read model begins with another node's copy", "copy", c.name, "position", c.Position, "node", c.Node)
			return nil
		}
		log.WarnContext(ctx, "copy of a read model is ignored", "copy", c.name, "cause", why)
	}
	return nil
}

// fits tells why a copy is none to begin with, as far as its manifest says.
func (s *Shelf) fits(ctx context.Context, m projections.Model, c Manifest) (why, err error) {
	if c.Model != m.Name() || c.Version != m.Version() || c.Fingerprint != projections.Fingerprint(m) {
		return errors.New("it is of another form of the read model"), nil
	}
	head, err := s.cfg.Store.Head(ctx)
	if err != nil {
		return nil, fmt.Errorf("head of the log: %w", err)
	}
	if c.Position > head {
		return errors.New("it is ahead of the log"), nil
	}
	if there, err := s.marked(ctx, c.Mark); err != nil {
		return nil, err
	} else if !there {
		return errors.New("it is of another log"), nil
	}
	if erasure, _, err := s.erasures(ctx); err != nil {
		return nil, err
	} else if erasure != c.Erasure {
		return errors.New("somebody's data was erased since"), nil
	}
	return nil, nil
}

// take copies the rows and makes them the model's, if they are what the manifest says.
func (s *Shelf) take(ctx context.Context, dir string, m projections.Model, c copied) error {
	to := projections.Incoming(dir, m)
	sum, err := copyFile(ctx, filepath.Join(s.cfg.Dir, c.name, rowsFile), to)
	if err == nil && sum != c.SHA256 {
		err = errors.New("its rows are not those that its manifest tells of")
	}
	var at domain.Position
	if err == nil {
		s.cfg.At("copies.fetched")
		at, err = projections.Inspect(ctx, to, m)
	}
	if err == nil && at != c.Position {
		err = fmt.Errorf("its rows are of position %d, not %d", at, c.Position)
	}
	if err == nil {
		err = errors.Join(projections.Adopt(dir, m), syncDir(dir))
	}
	if err != nil {
		return errors.Join(err, sqlite.Remove(to))
	}
	return nil
}
