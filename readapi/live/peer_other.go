//go:build !linux

package live

import "syscall"

// watchPeer leaves it to the system to find out that a peer is gone.
func watchPeer(syscall.RawConn) {}
