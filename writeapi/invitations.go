package writeapi

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/mail"
	"slices"
	"strings"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/domain/identity"
	"strata/internal/authn"
	"strata/internal/httpx"
	"strata/internal/view"
)

// maxInvitationID bounds what is taken for the id of an invitation.
const maxInvitationID = 64

// invitationTerm is how long an invitation can be accepted.
const invitationTerm = 7 * 24 * time.Hour

type inviteToSpace struct {
	ID   string `path:"id"`
	Body struct {
		Emails []string `json:"emails" required:"true" minItems:"1" maxItems:"100" doc:"Whom to invite." example:"[\"ada@example.com\"]"`
		Roles  []string `json:"roles" required:"true" minItems:"1" enum:"benchmarks:create,benchmarks:get,benchmarks:list,evaluations:create,leaderboards:list,trainings:create,trainings:delete,trainings:get,trainings:list,trainings:update,data-models:create,data-models:delete,data-models:get,data-models:list,data-models:update" doc:"What they may do in the space: permissions." example:"[\"benchmarks:list\",\"benchmarks:get\"]"`
	}
}

type acceptInvite struct {
	Body struct {
		Token string `json:"token" required:"true" minLength:"1" maxLength:"500" doc:"Of the invitation."`
	}
}

type join struct {
	Body struct {
		Token     string `json:"token" required:"true" minLength:"1" maxLength:"500" doc:"Of the invitation."`
		FirstName string `json:"first_name" maxLength:"200" example:"Ada"`
		LastName  string `json:"last_name" maxLength:"200" example:"Example"`
	}
}

func (a *API) invitations(op func(id, method, path, summary, permission string) httpx.Op) {
	invite := op("inviteToSpace", http.MethodPost, "/spaces/{id}/invite", "Invite space", "users:invite")
	invite.Tag = "Spaces"
	invite.Description = "Each person gets an invitation, which can be accepted once within a week. Nothing is mailed: " +
		"give them the tokens of this answer, which are shown here only. A retry with the same Idempotency-Key answers without them."
	httpx.Register(a.r, invite, func(ctx context.Context, in *inviteToSpace) (httpx.Reply[view.Invited], error) {
		return a.invite(ctx, invite.Permission, in)
	})
	accept := op("acceptInvite", http.MethodPost, "/users/me/accept-invite", "Accept invite", "")
	accept.Description = "For whoever has a credential already; the invitation must be for its user."
	httpx.Register(a.r, accept, func(ctx context.Context, in *acceptInvite) (httpx.Reply[view.Accepted], error) {
		user := httpx.From(ctx).Principal.UserID
		if user == "" {
			return httpx.Reply[view.Accepted]{}, domain.Errorf(domain.CodeNotFound, "this credential acts for no user")
		}
		pos, err := a.accept(ctx, in.Body.Token, func(i *identity.Invitation) (string, error) {
			if i.OrganizationID != httpx.From(ctx).Principal.Organization {
				return "", identity.NoInvitation()
			}
			return user, nil
		}, nil)
		return httpx.Reply[view.Accepted]{Position: pos}, err
	})
	joining := op("joinSpace", http.MethodPost, "/invitations/accept", "Accept an invitation as a new user", "")
	joining.Public, joining.Status = true, http.StatusCreated
	joining.Description = "For people without a credential: the answer holds one. Who has one accepts with it (see Accept invite). " +
		"A retry with the same Idempotency-Key gets the same answer, the credential included; send one, and a lost answer is not lost."
	httpx.Register(a.r, joining, a.join)
}

func (a *API) invite(ctx context.Context, permission string, in *inviteToSpace) (httpx.Reply[view.Invited], error) {
	var none httpx.Reply[view.Invited]
	req := ofOrganization(ctx, permission, "")
	if !req.Principal.Can(permission) {
		return none, domain.Errorf(domain.CodeForbidden, "this credential lacks the permission %s", permission)
	}
	emails, err := addresses(in.Body.Emails)
	if err == nil {
		err = mayGive(req.Principal, "roles", in.Body.Roles)
	}
	if err == nil {
		err = a.activeWorkspace(ctx, req.Principal, in.ID)
	}
	if err != nil {
		return none, err
	}
	// One at a time, so that nobody is made twice.
	a.inviting.Lock()
	defer a.inviting.Unlock()
	out := httpx.Reply[view.Invited]{Body: view.Invited{Emails: emails}}
	for _, email := range emails {
		user, err := a.invitee(ctx, req, email)
		if err != nil {
			return none, err
		}
		issued, pos, err := a.issue(ctx, req, identity.IssueInvitation{UserID: user, Email: email, WorkspaceID: in.ID, Permissions: in.Body.Roles})
		if err != nil {
			return none, err
		}
		out.Body.Invitations, out.Position = append(out.Body.Invitations, issued), pos
	}
	return out, nil
}

