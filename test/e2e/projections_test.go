//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"strata/test/kit"
)

const projectionsPath = "/api/v1/admin/projections"

// rebuilt waits until a rebuild has ended.
func rebuilt(t *testing.T, c *kit.Client, name string) *kit.Answer {
	t.Helper()
	var a *kit.Answer
	kit.Eventually(t, time.Minute, "the rebuild ends", func() error {
		a = c.Get(t, projectionsPath+"/"+name)
		switch state := a.Str("data.rebuild.state"); state {
		case "done", "failed", "cancelled":
			return nil
		default:
			return fmt.Errorf("it is %s", state)
		}
	})
	return a
}

// A read model is folded again beside the living one while it is written and
// read, through a kill, and equals what was there before.
func TestRebuildBesideTheLivingModel(t *testing.T) {
	s := kit.Start(t, kit.Options{})
	c := s.Client()
	var last *kit.Answer
	for i := range 200 {
		last = c.Create(t, "/v1/sessions", object{"app_name": fmt.Sprint("app", i)})
	}
	c.Get(t, "/v1/sessions/"+last.Str("uid"), last.After()...)
	c.Do(t, http.StatusAccepted, "POST", projectionsPath+"/sessions/rebuild", object{"eventsPerSecond": 50})
	c.Get(t, projectionsPath+"/sessions").Want("data.status", "rebuilding").Want("data.ready", true)
	c.Do(t, http.StatusConflict, "POST", projectionsPath+"/sessions/rebuild", object{})
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	during := c.Create(t, "/v1/sessions", object{"app_name": "during"})
	c.Get(t, "/v1/sessions/"+during.Str("uid"), during.After()...)
	done := rebuilt(t, c, "sessions")
	done.Want("data.rebuild.state", "done").Want("data.rebuild.differences", []any{}).Want("data.status", "running")
	c.Get(t, "/v1/sessions/"+last.Str("uid"))
	c.Get(t, "/v1/sessions/"+during.Str("uid"))
}

func TestRebuildIsCancelled(t *testing.T) {
	c := shared.Client()
	for i := range 100 {
		c.Create(t, "/v1/sessions", object{"app_name": fmt.Sprint("app", i)})
	}
	c.Do(t, http.StatusAccepted, "POST", projectionsPath+"/sessions/rebuild", object{"eventsPerSecond": 1})
	c.Do(t, http.StatusOK, "DELETE", projectionsPath+"/sessions/rebuild", nil).Want("data.rebuild.state", "cancelled").Want("data.status", "running")
	c.Do(t, http.StatusConflict, "DELETE", projectionsPath+"/sessions/rebuild", nil)
}

func TestRebuildByTool(t *testing.T) {
	binary, err := kit.Binary()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "rebuild", "budgets", "--server", shared.URL)
	cmd.Env = append(cmd.Environ(), "STRATA_API_KEY="+kit.AdminKey)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "budgets was folded again from the log: it equals") {
		t.Errorf("%v\n%s", err, out)
	}
}

// Only those who run the installation see what follows the log.
func TestProjectionsAreNotForTenants(t *testing.T) {
	other := newTenant(t, shared)
	for _, path := range []string{"", "/sessions", "/sessions/parked", "/sessions/parked/1"} {
		other.Do(t, http.StatusForbidden, "GET", projectionsPath+path, nil)
	}
	for _, path := range []string{"/sessions/rebuild", "/sessions/parked/retry", "/sessions/parked/discard"} {
		other.Do(t, http.StatusForbidden, "POST", projectionsPath+path, object{"reason": "x", "position": 1})
	}
	c := shared.Client()
	all := c.Get(t, projectionsPath+kit.Query("kind", "model"))
	if names := all.Strings("data", "name"); len(names) < 7 {
		t.Errorf("models %v", names)
	}
	c.Get(t, projectionsPath+"/sessions/parked").Want("data", []any{})
	c.Do(t, http.StatusNotFound, "GET", projectionsPath+"/sessions/parked/1", nil)
	c.Do(t, http.StatusNotFound, "POST", projectionsPath+"/sessions/parked/retry", object{"stream": "session-none"})
	c.Do(t, http.StatusNotFound, "POST", projectionsPath+"/sessions/parked/discard", object{"position": 1, "reason": "x"})
}
