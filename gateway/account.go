package gateway

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"strata/domain"
	"strata/domain/inference"
	"strata/gateway/pricing"
	"strata/gateway/upstream"
)

// account keeps the books of one call: what is reserved, what was used, what
// goes into the record. Whatever happens, it is closed exactly once.
type account struct {
	g            *Gateway
	call         Call
	rec          inference.Recorded
	request      []byte // as the client sent it
	price        pricing.Price
	reservations []inference.Reservation
	span         trace.Span
	closed       bool
}

// begin opens an account and the call's span.
func (g *Gateway) begin(ctx context.Context, call Call, kind, model, user string, metadata map[string]string, request []byte) (context.Context, *account) {
	a := &account{g: g, call: call, request: request, rec: inference.Recorded{
		ID: g.NewID("inf"), StartedAt: g.Now(), Organization: call.Organization, Workspace: call.Workspace,
		User: user, APIKey: call.APIKey, App: call.App, Agent: call.Agent, Session: call.Session,
		Conversation: call.Conversation, Type: cmp.Or(call.Type, kind), RequestedModel: model,
		Details:       inference.Details{Tags: call.Tags, Metadata: merge(call.Metadata, metadata)},
		CorrelationID: call.CorrelationID, RequestID: call.RequestID,
	}}
	if user != "" {
		a.call.EndUser = user
	}
	a.rec.User = cmp.Or(a.call.EndUser, call.User)
	g.Metrics.InFlight(1)
	ctx, a.span = g.Tracer.Start(ctx, "gateway."+kind, trace.WithSpanKind(trace.SpanKindClient))
	return ctx, a
}

// merge adds what the request says to what the caller says, which wins.
func merge(caller, request map[string]string) map[string]string {
	if len(caller) == 0 {
		return request
	}
	out := make(map[string]string, len(caller)+len(request))
	for k, v := range request {
		out[k] = v
	}
	for k, v := range caller {
		out[k] = v
	}
	return out
}

// detached is a context for bookkeeping: it outlives the client, but not for long.
func (a *account) detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), a.g.AccountTimeout)
}

// reserve takes what a candidate can cost at most from the budgets. It does not
// end with the client: else it might be unknown whether something was taken.
func (a *account) reserve(ctx context.Context, c *candidate, j job) error {
	ctx, cancel := a.detached(ctx)
	defer cancel()
	input, output := j.bound(c)
	reservations, err := a.g.Budgets.Reserve(ctx, a.call, c.id, c.price.Bound(input, output), input+output)
	if err != nil {
		return err
	}
	a.reservations = reservations
	a.g.At("call.reserved")
	return nil
}

// release gives back what a candidate that did not answer will not need. That it
// fails does not hurt the call: the reservation expires by itself.
func (a *account) release(ctx context.Context) {
	if len(a.reservations) == 0 {
		return
	}
	reservations := a.reservations
	a.reservations = nil
	ctx, cancel := a.detached(ctx)
	defer cancel()
	if err := a.g.Budgets.Release(ctx, reservations); err != nil {
		a.g.Logger.WarnContext(ctx, "a budget reservation could not be released and will expire", "inference", a.rec.ID, "error", err)
	}
}

// result is how a call ended.
type result struct {
	usage        pricing.Usage
	estimated    bool
	finishReason string
	response     []byte // for the record; nil = none
	err          error  // what the client is answered instead of an end
	started      bool   // the client already has a part of the answer
}

// close records the call and settles its reservations. It returns the error the
// client must see: that of the call, or that it could not be recorded.
func (a *account) close(ctx context.Context, r result) error {
	a.closed = true
	a.fill(ctx, r)
	bookkeeping, cancel := a.detached(ctx)
	defer cancel()
	a.g.At("call.answered")
	recordErr := a.g.Recorder.Record(bookkeeping, a.rec, a.payload(r))
	a.g.At("call.recorded")
	a.settle(bookkeeping)
	a.g.At("call.settled")
	a.g.Metrics.Observe(&a.rec)
	a.g.Metrics.InFlight(-1)
	a.finishSpan(recordErr)
	if recordErr == nil {
		return r.err
	}
	if r.err != nil {
		a.g.Logger.ErrorContext(ctx, "a failed call could not be recorded", "inference", a.rec.ID, "error", recordErr)
		return r.err
	}
	return domain.Errorf(domain.CodeUnavailable, "the call was made but could not be recorded").Because(recordErr)
}

