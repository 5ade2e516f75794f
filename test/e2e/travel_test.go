//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"strata/test/kit"
)

// The past of a resource, seen through both mounts of the real server.
func TestTimeTravel(t *testing.T) {
	c := onShared(t)
	a := c.Create(t, "/api/v1/apps", object{"name": "Help desk", "type": "chat", "config": object{"my_key": 1}})
	app := "/api/v1/apps/" + a.Str("data.id")
	c.Put(t, app, object{"name": "Service desk", "config": object{"my_key": 2, "more": true}})
	c.Get(t, app+"?at=0").Want("data.name", "Help desk", "data.config.my_key", 1)
	c.Get(t, app+"?at=1").Want("data.name", "Service desk", "data.config.my_key", 2)
	history := c.Get(t, app+"/history")
	history.Want("data.0.revision", 1, "data.0.type", "app.updated.v1", "data.0.actor", c.KeyID, "data.1.revision", 0, "pagination.hasMore", false)
	c.Get(t, app+kit.Query("at", history.Str("data.1.recordedAt"))).Want("data.name", "Help desk")
	d := c.Get(t, app+"/diff")
	d.Want("data.from.revision", 0, "data.to.revision", 1, "data.changes.0.path", "/config/more", "data.changes.0.op", "add",
		"data.changes.1.path", "/config/my_key", "data.changes.1.before", 1, "data.changes.1.after", 2)
	c.Get(t, app+"/diff?from=1&to=0").Want("data.changes.2.path", "/name", "data.changes.2.after", "Help desk")
	for _, at := range []string{"-1", "2", "nonsense", "2999-01-01T00:00:00Z"} {
		c.Do(t, http.StatusBadRequest, "GET", app+"?at="+at, nil).Want("error.details.0.field", "at")
	}
	c.Do(t, http.StatusNotFound, "GET", app+"?at=2020-01-01T00:00:00Z", nil)
	c.Delete(t, app)
	c.Get(t, app+"?at=1").Want("data.name", "Service desk")
	c.Do(t, http.StatusNotFound, "GET", app+"?at=2", nil)
	c.Get(t, app+"/diff").Want("data.to.exists", false)
	stranger := onShared(t)
	for _, past := range []string{"?at=0", "/history", "/diff"} {
		stranger.Do(t, http.StatusNotFound, "GET", app+past, nil)
	}

	s := c.Create(t, "/v1/sessions", object{"user_id": "user_bob", "state": object{"step": 1}})
	session := "/v1/sessions/" + s.Str("uid")
	for n := range 3 {
		c.Create(t, session+"/events", object{"author": "user", "content": object{"n": n}, "state_delta": object{"step": n + 2}})
	}
	c.Get(t, session+"?at=1").Want("state.step", 2, "event_count", 1, "events.0.content.n", 0)
	c.Get(t, session+"/history?limit=2").Want("count", 2, "data.0.revision", 3, "has_more", true)
	c.Get(t, session+"/history?limit=2&after=2").Want("data.0.revision", 1, "data.1.revision", 0, "has_more", false)

	m := c.Create(t, "/v1/memory/internal/memories", object{"content": "Likes tea"})
	memory := "/v1/memory/internal/memories/" + m.Str("id")
	c.Put(t, memory, object{"content": "Likes coffee"})
	c.Get(t, memory+"?at=0").Want("content", "Likes tea")
	c.Get(t, memory+"/diff").Want("changes.0.path", "/content", "changes.0.before", "Likes tea")
	c.Get(t, memory+"/history").Want("data.1.type", "memory.added.v1")

	org := "/api/v1/organizations/" + c.Organization
	ws, key := org+"/workspaces/"+c.Workspace, org+"/api-keys/"+c.KeyID
	for _, path := range []string{org, ws, key, "/api/v1/user/profile", "/api/v1/users/user_admin", "/api/v1/user/api-keys/" + c.KeyID} {
		now := c.Get(t, path+"?at=0")
		now.Str("data.createdAt")
		c.Get(t, path+"/history").Want("data.0.revision", 0)
		c.Get(t, path+"/diff").Want("data.to.exists", true, "data.from", nil)
	}
	b := "/api/v1/budgets/" + c.Create(t, "/api/v1/budgets", object{"name": "b", "scopeType": "workspace", "limitUsd": 1, "period": "total"}).Str("data.id")
	c.Put(t, b, object{"limitUsd": 5})
	c.Get(t, b+"?at=0").Want("data.limitUsd", 1)
	c.Get(t, b+"/history").Want("data.0.type", "budget.limit_raised.v1")
	c.Get(t, b+"/diff").Want("data.changes.0.path", "/limitUsd")
}

// The audit trail of a workspace: listed, verified, exported, and the file
// checked by the tool without the server.
func TestAudit(t *testing.T) {
	c := onShared(t)
	a := c.Create(t, "/api/v1/apps", object{"name": "a", "type": "chat"})
	last := c.Put(t, "/api/v1/apps/"+a.Str("data.id"), object{"name": "b"})
	logs := c.Get(t, "/api/v1/audit/logs?action=app.updated", last.After()...)
	logs.Want("data.0.actorId", c.KeyID, "data.0.actorType", "api_key", "data.0.resourceId", a.Str("data.id"), "data.0.outcome", "success")
	c.Get(t, "/api/v1/audit/logs/"+logs.Str("data.0.id")).Want("data.changes./name.after", "b")
	c.Get(t, "/api/v1/audit/stats").Want("data.byOutcome.success", c.Get(t, "/api/v1/audit/stats").Num("data.total"))
	v := c.Get(t, "/api/v1/audit/verify")
	v.Want("data.valid", true, "data.chain", c.Workspace)
	if v.Int("data.checked") < 2 || len(v.Str("data.head")) != 64 {
		t.Error(v.Short())
	}
	strata, err := kit.Binary()
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"jsonl", "csv"} {
		made := c.Post(t, "/api/v1/audit/export", object{"format": format})
		made.Want("data.status", "completed", "data.rowCount", v.Int("data.checked"))
		res, err := c.Send(t.Context(), "GET", made.Str("data.downloadUrl"), nil)
		if err != nil {
			t.Fatal(err)
		}
		file, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%d %v %s", res.StatusCode, err, file)
		}
		path := filepath.Join(t.TempDir(), "trail."+format)
		check := func(file []byte) error {
			if err := os.WriteFile(path, file, 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command(strata, "audit", "verify", path, "--key", v.Str("data.publicKey")).CombinedOutput()
			if err != nil {
				return fmt.Errorf("%w: %s", err, out)
			}
			return nil
		}
		if err := check(file); err != nil {
			t.Errorf("%s: %v", format, err)
		}
		lines := bytes.SplitAfter(file, []byte("\n"))
		if check(bytes.Join(append(lines[:1:1], lines[2:]...), nil)) == nil {
			t.Errorf("%s: a file without its second line passes", format)
		}
	}
}
