package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"strata/commands"
	memorycommands "strata/commands/memories"
	"strata/domain"
	"strata/domain/catalogue"
	"strata/domain/memory"
	"strata/domain/memorycall"
	"strata/gateway/mem0"
	"strata/internal/httpx"
	"strata/internal/outbound"
	"strata/internal/secrets"
	"strata/projections/memories"
	"strata/projections/query"
	"strata/projections/resources"
	"strata/readapi"
	"strata/streams"
)

// memoryProviders finds who keeps memories, by the names that a workspace gave them.
type memoryProviders struct {
	internal  memorycommands.Provider
	resources *resources.Queries
	sealer    *secrets.Sealer
	client    *http.Client
	audit     memoryAudit
	now       func() time.Time
}

// openMemoryProviders opens the calling of services that keep memories.
func (a *app) openMemoryProviders(context.Context) error {
	guard, err := outbound.New(a.cfg.Outbound.Private)
	if err != nil {
		return err
	}
	client := mem0.NewClient(guard)
	a.onClose(func() error {
		client.CloseIdleConnections()
		return nil
	})
	a.keepers = &memoryProviders{internal: ownMemories{a}, resources: a.models.resources, sealer: a.sealer, client: client, now: a.now,
		audit: memoryAudit{store: a.store, codec: a.codec, payloads: a.cfg.Gateway.RecordPayloads}}
	return nil
}

// Named finds a provider. Errors: NOT_FOUND; CONFLICT for one that is not enabled.
func (m *memoryProviders) Named(ctx context.Context, workspace, name string) (memorycommands.Provider, error) {
	if name == memory.Internal {
		return m.internal, nil
	}
	doc, err := m.resources.GetByKey(ctx, catalogue.MemoryProviders.Name, workspace, name)
	if err != nil {
		return nil, err
	}
	var s catalogue.MemoryProvider
	if err := json.Unmarshal(doc.Doc, &s); err != nil {
		return nil, fmt.Errorf("memory provider %s: %w", doc.ID, err)
	}
	if !s.Enabled {
		return nil, domain.Errorf(domain.CodeConflict, "the memory provider %q is not enabled", name)
	}
	if s.APIKey != "" {
		if s.APIKey, err = m.sealer.Open(s.APIKey); err != nil {
			return nil, fmt.Errorf("the API key of memory provider %s: %w", doc.ID, err)
		}
	}
	keeper := &mem0.Provider{Name: s.Name, URL: cmp.Or(s.BaseURL, mem0.Platform), Key: s.APIKey, Server: s.API == "server", Infer: s.Infer,
		Timeout: time.Duration(s.TimeoutMS) * time.Millisecond, Client: m.client, Now: m.now}
	return &recordedProvider{Provider: keeper, id: doc.ID, name: s.Name, audit: m.audit, now: m.now}, nil
}

// recordedProvider records what is changed at a provider.
type recordedProvider struct {
	memorycommands.Provider
	id, name string
	audit    memoryAudit
	now      func() time.Time
}

// Add implements memories.Provider.
func (r *recordedProvider) Add(ctx context.Context, by memory.By, f memory.Fields) (memory.Found, error) {
	started := r.now()
	out, err := r.Provider.Add(ctx, by, f)
	return out, r.record(ctx, by, started, memorycall.Made{Operation: memorycall.Add, MemoryID: out.ID}, f.UserID, f, err)
}

// Update implements memories.Provider.
func (r *recordedProvider) Update(ctx context.Context, by memory.By, id string, patch domain.Doc) (memory.Found, error) {
	started := r.now()
	out, err := r.Provider.Update(ctx, by, id, patch)
	return out, r.record(ctx, by, started, memorycall.Made{Operation: memorycall.Update, MemoryID: id}, out.UserID, patch, err)
}

// Delete implements memories.Provider.
func (r *recordedProvider) Delete(ctx context.Context, by memory.By, id string) error {
	started := r.now()
	err := r.Provider.Delete(ctx, by, id)
	return r.record(ctx, by, started, memorycall.Made{Operation: memorycall.Delete, MemoryID: id}, "", nil, err)
}

// record writes down a change, and answers with what the caller is to know: how the
// change went or, if it went well, whether it could be written down.
func (r *recordedProvider) record(ctx context.Context, by memory.By, started time.Time, made memorycall.Made, about string, sent any, failed error) error {
	made.ID, made.ProviderID, made.Provider = domain.NewID("memc"), r.id, r.name
	made.User, made.APIKey, made.Agent, made.Run = by.UserID, by.KeyID, by.Agent, by.Run
	made.StartedAt, made.LatencyUS = started.UTC(), r.now().Sub(started).Microseconds()
	payload := memorycall.PayloadRecorded{ID: made.ID, Subject: memorycall.Subject(about, by.UserID, by.KeyID, by.Workspace)}
	if failed != nil {
		made.ErrorCode, payload.Error = string(domain.CodeOf(failed)), inShort(failed)
	}
	if sent != nil {
		text, err := json.Marshal(sent)
		if err != nil {
			return cmp.Or(failed, err)
		}
		payload.Sent = text
	}
	// Who asked may have gone meanwhile; what was changed is recorded all the same.
	return cmp.Or(failed, r.audit.record(context.WithoutCancel(ctx), by, started, made, payload))
}

