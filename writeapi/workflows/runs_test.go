package workflows_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"strata/commands"
	"strata/commands/steps"
	"strata/domain"
	"strata/domain/timer"
	"strata/domain/workflow"
	"strata/domain/workflowrun"
	"strata/streams"
	"strata/streams/embedded"
	"strata/writeapi/workflows"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// world is a log, and the servers that http nodes ask: they answer with a number
// made of the path, and note which keys came.
type world struct {
	t     testing.TB
	store *embedded.Log
	codec *streams.Codec

	handler atomic.Pointer[commands.Handler] // of the process that was started last

	late  atomic.Int64  // searches for what is there later
	ahead time.Duration // by which the clock of a process that is started is ahead

	mu   sync.Mutex
	keys map[string]map[string]int // by path: how often each key came
}

func newWorld(t testing.TB) *world {
	t.Helper()
	codec, err := streams.NewCodec(slices.Concat(workflowrun.FactTypes(), timer.Aggregate.Facts), nil, nil)
	ok(t, err)
	store, err := embedded.Open(t.TempDir(), embedded.Options{SegmentSize: 4 << 20, NoSync: true})
	ok(t, err)
	t.Cleanup(func() { ok(t, store.Close()) })
	return &world{t: t, store: store, codec: codec, keys: map[string]map[string]int{}}
}

// RoundTrip implements http.RoundTripper.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	w.note(r.URL.Path, r.Header.Get("Idempotency-Key"))
	if strings.HasPrefix(r.URL.Path, "/slow") {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	body := fmt.Sprint(len(r.URL.Path) * 7)
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body))}, nil
}

// mortal is a log that can be made to take nothing any more.
type mortal struct {
	streams.Store
	dead atomic.Bool
}

func (m *mortal) Append(ctx context.Context, s domain.StreamID, x streams.Expected, events ...streams.Proposed) (streams.Result, error) {
	if m.dead.Load() {
		return streams.Result{}, streams.ErrUnavailable
	}
	return m.Store.Append(ctx, s, x, events...)
}

// process performs the runs of the log until it is stopped. at is called at every
// point between two appends.
func (w *world) process(at func(p *mortal)) (h *commands.Handler, stop func()) {
	store := &mortal{Store: w.store}
	ahead := w.ahead
	h = commands.New(commands.Config{Store: store, Codec: w.codec, Now: func() time.Time { return time.Now().Add(ahead) }})
	w.handler.Store(h)
	e := steps.New(steps.Config{Handler: h, Grace: time.Millisecond, At: func(string) { at(store) }})
	s := &workflows.Service{Handler: h, Store: store, Codec: w.codec, Library: w, Tools: w, Agents: w, Transport: w, Live: context.Background()}
	steps.Add(e, s.Machine(func(context.Context, string, int) ([]steps.Ref, error) { return nil, nil }))
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() { _ = e.Run(ctx) }) // ends with ctx
	all.Go(func() {
		sub, err := w.store.Subscribe(ctx, 0, &streams.Filter{Categories: []string{"workflow_run"}})
		if err != nil {
			return
		}
		defer func() { _ = sub.Close() }()
		for {
			b, err := sub.Next(ctx, 64)
			if err != nil {
				return
			}
			for _, r := range b.Events {
				e.Wake("workflow_run", steps.Ref{ID: r.Stream.Key(), Organization: "org_1", Workspace: "ws_1"})
			}
		}
	})
	return h, func() {
		store.dead.Store(true)
		cancel()
		all.Wait()
	}
}

var somebody = domain.System("org_1", "ws_1")

func (w *world) start(h *commands.Handler, id string, d workflow.Definition) {
	w.t.Helper()
	text, err := json.Marshal(d)
	ok(w.t, err)
	var plain workflow.Definition // as it comes from the log
	ok(w.t, json.Unmarshal(text, &plain))
	cmd := workflowrun.Start{Started: workflowrun.Started{WorkflowID: "wf_1", WorkflowName: "w", Version: 1, Definition: plain, Inputs: json.RawMessage(`{"n":2}`), Trigger: "api"}}
	_, err = commands.Run[workflowrun.State, struct{}](context.Background(), h, workflowrun.Aggregate, commands.Request{Principal: somebody, ID: id, Create: true}, cmd, nil)
	ok(w.t, err)
}

