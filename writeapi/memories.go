package writeapi

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"time"

	"strata/commands"
	"strata/commands/memories"
	"strata/domain"
	"strata/domain/memory"
	"strata/internal/httpx"
	"strata/internal/view"
)

// memoryFields are what a client may set of a memory.
type memoryFields struct {
	Content    string     `json:"content" required:"true" minLength:"1" doc:"The text to remember." example:"Prefers answers in German"`
	Type       string     `json:"type" enum:"episodic,semantic,procedural,working" default:"semantic"`
	AgentID    string     `json:"agent_id"`
	UserID     string     `json:"user_id" example:"user_bob"`
	SessionID  string     `json:"session_id"`
	AppID      string     `json:"app_id"`
	Metadata   domain.Doc `json:"metadata" doc:"Your own data; searches can filter by it."`
	Importance *float64   `json:"importance" minimum:"0" maximum:"1" doc:"From 0 (trivial) to 1 (vital)." example:"0.5"`
	ExpiresAt  *time.Time `json:"expires_at" doc:"When it is forgotten by itself."`
}

// memoryPath is where a memory is on each mount.
type memoryPath struct {
	Provider string `path:"provider"`
	ID       string `path:"id"`
}

type createMemory struct {
	Provider string `path:"provider"`
	Body     struct {
		memoryFields
		OnDuplicate string `json:"on_duplicate" enum:"keep,skip,merge" default:"keep" doc:"What happens if it says nearly the same as an earlier memory of the same agent, user, session and app, which shows when it has been embedded, after the answer. keep: both stay, and it is marked; skip: it is forgotten; merge: the same, and the earlier one takes over its metadata, the higher importance and the later end."`
	}
}

type updateMemory struct {
	memoryPath
	Body json.RawMessage
}

func (a *API) memories() {
	const base = "/memory/{provider}/memories"
	kept(a, operation[createMemory, memory.State, view.Memory]{
		Op: httpx.Op{ID: "createMemory", Method: http.MethodPost, Path: base, Mount: httpx.V1, Tag: "Memory",
			Summary: "Create memory", Permission: "memories:create", Status: http.StatusCreated},
		agg: memory.Aggregate,
		decide: func(req *commands.Request, in *createMemory) (domain.Decider[memory.State], error) {
			req.Create = true
			f, err := in.Body.fields()
			return memory.Add{Provider: in.Provider, Fields: f, OnDuplicate: memory.OnDuplicate(in.Body.OnDuplicate)}, err
		},
		view: showMemory,
	}, func(ctx context.Context, p MemoryProvider, by memory.By, in *createMemory) (view.Memory, error) {
		f, err := in.Body.fields()
		var faults domain.Faults
		faults.Add(memory.OnDuplicate(in.Body.OnDuplicate) != memory.KeepBoth && in.Body.OnDuplicate != "", "on_duplicate", "is not known to the memory provider %q", in.Provider)
		if err = cmp.Or(err, faults.Err()); err != nil {
			return view.Memory{}, err
		}
		return shown(p.Add(ctx, by, f))
	})
	for _, method := range []string{http.MethodPut, http.MethodPatch} {
		kept(a, operation[updateMemory, memory.State, view.Memory]{
			Op: httpx.Op{ID: verbOf(method) + "Memory", Method: method, Path: base + "/{id}", Mount: httpx.V1, Tag: "Memory",
				Summary: "Update memory", Description: "Fields that are absent stay as they are; null removes.",
				Permission: "memories:update", Body: reflect.TypeFor[memoryFields](), BodyView: httpx.Update},
			agg: memory.Aggregate,
			decide: func(req *commands.Request, in *updateMemory) (domain.Decider[memory.State], error) {
				req.ID = in.ID
				patch, err := in.patch()
				return memory.Revise{Patch: patch}, err
			},
			view: showMemory,
		}, func(ctx context.Context, p MemoryProvider, by memory.By, in *updateMemory) (view.Memory, error) {
			patch, err := in.patch()
			if err != nil {
				return view.Memory{}, err
			}
			return shown(p.Update(ctx, by, in.ID, patch))
		})
	}
	kept(a, operation[memoryPath, memory.State, view.DeletedID]{
		Op: httpx.Op{ID: "deleteMemory", Method: http.MethodDelete, Path: base + "/{id}", Mount: httpx.V1, Tag: "Memory",
			Summary: "Delete memory", Permission: "memories:delete"},
		agg: memory.Aggregate,
		decide: func(req *commands.Request, in *memoryPath) (domain.Decider[memory.State], error) {
			req.ID = in.ID
			return memory.Forget{}, nil
		},
		view: func(l *commands.Loaded[memory.State]) view.DeletedID { return view.DeletedID{ID: l.ID} },
	}, func(ctx context.Context, p MemoryProvider, by memory.By, in *memoryPath) (view.DeletedID, error) {
		return view.DeletedID{ID: in.ID}, p.Delete(ctx, by, in.ID)
	})
}

