package writeapi

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/domain/catalogue"
	"strata/domain/identity"
	"strata/internal/authn"
	"strata/internal/httpx"
	"strata/internal/view"
)

// identityModel is the read model that credentials are checked against.
const identityModel = "identity"

// keyFields are what a caller may say of a new key.
type keyFields struct {
	Name          string     `json:"name" required:"true" minLength:"1" maxLength:"200" example:"CI"`
	Type          string     `json:"type" enum:"app,user,service" default:"user" doc:"What it is for."`
	AppID         string     `json:"app_id" doc:"Of a key of type app."`
	WorkspaceID   string     `json:"workspace_id" doc:"Where it works; your own workspace when absent."`
	Scopes        []string   `json:"scopes" maxItems:"100" doc:"What it may do, resource:verb; all that its owner may when empty." example:"models:invoke"`
	RateLimitTier string     `json:"rate_limit_tier" enum:"free,pro,enterprise" default:"free"`
	ExpiresAt     *time.Time `json:"expires_at" doc:"When it stops working; never when absent."`
}

type createKey struct{ Body keyFields }

type createOrgKey struct {
	Org string `path:"org_id"`
	createKey
}

type keyID struct {
	ID string `path:"id"`
}

type orgKeyID struct {
	Org string `path:"org_id"`
	ID  string `path:"key_id"`
}

func (a *API) identity() {
	op := func(id, method, path, summary, permission string) httpx.Op {
		return httpx.Op{ID: id, Method: method, Path: path, Mount: httpx.API, Tag: "Identity", Summary: summary, Permission: permission}
	}
	own := op("createAPIKey", http.MethodPost, "/user/api-keys", "Create API key", "api-keys:own")
	own.Description = "The key itself is in this answer only. A retry with the same Idempotency-Key answers without it."
	own.Status = http.StatusCreated
	httpx.Register(a.r, own, func(ctx context.Context, in *createKey) (httpx.Reply[view.APIKey], error) {
		return a.createKey(ctx, own, in.Body)
	})
	org := op("createOrganizationAPIKey", http.MethodPost, "/organizations/{org_id}/api-keys", "Create an API key", "api-keys:create")
	org.Description, org.Status = own.Description, http.StatusCreated
	httpx.Register(a.r, org, func(ctx context.Context, in *createOrgKey) (httpx.Reply[view.APIKey], error) {
		if err := ownOrganization(ctx, in.Org); err != nil {
			return httpx.Reply[view.APIKey]{}, err
		}
		return a.createKey(ctx, org, in.Body)
	})
	command(a, operation[keyID, identity.APIKey, view.Deleted]{
		Op:  op("deleteAPIKey", http.MethodDelete, "/user/api-keys/{id}", "Delete API key", "api-keys:own"),
		agg: identity.APIKeys, settle: identityModel, view: showRevoked,
		decide: func(req *commands.Request, in *keyID) (domain.Decider[identity.APIKey], error) {
			req.ID, req.Principal.Workspace = in.ID, ""
			return revokeOwn{req.Principal.UserID}, nil
		},
	})
	command(a, operation[orgKeyID, identity.APIKey, view.Deleted]{
		Op:  op("deleteOrganizationAPIKey", http.MethodDelete, "/organizations/{org_id}/api-keys/{key_id}", "Revoke an API key", "api-keys:delete"),
		agg: identity.APIKeys, settle: identityModel, view: showRevoked,
		decide: func(req *commands.Request, in *orgKeyID) (domain.Decider[identity.APIKey], error) {
			if in.Org != req.Principal.Organization {
				return nil, domain.NotFound("organization", in.Org)
			}
			req.ID, req.Principal.Workspace = in.ID, ""
			return identity.RevokeAPIKey{}, nil
		},
	})
	a.workspaces()
}

func showRevoked(l *commands.Loaded[identity.APIKey]) view.Deleted {
	return view.Deleted{ID: l.ID, Deleted: true}
}

// revokeOwn revokes a key of one user; somebody else's is not there.
type revokeOwn struct{ user string }

// Decide implements domain.Decider.
func (c revokeOwn) Decide(env domain.Env, k *identity.APIKey) ([]domain.Fact, error) {
	if c.user == "" || k.OwnerID != c.user {
		return nil, domain.NotFound(identity.APIKeys.Noun, k.ID)
	}
	return identity.RevokeAPIKey{}.Decide(env, k)
}

func ownOrganization(ctx context.Context, org string) error {
	if org != httpx.From(ctx).Principal.Organization {
		return domain.NotFound("organization", org)
	}
	return nil
}

