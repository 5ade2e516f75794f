//go:build e2e

// Package cluster troubles a whole distributed Strata under load: processes are
// killed, paused and cut off from the log one after another, and afterwards
// nothing that was acknowledged may be missing anywhere, and no budget overspent.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"strata/gateway/gatewaytest"
	"strata/test/cluster/topology"
	"strata/test/kafka/broker"
	"strata/test/kafka/follower"
	"strata/test/kit"
)

// settled is how long nodes may take to agree once everything runs again.
const settled = time.Minute

func TestTroubledCluster(t *testing.T) {
	wires := map[string]*wire{}
	root, err := kit.Root()
	if err != nil {
		t.Fatal(err)
	}
	_, engine := os.Stat(filepath.Join(root, "deploy", "engine", "node_modules"))
	dir := t.TempDir()
	noKafka := broker.Available()
	if noKafka != nil {
		t.Logf("without Kafka and relays: %v", noKafka)
	}
	c, err := topology.Start(topology.Options{Dir: dir, ClickHouse: engine == nil, Kafka: noKafka == nil, LogAddress: func(node, address string) (string, error) {
		w, err := newWire(t, address)
		if err != nil {
			return "", err
		}
		wires[node] = w
		return w.listener.Addr().String(), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, s := range c.Nodes() {
			_ = s.Resume() // one that is paused cannot stop
		}
		if err := c.Stop(); err != nil {
			t.Errorf("stop the cluster: %v", err)
		}
		if t.Failed() {
			for _, s := range append(c.Nodes(), c.Log, c.Edge) {
				t.Logf("the end of the log of %s:\n%s", s.DataDir, s.LogTail(15))
			}
		}
	})
	budget := provide(t, c.Edge)
	var topics *follower.Follower
	if c.Kafka != nil {
		topics = follow(t, c)
	}
	l := startLoad(t, c.Edge, c.Edge.Client())
	l.progress(t)
	for _, trouble := range []struct {
		name       string
		begin, end func() error
	}{
		{"a node that writes is killed", c.Writers[0].Kill, c.Writers[0].Start},
		{"a node that writes is paused", c.Writers[1].Pause, c.Writers[1].Resume},
		{"a node that writes is cut off from the log", cut(wires["write-1"], true), cut(wires["write-1"], false)},
		{"a node that reads is killed", c.Readers[0].Kill, c.Readers[0].Start},
		{"a node that reads is paused", c.Readers[1].Pause, c.Readers[1].Resume},
		{"a node that reads is cut off from the log", cut(wires["read-2"], true), cut(wires["read-2"], false)},
		{"the edge is killed", func() error { return errors.Join(c.Edge.Kill(), c.Edge.Start()) }, func() error { return nil }},
	} {
		t.Log(trouble.name)
		if err := trouble.begin(); err != nil {
			t.Fatal(err)
		}
		l.progress(t) // the others go on
		if err := trouble.end(); err != nil {
			t.Fatal(err)
		}
	}
	duties := post{"is on duty", c.Projectors, func(r kit.Readiness) bool { return len(r.Components.Reactors) > 0 }}
	duties.move(t, "killed", (*kit.Server).Kill, (*kit.Server).Start)
	duties.move(t, "paused", (*kit.Server).Pause, (*kit.Server).Resume)
	l.progress(t)
	if c.Kafka != nil {
		troubleKafka(t, c, l, topics)
	}
	t.Log("the server of the log is killed")
	if err := errors.Join(c.Log.Kill(), c.Log.Start()); err != nil {
		t.Fatal(err)
	}
	l.progress(t)
	l.end()
	check(t, c, l, budget)
	if c.ClickHouse != nil {
		checkCalls(t, c, l)
	}
	if c.Kafka != nil {
		checkKafka(t, c, topics)
	}
}

// post is what one of two nodes does at a time.
type post struct {
	name  string
	nodes []*kit.Server
	held  func(kit.Readiness) bool
}

// move troubles the node that holds the post and waits until the other does.
func (p post) move(t *testing.T, how string, begin, end func(*kit.Server) error) {
	t.Helper()
	var holder, other *kit.Server
	kit.Eventually(t, settled, "a node "+p.name, func() error {
		for i, node := range p.nodes {
			if p.holds(t.Context(), node) {
				holder, other = node, p.nodes[1-i]
				return nil
			}
		}
		return errors.New("neither does")
	})
	t.Logf("the node that %s is %s", p.name, how)
	if err := begin(holder); err != nil {
		t.Fatal(err)
	}
	kit.Eventually(t, settled, "the other node "+p.name, func() error {
		if !p.holds(t.Context(), other) {
			return errors.New("it does not")
		}
		return nil
	})
	if err := end(holder); err != nil {
		t.Fatal(err)
	}
	kit.Eventually(t, settled, "only one node "+p.name, func() error {
		if p.holds(t.Context(), holder) {
			return errors.New("the one before does, too")
		}
		return nil
	})
}

func (p post) holds(ctx context.Context, s *kit.Server) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	_, r, err := s.Readiness(ctx)
	return err == nil && p.held(r)
}

