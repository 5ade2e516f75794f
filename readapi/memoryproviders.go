package readapi

import (
	"context"

	"strata/domain/memory"
	"strata/internal/httpx"
	"strata/internal/view"
)

// MemoryProvider keeps memories elsewhere. Errors: NOT_FOUND for a memory that is not
// there, VALIDATION_ERROR, and what keeps the provider from answering.
type MemoryProvider interface {
	Get(ctx context.Context, by memory.By, id string) (memory.Found, error)
	List(ctx context.Context, by memory.By, s memory.Scope, limit int, after string) (memory.Page, error)
	Search(ctx context.Context, by memory.By, q memory.Query) (memory.Page, error)
}

// MemoryProviders finds providers by name. Errors: NOT_FOUND; CONFLICT for one that is
// not enabled.
type MemoryProviders interface {
	Named(ctx context.Context, workspace, name string) (MemoryProvider, error)
}

// elsewhere tells whether a provider is another than Strata itself.
func elsewhere(name string) bool { return name != memory.Internal }

// provider finds a provider of the caller's workspace.
func (a *API) provider(ctx context.Context, name string) (MemoryProvider, memory.By, error) {
	r := httpx.From(ctx)
	p, err := a.MemoryProviders.Named(ctx, r.Principal.Workspace, name)
	return p, memory.By{Principal: r.Principal, RequestID: r.ID, CorrelationID: r.CorrelationID}, err
}

func (s *memoryScope) scope() memory.Scope {
	return memory.Scope{AgentID: s.AgentID, UserID: s.UserID, SessionID: s.SessionID, AppID: s.AppID, Type: memory.Kind(s.Type), Metadata: s.Filter}
}

func (a *API) getElsewhere(ctx context.Context) (httpx.Reply[view.Memory], error) {
	var none httpx.Reply[view.Memory]
	p, by, err := a.provider(ctx, httpx.PathValue(ctx, "provider"))
	if err != nil {
		return none, err
	}
	m, err := p.Get(ctx, by, httpx.PathValue(ctx, "id"))
	return httpx.Reply[view.Memory]{Body: view.MemoryOf(&m.State)}, err
}

func (a *API) listElsewhere(ctx context.Context, in *listMemories) (httpx.Reply[httpx.List[view.Memory]], error) {
	var none httpx.Reply[httpx.List[view.Memory]]
	p, by, err := a.provider(ctx, in.Provider)
	if err != nil {
		return none, err
	}
	page, err := p.List(ctx, by, in.Body.scope(), min(in.Body.Limit, maxMemories), in.Body.After)
	if err != nil {
		return none, err
	}
	return pageOf(page, false), nil
}

func (a *API) searchElsewhere(ctx context.Context, in *searchMemories) (httpx.Reply[httpx.List[view.Memory]], error) {
	var none httpx.Reply[httpx.List[view.Memory]]
	p, by, err := a.provider(ctx, in.Provider)
	if err != nil {
		return none, err
	}
	q := memory.Query{Scope: in.Body.scope(), Text: in.Body.Query, Limit: min(in.Body.Limit, maxMemories)}
	if in.Body.ScoreThreshold != nil {
		q.Least = *in.Body.ScoreThreshold
	}
	page, err := p.Search(ctx, by, q)
	if err != nil {
		return none, err
	}
	return pageOf(page, true), nil
}

func pageOf(page memory.Page, scored bool) httpx.Reply[httpx.List[view.Memory]] {
	out := httpx.List[view.Memory]{HasMore: page.More, Items: make([]view.Memory, len(page.Items))}
	for i, m := range page.Items {
		out.Items[i] = view.MemoryOf(&m.State)
		if scored {
			out.Items[i].Score = &m.Score
		}
	}
	return httpx.Reply[httpx.List[view.Memory]]{Body: out}
}
