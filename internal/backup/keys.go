package backup

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"strata/internal/sqlite"
)

// ChangeKeys lets change work on the subject keys of a backup, for example
// destroy one. change gets the path of a copy and closes what it opens; when it
// returns, the changed copy takes the place of the old one, which is removed.
// Killed before, the backup is as it was. A backup without subject keys is left
// alone, and change is not called.
func ChangeKeys(ctx context.Context, dir string, change func(path string) error) (err error) {
	l, err := lock(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	m, err := Read(dir)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(m.Files, func(f File) bool { return f.Path == m.Keys })
	if m.Keys == "" || i < 0 {
		return nil
	}
	old := m.Files[i]
	work := filepath.Join(dir, filesDir, "changing"+tmpSuffix)
	if err := fetch(ctx, dir, old.Stored, work); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sqlite.Remove(work)) }()
	if err := change(work); err != nil {
		return fmt.Errorf("change the keys in %s: %w", dir, err)
	}
	m.Files = slices.Delete(m.Files, i, i+1)
	r := &run{dir: dir, out: &Result{Manifest: m}}
	// Copied once more: the copy has no room in which a deleted key could be left.
	tmp := filepath.Join(dir, filesDir, filepath.Base(old.Path)+tmpSuffix)
	if err := sqlite.Copy(ctx, work, tmp); err != nil {
		return err
	}
	sum, size, err := hashFile(ctx, tmp)
	if err != nil {
		return err
	}
	if err := r.keep(old.Path, tmp, sum, size); err != nil {
		return err
	}
	if err := sqlite.Remove(work); err != nil {
		return err
	}
	return r.publish()
}