func cut(w *wire, off bool) func() error {
	return func() error { w.set(off); return nil }
}

// limit is the budget's, in micro-dollars; a call costs 60 of them.
const limit = 2_011

// provide makes a model to call and a budget that it is paid from.
func provide(t *testing.T, edge *kit.Server) (budget string) {
	t.Helper()
	c := edge.Client()
	up := gatewaytest.NewUpstream(t)
	up.Always(gatewaytest.Answer("one two three four five"))
	c.Create(t, "/api/v1/providers", object{"name": "p", "type": "openai_compatible", "baseUrl": up.URL, "apiKey": "sk-upstream", "models": []string{"m"},
		"config": object{"prices": object{"*": object{"input": 1, "output": 10, "max_output_tokens": 100}}}})
	b := c.Create(t, "/api/v1/budgets", object{"name": "tight", "scopeType": "workspace", "limitUsd": float64(limit) / 1e6, "period": "total"})
	return "/api/v1/budgets/" + b.Str("data.id")
}

// check compares every node with what was acknowledged, and the ledger with its limit.
func check(t *testing.T, c *topology.Cluster, l *load, budget string) {
	t.Helper()
	total := int64(0)
	for _, a := range l.authors {
		total += a.acked.Load()
		for _, node := range c.Readers {
			kit.Eventually(t, settled, "a node shows every acknowledged event", func() error { return a.whole(t.Context(), node.Client()) })
		}
	}
	t.Logf("%d events acknowledged, %d calls answered, %d refused", total, l.answered.Load(), l.refused.Load())
	if l.answered.Load() == 0 || l.refused.Load() == 0 {
		t.Error("the budget's limit was not reached: that proves nothing")
	}
	for _, node := range c.Readers {
		kit.Eventually(t, settled, "the ledger holds what was called", func() error { return ledger(t.Context(), node.Client(), budget, l, c.ClickHouse != nil) })
	}
}

// ledger checks a budget as one node shows it.
func ledger(ctx context.Context, node *kit.Client, budget string, l *load, counted bool) error {
	b, err := node.Call(ctx, http.MethodGet, budget, nil)
	if err != nil || b.Status != http.StatusOK {
		return fmt.Errorf("budget: %w %v", err, b)
	}
	spent, err := micro(b, "data.spentUsd")
	if err != nil {
		return err
	}
	reserved, err := micro(b, "data.reservedUsd")
	if err != nil {
		return err
	}
	if spent+reserved > limit {
		return fmt.Errorf("overspent: %d and %d reserved of %d", spent, reserved, limit)
	}
	if least := 60 * l.answered.Load(); spent < least {
		return fmt.Errorf("%d spent, but calls for %d were answered", spent, least)
	}
	if !counted {
		return nil
	}
	var sum int64
	for page := 1; ; page++ {
		a, err := node.Call(ctx, http.MethodGet, fmt.Sprintf("/v1/inference-logs?page=%d&page_size=100", page), nil)
		if err != nil || a.Status != http.StatusOK {
			return fmt.Errorf("inference log: %w %v", err, a)
		}
		data, _ := a.Lookup("data")
		items, _ := data.([]any)
		for i := range items {
			cost, err := micro(a, fmt.Sprintf("data.%d.cost_usd", i))
			if err != nil {
				return err
			}
			sum += cost
		}
		if more, _ := a.Lookup("has_more"); more != true {
			return kit.Differ("what ClickHouse counts", sum, spent)
		}
	}
}

func micro(a *kit.Answer, path string) (int64, error) {
	v, ok := a.Lookup(path)
	number, isNumber := v.(interface{ Float64() (float64, error) })
	if !ok || !isNumber {
		return 0, fmt.Errorf("%s has no %s: %s", a.Request, path, a.Short())
	}
	f, err := number.Float64()
	return int64(f*1e6 + 0.5), err
}
