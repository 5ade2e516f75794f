package copies

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"strata/domain"
	"strata/domain/privacy"
	"strata/projections"
	"strata/streams"
)

// errErasing says that no copy can be made now.
var errErasing = errors.New("an erasure is not complete")

// lookEvery is how often Run looks for what is due, at most: after an erasure the
// shelf is empty, and is not to stay so for long.
const lookEvery = time.Minute

// Run puts copies on the shelf until ctx ends, of each model one every Every. One
// process of an installation does it at a time.
func (s *Shelf) Run(ctx context.Context, r *projections.Runner) error {
	if err := r.WaitLive(ctx); err != nil {
		return err
	}
	tick := time.NewTicker(min(s.cfg.Every, lookEvery))
	defer tick.Stop()
	for {
		if err := s.Publish(ctx, r); err != nil && ctx.Err() == nil {
			s.cfg.Logger.WarnContext(ctx, "read models are not copied for new nodes; trying again", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Publish copies the models whose newest copy is older than Every, and keeps the
// last two of each. While an erasure is going on it does nothing.
func (s *Shelf) Publish(ctx context.Context, r *projections.Runner) error {
	if err := os.MkdirAll(s.cfg.Dir, 0o700); err != nil {
		return fmt.Errorf("copies of read models: %w", err)
	}
	var errs []error
	for _, m := range r.Models() {
		err := s.publish(ctx, r, m)
		switch {
		case errors.Is(err, errErasing) || errors.Is(err, projections.ErrUnfit):
			s.cfg.Logger.DebugContext(ctx, "read model is not copied now", "model", m.Name(), "cause", err)
		case err != nil:
			errs = append(errs, fmt.Errorf("copy read model %s: %w", m.Name(), err))
		}
	}
	return errors.Join(errs...)
}

// publish puts a copy of one model on the shelf, if one is due.
func (s *Shelf) publish(ctx context.Context, r *projections.Runner, m projections.Model) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if due, err := s.tidy(m); err != nil || !due {
		return err
	}
	erasure, open, err := s.erasures(ctx)
	if err != nil {
		return err
	}
	if open {
		return errErasing
	}
	unique := domain.NewEventID()
	name := func(at domain.Position) string { return fmt.Sprintf("%s%020d-%x", prefix(m), at, unique[12:]) }
	making := filepath.Join(s.cfg.Dir, name(0)+unfinished)
	if err := os.Mkdir(making, 0o700); err != nil {
		return err
	}
	published := false
	defer func() {
		if !published {
			err = errors.Join(err, os.RemoveAll(making))
		}
	}()
	manifest, err := s.make(ctx, r, m, making)
	if err != nil || manifest.Mark.Event == uuid.Nil { // nothing to begin with
		return err
	}
	manifest.Erasure = erasure
	if err := errors.Join(s.write(making, manifest), syncDir(making)); err != nil {
		return err
	}
	s.cfg.At("copies.written")
	// An erasure that begins after this finds the copy on the shelf, as Clear waits.
	if now, open, err := s.erasures(ctx); err != nil || open || now != erasure {
		return errors.Join(err, errErasing)
	}
	if err := os.Rename(making, filepath.Join(s.cfg.Dir, name(manifest.Position))); err != nil {
		return err
	}
	published = true
	s.cfg.Logger.DebugContext(ctx, "read model is copied for new nodes", "model", m.Name(), "position", manifest.Position)
	if err := syncDir(s.cfg.Dir); err != nil {
		return err
	}
	_, err = s.tidy(m)
	return err
}

// make writes the rows of a model into a directory and says what they are.
func (s *Shelf) make(ctx context.Context, r *projections.Runner, m projections.Model, dir string) (Manifest, error) {
	none := Manifest{}
	path := filepath.Join(dir, rowsFile)
	at, err := r.Copy(ctx, m.Name(), path)
	if err != nil {
		return none, err
	}
	s.cfg.At("copies.rows")
	sum, err := copyFile(ctx, path, "")
	if err != nil {
		return none, err
	}
	mark, err := s.mark(ctx, m)
	return Manifest{Model: m.Name(), Version: m.Version(), Fingerprint: projections.Fingerprint(m), Position: at, Mark: mark,
		SHA256: sum, Node: s.cfg.Node, At: s.cfg.Now().UTC()}, err
}

// tidy removes what is too much of a model's copies, is left half made, cannot be
// trusted or is of versions that nobody copies any more, and tells whether another
// copy is due.
func (s *Shelf) tidy(m projections.Model) (due bool, err error) {
	all, err := s.entries()
	if err != nil {
		return false, err
	}
	good, bad, err := s.of(m)
	if err != nil {
		return false, err
	}
	stays := func(name string) bool {
		if !strings.HasPrefix(name, m.Name()+"-v") {
			return true
		}
		if !strings.HasPrefix(name, prefix(m)) { // of another version, which a node of another release may copy
			manifest, err := s.read(name)
			return err == nil && s.cfg.Now().Sub(manifest.At) < 2*s.cfg.Every
		}
		return bad[name] == nil && slices.ContainsFunc(good[:min(keep, len(good))], func(c copied) bool { return c.name == name })
	}
	var errs []error
	for _, name := range all {
		if !stays(name) {
			errs = append(errs, s.remove(name))
		}
	}
	return len(good) == 0 || s.cfg.Now().Sub(good[0].At) >= s.cfg.Every, errors.Join(errs...)
}

// erasures tells which erasure was begun last, 0 for none, and whether any is
// going on.
func (s *Shelf) erasures(ctx context.Context) (last domain.Position, open bool, err error) {
	going := map[domain.StreamID]bool{}
	for r, err := range s.cfg.Store.ReadAll(ctx, streams.ReadAll{Filter: &streams.Filter{Categories: []string{privacy.Erasures.Category}}}) {
		if err != nil {
			return 0, false, fmt.Errorf("read the erasures: %w", err)
		}
		switch r.Type {
		case privacy.SubjectErased{}.EventType():
			going[r.Stream], last = true, r.Position
		case privacy.ErasureCompleted{}.EventType():
			delete(going, r.Stream)
		}
	}
	return last, len(going) > 0, nil
}

// mark is the last event of the log that concerns a model; none when there is no such.
func (s *Shelf) mark(ctx context.Context, m projections.Model) (Mark, error) {
	for r, err := range s.cfg.Store.ReadAll(ctx, streams.ReadAll{Backwards: true, Limit: 1, Filter: m.Filter()}) {
		if err != nil {
			return Mark{}, fmt.Errorf("last event of the model: %w", err)
		}
		return Mark{Stream: r.Stream, Revision: r.Revision, Event: r.ID}, nil
	}
	return Mark{}, nil
}

// marked tells whether the log has an event.
func (s *Shelf) marked(ctx context.Context, m Mark) (bool, error) {
	for r, err := range s.cfg.Store.ReadStream(ctx, m.Stream, streams.ReadStream{From: m.Revision, Limit: 1}) {
		if errors.Is(err, streams.ErrStreamNotFound) || errors.Is(err, streams.ErrTombstoned) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("read %s: %w", m.Stream, err)
		}
		return r.Revision == m.Revision && r.ID == m.Event, nil
	}
	return false, nil
}
