package workflows

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"strata/domain"
	"strata/internal/view"
)

const (
	// keepAlive is how often a silent stream shows that it lives.
	keepAlive = 15 * time.Second
	// writeWait is how long a client may take for one frame.
	writeWait = 10 * time.Second
)

// frames sends server-sent events, and comments while there are none.
type frames struct {
	ctx  context.Context // ends when the client is gone
	stop func()

	mu    sync.Mutex
	w     http.ResponseWriter
	c     *http.ResponseController
	spell spelling
	types map[string]string // of nodes
	at    domain.Position   // the id of the next frame, if it has one
}

// spelling writes a step the way the mount does.
type spelling = func(canonical []byte) ([]byte, error)

func newFrames(ctx context.Context, w http.ResponseWriter, spell spelling) *frames {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache")
	h.Set("Connection", "keep-alive")
	h.Set("X-Accel-Buffering", "no") // proxies that buffer would hold the frames back
	w.WriteHeader(http.StatusOK)
	f := &frames{w: w, c: http.NewResponseController(w), spell: spell}
	var cancel context.CancelFunc
	f.ctx, cancel = context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(keepAlive)
		defer tick.Stop()
		for {
			select {
			case <-f.ctx.Done():
				return
			case <-tick.C:
				if f.write([]byte(": keep-alive\n\n")) != nil {
					cancel()
				}
			}
		}
	}()
	f.stop = func() {
		cancel()
		<-done
	}
	return f
}

func (f *frames) send(v frame) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	id := ""
	if f.at > 0 {
		id, f.at = fmt.Sprintf("id: %d\n", f.at), 0
	}
	return f.write([]byte(id), []byte("data: "), b, []byte("\n\n"))
}

// tell sends what an event shows. The last frame bears its position: whoever has
// seen that has seen all of it.
func (f *frames) tell(e domain.Event, all []shown) error {
	for i, one := range all {
		if i == len(all)-1 {
			f.at = e.Position
		}
		var err error
		if one.step != nil {
			err = f.step(*one.step)
		} else {
			err = f.send(frame{Type: "token", Content: one.token})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *frames) step(s view.WorkflowStep) error {
	s.NodeType = f.types[s.NodeID]
	b, err := json.Marshal(s)
	if err == nil {
		b, err = f.spell(b)
	}
	if err != nil {
		return err
	}
	return f.send(frame{Type: "step", Step: b})
}

func (f *frames) write(parts ...[]byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.c.SetWriteDeadline(time.Now().Add(writeWait)); err != nil {
		return err
	}
	for _, p := range parts {
		if _, err := f.w.Write(p); err != nil {
			return err
		}
	}
	return f.c.Flush()
}
