package knowledge

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"strata/domain"
)

// frame is one event of a streamed answer.
type frame struct {
	Type      string      `json:"type"` // start, token, end, error
	ID        string      `json:"id,omitempty"`
	Content   *string     `json:"content,omitempty"`
	Citations []citation  `json:"citations,omitzero"`
	Usage     *usage      `json:"usage,omitempty"`
	Error     *frameError `json:"error,omitempty"`
}

// frameError says why an answer ended without an end frame.
type frameError struct {
	Code    domain.Code `json:"code"`
	Message string      `json:"message"`
}

// writeWait is how long a client may take for one frame.
const writeWait = 10 * time.Second

// frames sends server-sent events. The headers leave with the first, so that an
// error before it can still be answered with a status.
type frames struct {
	w     http.ResponseWriter
	flush *http.ResponseController
	begun bool
}

func newFrames(w http.ResponseWriter) *frames {
	return &frames{w: w, flush: http.NewResponseController(w)}
}

// start sends the first frame, once.
func (f *frames) start(id string) error {
	if f.begun {
		return nil
	}
	f.begun = true
	h := f.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Accel-Buffering", "no") // proxies that buffer would hold the tokens back
	f.w.WriteHeader(http.StatusOK)
	return f.send(frame{Type: "start", ID: id})
}

func (f *frames) send(fr frame) error {
	text, err := json.Marshal(fr)
	if err != nil {
		return err
	}
	if err := f.flush.SetWriteDeadline(time.Now().Add(writeWait)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	for _, part := range [][]byte{[]byte("data: "), text, []byte("\n\n")} {
		if _, err := f.w.Write(part); err != nil {
			return err
		}
	}
	return f.flush.Flush()
}

// fail ends a stream that has begun.
func (f *frames) fail(why error) error {
	out := frameError{Code: domain.CodeOf(why), Message: "internal error"}
	if e, ok := errors.AsType[*domain.Error](why); ok {
		out.Message = e.Message
	}
	return errors.Join(why, f.send(frame{Type: "error", Error: &out}))
}
