package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/domain/budget"
	"strata/domain/inference"
	"strata/internal/config"
	"strata/streams"
	"strata/streams/embedded"
)

// shareLog opens a log for several nodes of this process.
func shareLog(t *testing.T) *embedded.Log {
	t.Helper()
	log, err := embedded.Open(t.TempDir(), embedded.Options{SegmentSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	return log
}

// join opens a node of a role over a shared log and serves it; change may change
// its configuration before.
func join(t *testing.T, log streams.Store, r role, change ...func(*config.Config)) *installation {
	t.Helper()
	i := &installation{}
	cfg := testConfig(t.TempDir())
	cfg.Server.ReadWait = 5 * time.Second // nothing here is about giving up
	cfg.Secrets.MasterKey = base64.StdEncoding.EncodeToString(make([]byte, 32))
	for _, c := range change {
		c(cfg)
	}
	a := newApp(r, cfg, slog.New(slog.DiscardHandler), i.now)
	a.store, a.term = log, time.Second
	i.begin(t, a)
	return i
}

// What is written through any node is read at any other, personal data too.
func TestNodesShareALog(t *testing.T) {
	log := shareLog(t)
	writers := []*installation{join(t, log, writing), join(t, log, writing)}
	readers := []*installation{join(t, log, reading), join(t, log, reading)}
	uid := writers[0].addSession(t, testKey)
	for n := range 10 {
		writers[n%2].addEvent(t, uid, "said to "+string(rune('a'+n%2)), testKey)
	}
	for _, r := range readers {
		eventually(t, "ten events are read", func() bool {
			var said []json.RawMessage
			got := call(t, r, "GET", "/v1/sessions/"+uid+"/events?limit=100", nil)
			return got.Status == http.StatusOK && json.Unmarshal(got.Data, &said) == nil && len(said) == 10
		})
		call(t, r, "POST", "/api/v1/apps", object{"name": "x", "type": "chat"}).must(t, http.StatusServiceUnavailable)
	}
	call(t, writers[0], "GET", "/api/v1/apps", nil).must(t, http.StatusServiceUnavailable)
	for _, n := range append(writers, readers...) {
		eventually(t, "it is ready", func() bool { return ready(t, n).Status == "ready" })
	}
}

// A node that writes knows who refers to a secret that is to be deleted.
func TestWritersKnowWhoUsesASecret(t *testing.T) {
	w := join(t, shareLog(t), writing)
	call(t, w, "POST", "/api/v1/secrets", object{"name": "key", "value": "x"}).must(t, http.StatusCreated)
	call(t, w, "POST", "/api/v1/connectors/aws-s3/instances", object{"name": "Churn", "config": object{"bucket": "churn", "endpoint": "http://127.0.0.1:1"},
		"credentials": object{"access_key_id": "id", "secret_access_key": "{{secret.key}}"}}).must(t, http.StatusCreated)
	eventually(t, "the secret is held", func() bool {
		return call(t, w, "DELETE", "/api/v1/secrets/key", nil).Status == http.StatusConflict
	})
}

// What runs once goes on at another node when the one that ran it stops, where
// that one has left off.
func TestDutiesMoveToAnotherNode(t *testing.T) {
	log := shareLog(t)
	w := join(t, log, writing)
	nodes := []*installation{join(t, log, projecting), join(t, log, projecting)}
	onDuty := func() (at []int) {
		for n, i := range nodes {
			if i.app.duty.now.Load() != nil {
				at = append(at, n)
			}
		}
		return at
	}
	id := call(t, w, "POST", "/api/v1/budgets", object{"name": "b", "scopeType": "workspace", "limitUsd": 1, "period": "total"}).
		must(t, http.StatusCreated).field(t, "id")
	// A call whose process died after it had recorded it: a reactor settles it.
	settle := func() {
		t.Helper()
		held, err := w.app.budgets.Reserve(t.Context(), commands.Spender{Organization: firstOrganization, Workspace: firstWorkspace}, 100, 1)
		if err != nil || len(held) != 1 {
			t.Fatalf("reserved %v, %v", held, err)
		}
		call := inference.Recorded{ID: domain.NewID("inf"), Organization: firstOrganization, Workspace: firstWorkspace, StartedAt: time.Now(),
			Cost: 10, Reservations: held, Status: inference.Success}
		if err := (recorder{store: log, codec: w.app.codec}).Record(t.Context(), call, nil); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the call is settled", func() bool {
			open, err := commands.Load(t.Context(), w.app.handler, budget.Aggregate, domain.System("", ""), id,
				func(l *commands.Loaded[budget.State]) int { return len(l.State.Open) })
			return err == nil && open == 0
		})
	}
	settle()
	if at := onDuty(); len(at) != 1 {
		t.Fatalf("on duty are %v", at)
	}
	first := nodes[onDuty()[0]]
	if err := first.app.close(); err != nil {
		t.Fatal(err)
	}
	settle()
	if at := onDuty(); len(at) != 1 || nodes[at[0]] == first {
		t.Errorf("on duty are %v", at)
	}
}

