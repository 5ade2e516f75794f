package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Copy writes a copy of a database, which another process may be using, as of
// one moment. The copy holds rows only, not what was deleted, and is on disk
// when Copy returns. A file that is at the destination is replaced. The error
// matches [fs.ErrNotExist] when there is no database.
func Copy(ctx context.Context, from, to string) error {
	if _, err := os.Stat(from); err != nil {
		return fmt.Errorf("copy a database: %w", err)
	}
	if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	var o Options
	o.setDefaults()
	db, err := sql.Open("sqlite", dsn(from, o, false))
	if err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	_, err = db.ExecContext(ctx, "VACUUM INTO ?", to)
	if err = errors.Join(classify(err), db.Close()); err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	f, err := os.OpenFile(to, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	return errors.Join(f.Chmod(0o600), f.Sync(), f.Close())
}
