//go:build !linux

package clickhouse

import (
	"runtime"
	"syscall"
)

// childAttributes keep the child out of the terminal's process group. It ends
// with its parent because its standard input does.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

// onOwnThread runs do on a thread of its own.
func onOwnThread(do func()) {
	runtime.LockOSThread()
	do() // still locked when it returns, which ends the thread
}

// yieldThread does nothing: only Linux has priorities of threads.
func yieldThread(int) error { return nil }
