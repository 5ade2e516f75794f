package chat

import (
	"context"
	"errors"
	"strings"

	"strata/gateway"
	"strata/gateway/guard"
	"strata/gateway/replies"
)

// errStopped ends a stream whose answer the guard stopped.
var errStopped = errors.New("the guard stopped the answer")

// pouring is an answer on its way through the guard to the client.
type pouring struct {
	c       *completing
	gate    *guard.Gate // nil: the guard is not asked
	thought *guard.Gate // of what was thought
	text    strings.Builder
	calls   replies.Calls
	outcome gateway.Outcome // as far as frames tell
}

// streamed passes the model's frames on. With the guard, nothing passes before
// it is checked: text as soon as the rules are certain of it, tool calls at the
// end, and all at the end when a guard model has to judge the whole.
func (c *completing) streamed(ctx context.Context, req *gateway.ChatRequest) (said, error) {
	p := &pouring{c: c}
	if c.plan.guarded {
		p.gate, p.thought = c.s.Guard.Gate(), c.s.Guard.Gate()
	}
	sum, err := c.s.Gateway.ChatStream(ctx, c.call(c.plan.Type), req, p.frame)
	switch {
	case err != nil && p.stopped():
		return c.refuse(&p.outcome)
	case err != nil:
		return said{}, err
	}
	if c.plan.guarded {
		if err := p.end(ctx); errors.Is(err, errStopped) {
			return c.refuse(&sum.Outcome)
		} else if err != nil {
			return said{}, err
		}
	}
	return said{p.text.String(), p.calls.Whole(), sum.Outcome}, nil
}

// stopped tells whether the guard has stopped the answer.
func (p *pouring) stopped() bool {
	return !p.c.verdict.Allowed
}

// frame passes one frame on, or what the guard lets of it.
func (p *pouring) frame(f gateway.Chunk) error {
	p.outcome.ID, p.outcome.Model = f.ID, f.Model
	if err := p.c.start(f.Model); err != nil {
		return err
	}
	m := replies.Of(f.Data)
	p.text.WriteString(m.Content)
	p.calls.Add(m.ToolCalls)
	if p.gate == nil {
		return p.pass(m)
	}
	if p.c.s.GuardModel != "" { // the whole has to be judged first
		return nil
	}
	out := replies.Message{}
	if m.Content != "" {
		out.Content = p.gate.Add(m.Content)
	}
	if m.Thinking != "" {
		out.Thinking = p.thought.Add(m.Thinking)
	}
	if v := p.gate.Verdict().And(p.thought.Verdict()); !v.Allowed {
		p.c.verdict = p.c.verdict.And(v)
		return errStopped
	}
	return p.pass(out)
}

func (p *pouring) pass(m replies.Message) error {
	if m.Content == "" && m.Thinking == "" && len(m.ToolCalls) == 0 {
		return nil
	}
	p.c.released.WriteString(m.Content)
	return p.c.sink.Delta(m)
}

// end lets the rest of a guarded answer pass, if it may.
func (p *pouring) end(ctx context.Context) error {
	out := replies.Message{ToolCalls: p.calls.Whole()}
	if p.c.s.GuardModel != "" {
		v, err := p.c.look(ctx, guard.Output, spoken(p.text.String(), out.ToolCalls))
		if err != nil {
			return err
		}
		p.c.verdict = p.c.verdict.And(v)
		out.Content = p.text.String()
	} else {
		content, v := p.gate.End()
		thinking, w := p.thought.End()
		out.Content, out.Thinking = content, thinking
		p.c.verdict = p.c.verdict.And(v).And(w).And(p.c.s.Guard.Check(guard.Output, spoken("", out.ToolCalls)))
	}
	if p.stopped() {
		return errStopped
	}
	return p.pass(out)
}
