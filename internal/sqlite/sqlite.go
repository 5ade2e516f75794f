// Package sqlite opens the SQLite files that hold read models.
//
// A read model has exactly one writer (the projection that owns it) and many
// readers. That shape decides everything here: one connection takes all writes
// and keeps its statements prepared, so a batch of rows costs no parsing; a few
// read-only connections serve queries and never wait for the writer (WAL).
// Files may be lost without harm, since the log rebuilds them, so a commit does
// not wait for the disk (synchronous=NORMAL): after a power cut a file is
// whole but may miss its last commits, and its checkpoint says so.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"sync"

	_ "modernc.org/sqlite" // the driver "sqlite", pure Go
)

// Options tune a database. The zero value is good.
type Options struct {
	Readers     int // read-only connections; default 4
	CacheKiB    int // most memory of a reader's page cache; default 2,048
	WriteKiB    int // most memory of the writer's page cache; default 16,384
	MmapMiB     int // how much of the file is read through a memory map; default 64
	BusyTimeout int // ms to wait for a lock held by another process; default 5,000

	// Durable makes every commit wait for the disk, for files that cannot be
	// rebuilt.
	Durable bool
	// NoSync leaves out every sync: the file may be damaged when the machine
	// stops. For files that are thrown away, and for tests.
	NoSync bool
}

func (o *Options) setDefaults() {
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	def(&o.Readers, 4)
	def(&o.CacheKiB, 2048)
	def(&o.WriteKiB, 16384)
	def(&o.MmapMiB, 64)
	def(&o.BusyTimeout, 5000)
}

// DB is one SQLite file with one writer and several readers. It is safe for
// concurrent use; writers wait for each other.
type DB struct {
	path    string
	pool    *sql.DB // of the writer: one connection
	readers *sql.DB

	write  sync.Mutex // held for a whole transaction
	writer *sql.Conn
	stmts  map[string]*sql.Stmt // prepared on writer; guarded by write

	queries  sync.Map // SQL text → *sql.Stmt prepared on readers
	prepared int      // entries of queries; guarded by prepare
	prepare  sync.Mutex
}

// maxPrepared bounds the statements kept for readers. Query texts come from
// code, but list queries combine filters freely; beyond this many, a query is
// prepared for each use.
const maxPrepared = 256

// Open opens or creates the file. It fails with ErrCorrupt when the file is
// not a SQLite database or its schema cannot be read.
func Open(ctx context.Context, path string, o Options) (*DB, error) {
	o.setDefaults()
	db := &DB{path: path, stmts: map[string]*sql.Stmt{}}
	var err error
	if db.pool, err = sql.Open("sqlite", dsn(path, o, false)); err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db.pool.SetMaxOpenConns(1)
	if db.writer, err = db.pool.Conn(ctx); err == nil {
		// Reading the schema notices a file that is no database.
		_, err = db.writer.ExecContext(ctx, "SELECT count(*) FROM sqlite_master")
	}
	if err == nil {
		db.readers, err = sql.Open("sqlite", dsn(path, o, true))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, classify(err)), db.Close())
	}
	db.readers.SetMaxOpenConns(o.Readers)
	db.readers.SetMaxIdleConns(o.Readers)
	return db, nil
}

