package workflows_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"strata/commands"
	"strata/domain"
	"strata/domain/agentrun"
	"strata/domain/workflow"
	"strata/domain/workflowrun"
	"strata/writeapi/workflows"
)

// StartChild implements workflows.Agents: an agent has done what it is told before
// the step that has started it can know, but for the one that is slow.
func (w *world) StartChild(ctx context.Context, req commands.Request, child workflows.AgentChild) (string, error) {
	h := w.handler.Load()
	id := h.NewID(agentrun.Aggregate.Prefix, req)
	w.note("agent/"+child.Agent+string(child.Input), req.IdempotencyKey)
	if child.Depth != 1 || child.Subject == "" || child.Parent.Run == "" {
		return "", fmt.Errorf("started %+v", child)
	}
	if child.Agent == "slow" {
		return id, nil
	}
	end := workflowrun.ChildEnded{Step: child.Parent.Step, Run: id, Status: workflowrun.StatusCompleted, Outputs: json.RawMessage(`{"did":` + string(child.Input) + `}`),
		Usage: workflowrun.Usage{Prompt: 2}, Cost: 3}
	if child.Agent == "broken" {
		end.Status, end.Outputs, end.Error = workflowrun.StatusFailed, nil, &workflowrun.Failure{Code: "TIMEOUT", Message: "too late"}
	}
	_, err := commands.Run[workflowrun.State, struct{}](ctx, h, workflowrun.Aggregate, commands.Request{Principal: somebody, ID: child.Parent.Run}, workflowrun.EndChild{ChildEnded: end}, nil)
	return id, err
}

// CancelChild implements workflows.Agents.
func (w *world) CancelChild(_ context.Context, req commands.Request, _ string) error {
	w.note("cancelled", req.ID)
	return nil
}

func one(t *testing.T, node string) (d workflow.Definition) {
	t.Helper()
	ok(t, json.Unmarshal([]byte(`{"nodes":[`+strings.Replace(node, "{", `{"id":"a",`, 1)+`]}`), &d))
	return d
}

func TestAgentNodes(t *testing.T) {
	w := newWorld(t)
	h, stop := w.process(func(*mortal) {})
	defer stop()
	for name, c := range map[string]struct{ node, want string }{
		"message": {`{"type":"agent","config":{"agent":"clerk","message":"n is {{inputs.n}}"}}`, `{"a":{"did":{"message":"n is 2"}}}`},
		"input":   {`{"type":"agent","config":{"agent":"clerk","input":{"n":"{{inputs.n}}"}}}`, `{"a":{"did":{"n":2}}}`},
		"broken":  {`{"type":"agent","config":{"agent":"broken","message":"x"}}`, `failed a the agent's run was failed: too late`},
		"items": {`{"type":"parallel","config":{"items":"1..3","do":{"type":"agent","config":{"agent":"clerk","input":{"i":"{{item}}"}}}}}`,
			`{"a":[{"did":{"i":1}},{"did":{"i":2}},{"did":{"i":3}}]}`},
	} {
		w.start(h, "run_"+name, one(t, c.node))
		if got := w.ended(h, "run_"+name); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	usage, err := commands.Load(t.Context(), h, workflowrun.Aggregate, somebody, "run_items", func(l *commands.Loaded[workflowrun.State]) string {
		return fmt.Sprint(l.State.Usage.Prompt, l.State.Cost)
	})
	if ok(t, err); usage != "6 9" {
		t.Errorf("the run counts %s of its agents' tokens and cost", usage)
	}
}

// A run that is cancelled while a step starts another leaves nothing running: it is
// found by the key that the step starts it with, whether the step was known to wait
// for it or not.
func TestNothingIsLeftRunning(t *testing.T) {
	for name, node := range map[string]string{"node": `{"type":"agent","config":{"agent":"slow","message":"x"}}`,
		"item": `{"type":"loop","config":{"items":"[1]","do":{"type":"agent","config":{"agent":"slow","message":"x"}}}}`} {
		for _, opened := range []bool{false, true} {
			w := newWorld(t)
			reached, closed := make(chan struct{}), false
			h, stop := w.process(func(m *mortal) {
				w.mu.Lock()
				defer w.mu.Unlock()
				if len(w.keys) == 0 || closed {
					return
				}
				if opened {
					return
				}
				closed = true
				m.dead.Store(true)
				close(reached)
			})
			w.start(h, "run_1", one(t, node))
			if opened {
				w.until(h, func(s *workflowrun.State) bool {
					for _, st := range s.Steps {
						if st.Phase == workflowrun.Opened && st.Open.Awaits == workflowrun.Child {
							return true
						}
					}
					return false
				})
			} else {
				<-reached
			}
			stop()
			h, stop = w.process(func(*mortal) {})
			_, err := commands.Run[workflowrun.State, struct{}](t.Context(), h, workflowrun.Aggregate, commands.Request{Principal: somebody, ID: "run_1"}, workflowrun.Cancel{}, nil)
			ok(t, err)
			w.until(h, func(s *workflowrun.State) bool { return !s.Unfinished() })
			var child string
			for id := range w.keys["cancelled"] {
				child = id
			}
			if !domain.HasPrefix(child, agentrun.Aggregate.Prefix) || len(w.keys["cancelled"]) != 1 {
				t.Errorf("%s, opened %v: cancelled %v", name, opened, w.keys["cancelled"])
			}
			stop()
		}
	}
}