// ended waits for a run's end and returns its outputs, or why it failed.
func (w *world) ended(h *commands.Handler, id string) string {
	w.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		end, err := commands.Load(context.Background(), h, workflowrun.Aggregate, somebody, id, func(l *commands.Loaded[workflowrun.State]) string {
			switch l.State.End {
			case "":
				return ""
			case workflowrun.StatusCompleted:
				return string(l.State.Outputs)
			}
			return string(l.State.End) + " " + l.State.Error.NodeID + " " + l.State.Error.Message
		})
		ok(w.t, err)
		if end != "" {
			return end
		}
		if time.Now().After(deadline) {
			w.t.Fatal("the run does not end")
		}
		<-time.After(time.Millisecond)
	}
}

// anyGraph draws a workflow without cycles; edges lead to later nodes only.
func anyGraph(t *rapid.T) workflow.Definition {
	var d workflow.Definition
	n := rapid.IntRange(1, 6).Draw(t, "nodes")
	for i := range n {
		id := fmt.Sprint("n", i)
		node := workflow.Node{ID: id}
		switch rapid.IntRange(0, 7).Draw(t, "type") {
		case 0:
			node.Type, node.Config = workflow.Condition, map[string]any{"expression": "inputs.n == 2"}
		case 1:
			node.Type, node.Config = workflow.Loop, map[string]any{"items": "1..3", "do": map[string]any{"type": "http", "config": map[string]any{"url": "http://x/" + id + "/{{index}}"}}}
		case 2:
			node.Type, node.Config = workflow.Transform, map[string]any{"expression": "len(toJSON(nodes))"}
		case 3:
			node.Type, node.Config = workflow.Knowledge, map[string]any{"dataset_ids": []any{"a"}, "query": "{{inputs.n}} " + id}
		case 4:
			node.Type, node.Config = workflow.Tool, map[string]any{"tool": "mcp:s/" + id, "repeatable": true, "arguments": map[string]any{"expression": "{{inputs.n}}"}}
		case 5:
			node.Type, node.Config = workflow.Agent, map[string]any{"agent": id, "message": "do {{inputs.n}}"}
		default:
			node.Type, node.Config = workflow.HTTP, map[string]any{"method": "POST", "url": "http://x/" + id}
		}
		d.Nodes = append(d.Nodes, node)
		for from := range i {
			if rapid.IntRange(0, 2).Draw(t, "edge") == 0 {
				e := workflow.Edge{Source: fmt.Sprint("n", from), Target: id}
				if d.Nodes[from].Type == workflow.Condition && rapid.Bool().Draw(t, "handle") {
					e.SourceHandle = rapid.SampledFrom([]string{"true", "false"}).Draw(t, "which")
				}
				d.Edges = append(d.Edges, e)
			}
		}
	}
	return d
}

// Of any workflow: killed at any points, a run comes to what it comes to when
// nothing happens, and nobody is asked for anything under two keys.
func TestKillsMakeNoDifference(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		d := anyGraph(r)
		kills := rapid.SliceOfN(rapid.IntRange(1, 8), 0, 4).Draw(r, "kills")
		calm, wild := newWorld(t), newWorld(t)
		h, stop := calm.process(func(*mortal) {})
		calm.start(h, "run_1", d)
		want := calm.ended(h, "run_1")
		stop()
		h = commands.New(commands.Config{Store: wild.store, Codec: wild.codec})
		wild.start(h, "run_1", d)
		for _, after := range kills {
			var left atomic.Int64
			left.Store(int64(after))
			dead := make(chan struct{})
			_, stop := wild.process(func(m *mortal) {
				if left.Add(-1) == 0 {
					m.dead.Store(true)
					close(dead)
				}
			})
			for over := false; !over; {
				select {
				case <-dead:
					over = true
				case <-time.After(time.Millisecond):
					over = wild.over(h)
				}
			}
			stop()
		}
		_, stop = wild.process(func(*mortal) {})
		if got := wild.ended(h, "run_1"); got != want {
			r.Fatalf("after kills %v it came to %s, without to %s", kills, got, want)
		}
		stop()
		for path, keys := range wild.keys {
			if len(keys) != 1 {
				r.Fatalf("%s was asked for under %d keys: %v", path, len(keys), keys)
			}
		}
		if len(wild.keys) != len(calm.keys) {
			r.Fatalf("%d places were asked, %d without kills; it came to %s", len(wild.keys), len(calm.keys), want)
		}
	})
}

