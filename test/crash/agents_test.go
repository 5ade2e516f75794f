//go:build e2e

package crash

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"strata/gateway/gatewaytest"
	"strata/test/kit"
)

// booth is a tool that must not be used twice for the same thing, on a server of
// its own that outlives the one that is killed.
type booth struct {
	URL string

	mu   sync.Mutex
	sold map[string]int           // by what was asked for
	hold map[string]chan struct{} // closed when somebody asks for this, who is not answered
}

type order struct {
	What string `json:"what"`
}

func newBooth(t *testing.T) *booth {
	t.Helper()
	b := &booth{sold: map[string]int{}, hold: map[string]chan struct{}{}}
	s := mcp.NewServer(&mcp.Implementation{Name: "booth", Version: "1"}, nil)
	mcp.AddTool(s, &mcp.Tool{Name: "buy", Description: "Buys a ticket."}, func(ctx context.Context, _ *mcp.CallToolRequest, in order) (*mcp.CallToolResult, any, error) {
		b.mu.Lock()
		b.sold[in.What]++
		asked := b.hold[in.What]
		delete(b.hold, in.What)
		b.mu.Unlock()
		if asked != nil {
			close(asked)
			<-ctx.Done()
			return nil, nil, ctx.Err()
		}
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "sold " + in.What}}}, nil, nil
	})
	server := httptest.NewServer(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s }, nil))
	t.Cleanup(func() {
		server.CloseClientConnections() // nobody waits for those who were killed
		server.Close()
	})
	b.URL = server.URL
	return b
}

func (b *booth) count(what string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sold[what]
}

// holdOn makes the next order of this hang, and tells when it has come.
func (b *booth) holdOn(what string) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hold[what] = make(chan struct{})
	return b.hold[what]
}

