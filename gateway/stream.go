package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"

	"strata/gateway/upstream"
)

// ChatStream answers a request in frames: sink gets each one as soon as it
// comes. It returns after the call is recorded and settled, so whoever writes an
// end mark after it has returned nil promises nothing that is not durable.
//
// An error before the first chunk means the client has been sent nothing and can
// be answered with a status; after it, the stream is broken and must be ended
// with an error frame. A sink that fails means the client has gone: the provider
// is told to stop, and what it produced is paid for. Errors as Chat.
func (g *Gateway) ChatStream(ctx context.Context, call Call, req *ChatRequest, sink func(Chunk) error) (*Summary, error) {
	ctx, a := g.begin(ctx, call, "chat", req.Model, req.User, req.Metadata, req.object.Raw())
	a.rec.Stream = true
	defer a.abandon(ctx)
	var from upstream.Stream
	var first []byte
	c, err := g.run(ctx, a, job{
		kind:  firstFrame,
		bound: req.bound,
		send: func(ctx context.Context, c *candidate, bounded bool) (err error) {
			from, first, err = openStream(ctx, c, req.bodyFor(c, true, bounded))
			return err
		},
	})
	if err != nil {
		return nil, a.close(ctx, result{err: err})
	}
	p := &pump{g: g, a: a, c: c, req: req, sink: sink, transcript: newTranscript()}
	r := p.result(ctx, p.drain(ctx, from, first))
	if err := a.close(ctx, r); err != nil {
		return nil, err
	}
	return &Summary{Outcome: a.outcome(), Text: p.transcript.text()}, nil
}

// openStream begins a stream and waits for its first frame: until then, another
// attempt is possible.
func openStream(ctx context.Context, c *candidate, body []byte) (upstream.Stream, []byte, error) {
	s, err := c.backend.Stream(ctx, c.model, body)
	if err != nil {
		return nil, nil, err
	}
	first, err := s.Next()
	if err == nil {
		return s, first, nil
	}
	if errors.Is(err, io.EOF) || errors.Is(err, upstream.ErrNoEndMark) {
		err = &upstream.Failure{Kind: upstream.Malformed, Cause: errors.New("the stream is empty")}
	}
	return nil, nil, errors.Join(err, s.Close())
}

// pump passes the frames of one stream on.
type pump struct {
	g          *Gateway
	a          *account
	c          *candidate
	req        *ChatRequest
	sink       func(Chunk) error
	transcript *transcript
	sent       bool // the client has been sent something
}

// drain passes a stream on and closes it, also when the sink panics. It is closed
// before the books are: the provider should not go on producing while we wait
// for the log.
func (p *pump) drain(ctx context.Context, from upstream.Stream, first []byte) error {
	defer func() {
		if err := from.Close(); err != nil {
			p.g.Logger.DebugContext(ctx, "closing a provider's stream", "provider", p.c.provider, "error", err)
		}
	}()
	return p.run(ctx, from, first)
}

// run passes frames on until the stream ends, breaks or nobody listens.
func (p *pump) run(ctx context.Context, from upstream.Stream, data []byte) error {
	for {
		f := p.transcript.add(data)
		if !f.usageOnly || p.req.IncludeUsage {
			if err := p.send(data, f.text); err != nil {
				return err
			}
		}
		var err error
		data, err = from.Next()
		switch {
		case err == nil:
		case errors.Is(err, io.EOF), errors.Is(err, upstream.ErrNoEndMark) && p.transcript.finished():
			p.g.health.sound(p.c.key)
			return p.promisedUsage()
		case ctx.Err() != nil:
			return gone(ctx)
		default:
			return p.broken(err)
		}
	}
}

func (p *pump) send(data []byte, text string) error {
	if p.a.rec.FirstTokenUS == 0 {
		p.a.firstToken()
	}
	p.sent = true
	if err := p.sink(Chunk{Data: data, Text: text, Model: p.c.id, ID: p.a.rec.ID}); err != nil {
		return fmt.Errorf("the client went away: %w: %w", context.Canceled, err)
	}
	return nil
}

// promisedUsage sends the usage frame the client asked for, when the provider
// sent no usage at all.
func (p *pump) promisedUsage() error {
	if !p.req.IncludeUsage || p.transcript.hasUsage {
		return nil
	}
	usage, _ := p.transcript.countUsage(p.req, p.c)
	data, err := p.transcript.usageFrame(usage)
	if err != nil {
		return fmt.Errorf("encode usage: %w", err)
	}
	return p.send(data, "")
}

// broken says that the provider failed in mid-stream, and holds it against it.
func (p *pump) broken(err error) error {
	f := upstream.AsFailure(err)
	if errors.Is(err, upstream.ErrNoEndMark) {
		f = &upstream.Failure{Kind: upstream.Unavailable, Cause: err}
	}
	p.g.report(p.c, f)
	p.g.Metrics.Attempt(p.c.provider, "broken_stream")
	return providerError(p.c, f)
}

// result adds up what was produced, however the stream ended.
func (p *pump) result(ctx context.Context, err error) result {
	r := result{err: err, started: p.sent, finishReason: p.transcript.finishReason()}
	r.usage, r.estimated = p.transcript.countUsage(p.req, p.c)
	if p.a.call.RecordPayload {
		whole, err := p.transcript.whole(r.usage)
		if err != nil {
			p.g.Logger.WarnContext(ctx, "an answer cannot be assembled for the record", "inference", p.a.rec.ID, "error", err)
		}
		r.response = whole
	}
	return r
}
