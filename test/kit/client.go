package kit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Client calls a server with a key.
type Client struct {
	URL    string
	Key    string // "" sends no credential
	Header http.Header
	HTTP   *http.Client
}

// Client is a client with the admin key.
func (s *Server) Client() *Client { return s.ClientFor(AdminKey) }

// ClientFor is a client with a key. Its reads show its own writes, see [Patient].
func (s *Server) ClientFor(key string) *Client {
	transport := &http.Transport{MaxIdleConns: 512, MaxIdleConnsPerHost: 512, DisableCompression: true}
	return &Client{URL: s.URL, Key: key, HTTP: &http.Client{Transport: Patient(transport), Timeout: time.Minute}}
}

// Raw is a body that is sent as it is; with a type other than JSON say so in a header.
type Raw []byte

// Send sends a request. body is nil, Raw, an io.Reader or a value to be sent as
// JSON. headers are pairs of name and value. The answer's body is not read yet.
func (c *Client) Send(ctx context.Context, method, path string, body any, headers ...string) (*http.Response, error) {
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case Raw:
		reader = bytes.NewReader(b)
	case io.Reader:
		reader = b
	default:
		text, err := json.Marshal(b)
		if err != nil {
			return nil, err
		}
		reader = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.URL+path, reader)
	if err != nil {
		return nil, err
	}
	for name, values := range c.Header {
		req.Header[name] = values
	}
	if c.Key != "" {
		req.Header.Set("Authorization", "Bearer "+c.Key)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return c.HTTP.Do(req)
}

// Call sends a request and reads the whole answer.
func (c *Client) Call(ctx context.Context, method, path string, body any, headers ...string) (*Answer, error) {
	res, err := c.Send(ctx, method, path, body, headers...)
	if err != nil {
		return nil, err
	}
	defer closeBody(res)
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: read the answer: %w", method, path, err)
	}
	a := &Answer{Request: method + " " + path, Status: res.StatusCode, Header: res.Header, Body: text}
	if len(text) > 0 && strings.Contains(res.Header.Get("Content-Type"), "json") {
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.UseNumber()
		if err := dec.Decode(&a.JSON); err != nil {
			return nil, fmt.Errorf("%s %s: %d with broken JSON: %w\n%s", method, path, res.StatusCode, err, text)
		}
	}
	return a, nil
}

// Do is Call for tests: it fails the test when there is no answer, or another
// status than want.
func (c *Client) Do(t testing.TB, want int, method, path string, body any, headers ...string) *Answer {
	t.Helper()
	a, err := c.Call(t.Context(), method, path, body, headers...)
	if err != nil {
		t.Fatal(err)
	}
	a.For(t)
	if a.Status != want {
		t.Fatalf("%s: status %d, want %d: %s", a.Request, a.Status, want, a.Short())
	}
	return a
}

// Get, Post, Put and Delete are Do with the status of success.
func (c *Client) Get(t testing.TB, path string, headers ...string) *Answer {
	t.Helper()
	return c.Do(t, http.StatusOK, http.MethodGet, path, nil, headers...)
}

// Create posts a new resource.
func (c *Client) Create(t testing.TB, path string, body any, headers ...string) *Answer {
	t.Helper()
	return c.Do(t, http.StatusCreated, http.MethodPost, path, body, headers...)
}

// Post posts something that is not a new resource.
func (c *Client) Post(t testing.TB, path string, body any, headers ...string) *Answer {
	t.Helper()
	return c.Do(t, http.StatusOK, http.MethodPost, path, body, headers...)
}

// Put changes a resource.
func (c *Client) Put(t testing.TB, path string, body any, headers ...string) *Answer {
	t.Helper()
	return c.Do(t, http.StatusOK, http.MethodPut, path, body, headers...)
}

// Delete deletes a resource.
func (c *Client) Delete(t testing.TB, path string, headers ...string) *Answer {
	t.Helper()
	return c.Do(t, http.StatusOK, http.MethodDelete, path, nil, headers...)
}

// Answer is what the server said.
type Answer struct {
	Request string // "GET /v1/sessions"
	Status  int
	Header  http.Header
	Body    []byte
	JSON    any // decoded body, numbers as json.Number

	t testing.TB
}

// For makes an answer of Call fail a test when it lacks what is asked of it.
func (a *Answer) For(t testing.TB) *Answer { a.t = t; return a }

