package readapi

import (
	"context"
	"net/http"
	"time"

	"strata/domain"
	"strata/domain/memory"
	"strata/internal/httpx"
	"strata/internal/view"
	"strata/projections/history"
	"strata/projections/memories"
	"strata/projections/query"
)

// memoryScope narrows lists and searches of memories.
type memoryScope struct {
	AgentID   string     `json:"agent_id"`
	UserID    string     `json:"user_id" example:"user_bob"`
	SessionID string     `json:"session_id"`
	AppID     string     `json:"app_id"`
	Type      string     `json:"type" enum:"episodic,semantic,procedural,working"`
	Filter    domain.Doc `json:"filter" doc:"Metadata that must be equal."`
	Limit     int        `json:"limit" minimum:"1" default:"10" doc:"At most 100; more is clamped."`
}

type listMemories struct {
	Provider string `path:"provider"`
	Body     struct {
		memoryScope
		After string `json:"after" doc:"Id of the last memory seen."`
	}
}

type searchMemories struct {
	Provider string `path:"provider"`
	Body     struct {
		memoryScope
		Query          string   `json:"query" required:"true" minLength:"1" example:"Which language does Bob prefer?"`
		ScoreThreshold *float64 `json:"score_threshold" minimum:"0" maximum:"1" doc:"Only memories that fit at least so well."`
	}
}

// providerTimeout is more than a memory provider's timeout_ms can be.
const providerTimeout = 6 * time.Minute

// maxMemories bounds one page of memories.
const maxMemories = 100

func (a *API) memories() {
	op := func(id, method, path, summary, verb string) httpx.Op {
		return httpx.Op{ID: id, Method: method, Path: "/memory/{provider}/memories" + path, Mount: httpx.V1, Tag: "Memory",
			Summary: summary, Permission: "memories:" + verb, Reads: memories.Name, Timeout: providerTimeout}
	}
	httpx.Register(a.r, op("listMemories", http.MethodPost, "/list", "List memories", "list"), a.listMemories)
	search := op("searchMemories", http.MethodPost, "/search", "Search memories", "list")
	search.Description = "Finds by words, and by meaning what has been embedded, mixed as 1 - (1-words)*(1-meaning). A memory is found by its words at once and by its meaning a moment later; while the embedding model cannot be had, words answer alone."
	httpx.Register(a.r, search, a.searchMemories)
	serve(a, resource[memory.State, view.Memory]{
		op: op("getMemory", http.MethodGet, "/{id}", "Get specific memory", "get"), agg: memory.Aggregate, param: "id", key: memoryID,
		now: func(ctx context.Context) (httpx.Reply[view.Memory], error) {
			if elsewhere(httpx.PathValue(ctx, "provider")) {
				return a.getElsewhere(ctx)
			}
			id, err := memoryID(ctx)
			if err != nil {
				return httpx.Reply[view.Memory]{}, err
			}
			_, ws := tenant(ctx)
			m, err := a.Memories.Get(ctx, ws, id)
			return httpx.Reply[view.Memory]{Body: a.memoryView(m), Revision: &m.Revision}, err
		},
		alive: func(m *history.Moment[memory.State]) bool {
			s := m.State
			return s.Exists && !s.Deleted && (s.ExpiresAt.IsZero() || s.ExpiresAt.After(m.AsOf))
		},
		show: func(m *history.Moment[memory.State]) (view.Memory, error) { return view.MemoryOf(m.State), nil },
	})
}

// Meaning tells what memories are searched for by meaning.
type Meaning interface {
	// Of asks the embedding model, on the account of who asks; the zero Meaning
	// when memories are not embedded.
	Of(ctx context.Context, p domain.Principal, text string) (memories.Meaning, error)
	// Model that memories are embedded by, "" for none.
	Model() string
}

// meaningOf is the meaning of a query. Without it words answer alone, which is
// better than no answer: the call's record tells why it failed.
func (a *API) meaningOf(ctx context.Context, text string) memories.Meaning {
	like, err := a.Meaning.Of(ctx, httpx.From(ctx).Principal, text)
	if err != nil {
		a.Logger.WarnContext(ctx, "memories are searched by words alone", "error", err)
		return memories.Meaning{}
	}
	return like
}

func (a *API) memoryView(m memories.Memory) view.Memory {
	v := view.MemoryOf(&m.State)
	v.DuplicateOf = m.DuplicateOf
	if model := a.Meaning.Model(); model != "" && m.Content != "" {
		v.Embedding = view.EmbeddingOf(model, m.Model, m.FailureCode, m.Failure)
	}
	return v
}

// memoryID is the id in the path, when the provider in it is ours.
func memoryID(ctx context.Context) (string, error) {
	return httpx.PathValue(ctx, "id"), internalProvider(httpx.PathValue(ctx, "provider"))
}

func internalProvider(name string) error {
	if elsewhere(name) {
		return domain.Errorf(domain.CodeNotFound, "the past of memories that the provider %q keeps is not known here", name)
	}
	return nil
}

func (s *memoryScope) filter(ctx context.Context) memories.Filter {
	_, ws := tenant(ctx)
	return memories.Filter{Workspace: ws, AgentID: s.AgentID, UserID: s.UserID, SessionID: s.SessionID, AppID: s.AppID, Type: s.Type, Metadata: s.Filter}
}

func (a *API) listMemories(ctx context.Context, in *listMemories) (httpx.Reply[httpx.List[view.Memory]], error) {
	var none httpx.Reply[httpx.List[view.Memory]]
	if elsewhere(in.Provider) {
		return a.listElsewhere(ctx, in)
	}
	b := in.Body
	found, err := a.Memories.List(ctx, b.filter(ctx), query.Page{Limit: min(b.Limit, maxMemories), After: b.After, Desc: true})
	if err != nil {
		return none, err
	}
	return list(found, always(a.memoryView))
}

func (a *API) searchMemories(ctx context.Context, in *searchMemories) (httpx.Reply[httpx.List[view.Memory]], error) {
	var none httpx.Reply[httpx.List[view.Memory]]
	if elsewhere(in.Provider) {
		return a.searchElsewhere(ctx, in)
	}
	b := in.Body
	threshold := 0.0
	if b.ScoreThreshold != nil {
		threshold = *b.ScoreThreshold
	}
	found, more, err := a.Memories.Search(ctx, b.filter(ctx), b.Query, a.meaningOf(ctx, b.Query), threshold, min(b.Limit, maxMemories))
	if err != nil {
		return none, err
	}
	out := httpx.List[view.Memory]{HasMore: more, Items: make([]view.Memory, len(found))}
	for i, m := range found {
		out.Items[i] = a.memoryView(m.Memory)
		out.Items[i].Score = &m.Score
	}
	return httpx.Reply[httpx.List[view.Memory]]{Body: out}, nil
}
