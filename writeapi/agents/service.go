package agents

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"strata/commands"
	library "strata/commands/knowledge"
	"strata/commands/steps"
	"strata/domain"
	"strata/domain/agentrun"
	"strata/domain/catalogue"
	"strata/domain/schema"
	"strata/gateway"
	"strata/gateway/mcp"
	"strata/internal/view"
	"strata/streams"
)

// DefaultModel answers for agents that name none. It needs no network and uses no
// tools.
const DefaultModel = "strata/extract-1"

// Service starts and performs runs. Every field must be set.
type Service struct {
	Handler   *commands.Handler
	Resources *commands.Resources
	Gateway   *gateway.Gateway
	MCP       *mcp.Client
	Knowledge library.Finder // where agents look things up
	Memories  Memories
	Workflows Workflows
	Store     streams.Store
	Codec     *streams.Codec
	// Transport makes the requests of tools, and decides where to they may go.
	Transport      http.RoundTripper
	RecordPayloads bool            // keep what is said to models in the inference log
	Live           context.Context // ends when the server begins to drain
}

// Machine makes runs performable by an executor. open lists those that are.
func (s *Service) Machine(open func(ctx context.Context, after string, limit int) ([]steps.Ref, error)) steps.Machine[agentrun.State, job] {
	return steps.Machine[agentrun.State, job]{
		Aggregate: agentrun.Aggregate,
		Plan: func(l *commands.Loaded[agentrun.State], now time.Time) steps.Plan[agentrun.State] {
			p := l.State.Plan(now)
			out := steps.Plan[agentrun.State]{Advance: p.Advance, Wake: p.Wake}
			for _, begin := range p.Steps {
				out.Steps = append(out.Steps, steps.Step[agentrun.State]{ID: agentrun.StepID(begin.Step), Begin: begin})
			}
			for _, index := range p.Stop {
				out.Steps = append(out.Steps, steps.Step[agentrun.State]{ID: agentrun.StepID(index)})
			}
			if p.Tell != "" {
				out.Steps = append(out.Steps, steps.Step[agentrun.State]{ID: tellStep + p.Tell})
			}
			return out
		},
		Job: jobOf, Perform: s.perform, Open: open,
		Wakes: []string{agentrun.Started{}.EventType(), agentrun.Cancelled{}.EventType(), agentrun.ToolAnswered{}.EventType()},
	}
}

// Ask is what somebody wants an agent to do.
type Ask struct {
	Agent     string // id or name
	Version   int    // 0: the current one
	Input     json.RawMessage
	Variables map[string]any
	SessionID string
	TimeoutMS int // 0: the agent's own
	// Parent is the step of a workflow's run that waits for the run, Depth how deep it
	// is then, and Subject under whose key the run is sealed; all may be empty.
	Parent  *agentrun.Parent
	Depth   int
	Subject string
}

// Outcome is a run as a command has left it.
type Outcome = commands.Outcome[view.AgentRun]

func show(l *commands.Loaded[agentrun.State]) view.AgentRun { return view.AgentRunOf(l.State) }

// Start starts a run. Errors: NOT_FOUND for an agent or a session that there is not;
// CONFLICT for an agent that may not run or a session that is closed; FORBIDDEN without
// the right to add to the session; VALIDATION_ERROR naming what is wrong with the input.
func (s *Service) Start(ctx context.Context, req commands.Request, ask Ask) (Outcome, error) {
	if out, repeated, err := commands.Repeat(ctx, s.Handler, agentrun.Aggregate, req, show); repeated || err != nil {
		return out, err
	}
	agent, version, id, err := s.load(ctx, req.Principal, ask.Agent, ask.Version)
	if err != nil {
		return Outcome{}, err
	}
	cmd, err := s.prepare(&agent, ask)
	if err != nil {
		return Outcome{}, err
	}
	p := req.Principal
	cmd.Agent.ID, cmd.Agent.Version = id, version
	cmd.UserID, cmd.APIKey, cmd.AppID = p.UserID, p.KeyID, p.AppID
	cmd.Parent, cmd.Depth, cmd.Subject = ask.Parent, ask.Depth, ask.Subject
	if ask.SessionID != "" && ask.Parent == nil { // what a workflow asks is not said in its session
		if err := s.join(ctx, p, &cmd); err != nil {
			return Outcome{}, err
		}
	}
	req.Create = true
	return commands.Run(ctx, s.Handler, agentrun.Aggregate, req, cmd, show)
}

// load finds a version of an agent that may run.
func (s *Service) load(ctx context.Context, p domain.Principal, named string, version int) (agent catalogue.Agent, number int, id string, err error) {
	if id, err = s.Resources.Resolve(ctx, catalogue.Agents, p, named); err != nil {
		return agent, 0, "", err
	}
	doc, err := s.Resources.Load(ctx, catalogue.Agents, p, id)
	if err != nil {
		return agent, 0, "", err
	}
	v, err := doc.Resource.VersionAt(version)
	if err != nil {
		return agent, 0, "", err
	}
	// A version holds what may change the run; the rest is the agent's own.
	fields := domain.Doc{"name": doc.Resource.Doc["name"], "status": doc.Resource.Doc["status"]}.Merge(v.Doc)
	if agent, err = domain.Decode[catalogue.Agent](fields); err != nil {
		return agent, 0, "", err
	}
	if agent.Status == "inactive" || agent.Status == "archived" {
		err = domain.Errorf(domain.CodeConflict, "agent %q is %s and cannot be run", agent.Name, agent.Status)
	}
	return agent, v.Number, id, err
}