func TestARoleNeedsWhatIsShared(t *testing.T) {
	cfg := testConfig(t.TempDir())
	if _, err := newApp(writing, cfg, slog.New(slog.DiscardHandler), time.Now).open(t.Context()); !errors.Is(err, errOwnLog) {
		t.Errorf("over a log of its own: %v", err)
	}
	a := newApp(writing, cfg, slog.New(slog.DiscardHandler), time.Now)
	a.store = shareLog(t)
	if _, err := a.open(t.Context()); !errors.Is(err, errNoMaster) {
		t.Errorf("without a master key: %v", err)
	}
}

// An erasure is complete when every node has cleaned its copies, and waits for one
// that does not run until that is struck off.
func TestErasureReachesEveryNode(t *testing.T) {
	log := shareLog(t)
	w, p := join(t, log, writing), join(t, log, projecting)
	readers := []*installation{join(t, log, reading), join(t, log, reading)}
	gone := join(t, log, reading)
	name := gone.app.node
	if err := gone.app.close(); err != nil {
		t.Fatal(err)
	}
	uid := w.plain(t, "POST", "/v1/sessions", object{"app_name": "a", "user_id": "ann"}, testKey)["uid"].(string)
	w.addEvent(t, uid, "a secret of ann", testKey)
	shows := func(i *installation, text string) bool {
		return strings.Contains(string(call(t, i, "GET", "/v1/sessions/"+uid+"/events?limit=100", nil).Data), text)
	}
	for _, r := range readers {
		eventually(t, "it is read", func() bool { return shows(r, "a secret of ann") })
	}
	erasure := call(t, w, "POST", "/api/v1/privacy/erasures", object{"subject": "ann"})
	id := erasure.field(t, "id")
	status := func() (string, []string) {
		s, err := p.app.erasures.Show(t.Context(), domain.System("", ""), id)
		if err != nil {
			t.Fatal(err)
		}
		return string(s.Status()), s.Open()
	}
	eventually(t, "all but the node that does not run are clean", func() bool {
		_, open := status()
		return len(open) == 2 && strings.HasSuffix(open[0], "@"+name) && strings.HasSuffix(open[1], "@"+name)
	})
	for _, r := range readers {
		if shows(r, "a secret of ann") {
			t.Error("a reader shows what was erased")
		}
	}
	if s, _ := status(); s != "pending" {
		t.Errorf("it is %s while a node has a copy", s)
	}
	strike, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, readers[0].URL+"/api/v1/admin/nodes/"+name, nil)
	if err != nil {
		t.Fatal(err)
	}
	strike.Header.Set("Authorization", "Bearer "+testKey)
	res, err := readers[0].Client().Do(strike)
	if err != nil {
		t.Fatal(err)
	}
	if res.Body.Close(); res.StatusCode != http.StatusNoContent {
		t.Fatalf("struck off: %s", res.Status)
	}
	eventually(t, "it is complete", func() bool { s, _ := status(); return s == "completed" })
	if list := call(t, w, "GET", "/api/v1/admin/nodes", nil).must(t, http.StatusOK); strings.Count(string(list.Data), `"name"`) != 4 {
		t.Errorf("nodes: %s", list.Data)
	}
}
