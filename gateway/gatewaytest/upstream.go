package gatewaytest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// Behaviour answers one request to an Upstream.
type Behaviour func(w http.ResponseWriter, r *Request)

// Request is one request as the provider got it.
type Request struct {
	*http.Request
	Body []byte
	JSON map[string]any // Body, decoded
}

// Upstream is an OpenAI-compatible provider under a test's control.
type Upstream struct {
	URL string // base URL for a provider, with "/v1"

	mu       sync.Mutex
	queue    []Behaviour
	always   Behaviour
	requests []*Request
	arrived  chan struct{} // gets one value per request
	gone     chan struct{} // gets one value per request whose client left early
}

// NewUpstream starts a provider; it answers "Hello there." until told otherwise
// and stops with the test.
func NewUpstream(t testing.TB) *Upstream {
	t.Helper()
	u := &Upstream{always: Answer("Hello there."), arrived: make(chan struct{}, 1024), gone: make(chan struct{}, 1024)}
	server := httptest.NewServer(u)
	t.Cleanup(server.Close)
	u.URL = server.URL + "/v1"
	return u
}

// Next queues behaviours, one per request to come; Always sets what comes after
// the queue is empty.
func (u *Upstream) Next(b ...Behaviour) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.queue = append(u.queue, b...)
}

// Always sets the behaviour for requests that nothing is queued for.
func (u *Upstream) Always(b Behaviour) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.always = b
}

// Requests returns the requests so far.
func (u *Upstream) Requests() []*Request {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]*Request(nil), u.requests...)
}

// Arrived receives a value for every request, up to 1,024 that nobody took.
func (u *Upstream) Arrived() <-chan struct{} { return u.arrived }

// ClientGone receives a value for every request whose client left before its end,
// up to 1,024 that nobody took.
func (u *Upstream) ClientGone() <-chan struct{} { return u.gone }

// ServeHTTP implements http.Handler.
func (u *Upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client left while it was sending
	}
	req := &Request{Request: r, Body: body}
	if len(body) > 0 {
		if err := json.Unmarshal(body, &req.JSON); err != nil {
			http.Error(w, "not JSON", http.StatusBadRequest)
			return
		}
	}
	u.mu.Lock()
	u.requests = append(u.requests, req)
	behave := u.always
	if len(u.queue) > 0 {
		behave, u.queue = u.queue[0], u.queue[1:]
	}
	u.mu.Unlock()
	signal(u.arrived)
	behave(w, req)
	if r.Context().Err() != nil {
		signal(u.gone)
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// usage is what Answer and Words say a text of n words used: 10 tokens in, a
// token per word out.
func usage(words int) string {
	return fmt.Sprintf(`{"prompt_tokens":10,"completion_tokens":%d,"total_tokens":%d}`, words, 10+words)
}

// Answer answers with a text: whole, or in a frame per word when asked to stream.
func Answer(text string) Behaviour {
	return func(w http.ResponseWriter, r *Request) {
		if r.JSON["stream"] == true {
			Words(text)(w, r)
			return
		}
		JSON(fmt.Sprintf(`{"id":"chatcmpl-up","object":"chat.completion","created":1700000000,"model":"upstream-model-0001","choices":[{"index":0,"message":{"role":"assistant","content":%s},"finish_reason":"stop"}],"usage":%s,"system_fingerprint":"fp_1"}`,
			quote(text), usage(len(strings.Fields(text)))))(w, r)
	}
}

// JSON answers 200 with a body.
func JSON(body string) Behaviour { return Status(http.StatusOK, body) }

// Status answers with a status, a JSON body and headers given in pairs.
func Status(status int, body string, headers ...string) Behaviour {
	return func(w http.ResponseWriter, _ *Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body) // a client that left is the test's business
	}
}

// Error answers with a status and OpenAI's error body.
func Error(status int, message, param, code string, headers ...string) Behaviour {
	p := "null"
	if param != "" {
		p = quote(param)
	}
	return Status(status, fmt.Sprintf(`{"error":{"message":%s,"type":"error_type","param":%s,"code":%s}}`, quote(message), p, quote(code)), headers...)
}

