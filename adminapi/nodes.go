package adminapi

import (
	"context"
	"net/http"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/domain/node"
	"strata/internal/httpx"
)

// member is how a node is shown.
type member struct {
	Name     string    `json:"name" example:"read-1"`
	Role     string    `json:"role" doc:"What it runs." example:"read"`
	Places   []string  `json:"places" doc:"What of it may hold people's data: an erasure waits until each is clean."`
	JoinedAt time.Time `json:"joined_at"`
}

func (a *API) nodes() {
	op := func(id, method, path, summary, verb string) httpx.Op {
		return httpx.Op{ID: id, Method: method, Path: "/admin/nodes" + path, Mount: httpx.API, Tag: "Admin", Summary: summary,
			Permission: "nodes:" + verb, Installation: true}
	}
	listing := op("listNodes", http.MethodGet, "", "List the nodes of the installation", "list")
	listing.Description = "Every process that shares the event log and may hold copies of what is in it, whether it runs or not. A process that has the log to itself lists none."
	listing.Paging, listing.PageDefault = httpx.Cursor, 100
	httpx.Register(a.r, listing, func(ctx context.Context, in *struct{ httpx.ListParams }) (httpx.Reply[httpx.List[member]], error) {
		all, err := a.Nodes(ctx)
		if err != nil {
			return httpx.Reply[httpx.List[member]]{}, err
		}
		shown := make([]member, len(all))
		for i, n := range all {
			shown[i] = member{Name: n.Name, Role: n.Role, Places: n.Places, JoinedAt: n.JoinedAt}
		}
		return httpx.Respond(pageOf(shown, in.ListParams, func(m member) string { return m.Name }))
	})

	remove := op("removeNode", http.MethodDelete, "/{name}", "Strike off a node that is gone for good", "delete")
	remove.Description = "Only for a node whose disk is gone, too: erasures do not wait for it any more, not even those that are pending. " +
		"A node that starts again joins again."
	remove.NoBody = true
	httpx.Register(a.r, remove, func(ctx context.Context, in *struct {
		Name string `path:"name" example:"read-1"`
	}) (httpx.Reply[struct{}], error) {
		return httpx.Reply[struct{}]{}, a.removeNode(ctx, in.Name)
	})
}

func (a *API) removeNode(ctx context.Context, name string) error {
	r := httpx.From(ctx)
	p := domain.System("", "")
	p.Actor = r.Principal.Actor
	_, err := commands.Run[node.State, struct{}](ctx, a.Handler, node.Aggregate,
		commands.Request{Principal: p, ID: name, RequestID: r.ID, CorrelationID: r.CorrelationID}, node.Leave{}, nil)
	return err
}
