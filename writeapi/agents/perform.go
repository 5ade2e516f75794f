package agents

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"strata/commands"
	"strata/commands/steps"
	"strata/domain"
	"strata/domain/agentrun"
	"strata/gateway"
	"strata/gateway/mcp"
)

// job is what a step needs to know of its run.
type job struct {
	agent     agentrun.Agent
	messages  []agentrun.Message // for a call of the model
	step      agentrun.Step
	memories  string // recalled
	userID    string
	person    string
	apiKey    string
	appID     string
	sessionID string
	subject   string
	depth     int
	over      bool               // the run is
	told      []agentrun.Message // for a turn that the session is told
}

func jobOf(l *commands.Loaded[agentrun.State], step string) job {
	s := l.State
	if turn, tells := strings.CutPrefix(step, tellStep); tells {
		return job{agent: s.Agent, sessionID: s.SessionID, told: s.Turns(turn)}
	}
	index, err := strconv.Atoi(step)
	if err != nil || index < 1 || index > len(s.Steps) {
		return job{}
	}
	j := job{agent: s.Agent, step: s.Steps[index-1], memories: s.Memories, userID: s.UserID, person: s.Person, apiKey: s.APIKey, appID: s.AppID, sessionID: s.SessionID, subject: s.Subject, depth: s.Depth, over: s.Status.Over()}
	if j.step.Type == agentrun.LLM {
		j.messages = append(j.messages, s.Messages...) // what a message holds does not change
	}
	if j.step.Call != nil {
		call := *j.step.Call
		j.step.Call = &call
	}
	return j
}

// The longest that one call may take.
const (
	modelTime = 10 * time.Minute
	toolTime  = 5 * time.Minute
)

// perform does a step.
func (s *Service) perform(ctx context.Context, run steps.Ref, step string, j job) (domain.Decider[agentrun.State], error) {
	if turn, tells := strings.CutPrefix(step, tellStep); tells {
		return s.tellSession(ctx, run, turn, &j)
	}
	if j.over {
		return s.stopChild(ctx, run, &j)
	}
	if j.step.StartsRun() {
		return s.startChild(ctx, run, &j)
	}
	if j.step.Type != agentrun.LLM {
		return s.callTool(ctx, run, j)
	}
	answer, err := s.askModel(ctx, run, &j)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		code, message := domain.CodeOf(err), "the model could not be asked"
		if e, ok := errors.AsType[*domain.Error](err); ok {
			message = e.Message
		}
		return agentrun.Fail{Failed: agentrun.Failed{Code: code, Message: message, Step: j.step.Index}}, nil
	}
	return agentrun.Answer{ModelAnswered: answer}, nil
}

// askModel calls the model. Budgets and the inference log know the run by the
// call's correlation id and metadata.
func (s *Service) askModel(ctx context.Context, run steps.Ref, j *job) (agentrun.ModelAnswered, error) {
	var none agentrun.ModelAnswered
	ctx, cancel := context.WithTimeout(ctx, modelTime)
	defer cancel()
	tools, err := s.toolsOf(ctx, s.caller(run, j), j.agent.Tools)
	if err != nil {
		return none, err
	}
	tools = distinct(append(ownTools(&j.agent), tools...))
	params := gateway.ChatParams{Model: j.agent.Model, Temperature: j.agent.Temperature, MaxTokens: j.agent.MaxTokens, Messages: transcript(j)}
	for i := range tools {
		definition, err := tools[i].definition()
		if err != nil {
			return none, err
		}
		params.Tools = append(params.Tools, definition)
	}
	request, err := gateway.NewChat(params)
	if err != nil {
		return none, err
	}
	answer, err := s.Gateway.Chat(ctx, gateway.Call{Organization: run.Organization, Workspace: run.Workspace, User: j.userID, APIKey: j.apiKey, App: j.appID,
		Agent: j.agent.ID, Session: j.sessionID, CorrelationID: run.ID, Subject: j.subject, RecordPayload: s.RecordPayloads, Tags: []string{"agent"},
		Metadata: map[string]string{"run_id": run.ID, "agent_id": j.agent.ID, "step": agentrun.StepID(j.step.Index)}}, request)
	if err != nil {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			err = domain.Errorf(domain.CodeTimeout, "the model did not answer in time")
		}
		return none, err
	}
	calls, err := callsOf(answer.Body, tools)
	return agentrun.ModelAnswered{Step: j.step.Index, Content: answer.Text, Calls: calls, Model: answer.Model, FinishReason: answer.FinishReason,
		Usage: agentrun.Usage{Prompt: answer.Usage.InputTokens, Completion: answer.Usage.OutputTokens}, Cost: answer.Cost}, err
}

// transcript writes the run the way models take it.
func transcript(j *job) []gateway.Message {
	var out []gateway.Message
	system := j.agent.Instructions
	if j.memories != "" {
		system = strings.TrimSpace(system + "\n\n" + remembered + j.memories)
	}
	if system != "" {
		out = append(out, gateway.Message{Role: "system", Content: system})
	}
	for _, m := range j.messages {
		w := gateway.Message{Role: m.Role, Content: m.Content, ToolCallID: m.ToolCallID}
		for _, c := range m.Calls {
			// Texts always encode.
			raw, _ := json.Marshal(map[string]any{"id": c.ID, "type": "function", "function": map[string]any{"name": c.Name, "arguments": c.Arguments}})
			w.ToolCalls = append(w.ToolCalls, raw)
		}
		out = append(out, w)
	}
	return out
}

// maxCalls bounds how many tools one answer may ask for.
const maxCalls = 64

// callsOf reads the tools that a model's answer asks for.
func callsOf(body []byte, tools []tool) ([]agentrun.Call, error) {
	var answer struct {
		Choices []struct {
			Message struct {
				ToolCalls []struct {
					ID       string `json:"id"`
					Function struct {
						Name      string `json:"name"`
						Arguments string `json:"arguments"`
					} `json:"function"`
				} `json:"tool_calls"`
			} `json:"message"`
		} `json:"choices"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, domain.Errorf(domain.CodeAIService, "the model's answer cannot be read").Because(err)
	}
	if len(answer.Choices) == 0 {
		return nil, nil
	}
	var out []agentrun.Call
	for i, c := range answer.Choices[0].Message.ToolCalls {
		call := agentrun.Call{ID: c.ID, Name: c.Function.Name, Arguments: c.Function.Arguments}
		if call.ID == "" { // some providers give none
			call.ID = "call_" + strconv.Itoa(i+1)
		}
		for _, t := range tools {
			if t.name == call.Name {
				call.Target = t.target
			}
		}
		out = append(out, call)
	}
	if len(out) > maxCalls {
		return nil, domain.Errorf(domain.CodeAIService, "the model asked for %d tools at once, more than %d", len(out), maxCalls)
	}
	return out, nil
}

func (s *Service) caller(run steps.Ref, j *job) mcp.Caller {
	return mcp.Caller{Organization: run.Organization, Workspace: run.Workspace, User: j.userID, APIKey: j.apiKey, Agent: j.agent.ID, Run: run.ID, CorrelationID: run.ID}
}
