//go:build !linux

package clickhouse

import "syscall"

// childAttributes keep the child out of the terminal's process group. It ends
// with its parent because its standard input does.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
