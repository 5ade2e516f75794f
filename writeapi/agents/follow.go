package agents

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/domain/agentrun"
	"strata/internal/httpx"
	"strata/internal/view"
	"strata/streams"
)

// await returns how a run stands when it has ended or time is up. see is called
// after each of its events with the run as it is then; it may be nil.
func (s *Service) await(ctx context.Context, out Outcome, most time.Duration, see func(domain.Event) error) (view.AgentRun, error) {
	waiting, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	defer context.AfterFunc(s.Live, cancel)()
	err := s.follow(waiting, out, see)
	if err != nil && (waiting.Err() == nil || ctx.Err() != nil) {
		return out.View, err
	}
	return look(ctx, s, out.ID, show) // as far as it is
}

func look[V any](ctx context.Context, s *Service, id string, view func(*commands.Loaded[agentrun.State]) V) (V, error) {
	return commands.Load(ctx, s.Handler, agentrun.Aggregate, httpx.From(ctx).Principal, id, view)
}

// follow follows a run to its end: one that was started just now from its start, one
// that was there before from what the log has of it.
func (s *Service) follow(ctx context.Context, out Outcome, see func(domain.Event) error) error {
	after := out.Position
	if after == 0 || out.Repeated {
		var over bool
		var err error
		if after, over, err = s.replay(ctx, out.ID, see); over || err != nil {
			return err
		}
	}
	p := httpx.From(ctx).Principal
	sub, err := s.Store.Subscribe(ctx, after, &streams.Filter{Categories: []string{agentrun.Aggregate.Category}, Workspace: p.Workspace})
	if err != nil {
		return err
	}
	defer func() { _ = sub.Close() }() // nothing is lost with it
	stream := agentrun.Aggregate.Stream(out.ID)
	for {
		batch, err := sub.Next(ctx, 256)
		if err != nil {
			return err
		}
		for _, stored := range batch.Events {
			if stored.Stream != stream {
				continue
			}
			httpx.Wrote(ctx, stored.Position)
			e, err := s.Codec.Decode(stored)
			if err == nil && see != nil {
				err = see(e)
			}
			if err != nil || ends(e) {
				return err
			}
		}
	}
}

// replay shows what has happened to a run, and tells whether it is over and where its
// last event is.
func (s *Service) replay(ctx context.Context, id string, see func(domain.Event) error) (last domain.Position, over bool, err error) {
	var fault error
	err = commands.Events(ctx, s.Handler, agentrun.Aggregate, httpx.From(ctx).Principal, id, func(e domain.Event) bool {
		last, over = e.Position, ends(e)
		httpx.Wrote(ctx, last)
		if see != nil {
			fault = see(e)
		}
		return fault == nil && !over
	})
	if err == nil {
		err = fault
	}
	return last, over, err
}

func ends(e domain.Event) bool {
	switch e.Fact.(type) {
	case agentrun.Completed, agentrun.Failed, agentrun.Cancelled, domain.Erased:
		return true
	}
	return false
}

// frame is one message of a streamed run.
type frame struct {
	Type       string           `json:"type"` // start, step, token, end
	RunID      string           `json:"runId,omitempty"`
	Step       json.RawMessage  `json:"step,omitempty"` // a view.AgentRunStep as the mount spells it
	Content    string           `json:"content,omitempty"`
	Status     string           `json:"status,omitempty"`
	Output     json.RawMessage  `json:"output,omitempty"`
	Error      *view.RunFault   `json:"error,omitempty"`
	TokenUsage *view.TokenUsage `json:"tokenUsage,omitempty"`
}

const (
	// keepAlive is how often a silent stream shows that it lives.
	keepAlive = 15 * time.Second
	// writeWait is how long a client may take for one frame.
	writeWait = 10 * time.Second
	// longestStream is how long one request follows a run.
	longestStream = time.Hour
)

// frames sends server-sent events.
type frames struct {
	mu sync.Mutex
	w  http.ResponseWriter
	c  *http.ResponseController
}

// send sends a frame. One that tells of an event bears its position as an id, after
// which a client can ask for the rest; 0 is none.
func (f *frames) send(at domain.Position, v frame) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	id := ""
	if at > 0 {
		id = fmt.Sprintf("id: %d\n", at)
	}
	return f.write([]byte(id), []byte("data: "), b, []byte("\n\n"))
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

// beat sends comments until ctx ends, and calls gone when the client is.
func (f *frames) beat(ctx context.Context, gone func()) {
	tick := time.NewTicker(keepAlive)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if f.write([]byte(": keep-alive\n\n")) != nil {
				gone()
				return
			}
		}
	}
}

// stream answers with the run as it happens, from after a position on.
func (s *Service) stream(ctx context.Context, w http.ResponseWriter, out Outcome, after domain.Position, spell func([]byte) ([]byte, error)) error {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache")
	h.Set("Connection", "keep-alive")
	h.Set("X-Accel-Buffering", "no") // proxies that buffer would hold the frames back
	w.WriteHeader(http.StatusOK)
	f := &frames{w: w, c: http.NewResponseController(w)}
	ctx, cancel := context.WithCancel(ctx)
	var beating sync.WaitGroup
	beating.Go(func() { f.beat(ctx, cancel) })
	defer beating.Wait()
	defer cancel()
	if err := f.send(0, frame{Type: "start", RunID: out.ID}); err != nil {
		return err
	}
	last := after
	run, err := s.await(ctx, out, longestStream, func(e domain.Event) error {
		if e.Position <= after {
			return nil
		}
		last = e.Position
		return s.tell(ctx, f, e, spell)
	})
	if err != nil {
		return err
	}
	return f.send(last, frame{Type: "end", RunID: run.ID, Status: run.Status, Output: run.Output, Error: run.Error, TokenUsage: &run.TokenUsage})
}

// tell shows a step that has ended, and what a model has said.
func (s *Service) tell(ctx context.Context, f *frames, e domain.Event, spell func([]byte) ([]byte, error)) error {
	var index int
	var content string
	switch fact := e.Fact.(type) {
	case agentrun.ModelAnswered:
		index, content = fact.Step, fact.Content
	case agentrun.ToolAnswered:
		index = fact.Step
	default:
		return nil
	}
	type seen struct {
		step view.AgentRunStep
		ok   bool
	}
	one, err := look(ctx, s, e.Stream.Key(), func(l *commands.Loaded[agentrun.State]) seen {
		step, ok := view.AgentRunStepOf(l.State, index)
		return seen{step, ok}
	})
	if err != nil || !one.ok { // the run was erased meanwhile
		return err
	}
	b, err := json.Marshal(one.step)
	if err == nil {
		b, err = spell(b)
	}
	if err != nil {
		return err
	}
	if content == "" {
		return f.send(e.Position, frame{Type: "step", Step: b})
	}
	if err := f.send(0, frame{Type: "step", Step: b}); err != nil { // the event has not been told yet
		return err
	}
	return f.send(e.Position, frame{Type: "token", Content: content})
}

// resumed is the position after which a client wants the rest of a stream: its
// Last-Event-ID. One that is no position is as good as none.
func resumed(r *http.Request) domain.Position {
	at, err := strconv.ParseUint(r.Header.Get("Last-Event-ID"), 10, 64)
	if err != nil {
		return 0
	}
	return domain.Position(at)
}
