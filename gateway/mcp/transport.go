package mcp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"strata/domain"
)

// transport is a connection of the SDK with what we add to it.
type transport struct {
	sdk.Transport
	http    *requests
	program *program
}

// transport makes the transport of a server. It is never nil.
func (c *Client) transport(s Server) (*transport, error) {
	t := &transport{}
	switch s.Transport {
	case "stdio":
		if !slices.Contains(c.cfg.Commands, s.Command) {
			return t, domain.Errorf(domain.CodeForbidden, "the program %q may not be started here: the setting mcp.commands does not name it", s.Command)
		}
		var err error
		if t.program, err = newProgram(s); err != nil {
			return t, err
		}
		t.Transport = t.program.transport()
	case "streamable_http", "sse":
		endpoint, err := url.Parse(s.URL)
		if err != nil {
			return t, domain.Errorf(domain.CodeValidation, "the URL of the MCP server %q cannot be read", s.Name).Because(err)
		}
		t.http = &requests{server: s, endpoint: endpoint, base: c.cfg.Guard.Transport(), maxSize: int64(c.cfg.MaxSize)}
		client := &http.Client{Transport: t.http, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		if s.Transport == "sse" {
			t.Transport = &sdk.SSEClientTransport{Endpoint: s.URL, HTTPClient: client, MaxEventSize: c.cfg.MaxSize}
			break
		}
		// Nobody listens for what servers say unasked, so no stream is kept for it.
		t.Transport = &sdk.StreamableClientTransport{Endpoint: s.URL, HTTPClient: client, MaxEventSize: c.cfg.MaxSize,
			MaxRetries: maxReconnects, DisableStandaloneSSE: true}
	default:
		return t, domain.Errorf(domain.CodeConflict, "the transport %s is not supported", s.Transport)
	}
	return t, nil
}

// maxReconnects is how often an answer whose stream broke is asked for again.
const maxReconnects = 2

// end frees what the transport holds, when its session is closed.
func (t *transport) end() {
	if t.program != nil {
		t.program.kill()
	}
	if t.http != nil {
		t.http.base.CloseIdleConnections()
	}
}

// complaint is what a program said last on its standard error.
func (t *transport) complaint() string {
	if t.program == nil {
		return ""
	}
	return t.program.said.String()
}

// lastFailure is why the last request failed, which the SDK does not always tell.
func (t *transport) lastFailure() error {
	if t.http == nil {
		return nil
	}
	t.http.mu.Lock()
	defer t.http.mu.Unlock()
	return t.http.failed
}

// requests sends the HTTP requests of a session: with the server's headers and
// credential, to the server only.
type requests struct {
	server   Server
	endpoint *url.URL
	base     *http.Transport
	maxSize  int64

	mu     sync.Mutex
	failed error // of the last request; nil when it succeeded
}

// refused is an HTTP status that is no answer of the protocol.
type refused struct{ status int }

func (r *refused) Error() string {
	if r.status >= 300 && r.status < 400 {
		return fmt.Sprintf("it redirects elsewhere (HTTP %d)", r.status)
	}
	return fmt.Sprintf("it answered HTTP %d %s", r.status, http.StatusText(r.status))
}

var errElsewhere = errors.New("the server names an address of another host for its messages")

// RoundTrip implements http.RoundTripper.
func (r *requests) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != r.endpoint.Scheme || req.URL.Host != r.endpoint.Host {
		return nil, errElsewhere // the credential is for the endpoint alone
	}
	req = req.Clone(req.Context())
	r.authorize(req.Header)
	res, err := r.base.RoundTrip(req)
	if err == nil {
		err = r.tidy(req, res)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = err
	if err == nil && res.StatusCode >= 300 && res.StatusCode != http.StatusMethodNotAllowed {
		r.failed = &refused{res.StatusCode}
	}
	return res, err
}

func (r *requests) authorize(h http.Header) {
	for name, value := range r.server.Headers {
		h.Set(name, value)
	}
	switch a := r.server.Auth; a.Type {
	case "bearer":
		h.Set("Authorization", "Bearer "+a.Token)
	case "basic":
		req := http.Request{Header: h}
		req.SetBasicAuth(a.Username, a.Password)
	case "header":
		h.Set(a.Header, a.Token)
	}
}

// maxRefusal bounds what is read of the body of an answer that says no.
const maxRefusal = 64 << 10

// tidy bounds answers, and makes 404 of the 400 that servers in the wild answer
// when they do not know a session: the protocol says 404, and the SDK relies on it.
func (r *requests) tidy(req *http.Request, res *http.Response) error {
	if res.StatusCode < 300 {
		if !strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") { // events are bounded one by one
			res.Body = &bounded{body: res.Body, left: r.maxSize}
		}
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, maxRefusal))
	closed := res.Body.Close()
	res.Body = io.NopCloser(bytes.NewReader(text))
	if err := errors.Join(err, closed); err != nil {
		return err
	}
	if res.StatusCode == http.StatusBadRequest && req.Header.Get("Mcp-Session-Id") != "" && bytes.Contains(bytes.ToLower(text), []byte("session")) {
		res.StatusCode, res.Status, res.Body = http.StatusNotFound, "404 Not Found", http.NoBody
	}
	return nil
}

// bounded is a body that ends with an error when it is too long.
type bounded struct {
	body io.ReadCloser
	left int64
}

var errTooLong = errors.New("the answer is too long")

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLong
	}
	n, err := b.body.Read(p)
	b.left -= int64(n)
	return n, err
}

// Close implements io.Closer.
func (b *bounded) Close() error { return b.body.Close() }

// terminate is how long a program may take to end after its input was closed, and
// again after it was asked to by signal.
const terminate = time.Second