// MemoryProvider keeps memories elsewhere. Errors: NOT_FOUND for a memory that is not
// there, VALIDATION_ERROR, and what keeps the provider from answering.
type MemoryProvider = memories.Provider

// MemoryProviders finds providers by name. Errors: NOT_FOUND; CONFLICT for one that is
// not enabled.
type MemoryProviders interface {
	Named(ctx context.Context, workspace, name string) (MemoryProvider, error)
}

// providerNamed is an input whose path names a provider.
type providerNamed interface{ provider() string }

func (in *createMemory) provider() string { return in.Provider }
func (in *memoryPath) provider() string   { return in.Provider }

// kept registers an operation on memories: a command where Strata keeps them, else
// what elsewhere does.
func kept[I, O any, P interface {
	*I
	providerNamed
}](a *API, op operation[I, memory.State, O], elsewhere func(ctx context.Context, p MemoryProvider, by memory.By, in *I) (O, error)) {
	here := decided(a, op)
	op.Timeout = providerTimeout
	httpx.Register(a.r, op.Op, func(ctx context.Context, in *I) (httpx.Reply[O], error) {
		name := P(in).provider()
		if name == memory.Internal {
			return here(ctx, in)
		}
		var none httpx.Reply[O]
		r := httpx.From(ctx)
		if r.IfMatch != nil {
			return none, domain.Errorf(domain.CodeInvalidRequest, "the memory provider %q knows no revisions: leave out If-Match", name)
		}
		p, err := a.MemoryProviders.Named(ctx, r.Principal.Workspace, name)
		if err != nil {
			return none, err
		}
		by := memory.By{Principal: r.Principal, RequestID: r.ID, CorrelationID: r.CorrelationID, IdempotencyKey: r.IdempotencyKey}
		body, err := elsewhere(ctx, p, by, in)
		return httpx.Reply[O]{Body: body}, err
	})
}

// providerTimeout is more than a provider's timeout_ms can be.
const providerTimeout = 6 * time.Minute

// fields are what a memory is made of.
func (b *memoryFields) fields() (memory.Fields, error) {
	f := memory.Fields{Content: b.Content, Type: memory.Kind(b.Type), AgentID: b.AgentID, UserID: b.UserID,
		SessionID: b.SessionID, AppID: b.AppID, Metadata: b.Metadata, Importance: b.Importance}
	var err error
	f.ExpiresAt, err = expiry(b.ExpiresAt)
	return f, err
}

func (in *updateMemory) patch() (patch domain.Doc, err error) {
	err = json.Unmarshal(in.Body, &patch)
	return patch, err
}

func shown(f memory.Found, err error) (view.Memory, error) { return view.MemoryOf(&f.State), err }

func showMemory(l *commands.Loaded[memory.State]) view.Memory { return view.MemoryOf(l.State) }

// verbOf names the operation of a method: PUT merges as PATCH does, so the two
// differ in name only.
func verbOf(method string) string {
	if method == http.MethodPatch {
		return "patch"
	}
	return "update"
}
