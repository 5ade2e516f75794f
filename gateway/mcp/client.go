package mcp

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"strata/domain"
	"strata/domain/secret"
	"strata/internal/outbound"
)

// Server is an MCP server as a tenant defined it, with its secrets in plain.
type Server struct {
	ID        string
	Name      string
	Workspace string
	// Transport is streamable_http, sse or stdio.
	Transport string
	URL       string
	Command   string
	Args      []string
	Env       map[string]string
	Headers   map[string]string
	Auth      Auth
	Timeout   time.Duration // of connecting, and of each call
	Enabled   bool
	// Hidden are values that nothing which comes from the server may show.
	Hidden []string
}

// Auth is how requests to a server prove who they are from.
type Auth struct{ Type, Token, Username, Password, Header string }

// Connected tells how opening a session went.
type Connected struct {
	At    time.Time
	Tools int   // that the server offers; 0 when Err is set
	Err   error // nil: there is a session
}

// Caller is on whose behalf a server is called.
type Caller struct {
	Organization, Workspace  string
	User, APIKey             string
	Agent, Run               string // of an agent's run
	RequestID, CorrelationID string
}

// Called tells of one operation that a server was asked for.
type Called struct {
	By       Caller
	Server   Server
	Method   string          // "tools/call"
	Params   json.RawMessage // as they were sent
	Result   json.RawMessage // nil after an error
	Err      error
	Started  time.Time
	Duration time.Duration
}

// Config of a Client.
type Config struct {
	// Servers finds a server of a workspace by name or id. Errors: NOT_FOUND.
	Servers func(ctx context.Context, workspace, name string) (Server, error)
	Guard   *outbound.Guard
	// Commands are the programs that servers of transport stdio may be.
	Commands []string
	Idle     time.Duration // after which a session that rests is closed; 5 min when 0
	MaxSize  int           // bytes of an answer; 8 MiB when 0
	// OnConnect is told how sessions were opened, in a goroutine of the client's; it
	// may be nil.
	OnConnect func(ctx context.Context, s Server, c Connected)
	// OnCall is told of every call, before its caller is answered; an error of it is
	// the answer. It may be nil.
	OnCall  func(ctx context.Context, c Called) error
	Logger  *slog.Logger
	Version string // of this program, told to servers
}

// Client calls MCP servers. It is safe for concurrent use.
type Client struct {
	cfg Config

	mu       sync.Mutex
	sessions map[string]*session // by server id
	closed   bool
	running  sync.WaitGroup // goroutines of sessions

	life context.Context // ends when the client is closed
	end  context.CancelFunc
}

// The limits of a client whose Config names none.
const (
	defaultIdle    = 5 * time.Minute
	defaultMaxSize = 8 << 20
	defaultTimeout = 30 * time.Second
)

// New makes a client. Close ends its sessions.
func New(cfg Config) *Client {
	cfg.Idle = cmp.Or(cfg.Idle, defaultIdle)
	cfg.MaxSize = cmp.Or(cfg.MaxSize, defaultMaxSize)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Client{cfg: cfg, sessions: map[string]*session{}}
	c.life, c.end = context.WithCancel(context.Background())
	return c
}

// Error is a JSON-RPC error that a server answered.
type Error struct {
	Code    int64
	Message string
	Data    json.RawMessage
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("%s (%d)", e.Message, e.Code) }

// Call asks a server for an operation of the protocol and returns its result.
// Errors: *Error for what the server answered or the protocol forbids; NOT_FOUND,
// CONFLICT for a server that is not enabled, FORBIDDEN for a program or address
// that is not allowed, SERVICE_UNAVAILABLE and TIMEOUT as *domain.Error.
func (c *Client) Call(ctx context.Context, by Caller, server, method string, params json.RawMessage) (json.RawMessage, error) {
	s, err := c.cfg.Servers(ctx, by.Workspace, server)
	if err != nil {
		return nil, err
	}
	return c.CallServer(ctx, by, s, method, params)
}

// CallServer is Call for a server that the caller has found.
func (c *Client) CallServer(ctx context.Context, by Caller, s Server, method string, params json.RawMessage) (json.RawMessage, error) {
	op, err := operationOf(method)
	if err != nil {
		return nil, err
	}
	if !s.Enabled {
		return nil, domain.Errorf(domain.CodeConflict, "the MCP server %q is not enabled", s.Name)
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(s.Timeout, defaultTimeout))
	defer cancel()
	started := time.Now()
	result, err := c.call(ctx, s, op, params)
	result = secret.HideInJSON(result, s.Hidden)
	if c.cfg.OnCall != nil {
		told := c.cfg.OnCall(context.WithoutCancel(ctx), Called{By: by, Server: s, Method: method, Params: params,
			Result: result, Err: err, Started: started, Duration: time.Since(started)})
		if told != nil {
			return nil, errors.Join(told, err)
		}
	}
	return result, err
}

