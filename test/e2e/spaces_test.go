//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"testing"
)

// spaceName is a name that no other run of the tests has used.
func spaceName(t *testing.T, what string) string {
	return fmt.Sprintf("%s %s %d", t.Name(), what, os.Getpid())
}

func TestSpaces(t *testing.T) {
	admin := shared.Client()
	name := spaceName(t, "one")
	made := admin.Create(t, "/v1/spaces", object{"name": name, "description": "d"})
	for _, field := range []string{"id", "created_at", "created_by", "updated_at", "updated_by"} {
		if made.Str(field) == "" {
			t.Errorf("no %s: %s", field, made.Short())
		}
	}
	id := made.Str("id")
	path := "/v1/spaces/" + id
	admin.Get(t, path, made.After()...).Want("name", name, "description", "d")
	admin.Get(t, "/api/v1/spaces/"+id).Want("data.name", name)
	admin.Do(t, http.StatusBadRequest, "POST", "/v1/spaces", object{}).Want("details.0.field", "name", "details.1.field", "description")
	admin.Do(t, http.StatusConflict, "POST", "/v1/spaces", object{"name": name, "description": "again"})
	changed := admin.Put(t, path, object{"description": "e"}).Want("name", name, "description", "e")
	admin.Get(t, path, changed.After()...).Want("description", "e")
	admin.Get(t, path+"?at=0").Want("description", "d")

	// A key of the space works as long as the space does.
	key := admin.Create(t, "/api/v1/user/api-keys", object{"name": "k", "workspaceId": id, "rateLimitTier": "enterprise"}).Str("data.key")
	inside := shared.ClientFor(key)
	kept := inside.Create(t, "/v1/action-groups", object{"name": "kept", "description": "d"})
	inside.Do(t, http.StatusConflict, "DELETE", path, nil) // not the one it works in
	gone := admin.Delete(t, path).Want("id", id)
	inside.Do(t, http.StatusUnauthorized, "GET", "/v1/action-groups", nil).Want("error", "the workspace of this API key is not active")
	admin.Do(t, http.StatusNotFound, "GET", path, nil, gone.After()...)
	admin.Do(t, http.StatusNotFound, "PUT", path, object{"description": "f"})
	if slices.Contains(allSpaces(t, gone.After()), id) {
		t.Error("a deleted space is listed")
	}

	// Its name is free meanwhile, and whoever has it is in the way of a restore.
	other := admin.Create(t, "/v1/spaces", object{"name": name, "description": "other"}).Str("id")
	admin.Do(t, http.StatusConflict, "POST", path+"/restore", nil)
	admin.Put(t, "/v1/spaces/"+other, object{"name": spaceName(t, "two")})
	back := admin.Post(t, path+"/restore", nil).Want("id", id)
	admin.Get(t, path, back.After()...).Want("name", name, "description", "e")
	inside.Get(t, "/v1/action-groups/"+kept.Str("id")).Want("name", "kept")
	admin.Do(t, http.StatusConflict, "POST", path+"/restore", nil)
	admin.Do(t, http.StatusNotFound, "POST", "/v1/spaces/ws_none/restore", nil)
	if !slices.Contains(allSpaces(t, back.After()), id) {
		t.Error("a restored space is not listed")
	}
	admin.Delete(t, path)
	admin.Delete(t, "/v1/spaces/"+other)
}

// allSpaces reads the list of spaces in pages of the documented size.
func allSpaces(t *testing.T, after []string) []string {
	t.Helper()
	var ids []string
	next := ""
	for {
		a := shared.Client().Get(t, "/v1/spaces?order=asc"+next, after...)
		got := a.Strings("data", "id")
		ids = append(ids, got...)
		if !a.Bool("has_more") {
			return ids
		}
		if a.Want("count", 10); len(got) != 10 {
			return ids
		}
		next = "&after=" + got[9]
	}
}
