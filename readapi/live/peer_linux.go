package live

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// watchPeer makes the system end a connection whose peer acknowledges nothing
// for as long as pings may go unanswered. It would try for a quarter of an hour.
func watchPeer(raw syscall.RawConn) {
	_ = raw.Control(func(fd uintptr) { // best effort: without it, gone peers are found later
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(pongWait.Milliseconds()))
	})
}
