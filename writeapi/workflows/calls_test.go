package workflows_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"strata/domain"
	"strata/domain/knowledge"
	"strata/domain/workflow"
	"strata/gateway/mcp"
)

// note counts a key that something was asked with. The caller holds no lock.
func (w *world) note(path, key string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.keys[path] == nil {
		w.keys[path] = map[string]int{}
	}
	w.keys[path][key]++
}

// Find implements knowledge.Finder: every base holds what it was asked.
func (w *world) Find(ctx context.Context, p domain.Principal, q knowledge.Question) ([]knowledge.Found, error) {
	if slices.Contains(q.Bases, "nowhere") {
		return nil, domain.NotFound("knowledge base", "nowhere")
	}
	if slices.Contains(q.Bases, "slow") {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if slices.Contains(q.Bases, "later") && w.late.Add(1) < 3 {
		return nil, domain.Errorf(domain.CodeUnavailable, "the engine is away")
	}
	if p.Workspace != somebody.Workspace || p.Organization != somebody.Organization {
		return nil, fmt.Errorf("asked for %s", p.Workspace)
	}
	var out []knowledge.Found
	for i, base := range q.Bases {
		out = append(out, knowledge.Found{DocumentID: "doc_" + base, BaseID: base, Name: base + ".md", ChunkID: fmt.Sprintf("doc_%s.%d", base, i), Page: i + 1,
			Headings: []string{"H"}, Text: q.Query, Score: float64(q.Limit) + float64(len(q.Filter))/100})
	}
	return out, nil
}

// CallTool implements workflows.Tools: the calculator knows one answer, and what
// servers offer is noted with its key.
func (w *world) CallTool(ctx context.Context, by mcp.Caller, target string, arguments map[string]any, key string) (string, bool, error) {
	if by.Workspace != somebody.Workspace || by.Run == "" {
		return "", false, fmt.Errorf("called for %+v", by)
	}
	switch text := fmt.Sprint(arguments["expression"]); {
	case target == "calculator":
		return "42", false, nil
	case text == "slow":
		<-ctx.Done()
		return "", false, ctx.Err()
	case text == "refuse":
		return "no " + target, true, nil
	case text == "fault":
		return "", false, domain.Errorf(domain.CodeUnavailable, "the server is away")
	default:
		w.note(target+"/"+text, key)
		return "done " + text, false, nil
	}
}

func TestCallsOfOtherServices(t *testing.T) {
	w := newWorld(t)
	h, stop := w.process(func(*mortal) {})
	defer stop()
	for name, c := range map[string]struct{ node, want string }{
		"search": {`{"type":"knowledge","config":{"dataset_ids":["a","b"],"query":"tea for {{inputs.n}}","top_k":7,"filter":{"x":1}}}`,
			`{"a":{"count":2,"passages":[{"chunk_id":"doc_a.0","dataset_id":"a","document_id":"doc_a","document_name":"a.md","headings":["H"],"number":1,"page":1,"score":7.07,"text":"tea for 2"},` +
				`{"chunk_id":"doc_b.1","dataset_id":"b","document_id":"doc_b","document_name":"b.md","headings":["H"],"number":2,"page":2,"score":7.07,"text":"tea for 2"}],` +
				`"text":"[1] a.md, page 1\ntea for 2\n\n[2] b.md, page 2\ntea for 2"}}`},
		"usual":    {`{"type":"knowledge","config":{"dataset_ids":["a"],"query":"x"}}`, `{"a":{"count":1,"passages":[{"chunk_id":"doc_a.0","dataset_id":"a","document_id":"doc_a","document_name":"a.md","headings":["H"],"number":1,"page":1,"score":5,`},
		"nowhere":  {`{"type":"knowledge","config":{"dataset_ids":["nowhere"],"query":"x"}}`, `failed a knowledge base "nowhere" was not found`},
		"later":    {`{"type":"knowledge","config":{"dataset_ids":["later"],"query":"x"}}`, `{"a":{"count":1,`},
		"number":   {`{"type":"tool","config":{"tool":"calculator","arguments":{"expression":"{{inputs.n}}"}}}`, `{"a":{"json":42,"text":"42"}}`},
		"words":    {`{"type":"tool","config":{"tool":"mcp:booth/buy","arguments":{"expression":"tea"}}}`, `{"a":{"text":"done tea"}}`},
		"refused":  {`{"type":"tool","config":{"tool":"mcp:booth/buy","arguments":{"expression":"refuse"}}}`, `failed a the tool failed: no mcp:booth/buy`},
		"away":     {`{"type":"tool","retry":{"max_attempts":3},"config":{"tool":"mcp:booth/buy","arguments":{"expression":"fault"}}}`, `failed a the server is away`},
		"computed": {`{"type":"tool","config":{"tool":"{{inputs.n}}"}}`, `failed a the config, its places filled in, has a field of the wrong type`},
		"unknown":  {`{"type":"tool","config":{"tool":"{{string(inputs.n)}}"}}`, `failed a there is no tool "2"`},
		"items":    {`{"type":"parallel","config":{"items":"1..2","do":{"type":"tool","config":{"tool":"mcp:booth/buy","arguments":{"expression":"{{item}}"}}}}}`, `{"a":[{"text":"done 1"},{"text":"done 2"}]}`},
	} {
		var d workflow.Definition
		ok(t, json.Unmarshal([]byte(`{"nodes":[`+strings.Replace(c.node, "{", `{"id":"a",`, 1)+`]}`), &d))
		w.start(h, "run_"+name, d)
		if got := w.ended(h, "run_"+name); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	if len(w.keys["mcp:booth/buy/tea"]) != 1 || w.keys["mcp:booth/buy/tea"][""] > 0 {
		t.Errorf("keys %v", w.keys)
	}
}

// A tool whose end is unknown is not called again, unless the node allows it.
func TestToolsAreNotCalledTwice(t *testing.T) {
	for _, repeatable := range []bool{false, true} {
		w := newWorld(t)
		died := make(chan struct{})
		first := true
		h, stop := w.process(func(m *mortal) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if first && len(w.keys["mcp:booth/buy/tea"]) > 0 {
				first = false
				m.dead.Store(true)
				close(died)
			}
		})
		var d workflow.Definition
		ok(t, json.Unmarshal(fmt.Appendf(nil, `{"nodes":[{"id":"a","type":"tool","config":{"tool":"mcp:booth/buy","repeatable":%v,"arguments":{"expression":"tea"}}}]}`, repeatable), &d))
		w.start(h, "run_1", d)
		<-died
		stop()
		h, stop = w.process(func(*mortal) {})
		got, calls, want := w.ended(h, "run_1"), 0, "failed a it is not known whether the call of the tool took effect"
		for _, n := range w.keys["mcp:booth/buy/tea"] {
			calls += n
		}
		if repeatable {
			want = `{"a":{"text":"done tea"}}`
		}
		if !strings.HasPrefix(got, want) || len(w.keys["mcp:booth/buy/tea"]) != 1 || (calls == 2) != repeatable {
			t.Errorf("repeatable %v: %s, %d calls with keys %v", repeatable, got, calls, w.keys)
		}
		stop()
	}
}
