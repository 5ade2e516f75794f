package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"strata/internal/config"
	"strata/internal/eventstore/eventstoretest"
	"strata/streams/archive"
	"strata/streams/embedded"
	"strata/test/kit"
)

// overServer is the configuration of an installation over a server's log.
func overServer(t *testing.T, url string) *config.Config {
	cfg := testConfig(t.TempDir())
	cfg.EventStore.URL = url
	cfg.Secrets.MasterKey = base64.StdEncoding.EncodeToString(make([]byte, 32))
	return cfg
}

// joinServer opens a process of a role over a server's log.
func joinServer(t *testing.T, url string, r role) *installation {
	t.Helper()
	i := &installation{}
	i.begin(t, newApp(r, overServer(t, url), slog.New(slog.DiscardHandler), i.now))
	return i
}

// A data directory that is not there yet is made, and has one owner.
func TestDirectoryOfANode(t *testing.T) {
	server := eventstoretest.Start(t)
	cfg := overServer(t, server.URL())
	cfg.Data.Dir = filepath.Join(cfg.Data.Dir, "new", "node")
	first, err := newApp(reading, cfg, slog.New(slog.DiscardHandler), time.Now).open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newApp(reading, cfg, slog.New(slog.DiscardHandler), time.Now).open(t.Context()); !errors.Is(err, embedded.ErrLocked) {
		t.Errorf("a second owner: %v", err)
	}
	if err := first.close(); err != nil {
		t.Fatal(err)
	}
}

// What one process writes into a server's log, another reads, also after the
// server was started again in between.
func TestProcessesShareAServersLog(t *testing.T) {
	server := eventstoretest.Start(t)
	writer, reader := joinServer(t, server.URL(), writing), joinServer(t, server.URL(), reading)
	uid := writer.addSession(t, testKey)
	writer.addEvent(t, uid, "before", testKey)
	server.Restart()
	writer.addEvent(t, uid, "after", testKey)
	eventually(t, "both events are read", func() bool {
		var said []json.RawMessage
		got := call(t, reader, "GET", "/v1/sessions/"+uid+"/events?limit=100", nil)
		return got.Status == http.StatusOK && json.Unmarshal(got.Data, &said) == nil && len(said) == 2
	})
	for path, method := range map[string]string{"/api/v1/admin/log": "GET", "/api/v1/admin/log/scavenge": "POST", "/api/v1/admin/backups": "POST"} {
		call(t, writer, method, path, object{}).must(t, http.StatusServiceUnavailable)
	}
}

func TestToolsOfAnEmbeddedLog(t *testing.T) {
	t.Setenv("STRATA_EVENTSTORE_URL", "esdb://127.0.0.1:1?tls=false")
	for _, args := range [][]string{
		{"verify"}, {"scavenge"}, {"backup", "--to", "x"}, {"restore", "--from", "x"}, {"rebuild", "sessions"}, {"eventstore"},
	} {
		args = append(args, "--data-dir", t.TempDir())
		if err := run(t.Context(), args, new(bytes.Buffer)); err == nil || !strings.Contains(err.Error(), "server of its own") {
			t.Errorf("%v: %v", args, err)
		}
	}
}

// A dump of an embedded installation, loaded into a server's log with its keys,
// is the same installation.
func TestMoveToAServersLog(t *testing.T) {
	from := t.TempDir()
	old := install(t, from)
	uid := old.addSession(t, testKey)
	old.addEvent(t, uid, "said before the move", testKey)
	old.close(t)()

	cfg := testConfig(from)
	var text bytes.Buffer
	if _, err := dump(t.Context(), cfg, slog.New(slog.DiscardHandler), &text); err != nil {
		t.Fatal(err)
	}
	server := eventstoretest.Start(t)
	to := testConfig(from)
	to.EventStore.URL = server.URL()
	stats, keys, err := loadServersLog(t.Context(), to, &text, cfg.Data.SubjectKeysFile())
	if err != nil || stats.Events == 0 || keys == 0 {
		t.Fatalf("%+v, %d keys, %v", stats, keys, err)
	}
	master, err := os.ReadFile(cfg.Data.KeyFile())
	if err != nil {
		t.Fatal(err)
	}
	i := &installation{}
	moved := overServer(t, server.URL())
	moved.Secrets.MasterKey = string(master)
	if i.app, err = newApp(everything, moved, slog.New(slog.DiscardHandler), i.now).open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.close(t))
	router, err := i.app.routes("http://localhost:8000", nil)
	if err != nil {
		t.Fatal(err)
	}
	i.Server = httptest.NewServer(i.app.requests.count(router))
	i.client = i.Server.Client()
	i.client.Transport = kit.Patient(i.client.Transport)
	eventually(t, "what was said before is read", func() bool {
		got := call(t, i, "GET", "/v1/sessions/"+uid+"/events?limit=100", nil)
		return got.Status == http.StatusOK && strings.Contains(string(got.Data), "said before the move")
	})
	var again bytes.Buffer
	s, err := archive.Dump(t.Context(), i.app.store, &again)
	if err != nil || s.Events < stats.Events {
		t.Errorf("the server's log dumps %d events, %v; %d were loaded", s.Events, err, stats.Events)
	}
}
