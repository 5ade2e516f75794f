package sqlite

import (
	"errors"
	"fmt"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

var (
	// ErrCorrupt: the file is no database or is damaged. Delete and rebuild it.
	ErrCorrupt = errors.New("database file is corrupt")
	// ErrStorage: the disk is full, failing or locked. The statement was right;
	// it may succeed later.
	ErrStorage = errors.New("database storage failed")
)

// classify marks driver errors that are about the file and not about the
// statement, so that callers need no driver codes.
func classify(err error) error {
	var e *driver.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() & 0xff { // the low byte is the primary result code
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	case lib.SQLITE_FULL, lib.SQLITE_IOERR, lib.SQLITE_BUSY, lib.SQLITE_LOCKED,
		lib.SQLITE_NOMEM, lib.SQLITE_CANTOPEN, lib.SQLITE_READONLY:
		return fmt.Errorf("%w: %w", ErrStorage, err)
	}
	return err
}

// Classify marks an error that came from scanning rows the way this package's
// own methods do.
func Classify(err error) error { return classify(err) }
