package main

import (
	"bytes"
	"encoding/base64"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/domain/node"
	"strata/internal/config"
	"strata/projections/sessions"
	"strata/streams"
)

// A new node begins with what another has copied. What was erased since does not
// come back by it, even when somebody brings the copies back.
func TestANewNodeBeginsWithCopies(t *testing.T) {
	log, shelf := shareLog(t), filepath.Join(t.TempDir(), "shelf")
	shared := func(c *config.Config) { c.Node.Snapshots = shelf }
	w := join(t, log, writing)
	uid := w.plain(t, "POST", "/v1/sessions", object{"app_name": "a", "user_id": "ann"}, testKey)["uid"].(string)
	w.addEvent(t, uid, "a secret of ann", testKey)
	r := join(t, log, reading, shared)
	shows := func(i *installation) bool {
		got := call(t, i, "GET", "/v1/sessions/"+uid+"/events?limit=100", nil)
		return got.Status == http.StatusOK && strings.Contains(string(got.Data), "a secret of ann")
	}
	copied := func() (names []string) {
		all, err := filepath.Glob(filepath.Join(shelf, "*[0-9a-f]", "model.db"))
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	ofSessions := func() bool {
		return slices.ContainsFunc(copied(), func(path string) bool { return holds(t, path, "a secret of ann") })
	}
	eventually(t, "sessions are on the shelf", ofSessions)
	kept := shelf + ".kept"
	if err := os.CopyFS(kept, os.DirFS(shelf)); err != nil {
		t.Fatal(err)
	}
	second := join(t, log, reading, shared)
	eventually(t, "it is read at the new node", func() bool { return shows(second) })
	if told := tellsOfStart(t, log, shelf); !strings.Contains(told, "another node's copy") || !strings.Contains(told, "model="+sessions.Name) {
		t.Errorf("a new node has folded the sessions from the beginning: %s", told)
	}

	id := call(t, w, "POST", "/api/v1/privacy/erasures", object{"subject": "ann"}).field(t, "id")
	eventually(t, "it is erased", func() bool {
		s, err := r.app.erasures.Show(t.Context(), domain.System("", ""), id)
		if err != nil {
			t.Fatal(err)
		}
		return s.Status() == "completed"
	})
	if ofSessions() {
		t.Error("a copy holds what was erased")
	}
	for _, i := range []*installation{r, second} {
		if err := i.app.close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.RemoveAll(shelf); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(kept, shelf); err != nil {
		t.Fatal(err)
	}
	third := join(t, log, reading, shared)
	eventually(t, "it has caught up", func() bool { return ready(t, third).Status == "ready" })
	if shows(third) {
		t.Error("what was erased came back")
	}
	files, err := filepath.Glob(filepath.Join(third.app.cfg.Data.ModelsDir(), "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		if holds(t, f, "a secret of ann") {
			t.Errorf("%s holds what was erased", f)
		}
	}
}

// tellsOfStart is what a new node that reads logs while it starts.
func tellsOfStart(t *testing.T, log streams.Store, shelf string) string {
	t.Helper()
	var told bytes.Buffer
	cfg := testConfig(t.TempDir())
	cfg.Secrets.MasterKey, cfg.Node.Snapshots = base64.StdEncoding.EncodeToString(make([]byte, 32)), shelf
	a := newApp(reading, cfg, slog.New(slog.NewTextHandler(&told, nil)), time.Now)
	a.store, a.term = log, time.Second
	if _, err := a.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := commands.Run[node.State, struct{}](t.Context(), a.handler, node.Aggregate,
		commands.Request{Principal: domain.System("", ""), ID: a.node}, node.Leave{}, nil) // its disk goes, and no erasure waits for it
	if err != nil {
		t.Error(err)
	}
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	return told.String()
}

// holds tells whether a file has a text in it; one that has gone has not.
func holds(t *testing.T, path, text string) bool {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return strings.Contains(string(content), text)
}
