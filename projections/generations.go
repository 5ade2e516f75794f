package projections

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"strata/domain"
	"strata/internal/sqlite"
)

// A model's file is named after the model, its version and its generation:
// "sessions-v3.db", "sessions-v3.1.db", and so on. A rebuild beside the living
// file fills the next generation, which is marked as being built. Taking the
// mark away is the swap: one transaction, so that whenever the process dies
// exactly one file is the living one, the highest generation without the mark.

// FileName is the name of the first file that a runner keeps a model in. The
// version is part of it, so that an older binary finds its own file again.
func FileName(m Model) string { return generationName(m, 0) }

func generationName(m Model, generation int) string {
	if generation == 0 {
		return fmt.Sprintf("%s-v%d.db", m.Name(), m.Version())
	}
	return fmt.Sprintf("%s-v%d.%d.db", m.Name(), m.Version(), generation)
}

// generationOf reads the generation from a file's name; false for the file of
// another model or version.
func generationOf(m Model, path string) (int, bool) {
	base := filepath.Base(path)
	if base == FileName(m) {
		return 0, true
	}
	middle, ok := strings.CutPrefix(base, fmt.Sprintf("%s-v%d.", m.Name(), m.Version()))
	if !ok {
		return 0, false
	}
	n, err := strconv.Atoi(strings.TrimSuffix(middle, ".db"))
	return n, err == nil && n > 0 && generationName(m, n) == base
}

// generations lists the files of a model's version, newest first.
func generations(dir string, m Model) ([]string, error) {
	all, err := filepath.Glob(filepath.Join(dir, m.Name()+"-v*.db"))
	if err != nil {
		return nil, err
	}
	mine := slices.DeleteFunc(all, func(path string) bool { _, ok := generationOf(m, path); return !ok })
	slices.SortFunc(mine, func(a, b string) int {
		ga, _ := generationOf(m, a)
		gb, _ := generationOf(m, b)
		return gb - ga
	})
	return mine, nil
}

// LiveFile returns the path of the file that a model is read from, for tools
// that look at it while no runner has it open. Errors: NOT_FOUND when there is none.
func LiveFile(ctx context.Context, dir string, m Model) (string, error) {
	paths, err := generations(dir, m)
	if err != nil {
		return "", err
	}
	for _, path := range paths {
		f, err := openFile(ctx, path, sqlite.Options{}, m, nil, existing)
		if errors.Is(err, errUnmade) {
			continue
		}
		if err != nil {
			return "", err
		}
		building := f.building
		if err := f.close(); err != nil {
			return "", err
		}
		if !building {
			return path, nil
		}
	}
	return "", domain.NotFound("file of read model", m.Name())
}

// RemoveFiles deletes all files of a model's version, of which no runner may
// have one open.
func RemoveFiles(dir string, m Model) error {
	paths, err := generations(dir, m)
	for _, path := range paths {
		err = errors.Join(err, sqlite.Remove(path))
	}
	return err
}

// openLiving opens the living file of a model, making it when there is none,
// and the shadow of a rebuild that was interrupted, if there is one. What else
// there is of the model's version is removed: files that a rebuild has replaced,
// and damaged ones, which are folded again.
func (r *Runner) openLiving(ctx context.Context, m Model, skip *leftOut) (now, next *file, err error) {
	paths, err := generations(r.cfg.Dir, m)
	if err != nil {
		return nil, nil, err
	}
	for _, path := range paths {
		if now != nil {
			err = errors.Join(err, sqlite.Remove(path))
			continue
		}
		f, openErr := openFile(ctx, path, r.options(), m, skip, existing)
		switch {
		case errors.Is(openErr, errUnmade):
			err = errors.Join(err, sqlite.Remove(path))
		case errors.Is(openErr, sqlite.ErrCorrupt):
			r.cfg.Logger.ErrorContext(ctx, "read model file is damaged and removed; the log has everything", "model", m.Name(), "file", path, "error", openErr)
			err = errors.Join(err, sqlite.Remove(path))
		case openErr != nil:
			err = errors.Join(err, openErr)
		case !f.building:
			now = f
		case next == nil:
			next = f
		default: // two shadows: only one can be going on
			err = errors.Join(err, f.remove())
		}
	}
	if err == nil && now == nil && next != nil {
		// Nothing is living: what was built so far is the best beginning.
		now, next = next, nil
		err = now.setReport(ctx, Rebuilding{}, false)
	}
	if err == nil && now == nil {
		now, err = openFile(ctx, filepath.Join(r.cfg.Dir, FileName(m)), r.options(), m, skip, living)
	}
	if err != nil {
		for _, f := range []*file{now, next} {
			if f != nil {
				err = errors.Join(err, f.close())
			}
		}
		return nil, nil, err
	}
	return now, next, nil
}

// openNext makes the file of the next generation.
func (f *file) openNext(ctx context.Context, skip *leftOut, as role) (*file, error) {
	all, err := generations(filepath.Dir(f.path), f.model)
	if err != nil {
		return nil, err
	}
	g, _ := generationOf(f.model, f.path)
	if len(all) > 0 {
		newest, _ := generationOf(f.model, all[0])
		g = max(g, newest)
	}
	return openFile(ctx, filepath.Join(filepath.Dir(f.path), generationName(f.model, g+1)), f.options, f.model, skip, as)
}

// removeOlder deletes the files of other versions of the model.
func (f *file) removeOlder() error {
	others, err := filepath.Glob(filepath.Join(filepath.Dir(f.path), f.model.Name()+"-v*.db"))
	if err != nil {
		return err
	}
	var errs []error
	for _, other := range others {
		if _, mine := generationOf(f.model, other); !mine {
			errs = append(errs, sqlite.Remove(other))
		}
	}
	return errors.Join(errs...)
}

// loadReport reads how the file was made.
func (f *file) loadReport(ctx context.Context) error {
	rows, err := f.db.Query(ctx, "SELECT building, report FROM strata_rebuild")
	if err != nil {
		return err
	}
	defer rows.Close()
	f.building, f.rebuilt = false, Rebuilding{}
	for rows.Next() {
		var text string
		if err := rows.Scan(&f.building, &text); err != nil {
			return sqlite.Classify(err)
		}
		if err := json.Unmarshal([]byte(text), &f.rebuilt); err != nil {
			return fmt.Errorf("report of the rebuild: %w", err)
		}
	}
	return sqlite.Classify(rows.Err())
}

// setReport notes how the file is being made, or was.
func (f *file) setReport(ctx context.Context, report Rebuilding, building bool) error {
	text, err := json.Marshal(report)
	if err != nil {
		return err
	}
	err = f.db.Write(ctx, func(tx *sqlite.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO strata_rebuild (one, building, report) VALUES (1, ?1, ?2)
			ON CONFLICT (one) DO UPDATE SET building = ?1, report = ?2`, building, string(text))
		return err
	})
	if err != nil {
		return fmt.Errorf("report of the rebuild: %w", err)
	}
	f.building, f.rebuilt = building, report
	return nil
}
