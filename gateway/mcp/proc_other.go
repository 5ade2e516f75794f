//go:build !unix

package mcp

import "os/exec"

// ownGroup and killGroup have no counterpart here: a program ends, but what it
// started may stay.
func ownGroup(*exec.Cmd) {}

func killGroup(int) {}
