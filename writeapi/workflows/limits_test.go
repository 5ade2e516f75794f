package workflows_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"strata/domain/workflowrun"
)

// facts are the facts of a run that are of a type, as they are in the log.
func facts[F any](w *world, id string) (out []F) {
	w.t.Helper()
	sub, err := w.store.Subscribe(context.Background(), 0, nil)
	ok(w.t, err)
	defer func() { ok(w.t, sub.Close()) }()
	head, err := w.store.Head(context.Background())
	ok(w.t, err)
	for {
		b, err := sub.Next(context.Background(), 1024)
		ok(w.t, err)
		for _, r := range b.Events {
			e, err := w.codec.Decode(r)
			ok(w.t, err)
			if f, is := e.Fact.(F); is && r.Stream.Key() == id {
				out = append(out, f)
			}
			if r.Position >= head {
				return out
			}
		}
	}
}

// Whatever a node does, its time ends it, and it fails with TIMEOUT.
func TestNodesEndInTime(t *testing.T) {
	w := newWorld(t)
	h, stop := w.process(func(*mortal) {})
	defer stop()
	for name, c := range map[string]struct {
		node, want string
		tries      int // that failed; 0: that depends on how far they came
	}{
		"http":    {`{"type":"http","timeout_ms":20,"config":{"url":"http://x/slow"}}`, `failed a `, 1},
		"again":   {`{"type":"http","timeout_ms":20,"retry":{"max_attempts":3},"config":{"url":"http://x/slow"}}`, `failed a `, 3},
		"search":  {`{"type":"knowledge","timeout_ms":20,"retry":{"max_attempts":2},"config":{"dataset_ids":["slow"],"query":"x"}}`, `failed a `, 2},
		"tool":    {`{"type":"tool","timeout_ms":20,"config":{"tool":"mcp:s/x","repeatable":true,"arguments":{"expression":"slow"}},"retry":{"max_attempts":2}}`, `failed a `, 2},
		"once":    {`{"type":"tool","timeout_ms":20,"config":{"tool":"mcp:s/x","arguments":{"expression":"slow"}},"retry":{"max_attempts":2}}`, `failed a `, 0},
		"agent":   {`{"type":"agent","timeout_ms":20,"config":{"agent":"slow","message":"agent"},"retry":{"max_attempts":2}}`, `failed a `, 2},
		"wait":    {`{"type":"wait","timeout_ms":20,"config":{"duration_ms":3600000}}`, `failed a the node took longer than its timeout_ms`, 1},
		"human":   {`{"type":"human","timeout_ms":20,"retry":{"max_attempts":2}}`, `failed a nobody decided in time`, 2},
		"compute": {`{"type":"transform","timeout_ms":1,"config":{"expression":"sum(map(1..90000, # * 2))"}}`, `failed a the node took longer than its timeout_ms`, 1},
		"loop":    {`{"type":"loop","timeout_ms":20,"config":{"items":"1..3","do":{"type":"http","config":{"url":"http://x/slow"}}}}`, `failed a `, 1},
		"agents":  {`{"type":"parallel","timeout_ms":20,"config":{"items":"1..3","do":{"type":"agent","config":{"agent":"slow","message":"agents"}}}}`, `failed a the node took longer than its timeout_ms: 0 of its 3 items had ended`, 1},
		"item":    {`{"type":"loop","config":{"items":"1..2","continue_on_error":true,"do":{"type":"http","timeout_ms":20,"config":{"url":"http://x/{{item == 1 ? 'slow' : 'ab'}}"}}}}`, `{"a":[{"error":{"code":"TIMEOUT",`, 0},
		"in time": {`{"type":"http","timeout_ms":3600000,"config":{"url":"http://x/ab"}}`, `{"a":{"body":21,`, 0},
	} {
		id := "run_" + strings.ReplaceAll(name, " ", "_")
		w.start(h, id, one(t, c.node))
		if got := w.ended(h, id); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		tries := 0
		for _, f := range facts[workflowrun.StepFailed](w, id) {
			if f.Step == "a" {
				tries++
			}
			if f.Error.Code != "TIMEOUT" {
				t.Errorf("%s: failed with %s", name, f.Error.Code)
			}
		}
		if c.tries > 0 && tries != c.tries {
			t.Errorf("%s: %d tries failed, want %d", name, tries, c.tries)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.keys["cancelled"]); n < 2 || n > 5 { // an item whose agent had no time to be started has nothing to cancel
		t.Errorf("%d runs of agents were cancelled: %v", n, w.keys["cancelled"])
	}
}

// The time of a node goes on while the process is away: what began before it went is
// late when it comes back, and is not done again.
func TestTimeGoesOnWhileTheProcessIsAway(t *testing.T) {
	const hour = `"timeout_ms":3600000`
	for name, c := range map[string]struct{ node, asked, want string }{
		"http":  {`{"type":"http",` + hour + `,"config":{"url":"http://x/slow"}}`, "/slow", `failed a the node took longer than its timeout_ms`},
		"agent": {`{"type":"agent",` + hour + `,"config":{"agent":"slow","message":"x"}}`, `agent/slow{"message":"x"}`, `failed a the agent's run was cancelled: it took longer than the node's timeout_ms allows`},
		"item":  {`{"type":"loop",` + hour + `,"config":{"items":"[1]","do":{"type":"http","config":{"url":"http://x/slow"}}}}`, "/slow", `failed a the node took longer than its timeout_ms: 0 of its 1 items had ended`},
	} {
		w := newWorld(t)
		h, stop := w.process(func(*mortal) {})
		w.start(h, "run_1", one(t, c.node))
		w.until(h, func(*workflowrun.State) bool { w.mu.Lock(); defer w.mu.Unlock(); return len(w.keys[c.asked]) > 0 })
		stop()
		w.ahead = 2 * time.Hour
		h, stop = w.process(func(*mortal) {})
		got := w.ended(h, "run_1")
		stop()
		asked := 0
		for _, n := range w.keys[c.asked] {
			asked += n
		}
		if !strings.HasPrefix(got, c.want) || asked != 1 {
			t.Errorf("%s: %s, want %s; asked %d times", name, got, c.want, asked)
		}
		if cancelled := len(w.keys["cancelled"]) == 1; cancelled != (name == "agent") {
			t.Errorf("%s: cancelled %v", name, w.keys["cancelled"])
		}
	}
}

// A run that is late as a whole fails, and so does one that was late already when the
// process came back.
func TestRunsEndInTime(t *testing.T) {
	w := newWorld(t)
	d := one(t, `{"type":"agent","config":{"agent":"slow","message":"x"}}`)
	d.Config = map[string]any{"timeout_ms": 3600000}
	h, stop := w.process(func(*mortal) {})
	w.start(h, "run_1", d)
	w.until(h, func(s *workflowrun.State) bool {
		st := s.Steps["a"]
		return st != nil && st.Phase == workflowrun.Opened
	})
	stop()
	w.ahead = 2 * time.Hour
	h, stop = w.process(func(*mortal) {})
	defer stop()
	if got := w.ended(h, "run_1"); got != "failed  the run took longer than its workflow allows" {
		t.Errorf("it came to %s", got)
	}
	w.until(h, func(s *workflowrun.State) bool { return !s.Unfinished() })
	if len(w.keys["cancelled"]) != 1 {
		t.Errorf("cancelled %v", w.keys["cancelled"])
	}
}
