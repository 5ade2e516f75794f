package eventstoredb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
	"google.golang.org/grpc"

	"strata/domain"
	"strata/streams"
)

// Options of a store; the zero value will do.
type Options struct {
	// Patience bounds how long a call waits for a server that does not answer,
	// where its context does not end before; subscriptions wait for ever.
	// Default: the connection string's defaultDeadline, else 10 s.
	Patience time.Duration
	// KeptEvents and KeptBytes bound the latest events held in memory for
	// subscriptions. Default: 8192 events and 16 MiB.
	KeptEvents, KeptBytes int
	// Logger hears of lost and found connections. Default: nobody.
	Logger *slog.Logger

	dialing []grpc.DialOption // more of them, for tests
}

func (o *Options) setDefaults(cfg *esdb.Configuration) {
	if o.Patience <= 0 && cfg.DefaultDeadline != nil {
		o.Patience = *cfg.DefaultDeadline
	}
	if o.Patience <= 0 {
		o.Patience = 10 * time.Second
	}
	if o.KeptEvents <= 0 {
		o.KeptEvents = 8192
	}
	if o.KeptBytes <= 0 {
		o.KeptBytes = 16 << 20
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

// Store is a log behind EventStoreDB's protocol.
type Store struct {
	opts Options
	conn *connector
	tail *tail

	// known is the highest position that the log is known to hold, acked that
	// of what this store wrote: a subscription has not caught up before it.
	known, acked atomic.Uint64

	ctx  context.Context // ends with Close
	stop context.CancelFunc

	mu      sync.Mutex
	closed  bool
	writes  sync.WaitGroup              // appends and other changes that are under way
	sending map[appendKey]chan struct{} // appends under way; closed when they end
}

// appendKey names what must not be under way twice: the same append.
type appendKey struct {
	stream domain.StreamID
	first  uuid.UUID
}

// closePatience is what writes under way get to hear their outcome at Close.
const closePatience = 3 * time.Second

func parse(url string) (*esdb.Configuration, error) {
	cfg, err := esdb.ParseConnectionString(url)
	if err == nil {
		err = cfg.Validate()
	}
	if err != nil {
		return nil, fmt.Errorf("connection string of the event store: %w", err)
	}
	return cfg, nil
}

// ErrCredentials: the server knows no such user, or another password.
var ErrCredentials = errors.New("the event store refuses the user or the password")

// Open makes a store of a connection string: "esdb://host:2113",
// "esdb://host1,host2,host3" or "esdb+discover://host", with the settings of the
// official clients ("?tls=false&defaultDeadline=5000"). It does not wait for the
// server: whatever asks it first does.
func Open(url string, opts Options) (*Store, error) {
	cfg, err := parse(url)
	if err != nil {
		return nil, err
	}
	opts.setDefaults(cfg)
	s := &Store{opts: opts, sending: map[appendKey]chan struct{}{}}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.conn = newConnector(s.ctx, cfg, &s.opts)
	s.tail = newTail(s)
	return s, nil
}

// Close ends the store: appends under way still hear their outcome, if it comes
// soon; everything else ends with [streams.ErrClosed].
func (s *Store) Close() error {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	s.mu.Unlock()
	if first {
		heard := make(chan struct{})
		go func() {
			s.writes.Wait()
			close(heard)
		}()
		timer := time.NewTimer(closePatience)
		select {
		case <-heard:
		case <-timer.C:
		}
		timer.Stop()
		s.stop()
	}
	<-s.ctx.Done()
	s.writes.Wait()
	s.tail.wait()
	s.conn.wait()
	return nil
}

// begin says that a write is under way, until end.
func (s *Store) begin() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return streams.ErrClosed
	}
	s.writes.Add(1)
	return nil
}

func (s *Store) end() { s.writes.Done() }

func (s *Store) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// sees notes a position that the log holds.
func (s *Store) sees(p domain.Position) { raise(&s.known, p) }

// acknowledged notes a position that this store wrote.
func (s *Store) acknowledged(p domain.Position) {
	raise(&s.known, p)
	raise(&s.acked, p)
}

func raise(to *atomic.Uint64, p domain.Position) {
	for {
		old := to.Load()
		if uint64(p) <= old || to.CompareAndSwap(old, uint64(p)) {
			return
		}
	}
}

// Err tells why the store takes no events now: that there is no connection.
func (s *Store) Err() error {
	if s.isClosed() {
		return streams.ErrClosed
	}
	return s.conn.trouble()
}

// unanswered is the error of a call whose context ended, or whose patience did.
func (s *Store) unanswered(caller context.Context, cause error) error {
	if s.ctx.Err() != nil {
		return streams.ErrClosed
	}
	if err := caller.Err(); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("%w: %w", streams.ErrUnavailable, err)
		}
		return err
	}
	if trouble := s.conn.trouble(); trouble != nil { // it says more than that time is up
		return trouble
	}
	if cause == nil || errors.Is(cause, streams.ErrUnavailable) {
		return fmt.Errorf("%w: no answer within %s", streams.ErrUnavailable, s.opts.Patience)
	}
	return fmt.Errorf("%w: no answer within %s: %w", streams.ErrUnavailable, s.opts.Patience, cause)
}

// patient bounds a call's context by the patience, and by the store's life.
func (s *Store) patient(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, s.opts.Patience)
}