// Words streams a text word by word, with usage if the request asks for it.
func Words(text string) Behaviour {
	return func(w http.ResponseWriter, r *Request) {
		s := begin(w)
		words := strings.SplitAfter(text, " ")
		s.words(words...)
		s.data(chunk(`{}`, `"stop"`))
		if options, ok := r.JSON["stream_options"].(map[string]any); ok && options["include_usage"] == true {
			s.data(`{"id":"chatcmpl-up","object":"chat.completion.chunk","created":1700000000,"model":"upstream-model-0001","choices":[],"usage":` + usage(len(words)) + `}`)
		}
		s.data("[DONE]")
	}
}

// NoUsage streams a text and never says what it used.
func NoUsage(text string) Behaviour {
	return func(w http.ResponseWriter, _ *Request) {
		s := begin(w)
		s.words(strings.SplitAfter(text, " ")...)
		s.data(chunk(`{}`, `"stop"`))
		s.data("[DONE]")
	}
}

// NoEndMark streams a text to its finish reason and closes without "[DONE]".
func NoEndMark(text string) Behaviour {
	return func(w http.ResponseWriter, _ *Request) {
		s := begin(w)
		s.words(text)
		s.data(chunk(`{}`, `"stop"`))
	}
}

// Frames streams data lines as they are given.
func Frames(data ...string) Behaviour {
	return func(w http.ResponseWriter, _ *Request) {
		s := begin(w)
		for _, d := range data {
			s.data(d)
		}
	}
}

// DieAfter streams words and then breaks the connection.
func DieAfter(words ...string) Behaviour {
	return func(w http.ResponseWriter, _ *Request) {
		begin(w).words(words...)
		panic(http.ErrAbortHandler)
	}
}

// Die breaks the connection without an answer.
func Die() Behaviour { return func(http.ResponseWriter, *Request) { panic(http.ErrAbortHandler) } }

// Hang never answers: it waits until the client leaves.
func Hang() Behaviour { return func(_ http.ResponseWriter, r *Request) { <-r.Context().Done() } }

// StallAfter streams words and then says nothing until the client leaves.
func StallAfter(words ...string) Behaviour {
	return func(w http.ResponseWriter, r *Request) {
		begin(w).words(words...)
		<-r.Context().Done()
	}
}

// Between streams a word, waits for a signal, streams another and ends.
func Between(first string, signal <-chan struct{}, second string) Behaviour {
	return func(w http.ResponseWriter, r *Request) {
		s := begin(w)
		s.words(first)
		select {
		case <-signal:
			s.words(second)
			s.data(chunk(`{}`, `"stop"`))
			s.data("[DONE]")
		case <-r.Context().Done():
		}
	}
}

// Endless streams a word again and again until the client leaves.
func Endless(word string, pause time.Duration) Behaviour {
	return func(w http.ResponseWriter, r *Request) {
		s := begin(w)
		tick := time.NewTicker(pause)
		defer tick.Stop()
		for {
			select {
			case <-r.Context().Done():
				return
			case <-tick.C:
				s.words(word)
			}
		}
	}
}

type eventStream struct{ w http.ResponseWriter }

func begin(w http.ResponseWriter) eventStream {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.WriteHeader(http.StatusOK)
	return eventStream{w}
}

func (s eventStream) data(text string) {
	_, _ = fmt.Fprintf(s.w, "data: %s\n\n", text) // a client that left is the test's business
	s.w.(http.Flusher).Flush()
}

func (s eventStream) words(words ...string) {
	for _, word := range words {
		s.data(chunk(`{"content":`+quote(word)+`}`, "null"))
	}
}

func chunk(delta, finish string) string {
	return `{"id":"chatcmpl-up","object":"chat.completion.chunk","created":1700000000,"model":"upstream-model-0001","choices":[{"index":0,"delta":` + delta + `,"finish_reason":` + finish + `}],"usage":null}`
}

func quote(s string) string {
	q, err := json.Marshal(s)
	if err != nil { // a string always marshals
		panic(err)
	}
	return string(q)
}
