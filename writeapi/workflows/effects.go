package workflows

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"strata/commands/steps"
	"strata/domain"
	"strata/domain/workflow"
	"strata/domain/workflowrun"
	"strata/gateway"
	"strata/internal/outbound"
)

// How long one try may take where the node does not say.
const (
	modelTime = 10 * time.Minute
	httpTime  = 30 * time.Second
)

// maxResponse is the most bytes of an answer that an http node reads.
const maxResponse = 768 << 10

// defaultModel answers where a node names no model.
const defaultModel = "strata/extract-1"

// ask asks a model. Budgets and the inference log know the run by the call's
// correlation id and metadata.
func (s *Service) ask(ctx context.Context, run steps.Ref, j *job, vars map[string]any) (came, error) {
	var c workflow.LLMConfig
	config, err := j.fill(vars, &c)
	if err != nil {
		return came{}, err
	}
	params := gateway.ChatParams{Model: cmp.Or(c.Model, defaultModel), Temperature: c.Temperature, MaxTokens: c.MaxTokens}
	if c.System != "" {
		params.Messages = append(params.Messages, gateway.Message{Role: "system", Content: string(c.System)})
	}
	for _, m := range c.Messages {
		params.Messages = append(params.Messages, gateway.Message{Role: m.Role, Content: string(m.Content)})
	}
	if c.Prompt != "" {
		params.Messages = append(params.Messages, gateway.Message{Role: "user", Content: string(c.Prompt)})
	}
	out := came{input: config}
	request, err := gateway.NewChat(params)
	if err != nil {
		return out, err
	}
	st := &j.started
	ctx, cancel := j.within(ctx, s.Handler.Now(), modelTime)
	defer cancel()
	answer, err := s.Gateway.Chat(ctx, gateway.Call{Organization: run.Organization, Workspace: run.Workspace, User: st.UserID, APIKey: st.APIKey, App: st.AppID,
		Session: st.SessionID, CorrelationID: run.ID, Subject: st.Subject, RecordPayload: s.RecordPayloads, Tags: []string{"workflow"},
		Metadata: map[string]string{"run_id": run.ID, "workflow_id": st.WorkflowID, "node_id": j.node.ID}}, request)
	if err != nil {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			err = domain.Errorf(domain.CodeTimeout, "the model did not answer in time")
		}
		return out, mark(err)
	}
	u := answer.Usage
	out.usage, out.cost = workflowrun.Usage{Prompt: u.InputTokens, Completion: u.OutputTokens}, answer.Cost
	object := map[string]any{"text": answer.Text, "model": answer.Model, "finish_reason": answer.FinishReason,
		"usage": map[string]any{"prompt": u.InputTokens, "completion": u.OutputTokens, "total": u.InputTokens + u.OutputTokens}}
	if c.JSON {
		var value any
		if err := json.Unmarshal([]byte(strings.TrimSpace(answer.Text)), &value); err != nil {
			return out, passing{domain.Errorf(domain.CodeAIService, "the model's answer is no JSON")}
		}
		object["json"] = value
	}
	out.output = object
	return out, nil
}

// request makes an HTTP request. It carries the step's key, so that a server that
// heeds it does once what the request says, however often it comes.
func (s *Service) request(ctx context.Context, run steps.Ref, step string, j *job, vars map[string]any) (came, error) {
	var c workflow.HTTPConfig
	secrets := j.cover()
	config, err := j.fill(vars, &c)
	if err != nil {
		return came{}, err
	}
	out := came{input: veiled(secrets.show(config))}
	if err := secrets.open(ctx, s, run, j.started.WorkflowID, c.Headers); err != nil {
		return out, mark(err)
	}
	ctx, cancel := j.within(ctx, s.Handler.Now(), httpTime)
	defer cancel()
	req, err := newRequest(ctx, &c)
	if err != nil {
		return out, err
	}
	if req.Header.Get("Idempotency-Key") == "" {
		req.Header.Set("Idempotency-Key", steps.Key(run, step, 0))
	}
	client := http.Client{Transport: s.Transport, CheckRedirect: secrets.follow}
	res, err := client.Do(req)
	if err != nil {
		return out, unreachable(ctx, err)
	}
	defer func() { _ = res.Body.Close() }() // it was read as far as it is used
	body, err := io.ReadAll(io.LimitReader(res.Body, maxResponse+1))
	if err != nil {
		return out, unreachable(ctx, err)
	}
	if len(body) > maxResponse {
		return out, domain.Errorf(domain.CodePayloadTooLarge, "the answer is larger than %d bytes", maxResponse)
	}
	out.output = secrets.hide(map[string]any{"status": res.StatusCode, "headers": headersOf(res.Header), "body": bodyOf(res.Header.Get("Content-Type"), body)})
	return out, judge(&c, res.StatusCode)
}

