//go:build e2e

package cluster

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"strata/test/cluster/topology"
	"strata/test/kit"
)

// caller calls a model that costs nothing, all the time, and remembers which
// calls were answered.
type caller struct {
	mu       sync.Mutex
	answered []string // ids of their records
}

func (c *caller) call(ctx context.Context, client *kit.Client, stop <-chan struct{}) {
	for {
		try, cancel := context.WithTimeout(ctx, 5*time.Second)
		res, err := client.Call(try, http.MethodPost, "/openai/v1/embeddings", object{"model": "strata/embed-1", "input": "hello"})
		cancel()
		if err == nil && res.Status == http.StatusOK {
			c.mu.Lock()
			c.answered = append(c.answered, res.Header.Get("Strata-Inference-Id"))
			c.mu.Unlock()
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-stop:
			return
		}
	}
}

func (c *caller) ids() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.answered[:len(c.answered):len(c.answered)]
}

// progress waits until more calls have been answered.
func (c *caller) progress(t *testing.T) {
	t.Helper()
	before := len(c.ids())
	kit.Eventually(t, settled, "calls go on", func() error {
		if n := len(c.ids()); n < before+3 {
			return fmt.Errorf("%d were answered, now %d", before, n)
		}
		return nil
	})
}

// checkCalls looks for every call that was answered: it is one row in ClickHouse,
// and the lanes that brought it there have nothing left to do.
func checkCalls(t *testing.T, c *topology.Cluster, l *load) {
	t.Helper()
	ids := l.caller.ids()
	if len(ids) == 0 {
		t.Error("no call was answered: that proves nothing")
	}
	for _, node := range c.Readers {
		kit.Eventually(t, settled, "every answered call is in ClickHouse once", func() error {
			rows, err := loggedCalls(t.Context(), node.Client())
			if err != nil {
				return err
			}
			for _, id := range ids {
				if rows[id] != 1 {
					return fmt.Errorf("call %q of %d that were answered has %d rows; there are %d calls", id, len(ids), rows[id], len(rows))
				}
			}
			for id, n := range rows {
				if n != 1 {
					return fmt.Errorf("call %s has %d rows", id, n)
				}
			}
			return nil
		})
	}
	t.Logf("%d answered calls are in ClickHouse, once each", len(ids))
	if c.Kafka == nil {
		return
	}
	kit.Eventually(t, settled, "lanes that have written everything", func() error { return idle(t.Context(), c) })
}

// loggedCalls counts the rows of every call that a node shows.
func loggedCalls(ctx context.Context, node *kit.Client) (map[string]int, error) {
	rows := map[string]int{}
	for page := 1; ; page++ {
		a, err := node.Call(ctx, http.MethodGet, fmt.Sprintf("/v1/inference-logs?page=%d&page_size=100", page), nil)
		if err != nil || a.Status != http.StatusOK {
			return nil, fmt.Errorf("inference log: %w %v", err, a)
		}
		data, _ := a.Lookup("data")
		items, _ := data.([]any)
		for i := range items {
			id, _ := a.Lookup(fmt.Sprintf("data.%d.id", i))
			rows[fmt.Sprint(id)]++
		}
		if more, _ := a.Lookup("has_more"); more != true {
			return rows, nil
		}
	}
}

// idle tells whether the nodes that project share all partitions, and each is
// written to its end.
func idle(ctx context.Context, c *topology.Cluster) error {
	owners := map[int]int{}
	for _, node := range c.Projectors {
		_, r, err := node.Readiness(ctx)
		if err != nil {
			return err
		}
		lanes := r.Components.Lanes
		if lanes.State != "active" {
			return fmt.Errorf("lanes of %s: %+v", node.DataDir, lanes)
		}
		for _, lane := range lanes.Lanes {
			owners[lane.Partition]++
			if lane.State != "copying" || lane.Lag != 0 || owners[lane.Partition] > 1 {
				return fmt.Errorf("a lane of %s: %+v", node.DataDir, lane)
			}
		}
	}
	return kit.Differ("partitions that somebody writes", len(owners), partitions)
}

// partitions are those of the topic that calls go over, as nobody has set them.
const partitions = 6
