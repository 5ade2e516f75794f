//go:build e2e

// Package sdk runs programs of others against the real server, unmodified: the
// official OpenAI packages for Node and Python, with the models that are built in
// and with a provider, and the Model Context Protocol's example server.
package sdk

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"strata/gateway/gatewaytest"
	"strata/test/kit"
)

// environment starts a server with a provider and keys in the states that the
// programs look for, and returns the variables that they read.
func environment(t *testing.T) []string {
	t.Helper()
	server := kit.Start(t, kit.Options{Env: []string{"STRATA_RATE_LIMIT_FREE_KEY=1"}})
	admin := server.Client()
	admin.Create(t, "/api/v1/providers", map[string]any{
		"name": "mock", "type": "openai_compatible", "baseUrl": gatewaytest.NewUpstream(t).URL, "apiKey": "sk-mock",
		"models": []string{"hello"}, "config": map[string]any{"prices": map[string]any{
			"hello": map[string]any{"input": 1, "output": 10, "max_output_tokens": 100},
		}},
	})
	key := func(name, tier string) (id, secret string) {
		a := admin.Create(t, "/api/v1/user/api-keys", map[string]any{"name": name, "rateLimitTier": tier})
		return a.Str("data.id"), a.Str("data.key")
	}
	poor, quotaKey := key("poor", "enterprise")
	admin.Create(t, "/api/v1/budgets", map[string]any{
		"name": "nothing", "scopeType": "api_key", "scopeId": poor, "limitUsd": 0.000001, "period": "total",
	})
	_, rateKey := key("limited", "free")
	server.ClientFor(rateKey).Get(t, "/openai/v1/models") // the one request it has
	return append(os.Environ(),
		"BASE_URL="+server.URL+"/openai/v1", "API_KEY="+kit.AdminKey, "MODEL=mock/hello",
		"QUOTA_KEY="+quotaKey, "RATE_KEY="+rateKey, "STORE="+stocked(t, admin))
}

// stocked makes a knowledge base with three documents and returns its id.
func stocked(t *testing.T, admin *kit.Client) string {
	t.Helper()
	base := admin.Create(t, "/v1/knowledge-bases", object{"name": "Handbook"}).Str("id")
	for name, text := range map[string]object{
		"refunds":   {"content": "A refund takes five working days. Nobody pays for it.", "metadata": object{"lang": "en", "year": 2025}},
		"hours":     {"content": "The shop opens at nine in the morning. On Sundays it is closed.", "metadata": object{"lang": "en", "year": 2026}},
		"parkplatz": {"content": "Vor dem Laden darf man zwei Stunden parken.", "metadata": object{"lang": "de", "year": 2026}},
	} {
		text["name"] = name
		admin.Do(t, http.StatusAccepted, "POST", "/v1/knowledge-bases/"+base+"/texts", text)
	}
	kit.Eventually(t, time.Minute, "the knowledge base is ready", func() error {
		if a := admin.Get(t, "/v1/knowledge-bases/"+base); a.Str("status") != "ready" || a.Int("document_count") != 3 {
			return fmt.Errorf("it is %s", a.Short())
		}
		return nil
	})
	return base
}

// run runs a program of another language; its output is the test's.
func run(t *testing.T, env []string, dir, program string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir, cmd.Env = dir, env
	out, err := cmd.CombinedOutput()
	t.Logf("%s %v\n%s", filepath.Base(program), args, out)
	if err != nil {
		t.Errorf("%s: %v", filepath.Base(program), err)
	}
}

func TestNode(t *testing.T) {
	run(t, environment(t), "node", "node", "--test", "openai.test.mjs")
}

func TestPython(t *testing.T) {
	root, err := kit.Root()
	if err != nil {
		t.Fatal(err)
	}
	python := filepath.Join(root, ".cache", "venv", "bin", "python")
	if _, err := os.Stat(python); err != nil {
		t.Fatalf("make sdk prepares the Python environment: %v", err)
	}
	run(t, environment(t), "python", python, "-W", "error::ResourceWarning", "-m", "unittest", "-v", "test_openai")
}
