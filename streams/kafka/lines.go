package kafka

import (
	"context"
	"errors"
	"net"
	"sync"
)

// lines are the connections of a group's member. Joining a group waits for its
// other members, half a minute for dead ones, and cannot be called off; cutting
// the connections ends it.
type lines struct {
	mu   sync.Mutex
	open map[*line]bool
	over bool
}

type line struct {
	net.Conn
	of *lines
}

// errCut answers who wants to connect after the member has left.
var errCut = errors.New("the subscription has ended")

func (l *lines) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return nil, errors.Join(errCut, conn.Close())
	}
	out := &line{conn, l}
	l.open[out] = true
	return out, nil
}

// Close implements net.Conn.
func (l *line) Close() error {
	l.of.mu.Lock()
	delete(l.of.open, l)
	l.of.mu.Unlock()
	return l.Conn.Close()
}

// cut closes all of them, for good.
func (l *lines) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	for c := range l.open {
		_ = c.Conn.Close() // whoever uses it learns that
	}
}
