package writeapi

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/domain/secret"
	"strata/internal/httpx"
	"strata/internal/vault"
	"strata/internal/view"
)

// The inputs of the commands of secrets.
type (
	createSecret struct {
		Body struct {
			Name         string     `json:"name" required:"true" minLength:"1" maxLength:"100" pattern:"^[A-Za-z][A-Za-z0-9._-]*$" doc:"Name, unique in the workspace; {{secret.name}} refers to it." example:"github-token"`
			Description  string     `json:"description" maxLength:"2000" example:"Reads issues"`
			Value        string     `json:"value" required:"true" minLength:"1" maxLength:"16384" doc:"Kept sealed, shown by reveal only." example:"ghp_example"`
			Tags         []string   `json:"tags" maxItems:"50" example:"[\"ci\"]"`
			RotationDays int        `json:"rotation_days" minimum:"0" maximum:"3650" doc:"Days after which the value should be rotated; 0: never." example:"90"`
			ExpiresAt    *time.Time `json:"expires_at" doc:"From then on it is not used; never when absent."`
		}
	}
	putSecret struct {
		Body struct {
			Description  *string    `json:"description" maxLength:"2000" example:"Reads and writes issues"`
			Value        *string    `json:"value" minLength:"1" maxLength:"16384" doc:"Becomes the next version. Kept sealed, shown by reveal only."`
			Tags         *[]string  `json:"tags" maxItems:"50" example:"[\"ci\",\"prod\"]"`
			RotationDays *int       `json:"rotation_days" minimum:"0" maximum:"3650" doc:"0: never." example:"30"`
			ExpiresAt    *time.Time `json:"expires_at" doc:"Another time at which it expires."`
		}
	}
	rotateSecret struct {
		Body struct {
			Value    string `json:"value" maxLength:"16384" doc:"The new value, unless it is generated." example:"ghp_example2"`
			Generate bool   `json:"generate" default:"false" doc:"Make a value at random."`
			Length   *int   `json:"length" minimum:"16" maximum:"1024" doc:"Letters and digits of a generated value; 32 when absent."`
		}
	}
	revealSecret struct {
		Body struct {
			Version int    `json:"version" minimum:"0" doc:"The current one when absent."`
			Reason  string `json:"reason" required:"true" minLength:"1" maxLength:"500" doc:"Why; kept in the log of accesses and the audit trail." example:"moving the service to another host"`
		}
	}
	deleteSecret struct {
		Force bool `query:"force" default:"false" doc:"Delete it though something refers to it; that will fail from then on."`
	}
)

// secretModel is the read model that references are resolved by.
const secretModel = "secrets"

func secretOp(id, method, below, summary, verb string) httpx.Op {
	return httpx.Op{ID: id, Method: method, Path: "/secrets" + below, Mount: httpx.API, Tag: "Secrets", Summary: summary, Permission: "secrets:" + verb}
}

func (a *API) secrets() {
	create := secretOp("createSecret", http.MethodPost, "", "Store a secret", "create")
	create.Status = http.StatusCreated
	create.Description = "Headers of MCP servers and of the http nodes of workflows, API keys of providers, and credentials of connectors, refer to it as `{{secret.name}}`. " +
		"Whoever may define those can have its value sent somewhere."
	httpx.Register(a.r, create, func(ctx context.Context, in *createSecret) (httpx.Reply[view.Secret], error) {
		b := in.Body
		expires, err := expiry(b.ExpiresAt)
		if err != nil {
			return httpx.Reply[view.Secret]{}, err
		}
		return a.secret(ctx)(a.Secrets.Create(ctx, request(ctx, create.Permission, ""), secret.Create{Name: b.Name, Description: b.Description,
			Tags: b.Tags, RotationDays: b.RotationDays, ExpiresAt: expires}, b.Value))
	})
	for _, method := range []string{http.MethodPut, http.MethodPatch} {
		put := secretOp(verbOf(method)+"Secret", method, "/{name}", "Put a new value or metadata", "update")
		put.Description = "Fields that are absent stay as they are."
		httpx.Register(a.r, put, func(ctx context.Context, in *putSecret) (httpx.Reply[view.Secret], error) {
			b := in.Body
			return a.secret(ctx)(a.Secrets.Put(ctx, request(ctx, put.Permission, ""), httpx.PathValue(ctx, "name"),
				secret.Put{Description: b.Description, Tags: b.Tags, RotationDays: b.RotationDays, ExpiresAt: b.ExpiresAt}, b.Value))
		})
	}
	rotate := secretOp("rotateSecret", http.MethodPost, "/{name}/rotate", "Rotate a secret", "update")
	rotate.Description = "What refers to it uses the new value from its next call on. The last ten values can be revealed."
	httpx.Register(a.r, rotate, func(ctx context.Context, in *rotateSecret) (httpx.Reply[view.Secret], error) {
		value, err := a.newValue(in.Body.Value, in.Body.Generate, in.Body.Length)
		if err != nil {
			return httpx.Reply[view.Secret]{}, err
		}
		return a.secret(ctx)(a.Secrets.Rotate(ctx, request(ctx, rotate.Permission, ""), httpx.PathValue(ctx, "name"), value, in.Body.Generate))
	})
	reveal := secretOp("revealSecret", http.MethodPost, "/{name}/reveal", "Reveal a secret's value", "reveal")
	reveal.Description = "Who was shown it, and why, is recorded before the answer leaves."
	httpx.Register(a.r, reveal, func(ctx context.Context, in *revealSecret) (httpx.Reply[view.SecretValue], error) {
		name := httpx.PathValue(ctx, "name")
		version, value, at, err := a.Secrets.Reveal(ctx, request(ctx, reveal.Permission, ""), name,
			secret.Reveal{Version: in.Body.Version, Reason: in.Body.Reason})
		return httpx.Reply[view.SecretValue]{Body: view.SecretValue{Name: name, Version: version, Value: value}, Position: at,
			Header: http.Header{"Cache-Control": {"no-store"}}}, err
	})
	a.deleteSecret()
}

