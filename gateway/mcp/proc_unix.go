//go:build unix

package mcp

import (
	"os/exec"
	"syscall"
)

// ownGroup puts a program into a process group of its own, so that what it starts
// can be ended with it.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// killGroup kills what is left of a process group; it may be gone already.
func killGroup(leader int) { _ = syscall.Kill(-leader, syscall.SIGKILL) }
