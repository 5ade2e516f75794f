package mcp

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"slices"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"strata/internal/outbound"
)

// session is a connection to a server that calls share. The client's mutex guards
// uses, retired and rest.
type session struct {
	server Server
	key    string        // fingerprint of the server's definition
	ready  chan struct{} // closed when opening has succeeded or failed
	mcp    *sdk.ClientSession
	err    error // why opening failed

	transport *transport

	cancel  context.CancelFunc // cuts the connection
	done    chan struct{}      // closed when the session should be closed in good order
	ending  bool               // done is closed
	uses    int
	retired bool        // nobody finds it any more; the last use ends it
	rest    *time.Timer // runs while nobody uses it
}

// begin starts to open a session. c.mu is held.
func (c *Client) begin(s Server, key string) *session {
	ctx, cancel := context.WithCancel(context.Background())
	out := &session{server: s, key: key, ready: make(chan struct{}), done: make(chan struct{}), cancel: cancel}
	c.sessions[s.ID] = out
	c.running.Go(func() { c.live(ctx, out) })
	return out
}

// live opens a session, keeps it until it ends, and cleans up after it.
func (c *Client) live(ctx context.Context, s *session) {
	defer s.cancel()
	t, err := c.transport(s.server)
	if err == nil {
		s.mcp, err = c.connect(ctx, s, t)
	}
	s.transport = t
	s.err = err
	close(s.ready)
	if err != nil {
		c.drop(s)
		t.end()
		c.connected(ctx, s, Connected{Err: c.failure(context.Background(), s.server, err)})
		return
	}
	c.running.Go(func() { c.count(ctx, s) })
	broken := make(chan struct{})
	go func() { // ends with the session, which is closed below at the latest
		defer close(broken)
		if err := s.mcp.Wait(); err != nil && ctx.Err() == nil {
			c.cfg.Logger.DebugContext(ctx, "a session with an MCP server ended", "server", s.server.ID, "error", err)
		}
	}()
	select {
	case <-broken:
		c.drop(s)
	case <-s.done:
	case <-ctx.Done():
	}
	if err := s.mcp.Close(); err != nil && ctx.Err() == nil {
		c.cfg.Logger.DebugContext(ctx, "close a session with an MCP server", "server", s.server.ID, "error", err)
	}
	s.cancel() // what the transport still reads
	t.end()
	<-broken
}

// connect opens the session within the server's timeout. The transports tie the
// connection to the context they are connected with, so it must outlive this.
func (c *Client) connect(ctx context.Context, s *session, t *transport) (*sdk.ClientSession, error) {
	timeout := cmp.Or(s.server.Timeout, defaultTimeout)
	late := time.AfterFunc(timeout, s.cancel)
	client := sdk.NewClient(&sdk.Implementation{Name: "strata", Version: cmp.Or(c.cfg.Version, "dev")},
		&sdk.ClientOptions{Capabilities: &sdk.ClientCapabilities{}}) // servers can ask nothing of us
	open, err := client.Connect(ctx, t.Transport, nil)
	if !late.Stop() && err == nil {
		err = errors.Join(context.DeadlineExceeded, open.Close())
	}
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
	}
	if why := t.lastFailure(); err != nil && why != nil {
		err = fmt.Errorf("%w: %w", err, why)
	}
	if tail := t.complaint(); err != nil && tail != "" {
		err = &died{cause: err, said: tail}
	}
	return open, err
}

// count tells of a new session, with the number of tools there are.
func (c *Client) count(ctx context.Context, s *session) {
	if c.cfg.OnConnect == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(s.server.Timeout, defaultTimeout))
	defer cancel()
	tools := 0
	if caps := s.mcp.InitializeResult().Capabilities; caps != nil && caps.Tools != nil {
		for _, err := range s.mcp.Tools(ctx, nil) {
			if err != nil {
				break // the session is there all the same
			}
			tools++
		}
	}
	c.connected(context.WithoutCancel(ctx), s, Connected{Tools: tools})
}

func (c *Client) connected(ctx context.Context, s *session, result Connected) {
	if c.cfg.OnConnect != nil {
		result.At = time.Now()
		c.cfg.OnConnect(context.WithoutCancel(ctx), s.server, result)
	}
}

func (s *session) hold() {
	s.uses++
	if s.rest != nil {
		s.rest.Stop()
		s.rest = nil
	}
}

func (s *session) release(idle time.Duration, rested func()) {
	s.uses--
	switch {
	case s.uses > 0:
	case s.retired:
		s.end()
	default:
		s.rest = time.AfterFunc(idle, rested)
	}
}

// retire ends the session once nobody uses it.
func (s *session) retire() {
	s.retired = true
	if s.uses == 0 {
		s.end()
	}
}

// end closes the session in good order, whoever uses it.
func (s *session) end() {
	if s.rest != nil {
		s.rest.Stop()
	}
	if !s.ending {
		s.ending = true
		close(s.done)
	}
}

// fingerprint tells definitions of a server apart without keeping its secrets.
func fingerprint(s Server) string {
	b, err := json.Marshal(s)
	if err != nil { // strings and maps of strings
		panic(err)
	}
	sum := sha256.Sum256(b)
	return string(sum[:])
}

// died is an error of a program that said something before it ended.
type died struct {
	cause error
	said  string
}

func (d *died) Error() string { return d.cause.Error() + ": " + d.said }
func (d *died) Unwrap() error { return d.cause }

// own are errors of the SDK that have the type of a server's answer.
var own = []Error{{Code: -32003, Message: "client is closing"}, {Code: -32004, Message: "server is closing"}, {Code: -32005, Message: "rejected by transport"}}

// answered returns the JSON-RPC error that a server answered, if err is one.
func answered(err error) *Error {
	switch e := err.(type) {
	case nil:
		return nil
	case *jsonrpc.Error:
		if slices.ContainsFunc(own, func(o Error) bool { return o.Code == e.Code && o.Message == e.Message }) {
			return nil
		}
		return &Error{Code: e.Code, Message: e.Message, Data: e.Data}
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			if a := answered(inner); a != nil {
				return a
			}
		}
		return nil
	}
	return answered(errors.Unwrap(err))
}

// sessionBroke tells whether an error means that the session is of no more use.
func sessionBroke(err error) bool {
	return errors.Is(err, sdk.ErrConnectionClosed) || errors.Is(err, sdk.ErrSessionMissing)
}

// neverArrived tells whether an error means that the server did not see the call:
// it says itself that it knows no such session.
func neverArrived(err error) bool { return errors.Is(err, sdk.ErrSessionMissing) }

// reason says in a few words why a session or call failed.
func reason(err error) string {
	if d, ok := errors.AsType[*died](err); ok {
		return "the program ended: " + d.said
	}
	if s, ok := errors.AsType[*refused](err); ok {
		return s.Error()
	}
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return "the program is not there"
	case errors.Is(err, sdk.ErrSessionMissing):
		return "it does not know the session"
	case errors.Is(err, sdk.ErrConnectionClosed):
		return "the connection was closed"
	case errors.Is(err, context.Canceled):
		return "the session was ended"
	}
	return outbound.Reason(err)
}
