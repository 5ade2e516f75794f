package workflows

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"

	"strata/commands"
	"strata/domain"
	"strata/domain/workflowrun"
	"strata/internal/httpx"
	"strata/internal/view"
	"strata/streams"
)

type watchInput struct {
	LastEventID string `query:"last_event_id" doc:"Show what came after the frame with this id; the header Last-Event-ID says the same."`
}

// registerWatch adds the operation that follows a run.
func (s *Service) registerWatch(r *httpx.Router, p place) {
	op := p.op("streamWorkflowRun", http.MethodGet, p.workflow+p.runs+"/stream", "Follow a run as server-sent events", "workflows:get")
	op.Description = "All of the run is shown from its start on, then what happens, until it has ended: `{\"type\":\"start\",\"runId\"}`, `{\"type\":\"step\",\"step\"}` whenever " +
		"a step begins, waits, fails or ends, `{\"type\":\"token\",\"content\"}` for what models say, `{\"type\":\"end\",\"runId\",\"status\",\"outputs\",\"tokenUsage\"}`. " +
		"Frames have ids; a client that was cut off goes on after the last one that it has seen."
	op.Streaming, op.ResultMedia = true, "text/event-stream"
	spell := r.Speller(reflect.TypeFor[view.WorkflowStep](), p.mount)
	httpx.Stream(r, op, func(w http.ResponseWriter, req *http.Request, in *watchInput) (*httpx.Reply[view.WorkflowRun], error) {
		var after uint64
		if last := cmp.Or(in.LastEventID, req.Header.Get("Last-Event-ID")); last != "" {
			var err error
			if after, err = strconv.ParseUint(last, 10, 64); err != nil {
				var faults domain.Faults
				faults.Add(true, "last_event_id", "must be the id of a frame")
				return nil, faults.Err()
			}
		}
		var run string
		_, err := s.on(req.Context(), p, op.Permission, func(_ commands.Request, id string) (Outcome, error) {
			run = id
			return Outcome{}, nil
		})
		if err != nil {
			return nil, err
		}
		return nil, s.watch(req.Context(), w, run, domain.Position(after), spell)
	})
}

// watch shows a run as it happens, from after a position on.
func (s *Service) watch(ctx context.Context, w http.ResponseWriter, run string, after domain.Position, spell spelling) error {
	frames := newFrames(ctx, w, spell)
	defer frames.stop()
	ctx, cancel := context.WithTimeout(frames.ctx, longestStream)
	defer cancel()
	defer context.AfterFunc(s.Live, cancel)()
	if err := frames.send(frame{Type: "start", RunID: run}); err != nil {
		return err
	}
	var err error
	if frames.types, err = s.nodeTypes(ctx, run); err != nil {
		return err
	}
	last := after
	err = s.each(ctx, run, func(e domain.Event) error {
		if e.Position <= after {
			return nil
		}
		last = e.Position
		return frames.tell(e, liveFrames(e))
	})
	if err != nil {
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			return nil // the client has left, or goes on elsewhere
		}
		return err
	}
	v, err := s.look(ctx, run)
	if err != nil {
		return err
	}
	usage := v.TokenUsage
	frames.at = last
	return frames.send(frame{Type: "end", RunID: run, Status: v.Status, Outputs: v.Outputs, Error: v.Error, TokenUsage: &usage})
}

// nodeTypes are the types of a run's nodes by their ids.
func (s *Service) nodeTypes(ctx context.Context, run string) (map[string]string, error) {
	return commands.Load(ctx, s.Handler, workflowrun.Aggregate, httpx.From(ctx).Principal, run, func(l *commands.Loaded[workflowrun.State]) map[string]string {
		types := map[string]string{}
		for _, n := range l.State.Definition.Nodes {
			types[n.ID] = string(n.Type)
		}
		return types
	})
}

// each shows see every event of a run, those that are to come included, until the
// run has ended.
func (s *Service) each(ctx context.Context, run string, see func(domain.Event) error) error {
	p := httpx.From(ctx).Principal
	var last domain.Position
	var over bool
	var fault error
	err := commands.Events(ctx, s.Handler, workflowrun.Aggregate, p, run, func(e domain.Event) bool {
		last, over, fault = e.Position, ends(e), see(e)
		return fault == nil && !over
	})
	if err == nil {
		err = fault
	}
	if err != nil || over {
		return err
	}
	sub, err := s.Store.Subscribe(ctx, last, &streams.Filter{Categories: []string{workflowrun.Aggregate.Category}, Workspace: p.Workspace})
	if err != nil {
		return err
	}
	defer func() { _ = sub.Close() }() // nothing is lost with it
	stream := workflowrun.Aggregate.Stream(run)
	for {
		batch, err := sub.Next(ctx, 256)
		if err != nil {
			return err
		}
		for _, stored := range batch.Events {
			if stored.Stream != stream {
				continue
			}
			e, err := s.Codec.Decode(stored)
			if err == nil {
				err = see(e)
			}
			if err != nil || ends(e) {
				return err
			}
		}
	}
}

// ends tells whether a run has ended with an event.
func ends(e domain.Event) bool {
	switch e.Fact.(type) {
	case workflowrun.Completed, workflowrun.Failed, workflowrun.Cancelled, domain.Erased:
		return true
	}
	return false
}

// shown is a frame before its step is spelled.
type shown struct {
	step  *view.WorkflowStep
	token string
}

// liveFrames are what an event says of the run's steps.
func liveFrames(e domain.Event) (out []shown) {
	run, at := e.Stream.Key(), e.Meta.OccurredAt
	add := func(s view.WorkflowStep) { out = append(out, shown{step: &s}) }
	switch f := e.Fact.(type) {
	case workflowrun.Started:
		for _, node := range slices.Sorted(maps.Keys(f.Carried)) {
			add(view.EndedStep(run, workflowrun.StepEnded{Step: node, Result: f.Carried[node]}, at))
		}
	case workflowrun.StepBegan:
		add(view.BegunStep(run, f, at))
	case workflowrun.StepOpened:
		add(view.OpenedStep(run, f))
	case workflowrun.StepEnded, workflowrun.StepFailed:
		return endFrames(e)
	case workflowrun.Completed:
		for _, node := range f.Skipped {
			add(view.SkippedStep(run, node, at))
		}
	}
	return out
}

// endFrames are a step that has ended or failed, and what a model has said.
func endFrames(e domain.Event) (out []shown) {
	switch f := e.Fact.(type) {
	case workflowrun.StepEnded:
		step := view.EndedStep(e.Stream.Key(), f, e.Meta.OccurredAt)
		out = append(out, shown{step: &step})
		var said struct {
			Text  string `json:"text"`
			Model string `json:"model"`
		}
		if json.Unmarshal(f.Output, &said) == nil && said.Model != "" && said.Text != "" {
			out = append(out, shown{token: said.Text})
		}
	case workflowrun.StepFailed:
		step := view.FailedStep(e.Stream.Key(), f, e.Meta.OccurredAt)
		out = append(out, shown{step: &step})
	}
	return out
}
