//go:build e2e

package e2e

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"strata/test/kit"
)

// copied is what a copy of an installation must show.
type copied struct{ session, memory, app string }

func fill(t *testing.T, c *kit.Client, text string) (copied, *kit.Answer) {
	t.Helper()
	out := copied{session: c.Create(t, "/v1/sessions", object{"user_id": "ann"}).Str("uid")}
	c.Create(t, "/v1/sessions/"+out.session+"/events", object{"author": "user", "content": object{"text": text}})
	out.memory = c.Create(t, "/v1/memory/internal/memories", object{"content": text, "user_id": "ann"}).Str("id")
	app := c.Create(t, "/api/v1/apps", object{"name": text, "type": "chat"})
	out.app = app.Str("data.id")
	return out, app
}

// holds starts a server on a data directory and looks for what was copied.
func (x copied) holds(t *testing.T, dir, text string) {
	t.Helper()
	s := kit.Start(t, kit.Options{DataDir: dir})
	if err := s.WaitSettled(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	c := s.Client()
	c.Get(t, "/v1/sessions/"+x.session+"/events").Want("data.0.content.text", text)
	c.Get(t, "/v1/memory/internal/memories/"+x.memory).Want("content", text)
	c.Get(t, "/api/v1/apps/"+x.app).Want("data.name", text)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
}

func runTool(t *testing.T, s *kit.Server, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := s.Tool(ctx, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestBackupAndRestore(t *testing.T) {
	dir := t.TempDir()
	s := kit.Start(t, kit.Options{DataDir: filepath.Join(dir, "data"), Env: []string{"STRATA_BACKUP_DIR=" + filepath.Join(dir, "backups")}})
	c := s.Client()
	const text = "a quiet harbour"
	before, last := fill(t, c, text)
	c.Do(t, http.StatusAccepted, "POST", "/api/v1/admin/backups", object{}).Want("data.name", "main", "data.state", "running")
	kit.Eventually(t, 30*time.Second, "the backup is complete", func() error {
		return kit.Differ("its state", c.Get(t, "/api/v1/admin/backups/main").Str("data.state"), "complete")
	})
	got := c.Get(t, "/api/v1/admin/backups").Want("data.0.name", "main")
	if position, err := strconv.ParseInt(last.Position(), 10, 64); err != nil || got.Int("data.0.position") < position {
		t.Errorf("the backup ends at %d, %s was acknowledged before (%v)", got.Int("data.0.position"), last.Position(), err)
	}
	c.Do(t, http.StatusBadRequest, "POST", "/api/v1/admin/backups", object{"to": "../elsewhere"}).Want("error.details.0.field", "to")
	c.Do(t, http.StatusNotFound, "GET", "/api/v1/admin/backups/none", nil)

	// The tool does the same beside the running server, and goes on from there.
	const more = "a long pier"
	after, _ := fill(t, c, more)
	from := filepath.Join(dir, "backups", "main")
	if out := runTool(t, s, "backup", "--to", from); !strings.Contains(out, "holds everything up to position") {
		t.Error(out)
	}
	if out := runTool(t, s, "backup", "--verify", from); !strings.Contains(out, ": 0 faults") {
		t.Error(out)
	}
	restored := filepath.Join(dir, "restored")
	runTool(t, s, "restore", "--from", from, "--data-dir", restored)
	before.holds(t, restored, text)
	after.holds(t, restored, more)
}

func TestBackupsNeedADirectory(t *testing.T) {
	oneProcess(t, "a cluster has no backups of its own: the log's server has")
	c := onShared(t)
	for _, method := range []string{"GET", "POST"} {
		a, err := shared.Client().Call(t.Context(), method, "/api/v1/admin/backups", object{})
		if err != nil || a.Status != http.StatusConflict || !strings.Contains(a.Short(), "backup.dir") {
			t.Errorf("%s: %v, %v", method, a, err)
		}
	}
	c.Do(t, http.StatusForbidden, "GET", "/api/v1/admin/backups", nil) // whoever's data is in it
}

func TestDumpAndLoad(t *testing.T) {
	dir := t.TempDir()
	s := kit.Start(t, kit.Options{DataDir: filepath.Join(dir, "data")})
	const text = "a long pier"
	x, _ := fill(t, s.Client(), text)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	dump, loaded := filepath.Join(dir, "log.jsonl.gz"), filepath.Join(dir, "loaded")
	runTool(t, s, "dump", "--to", dump)
	if err := os.CopyFS(filepath.Join(loaded, "keys"), os.DirFS(filepath.Join(s.DataDir, "keys"))); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(loaded, "keys", "master.key"), 0o600); err != nil {
		t.Fatal(err)
	}
	runTool(t, s, "load", "--from", dump, "--data-dir", loaded)
	again := filepath.Join(dir, "again.jsonl.gz")
	runTool(t, s, "dump", "--data-dir", loaded, "--to", again)
	first, err := os.ReadFile(dump)
	if err != nil {
		t.Fatal(err)
	}
	second, err := os.ReadFile(again)
	if err != nil || string(first) != string(second) {
		t.Errorf("dumped again it has %d bytes, before %d: %v", len(second), len(first), err)
	}
	x.holds(t, loaded, text)
	for _, model := range []string{"sessions", "memories", "resources", "events"} {
		runTool(t, s, "rebuild", model, "--compare", "--data-dir", loaded)
	}
}
