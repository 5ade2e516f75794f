package chat

import (
	"cmp"
	"context"
	"encoding/json"
	"strings"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/domain/conversation"
	"strata/gateway"
	"strata/gateway/guard"
	"strata/gateway/replies"
	"strata/internal/httpx"
	"strata/internal/view"
)

// finishFiltered is how an answer ends that the guard let not pass.
const finishFiltered = "content_filter"

// Refusal is what stands in the place of what the guard let not pass.
const Refusal = "The guard has stopped this message."

// completing is a completion that runs.
type completing struct {
	s     *Service
	plan  plan
	asked question
	sink  CompletionSink

	router   view.RouterChoice
	verdict  guard.Verdict
	prompt   []gateway.Message
	started  bool            // the sink has been told
	released strings.Builder // text that has left
}

// said is what a model answered and the guard let pass.
type said struct {
	text    string
	calls   []domain.Doc
	outcome gateway.Outcome
}

// answer finds the answer: the guard looks at the question, the router chooses
// who answers, the model is asked, the guard looks at what it says.
func (c *completing) answer(ctx context.Context) (said, error) {
	c.verdict = guard.Pass()
	if c.plan.guarded {
		v, err := c.look(ctx, guard.Input, strings.Join(c.plan.texts(), "\n\n"))
		if err != nil {
			return said{}, err
		}
		if c.verdict = v; !v.Allowed {
			return c.refuse(nil)
		}
	}
	if c.plan.routed {
		if err := c.route(ctx); err != nil {
			return said{}, err
		}
	}
	req, err := c.request()
	if err != nil {
		return said{}, err
	}
	if c.sink == nil {
		return c.whole(ctx, req)
	}
	return c.streamed(ctx, req)
}

// request writes what the model is sent: experts in the order they were named,
// each with its context and its files, then the conversation.
func (c *completing) request() (*gateway.ChatRequest, error) {
	system, tools, err := briefing(c.plan.experts)
	if err != nil {
		return nil, err
	}
	if system != "" {
		c.prompt = append(c.prompt, gateway.Message{Role: string(conversation.System), Content: system})
	}
	for _, m := range c.asked.prompt {
		c.prompt = append(c.prompt, modelMessage(m))
	}
	return gateway.NewChat(gateway.ChatParams{Model: cmp.Or(c.plan.Model, c.router.Model, DefaultModel), Messages: c.prompt,
		Temperature: c.plan.Temperature, TopP: c.plan.TopP, MaxTokens: int(c.plan.MaxTokens), Tools: tools})
}

// call says on whose behalf models are called; kind is the type in the log.
func (c *completing) call(kind string) gateway.Call {
	req, p := c.plan.Request, c.plan.Request.Principal
	return gateway.Call{Organization: p.Organization, Workspace: p.Workspace, User: p.UserID,
		EndUser: cmp.Or(c.plan.UserID, c.asked.userID), Subject: c.asked.subject, APIKey: p.KeyID, App: cmp.Or(p.AppID, c.asked.appID),
		Session: c.asked.session, Conversation: c.asked.chatID, RequestID: req.RequestID, CorrelationID: req.CorrelationID,
		Type: kind, Tags: c.plan.Tags, Metadata: c.plan.Metadata, RecordPayload: c.s.RecordPayloads}
}

func (c *completing) whole(ctx context.Context, req *gateway.ChatRequest) (said, error) {
	res, err := c.s.Gateway.Chat(ctx, c.call(c.plan.Type), req)
	if err != nil {
		return said{}, err
	}
	m := replies.Of(res.Body)
	if c.plan.guarded {
		v, err := c.look(ctx, guard.Output, spoken(m.Content, m.ToolCalls))
		if err != nil {
			return said{}, err
		}
		if c.verdict = c.verdict.And(v); !v.Allowed {
			return c.refuse(&res.Outcome)
		}
	}
	return said{m.Content, m.ToolCalls, res.Outcome}, nil
}

// spoken is all text of an answer: what a tool is called with is said, too.
func spoken(text string, calls []domain.Doc) string {
	if len(calls) == 0 {
		return text
	}
	b, err := json.Marshal(calls)
	if err != nil { // they came from JSON
		return text
	}
	return text + "\n\n" + string(b)
}

// refuse puts the refusal in the place of what was not let pass. Nil is the
// outcome when no model was asked.
func (c *completing) refuse(outcome *gateway.Outcome) (said, error) {
	out := said{text: Refusal, outcome: gateway.Outcome{Model: cmp.Or(c.plan.Model, DefaultModel)}}
	if outcome != nil {
		out.outcome = *outcome
	}
	out.outcome.FinishReason = finishFiltered
	if c.sink == nil {
		return out, nil
	}
	if err := c.start(out.outcome.Model); err != nil {
		return said{}, err
	}
	if c.released.Len() > 0 { // what has left stays
		out.text = c.released.String()
		return out, nil
	}
	c.released.WriteString(Refusal)
	return out, c.sink.Delta(replies.Message{Content: Refusal})
}

// start tells the sink, once.
func (c *completing) start(model string) error {
	if c.started {
		return nil
	}
	c.started = true
	return c.sink.Start(c.head(model))
}

// head is what is known of an answer before it comes.
func (c *completing) head(model string) *view.ChatCompletion {
	out := &view.ChatCompletion{ID: c.asked.chatID, Model: model, CreatedAt: c.s.Handler.Now(), RunID: c.asked.runID,
		Guard: c.shownVerdict(), Router: c.router, Choices: []view.ChatChoice{{}}}
	if c.plan.Echo {
		out.Choices[0].Prompt = saidBy(c.prompt)
	}
	return out
}

// record closes the turn with its answer.
func (c *completing) record(ctx context.Context, a said) (*view.ChatCompletion, error) {
	usage := conversation.TokenUsage{Prompt: a.outcome.Usage.InputTokens, Completion: a.outcome.Usage.OutputTokens}
	usage.Total = usage.Prompt + usage.Completion
	cmd := conversation.Answer{RunID: c.asked.runID, Content: a.text, ToolCalls: a.calls, TokenUsage: usage,
		FinishReason: a.outcome.FinishReason, Model: a.outcome.Model, Cost: a.outcome.Cost, Blocked: !c.verdict.Allowed}
	var err error
	if c.plan.guarded {
		if cmd.Guard, err = domain.DocOf(c.shownVerdict()); err != nil {
			return nil, err
		}
	}
	if c.plan.routed {
		if cmd.Router, err = domain.DocOf(c.router); err != nil {
			return nil, err
		}
	}
	req := c.plan.Request
	req.ID, req.IdempotencyKey, req.Permission, req.IfMatch = c.asked.chatID, "", "", nil
	out, err := commands.Run(ctx, c.s.Handler, conversation.Aggregate, req, cmd,
		func(l *commands.Loaded[conversation.State]) time.Time { return l.UpdatedAt })
	httpx.Wrote(ctx, out.Position)
	if err != nil {
		return nil, err
	}
	fact, _ := out.Facts[len(out.Facts)-1].(conversation.TurnAnswered) // what Answer decides
	shown, err := completionOf(c.asked, fact, out.View)
	if err == nil && c.plan.Echo {
		shown.Choices[0].Prompt = saidBy(c.prompt)
	}
	return shown, err
}
