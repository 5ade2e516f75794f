package writeapi

import (
	"encoding/json"
	"net/http"
	"reflect"
	"time"

	"strata/commands"
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
	Body     memoryFields
}

type updateMemory struct {
	memoryPath
	Body json.RawMessage
}

func (a *API) memories() {
	const base = "/memory/{provider}/memories"
	command(a, operation[createMemory, memory.State, view.Memory]{
		Op: httpx.Op{ID: "createMemory", Method: http.MethodPost, Path: base, Mount: httpx.V1, Tag: "Memory",
			Summary: "Create memory", Permission: "memories:create", Status: http.StatusCreated},
		agg: memory.Aggregate,
		decide: func(req *commands.Request, in *createMemory) (domain.Decider[memory.State], error) {
			req.Create = true
			b := in.Body
			f := memory.Fields{Content: b.Content, Type: memory.Kind(b.Type), AgentID: b.AgentID, UserID: b.UserID,
				SessionID: b.SessionID, AppID: b.AppID, Metadata: b.Metadata, Importance: b.Importance}
			var err error
			f.ExpiresAt, err = expiry(b.ExpiresAt)
			return memory.Add{Provider: in.Provider, Fields: f}, err
		},
		view: showMemory,
	})
	for _, method := range []string{http.MethodPut, http.MethodPatch} {
		command(a, operation[updateMemory, memory.State, view.Memory]{
			Op: httpx.Op{ID: verbOf(method) + "Memory", Method: method, Path: base + "/{id}", Mount: httpx.V1, Tag: "Memory",
				Summary: "Update memory", Description: "Fields that are absent stay as they are; null removes.",
				Permission: "memories:update", Body: reflect.TypeFor[memoryFields](), BodyView: httpx.Update},
			agg: memory.Aggregate,
			decide: func(req *commands.Request, in *updateMemory) (domain.Decider[memory.State], error) {
				if err := in.target(req); err != nil {
					return nil, err
				}
				var patch domain.Doc
				if err := json.Unmarshal(in.Body, &patch); err != nil {
					return nil, err
				}
				return memory.Revise{Patch: patch}, nil
			},
			view: showMemory,
		})
	}
	command(a, operation[memoryPath, memory.State, view.DeletedID]{
		Op: httpx.Op{ID: "deleteMemory", Method: http.MethodDelete, Path: base + "/{id}", Mount: httpx.V1, Tag: "Memory",
			Summary: "Delete memory", Permission: "memories:delete"},
		agg: memory.Aggregate,
		decide: func(req *commands.Request, in *memoryPath) (domain.Decider[memory.State], error) {
			return memory.Forget{}, in.target(req)
		},
		view: func(l *commands.Loaded[memory.State]) view.DeletedID { return view.DeletedID{ID: l.ID} },
	})
}

// target addresses the memory; a provider that is not there has none.
func (p *memoryPath) target(req *commands.Request) error {
	req.ID = p.ID
	if p.Provider != memory.Internal {
		return domain.NotFound("memory provider", p.Provider)
	}
	return nil
}

func showMemory(l *commands.Loaded[memory.State]) view.Memory { return view.MemoryOf(l.State) }

// verbOf names the operation of a method: PUT merges as PATCH does, so the two
// differ in name only.
func verbOf(method string) string {
	if method == http.MethodPatch {
		return "patch"
	}
	return "update"
}
