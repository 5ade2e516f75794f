package workflows

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/domain/workflowrun"
	"strata/internal/httpx"
	"strata/internal/view"
	"strata/streams"
)

// await returns how a run stands when it has ended, waits for a person, or time is
// up. see is shown the run's events; it may be nil.
func (s *Service) await(ctx context.Context, out Outcome, most time.Duration, see func(domain.Event) error) (view.WorkflowRun, error) {
	waiting, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	stop := context.AfterFunc(s.Live, cancel)
	defer stop()
	run, err := s.follow(waiting, out, see)
	if err != nil && (waiting.Err() == nil || ctx.Err() != nil) {
		return run, err
	}
	return s.look(ctx, out.ID) // as far as it is
}

func (s *Service) look(ctx context.Context, id string) (view.WorkflowRun, error) {
	p := httpx.From(ctx).Principal
	return commands.Load(ctx, s.Handler, workflowrun.Aggregate, p, id, s.show)
}

// follow follows a run to its end, or until it waits for a person.
func (s *Service) follow(ctx context.Context, out Outcome, see func(domain.Event) error) (view.WorkflowRun, error) {
	after := out.Position
	if after == 0 { // a repeat: what it has done before is not shown
		var err error
		if after, err = s.Store.Head(ctx); err != nil {
			return out.View, err
		}
	}
	p := httpx.From(ctx).Principal
	sub, err := s.Store.Subscribe(ctx, after, &streams.Filter{Categories: []string{workflowrun.Aggregate.Category}, Workspace: p.Workspace})
	if err != nil {
		return out.View, err
	}
	defer func() { _ = sub.Close() }() // nothing is lost with it
	stream := workflowrun.Aggregate.Stream(out.ID)
	for looked := false; ; {
		if !looked { // it may have ended before the subscription began
			run, err := s.look(ctx, out.ID)
			if err != nil || (see == nil || out.Position == 0) && settled(run.Status) {
				return run, err
			}
			looked = true
		}
		batch, err := sub.Next(ctx, 256)
		if err != nil {
			return out.View, err
		}
		for _, stored := range batch.Events {
			if stored.Stream != stream {
				continue
			}
			httpx.Wrote(ctx, stored.Position)
			if done, run, err := s.followed(ctx, stored, see); done || err != nil {
				return run, err
			}
		}
	}
}

// settled tells that a run does not go on by itself.
func settled(status string) bool {
	return workflowrun.Status(status).Over() || status == string(workflowrun.StatusPaused)
}

// followed shows an event, and tells whether it settles the run.
func (s *Service) followed(ctx context.Context, stored streams.Recorded, see func(domain.Event) error) (done bool, run view.WorkflowRun, err error) {
	e, err := s.Codec.Decode(stored)
	if err != nil {
		return false, run, err
	}
	if see != nil {
		if err := see(e); err != nil {
			return false, run, err
		}
	}
	switch f := e.Fact.(type) {
	case workflowrun.Completed, workflowrun.Failed, workflowrun.Cancelled, domain.Erased:
		run, err = s.look(ctx, e.Stream.Key())
		return true, run, err
	case workflowrun.StepOpened:
		if f.Awaits == workflowrun.Human {
			run, err = s.look(ctx, e.Stream.Key())
			return err == nil && settled(run.Status), run, err
		}
	}
	return false, run, nil
}

// frame is one message of a streamed run.
type frame struct {
	Type       string           `json:"type"` // start, step, token, end
	RunID      string           `json:"runId,omitempty"`
	Step       json.RawMessage  `json:"step,omitempty"` // a view.WorkflowStep as the mount spells it
	Content    string           `json:"content,omitempty"`
	Status     string           `json:"status,omitempty"`
	Outputs    json.RawMessage  `json:"outputs,omitempty"`
	Error      *view.RunError   `json:"error,omitempty"`
	TokenUsage *view.TokenUsage `json:"tokenUsage,omitempty"`
}

// longestStream is how long a run is followed by one request.
const longestStream = time.Hour

// stream answers with the run as it happens.
func (s *Service) stream(ctx context.Context, w http.ResponseWriter, out Outcome, spell spelling) error {
	frames := newFrames(ctx, w, spell)
	defer frames.stop()
	if err := frames.send(frame{Type: "start", RunID: out.ID}); err != nil {
		return err
	}
	var err error
	if frames.types, err = s.nodeTypes(ctx, out.ID); err != nil {
		return err
	}
	run, err := s.await(frames.ctx, out, longestStream, func(e domain.Event) error { return frames.tell(e, endFrames(e)) })
	if err != nil {
		return err
	}
	usage := run.TokenUsage
	return frames.send(frame{Type: "end", RunID: run.RunID, Status: run.Status, Outputs: run.Outputs, Error: run.Error, TokenUsage: &usage})
}
