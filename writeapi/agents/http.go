package agents

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"time"

	"strata/commands"
	"strata/internal/httpx"
	"strata/internal/view"
)

// runFields are what a run is asked with.
type runFields struct {
	Input        json.RawMessage `json:"input" required:"true" doc:"{message}, {messages: [{role, content}]}, or what the agent's input schema describes." example:"{\"message\":\"Where is order 4711?\"}"`
	SessionID    string          `json:"session_id" maxLength:"200" doc:"Uid of a session: what was said in it is shown to the model, input and answer are added to it."`
	Variables    map[string]any  `json:"variables" doc:"Values for the places of the agent's instructions."`
	AgentVersion int             `json:"agent_version" minimum:"1" doc:"Version of the agent; the current one when absent."`
	TimeoutMS    int             `json:"timeout_ms" minimum:"1" maximum:"86400000" doc:"How long the run may take, if that is less than the agent's own limit."`
}

type (
	runInput   struct{ Body runFields }
	startInput struct {
		Body struct {
			AgentID string `json:"agent_id" required:"true" minLength:"1" doc:"Id or name of the agent." example:"agt_01jk2m3n4p5q6r7s8t9v0w1x2y"`
			runFields
		}
	}
	runTarget struct {
		ID string `path:"run_id"`
	}
	cancelInput struct {
		runTarget
		Body struct {
			Reason string `json:"reason" maxLength:"1000" example:"not needed any more"`
		}
	}
	forkInput struct {
		runTarget
		Body struct {
			Step int `json:"step" required:"true" minimum:"1" doc:"Index of the step that is done again; what came before it stays as it was." example:"3"`
		}
	}
)

// longestWait is how long a request waits for the end of a run; the run goes on.
const longestWait = 10 * time.Minute

// Register adds the operations that start and steer runs.
func (s *Service) Register(r *httpx.Router) {
	op := func(mount *httpx.Mount, id, path, summary, description string) httpx.Op {
		return httpx.Op{ID: id, Method: http.MethodPost, Path: path, Mount: mount, Tag: "Agents", Summary: summary, Description: description, Permission: "agents:run"}
	}
	submit := op(httpx.V1, "runAgentV1", "/agents/{name}/runs", "Start a run of an agent", "The run goes on by itself; GET it, or follow its events.")
	submit.Status = http.StatusAccepted
	httpx.Register(r, submit, func(ctx context.Context, in *runInput) (httpx.Reply[view.AgentRun], error) {
		return replied(s.Start(ctx, request(ctx, submit.Permission, ""), in.Body.ask(httpx.PathValue(ctx, "name"))))
	})
	start := op(httpx.API, "startAgentRun", "/runs", "Start a run in the background", "The run goes on by itself; GET it, or follow its events.")
	start.Status = http.StatusAccepted
	httpx.Register(r, start, func(ctx context.Context, in *startInput) (httpx.Reply[view.AgentRun], error) {
		return replied(s.Start(ctx, request(ctx, start.Permission, ""), in.Body.ask(in.Body.AgentID)))
	})
	wait := op(httpx.API, "executeAgent", "/agents/{agent_id}/execute", "Execute an agent (synchronous)",
		"Waits for the run's end, ten minutes at most; then it is answered as it stands and goes on. A run that fails is an answer with that status.")
	wait.Timeout = longestWait + time.Minute
	httpx.Register(r, wait, func(ctx context.Context, in *runInput) (httpx.Reply[view.AgentRun], error) {
		out, err := s.Start(ctx, request(ctx, wait.Permission, ""), in.Body.ask(httpx.PathValue(ctx, "agent_id")))
		if err != nil {
			return httpx.Reply[view.AgentRun]{}, err
		}
		run, err := s.await(ctx, out, longestWait, nil)
		return httpx.Reply[view.AgentRun]{Body: run, Position: out.Position}, err
	})
	s.registerStreams(r)
	s.registerSteering(r)
}

// theFrames describes the messages of streams of runs.
const theFrames = "Frames are `{\"type\":\"start\",\"runId\"}`, `{\"type\":\"step\",\"step\"}` for each step that has ended, `{\"type\":\"token\",\"content\"}` with what the " +
	"model said, and `{\"type\":\"end\",\"runId\",\"status\",\"output\",\"tokenUsage\"}`. "