// addresses checks e-mail addresses and drops repetitions.
func addresses(emails []string) ([]string, error) {
	var f domain.Faults
	var out []string
	for i, given := range emails {
		email := identity.NormalEmail(given)
		parsed, err := mail.ParseAddress(email)
		f.Add(err != nil || parsed.Address != email, fmt.Sprintf("emails[%d]", i), "must be an e-mail address")
		if !slices.Contains(out, email) {
			out = append(out, email)
		}
	}
	return out, f.Err()
}

func (a *API) activeWorkspace(ctx context.Context, p domain.Principal, id string) error {
	status, err := commands.Load(ctx, a.Handler, identity.Workspaces, p, id,
		func(l *commands.Loaded[identity.Workspace]) identity.Status { return l.State.Status })
	if err == nil && status != identity.StatusActive {
		err = domain.NotFound("space", id)
	}
	return err
}

// invitee finds the organization's user with an address, or makes one who is
// invited and may do nothing yet.
func (a *API) invitee(ctx context.Context, req commands.Request, email string) (string, error) {
	if id, err := a.FindUser(ctx, req.Principal.Organization, email); id != "" || err != nil {
		return id, err
	}
	req.Create, req.IdempotencyKey = true, "" // found the next time
	out, err := commands.Run[identity.User, struct{}](ctx, a.Handler, identity.Users, req,
		identity.CreateUser{Email: email, Role: identity.Guest, Invited: true}, nil)
	if err != nil {
		return "", err
	}
	a.settled(ctx, identityModel, out.Position)
	return out.ID, nil
}

func (a *API) issue(ctx context.Context, req commands.Request, cmd identity.IssueInvitation) (view.Invitation, domain.Position, error) {
	var none view.Invitation
	secret := make([]byte, 32)
	if _, err := io.ReadFull(a.Random, secret); err != nil {
		return none, 0, err
	}
	req.Create, req.ID, req.Route = true, domain.NewID(identity.Invitations.Prefix), req.Route+cmd.WorkspaceID+" "+cmd.UserID
	if req.IdempotencyKey != "" {
		req.ID = domain.FormatID(identity.Invitations.Prefix, domain.DerivedEventID(req.Principal.Organization, req.IdempotencyKey, req.Route, -1))
	}
	token := req.ID + "." + base64.RawURLEncoding.EncodeToString(secret)
	cmd.SecretHash, cmd.ExpiresAt = hashOf(token), a.Handler.Now().Add(invitationTerm)
	out, err := commands.Run(ctx, a.Handler, identity.Invitations, req, cmd, func(l *commands.Loaded[identity.Invitation]) view.Invitation {
		return view.Invitation{ID: l.ID, Email: l.State.Email, ExpiresAt: l.State.ExpiresAt}
	})
	if err == nil && !out.Repeated {
		out.View.Token = token
	}
	return out.View, out.Position, err
}

func hashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// accept uses an invitation up and grants what it promises. who tells for whom,
// before runs between the two. A process that dies on the way leaves an
// invitation that was used by somebody who was not granted anything: the same
// person may then accept it once more, until the grant is there. A request that is
// repeated under its idempotency key is answered again, whatever who says by then.
func (a *API) accept(ctx context.Context, token string, who func(*identity.Invitation) (string, error), before func(*identity.Invitation) error) (domain.Position, error) {
	id, _, _ := strings.Cut(token, ".")
	if !domain.HasPrefix(id, identity.Invitations.Prefix) || len(id) > maxInvitationID {
		return 0, identity.NoInvitation()
	}
	i, err := commands.Load(ctx, a.Handler, identity.Invitations, domain.System("", ""), id, func(l *commands.Loaded[identity.Invitation]) identity.Invitation {
		found := *l.State
		found.Permissions = slices.Clone(found.Permissions)
		return found
	})
	if err != nil && domain.CodeOf(err) == domain.CodeNotFound {
		return 0, identity.NoInvitation()
	}
	if err == nil {
		err = i.Opens(hashOf(token))
	}
	if err != nil {
		return 0, err
	}
	user, denied := who(&i)
	req := acceptance(ctx, &i, user)
	p := req.Principal
	_, repeated, err := commands.Repeat[identity.Invitation, struct{}](ctx, a.Handler, identity.Invitations, req, nil)
	if err != nil || denied != nil && !repeated {
		return 0, cmp.Or(err, denied)
	}
	if err := a.activeWorkspace(ctx, p, i.WorkspaceID); err != nil {
		return 0, domain.Errorf(domain.CodeConflict, "the space of this invitation is not there any more").Because(err)
	}
	_, err = commands.Run[identity.Invitation, struct{}](ctx, a.Handler, identity.Invitations, req,
		identity.AcceptInvitation{SecretHash: i.SecretHash, UserID: user}, nil)
	if err != nil {
		unfinished, loadErr := a.unfinished(ctx, p, &i, user)
		if loadErr != nil {
			return 0, loadErr
		}
		if !unfinished {
			return 0, err
		}
	}
	a.reached("invitation.accepted")
	if before != nil {
		if err := before(&i); err != nil {
			return 0, err
		}
		a.reached("invitation.keyed")
	}
	req.ID, req.Route = user, req.Route+" grant"
	out, err := commands.Run[identity.User, struct{}](ctx, a.Handler, identity.Users, req,
		identity.GrantPermissions{Workspace: i.WorkspaceID, Permissions: i.Permissions, Invitation: i.ID}, nil)
	if err != nil {
		return 0, err
	}
	a.reached("invitation.granted")
	a.settled(ctx, identityModel, out.Position)
	return out.Position, nil
}

