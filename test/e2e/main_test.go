//go:build e2e

// Package e2e drives the real server from outside, every operation of it, as
// the API's documents describe them. Most tests share one server and have a
// workspace of their own; those that need another start, a restart or a fault
// run a server of their own.
package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"strata/gateway/gatewaytest"
	"strata/test/kit"
)

// clickHouseDeadline is how long the analytics engine may take to start, and
// visible how long a call may take to be seen in the inference log.
const (
	clickHouseDeadline = time.Minute
	visible            = time.Minute
)

var shared *kit.Server

func TestMain(m *testing.M) { os.Exit(run(m)) }

// atVariable holds the address of an installation that runs already and has the
// kit's admin key: the tests that share a server use it in place of one of their own.
const atVariable = "STRATA_E2E_URL"

// oneProcess skips what does not hold for a cluster behind an edge.
func oneProcess(t *testing.T, why string) {
	t.Helper()
	if onCluster() {
		t.Skip(why)
	}
}

// onCluster tells whether the shared server may be several.
func onCluster() bool { return os.Getenv(atVariable) != "" }

func run(m *testing.M) int {
	if url := os.Getenv(atVariable); url != "" {
		shared = kit.At(url)
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "strata-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	shared, err = kit.New(kit.Options{
		DataDir: filepath.Join(dir, "data"),
		Env:     []string{"STRATA_RATE_LIMIT_ANONYMOUS_KEY=0"}, // many tests come from this address without a key
	})
	if err == nil {
		err = shared.Start()
	}
	if err == nil {
		err = shared.WaitClickHouse(clickHouseDeadline)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		if shared != nil {
			_ = shared.Kill() // or it would outlive the tests
		}
		return 1
	}
	code := m.Run()
	if err := shared.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop the shared server:", err)
		code = 1
	}
	if code != 0 {
		fmt.Fprintf(os.Stderr, "the end of the shared server's log:\n%s\n", shared.LogTail(80))
	}
	return code
}

// tenant is a workspace with a key that may do everything in it.
type tenant struct {
	*kit.Client
	Organization, Workspace, KeyID, Key string
}

var workspaces = struct {
	sync.Mutex
	n int
}{}

// newTenant makes a workspace on a server.
func newTenant(t *testing.T, s *kit.Server) tenant {
	t.Helper()
	admin := s.Client()
	org := admin.Get(t, "/api/v1/auth/whoami").Str("data.organization.id")
	workspaces.Lock()
	workspaces.n++
	name := fmt.Sprintf("Workspace %d of %d", workspaces.n, os.Getpid())
	workspaces.Unlock()
	ws := admin.Create(t, "/api/v1/organizations/"+org+"/workspaces", map[string]any{"name": name}).Str("data.id")
	key := admin.Create(t, "/api/v1/user/api-keys", map[string]any{"name": t.Name(), "workspaceId": ws, "rateLimitTier": "enterprise"})
	secret := key.Str("data.key")
	return tenant{s.ClientFor(secret), org, ws, key.Str("data.id"), secret}
}

// onShared is a workspace on the shared server.
func onShared(t *testing.T) tenant { t.Helper(); return newTenant(t, shared) }

// object is a JSON object.
type object = map[string]any

// prices of the models that tests provide: a micro-dollar per token in, ten per
// token out.
var prices = object{"*": object{"input": 1, "output": 10, "max_output_tokens": 100}}

// provide configures a provider with a programmable server behind it and
// returns the server. Its models are "<name>/m".
func (c tenant) provide(t *testing.T, name string) *gatewaytest.Upstream {
	t.Helper()
	up := gatewaytest.NewUpstream(t)
	c.Create(t, "/api/v1/providers", object{
		"name": name, "type": "openai_compatible", "baseUrl": up.URL, "apiKey": "sk-upstream", "models": []string{"m"},
		"config": object{"prices": prices},
	})
	return up
}

// say is the body of a chat completion.
func say(model, text string, more ...any) object {
	body := object{"model": model, "messages": []object{{"role": "user", "content": text}}}
	for i := 0; i+1 < len(more); i += 2 {
		body[more[i].(string)] = more[i+1]
	}
	return body
}

const chatPath = "/openai/v1/chat/completions"
