package clickhouse

import "syscall"

// childAttributes make the kernel kill the child when the thread that started
// it dies, and keep it out of the terminal's process group. The closed pipe on
// standard input says the same on every system; this is for a child too busy
// to listen.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
