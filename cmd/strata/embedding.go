package main

import (
	"context"

	"strata/domain"
	"strata/gateway"
	"strata/internal/httpx"
)

// embedder turns texts into vectors through the gateway: priced, budgeted and
// recorded like every other call, on the account of who asks.
type embedder struct{ gateway *gateway.Gateway }

// Embed answers with a vector for each text.
func (e embedder) Embed(ctx context.Context, p domain.Principal, model string, texts []string) ([][]float32, error) {
	req, err := gateway.NewEmbed(model, texts, 0)
	if err != nil {
		return nil, err
	}
	answer, err := e.gateway.Embed(ctx, accountOf(ctx, p), req)
	if err != nil {
		return nil, err
	}
	return answer.Vectors()
}

// accountOf says on whose behalf a model is called: within a request or behind it.
// What was said is not recorded a second time: it is in what it was said for.
func accountOf(ctx context.Context, p domain.Principal) gateway.Call {
	req := httpx.From(ctx)
	return gateway.Call{Organization: p.Organization, Workspace: p.Workspace, User: p.UserID, APIKey: p.KeyID, App: p.AppID,
		RequestID: req.ID, CorrelationID: req.CorrelationID}
}