// clerk is a model that buys what it is asked for, and then says what it was told:
// it goes by the messages alone, as models do, however often it is asked.
func clerk(w http.ResponseWriter, r *gatewaytest.Request) {
	messages, _ := r.JSON["messages"].([]any)
	last, _ := messages[len(messages)-1].(object)
	if last["role"] == "tool" {
		gatewaytest.Answer(fmt.Sprintf("I was told: %v", last["content"]))(w, r)
		return
	}
	arguments, _ := json.Marshal(object{"what": last["content"]}) // a text always encodes
	body, _ := json.Marshal(object{"id": "x", "object": "chat.completion", "model": "m", "usage": object{"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8},
		"choices": []object{{"index": 0, "finish_reason": "tool_calls", "message": object{"role": "assistant", "content": nil, "tool_calls": []object{
			{"id": "c1", "type": "function", "function": object{"name": "booth__buy", "arguments": string(arguments)}}}}}}})
	gatewaytest.JSON(string(body))(w, r)
}

// reachable lets the agent's tool be on this machine.
const reachable = "STRATA_OUTBOUND_PRIVATE=127.0.0.0/8"

const agentRuns = "/v1/agents/clerk/runs"

// A run of an agent goes on after a kill between any two facts of its three steps,
// and ends with them and no others. A call of the model whose end is unknown is made
// again; one of a tool is not, and the model is told so.
func TestAgentRunsSurviveKills(t *testing.T) {
	tool, up := newBooth(t), gatewaytest.NewUpstream(t)
	up.Always(clerk)
	server := kit.Start(t, kit.Options{Binary: failpoints(t), Env: []string{reachable}})
	c := server.Client()
	c.Create(t, "/api/v1/providers", object{"name": "p", "type": "openai_compatible", "baseUrl": up.URL, "models": []string{"m"}})
	c.Create(t, "/v1/mcps", object{"name": "booth", "transport": "streamable_http", "url": tool.URL})
	c.Create(t, "/v1/agents", object{"name": "clerk", "model": "p/m", "tools": []string{"mcp:booth/buy"}})
	for _, p := range []struct {
		point              string
		asked, sold, begun int // calls of the model, of the tool, and beginnings of steps
		unknown            bool
	}{
		{"step.begun:1", 2, 1, 4, false}, {"step.performed:1", 3, 1, 4, false}, {"step.ended:1", 2, 1, 3, false},
		{"step.begun:2", 2, 0, 4, true}, {"step.performed:2", 2, 1, 4, true}, {"step.ended:2", 2, 1, 3, false},
		{"step.begun:3", 2, 1, 4, false}, {"step.performed:3", 3, 1, 4, false}, {"step.ended:3", 2, 1, 3, false},
	} {
		t.Run(p.point, func(t *testing.T) {
			s := &scene{T: t, server: server, c: c, point: p.point}
			before := len(up.Requests())
			run := s.endedRun(s.startedAndKilled())
			s.wantRun(run, p.unknown)
			s.wantFacts(run.Str("id"), p.begun)
			if n := len(up.Requests()) - before; n != p.asked {
				t.Errorf("the model was asked %d times, not %d", n, p.asked)
			}
			if n := tool.count(p.point); n != p.sold {
				t.Errorf("the tool was called %d times, not %d", n, p.sold)
			}
		})
	}
	t.Run("in the tool", func(t *testing.T) {
		s := &scene{T: t, server: server, c: c, point: "in the tool"}
		asked := tool.holdOn(s.point)
		s.restart(reachable)
		id := c.Do(t, http.StatusAccepted, "POST", agentRuns, object{"input": object{"message": s.point}}).Str("id")
		select {
		case <-asked:
		case <-time.After(within):
			t.Fatal("the tool is not called")
		}
		s.restart(reachable)
		s.wantRun(s.endedRun(id), true)
		s.wantFacts(id, 4)
		if n := tool.count(s.point); n != 1 {
			t.Errorf("the tool was called %d times", n)
		}
	})
}

// startedAndKilled starts a run at a server that ends at the scene's point, maybe
// before it has answered, starts the server again and returns the run's id.
func (s *scene) startedAndKilled() (id string) {
	s.Helper()
	s.restart(reachable, "STRATA_FAILPOINT="+s.point)
	body, key := object{"input": object{"message": s.point}}, []string{"Idempotency-Key", "run at " + s.point}
	first, err := s.c.Call(s.Context(), "POST", agentRuns, body, key...)
	s.ended()
	s.start(reachable)
	id = s.c.Do(s, http.StatusAccepted, "POST", agentRuns, body, key...).Str("id")
	if err == nil && first.For(s).Str("id") != id {
		s.Errorf("the retry is answered with run %s, the first try with %s", id, first.Str("id"))
	}
	return id
}

func (s *scene) endedRun(id string) (run *kit.Answer) {
	s.Helper()
	kit.Eventually(s, within, "the run ends", func() error {
		if run = s.c.Get(s, "/v1/runs/"+id); run.Str("status") == "queued" || run.Str("status") == "running" {
			return fmt.Errorf("it is %s", run.Short())
		}
		return nil
	})
	return run
}

// wantRun wants a run to have ended well, with the three steps that it needs.
func (s *scene) wantRun(run *kit.Answer, unknown bool) {
	s.Helper()
	told, status := "sold "+s.point, "completed"
	if unknown {
		told, status = "It is not known whether this call took effect", "failed"
	}
	run.Want("status", "completed", "step_count", 3)
	if said := run.Str("output.message"); !strings.HasPrefix(said, "I was told: "+told) {
		s.Errorf("the run's answer is %q", said)
	}
	steps := s.c.Get(s, "/v1/runs/"+run.Str("id")+"/steps")
	if got := fmt.Sprint(steps.Strings("data", "type"), steps.Strings("data", "status")); got != fmt.Sprintf("[llm tool llm] [completed %s completed]", status) {
		s.Errorf("the steps are %s", got)
	}
}

// wantFacts wants the log to have each end once, and a further beginning of the one
// step whose end was unknown.
func (s *scene) wantFacts(id string, begun int) {
	s.Helper()
	for typ, want := range map[string]int{"started": 1, "step_began": begun, "model_answered": 2, "tool_answered": 1, "completed": 1, "failed": 0} {
		if n := s.logged("agent_run."+typ+".v1", id); n != want {
			s.Errorf("%s is in the log %d times, not %d", typ, n, want)
		}
	}
}
