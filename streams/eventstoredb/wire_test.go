package eventstoredb_test

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
)

// wire stands between a store and its server, and can be held up or cut like a
// network, or like a server that is paused.
type wire struct {
	t      *testing.T
	listen net.Listener
	to     string
	work   sync.WaitGroup

	mu    sync.Mutex
	ends  []net.Conn
	there chan struct{} // closed while requests pass
	back  chan struct{} // closed while answers pass
}

// newWire makes a wire to an address.
func newWire(t *testing.T, to string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{t: t, listen: l, to: to, there: make(chan struct{}), back: make(chan struct{})}
	close(w.there)
	close(w.back)
	w.work.Go(w.accept)
	t.Cleanup(func() {
		w.resume()
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		w.cut()
		w.work.Wait()
	})
	return w
}

func (w *wire) url() string { return "esdb://" + w.listen.Addr().String() + "?tls=false" }

func (w *wire) accept() {
	for {
		near, err := w.listen.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", w.to)
		if err != nil {
			_ = near.Close() // the server is away
			continue
		}
		w.mu.Lock()
		w.ends = append(w.ends, near, far)
		w.mu.Unlock()
		w.work.Go(func() { w.carry(far, near, &w.there) })
		w.work.Go(func() { w.carry(near, far, &w.back) })
	}
}

// carry copies in one direction, while its gate is open.
func (w *wire) carry(to, from net.Conn, gate *chan struct{}) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		w.mu.Lock()
		open := *gate
		w.mu.Unlock()
		<-open
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
				return // reset by somebody: that is what wires are for
			}
			return
		}
	}
}

// pause holds up both directions, and hold only the answers.
func (w *wire) pause() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.there = make(chan struct{})
	w.back = make(chan struct{})
}

func (w *wire) hold() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.back = make(chan struct{})
}

// resume lets everything pass again.
func (w *wire) resume() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, gate := range []chan struct{}{w.there, w.back} {
		select {
		case <-gate:
		default:
			close(gate)
		}
	}
}

// cut breaks all connections, and what is held up on them is lost.
func (w *wire) cut() {
	w.mu.Lock()
	ends := w.ends
	w.ends = nil
	w.mu.Unlock()
	for _, c := range ends {
		_ = c.Close() // it may be closed already
	}
	w.resume()
}
