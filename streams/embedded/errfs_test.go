package embedded_test

import (
	"errors"
	"io"
	"path/filepath"
	"slices"
	"sync"

	"strata/streams/embedded"
)

var errInjected = errors.New("injected fault")

// errFS is a file system that fails on purpose and can lose, as a machine does
// that stops, any sector that was written but not synced.
type errFS struct {
	embedded.FS
	// fail is asked before every operation. Those that change something are
	// "open", "write", "sync", "truncate", "preallocate", "rename", "remove" and
	// "syncdir"; the others "openread", "read", "size", "map", "readdir", "lock"
	// and "mkdir".
	fail func(op, name string) error
	// short is asked before a write how many of its bytes still go through
	// when it fails; nil for none.
	short func(n int) int

	asking   sync.Mutex // one question to fail at a time about changes
	mu       sync.Mutex
	unsynced []oldBytes
	renamed  map[string]string // of open files, from the name they were opened by
}

// oldBytes is what a write went over.
type oldBytes struct {
	name string
	off  int64
	data []byte
}

func newErrFS() *errFS { return &errFS{FS: embedded.OS(), renamed: map[string]string{}} }

// name returns the name that an open file has by now; the lock is held.
func (f *errFS) name(opened string) string {
	if to, ok := f.renamed[opened]; ok {
		return to
	}
	return opened
}

func (f *errFS) check(op, name string) error {
	f.mu.Lock()
	fail := f.fail
	f.mu.Unlock()
	if fail == nil {
		return nil
	}
	if slices.Contains(changes, op) { // reads go on while a change is held up
		f.asking.Lock()
		defer f.asking.Unlock()
	}
	return fail(op, filepath.Base(name))
}

// set changes what fails; it may be called while the log is in use.
func (f *errFS) set(fail func(op, name string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = fail
}

func (f *errFS) Open(name string, create bool) (embedded.File, error) {
	if err := f.check("open", name); err != nil {
		return nil, err
	}
	file, err := f.FS.Open(name, create)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	delete(f.renamed, name) // another file than the one renamed before
	f.mu.Unlock()
	return &errFile{File: file, fs: f, name: name}, nil
}

func (f *errFS) MkdirAll(dir string) error {
	if err := f.check("mkdir", dir); err != nil {
		return err
	}
	return f.FS.MkdirAll(dir)
}

func (f *errFS) ReadDir(dir string) ([]string, error) {
	if err := f.check("readdir", dir); err != nil {
		return nil, err
	}
	return f.FS.ReadDir(dir)
}

func (f *errFS) Lock(name string) (io.Closer, error) {
	if err := f.check("lock", name); err != nil {
		return nil, err
	}
	return f.FS.Lock(name)
}

func (f *errFS) Map(name string) ([]byte, func() error, error) {
	if err := f.check("map", name); err != nil {
		return nil, nil, err
	}
	return f.FS.Map(name)
}

func (f *errFS) OpenRead(name string) (embedded.File, error) {
	if err := f.check("openread", name); err != nil {
		return nil, err
	}
	file, err := f.FS.OpenRead(name)
	if err != nil {
		return nil, err
	}
	return &errFile{File: file, fs: f, name: name}, nil
}

func (f *errFS) Rename(from, to string) error {
	if err := f.check("rename", to); err != nil {
		return err
	}
	f.mu.Lock()
	for i := range f.unsynced {
		if f.unsynced[i].name == from {
			f.unsynced[i].name = to
		}
	}
	f.renamed[from] = to
	f.mu.Unlock()
	return f.FS.Rename(from, to)
}

func (f *errFS) Remove(name string) error {
	if err := f.check("remove", name); err != nil {
		return err
	}
	return f.FS.Remove(name)
}

func (f *errFS) SyncDir(dir string) error {
	if err := f.check("syncdir", dir); err != nil {
		return err
	}
	return f.FS.SyncDir(dir)
}

// crash undoes writes that were not synced, sector by sector, where lose says so.
func (f *errFS) crash(lose func() bool) error {
	const sector = 512
	for i := len(f.unsynced) - 1; i >= 0; i-- {
		w := f.unsynced[i]
		file, err := f.FS.Open(w.name, false)
		if err != nil {
			continue // a file that never got its name
		}
		for len(w.data) > 0 {
			n := min(len(w.data), sector-int(w.off%sector))
			if lose() {
				if _, err := file.WriteAt(w.data[:n], w.off); err != nil {
					return err
				}
			}
			w.data, w.off = w.data[n:], w.off+int64(n)
		}
		if err := file.Close(); err != nil {
			return err
		}
	}
	f.unsynced = nil
	return nil
}

type errFile struct {
	embedded.File
	fs   *errFS
	name string
}

func (f *errFile) WriteAt(b []byte, off int64) (int, error) {
	if err := f.fs.check("write", f.name); err != nil {
		n := 0
		if f.fs.short != nil {
			n = f.fs.short(len(b))
		}
		f.remember(off, n)
		if _, werr := f.File.WriteAt(b[:n], off); werr != nil {
			return 0, werr
		}
		return n, err
	}
	f.remember(off, len(b))
	return f.File.WriteAt(b, off)
}

func (f *errFile) ReadAt(b []byte, off int64) (int, error) {
	if err := f.fs.check("read", f.name); err != nil {
		return 0, err
	}
	return f.File.ReadAt(b, off)
}

func (f *errFile) Size() (int64, error) {
	if err := f.fs.check("size", f.name); err != nil {
		return 0, err
	}
	return f.File.Size()
}

func (f *errFile) remember(off int64, n int) {
	old := make([]byte, n)
	if _, err := f.File.ReadAt(old, off); err != nil && !errors.Is(err, io.EOF) {
		panic(err)
	}
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.fs.unsynced = append(f.fs.unsynced, oldBytes{f.fs.name(f.name), off, old})
}

func (f *errFile) Sync() error {
	if err := f.fs.check("sync", f.name); err != nil {
		return err
	}
	if err := f.File.Sync(); err != nil {
		return err
	}
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	kept := f.fs.unsynced[:0]
	for _, w := range f.fs.unsynced {
		if w.name != f.fs.name(f.name) {
			kept = append(kept, w)
		}
	}
	f.fs.unsynced = kept
	return nil
}

func (f *errFile) Truncate(size int64) error {
	if err := f.fs.check("truncate", f.name); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

func (f *errFile) Preallocate(size int64) error {
	if err := f.fs.check("preallocate", f.name); err != nil {
		return err
	}
	return f.File.Preallocate(size)
}