// acceptance is the request by which a user accepts an invitation.
func acceptance(ctx context.Context, i *identity.Invitation, user string) commands.Request {
	r := httpx.From(ctx)
	p := domain.System(i.OrganizationID, "")
	p.Actor, p.UserID = user, user
	return commands.Request{Principal: p, ID: i.ID, IdempotencyKey: r.IdempotencyKey, Route: "accept " + i.ID + " " + user, RequestID: r.ID, CorrelationID: r.CorrelationID}
}

// unfinished tells whether an invitation was accepted by a user who has not got
// what it promises.
func (a *API) unfinished(ctx context.Context, p domain.Principal, i *identity.Invitation, user string) (bool, error) {
	if i.Status != identity.StatusActive || i.UserID != user {
		return false, nil
	}
	return commands.Load(ctx, a.Handler, identity.Users, p, user, func(l *commands.Loaded[identity.User]) bool {
		return !slices.Contains(l.State.Invitations, i.ID)
	})
}

// join lets somebody in who has no credential. Only who has never been in may
// come this way: a token makes nobody somebody else.
func (a *API) join(ctx context.Context, in *join) (httpx.Reply[view.Joined], error) {
	var none httpx.Reply[view.Joined]
	var out view.Joined
	secret, err := authn.NewKey(a.keySource(in.Body.Token, httpx.From(ctx).IdempotencyKey))
	if err != nil {
		return none, err
	}
	pos, err := a.accept(ctx, in.Body.Token, func(i *identity.Invitation) (string, error) {
		status, err := commands.Load(ctx, a.Handler, identity.Users, domain.System(i.OrganizationID, ""), i.UserID,
			func(l *commands.Loaded[identity.User]) identity.Status { return l.State.Status })
		if err == nil && status != identity.StatusInvited {
			err = domain.Errorf(domain.CodeForbidden, "the invited person is a user already; accept with a credential of theirs")
		}
		return i.UserID, err
	}, func(i *identity.Invitation) error {
		out = view.Joined{UserID: i.UserID, SpaceID: i.WorkspaceID, Key: secret.Token}
		out.KeyID, err = a.firstKey(ctx, i, secret, in)
		return err
	})
	return httpx.Reply[view.Joined]{Body: out, Position: pos}, err
}

// keySource is what the first key of a new user is made of: chance, or, so that a
// repeated request is answered with the same key, what only its sender knows, the
// token and the idempotency key that came with it.
func (a *API) keySource(token, idempotencyKey string) io.Reader {
	if idempotencyKey == "" {
		return a.Random
	}
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write([]byte("first key " + idempotencyKey))
	return rand.NewChaCha8([sha256.Size]byte(mac.Sum(nil)))
}

// firstKey names a new user and makes the key, which begins to work when the
// user has been let in. Its id follows from the invitation: should a try before
// have made it and lost its answer, the key gets another secret.
func (a *API) firstKey(ctx context.Context, i *identity.Invitation, secret authn.Key, in *join) (string, error) {
	req := acceptance(ctx, i, i.UserID)
	req.ID, req.Route = i.UserID, req.Route+" name"
	if in.Body.FirstName != "" || in.Body.LastName != "" {
		_, err := commands.Run[identity.User, struct{}](ctx, a.Handler, identity.Users, req,
			identity.UpdateUser{FirstName: &in.Body.FirstName, LastName: &in.Body.LastName}, nil)
		if err != nil {
			return "", err
		}
	}
	req.ID = identity.APIKeys.Prefix + strings.TrimPrefix(i.ID, identity.Invitations.Prefix)
	req.Create, req.Route = true, req.Route+" key"
	out, err := commands.Run[identity.APIKey, struct{}](ctx, a.Handler, identity.APIKeys, req, identity.CreateAPIKey{
		Name: "Invitation", Type: identity.UserKey, WorkspaceID: i.WorkspaceID, OwnerID: i.UserID,
		Prefix: secret.Prefix, SecretHash: secret.Hash}, nil)
	if domain.CodeOf(err) == domain.CodeConflict {
		req.Create = false
		out, err = commands.Run[identity.APIKey, struct{}](ctx, a.Handler, identity.APIKeys, req,
			identity.RotateAPIKey{Prefix: secret.Prefix, SecretHash: secret.Hash}, nil)
	}
	return out.ID, err
}
