//go:build e2e

package kafka_test

import (
	"fmt"
	"testing"

	"strata/internal/clickhouse"
	"strata/internal/clickhouse/clickhousetest"
	"strata/test/kit"
)

type object = map[string]any

// TestServeOverKafka runs the whole server with calls that reach a ClickHouse
// server over Kafka: every call is in the inference log once, also after a
// kill, and a person's are erased.
func TestServeOverKafka(t *testing.T) {
	b := start(t, false)
	engine := clickhousetest.Serve(t, clickhouse.Standalone{})
	s := kit.Start(t, kit.Options{Env: []string{"STRATA_KAFKA_BROKERS=" + b.Address(), "STRATA_CLICKHOUSE_URL=http://" + engine.Address,
		"STRATA_CLICKHOUSE_OVER_KAFKA=true", "STRATA_CLICKHOUSE_FLUSH_INTERVAL=100ms"}})
	c := s.Client()
	call := func(n int) {
		t.Helper()
		for i := range n {
			c.Post(t, "/openai/v1/embeddings", object{"model": "strata/embed-1", "input": "hello", "user": fmt.Sprint("user-", i%2)}, "Strata-Tags", "told")
		}
	}
	logged := func(n int) {
		t.Helper()
		kit.Eventually(t, soon, fmt.Sprint(n, " calls in the log"), func() error {
			a, err := c.Call(t.Context(), "GET", "/v1/inference-logs/summary", nil)
			if err != nil {
				return err
			}
			got, _ := a.Lookup("total_calls") // nothing while the tables are made
			return kit.Differ("total_calls", got, n)
		})
	}
	call(20)
	logged(20)
	call(10)
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	call(10)
	logged(40)
	c.Get(t, "/v1/inference-logs?tag=told&user=user-1").Want("count", 20)
	// It is 202, or 200 when it is complete by then.
	asked, err := c.Call(t.Context(), "POST", "/api/v1/privacy/erasures", object{"subject": "user-1", "reason": "asked for it"})
	if err != nil {
		t.Fatal(err)
	}
	id, ok := asked.Lookup("data.id")
	if !ok {
		t.Fatalf("no erasure was begun: %d %s", asked.Status, asked.Short())
	}
	kit.Eventually(t, soon, "the erasure", func() error {
		a, err := c.Call(t.Context(), "GET", fmt.Sprint("/api/v1/privacy/erasures/", id), nil)
		if err != nil {
			return err
		}
		got, _ := a.Lookup("data.status")
		return kit.Differ("status", got, "completed")
	})
	c.Get(t, "/v1/inference-logs?tag=told&user=user-1").Want("count", 0)
	c.Get(t, "/v1/inference-logs?tag=told&user=user-0").Want("count", 20)
	logged(40)
	kit.Eventually(t, soon, "lanes that have written everything", func() error {
		_, r, err := s.Readiness(t.Context())
		if err != nil {
			return err
		}
		lanes := r.Components.Lanes
		if lanes.State != "active" || len(lanes.Lanes) == 0 {
			return fmt.Errorf("lanes: %+v", lanes)
		}
		for _, l := range lanes.Lanes {
			if l.State != "copying" || l.Lag != 0 {
				return fmt.Errorf("lane: %+v", l)
			}
		}
		return nil
	})
}
