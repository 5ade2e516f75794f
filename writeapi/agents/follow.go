package agents

import (
	"context"
	"encoding/json"
	"net/http"
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

// follow follows a run to its end.
func (s *Service) follow(ctx context.Context, out Outcome, see func(domain.Event) error) error {
	after := out.Position
	if after == 0 { // a repeat: what it has done before is not shown
		var err error
		if after, err = s.Store.Head(ctx); err != nil {
			return err
		}
	}
	p := httpx.From(ctx).Principal
	sub, err := s.Store.Subscribe(ctx, after, &streams.Filter{Categories: []string{agentrun.Aggregate.Category}, Workspace: p.Workspace})
	if err != nil {
		return err
	}
	defer func() { _ = sub.Close() }() // nothing is lost with it
	if out.Position == 0 {             // it may have ended before the subscription began
		run, err := look(ctx, s, out.ID, show)
		if err != nil || agentrun.Status(run.Status).Over() {
			return err
		}
	}
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
			if err != nil {
				return err
			}
			switch e.Fact.(type) {
			case agentrun.Completed, agentrun.Failed, agentrun.Cancelled, domain.Erased:
				return nil
			}
		}
	}
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

func (f *frames) send(v frame) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return f.write([]byte("data: "), b, []byte("\n\n"))
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

// stream answers with the run as it happens.
func (s *Service) stream(ctx context.Context, w http.ResponseWriter, out Outcome, spell func([]byte) ([]byte, error)) error {
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
	if err := f.send(frame{Type: "start", RunID: out.ID}); err != nil {
		return err
	}
	run, err := s.await(ctx, out, longestStream, func(e domain.Event) error { return s.tell(ctx, f, e, spell) })
	if err != nil {
		return err
	}
	return f.send(frame{Type: "end", RunID: run.ID, Status: run.Status, Output: run.Output, Error: run.Error, TokenUsage: &run.TokenUsage})
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
	all, err := look(ctx, s, e.Stream.Key(), func(l *commands.Loaded[agentrun.State]) []view.AgentRunStep { return view.AgentRunStepsOf(l.State) })
	if err != nil {
		return err
	}
	for i := range all {
		if all[i].Index != index {
			continue
		}
		b, err := json.Marshal(all[i])
		if err == nil {
			b, err = spell(b)
		}
		if err == nil {
			err = f.send(frame{Type: "step", Step: b})
		}
		if err != nil {
			return err
		}
	}
	if content == "" {
		return nil
	}
	return f.send(frame{Type: "token", Content: content})
}
