package clickhouse

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// newcomerTime is what a connection that has sent nothing yet gets to begin a
// statement when the engine is told to stop.
const newcomerTime = 250 * time.Millisecond

// newcomers are the connections of a server on which nobody has sent anything.
// [http.Server.Shutdown] gives them five seconds, for a request may be on its way
// on them; HTTP clients dial more connections than they come to use, and keep
// them, so the engine would often be killed while it waited for nothing.
type newcomers struct {
	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
}

// closeNewcomers makes a server, once it shuts down, close connections that begin
// no request within a time.
func closeNewcomers(server *http.Server, within time.Duration) {
	n := &newcomers{conns: map[net.Conn]struct{}{}}
	server.ConnState = n.see
	server.RegisterOnShutdown(func() { time.AfterFunc(within, n.close) })
}

func (n *newcomers) see(c net.Conn, state http.ConnState) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case state != http.StateNew:
		delete(n.conns, c)
	case n.closed: // it was accepted at the last moment
		_ = c.Close()
	default:
		n.conns[c] = struct{}{}
	}
}

func (n *newcomers) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	for c := range n.conns {
		_ = c.Close() // the server's read of it fails, and it is gone
	}
}
