package main

import (
	"context"
	"net/http"
	"strings"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/domain/inference"
	"strata/gateway"
	"strata/gateway/openaiapi"
	"strata/internal/config"
	"strata/internal/httpx"
	"strata/streams"
)

// ledger lets the gateway spend from budgets.
type ledger struct{ *commands.Budgets }

// Reserve implements gateway.Budgets.
func (l ledger) Reserve(ctx context.Context, c gateway.Call, model string, most domain.Money, tokens int64) ([]inference.Reservation, error) {
	return l.Budgets.Reserve(ctx, commands.Spender{Organization: c.Organization, Workspace: c.Workspace, Agent: c.Agent,
		App: c.App, User: c.User, EndUser: c.EndUser, APIKey: c.APIKey, Model: model}, most, tokens)
}

// Settle implements gateway.Budgets. The caller's next look at a budget includes
// the call.
func (l ledger) Settle(ctx context.Context, held []inference.Reservation, cost domain.Money, tokens int64) error {
	p, err := l.Budgets.Settle(ctx, held, cost, tokens)
	httpx.Wrote(ctx, p)
	return err
}

// Release implements gateway.Budgets, as Settle.
func (l ledger) Release(ctx context.Context, held []inference.Reservation) error {
	p, err := l.Budgets.Release(ctx, held)
	httpx.Wrote(ctx, p)
	return err
}

// recorder writes calls to the log, both facts in one append.
type recorder struct {
	store streams.Store
	codec *streams.Codec
}

// Record implements gateway.Recorder.
func (r recorder) Record(ctx context.Context, call inference.Recorded, payload *inference.PayloadRecorded) error {
	meta := domain.Metadata{CorrelationID: call.CorrelationID, RequestID: call.RequestID, Actor: call.APIKey,
		Organization: call.Organization, Workspace: call.Workspace,
		OccurredAt: call.StartedAt.Add(time.Duration(call.LatencyUS) * time.Microsecond).UTC().Truncate(time.Microsecond)}
	facts := []domain.Fact{call}
	if payload != nil {
		facts = append(facts, *payload)
	}
	proposed := make([]streams.Proposed, len(facts))
	for i, f := range facts {
		var err error
		if proposed[i], err = r.codec.Encode(domain.NewEventID(), f, meta); err != nil {
			return err
		}
	}
	_, err := r.store.Append(ctx, inference.StreamOf(call.Workspace, call.StartedAt), streams.Any, proposed...)
	return err
}

// callOf says on whose behalf an OpenAI request is made.
func callOf(cfg config.Gateway) func(*http.Request) (gateway.Call, error) {
	return func(r *http.Request) (gateway.Call, error) {
		req := httpx.From(r.Context())
		p := req.Principal
		call := gateway.Call{Organization: p.Organization, Workspace: p.Workspace, User: p.UserID, APIKey: p.KeyID, App: p.AppID,
			RequestID: req.ID, CorrelationID: req.CorrelationID, RecordPayload: cfg.RecordPayloads}
		if agent := r.Header.Get("Strata-Agent"); agent != "" {
			call.Agent = strings.TrimSpace(agent)
		}
		return call, nil
	}
}

func newOpenAI(g *gateway.Gateway, cfg *config.Config) (*openaiapi.API, error) {
	return openaiapi.New(openaiapi.Config{Gateway: g, Call: callOf(cfg.Gateway), MaxBody: int64(cfg.Server.BodyLimit)})
}
