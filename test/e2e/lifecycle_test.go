//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"strata/gateway/gatewaytest"
	"strata/test/kit"
)

// busy is how many times longer than on a quiet machine something may take, when the
// machine does other things as well.
const busy = 8

var printedKey = regexp.MustCompile(`sk-strata-[A-Za-z0-9_-]+`)

// What a stranger does: starts it, reads the key, makes calls, looks at them,
// sets a budget, kills it and finds everything again.
func TestStranger(t *testing.T) {
	began := time.Now()
	s := kit.Start(t, kit.Options{Env: []string{"STRATA_ADMIN_KEY="}})
	if took := time.Since(began); took > busy*3*time.Second {
		t.Errorf("the first start took %s", took)
	}
	keys := printedKey.FindAllString(s.Log(), -1)
	if len(keys) != 1 {
		t.Fatalf("%d keys were printed:\n%s", len(keys), s.Log())
	}
	address := s.URL[strings.LastIndexByte(s.URL, ':'):] // announced as localhost, which people can read
	for _, url := range []string{"http://localhost" + address, address + "/console/", address + "/api/v1/docs"} {
		if !strings.Contains(s.Log(), url) {
			t.Errorf("%s is not printed:\n%s", url, s.Log())
		}
	}
	c := s.ClientFor(keys[0])
	c.Post(t, chatPath, say("strata/extract-1", "Berlin is the capital of Germany. What is the capital of Germany?"))
	c.Post(t, "/openai/v1/embeddings", object{"model": "strata/embed-1", "input": "hello"})
	logged(t, c, 2)
	called := time.Now()
	c.Post(t, chatPath, say("strata/extract-1", "And again."))
	logged(t, c, 3)
	if took := time.Since(called); took > busy*2*time.Second {
		t.Errorf("a call was visible after %s, want within two seconds", took)
	}
	for _, path := range []string{"/api/v1/analytics/usage", "/api/v1/analytics/performance", "/api/v1/analytics/costs"} {
		c.Get(t, path)
	}
	c.Get(t, "/v1/inference-logs/summary").Want("total_calls", 3)

	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	if keys := printedKey.FindAllString(s.Log(), -1); len(keys) != 1 {
		t.Errorf("the key was printed again:\n%s", s.Log())
	}
	logged(t, c, 3)
}

func TestRestartKeepsEverything(t *testing.T) {
	for how, end := range map[string]func(*kit.Server) error{"SIGTERM": (*kit.Server).Stop, "kill -9": (*kit.Server).Kill} {
		t.Run(how, func(t *testing.T) {
			s := kit.Start(t, kit.Options{})
			c := newTenant(t, s)
			up := c.provide(t, "p")
			session := c.Create(t, "/v1/sessions", object{"state": object{"a": 1}}, "Idempotency-Key", "s")
			app := c.Create(t, "/api/v1/apps", object{"name": "a", "type": "chat"}, "Idempotency-Key", "a")
			budget := c.Create(t, "/api/v1/budgets", object{"name": "b", "scopeType": "workspace", "limitUsd": 1, "period": "total"})
			c.Post(t, chatPath, say("p/m", "hello"))
			limited := c.Create(t, "/api/v1/user/api-keys", object{"name": "free", "rateLimitTier": "free"}).Str("data.key")
			for range 40 {
				s.ClientFor(limited).Get(t, "/v1/sessions")
			}

			if err := end(s); err != nil {
				t.Fatal(err)
			}
			if err := s.Start(); err != nil {
				t.Fatal(err)
			}
			c.HTTP.CloseIdleConnections()
			c.Get(t, "/v1/sessions/"+session.Str("uid")).Want("state.a", 1)
			c.Get(t, "/api/v1/apps/"+app.Str("data.id")).Want("data.name", "a")
			c.Get(t, "/api/v1/budgets/"+budget.Str("data.id")).Want("data.spentUsd", 0.00003)
			c.Create(t, "/v1/sessions", object{"state": object{"a": 1}}, "Idempotency-Key", "s").Want("uid", session.Str("uid"))
			c.Create(t, "/api/v1/apps", object{"name": "a", "type": "chat"}, "Idempotency-Key", "a").Want("data.id", app.Str("data.id"))
			c.Do(t, http.StatusConflict, "POST", "/api/v1/apps", object{"name": "a", "type": "chat"})
			c.Post(t, chatPath, say("p/m", "the provider's credential opens again"))
			if key := up.Requests()[len(up.Requests())-1].Header.Get("Authorization"); key != "Bearer sk-upstream" {
				t.Errorf("the provider was asked with %q", key)
			}
			if how == "SIGTERM" {
				left := s.ClientFor(limited).Get(t, "/v1/sessions").Header.Get("X-RateLimit-Remaining")
				if len(left) > 2 || left > "85" {
					t.Errorf("after a restart %s requests are left, though 40 were made", left)
				}
			}
		})
	}
}