func (a *API) createKey(ctx context.Context, op httpx.Op, b keyFields) (httpx.Reply[view.APIKey], error) {
	var none httpx.Reply[view.APIKey]
	secret, err := authn.NewKey(a.Random)
	if err != nil {
		return none, err
	}
	req := request(ctx, op.Permission, "")
	p := req.Principal
	cmd := identity.CreateAPIKey{Name: b.Name, Type: identity.KeyType(b.Type), AppID: b.AppID, WorkspaceID: cmp.Or(b.WorkspaceID, p.Workspace),
		OwnerID: p.UserID, Scopes: b.Scopes, RateLimitTier: identity.Plan(b.RateLimitTier), Prefix: secret.Prefix, SecretHash: secret.Hash}
	if cmd.ExpiresAt, err = expiry(b.ExpiresAt); err != nil {
		return none, err
	}
	if len(cmd.Scopes) == 0 && reaches(p, identity.Narrow(identity.Role(p.Role), p.Grants, nil)) != "" {
		cmd.Scopes = slices.Sorted(maps.Keys(p.Permissions)) // a narrowed key makes no wider one
	}
	if err := a.checkKey(ctx, p, cmd); err != nil {
		return none, err
	}
	// The key is the organization's; an idempotency key is still its user's.
	req.Create, req.Principal.Workspace, req.Route = true, "", req.Route+p.Workspace+" "+p.UserID
	out, err := commands.Run(ctx, a.Handler, identity.APIKeys, req, cmd, func(l *commands.Loaded[identity.APIKey]) view.APIKey {
		return view.APIKeyOf(l.State, a.Handler.Now())
	})
	if err != nil {
		return none, err
	}
	if !out.Repeated {
		out.View.Key = secret.Token
	}
	a.settled(ctx, identityModel, out.Position)
	return httpx.Reply[view.APIKey]{Body: out.View, Revision: &out.Revision, Position: out.Position}, nil
}

// checkKey refuses a key that would reach further than its maker.
func (a *API) checkKey(ctx context.Context, p domain.Principal, c identity.CreateAPIKey) error {
	var f domain.Faults
	for i, s := range c.Scopes {
		more := reaches(p, identity.Narrow(identity.Role(p.Role), p.Grants, []string{s}))
		f.Add(more != "", fmt.Sprintf("scopes[%d]", i), "includes %s, which is more than you may do yourself", more)
	}
	f.Add(tierRank(c.RateLimitTier) > tierRank(identity.Plan(p.Tier)), "rate_limit_tier", "is above your own")
	if err := f.Err(); err != nil {
		return err
	}
	at := p
	if c.WorkspaceID != p.Workspace {
		// A key works in one workspace. To reach another is for those who could
		// make a workspace as well; what a narrowed key may do stays where it is.
		if !p.Can("workspaces:create") {
			return domain.Errorf(domain.CodeForbidden, "this credential makes keys for its own workspace only; for others it lacks the permission workspaces:create")
		}
		at.Workspace = ""
		status, err := commands.Load(ctx, a.Handler, identity.Workspaces, at, c.WorkspaceID,
			func(l *commands.Loaded[identity.Workspace]) identity.Status { return l.State.Status })
		if err == nil && status != identity.StatusActive {
			err = domain.NotFound(identity.Workspaces.Noun, c.WorkspaceID)
		}
		if err != nil {
			return err
		}
		at.Workspace = c.WorkspaceID
	}
	if c.AppID == "" {
		return nil
	}
	_, err := a.Resources.Load(ctx, catalogue.Apps, at, c.AppID)
	return err
}

// reaches names a permission that is granted and that p does not hold; "" when
// there is none.
func reaches(p domain.Principal, granted map[string]bool) string {
	other := domain.Principal{Permissions: granted}
	for _, permission := range identity.Permissions() {
		if other.Can(permission) && !p.Can(permission) {
			return permission
		}
	}
	return ""
}

func tierRank(p identity.Plan) int {
	for i, known := range identity.Plans() {
		if p == known {
			return i
		}
	}
	return 0
}

type createWorkspace struct {
	Org  string `path:"org_id"`
	Body struct {
		Name        string `json:"name" required:"true" minLength:"1" maxLength:"200" doc:"Name, unique in the organization." example:"Production"`
		Slug        string `json:"slug" maxLength:"100" doc:"Made of the name when absent."`
		Description string `json:"description" maxLength:"2000"`
	}
}

func (a *API) workspaces() {
	op := httpx.Op{ID: "createWorkspace", Method: http.MethodPost, Path: "/organizations/{org_id}/workspaces", Mount: httpx.API,
		Tag: "Identity", Summary: "Create a workspace", Permission: "workspaces:create", Status: http.StatusCreated}
	httpx.Register(a.r, op, func(ctx context.Context, in *createWorkspace) (httpx.Reply[view.Workspace], error) {
		var none httpx.Reply[view.Workspace]
		if err := ownOrganization(ctx, in.Org); err != nil {
			return none, err
		}
		out, err := a.Workspaces.Create(ctx, ofOrganization(ctx, op.Permission, ""),
			identity.CreateWorkspace{Name: in.Body.Name, Slug: in.Body.Slug, Description: in.Body.Description})
		if err != nil {
			return none, err
		}
		a.settled(ctx, identityModel, out.Position)
		return httpx.Reply[view.Workspace]{Body: view.WorkspaceOf(&out.View), Revision: &out.Revision, Position: out.Position}, nil
	})
}
