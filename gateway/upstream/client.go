package upstream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"sort"
	"strings"
	"time"

	"strata/gateway/rawjson"
	"strata/gateway/sse"
)

// Timeouts bound the waiting for a provider. Zero fields take the default.
type Timeouts struct {
	Connect   time.Duration // TCP and TLS; default 5 s
	FirstByte time.Duration // from the request to the answer's headers; default 5 min, as a long answer that is not streamed sends nothing until it is done
	Idle      time.Duration // between two frames of a stream, or reads of a body; default 2 min
}

// WithDefaults fills what is zero.
func (t Timeouts) WithDefaults() Timeouts {
	if t.Connect <= 0 {
		t.Connect = 5 * time.Second
	}
	if t.FirstByte <= 0 {
		t.FirstByte = 5 * time.Minute
	}
	if t.Idle <= 0 {
		t.Idle = 2 * time.Minute
	}
	return t
}

// NewTransport returns a transport for providers. It keeps many idle
// connections per host (the standard two would make nearly every concurrent
// call open a connection) and never asks for compression, which would hold
// stream frames back.
func NewTransport(connect time.Duration) *http.Transport {
	connect = Timeouts{Connect: connect}.WithDefaults().Connect
	dialer := &net.Dialer{Timeout: connect, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dialer.DialContext,
		TLSHandshakeTimeout:   connect,
		ForceAttemptHTTP2:     true,
		DisableCompression:    true,
		MaxIdleConns:          2048,
		MaxIdleConnsPerHost:   512,
		IdleConnTimeout:       90 * time.Second,
		ExpectContinueTimeout: time.Second,
	}
}

// Endpoint is where and how one OpenAI-compatible provider is reached.
type Endpoint struct {
	BaseURL    string            // up to and including the version, "https://api.openai.com/v1"
	APIKey     string            // sent as a bearer token; "" sends none
	Headers    map[string]string // sent with every request, after all others
	Azure      bool              // key in "api-key", and deployments in the path unless BaseURL ends in "/v1"
	APIVersion string            // Azure's api-version
	Timeouts   Timeouts
}

// Limits of what is taken from a provider.
const (
	maxAnswer      = 64 << 20
	maxErrorAnswer = 64 << 10
	maxFrame       = 4 << 20
)

// Client is the Backend of an OpenAI-compatible provider.
type Client struct {
	endpoint Endpoint
	http     *http.Client
}