func (w *world) over(h *commands.Handler) bool {
	over, err := commands.Load(context.Background(), h, workflowrun.Aggregate, somebody, "run_1", func(l *commands.Loaded[workflowrun.State]) bool { return l.State.End != "" })
	return err == nil && over
}

// until waits until a run is as wanted.
func (w *world) until(h *commands.Handler, wanted func(*workflowrun.State) bool) {
	w.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; <-time.After(time.Millisecond) {
		is, err := commands.Load(context.Background(), h, workflowrun.Aggregate, somebody, "run_1", func(l *commands.Loaded[workflowrun.State]) bool { return wanted(l.State) })
		if ok(w.t, err); is {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatal("the run does not come to it")
		}
	}
}

func TestOutcomes(t *testing.T) {
	w := newWorld(t)
	h, stop := w.process(func(*mortal) {})
	defer stop()
	for name, c := range map[string]struct{ nodes, edges, want string }{
		"fields":     {`[{"id":"a","type":"transform","config":{"fields":{"x":"inputs.n","y":"run.id"}}}]`, `[]`, `{"a":{"x":2,"y":"run_fields"}}`},
		"skipped":    {`[{"id":"c","type":"condition","config":{"cases":[{"handle":"big","expression":"inputs.n > 9"}]}},{"id":"a","type":"transform","config":{"expression":"1"}},{"id":"b","type":"transform","config":{"expression":"2"}}]`, `[{"source":"c","target":"a","source_handle":"big"},{"source":"c","target":"b","source_handle":"default"}]`, `{"b":2}`},
		"caught":     {`[{"id":"v","type":"validation","config":{"rules":[{"expression":"false","message":"no"}]}},{"id":"a","type":"transform","config":{"expression":"nodes.v.error.message"}}]`, `[{"source":"v","target":"a","source_handle":"error"}]`, `{"a":"invalid input data; value no"}`},
		"expression": {`[{"id":"a","type":"transform","config":{"expression":"1..9999999"}}]`, `[]`, `failed a`},
		"edge":       {`[{"id":"a","type":"transform","config":{"expression":"1"}},{"id":"b","type":"transform","config":{"expression":"2"}}]`, `[{"source":"a","target":"b","condition":"output == 2"}]`, `{}`},
		"no list":    {`[{"id":"a","type":"loop","config":{"items":"inputs.n","do":{"type":"transform","config":{"expression":"1"}}}}]`, `[]`, `failed a items must come to a list of at most 1000`},
		"none":       {`[{"id":"a","type":"loop","config":{"items":"[]","do":{"type":"transform","config":{"expression":"1"}}}}]`, `[]`, `{"a":[]}`},
		"late":       {`[{"id":"a","type":"human","timeout_ms":1}]`, `[]`, `failed a nobody decided in time`},
		"waits":      {`[{"id":"a","type":"wait","config":{"duration_ms":1}},{"id":"b","type":"transform","config":{"expression":"'waited_until' in input"}}]`, `[{"source":"a","target":"b"}]`, `{"b":true}`},
	} {
		var d workflow.Definition
		ok(t, json.NewDecoder(bytes.NewReader([]byte(`{"nodes":`+c.nodes+`,"edges":`+c.edges+`}`))).Decode(&d))
		id := "run_" + strings.ReplaceAll(name, " ", "_")
		w.start(h, id, d)
		if got := w.ended(h, id); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
