package gateway

import (
	"context"

	"strata/gateway/pricing"
	"strata/gateway/tokens"
	"strata/gateway/upstream"
)

// Chat answers a request as a whole, whatever its "stream" says. Errors are
// *domain.Error: NotFound (no such model), QuotaExceeded, InvalidRequest (the
// provider refuses), RateLimited, AIService (providers failed), Unavailable (not
// recorded), Timeout; a client that went away is context.Canceled.
func (g *Gateway) Chat(ctx context.Context, call Call, req *ChatRequest) (*ChatResponse, error) {
	ctx, a := g.begin(ctx, call, "chat", req.Model, req.User, req.Metadata, req.object.Raw())
	defer a.abandon(ctx)
	var body []byte
	c, err := g.run(ctx, a, job{
		kind:  wholeAnswer,
		bound: req.bound,
		send: func(ctx context.Context, c *candidate, bounded bool) (err error) {
			body, err = c.backend.Do(ctx, upstream.Chat, c.model, req.bodyFor(c, false, bounded))
			return err
		},
	})
	if err != nil {
		return nil, a.close(ctx, result{err: err})
	}
	t := newTranscript()
	t.add(body)
	r := result{finishReason: t.finishReason(), response: body}
	r.usage, r.estimated = t.countUsage(req, c)
	if err := a.close(ctx, r); err != nil {
		return nil, err
	}
	return &ChatResponse{Outcome: a.outcome(), Body: body, Text: t.text()}, nil
}

// Embed turns texts into vectors. Errors as Chat.
func (g *Gateway) Embed(ctx context.Context, call Call, req *EmbedRequest) (*EmbedResponse, error) {
	ctx, a := g.begin(ctx, call, "embedding", req.Model, req.User, req.Metadata, req.object.Raw())
	defer a.abandon(ctx)
	var body []byte
	_, err := g.run(ctx, a, job{
		kind:  embedding,
		bound: func(*candidate) (int64, int64) { return req.maxInput, 0 },
		send: func(ctx context.Context, c *candidate, _ bool) (err error) {
			body, err = c.backend.Do(ctx, upstream.Embeddings, c.model, req.bodyFor(c))
			return err
		},
	})
	if err != nil {
		return nil, a.close(ctx, result{err: err})
	}
	t := newTranscript()
	t.add(body)
	// The vectors are not recorded: they are long, and follow from the request.
	r := result{usage: t.usage, estimated: !t.hasUsage}
	if r.estimated {
		r.usage = pricing.Usage{InputTokens: min(req.estimate, req.maxInput)}
	}
	if err := a.close(ctx, r); err != nil {
		return nil, err
	}
	return &EmbedResponse{Outcome: a.outcome(), Body: body}, nil
}

// countUsage returns what the provider says it used, else an estimate of what
// was read and written. An estimate stays within the bound that was reserved.
func (t *transcript) countUsage(req *ChatRequest, c *candidate) (u pricing.Usage, estimated bool) {
	if t.hasUsage {
		return t.usage, false
	}
	input, output := req.bound(c)
	written := int64(0)
	for _, choice := range t.choices {
		written += tokens.Estimate(choice.text.String()) + tokens.Estimate(choice.other.String())
		for _, call := range choice.calls {
			written += tokens.Estimate(call.name.String()) + tokens.Estimate(call.arguments.String())
		}
	}
	return pricing.Usage{InputTokens: min(req.estimateInput(), input), OutputTokens: min(written, output)}, true
}
