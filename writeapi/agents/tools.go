package agents

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"strata/commands/steps"
	"strata/domain"
	"strata/domain/agentrun"
	"strata/domain/formula"
	"strata/domain/memory"
	"strata/gateway/mcp"
	"strata/internal/outbound"
)

// tool is something that a model may call.
type tool struct {
	name        string // as models take names
	target      string // what it is: "calculator", "mcp:search/find"
	description string
	schema      json.RawMessage // of its arguments
}

// definition writes a tool in OpenAI's form.
func (t *tool) definition() (json.RawMessage, error) {
	return json.Marshal(map[string]any{"type": "function", "function": map[string]any{
		"name": t.name, "description": t.description, "parameters": t.schema}})
}

func builtins() []tool {
	return []tool{
		{name: "calculator", target: "calculator", description: "Evaluates an arithmetic expression, such as (17 + 4) * 2.5.",
			schema: json.RawMessage(`{"type":"object","properties":{"expression":{"type":"string"}},"required":["expression"]}`)},
		{name: "current_time", target: "current_time", description: "Tells the current date and time in UTC.",
			schema: json.RawMessage(`{"type":"object","properties":{}}`)},
		{name: "http_get", target: "http_get", description: "Reads a public web address and returns its text.",
			schema: json.RawMessage(`{"type":"object","properties":{"url":{"type":"string"}},"required":["url"]}`)},
	}
}

// toolsOf finds out what an agent's tools are.
func (s *Service) toolsOf(ctx context.Context, by mcp.Caller, names []string) ([]tool, error) {
	var out []tool
	listed := map[string][]mcp.Tool{} // by server
	for _, name := range names {
		if i := slices.IndexFunc(builtins(), func(t tool) bool { return t.target == name }); i >= 0 {
			out = append(out, builtins()[i])
			continue
		}
		if named, is := strings.CutPrefix(name, agentrun.WorkflowTool); is {
			t, err := s.workflowTool(ctx, by, named)
			if err != nil {
				return nil, err
			}
			out = append(out, t)
			continue
		}
		server, one, chosen := strings.Cut(strings.TrimPrefix(name, "mcp:"), "/")
		offered, known := listed[server]
		if !known {
			var err error
			if offered, err = s.MCP.Tools(ctx, by, server); err != nil {
				return nil, toolsFault(server, err)
			}
			listed[server] = offered
		}
		found := false
		for _, t := range offered {
			if !chosen || t.Name == one {
				found = true
				out = append(out, tool{name: nameOf(server, t.Name), target: "mcp:" + server + "/" + t.Name, description: t.Description, schema: t.InputSchema})
			}
		}
		if chosen && !found {
			return nil, domain.Errorf(domain.CodeNotFound, "the MCP server %q has no tool %q", server, one)
		}
	}
	return distinct(out), nil
}

func toolsFault(server string, err error) error {
	if e, ok := errors.AsType[*mcp.Error](err); ok {
		return domain.Errorf(domain.CodeUnavailable, "the MCP server %q does not list its tools: %s", server, e.Message)
	}
	return err
}

var unnameable = regexp.MustCompile(`[^a-zA-Z0-9_-]+`)

// maxName is the longest name of a tool that models take.
const maxName = 64

func nameOf(server, name string) string {
	out := unnameable.ReplaceAllString(server+"__"+name, "_")
	return out[:min(len(out), maxName)]
}

// distinct drops tools that are named twice, and tells those apart whose names are
// alike once they are as models take them.
func distinct(tools []tool) []tool {
	var out []tool
	names := map[string]bool{}
	for _, t := range tools {
		if slices.ContainsFunc(out, func(o tool) bool { return o.target == t.target }) {
			continue
		}
		stem := t.name
		for n := 2; names[t.name]; n++ {
			suffix := fmt.Sprintf("_%d", n)
			t.name = stem[:min(len(stem), maxName-len(suffix))] + suffix
		}
		names[t.name] = true
		out = append(out, t)
	}
	return out
}

// unknown is what the model is told of a call that was being made when the process
// ended.
const unknown = "It is not known whether this call took effect: the server was restarted while it was made. It was not made again. Check, or call again if that does no harm."

// repeatable tells whether a tool may be called again without harm when nobody knows
// whether it was: it changes nothing, or takes the step's key for what it does.
func repeatable(j *job) bool {
	target := j.step.Call.Target
	return !strings.HasPrefix(target, "mcp:") && (target != agentrun.Remember || j.agent.Memory == memory.Internal)
}