func (a *API) deleteSecret() {
	op := secretOp("deleteSecret", http.MethodDelete, "/{name}", "Delete a secret", "delete")
	op.Description = "Its values are gone for good: nobody can read them any more, in the log either. CONFLICT while something refers to it, " +
		"unless `force` is true; the parameter `used_by` says what."
	httpx.Register(a.r, op, func(ctx context.Context, in *deleteSecret) (httpx.Reply[view.Deleted], error) {
		name, req := httpx.PathValue(ctx, "name"), request(ctx, op.Permission, "")
		if !in.Force {
			users, err := a.SecretUsers(ctx, req.Principal.Workspace, name)
			if err != nil {
				return httpx.Reply[view.Deleted]{}, err
			}
			if len(users) > 0 {
				return httpx.Reply[view.Deleted]{}, usedBy(name, users)
			}
		}
		out, err := a.Secrets.Delete(ctx, req, name)
		if err != nil {
			return httpx.Reply[view.Deleted]{}, err
		}
		a.settled(ctx, secretModel, out.Position)
		return httpx.Reply[view.Deleted]{Body: view.Deleted{ID: out.ID, Deleted: true}, Revision: &out.Revision, Position: out.Position}, nil
	})
}

// shownUsers is how many of those who refer to a secret an error names.
const shownUsers = 20

func usedBy(name string, users []vault.Reference) error {
	var words []string
	for _, u := range users[:min(len(users), shownUsers)] {
		words = append(words, fmt.Sprintf("%s %q (%s)", strings.ReplaceAll(u.Kind, "_", " "), u.Name, u.Field))
	}
	if n := len(users) - len(words); n > 0 {
		words = append(words, fmt.Sprintf("%d more", n))
	}
	return domain.Errorf(domain.CodeConflict, "secret %q is referred to by %s; change them, or delete it with force=true", name, strings.Join(words, ", ")).
		With("used_by", users[:min(len(users), shownUsers)])
}

// secret answers with a secret, after references are resolved to what it is now.
func (a *API) secret(ctx context.Context) func(commands.Outcome[secret.State], error) (httpx.Reply[view.Secret], error) {
	return func(out commands.Outcome[secret.State], err error) (httpx.Reply[view.Secret], error) {
		if err != nil {
			return httpx.Reply[view.Secret]{}, err
		}
		a.settled(ctx, secretModel, out.Position)
		return httpx.Reply[view.Secret]{Body: view.SecretOf(&out.View, a.Handler.Now()), Revision: &out.Revision, Position: out.Position}, nil
	}
}

// newValue is what a secret is rotated to.
func (a *API) newValue(given string, generate bool, length *int) (string, error) {
	var f domain.Faults
	f.Add(generate && given != "", "value", "must be absent when generate is true")
	f.Add(!generate && given == "", "value", "is required unless generate is true")
	f.Add(!generate && length != nil, "length", "is for generated values")
	if err := f.Err(); err != nil || !generate {
		return given, err
	}
	n := 32
	if length != nil {
		n = *length
	}
	return randomText(a.Random, n)
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// randomText makes n letters and digits, each as likely as any other.
func randomText(random io.Reader, n int) (string, error) {
	const fair = 256 / len(alphabet) * len(alphabet) // a byte from there on would favour the first letters
	out, some := make([]byte, 0, n), make([]byte, n)
	for len(out) < n {
		if _, err := io.ReadFull(random, some); err != nil {
			return "", fmt.Errorf("no randomness for a secret: %w", err)
		}
		some := slices.DeleteFunc(slices.Clone(some), func(b byte) bool { return int(b) >= fair })
		for _, b := range some[:min(len(some), n-len(out))] {
			out = append(out, alphabet[int(b)%len(alphabet)])
		}
	}
	return string(out), nil
}
