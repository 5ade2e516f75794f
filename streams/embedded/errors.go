package embedded

import (
	"errors"
	"fmt"
	"syscall"
)

// ErrLocked is returned when another process (or this one) has the directory open.
var ErrLocked = errors.New("event log is in use")

// CorruptError tells that a file of the log is not what was written. It is
// never worked around: the log does not open, or the read ends with it.
// [Verify] lists every fault of a directory.
type CorruptError struct {
	File   string // path
	Offset int64  // first byte that is wrong
	Reason string
}

// Error implements error.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("event log is damaged: %s at offset %d: %s", e.File, e.Offset, e.Reason)
}

// outOfSpace tells whether a file operation failed for lack of space.
func outOfSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
