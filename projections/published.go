package projections

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"strata/domain"
	"strata/internal/sqlite"
)

// incoming ends the name of a file that comes from elsewhere and is not whole yet.
const incoming = ".incoming"

// ErrUnfit says that a model's file cannot begin another runner's: it is not
// finished, or events are parked beside it, which elsewhere may not fail.
var ErrUnfit = errors.New("read model file is no beginning for another")

// Models are those that the runner keeps.
func (r *Runner) Models() []Model {
	all := make([]Model, len(r.workers))
	for i, w := range r.workers {
		all[i] = w.model
	}
	return all
}

// Copy writes the rows of a model, as of one moment, to a file that another
// runner can go on from, and tells how far they reflect the log. The model is read
// and written meanwhile. Errors: NOT_FOUND; SERVICE_UNAVAILABLE while the model is
// being built; ErrUnfit.
func (r *Runner) Copy(ctx context.Context, model, to string) (domain.Position, error) {
	w, err := r.worker(model)
	if err != nil {
		return 0, err
	}
	if err := w.ready(); err != nil {
		return 0, err
	}
	l := w.handle.hold()
	defer l.mu.RUnlock() // a rebuild waits for it with removing the file
	if err := sqlite.Copy(ctx, l.db.Path(), to); err != nil {
		return 0, err
	}
	return Inspect(ctx, to, w.model)
}

// Inspect tells how far a file that Copy has made reflects the log. Errors:
// ErrUnfit, or one that matches sqlite.ErrCorrupt.
func Inspect(ctx context.Context, path string, m Model) (domain.Position, error) {
	f, err := openFile(ctx, path, sqlite.Options{}, m, nil, existing)
	if err != nil {
		return 0, err
	}
	at, fit := f.saved, f.indexed && !f.building && len(f.parked) == 0
	if err := f.close(); err != nil {
		return 0, err
	}
	if !fit {
		return 0, fmt.Errorf("%s: %w", path, ErrUnfit)
	}
	return at, nil
}

// Fingerprint tells models apart whose rows mean something else, though a version
// may have been forgotten.
func Fingerprint(m Model) string {
	text := strings.Join([]string{FileName(m), m.Schema(), m.Indexes(), bookkeeping}, "\x00")
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// Kept tells whether there is a file of a model's version in a directory.
func Kept(dir string, m Model) (bool, error) {
	all, err := generations(dir, m)
	return len(all) > 0, err
}

// Incoming is where to write the file of a model before Adopt. Open removes what
// was left there.
func Incoming(dir string, m Model) string { return filepath.Join(dir, FileName(m)+incoming) }

// Adopt makes the file at Incoming the model's, of which there must be none. It is
// called before Open.
func Adopt(dir string, m Model) error {
	if err := os.Rename(Incoming(dir, m), filepath.Join(dir, FileName(m))); err != nil {
		return fmt.Errorf("read model %s: %w", m.Name(), err)
	}
	return nil
}

// removeIncoming deletes what a process that died has left half copied.
func removeIncoming(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, "*"+incoming+"*"))
	for _, path := range left {
		if gone := os.Remove(path); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	return err
}