// callTool calls a tool. What goes wrong is for the model to know.
func (s *Service) callTool(ctx context.Context, run steps.Ref, j job) (domain.Decider[agentrun.State], error) {
	call := j.step.Call
	answered := func(output string, failed bool) (domain.Decider[agentrun.State], error) {
		return agentrun.AnswerTool{ToolAnswered: agentrun.ToolAnswered{Step: j.step.Index, Output: output, Failed: failed}}, nil
	}
	var arguments map[string]any
	switch {
	case call.Target == "":
		return answered(fmt.Sprintf("There is no tool %q.", call.Name), true)
	case call.Arguments != "" && json.Unmarshal([]byte(call.Arguments), &arguments) != nil:
		return answered("The arguments are not a JSON object.", true)
	case j.step.Execution > 1 && !repeatable(&j):
		return answered(unknown, true)
	}
	ctx, cancel := context.WithTimeout(ctx, toolTime)
	defer cancel()
	output, failed, err := s.useOf(ctx, run, &j, arguments)
	if errors.Is(ctx.Err(), context.Canceled) {
		return nil, ctx.Err()
	}
	if err != nil {
		return answered(told(err), true)
	}
	return answered(output, failed)
}

// told says to a model what went wrong.
func told(err error) string {
	if e, ok := errors.AsType[*domain.Error](err); ok {
		message := "The tool failed: " + e.Message
		for _, f := range e.Fields {
			message += "; " + f.Field + " " + f.Message
		}
		return message
	}
	if e, ok := errors.AsType[*mcp.Error](err); ok {
		return "The tool refused: " + e.Message
	}
	return "The tool failed."
}

// useOf calls a tool for a run.
func (s *Service) useOf(ctx context.Context, run steps.Ref, j *job, arguments map[string]any) (output string, failed bool, err error) {
	switch j.step.Call.Target {
	case agentrun.SearchKnowledge:
		output, err = s.searchKnowledge(ctx, run, j, arguments)
		return output, false, err
	case agentrun.Recall:
		output, err = s.recall(ctx, run, j, arguments)
		return output, false, err
	case agentrun.Remember:
		output, err = s.remember(ctx, run, j, arguments)
		return output, false, err
	}
	return s.use(ctx, s.caller(run, j), j.step.Call.Target, arguments, "")
}

// use calls a tool. A server is told the key that the call goes by, if it has one.
func (s *Service) use(ctx context.Context, by mcp.Caller, target string, arguments map[string]any, key string) (output string, failed bool, err error) {
	switch target {
	case "calculator":
		output, err = calculate(arguments)
		return output, false, err
	case "current_time":
		return domain.FormatTime(s.Handler.Now()), false, nil
	case "http_get":
		output, err = s.fetch(ctx, arguments)
		return output, false, err
	}
	server, name, _ := strings.Cut(strings.TrimPrefix(target, "mcp:"), "/")
	if arguments == nil {
		arguments = map[string]any{}
	}
	call := map[string]any{"name": name, "arguments": arguments}
	if key != "" {
		call["_meta"] = map[string]any{"idempotencyKey": key}
	}
	params, err := json.Marshal(call)
	if err != nil {
		return "", false, err
	}
	raw, err := s.MCP.Call(ctx, by, server, "tools/call", params)
	if err != nil {
		return "", false, err
	}
	return said(raw)
}

// said is what a tool's result tells a model.
func said(raw json.RawMessage) (output string, failed bool, err error) {
	var result struct {
		Content []struct {
			Type string `json:"type"`
			Text string `json:"text"`
		} `json:"content"`
		Structured json.RawMessage `json:"structuredContent"`
		IsError    bool            `json:"isError"`
	}
	if err := json.Unmarshal(raw, &result); err != nil {
		return "", false, fmt.Errorf("read the result of a tool: %w", err)
	}
	var texts []string
	for _, c := range result.Content {
		if c.Type == "text" {
			texts = append(texts, c.Text)
		} else {
			texts = append(texts, "("+c.Type+")")
		}
	}
	if len(texts) == 0 && len(result.Structured) > 0 {
		texts = append(texts, string(result.Structured))
	}
	return strings.Join(texts, "\n"), result.IsError, nil
}

func calculate(arguments map[string]any) (string, error) {
	text, _ := arguments["expression"].(string)
	f, err := formula.Parse(text)
	if err != nil {
		return "", domain.Errorf(domain.CodeValidation, "the expression %s", err)
	}
	value, err := f.Eval(nil)
	if err != nil {
		return "", domain.Errorf(domain.CodeValidation, "the expression %s", err)
	}
	b, err := json.Marshal(value)
	return string(b), err
}

// The limits of http_get.
const (
	fetchTime = 30 * time.Second
	fetchSize = 128 << 10
)

// fetch reads a web address.
func (s *Service) fetch(ctx context.Context, arguments map[string]any) (string, error) {
	text, _ := arguments["url"].(string)
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", domain.Errorf(domain.CodeValidation, "url must be an http or https URL")
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", err
	}
	res, err := (&http.Client{Transport: s.Transport}).Do(req)
	if err != nil {
		return "", domain.Errorf(domain.CodeUnavailable, "%s cannot be read: %s", u.Host, outbound.Reason(err)).Because(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, fetchSize))
	if err != nil {
		return "", domain.Errorf(domain.CodeUnavailable, "%s cannot be read: %s", u.Host, outbound.Reason(err)).Because(err)
	}
	if res.StatusCode >= 300 {
		return "", domain.Errorf(domain.CodeUnavailable, "%s answered HTTP %d", u.Host, res.StatusCode)
	}
	return strings.ToValidUTF8(string(body), "\uFFFD"), nil
}
