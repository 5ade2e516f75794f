package openaiapi

import (
	"errors"
	"net/http"
	"sync"
	"time"

	"strata/gateway"
	"strata/gateway/sse"
)

// stalled is how long a client may take to accept one frame.
const stalled = time.Minute

// stream answers with an event stream. Its status is not sent before the first
// frame, so that whatever fails until then is still answered with a status.
func (a *API) stream(w http.ResponseWriter, r *http.Request, call gateway.Call, req *gateway.ChatRequest) {
	s := newStreamWriter(w, a.KeepAlive)
	defer s.stop()
	_, err := a.Gateway.ChatStream(r.Context(), call, req, s.chunk)
	switch {
	case err == nil:
		a.lost(s.data([]byte("[DONE]")))
	case !s.begun():
		s.stop()
		a.fail(w, r, err)
	default:
		// An error frame and no end mark: nobody can mistake this for the end.
		_, body := Describe(err)
		a.lost(s.data(body))
	}
}

// streamWriter writes frames and, in long silences, comments.
type streamWriter struct {
	mu       sync.Mutex // frames come from the handler, comments from a timer
	w        http.ResponseWriter
	control  *http.ResponseController
	interval time.Duration
	timer    *time.Timer
	buf      []byte
	started  bool
	stopped  bool
}

func newStreamWriter(w http.ResponseWriter, keepAlive time.Duration) *streamWriter {
	s := &streamWriter{w: w, control: http.NewResponseController(w), interval: keepAlive}
	s.mu.Lock() // beat may not run before it can see the timer
	defer s.mu.Unlock()
	s.timer = time.AfterFunc(keepAlive, s.beat)
	return s
}

// chunk is the gateway's sink.
func (s *streamWriter) chunk(c gateway.Chunk) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.started {
		s.started = true
		h := s.w.Header()
		setOutcome(h, c.ID, c.Model)
		h.Set("Content-Type", "text/event-stream")
		h.Set("Cache-Control", "no-cache")
		h.Set("Connection", "keep-alive")
		h.Set("X-Accel-Buffering", "no") // proxies would hold frames back
		s.w.WriteHeader(http.StatusOK)
	}
	return s.write(sse.AppendData(s.buf[:0], c.Data))
}

func (s *streamWriter) data(data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.write(sse.AppendData(s.buf[:0], data))
}

// write sends bytes at once; s.mu is held.
func (s *streamWriter) write(frame []byte) error {
	s.buf = frame
	s.timer.Reset(s.interval)
	// Not every writer has deadlines (tests' recorders have none).
	if err := s.control.SetWriteDeadline(time.Now().Add(stalled)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := s.w.Write(frame); err != nil {
		return err
	}
	return s.control.Flush()
}

// beat keeps the connection alive through proxies. A failed write is noticed by
// the next frame, or by the request's context.
func (s *streamWriter) beat() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return
	}
	if !s.started {
		s.timer.Reset(s.interval)
		return
	}
	_ = s.write(append(s.buf[:0], ": keep-alive\n\n"...))
}

func (s *streamWriter) begun() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.started
}

// stop ends the comments; after it nothing is written by the timer any more. The
// deadline of the last frame must not outlive it: the connection serves the
// client's next request too.
func (s *streamWriter) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.started && !s.stopped {
		_ = s.control.SetWriteDeadline(time.Time{}) // a writer without deadlines needs no reset
	}
	s.stopped = true
	s.timer.Stop()
}