// prepare makes the command that starts a run of an agent.
func (s *Service) prepare(agent *catalogue.Agent, ask Ask) (agentrun.Start, error) {
	config := catalogue.ReadAgentConfig(agent.Config, nil)
	var faults domain.Faults
	instructions, missing := catalogue.Render(agent.Instructions, nil, ask.Variables)
	for _, name := range missing {
		faults.Add(true, "variables."+name, "is needed by the agent's instructions")
	}
	messages := messagesOf(ask.Input, agent.InputSchema, &faults)
	if err := faults.Err(); err != nil {
		return agentrun.Start{}, err
	}
	timeout := config.TimeoutMS
	if ask.TimeoutMS > 0 {
		timeout = min(timeout, ask.TimeoutMS)
	}
	return agentrun.Start{Timeout: time.Duration(timeout) * time.Millisecond, Started: agentrun.Started{
		Agent: agentrun.Agent{Name: agent.Name, Instructions: instructions, Model: cmp.Or(agent.Model, DefaultModel), Temperature: agent.Temperature,
			MaxTokens: agent.MaxTokens, Tools: agent.Tools, DatasetIDs: agent.DatasetIDs, Memory: agent.MemoryProvider, OutputSchema: agent.OutputSchema, MaxSteps: config.MaxSteps,
			MaxCost: domain.FromDollars(config.MaxCostUSD), ParallelTools: config.ParallelTools},
		Input: ask.Input, Messages: messages, SessionID: ask.SessionID, Recall: agent.MemoryProvider != "",
	}}, nil
}

// messagesOf reads what a run is asked: {message}, {messages} or anything that the
// agent's input schema describes, which is shown to the model as JSON.
func messagesOf(input json.RawMessage, against map[string]any, faults *domain.Faults) []agentrun.Message {
	var value map[string]any
	if json.Unmarshal(input, &value) != nil || value == nil {
		faults.Add(true, "input", "must be an object")
		return nil
	}
	if len(against) > 0 {
		checker, err := schema.Parse(against)
		if err != nil {
			faults.Add(true, "input", "cannot be checked: the agent's input schema %v", err)
			return nil
		}
		for _, f := range checker.Faults("input", value) {
			faults.Add(true, f.Field, "%s", f.Message)
		}
	}
	var given struct {
		Message  *string `json:"message"`
		Messages []struct {
			Role    string `json:"role"`
			Content string `json:"content"`
		} `json:"messages"`
	}
	if err := json.Unmarshal(input, &given); err == nil {
		switch {
		case given.Message != nil && *given.Message != "":
			return []agentrun.Message{{Role: "user", Content: *given.Message}}
		case len(given.Messages) > 0:
			var out []agentrun.Message
			for _, m := range given.Messages {
				faults.Add(m.Role != "user" && m.Role != "assistant", "input.messages", "must have the roles user and assistant")
				out = append(out, agentrun.Message{Role: m.Role, Content: m.Content})
			}
			return out
		}
	}
	faults.Add(len(value) == 0, "input", "must hold a message, messages, or what the agent's input schema describes")
	return []agentrun.Message{{Role: "user", Content: string(input)}}
}

// Cancel cancels a run.
func (s *Service) Cancel(ctx context.Context, req commands.Request, reason string) (Outcome, error) {
	return commands.Run(ctx, s.Handler, agentrun.Aggregate, req, agentrun.Cancel{Reason: reason}, show)
}

// Fork starts a run that goes on from a step of another.
func (s *Service) Fork(ctx context.Context, req commands.Request, run string, step int) (Outcome, error) {
	if out, repeated, err := commands.Repeat(ctx, s.Handler, agentrun.Aggregate, req, show); repeated || err != nil {
		return out, err
	}
	type forked struct {
		start agentrun.Started
		lasts time.Duration
		err   error
	}
	from, err := commands.Load(ctx, s.Handler, agentrun.Aggregate, req.Principal, run, func(l *commands.Loaded[agentrun.State]) forked {
		if l.State.Erased {
			return forked{err: domain.Gone(agentrun.Aggregate.Noun, run)}
		}
		start, err := l.State.Fork(step)
		return forked{start, l.State.Deadline.Sub(l.State.StartedAt), err}
	})
	if err == nil {
		err = from.err
	}
	if err != nil {
		return Outcome{}, err
	}
	p := req.Principal
	from.start.UserID, from.start.APIKey, from.start.AppID = p.UserID, p.KeyID, p.AppID
	req.Create = true
	return commands.Run(ctx, s.Handler, agentrun.Aggregate, req, agentrun.Start{Started: from.start, Timeout: from.lasts}, show)
}
