package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/domain/catalogue"
	"strata/domain/inference"
	"strata/gateway"
	"strata/gateway/openaiapi"
	"strata/internal/config"
	"strata/internal/httpx"
	"strata/internal/secrets"
	"strata/projections/query"
	"strata/projections/resources"
	"strata/streams"
)

// directory tells the gateway of providers and routes, from the read model.
type directory struct {
	resources *resources.Queries
	sealer    *secrets.Sealer
}

// maxListed bounds how many providers or routes of a workspace are looked at.
const maxListed = 1000

// Provider implements gateway.Directory.
func (d directory) Provider(ctx context.Context, workspace, name string) (gateway.Provider, error) {
	doc, err := d.resources.GetByKey(ctx, catalogue.Providers.Name, workspace, name)
	if err != nil {
		return gateway.Provider{}, err
	}
	return d.provider(doc)
}

// Providers implements gateway.Directory.
func (d directory) Providers(ctx context.Context, workspace string) ([]gateway.Provider, error) {
	return listed(ctx, d.resources, catalogue.Providers.Name, workspace, d.provider)
}

// Route implements gateway.Directory.
func (d directory) Route(ctx context.Context, workspace, name string) (gateway.Route, error) {
	doc, err := d.resources.GetByKey(ctx, catalogue.ModelRoutes.Name, workspace, name)
	if err != nil {
		return gateway.Route{}, err
	}
	return route(doc)
}

// Routes implements gateway.Directory.
func (d directory) Routes(ctx context.Context, workspace string) ([]gateway.Route, error) {
	return listed(ctx, d.resources, catalogue.ModelRoutes.Name, workspace, route)
}

func listed[T any](ctx context.Context, q *resources.Queries, kind, workspace string, read func(*resources.Document) (T, error)) ([]T, error) {
	found, err := q.List(ctx, resources.Query{Kind: kind, Workspace: workspace, Page: query.Page{Limit: maxListed}})
	if err != nil {
		return nil, err
	}
	out := make([]T, 0, len(found.Items))
	for _, doc := range found.Items {
		v, err := read(doc)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

func (d directory) provider(doc *resources.Document) (gateway.Provider, error) {
	var p catalogue.Provider
	if err := json.Unmarshal(doc.Doc, &p); err != nil {
		return gateway.Provider{}, fmt.Errorf("provider %s: %w", doc.ID, err)
	}
	out := gateway.Provider{Name: p.Name, Type: gateway.ProviderType(p.Type), BaseURL: p.BaseURL, Models: p.Models,
		Priority: p.Priority, IsDefault: p.IsDefault, Enabled: p.Enabled, Created: doc.CreatedAt}
	var err error
	if len(p.Config) > 0 {
		if out.Config, err = json.Marshal(p.Config); err != nil {
			return gateway.Provider{}, fmt.Errorf("provider %s: %w", doc.ID, err)
		}
	}
	if p.APIKey != "" {
		if out.APIKey, err = d.sealer.Open(p.APIKey); err != nil {
			return gateway.Provider{}, fmt.Errorf("the API key of provider %s: %w", doc.ID, err)
		}
	}
	return out, nil
}

func route(doc *resources.Document) (gateway.Route, error) {
	var r catalogue.ModelRoute
	if err := json.Unmarshal(doc.Doc, &r); err != nil {
		return gateway.Route{}, fmt.Errorf("model route %s: %w", doc.ID, err)
	}
	out := gateway.Route{Name: r.Name, Strategy: gateway.Strategy(r.Strategy), Enabled: r.Enabled, Created: doc.CreatedAt}
	for _, t := range r.Targets {
		out.Targets = append(out.Targets, gateway.Target{Model: t.Model, Weight: t.Weight, Priority: t.Priority})
	}
	if r.Retry != nil {
		out.Retry = gateway.Retry{MaxAttempts: r.Retry.MaxAttempts, Backoff: time.Duration(r.Retry.BackoffMS) * time.Millisecond}
	}
	return out, nil
}

// ledger lets the gateway spend from budgets.
type ledger struct{ *commands.Budgets }

// Reserve implements gateway.Budgets.
func (l ledger) Reserve(ctx context.Context, c gateway.Call, model string, most domain.Money, tokens int64) ([]inference.Reservation, error) {
	return l.Budgets.Reserve(ctx, commands.Spender{Organization: c.Organization, Workspace: c.Workspace, Agent: c.Agent,
		App: c.App, User: c.User, EndUser: c.EndUser, APIKey: c.APIKey, Model: model}, most, tokens)
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