// SIGTERM lets what runs finish, refuses what is new, and ends within ten seconds.
func TestDraining(t *testing.T) {
	s := kit.Start(t, kit.Options{})
	c := newTenant(t, s)
	up := c.provide(t, "p")
	release := make(chan struct{})
	up.Next(gatewaytest.Between("first ", release, "second"))
	stream, err := c.OpenStream(t.Context(), "POST", chatPath, say("p/m", "hello", "stream", true))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	if _, err := stream.Next(); err != nil {
		t.Fatal(err)
	}
	ws := c.Dial(t, "/api/v1/events/ws", "after", "0") // does not keep it from stopping
	ws.Until("caught_up")
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop() }()
	kit.Eventually(t, time.Minute, "it refuses new connections or says it is draining", func() error {
		status, _, err := s.Readiness(t.Context())
		if err == nil && status == http.StatusOK {
			return fmt.Errorf("still ready")
		}
		return nil
	})
	close(release)
	rest, err := stream.All()
	if err != nil || len(rest) == 0 || rest[len(rest)-1].Data != "[DONE]" {
		t.Errorf("the running stream ended with %v, %v", rest, err)
	}
	select {
	case err := <-stopped:
		if err != nil {
			t.Errorf("the server ended with %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("the server did not stop")
	}
}

func TestHangingCallsDoNotKeepItFromStopping(t *testing.T) {
	s := kit.Start(t, kit.Options{})
	c := newTenant(t, s)
	up := c.provide(t, "p")
	up.Always(gatewaytest.StallAfter("first "))
	stream, err := c.OpenStream(t.Context(), "POST", chatPath, say("p/m", "hello", "stream", true))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	if _, err := stream.Next(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := s.Stop(); err != nil {
		t.Errorf("the server ended with %v", err)
	}
	if took := time.Since(began); took > busy*11*time.Second {
		t.Errorf("it took %s", took)
	}
}

// Without the engine everything but analytics works, and nothing is lost.
func TestWithoutClickHouse(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s, err := kit.New(kit.Options{DataDir: dir, Env: []string{"STRATA_CHDB_LIB=/nowhere/libchdb.so"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Kill() }) // for a test that failed half-way
	_, r, err := s.Readiness(t.Context())
	if err != nil || r.Components.ClickHouse.State != "missing" || !strings.Contains(r.Components.ClickHouse.Message, "make engine") {
		t.Errorf("readiness %+v, %v", r, err)
	}
	c := newTenant(t, s)
	c.provide(t, "p")
	budget := c.Create(t, "/api/v1/budgets", object{"name": "b", "scopeType": "workspace", "limitUsd": 1, "period": "total"})
	for range 5 {
		c.Post(t, chatPath, say("p/m", "hello"))
	}
	kit.Eventually(t, visible, "the ledger needs no analytics", func() error {
		usage := c.Get(t, "/api/v1/budgets/"+budget.Str("data.id")+"/usage")
		if usage.Str("data.breakdownUnavailable") == "" {
			return fmt.Errorf("no word of the breakdown: %s", usage.Short())
		}
		return kit.Differ("spent", usage.Micro("data.spentUsd"), 5*30)
	})
	a := c.Do(t, http.StatusServiceUnavailable, "GET", "/v1/inference-logs", nil)
	a.Want("code", "SERVICE_UNAVAILABLE")
	if !strings.Contains(a.Str("error"), "make engine") && !strings.Contains(a.Str("error"), "ClickHouse") {
		t.Errorf("the answer does not say what is missing: %s", a.Short())
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	with := kit.Start(t, kit.Options{DataDir: dir})
	if err := with.WaitClickHouse(clickHouseDeadline); err != nil {
		t.Fatal(err)
	}
	c.URL = with.URL
	c.logged(t, 5)
}

func TestOneProcessPerDataDirectory(t *testing.T) {
	s := kit.Start(t, kit.Options{})
	other, err := kit.New(kit.Options{DataDir: s.DataDir})
	if err != nil {
		t.Fatal(err)
	}
	err = other.Start()
	if err == nil {
		t.Fatal(other.Kill())
	}
	if !strings.Contains(err.Error(), s.DataDir) || strings.Contains(err.Error(), "within") {
		t.Errorf("the second server says: %v", err)
	}
	newTenant(t, s).Get(t, "/v1/sessions") // the first goes on
}

// strata runs the program in an empty directory and returns what it writes.
func strata(t *testing.T, env []string, args ...string) (string, error) {
	t.Helper()
	binary, err := kit.Binary()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + cmd.Dir}, env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestConfigurationFaults(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(file, []byte("server:\n  lissten: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, x := range map[string]struct {
		env, args []string
		says      string
	}{
		"unknown key":        {nil, []string{"serve", "--config", file}, "bad.yaml:2: server.lissten is not a setting"},
		"bad address":        {nil, []string{"serve", "--listen", "nonsense"}, "server.listen"},
		"short key":          {[]string{"STRATA_ADMIN_KEY=short"}, []string{"serve"}, "admin.key"},
		"unknown subcommand": {nil, []string{"nonsense"}, "nonsense"},
		"unknown flag":       {nil, []string{"serve", "--nonsense"}, "nonsense"},
	} {
		out, err := strata(t, x.env, x.args...)
		if err == nil || !strings.Contains(out, x.says) {
			t.Errorf("%s: %v, says %q", name, err, out)
		}
	}
	out, err := strata(t, []string{"STRATA_ADMIN_KEY=a-very-secret-key-indeed", "STRATA_LISSTEN=x"}, "config", "--listen", "127.0.0.1:1")
	if err != nil || strings.Contains(out, "very-secret") || !strings.Contains(out, "flag --listen") {
		t.Errorf("config: %v\n%s", err, out)
	}
	if out, err := strata(t, nil, "version"); err != nil || strings.TrimSpace(out) == "" {
		t.Errorf("version: %v %q", err, out)
	}
}

func TestTools(t *testing.T) {
	s := kit.Start(t, kit.Options{})
	c := newTenant(t, s)
	for range 20 {
		c.Create(t, "/v1/sessions", object{})
	}
	if out, err := s.Tool(t.Context(), "verify"); err == nil {
		t.Errorf("verify looks at a log that is in use: %s", out)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if out, err := s.Tool(t.Context(), "verify"); err != nil {
		t.Errorf("verify: %v\n%s", err, out)
	}
	for _, args := range [][]string{{"rebuild", "sessions", "--compare"}, {"rebuild", "sessions"}, {"rebuild", "sessions", "--compare"}} {
		if out, err := s.Tool(t.Context(), args...); err != nil {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
	if _, err := s.Tool(t.Context(), "rebuild", "nobody"); err == nil {
		t.Error("an unknown read model is rebuilt")
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	c.HTTP.CloseIdleConnections()
	c.Get(t, "/v1/sessions?limit=100").Want("count", 20)

	// A byte of the log that changes is found.
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	logs, err := filepath.Glob(filepath.Join(s.DataDir, "log", "*.log"))
	if err != nil || len(logs) == 0 {
		t.Fatalf("no log files: %v", err)
	}
	text, err := os.ReadFile(logs[0])
	if err != nil {
		t.Fatal(err)
	}
	text[700] ^= 1
	if err := os.WriteFile(logs[0], text, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := s.Tool(t.Context(), "verify"); err == nil || !strings.Contains(out, filepath.Base(logs[0])) {
		t.Errorf("verify does not see the damage: %v\n%s", err, out)
	}
}
