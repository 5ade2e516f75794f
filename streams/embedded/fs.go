package embedded

import (
	"fmt"
	"io"
	"os"
)

// FS is what the log asks of a file system. The operating system's is [OS];
// tests put one in between that fails on purpose.
type FS interface {
	MkdirAll(dir string) error
	// ReadDir lists the names of the files in a directory, sorted.
	ReadDir(dir string) ([]string, error)
	// Open opens a file for reading and writing. With create it makes it, or
	// empties the one that is there; otherwise a missing one is [os.ErrNotExist].
	Open(name string, create bool) (File, error)
	// OpenRead opens a file for reading only.
	OpenRead(name string) (File, error)
	Rename(from, to string) error
	Remove(name string) error
	// SyncDir makes the creations, renames and removals in a directory durable.
	SyncDir(dir string) error
	// Lock takes a lock on a file, made when missing, that ends with the
	// process at the latest. It returns an error matching [ErrLocked] when
	// somebody else has it.
	Lock(name string) (io.Closer, error)
	// Map returns the content of a file, to be read only, and a function that
	// lets go of it.
	Map(name string) (data []byte, unmap func() error, err error)
}

// File is an open file of an [FS].
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Size() (int64, error)
	Truncate(size int64) error
	// Preallocate grows the file to a size and reserves the space for it where
	// the file system can. The new part reads as zeros.
	Preallocate(size int64) error
	// Sync makes the content of the file durable.
	Sync() error
}

// OS returns the file system of the operating system.
func OS() FS { return osFS{} }

type osFS struct{}

func (osFS) MkdirAll(dir string) error { return os.MkdirAll(dir, 0o755) }

func (osFS) ReadDir(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		if e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

func (osFS) Open(name string, create bool) (File, error) {
	flag := os.O_RDWR
	if create {
		flag |= os.O_CREATE | os.O_TRUNC
	}
	return openOS(name, flag)
}

func (osFS) OpenRead(name string) (File, error) { return openOS(name, os.O_RDONLY) }

func openOS(name string, flag int) (File, error) {
	f, err := os.OpenFile(name, flag, 0o644)
	if err != nil {
		return nil, err
	}
	return &osFile{f}, nil
}

func (osFS) Rename(from, to string) error { return os.Rename(from, to) }
func (osFS) Remove(name string) error     { return os.Remove(name) }

func (osFS) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	if err := d.Sync(); err != nil {
		d.Close()
		return err
	}
	return d.Close()
}

type osFile struct{ *os.File }

func (f *osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// writeWhole puts a small file in place in one step: either the old content is
// there or the new one, also after a crash.
func writeWhole(fsys FS, dir, name string, content []byte, sync bool) error {
	tmp := name + tmpSuffix
	f, err := fsys.Open(tmp, true)
	if err != nil {
		return fmt.Errorf("create %s: %w", tmp, err)
	}
	_, err = f.WriteAt(content, 0)
	if err == nil && sync {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = fsys.Rename(tmp, name)
	}
	if err != nil {
		// Nothing refers to the temporary file; the next opening removes what stays.
		_ = fsys.Remove(tmp)
		return fmt.Errorf("write %s: %w", name, err)
	}
	if sync {
		if err := fsys.SyncDir(dir); err != nil {
			return fmt.Errorf("sync %s: %w", dir, err)
		}
	}
	return nil
}

// tmpSuffix marks files that are being made; the next opening removes them.
const tmpSuffix = ".tmp"