func (c *Client) call(ctx context.Context, s Server, op operation, params json.RawMessage) (json.RawMessage, error) {
	for again := true; ; again = false {
		open, err := c.session(ctx, s)
		if err != nil {
			return nil, err
		}
		result, err := c.run(ctx, open, op, params)
		c.release(open)
		switch {
		case err == nil && len(result) > c.cfg.MaxSize:
			return nil, domain.Errorf(domain.CodeUnavailable, "the answer of the MCP server %q is larger than %d bytes", s.Name, c.cfg.MaxSize)
		case err == nil:
			return result, nil
		}
		broken := sessionBroke(err)
		if broken {
			c.drop(open)
		}
		if broken && again && ctx.Err() == nil && (op.harmless || neverArrived(err)) {
			continue
		}
		return nil, c.failure(ctx, s, err)
	}
}

// session returns a session with a server, opening one when there is none. It must
// be released.
func (c *Client) session(ctx context.Context, s Server) (*session, error) {
	key := fingerprint(s)
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil, domain.Errorf(domain.CodeUnavailable, "the server is shutting down")
	}
	open := c.sessions[s.ID]
	if open != nil && open.key != key { // it was redefined
		c.retire(open)
		open = nil
	}
	if open == nil {
		open = c.begin(s, key)
	}
	open.hold()
	c.mu.Unlock()
	select {
	case <-open.ready:
	case <-ctx.Done():
		c.release(open)
		return nil, c.failure(ctx, s, ctx.Err())
	}
	if open.err != nil {
		c.release(open)
		return nil, c.failure(ctx, s, open.err)
	}
	return open, nil
}

// release gives a session back after a call; one that rests from now on is closed
// after a while.
func (c *Client) release(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.release(c.cfg.Idle, func() { c.rested(s) })
}

// rested closes a session that nobody has used for a while.
func (c *Client) rested(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.uses == 0 { // else a call was faster than the timer
		c.retire(s)
	}
}

// drop forgets a session, and closes it when its last call has ended.
func (c *Client) drop(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.retire(s)
}

// retire forgets a session and ends it when its last call has. c.mu is held.
func (c *Client) retire(s *session) {
	if c.sessions[s.server.ID] == s {
		delete(c.sessions, s.server.ID)
	}
	s.retire()
}

// Disconnect closes the session with a server, if there is one.
func (c *Client) Disconnect(serverID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.sessions[serverID]; s != nil {
		c.retire(s)
	}
}

// Close ends all sessions, calls in them included, and the programs behind them.
func (c *Client) Close() error {
	c.end()
	c.mu.Lock()
	c.closed = true
	for _, s := range c.sessions {
		s.end()
		select {
		case <-s.ready:
		default: // nobody waits for it
			s.cancel()
		}
	}
	c.sessions = map[string]*session{}
	c.mu.Unlock()
	c.running.Wait()
	return nil
}

// failure says what went wrong with a call in terms of the API.
func (c *Client) failure(ctx context.Context, s Server, err error) error {
	if e, ok := errors.AsType[*domain.Error](err); ok {
		return e
	}
	if e := answered(err); e != nil {
		return &Error{Code: e.Code, Message: secret.Hide(e.Message, s.Hidden), Data: secret.HideInJSON(e.Data, s.Hidden)}
	}
	if b, ok := errors.AsType[*outbound.Blocked](err); ok {
		return domain.Errorf(domain.CodeForbidden, "the MCP server %q cannot be reached: %s", s.Name, b.Error())
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
		return domain.Errorf(domain.CodeTimeout, "the MCP server %q did not answer within %s (timeout_ms)", s.Name, cmp.Or(s.Timeout, defaultTimeout)).Because(hidden(err, s.Hidden))
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return domain.Errorf(domain.CodeUnavailable, "the MCP server %q failed: %s", s.Name, secret.Hide(reason(err), s.Hidden)).Because(hidden(err, s.Hidden))
}

// hidden is an error as the log may show it.
func hidden(err error, values []string) error {
	if text := err.Error(); secret.Hide(text, values) != text {
		return errors.New(secret.Hide(text, values))
	}
	return err
}