// memoryAudit records who changed what at providers.
type memoryAudit struct {
	store    streams.Store
	codec    *streams.Codec
	payloads bool
}

func (m memoryAudit) record(ctx context.Context, by memory.By, started time.Time, made memorycall.Made, payload memorycall.PayloadRecorded) error {
	facts := []domain.Fact{made}
	if m.payloads && (payload.Sent != nil || payload.Error != "") {
		facts = append(facts, payload)
	}
	meta := domain.Metadata{CorrelationID: by.CorrelationID, RequestID: by.RequestID, Actor: by.Actor, Organization: by.Organization,
		Workspace: by.Workspace, OccurredAt: started.Add(time.Duration(made.LatencyUS) * time.Microsecond).UTC().Truncate(time.Microsecond)}
	proposed := make([]streams.Proposed, len(facts))
	for i, f := range facts {
		var err error
		if proposed[i], err = m.codec.Encode(domain.NewEventID(), f, meta); err != nil {
			return err
		}
	}
	out, err := m.store.Append(ctx, memorycall.StreamOf(by.Workspace, started), streams.Any, proposed...)
	if err != nil {
		return domain.Errorf(domain.CodeUnavailable, "the memory was changed, but that could not be recorded").Because(err)
	}
	httpx.Wrote(ctx, out.Position)
	return nil
}

// ownMemories is Strata itself as a provider of memories.
type ownMemories struct{ *app }

func (o ownMemories) request(by memory.By, id string) commands.Request {
	return commands.Request{Principal: by.Principal, ID: id, IdempotencyKey: by.IdempotencyKey, Route: "memory provider " + id,
		RequestID: by.RequestID, CorrelationID: by.CorrelationID}
}

func (o ownMemories) run(ctx context.Context, req commands.Request, cmd domain.Decider[memory.State]) (memory.Found, error) {
	out, err := commands.Run(ctx, o.handler, memory.Aggregate, req, cmd, func(l *commands.Loaded[memory.State]) memory.Found { return memory.Found{State: *l.State} })
	return out.View, err
}

// Add implements memories.Provider.
func (o ownMemories) Add(ctx context.Context, by memory.By, f memory.Fields) (memory.Found, error) {
	req := o.request(by, "")
	req.Create = true
	return o.run(ctx, req, memory.Add{Fields: f})
}

// Update implements memories.Provider.
func (o ownMemories) Update(ctx context.Context, by memory.By, id string, patch domain.Doc) (memory.Found, error) {
	return o.run(ctx, o.request(by, id), memory.Revise{Patch: patch})
}

// Delete implements memories.Provider.
func (o ownMemories) Delete(ctx context.Context, by memory.By, id string) error {
	_, err := o.run(ctx, o.request(by, id), memory.Forget{})
	return err
}

// Get implements memories.Provider.
func (o ownMemories) Get(ctx context.Context, by memory.By, id string) (memory.Found, error) {
	m, err := o.models.memories.Get(ctx, by.Workspace, id)
	return memory.Found{State: m.State}, err
}

func filterOf(by memory.By, s memory.Scope) memories.Filter {
	return memories.Filter{Workspace: by.Workspace, AgentID: s.AgentID, UserID: s.UserID, SessionID: s.SessionID, AppID: s.AppID,
		Type: string(s.Type), Metadata: s.Metadata}
}

// List implements memories.Provider.
func (o ownMemories) List(ctx context.Context, by memory.By, s memory.Scope, limit int, after string) (memory.Page, error) {
	found, err := o.models.memories.List(ctx, filterOf(by, s), query.Page{Limit: limit, After: after, Desc: true})
	out := memory.Page{More: found.HasMore}
	for _, m := range found.Items {
		out.Items = append(out.Items, memory.Found{State: m.State})
	}
	return out, err
}

// Search implements memories.Provider. Without the embedding model words answer alone.
func (o ownMemories) Search(ctx context.Context, by memory.By, q memory.Query) (memory.Page, error) {
	like, err := o.meaning().Of(ctx, by.Principal, q.Text)
	if err != nil { // the call's record tells why
		like = memories.Meaning{}
	}
	found, more, err := o.models.memories.Search(ctx, filterOf(by, q.Scope), q.Text, like, q.Least, q.Limit)
	out := memory.Page{More: more}
	for _, m := range found {
		out.Items = append(out.Items, memory.Found{State: m.State, Score: m.Score})
	}
	return out, err
}

// readMemories finds providers for those who only read.
type readMemories struct{ *memoryProviders }

// Named implements readapi.MemoryProviders.
func (r readMemories) Named(ctx context.Context, workspace, name string) (readapi.MemoryProvider, error) {
	return r.memoryProviders.Named(ctx, workspace, name)
}
