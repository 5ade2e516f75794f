//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"strata/test/kit"
)

func TestUsersMe(t *testing.T) {
	c := onShared(t)
	me := c.Get(t, "/v1/users/me")
	for _, field := range []string{"id", "email", "role", "external_id", "first_name", "last_name"} {
		me.Str(field)
	}
	if !slices.Contains(me.Strings("spaces", "id"), c.Workspace) {
		t.Errorf("the own space is missing: %s", me.Short())
	}
	if permissions := fmt.Sprint(me.List("permissions")); !strings.Contains(permissions, "trainings:update") || strings.Contains(permissions, "*") {
		t.Errorf("permissions: %s", permissions)
	}
	changed := c.Put(t, "/v1/users/me", object{"first_name": "Ada", "role": "developer"}).Want("first_name", "Ada", "role", "developer", "id", me.Str("id"))
	c.Get(t, "/v1/me", changed.After()...).Want("first_name", "Ada", "role", "developer", "last_name", me.Str("last_name"))
	c.Do(t, http.StatusBadRequest, "PUT", "/v1/users/me", object{"role": "admin"}).Want("details.0.field", "role")
	c.Put(t, "/v1/users/me", object{"first_name": me.Str("first_name"), "role": "designer"})
	service := c.Create(t, "/api/v1/user/api-keys", object{"name": "narrow", "scopes": []string{"benchmarks:list"}}).Str("data.key")
	if got := shared.ClientFor(service).Get(t, "/v1/users/me").List("permissions"); fmt.Sprint(got) != "[benchmarks:list]" {
		t.Errorf("a narrowed key may %v", got)
	}
}

// joined invites a new person and accepts for them.
func joined(t *testing.T, c tenant, who string, roles ...string) (kit.Client, *kit.Answer) {
	t.Helper()
	email := fmt.Sprintf("%s.%s.%d@example.com", strings.ToLower(who), strings.ToLower(t.Name()), os.Getpid())
	invited := c.Post(t, "/v1/spaces/"+c.Workspace+"/invite", object{"emails": []string{email}, "roles": roles})
	invited.Want("emails.0", email, "invitations.0.email", email)
	anonymous := kit.Client{URL: c.URL, HTTP: c.HTTP}
	a := anonymous.Create(t, "/v1/invitations/accept", object{"token": invited.Str("invitations.0.token"), "first_name": who})
	anonymous.Do(t, http.StatusForbidden, "POST", "/v1/invitations/accept", object{"token": invited.Str("invitations.0.token")})
	anonymous.Key = a.Str("key")
	return anonymous, a
}

// Somebody who was invited may do what was said, where it was said, and nothing else.
func TestInvitedMayDoWhatWasGranted(t *testing.T) {
	c := onShared(t)
	ada, joining := joined(t, c, "Ada", "benchmarks:list", "data-models:create", "data-models:get")
	made := ada.Create(t, "/v1/data-models", object{"name": "m"})
	ada.Get(t, "/v1/data-models/"+made.Str("id"), made.After()...)
	ada.Get(t, "/v1/benchmarks")
	for _, refused := range [][2]string{{"GET", "/v1/data-models"}, {"DELETE", "/v1/data-models/" + made.Str("id")}, {"GET", "/v1/sessions"},
		{"GET", "/v1/spaces"}, {"GET", "/api/v1/user/api-keys"}, {"GET", "/v1/models"}} {
		ada.Do(t, http.StatusForbidden, refused[0], refused[1], nil)
	}
	me := ada.Get(t, "/v1/users/me").Want("first_name", "Ada", "id", joining.Str("user_id"))
	if got := me.Strings("spaces", "id"); len(got) != 1 || got[0] != c.Workspace {
		t.Errorf("spaces %v", got)
	}
	if got := fmt.Sprint(me.List("permissions")); got != "[benchmarks:list data-models:create data-models:get]" {
		t.Errorf("permissions %v", got)
	}

	// More can be given by those who run the organization only.
	ada.Do(t, http.StatusForbidden, "POST", "/v1/users/me/permissions", object{"permissions": []string{"data-models:list"}})
	ada.Do(t, http.StatusForbidden, "POST", "/v1/spaces/"+c.Workspace+"/invite", object{"emails": []string{"x@example.com"}, "roles": []string{"benchmarks:list"}})
	c.Do(t, http.StatusBadRequest, "POST", "/v1/users/me/permissions", object{"permissions": []string{"everything"}}).Want("details.0.field", "permissions[0]")
	c.Do(t, http.StatusNotFound, "POST", "/v1/users/me/permissions", object{"permissions": []string{"data-models:list"}, "user_id": "user_none"})
	given := c.Post(t, "/v1/users/me/permissions", object{"permissions": []string{"data-models:list"}, "user_id": joining.Str("user_id")})
	if got := fmt.Sprint(given.List("permissions")); got != "[benchmarks:list data-models:create data-models:get data-models:list]" {
		t.Errorf("given %v", got)
	}
	ada.Get(t, "/v1/data-models", given.After()...)
	elsewhere := onShared(t) // what holds in one space does not in another
	elsewhere.Post(t, "/v1/users/me/permissions", object{"permissions": []string{"data-models:delete"}, "user_id": joining.Str("user_id")})
	ada.Do(t, http.StatusForbidden, "DELETE", "/v1/data-models/"+made.Str("id"), nil)
}