// Short is the body, cut for messages.
func (a *Answer) Short() string {
	if len(a.Body) > 600 {
		return string(a.Body[:600]) + "…"
	}
	return string(a.Body)
}

// Lookup finds a value by a dotted path; list items by number: "data.0.id".
func (a *Answer) Lookup(path string) (any, bool) { return lookup(a.JSON, path) }

func lookup(v any, path string) (any, bool) {
	if path == "" {
		return v, true
	}
	for key := range strings.SplitSeq(path, ".") {
		switch node := v.(type) {
		case map[string]any:
			next, ok := node[key]
			if !ok {
				return nil, false
			}
			v = next
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(node) {
				return nil, false
			}
			v = node[i]
		default:
			return nil, false
		}
	}
	return v, true
}

// Has tells whether there is a value at a path.
func (a *Answer) Has(path string) bool { _, ok := a.Lookup(path); return ok }

// Str is the text at a path; the test fails when there is none.
func (a *Answer) Str(path string) string {
	a.t.Helper()
	s, ok := a.at(path).(string)
	if !ok {
		a.t.Fatalf("%s: %s is %v, not a text: %s", a.Request, path, a.at(path), a.Short())
	}
	return s
}

// Num is the number at a path.
func (a *Answer) Num(path string) float64 {
	a.t.Helper()
	n, ok := a.at(path).(json.Number)
	if !ok {
		a.t.Fatalf("%s: %s is %v, not a number: %s", a.Request, path, a.at(path), a.Short())
	}
	f, err := n.Float64()
	if err != nil {
		a.t.Fatal(err)
	}
	return f
}

// Int is the whole number at a path.
func (a *Answer) Int(path string) int64 { a.t.Helper(); return int64(a.Num(path)) }

// Micro is the amount in dollars at a path, in micro-dollars.
func (a *Answer) Micro(path string) int64 {
	a.t.Helper()
	f := a.Num(path) * 1e6
	if f < 0 {
		return -int64(-f + 0.5)
	}
	return int64(f + 0.5)
}

// Bool is the truth value at a path.
func (a *Answer) Bool(path string) bool {
	a.t.Helper()
	b, ok := a.at(path).(bool)
	if !ok {
		a.t.Fatalf("%s: %s is %v, not true or false: %s", a.Request, path, a.at(path), a.Short())
	}
	return b
}

// List is the list at a path.
func (a *Answer) List(path string) []any {
	a.t.Helper()
	l, ok := a.at(path).([]any)
	if !ok {
		a.t.Fatalf("%s: %s is %v, not a list: %s", a.Request, path, a.at(path), a.Short())
	}
	return l
}

// Strings collects a field of every item of a list.
func (a *Answer) Strings(list, field string) []string {
	a.t.Helper()
	var out []string
	for _, item := range a.List(list) {
		v, _ := lookup(item, field)
		out = append(out, fmt.Sprint(v))
	}
	return out
}

func (a *Answer) at(path string) any {
	a.t.Helper()
	v, ok := a.Lookup(path)
	if !ok {
		a.t.Fatalf("%s: the answer has no %s: %s", a.Request, path, a.Short())
	}
	return v
}

// Want fails the test unless the values at the given paths are as given; pairs
// of path and value. Numbers are compared as numbers, the rest as it prints.
func (a *Answer) Want(pairs ...any) *Answer {
	a.t.Helper()
	for i := 0; i+1 < len(pairs); i += 2 {
		path := pairs[i].(string)
		got, ok := a.Lookup(path)
		if !ok || !same(got, pairs[i+1]) {
			a.t.Errorf("%s: %s is %v, want %v: %s", a.Request, path, got, pairs[i+1], a.Short())
		}
	}
	return a
}

func same(got, want any) bool {
	number, isNumber := got.(json.Number)
	wanted, err := strconv.ParseFloat(fmt.Sprint(want), 64)
	if !isNumber || err != nil {
		return fmt.Sprint(got) == fmt.Sprint(want)
	}
	value, err := number.Float64()
	return err == nil && value == wanted
}

// Position is the position of the write, for a read that must know of it.
func (a *Answer) Position() string { return a.Header.Get("Strata-Position") }

// After are the headers of a read that must know of this write.
func (a *Answer) After() []string { return []string{"Strata-Min-Position", a.Position()} }

// Query writes parameters, pairs of name and value, as "?name=value&…".
func Query(pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Add(pairs[i], pairs[i+1])
	}
	return "?" + q.Encode()
}
