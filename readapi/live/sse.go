package live

import (
	"fmt"
	"io"
	"net/http"
	"time"

	"strata/internal/httpx"
)

// SSE follows events as server-sent events; each carries its position as id. It
// returns when the connection was taken over, or an error that is still to be
// answered.
func (h *Hub) SSE(w http.ResponseWriter, r *http.Request, want Follow) error {
	f, err := h.admit(r.Context(), want, overSSE)
	if err != nil {
		return err
	}
	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-cache")
	header.Set("Connection", "close") // the end of the connection is the end of the answer
	header.Set("X-Accel-Buffering", "no")
	if r.Method == http.MethodHead {
		h.leave(f)
		w.WriteHeader(http.StatusOK)
		return nil
	}
	conn, err := httpx.Hijack(w, http.StatusOK)
	if err != nil {
		h.leave(f)
		return err
	}
	l := newLink(conn)
	l.deadline(time.Now().Add(h.Patience))
	if err := writeHead(conn, header, f); err != nil { // the client has left
		l.close()
		h.leave(f)
		return nil
	}
	l.unhurried()
	h.begin(f, l, func() {
		_, _ = io.CopyBuffer(onlyWriter{}, onlyReader{conn}, make([]byte, 16)) // until the client leaves; it has nothing to say
	})
	return nil
}

func writeHead(conn io.Writer, header http.Header, f *follower) error {
	head := []byte("HTTP/1.1 200 OK\r\n")
	w := &appender{head}
	if err := header.Write(w); err != nil {
		return err
	}
	_, err := conn.Write(fmt.Appendf(w.b, "\r\n: following after %d\n\n", f.at))
	return err
}

type appender struct{ b []byte }

func (a *appender) Write(p []byte) (int, error) {
	a.b = append(a.b, p...)
	return len(p), nil
}