func TestInvitations(t *testing.T) {
	c, other := onShared(t), onShared(t)
	ada, _ := joined(t, c, "Ada", "benchmarks:list")
	bob, _ := joined(t, c, "Bob", "benchmarks:list")
	email := ada.Get(t, "/v1/users/me").Str("email")

	// Who is a user already accepts with a credential.
	invite := "/v1/spaces/" + other.Workspace + "/invite"
	asked := other.Post(t, invite, object{"emails": []string{" " + strings.ToUpper(email)}, "roles": []string{"benchmarks:get"}}, "Idempotency-Key", "ada")
	asked.Want("emails.0", email)
	token := object{"token": asked.Str("invitations.0.token")}
	if again := other.Post(t, invite, object{"emails": []string{email}, "roles": []string{"benchmarks:get"}}, "Idempotency-Key", "ada"); again.Has("invitations.0.token") ||
		again.Str("invitations.0.id") != asked.Str("invitations.0.id") {
		t.Errorf("a retry: %s, then %s", asked.Short(), again.Short())
	}
	accept := "/v1/users/me/accept-invite"
	anonymous := kit.Client{URL: c.URL, HTTP: c.HTTP}
	anonymous.Do(t, http.StatusUnauthorized, "POST", accept, token)
	anonymous.Do(t, http.StatusForbidden, "POST", "/v1/invitations/accept", token)
	bob.Do(t, http.StatusForbidden, "POST", accept, token).Want("error", "this invitation is for another person")
	ada.Do(t, http.StatusNotFound, "POST", accept, object{"token": "nonsense"}).Want("error", "there is no invitation with this token")
	ada.Do(t, http.StatusNotFound, "POST", accept, object{"token": asked.Str("invitations.0.id") + ".guess"}).Want("code", "NOT_FOUND")
	ada.Do(t, http.StatusBadRequest, "POST", accept, object{}).Want("details.0.field", "token")
	done := ada.Post(t, accept, token).Want("error", "")
	ada.Do(t, http.StatusConflict, "POST", accept, token).Want("error", "this invitation was used already")
	if got := ada.Get(t, "/v1/users/me", done.After()...).Strings("spaces", "id"); len(got) != 2 {
		t.Errorf("spaces %v", got)
	}

	bad := c.Do(t, http.StatusBadRequest, "POST", invite, object{"emails": []string{"nobody"}, "roles": []string{"benchmarks:list"}})
	bad.Want("details.0.field", "emails[0]")
	c.Do(t, http.StatusBadRequest, "POST", invite, object{"emails": []string{"a@example.com"}, "roles": []string{"everything"}})
	c.Do(t, http.StatusBadRequest, "POST", invite, object{}).Want("details.0.field", "emails", "details.1.field", "roles")
	c.Do(t, http.StatusNotFound, "POST", "/v1/spaces/ws_none/invite", object{"emails": []string{"a@example.com"}, "roles": []string{"benchmarks:list"}})
}

func TestInferenceModels(t *testing.T) {
	c := onShared(t)
	c.provide(t, "house")
	a := c.Get(t, "/v1/models").Want("has_more", false)
	ids := a.Strings("data", "id")
	if a.Int("count") != int64(len(ids)) || !slices.Contains(ids, "house/m") || !slices.Contains(ids, "strata/extract-1") {
		t.Errorf("models: %s", a.Short())
	}
	if a := onShared(t).Get(t, "/v1/models").Strings("data", "id"); slices.Contains(a, "house/m") {
		t.Errorf("another space's models: %v", a)
	}
}
