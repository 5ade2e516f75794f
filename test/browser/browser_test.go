//go:build e2e

// Package browser runs the console's browser tests (web/e2e) against the real
// server, with some traffic to look at.
package browser

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

type object = map[string]any

func TestConsole(t *testing.T) {
	root, err := kit.Root()
	if err != nil {
		t.Fatal(err)
	}
	server := kit.Start(t, kit.Options{})
	if err := server.WaitClickHouse(time.Minute); err != nil {
		t.Fatal(err)
	}
	traffic(t, server.Client())
	cmd := exec.CommandContext(t.Context(), "npm", "run", "e2e")
	cmd.Dir = filepath.Join(root, "web")
	cmd.Env = append(os.Environ(), "BASE_URL="+server.URL, "API_KEY="+kit.AdminKey)
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("npm run e2e: %v", err)
	}
}

// traffic makes calls of several models, apps and users, some of which fail.
func traffic(t *testing.T, c *kit.Client) {
	t.Helper()
	up := gatewaytest.NewUpstream(t)
	models := []string{"small", "large", "vision"}
	c.Create(t, "/api/v1/providers", object{
		"name": "acme", "type": "openai_compatible", "baseUrl": up.URL, "models": models,
		"config": object{"prices": object{
			"small": object{"input": 200, "output": 800}, "large": object{"input": 3000, "output": 15000}, "vision": object{"input": 900, "output": 2500},
		}},
	})
	c.Create(t, "/api/v1/apps", object{"name": "Support Bot", "type": "chat", "status": "published", "config": object{"model": "acme/small"}})
	c.Create(t, "/api/v1/budgets", object{"name": "Whole workspace", "scopeType": "workspace", "limitUsd": 20, "period": "monthly"})
	for i := range 90 {
		want := http.StatusOK
		if i%15 == 14 {
			want = http.StatusBadRequest
			up.Next(gatewaytest.Error(want, "the request is too long", "messages", "context_length_exceeded"))
		} else {
			up.Next(gatewaytest.Answer("The shop opens at nine in the morning and closes at six."))
		}
		c.Do(t, want, "POST", "/openai/v1/chat/completions", object{
			"model": "acme/" + models[i*i%7%3], "user": fmt.Sprint("user-", i%9), "max_tokens": 40,
			"messages": []object{{"role": "user", "content": fmt.Sprintf("Question %d: when does the shop open?", i)}},
		})
	}
}
