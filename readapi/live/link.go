package live

import (
	"net"
	"syscall"
	"time"
)

// link is a client's connection, as far as it is written to.
type link struct {
	conn net.Conn
	raw  syscall.RawConn // nil where nothing can be written without waiting
}

func newLink(conn net.Conn) *link {
	l := &link{conn: conn}
	if c, ok := conn.(syscall.Conn); ok {
		if raw, err := c.SyscallConn(); err == nil {
			l.raw = raw
			watchPeer(raw)
		}
	}
	return l
}

// deadline bounds writes. That it cannot be set means that the connection is
// closed, which the write will tell.
func (l *link) deadline(t time.Time) { _ = l.conn.SetWriteDeadline(t) }

// hurry lets a write that waits now wait only a little longer.
func (l *link) hurry() { l.deadline(time.Now().Add(drainWait)) }

// unhurried takes the deadline away: it would also end later writes that do not
// wait.
func (l *link) unhurried() { l.deadline(time.Time{}) }

// finish says that nothing more will be written, and gives the peer a moment to
// close: closing at once could throw away what it has not read yet.
func (l *link) finish() {
	_ = l.conn.SetReadDeadline(time.Now().Add(closeWait)) // of a closed connection: fine
	if c, ok := l.conn.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite() // likewise
	}
}

// close makes whoever reads from the connection notice.
func (l *link) close() { _ = l.conn.Close() } // may be closed already
