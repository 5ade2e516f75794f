package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/domain/budget"
	"strata/domain/conversation"
	"strata/domain/identity"
	"strata/domain/inference"
	"strata/gateway/gatewaytest"
	"strata/internal/clickhouse"
	"strata/streams"
)

// opened is an installation that nothing was put into yet.
func opened(t *testing.T) *app {
	t.Helper()
	a, err := open(t.Context(), testConfig(t.TempDir()), slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

func (a *app) works(t *testing.T, key string) bool {
	t.Helper()
	p, err := a.models.auth.Authenticate(t.Context(), key)
	if err != nil && domain.CodeOf(err) != domain.CodeUnauthorized {
		t.Fatal(err)
	}
	return err == nil && p.Can("anything:at-all") && p.Workspace == firstWorkspace
}

// beginning is bootstrap with the key that it shows, if any.
func beginning(ctx context.Context, store streams.Store, h *commands.Handler, given string) (shown string, err error) {
	err = bootstrap(ctx, store, h, given, func(key string) error { shown = key; return nil })
	return shown, err
}

func TestBootstrap(t *testing.T) {
	a := opened(t)
	first, err := beginning(t.Context(), a.store, a.handler, "")
	if err != nil || first == "" || !a.works(t, first) {
		t.Fatalf("the first key is %q: %v", first, err)
	}
	again, err := beginning(t.Context(), a.store, a.handler, "")
	if err != nil || again != "" {
		t.Errorf("a second start shows %q: %v", again, err)
	}
	for range 2 {
		if shown, err := beginning(t.Context(), a.store, a.handler, testKey); err != nil || shown != "" {
			t.Errorf("a given key is shown as %q: %v", shown, err)
		}
	}
	if !a.works(t, first) || !a.works(t, testKey) || a.works(t, "another-key-that-nobody-made") {
		t.Error("not the right keys work")
	}
	if _, err := beginning(t.Context(), a.store, a.handler, "short"); err == nil || strings.Contains(err.Error(), "short\"") {
		t.Errorf("a short key: %v", err)
	}
}

// failing is a log that refuses its n-th append and all that follow.
type failing struct {
	streams.Store
	left atomic.Int64
}

func (f *failing) Append(ctx context.Context, s domain.StreamID, at streams.Expected, e ...streams.Proposed) (streams.Result, error) {
	if f.left.Add(-1) < 0 {
		return streams.Result{}, streams.ErrFull
	}
	return f.Store.Append(ctx, s, at, e...)
}

// A first start that stops between two steps goes on at the next.
func TestBootstrapStopsHalfway(t *testing.T) {
	for done := range 4 {
		a := opened(t)
		f := &failing{Store: a.store}
		f.left.Store(int64(done))
		h, _ := newCommands(commands.Config{Store: f, Codec: a.codec, Logger: a.log, Now: a.now}, a.sealer)
		if key, err := beginning(t.Context(), f, h, ""); domain.CodeOf(err) != domain.CodeUnavailable {
			t.Fatalf("after %d steps: key %q, %v", done, key, err)
		}
		key, err := beginning(t.Context(), a.store, a.handler, "")
		if err != nil || key == "" || !a.works(t, key) {
			t.Errorf("resumed after %d steps: key %q, %v", done, key, err)
		}
		for _, made := range []string{identity.OrganizationCreated{}.EventType(), identity.WorkspaceCreated{}.EventType(), identity.UserCreated{}.EventType()} {
			n := 0
			for _, err := range a.store.ReadAll(t.Context(), streams.ReadAll{Filter: &streams.Filter{Types: []string{made}}}) {
				if err != nil {
					t.Fatal(err)
				}
				n++
			}
			if n > 1 {
				t.Errorf("%d times %s", n, made)
			}
		}
	}
}

func (i *installation) ledger(t *testing.T, id string) budget.State {
	t.Helper()
	s, err := commands.Load(t.Context(), i.app.handler, budget.Aggregate, domain.System("", ""), id,
		func(l *commands.Loaded[budget.State]) budget.State { return *l.State })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// caughtUp waits for the read models.
func (i *installation) caughtUp(t *testing.T) {
	t.Helper()
	head, err := i.app.store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range allModels() {
		if lag, err := i.app.models.runner.Wait(t.Context(), m.Name(), head); err != nil || lag > 0 {
			t.Fatalf("%s lags %d: %v", m.Name(), lag, err)
		}
	}
}

// A process that dies between recording a call and settling it leaves the
// settling to the budget healer; one that dies before recording, to time.
func TestBudgetsHeal(t *testing.T) {
	i := start(t)
	id := call(t, i, "POST", "/api/v1/budgets", object{"name": "b", "scopeType": "workspace", "limitUsd": 1, "period": "total"}).must(t, http.StatusCreated).field(t, "id")
	who := commands.Spender{Organization: firstOrganization, Workspace: firstWorkspace}
	recorded, err := i.app.budgets.Reserve(t.Context(), who, 500_000, 100)
	if err != nil || len(recorded) != 1 {
		t.Fatalf("reserved %v: %v", recorded, err)
	}
	lost, err := i.app.budgets.Reserve(t.Context(), who, 300_000, 50)
	if err != nil || len(lost) != 1 {
		t.Fatalf("reserved %v: %v", lost, err)
	}
	rec := recorder{store: i.app.store, codec: i.app.codec}
	if err := rec.Record(t.Context(), inference.Recorded{ID: "inf_1", StartedAt: i.now(), Organization: firstOrganization, Workspace: firstWorkspace,
		Type: "chat", Status: inference.Success, Cost: 123_456, InputTokens: 3, OutputTokens: 4, Reservations: recorded}, nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the healer settles", func() bool { return i.ledger(t, id).Spent == 123_456 })
	if s := i.ledger(t, id); s.Reserved != 300_000 || s.Tokens != 7 {
		t.Errorf("the ledger: %+v", s)
	}
	i.caughtUp(t)
	if err := i.app.releaseExpired(t.Context(), i.now()); err != nil || i.ledger(t, id).Reserved != 300_000 {
		t.Errorf("released before its time: %+v, %v", i.ledger(t, id), err)
	}
	i.pass(time.Hour)
	if err := i.app.releaseExpired(t.Context(), i.now()); err != nil || i.ledger(t, id).Reserved != 0 {
		t.Errorf("not released after its time: %+v, %v", i.ledger(t, id), err)
	}
	// The call did happen after all: it is paid for, late and once.
	for range 2 {
		if _, err := i.app.budgets.Settle(t.Context(), lost, 1000, 1); err != nil {
			t.Fatal(err)
		}
	}
	if s := i.ledger(t, id); s.Spent != 124_456 {
		t.Errorf("settled late: %+v", s)
	}
}

// What a process had reserved when it died does not stay held until it expires.
func TestReservationsOfADeadProcessAreReleased(t *testing.T) {
	dir := t.TempDir()
	i := install(t, dir)
	id := call(t, i, "POST", "/api/v1/budgets", object{"name": "b", "scopeType": "workspace", "limitUsd": 1, "period": "total"}).must(t, http.StatusCreated).field(t, "id")
	who := commands.Spender{Organization: firstOrganization, Workspace: firstWorkspace}
	if _, err := i.app.budgets.Reserve(t.Context(), who, 900_000, 100); err != nil {
		t.Fatal(err)
	}
	i.close(t)()
	i = install(t, dir)
	eventually(t, "the reservation is released", func() bool { return i.ledger(t, id).Reserved == 0 })
	if _, err := i.app.budgets.Reserve(t.Context(), who, 900_000, 100); err != nil {
		t.Error(err)
	}
}

// askOnly records a question whose process dies before it is answered.
func (i *installation) askOnly(t *testing.T) {
	t.Helper()
	p := domain.System(firstOrganization, firstWorkspace)
	_, err := commands.Run[conversation.State, struct{}](t.Context(), i.app.handler, conversation.Aggregate, commands.Request{Principal: p, Create: true},
		conversation.Ask{Content: "Hi", Start: &conversation.Start{}}, nil)
	if err != nil {
		t.Fatal(err)
	}
}

func TestOpenTurnsAreClosed(t *testing.T) {
	i := start(t)
	i.askOnly(t)
	i.caughtUp(t)
	closing := func() int {
		t.Helper()
		if err := i.app.closeTurns(t.Context(), i.now().Add(-turnPatience)); err != nil {
			t.Fatal(err)
		}
		i.caughtUp(t)
		return len(logged[conversation.TurnFailed](t, i))
	}
	if n := closing(); n != 0 {
		t.Errorf("%d turns were closed while they may run", n)
	}
	i.pass(turnPatience + time.Minute)
	if n := closing(); n != 1 {
		t.Errorf("%d turns were closed, want 1", n)
	}
	if n := closing(); n != 1 {
		t.Errorf("a turn was closed twice: %d", n)
	}
	// At a start, every open turn has lost its process.
	dir := t.TempDir()
	i = install(t, dir)
	i.askOnly(t)
	i.close(t)()
	i = install(t, dir)
	eventually(t, "the turn is closed", func() bool { return len(logged[conversation.TurnFailed](t, i)) == 1 })
}

// served runs an installation as `strata serve` does, until stop is called.
type served struct {
	*installation
	stop context.CancelFunc
	done chan error
}

func serving(t *testing.T) *served {
	t.Helper()
	cfg := testConfig(t.TempDir())
	cfg.Admin.Key = testKey
	cfg.Server.ShutdownTimeout = time.Second
	i := &installation{}
	var err error
	if i.app, err = open(t.Context(), cfg, slog.New(slog.DiscardHandler), i.now); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	s := &served{installation: i, stop: stop, done: make(chan error, 1)}
	said, out := io.Pipe()
	go func() { s.done <- i.app.serve(ctx, out); out.Close() }()
	t.Cleanup(func() {
		stop()
		if err := i.app.close(); err != nil {
			t.Error(err)
		}
	})
	lines := bufio.NewScanner(said)
	for lines.Scan() {
		if _, url, ok := strings.Cut(lines.Text(), "API      "); ok {
			transport := &http.Transport{}
			t.Cleanup(transport.CloseIdleConnections)
			i.Server, i.client = &httptest.Server{URL: strings.TrimSpace(url)}, &http.Client{Transport: transport}
			go func() { _, _ = io.Copy(io.Discard, said) }() // what else it says is of no interest
			return s
		}
		if strings.Contains(lines.Text(), testKey) {
			t.Error("a given key is shown")
		}
	}
	t.Fatal(<-s.done)
	return nil
}

// A server that is told to stop lets running answers end, and cuts those that
// do not; either way the turns are on record when it has stopped.
func TestShutdown(t *testing.T) {
	for name, ends := range map[string]bool{"ends": true, "hangs": false} {
		t.Run(name, func(t *testing.T) {
			s := serving(t)
			c := &chatting{installation: s.installation, up: gatewaytest.NewUpstream(t)}
			call(t, s.installation, "POST", "/api/v1/providers", object{"name": "mock", "type": "openai_compatible", "baseUrl": c.up.URL}).must(t, http.StatusCreated)
			c.app = c.makeApp(t, "Support", object{"model": "mock/m"})
			goOn := make(chan struct{})
			c.up.Always(gatewaytest.Between("one ", goOn, "two"))
			sse := c.stream(t, c.message("Hi"))
			sse.next()
			sse.next()
			ws := c.dial(t, "/api/v1/chat/stream", testKey)
			ws.say(c.message("Hi", "type", "message"))
			ws.until("token")
			s.stop()
			<-s.app.live.Done()
			if ends {
				close(goOn)
				if got := kinds(sse.rest()); got != "token end" {
					t.Errorf("the stream ends with %s", got)
				}
				ws.until("end")
			}
			select {
			case err := <-s.done:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(time.Minute):
				t.Fatal("it does not stop")
			}
			answered, failed := len(logged[conversation.TurnAnswered](t, s.installation)), len(logged[conversation.TurnFailed](t, s.installation))
			if ends && (answered != 2 || failed != 0) || !ends && (answered != 0 || failed != 2) {
				t.Errorf("%d turns answered and %d failed", answered, failed)
			}
		})
	}
}

// A port that is taken is found out before a key is made that nobody would see.
func TestServeOnATakenPort(t *testing.T) {
	first := serving(t)
	a := opened(t)
	a.cfg.Server.Listen = strings.TrimPrefix(strings.Replace(first.URL, "localhost", "127.0.0.1", 1), "http://")
	if err := a.serve(t.Context(), io.Discard); err == nil {
		t.Fatal("two servers share a port")
	}
	if key, err := beginning(t.Context(), a.store, a.handler, ""); err != nil || key == "" {
		t.Errorf("the key of the first successful start: %q, %v", key, err)
	}
}

func TestReadiness(t *testing.T) {
	i := start(t)
	eventually(t, "it is ready", func() bool { return ready(t, i).Status == "ready" })
	if c := ready(t, i).Components.ClickHouse; c.State != clickhouse.Missing || c.Message == "" {
		t.Errorf("a missing engine: %+v", c)
	}
	res := call(t, i, "GET", "/api/v1/analytics/usage", nil).must(t, http.StatusServiceUnavailable)
	if res.Error.Code != string(domain.CodeUnavailable) {
		t.Errorf("analytics without an engine: %s", res.Error.Code)
	}
	if err := i.app.store.Close(); err != nil {
		t.Fatal(err)
	}
	if r := ready(t, i); r.Status != "unavailable" || r.Components.Log.Error == "" {
		t.Errorf("with a closed log: %+v", r)
	}
}

// Until the read models have seen the log once, the server is starting.
func TestReadinessWhileStarting(t *testing.T) {
	ctx := t.Context()
	a := &app{role: everything, cfg: testConfig(t.TempDir()), log: slog.New(slog.DiscardHandler), now: time.Now}
	a.live, a.drain = context.WithCancel(ctx)
	t.Cleanup(func() {
		if err := a.close(); err != nil {
			t.Error(err)
		}
	})
	for _, step := range []func(context.Context) error{a.openLog, a.openCommands, a.openAnalytics} {
		if err := step(ctx); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if a.models, err = openModels(ctx, everything, a.cfg.Data.ModelsDir(), a.store, a.codec, a.log, a.now); err != nil { // and not started
		t.Fatal(err)
	}
	a.onClose(a.models.runner.Stop)
	rec := httptest.NewRecorder()
	a.readyz(rec, httptest.NewRequest("GET", "/readyz", nil))
	if rec.Code != http.StatusServiceUnavailable || !strings.Contains(rec.Body.String(), `"status":"starting"`) {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}

// strata runs a subcommand.
func strata(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := run(t.Context(), args, &out)
	return out.String(), err
}

func TestTools(t *testing.T) {
	dir := t.TempDir()
	i := install(t, dir)
	i.addEvent(t, i.addSession(t, testKey), "hello", testKey)
	call(t, i, "POST", "/api/v1/apps", object{"name": "a", "type": "chat"}).must(t, http.StatusCreated)
	i.close(t)()

	at := []string{"--data-dir", dir}
	said, err := strata(t, append([]string{"verify"}, at...)...)
	if err != nil || !strings.Contains(said, " 0 faults") {
		t.Errorf("verify: %s %v", said, err)
	}
	rebuilds := [][]string{{"rebuild", "resources"}}
	for _, m := range allModels() {
		rebuilds = append(rebuilds, []string{"rebuild", m.Name(), "--compare"})
	}
	for _, args := range rebuilds {
		said, err := strata(t, append(args, at...)...)
		if err != nil || !strings.Contains(said, args[1]) {
			t.Errorf("%v: %s %v", args, said, err)
		}
	}
	if said, err := strata(t, "routes"); err != nil || !strings.Contains(said, "createSession ") {
		t.Errorf("routes: %v", err)
	}
	if said, err := strata(t, "help"); err != nil || !strings.Contains(said, "rebuild NAME") {
		t.Errorf("help: %s %v", said, err)
	}
	if said, err := strata(t, "version"); err != nil || strings.TrimSpace(said) != version {
		t.Errorf("version: %s %v", said, err)
	}
	for _, wrong := range [][]string{{"sing"}, {"rebuild"}, {"rebuild", "--compare"}, {"rebuild", "nonsense"}, {"rebuild", "events", "sessions"},
		{"verify", "everything"}, {"serve", "now"}} {
		if said, err := strata(t, wrong...); err == nil {
			t.Errorf("%v: %s", wrong, said)
		}
	}
	if said, err := strata(t, "config", "-h"); !errors.Is(err, flag.ErrHelp) || !strings.Contains(said, "-data-dir") {
		t.Errorf("-h: %s %v", said, err)
	}
	if said, err := strata(t, "config", "--data-dri", "x"); err == nil || said != "" || !strings.Contains(err.Error(), "-data-dri; -h lists the flags") {
		t.Errorf("a flag that there is not: %s %v", said, err)
	}

	segments, err := filepath.Glob(filepath.Join(dir, "log", "*.log"))
	if err != nil || len(segments) == 0 {
		t.Fatalf("segments %v: %v", segments, err)
	}
	damaged, err := os.ReadFile(segments[0])
	if err != nil {
		t.Fatal(err)
	}
	damaged[300] ^= 1
	if err := os.WriteFile(segments[0], damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := strata(t, append([]string{"verify"}, at...)...); err == nil || strings.Contains(said, " 0 faults") {
		t.Errorf("verify a damaged log: %s %v", said, err)
	}
}

func TestConfigShowsNoSecrets(t *testing.T) {
	t.Setenv("STRATA_ADMIN_KEY", testKey)
	t.Setenv("STRATA_CLICKHOUSE_URL", "http://user:pass-word@localhost:8123")
	said, err := strata(t, "config")
	if err != nil || strings.Contains(said, testKey) || strings.Contains(said, "pass-word") || !strings.Contains(said, "STRATA_ADMIN_KEY") {
		t.Errorf("config: %s %v", said, err)
	}
}
