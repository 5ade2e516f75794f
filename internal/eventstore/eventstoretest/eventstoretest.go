// Package eventstoretest starts servers of EventStoreDB's protocol for tests: in
// the test's own process, over a temporary log, on a loopback port.
package eventstoretest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"strata/internal/eventstore"
	"strata/streams/embedded"
)

// patience bounds every wait; only failures come near it.
const patience = 30 * time.Second

// Server is a server that a test may stop and start again.
type Server struct {
	Addr string // host:port, the same after every restart

	t       testing.TB
	dir     string
	opts    eventstore.Options
	logOpts embedded.Options

	mu     sync.Mutex
	log    *embedded.Log
	server *eventstore.Server
	served chan error
}

// Option changes how a server is started.
type Option func(*Server)

// With changes the server's options; the log is set by Start.
func With(change func(*eventstore.Options)) Option {
	return func(s *Server) { change(&s.opts) }
}

// WithLog changes how the log is opened. By default it does not sync.
func WithLog(change func(*embedded.Options)) Option {
	return func(s *Server) { change(&s.logOpts) }
}

// Start starts a server, which is stopped when the test ends.
func Start(t testing.TB, options ...Option) *Server {
	t.Helper()
	s := &Server{t: t, dir: t.TempDir(), logOpts: embedded.Options{SegmentSize: 4 << 20, NoSync: true}}
	for _, o := range options {
		o(s)
	}
	s.start()
	t.Cleanup(s.Stop)
	return s
}

// URL is the connection string of the server, without security.
func (s *Server) URL() string { return "esdb://" + s.Addr + "?tls=false" }

// Log is the log that is served now; another one after a restart.
func (s *Server) Log() *embedded.Log {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log
}

// Server is the server that serves now; another one after a restart.
func (s *Server) Server() *eventstore.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.server
}

func (s *Server) start() {
	s.t.Helper()
	log, err := embedded.Open(s.dir, s.logOpts)
	if err != nil {
		s.t.Fatal(err)
	}
	opts := s.opts
	opts.Log = log
	server, err := eventstore.New(opts)
	if err != nil {
		s.t.Fatal(err)
	}
	l := s.listen()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log, s.server, s.served = log, server, make(chan error, 1)
	go func(done chan<- error) { done <- server.Serve(l) }(s.served)
}

// listen takes a port that the system gives to nobody who asks for any: so it is
// still free after a restart.
func (s *Server) listen() net.Listener {
	s.t.Helper()
	var faults error
	for range 100 {
		addr := s.Addr
		if addr == "" {
			addr = fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(12000))
		}
		l, err := net.Listen("tcp", addr)
		if err == nil {
			s.Addr = addr
			return l
		}
		faults = err
	}
	s.t.Fatal(faults)
	return nil
}

// Stop stops the server and closes its log. It may be called again.
func (s *Server) Stop() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.server.Stop(ctx); err != nil {
		s.t.Error(err)
	}
	if err := <-s.served; err != nil {
		s.t.Error(err)
	}
	if err := s.log.Close(); err != nil {
		s.t.Error(err)
	}
	s.server = nil
}

// Restart stops the server, if it runs, and starts it on the same directory and
// port.
func (s *Server) Restart() {
	s.t.Helper()
	s.Stop()
	s.start()
}