// registerStreams adds the operations that show a run as it happens.
func (s *Service) registerStreams(r *httpx.Router) {
	spell := r.Speller(reflect.TypeFor[view.AgentRunStep](), httpx.API)
	execute := httpx.Op{ID: "executeAgentStream", Method: http.MethodPost, Path: "/agents/{agent_id}/execute/stream", Mount: httpx.API, Tag: "Agents",
		Summary: "Execute an agent with SSE streaming", Permission: "agents:run", Streaming: true, ResultMedia: "text/event-stream",
		Description: theFrames + "The run goes on when the client leaves. The same request with the same Idempotency-Key follows it again, after the header Last-Event-ID if there is one."}
	httpx.Stream(r, execute, func(w http.ResponseWriter, req *http.Request, in *runInput) (*httpx.Reply[view.AgentRun], error) {
		ctx := req.Context()
		out, err := s.Start(ctx, request(ctx, execute.Permission, ""), in.Body.ask(httpx.PathValue(ctx, "agent_id")))
		if err != nil {
			return nil, err
		}
		return nil, s.stream(ctx, w, out, resumed(req), spell)
	})
	follow := httpx.Op{ID: "streamAgentRun", Method: http.MethodGet, Path: "/runs/{run_id}/stream", Mount: httpx.API, Tag: "Agents",
		Summary: "Follow a run as SSE", Permission: "agents:get", Streaming: true, ResultMedia: "text/event-stream",
		Description: theFrames + "All of the run is shown, or what came after the header Last-Event-ID."}
	httpx.Stream(r, follow, func(w http.ResponseWriter, req *http.Request, in *runTarget) (*httpx.Reply[view.AgentRun], error) {
		ctx := req.Context()
		if _, err := look(ctx, s, in.ID, show); err != nil {
			return nil, err
		}
		return nil, s.stream(ctx, w, Outcome{ID: in.ID}, resumed(req), spell)
	})
}

func (s *Service) registerSteering(r *httpx.Router) {
	for _, place := range []struct {
		mount  *httpx.Mount
		suffix string
	}{{httpx.API, ""}, {httpx.V1, "V1"}} {
		cancel := httpx.Op{ID: "cancelAgentRun" + place.suffix, Method: http.MethodPost, Path: "/runs/{run_id}/cancel", Mount: place.mount, Tag: "Agents",
			Summary: "Cancel a run", Description: "Its steps are told to stop. Cancelling it again changes nothing.", Permission: "agents:run"}
		httpx.Register(r, cancel, func(ctx context.Context, in *cancelInput) (httpx.Reply[view.AgentRun], error) {
			return replied(s.Cancel(ctx, request(ctx, cancel.Permission, in.ID), in.Body.Reason))
		})
		fork := httpx.Op{ID: "forkAgentRun" + place.suffix, Method: http.MethodPost, Path: "/runs/{run_id}/fork", Mount: place.mount, Tag: "Agents",
			Summary:     "Fork a run from a step",
			Description: "Starts a run that does the step again, with the same agent and all that came before. A tool's step is done again with the call of the model that asked for it.",
			Permission:  "agents:run", Status: http.StatusAccepted}
		httpx.Register(r, fork, func(ctx context.Context, in *forkInput) (httpx.Reply[view.AgentRun], error) {
			req := request(ctx, fork.Permission, "")
			req.Route += in.ID
			return replied(s.Fork(ctx, req, in.ID, in.Body.Step))
		})
	}
}

func (f runFields) ask(agent string) Ask {
	return Ask{Agent: agent, Version: f.AgentVersion, Input: f.Input, Variables: f.Variables, SessionID: f.SessionID, TimeoutMS: f.TimeoutMS}
}

func replied(out Outcome, err error) (httpx.Reply[view.AgentRun], error) {
	if err != nil {
		return httpx.Reply[view.AgentRun]{}, err
	}
	return httpx.Reply[view.AgentRun]{Body: out.View, Revision: &out.Revision, Position: out.Position}, nil
}

func request(ctx context.Context, permission, id string) commands.Request {
	r := httpx.From(ctx)
	return commands.Request{Principal: r.Principal, Permission: permission, ID: id, IfMatch: r.IfMatch,
		IdempotencyKey: r.IdempotencyKey, Route: r.Operation + " " + id, RequestID: r.ID, CorrelationID: r.CorrelationID}
}
