package embedded

import (
	"errors"

	"golang.org/x/sys/unix"
)

// Sync leaves the file's times unsynced, which saves a journal write.
func (f *osFile) Sync() error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func (f *osFile) Preallocate(size int64) error {
	for {
		err := unix.Fallocate(int(f.Fd()), 0, 0, size)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EOPNOTSUPP):
			return f.Truncate(size) // sparse: a write may then find no space
		default:
			return err
		}
	}
}
