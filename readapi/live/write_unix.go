//go:build unix

package live

import (
	"errors"
	"syscall"
)

// attempt writes without waiting. It belongs to one worker and is used again, so
// that a write allocates nothing.
type attempt struct {
	bytes []byte
	n     int
	err   error
	once  func(fd uintptr) bool
}

// write writes as much as the connection takes at once.
func (a *attempt) write(l *link, b []byte) (int, error) {
	if l.raw == nil {
		return 0, nil
	}
	if a.once == nil {
		a.once = a.try
	}
	a.bytes, a.n, a.err = b, 0, nil
	if err := l.raw.Write(a.once); err != nil {
		return 0, err
	}
	a.bytes = nil
	return a.n, a.err
}

// try is done whatever comes of it: returning false would wait.
func (a *attempt) try(fd uintptr) bool {
	for {
		a.n, a.err = syscall.Write(int(fd), a.bytes)
		switch {
		case errors.Is(a.err, syscall.EINTR):
			continue
		case errors.Is(a.err, syscall.EAGAIN):
			a.n, a.err = 0, nil
		case a.err != nil:
			a.n = 0
		}
		return true
	}
}
