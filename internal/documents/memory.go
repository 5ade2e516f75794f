package documents

import (
	"runtime/debug"
	"syscall"
)

// limitMemory makes an allocation beyond so many bytes end this process. It
// bounds data, not addresses: the runtime reserves many of those.
func limitMemory(bytes uint64) error {
	debug.SetMemoryLimit(int64(bytes) / 2)
	return syscall.Setrlimit(syscall.RLIMIT_DATA, &syscall.Rlimit{Cur: bytes, Max: bytes})
}