// fill completes the record.
func (a *account) fill(ctx context.Context, r result) {
	a.rec.LatencyUS = a.g.Now().Sub(a.rec.StartedAt).Microseconds()
	a.rec.StartedAt = a.rec.StartedAt.UTC().Truncate(time.Microsecond) // as the log keeps times
	a.rec.InputTokens, a.rec.OutputTokens, a.rec.CachedTokens = r.usage.InputTokens, r.usage.OutputTokens, r.usage.CachedTokens
	a.rec.UsageEstimated = r.estimated
	a.rec.Cost = a.price.Cost(r.usage)
	a.rec.FinishReason = r.finishReason
	a.rec.Reservations = a.reservations
	a.rec.Status, a.rec.HTTPStatus = inference.Success, http.StatusOK
	if r.err == nil {
		return
	}
	a.rec.Cancelled = errors.Is(r.err, context.Canceled)
	if a.rec.Cancelled {
		if !r.started {
			a.rec.Status, a.rec.HTTPStatus = inference.Failed, StatusClientGone
		}
		return
	}
	code := domain.CodeOf(r.err)
	a.rec.Status, a.rec.ErrorCode, a.rec.Error = inference.Failed, string(code), shown(r.err)
	if !r.started {
		a.rec.HTTPStatus = code.HTTPStatus()
	}
}

// shown is an error's text without its cause, which may quote what is secret.
func shown(err error) string {
	if e, ok := errors.AsType[*domain.Error](err); ok {
		return e.Message
	}
	return "internal error"
}

// settle turns the reservations into what was used, or gives them back.
func (a *account) settle(ctx context.Context) {
	if len(a.reservations) == 0 {
		return
	}
	used := a.rec.InputTokens + a.rec.OutputTokens
	if used == 0 && a.rec.Cost == 0 {
		a.release(ctx)
		return
	}
	reservations := a.reservations
	a.reservations = nil
	if err := a.g.Budgets.Settle(ctx, reservations, a.rec.Cost, used); err != nil {
		a.g.Logger.WarnContext(ctx, "a budget reservation could not be settled; the record of the call names it", "inference", a.rec.ID, "error", err)
	}
}

// abandon closes the account of a call whose code panicked, so that nothing
// stays reserved; it does nothing for one that was closed.
func (a *account) abandon(ctx context.Context) {
	if !a.closed {
		a.closed = true
		a.release(ctx)
		a.g.Metrics.InFlight(-1)
		a.span.End()
	}
}

// payload is what was said, when it is to be kept.
func (a *account) payload(r result) *inference.PayloadRecorded {
	if !a.call.RecordPayload {
		return nil
	}
	return &inference.PayloadRecorded{
		ID: a.rec.ID, Subject: a.call.subject(),
		Request: shorten(a.request, a.g.MaxPayload), Response: shorten(r.response, a.g.MaxPayload),
	}
}

// shorten replaces JSON that is over a limit by its beginning.
func shorten(raw []byte, limit int) json.RawMessage {
	if len(raw) <= limit {
		return raw
	}
	short, err := json.Marshal(struct {
		Truncated bool   `json:"truncated"`
		Bytes     int    `json:"bytes"` // of the whole
		Beginning string `json:"beginning"`
	}{true, len(raw), string(raw[:limit/2])}) // half, as quoting makes it longer
	if err != nil {
		return nil // cannot be: texts and numbers always marshal
	}
	return short
}

func (a *account) outcome() Outcome {
	return Outcome{
		ID: a.rec.ID, Model: a.rec.Model, Provider: a.rec.Provider, Route: a.rec.Route,
		Usage:          pricing.Usage{InputTokens: a.rec.InputTokens, CachedTokens: a.rec.CachedTokens, OutputTokens: a.rec.OutputTokens},
		UsageEstimated: a.rec.UsageEstimated, Cost: a.rec.Cost, FinishReason: a.rec.FinishReason, Attempts: a.rec.Attempts,
	}
}

func (a *account) finishSpan(recordErr error) {
	if a.span.IsRecording() {
		a.span.SetAttributes(
			attribute.String("gen_ai.request.model", a.rec.RequestedModel),
			attribute.String("gen_ai.response.model", a.rec.Model),
			attribute.String("gen_ai.system", a.rec.Provider),
			attribute.Int64("gen_ai.usage.input_tokens", a.rec.InputTokens),
			attribute.Int64("gen_ai.usage.output_tokens", a.rec.OutputTokens),
			attribute.String("strata.inference.id", a.rec.ID),
			attribute.Int("strata.attempts", a.rec.Attempts),
		)
		if a.rec.Status == inference.Failed {
			a.span.SetStatus(codes.Error, a.rec.Error)
		}
		if recordErr != nil {
			a.span.RecordError(recordErr)
		}
	}
	a.span.End()
}

// firstToken notes when the client got the first frame.
func (a *account) firstToken() {
	a.rec.FirstTokenUS = max(1, a.g.Now().Sub(a.rec.StartedAt).Microseconds())
}

// kindName names a kind of failure for metrics.
func kindName(k upstream.Kind) string {
	switch k {
	case upstream.Refused:
		return "refused"
	case upstream.NotFound:
		return "not_found"
	case upstream.Credentials:
		return "credentials"
	case upstream.RateLimited:
		return "rate_limited"
	case upstream.TimedOut:
		return "timeout"
	case upstream.Malformed:
		return "malformed"
	case upstream.Cancelled:
		return "cancelled"
	}
	return "unavailable"
}
