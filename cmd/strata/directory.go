package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"strata/domain"
	"strata/domain/catalogue"
	"strata/gateway"
	"strata/internal/secrets"
	"strata/projections/query"
	"strata/projections/resources"
)

// directory tells the gateway of providers and routes, from the read model. It
// is asked several times for every call, so it keeps what it has read until one
// of them changes; see committed.
type directory struct {
	resources *resources.Queries
	sealer    *secrets.Sealer

	provider  memo[gateway.Provider]
	providers memo[[]gateway.Provider]
	route     memo[gateway.Route]
	routes    memo[[]gateway.Route]
}

func newDirectory(q *resources.Queries, sealer *secrets.Sealer) *directory {
	return &directory{resources: q, sealer: sealer, provider: newMemo[gateway.Provider](), providers: newMemo[[]gateway.Provider](),
		route: newMemo[gateway.Route](), routes: newMemo[[]gateway.Route]()}
}

// committed is to be told of every commit of the read models.
func (d *directory) committed(model string, events []domain.Event) {
	if model != resources.Name {
		return
	}
	kinds := []string{catalogue.Providers.Name, catalogue.ModelRoutes.Name}
	if slices.ContainsFunc(events, func(e domain.Event) bool { return slices.Contains(kinds, e.Stream.Category()) }) {
		d.replaced(model)
	}
}

// replaced is to be told when the rows of a read model were replaced by others.
func (d *directory) replaced(model string) {
	if model == resources.Name {
		d.provider.Clear()
		d.providers.Clear()
		d.route.Clear()
		d.routes.Clear()
	}
}

// maxAnswers bounds the answers that are kept of each kind.
const maxAnswers = 1024

// memo keeps answers, also that there is nothing.
type memo[V any] struct{ *query.Cache[kept[V]] }

type kept[V any] struct {
	value   V
	missing error // NOT_FOUND
}

func newMemo[V any]() memo[V] { return memo[V]{query.NewCache[kept[V]](maxAnswers)} }

// get returns the answer to a workspace's question, asking when it is not kept.
// Other errors than NOT_FOUND are not kept.
func (m memo[V]) get(workspace, name string, ask func() (V, error)) (V, error) {
	k, err := m.Get(workspace+"/"+name, func() (k kept[V], err error) {
		k.value, err = ask()
		if errors.Is(err, domain.ErrNotFound) {
			k.missing, err = err, nil
		}
		return k, err
	})
	if err == nil {
		err = k.missing
	}
	return k.value, err
}

// Provider implements gateway.Directory.
func (d *directory) Provider(ctx context.Context, workspace, name string) (gateway.Provider, error) {
	return d.provider.get(workspace, name, func() (gateway.Provider, error) {
		return named(ctx, d.resources, catalogue.Providers.Name, workspace, name, d.readProvider)
	})
}

// Providers implements gateway.Directory.
func (d *directory) Providers(ctx context.Context, workspace string) ([]gateway.Provider, error) {
	return d.providers.get(workspace, "", func() ([]gateway.Provider, error) {
		return listed(ctx, d.resources, catalogue.Providers.Name, workspace, d.readProvider)
	})
}

// Route implements gateway.Directory.
func (d *directory) Route(ctx context.Context, workspace, name string) (gateway.Route, error) {
	return d.route.get(workspace, name, func() (gateway.Route, error) {
		return named(ctx, d.resources, catalogue.ModelRoutes.Name, workspace, name, readRoute)
	})
}

// Routes implements gateway.Directory.
func (d *directory) Routes(ctx context.Context, workspace string) ([]gateway.Route, error) {
	return d.routes.get(workspace, "", func() ([]gateway.Route, error) {
		return listed(ctx, d.resources, catalogue.ModelRoutes.Name, workspace, readRoute)
	})
}

func named[T any](ctx context.Context, q *resources.Queries, kind, workspace, name string, read func(*resources.Document) (T, error)) (T, error) {
	doc, err := q.GetByKey(ctx, kind, workspace, name)
	if err != nil {
		var none T
		return none, err
	}
	return read(doc)
}

// maxListed bounds how many providers or routes of a workspace are looked at.
const maxListed = 1000

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

func (d *directory) readProvider(doc *resources.Document) (gateway.Provider, error) {
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

func readRoute(doc *resources.Document) (gateway.Route, error) {
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