func dsn(path string, o Options, readOnly bool) string {
	v := url.Values{}
	v.Add("_pragma", fmt.Sprintf("busy_timeout(%d)", o.BusyTimeout)) // first: the next ones may wait
	v.Add("_pragma", "journal_mode(WAL)")
	switch {
	case o.NoSync:
		v.Add("_pragma", "synchronous(OFF)")
	case o.Durable:
		v.Add("_pragma", "synchronous(FULL)")
	default:
		v.Add("_pragma", "synchronous(NORMAL)")
	}
	v.Add("_pragma", "temp_store(MEMORY)")
	v.Add("_pragma", fmt.Sprintf("mmap_size(%d)", o.MmapMiB<<20))
	if readOnly {
		v.Add("_pragma", fmt.Sprintf("cache_size(-%d)", o.CacheKiB))
		v.Add("_pragma", "query_only(1)")
	} else {
		// A batch of a few thousand rows fits in the cache, and the log of
		// changes (4 KiB pages) is carried over to the file less often.
		v.Add("_pragma", fmt.Sprintf("cache_size(-%d)", o.WriteKiB))
		v.Add("_pragma", "wal_autocheckpoint(4000)")
		// What is deleted may be what a person asked to be erased: it must not
		// stay behind in free pages. See also Scrub.
		v.Add("_pragma", "secure_delete(ON)")
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + v.Encode()
}

// Path returns the file's path.
func (db *DB) Path() string { return db.path }

// Close waits for the running transaction and closes all connections.
func (db *DB) Close() error {
	db.write.Lock()
	defer db.write.Unlock()
	var errs []error
	db.queries.Range(func(_, s any) bool {
		errs = append(errs, s.(*sql.Stmt).Close())
		return true
	})
	if db.readers != nil {
		errs = append(errs, db.readers.Close())
	}
	for _, s := range db.stmts {
		errs = append(errs, s.Close())
	}
	if db.writer != nil {
		errs = append(errs, db.writer.Close())
	}
	return errors.Join(append(errs, db.pool.Close())...)
}

// Query reads rows with a read-only connection. The caller closes them.
func (db *DB) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s, err := db.reading(ctx, query)
	if err != nil {
		return nil, err
	}
	if s == nil {
		rows, err := db.readers.QueryContext(ctx, query, args...)
		return rows, classify(err)
	}
	rows, err := s.QueryContext(ctx, args...)
	return rows, classify(err)
}

// QueryRow reads one row with a read-only connection. Scan answers
// sql.ErrNoRows when there is none.
func (db *DB) QueryRow(ctx context.Context, query string, args ...any) *sql.Row {
	if s, err := db.reading(ctx, query); err == nil && s != nil {
		return s.QueryRowContext(ctx, args...)
	}
	return db.readers.QueryRowContext(ctx, query, args...)
}

// reading returns the statement kept for a query, or nil when no more are kept.
func (db *DB) reading(ctx context.Context, query string) (*sql.Stmt, error) {
	if s, ok := db.queries.Load(query); ok {
		return s.(*sql.Stmt), nil
	}
	db.prepare.Lock()
	defer db.prepare.Unlock()
	if s, ok := db.queries.Load(query); ok {
		return s.(*sql.Stmt), nil
	}
	if db.prepared >= maxPrepared {
		return nil, nil
	}
	s, err := db.readers.PrepareContext(ctx, query)
	if err != nil {
		return nil, classify(err)
	}
	db.prepared++
	db.queries.Store(query, s)
	return s, nil
}

// Checkpoint carries all commits over from the write-ahead log into the file and
// syncs it: from then on they survive a power cut. It waits for readers.
func (db *DB) Checkpoint(ctx context.Context) error {
	db.write.Lock()
	defer db.write.Unlock()
	var busy, frames, moved int
	if err := db.writer.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &moved); err != nil {
		return fmt.Errorf("checkpoint %s: %w", db.path, classify(err))
	}
	if busy != 0 {
		return fmt.Errorf("%w: checkpoint %s: somebody is reading", ErrStorage, db.path)
	}
	return nil
}

// Check reads the whole file and returns ErrCorrupt when it is damaged.
func (db *DB) Check(ctx context.Context) error {
	var verdict string
	if err := db.QueryRow(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return classify(err)
	}
	if verdict != "ok" {
		return fmt.Errorf("%w: %s: %s", ErrCorrupt, db.path, verdict)
	}
	return nil
}

// Remove deletes a database file and its companions. A missing file is no error.
func Remove(path string) error {
	var errs []error
	for _, suffix := range []string{"-wal", "-shm", ""} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
