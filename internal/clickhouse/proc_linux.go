package clickhouse

import (
	"fmt"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// childAttributes make the kernel kill the child when the thread that started
// it dies, and keep it out of the terminal's process group. The closed pipe on
// standard input says the same on every system; this is for a child too busy
// to listen.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

// onOwnThread runs do on a thread that nothing else runs on, before or after. It
// is not the process's first, which never ends and by whose priority the process
// is known.
func onOwnThread(do func()) {
	runtime.LockOSThread()
	if unix.Gettid() != unix.Getpid() {
		do()
		return // still locked, which ends the thread
	}
	defer runtime.UnlockOSThread()
	done := make(chan struct{})
	go func() { // on another thread, because this one waits
		defer close(done)
		onOwnThread(do)
	}()
	<-done
}

// yieldThread lowers the priority of the calling thread, which a process that it
// starts inherits. There is no way back without privileges, so the thread must
// be given to nothing else.
func yieldThread(nice int) error {
	if nice == 0 {
		return nil
	}
	const calling, own = 0, 20 // the system call answers 20 less the nice value
	raw, err := unix.Getpriority(unix.PRIO_PROCESS, calling)
	if err == nil {
		err = unix.Setpriority(unix.PRIO_PROCESS, calling, own-raw+nice)
	}
	if err != nil {
		return fmt.Errorf("lower the priority of the ClickHouse engine: %w", err)
	}
	return nil
}
