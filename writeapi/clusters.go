package writeapi

import (
	"context"
	"net/http"

	"strata/domain"
	"strata/internal/cluster"
	"strata/internal/httpx"
	"strata/internal/view"
)

type createCluster struct {
	Body struct {
		ManagerURL string `json:"manager_url" required:"true" minLength:"1" maxLength:"2000" doc:"Where the program answers that runs trainings." example:"https://manager.example.com"`
		IngressURL string `json:"ingress_url" required:"true" minLength:"1" maxLength:"2000" doc:"Where its models are served." example:"https://models.example.com"`
		Name       string `json:"name" maxLength:"200" example:"GPU cluster"`
		Token      string `json:"token" maxLength:"4096" doc:"What the manager wants as a bearer token. Kept sealed, never returned." example:"s3cr3t"`
	}
}

type updateCluster struct {
	Body struct {
		ManagerURL *string `json:"manager_url" maxLength:"2000" example:"https://manager.example.com"`
		IngressURL *string `json:"ingress_url" maxLength:"2000" example:"https://models.example.com"`
		Token      *string `json:"token" maxLength:"4096" doc:"Empty: the manager wants none any more." example:"s3cr3t"`
	}
}

// rotatedSecret is a new secret, told once.
type rotatedSecret struct {
	ID            string `json:"id" example:"clu_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	WebhookSecret string `json:"webhook_secret" doc:"What reports have to be signed with from now on: told once. Empty when a request is repeated." example:"whsec_5f2b…"`
}

// clusters serves the cluster of a space, of which there is one at most. Also its
// GET is here: what it tells is asked of the manager, not of a read model.
func (a *API) clusters() {
	for _, mount := range []*httpx.Mount{httpx.V1, httpx.API} {
		op := func(verb, method, summary, permission string) httpx.Op {
			o := httpx.Op{ID: verb + "Cluster", Method: method, Path: "/clusters", Mount: mount, Tag: "Clusters", Summary: summary, Permission: "clusters:" + permission}
			if mount == httpx.API {
				o.ID += "Enveloped"
			}
			return o
		}
		create := op("create", http.MethodPost, "Create cluster", "create")
		create.Status, create.Description = http.StatusCreated, "Registers the space's cluster. The answer tells, once, the secret that its manager signs reports with."
		httpx.Register(a.r, create, func(ctx context.Context, in *createCluster) (httpx.Reply[view.Cluster], error) {
			b := in.Body
			out, secret, err := a.Clusters.Register(ctx, request(ctx, create.Permission, ""),
				cluster.Registration{Name: &b.Name, ManagerURL: &b.ManagerURL, IngressURL: &b.IngressURL, Token: &b.Token})
			shown := view.ClusterOf(&out.View)
			shown.WebhookSecret = secret
			return httpx.Reply[view.Cluster]{Body: shown, Revision: &out.Revision, Position: out.Position}, err
		})
		update := op("update", http.MethodPut, "Update cluster", "update")
		update.Description = "Fields that are absent stay as they are."
		httpx.Register(a.r, update, func(ctx context.Context, in *updateCluster) (httpx.Reply[view.Cluster], error) {
			b := in.Body
			out, err := a.Clusters.Update(ctx, request(ctx, update.Permission, ""), cluster.Registration{ManagerURL: b.ManagerURL, IngressURL: b.IngressURL, Token: b.Token})
			return httpx.Reply[view.Cluster]{Body: view.ClusterOf(&out.View), Revision: &out.Revision, Position: out.Position}, err
		})
		rotate := op("rotate", http.MethodPost, "Rotate the webhook secret of the cluster", "update")
		rotate.ID, rotate.Path = "rotateWebhookSecret"+rotate.ID[len("rotate"):], "/clusters/webhook-secret"
		rotate.Description = "Reports have to be signed with the new secret from now on; the old one stops working."
		httpx.Register(a.r, rotate, func(ctx context.Context, _ *struct{}) (httpx.Reply[rotatedSecret], error) {
			out, secret, err := a.Clusters.Rotate(ctx, request(ctx, rotate.Permission, ""))
			return httpx.Reply[rotatedSecret]{Body: rotatedSecret{ID: out.View.ID, WebhookSecret: secret}, Revision: &out.Revision, Position: out.Position}, err
		})
		get := op("get", http.MethodGet, "Get cluster", "get")
		get.Description = "Asks the cluster's manager, for ten seconds at most. One that does not answer is `unreachable`, with the reason in error."
		httpx.Register(a.r, get, a.getCluster)
		a.removeCluster(mount, op("delete", http.MethodDelete, "Delete cluster", "delete"))
	}
}

func (a *API) removeCluster(mount *httpx.Mount, op httpx.Op) {
	op.Description = "What runs there is not stopped; reports from there are not taken any more."
	if mount == httpx.V1 {
		httpx.Register(a.r, op, func(ctx context.Context, _ *struct{}) (httpx.Reply[view.DeletedID], error) {
			id, out, err := a.Clusters.Remove(ctx, request(ctx, op.Permission, ""))
			return httpx.Reply[view.DeletedID]{Body: view.DeletedID{ID: id}, Revision: &out.Revision, Position: out.Position}, err
		})
		return
	}
	httpx.Register(a.r, op, func(ctx context.Context, _ *struct{}) (httpx.Reply[view.Deleted], error) {
		id, out, err := a.Clusters.Remove(ctx, request(ctx, op.Permission, ""))
		return httpx.Reply[view.Deleted]{Body: view.Deleted{ID: id, Deleted: true}, Revision: &out.Revision, Position: out.Position}, err
	})
}

// getCluster shows the cluster with what its manager tells of it.
func (a *API) getCluster(ctx context.Context, _ *struct{}) (httpx.Reply[view.ClusterState], error) {
	var none httpx.Reply[view.ClusterState]
	p := httpx.From(ctx).Principal
	state, err := a.Clusters.Get(ctx, p)
	if err != nil {
		return none, err
	}
	manager, err := a.Clusters.Manager(ctx, p)
	if err != nil {
		return none, err
	}
	out := view.ClusterState{Cluster: view.ClusterOf(&state), Status: "reachable"}
	live, err := manager.Status(ctx)
	if err != nil {
		own, ok := err.(*domain.Error)
		if !ok {
			return none, err
		}
		out.Status, out.Error = "unreachable", own.Message
	}
	out.CheckedAt = a.Handler.Now()
	out.Inference, out.Ingress, out.Resources = view.DocOrEmpty(live.Inference), view.DocOrEmpty(live.Ingress), view.DocOrEmpty(live.Resources)
	if out.Nodes = live.Nodes; out.Nodes == nil {
		out.Nodes = []domain.Doc{}
	}
	return httpx.Respond(out)
}
