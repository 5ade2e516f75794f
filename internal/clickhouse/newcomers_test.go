package clickhouse

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"strata/internal/clickhouse/engine"
)

// stopped serves with a handler until stop is called, which returns what
// serving ended with.
func stopped(t *testing.T, handler http.HandlerFunc) (addr string, stop func() error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	told, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- serveEngine(new(engine.Engine), handler, listener, told, slog.New(slog.DiscardHandler))
	}()
	return listener.Addr().String(), func() error { close(told); return <-ended }
}

func connect(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // the server may have closed it
	return c
}

// Pools of clients keep connections that they dialed and never used. The engine
// does not wait for them: it would be killed meanwhile.
func TestStopsWithUnusedConnections(t *testing.T) {
	addr, stop := stopped(t, func(http.ResponseWriter, *http.Request) {})
	unused := connect(t, addr)
	asked := connect(t, addr) // later than the other: when it is answered, both were accepted
	if _, err := io.WriteString(asked, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := asked.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil { // it waited until its time was over
		t.Error(err)
	}
	if n, err := unused.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("the unused connection: %d bytes, %v", n, err)
	}
}

// A statement under way ends in its own time, however long ago its connection
// was a newcomer.
func TestStatementsUnderWayEnd(t *testing.T) {
	running, end := make(chan struct{}), make(chan struct{})
	addr, stop := stopped(t, func(w http.ResponseWriter, _ *http.Request) {
		close(running)
		<-end
		_, _ = io.WriteString(w, "done")
	})
	answered := make(chan error, 1)
	go func() {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+addr, nil)
		if err != nil {
			answered <- err
			return
		}
		res, err := new(http.Transport).RoundTrip(req)
		if err == nil {
			var body []byte
			if body, err = io.ReadAll(res.Body); err == nil && string(body) != "done" {
				err = errors.New(string(body))
			}
			err = errors.Join(err, res.Body.Close())
		}
		answered <- err
	}()
	<-running
	time.AfterFunc(2*newcomerTime, func() { close(end) })
	if err := stop(); err != nil {
		t.Error(err)
	}
	if err := <-answered; err != nil {
		t.Error(err)
	}
}