// unreachable says why a request came to nothing.
func unreachable(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return passing{domain.Errorf(domain.CodeTimeout, "the address did not answer in time")}
	}
	if blocked, is := errors.AsType[*outbound.Blocked](err); is {
		return domain.Errorf(domain.CodeForbidden, "%s", blocked.Error())
	}
	return passing{domain.Errorf(domain.CodeUnavailable, "the request failed: %s", outbound.Reason(err)).Because(err)}
}

// judge tells whether an answer's status is a success.
func judge(c *workflow.HTTPConfig, status int) error {
	if len(c.Expect) > 0 && slices.Contains(c.Expect, status) || len(c.Expect) == 0 && status < 400 {
		return nil
	}
	err := domain.Errorf(domain.CodeWorkflow, "the address answered with status %d", status)
	if status == http.StatusRequestTimeout || status == http.StatusTooEarly || status == http.StatusTooManyRequests || status >= 500 {
		return passing{err}
	}
	return err
}

func newRequest(ctx context.Context, c *workflow.HTTPConfig) (*http.Request, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, domain.Errorf(domain.CodeValidation, "the url, its places filled in, is not an address that begins with http:// or https://")
	}
	query := u.Query()
	for _, k := range slices.Sorted(maps.Keys(c.Query)) {
		query.Set(k, plain(c.Query[k]))
	}
	u.RawQuery = query.Encode()
	var body io.Reader
	kind := ""
	if len(c.Body) > 0 && string(c.Body) != "null" {
		var text string
		if json.Unmarshal(c.Body, &text) == nil {
			body, kind = strings.NewReader(text), "text/plain; charset=utf-8"
		} else {
			body, kind = bytes.NewReader(c.Body), "application/json"
		}
	}
	req, err := http.NewRequestWithContext(ctx, cmp.Or(c.Method, http.MethodGet), u.String(), body)
	if err != nil {
		return nil, domain.Errorf(domain.CodeValidation, "the request cannot be made").Because(err)
	}
	req.Header.Set("User-Agent", "strata-workflow")
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	for k, v := range c.Headers {
		if strings.ContainsAny(k+v, "\r\n") {
			return nil, domain.Errorf(domain.CodeValidation, "header %q has a line break", k)
		}
		req.Header.Set(k, v)
	}
	return req, nil
}

// plain writes a value into a query.
func plain(v any) string {
	if s, is := v.(string); is {
		return s
	}
	b, err := json.Marshal(v)
	if err != nil { // it came from JSON
		return fmt.Sprint(v)
	}
	return string(b)
}

// veiled is a request's config as it is shown: without what opens doors.
func veiled(config map[string]any) map[string]any {
	headers, is := config["headers"].(map[string]any)
	if !is {
		return config
	}
	out, seen := maps.Clone(config), maps.Clone(headers)
	for name := range seen {
		switch lower := strings.ToLower(name); {
		case lower == "authorization", lower == "cookie", lower == "proxy-authorization", strings.Contains(lower, "key"), strings.Contains(lower, "token"), strings.Contains(lower, "secret"):
			seen[name] = "***"
		}
	}
	out["headers"] = seen
	return out
}

func headersOf(h http.Header) map[string]any {
	out := map[string]any{}
	for k, v := range h {
		if k != "Set-Cookie" {
			out[strings.ToLower(k)] = strings.Join(v, ", ")
		}
	}
	return out
}

// bodyOf reads an answer: JSON as a value, all else as a text.
func bodyOf(kind string, body []byte) any {
	media, _, err := mime.ParseMediaType(kind)
	if err == nil && (media == "application/json" || strings.HasSuffix(media, "+json")) {
		var v any
		if json.Unmarshal(body, &v) == nil {
			return v
		}
	}
	return strings.ToValidUTF8(string(body), "\uFFFD")
}
