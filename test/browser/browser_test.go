//go:build e2e

// Package browser runs the console's browser tests (web/e2e) against the real
// server, with some traffic to look at.
package browser

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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
	server := kit.Start(t, kit.Options{Env: []string{"STRATA_OUTBOUND_PRIVATE=127.0.0.0/8"}})
	if err := server.WaitClickHouse(time.Minute); err != nil {
		t.Fatal(err)
	}
	traffic(t, server.Client())
	laboratory(t, server.Client())
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

// clients is a table that can be learned, but for a few who do as they like.
func clients(seed uint64, n int) string {
	r := rand.New(rand.NewPCG(seed, 1))
	var b strings.Builder
	b.WriteString("age,plan,visits,churned\n")
	for range n {
		age, plan := 18+r.IntN(60), []string{"a", "b"}[r.IntN(2)]
		leaves := age > 50 || plan == "b" && age < 30
		fmt.Fprintf(&b, "%d,%s,%d,%v\n", age, plan, r.IntN(9), leaves != (r.IntN(8) == 0))
	}
	return b.String()
}

// laboratory trains two models and waits for both on the leaderboard. What it
// learned from stays, so that tests can train more.
func laboratory(t *testing.T, c *kit.Client) {
	t.Helper()
	bucket := kit.Bucket(t, map[string]string{"churn.csv": clients(1, 400), "later.csv": clients(2, 400), "latest.csv": clients(3, 300), "large.csv": clients(4, 20_000)})
	connector := c.Create(t, "/v1/connectors", object{"name": "churn data", "type": "aws-s3",
		"s3": object{"bucket": "data", "region": "us-east-1", "endpoint": bucket, "force_path_style": true}}).Str("id")
	model := c.Create(t, "/v1/data-models", object{"name": "Churn"}).Str("id")
	var benchmarks []string
	for name, file := range map[string]string{"Later": "later.csv", "Latest": "latest.csv"} {
		benchmarks = append(benchmarks, c.Create(t, "/v1/benchmarks", object{"name": name, "description": "of another quarter", "task": "binary_classification",
			"metrics":    []string{"accuracy", "f1", "precision", "recall", "roc_auc", "log_loss", "ks", "gini"},
			"connectors": []object{{"connector_id": connector, "files": []string{file}, "target": "churned"}}}).Str("id"))
	}
	for name, architecture := range map[string]string{"Straight": "logistic_regression", "Boosted": "gradient_boosted_trees"} {
		c.Create(t, "/v1/trainings", object{"name": name, "architecture": architecture, "data_model_id": model, "gpu_count": 0, "configuration": object{"epochs": 40},
			"benchmark_ids": benchmarks, "connectors": []object{{"connector_id": connector, "files": []string{"churn.csv"}, "target": "churned"}}})
	}
	kit.Eventually(t, 2*time.Minute, "two checkpoints on the leaderboard, on two benchmarks each", func() error {
		a, err := c.Call(t.Context(), "GET", "/v1/leaderboards", nil)
		if err == nil && strings.Count(string(a.Body), "evaluation_id") != 4 {
			err = fmt.Errorf("%s", a.Short())
		}
		return err
	})
}