// NewClient returns a client that sends through a transport shared with others.
// Redirects are not followed: they would carry the key to another place.
func NewClient(e Endpoint, transport http.RoundTripper) *Client {
	e.Timeouts = e.Timeouts.WithDefaults()
	return &Client{endpoint: e, http: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

var errIdle = errors.New("the provider fell silent")
var errFirstByte = errors.New("the provider did not answer in time")

// Do implements Backend.
func (c *Client) Do(ctx context.Context, op Operation, model string, body []byte) ([]byte, error) {
	w := watch(ctx, c.endpoint.Timeouts)
	defer w.stop()
	resp, err := c.send(w, http.MethodPost, c.url(string(op), model), body, "application/json")
	if err != nil {
		return nil, err
	}
	defer drain(resp.Body)
	answer, err := readBounded(w.reader(resp.Body), maxAnswer, resp.ContentLength)
	if err != nil {
		return nil, c.networkFailure(w, err)
	}
	if !isObject(answer) {
		return nil, &Failure{Kind: Malformed, Status: resp.StatusCode, Cause: errors.New("the answer is not a JSON object")}
	}
	return answer, nil
}

// Stream implements Backend.
func (c *Client) Stream(ctx context.Context, model string, body []byte) (Stream, error) {
	w := watch(ctx, c.endpoint.Timeouts)
	resp, err := c.send(w, http.MethodPost, c.url(string(Chat), model), body, "text/event-stream")
	if err != nil {
		w.stop()
		return nil, err
	}
	if kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err != nil || kind != "text/event-stream" {
		drain(resp.Body)
		w.stop()
		return nil, &Failure{Kind: Malformed, Status: resp.StatusCode, Cause: fmt.Errorf("asked for an event stream, got %q", resp.Header.Get("Content-Type"))}
	}
	return &stream{client: c, watch: w, body: resp.Body, events: sse.NewReader(w.reader(resp.Body), maxFrame)}, nil
}

// Models implements Backend.
func (c *Client) Models(ctx context.Context) ([]string, error) {
	w := watch(ctx, c.endpoint.Timeouts)
	defer w.stop()
	resp, err := c.send(w, http.MethodGet, c.url("models", ""), nil, "application/json")
	if err != nil {
		return nil, err
	}
	defer drain(resp.Body)
	answer, err := readBounded(w.reader(resp.Body), maxAnswer, resp.ContentLength)
	if err != nil {
		return nil, c.networkFailure(w, err)
	}
	var list struct {
		Data []struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	if err := json.Unmarshal(answer, &list); err != nil {
		return nil, &Failure{Kind: Malformed, Status: resp.StatusCode, Cause: err}
	}
	names := make([]string, 0, len(list.Data))
	for _, m := range list.Data {
		if m.ID != "" {
			names = append(names, m.ID)
		}
	}
	sort.Strings(names)
	return names, nil
}

// url builds the address of an operation.
func (c *Client) url(path, model string) string {
	base := strings.TrimRight(c.endpoint.BaseURL, "/")
	if !c.endpoint.Azure || strings.HasSuffix(base, "/v1") {
		return base + "/" + path
	}
	base = strings.TrimSuffix(base, "/openai") + "/openai/"
	if model != "" {
		base += "deployments/" + url.PathEscape(model) + "/"
	}
	return base + path + "?api-version=" + url.QueryEscape(c.endpoint.APIVersion)
}

// send sends a request and returns an answer with status 200, else a failure.
func (c *Client) send(w *watchdog, method, address string, body []byte, accept string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(w.ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, &Failure{Kind: Unavailable, Cause: fmt.Errorf("base URL: %w", err)}
	}
	h := req.Header
	if body != nil {
		h.Set("Content-Type", "application/json")
	}
	h.Set("Accept", accept)
	h.Set("User-Agent", "strata-gateway")
	if c.endpoint.APIKey != "" {
		if c.endpoint.Azure {
			h.Set("Api-Key", c.endpoint.APIKey)
		} else {
			h.Set("Authorization", "Bearer "+c.endpoint.APIKey)
		}
	}
	for name, value := range c.endpoint.Headers {
		h.Set(name, value)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.networkFailure(w, err)
	}
	w.answered()
	if resp.StatusCode != http.StatusOK {
		defer drain(resp.Body)
		return nil, c.statusFailure(w, resp)
	}
	return resp, nil
}

// drain reads a little of what is left, so that the connection can be used
// again, and closes.
func drain(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, 4<<10) // best effort: without it only the connection is lost
	_ = body.Close()
}

func readBounded(r io.Reader, limit, expected int64) ([]byte, error) {
	var buf bytes.Buffer
	if expected > 0 && expected <= limit {
		buf.Grow(int(expected) + bytes.MinRead)
	}
	if _, err := buf.ReadFrom(io.LimitReader(r, limit+1)); err != nil {
		return nil, err
	}
	if int64(buf.Len()) > limit {
		return nil, fmt.Errorf("the answer is over %d bytes", limit)
	}
	return buf.Bytes(), nil
}

func isObject(b []byte) bool {
	trimmed := bytes.TrimLeft(b, " \t\r\n")
	return len(trimmed) > 0 && trimmed[0] == '{' && json.Valid(trimmed)
}

// stream is a Stream over HTTP.
type stream struct {
	client *Client
	watch  *watchdog
	body   io.ReadCloser
	events *sse.Reader
	done   bool
}

func (s *stream) Next() ([]byte, error) {
	if s.done {
		return nil, io.EOF
	}
	for {
		event, err := s.events.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil, ErrNoEndMark
		case errors.Is(err, sse.ErrTooLong):
			return nil, &Failure{Kind: Malformed, Cause: err}
		case err != nil:
			return nil, s.client.networkFailure(s.watch, err)
		}
		data := bytes.TrimSpace(event.Data)
		if len(data) == 0 {
			continue
		}
		if string(data) == "[DONE]" {
			s.done = true
			return nil, io.EOF
		}
		if !isObject(data) {
			return nil, &Failure{Kind: Malformed, Cause: errors.New("a stream frame is not a JSON object")}
		}
		if f := s.client.errorFrame(data); f != nil {
			return nil, f
		}
		return data, nil
	}
}

// Close ends the request. After the end mark the rest of the body is read, so
// that the connection can be used again; before it, the request is cut off,
// which is how a provider learns that nobody listens any more.
func (s *stream) Close() error {
	if s.done {
		drain(s.body)
		s.watch.stop()
		return nil
	}
	s.watch.stop()
	return s.body.Close()
}

// errorFrame recognises a provider that reports its failure inside the stream.
func (c *Client) errorFrame(data []byte) *Failure {
	if !bytes.Contains(data, []byte(`"error"`)) {
		return nil
	}
	var failure *Failure
	rawjson.Fields(data, func(key, value []byte) {
		if string(key) == "error" && string(value) != "null" {
			failure = &Failure{Kind: Unavailable}
			c.describe(failure, data)
		}
	})
	return failure
}
