package workflow_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"strata/domain/workflow"
)

func definition(t testing.TB, text string) *workflow.Definition {
	t.Helper()
	var d workflow.Definition
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatal(err)
	}
	return &d
}

const right = `{"nodes":[
 {"id":"start","type":"start"},
 {"id":"classify","type":"llm","config":{"model":"strata/extract-1","prompt":"Classify {{inputs.text}}"},"retry":{"max_attempts":3,"backoff_ms":10}},
 {"id":"urgent","type":"condition","config":{"expression":"nodes.classify.text contains \"urgent\""}},
 {"id":"notify","type":"http","config":{"method":"POST","url":"https://example.com/{{inputs.team}}","body":{"text":"{{nodes.classify.text}}"}}},
 {"id":"approve","type":"human","config":{"prompt":"Send it?","decisions":["send","drop"]}},
 {"id":"each","type":"parallel","config":{"items":"inputs.items","parallelism":3,"do":{"type":"transform","config":{"expression":"item * 2"}}}},
 {"id":"check","type":"validation","config":{"value":"nodes.each","schema":{"type":"array"},"rules":[{"expression":"len(nodes.each) < 9","message":"too many"}]}},
 {"id":"pause","type":"wait","config":{"duration_ms":1000}},
 {"id":"look","type":"knowledge","config":{"dataset_ids":["Handbook"],"query":"{{inputs.text}}","top_k":3,"mode":"keyword","score_threshold":0.1,"filter":{"lang":"{{inputs.lang}}"}}},
 {"id":"sum","type":"tool","config":{"tool":"calculator","arguments":{"expression":"1 + {{inputs.n}}"}}},
 {"id":"use","type":"tool","config":{"tool":"mcp:search/find","arguments":"{{input}}","repeatable":true}},
 {"id":"other","type":"workflow","config":{"workflow":"Other","inputs":{"a":"{{input}}"}}},
 {"id":"done","type":"end","config":{"outputs":{"answer":"{{nodes.classify.text}}"}}}],
"edges":[
 {"source":"start","target":"classify"},{"source":"classify","target":"urgent"},
 {"source":"urgent","target":"notify","source_handle":"true"},{"source":"urgent","target":"approve","source_handle":"false"},
 {"source":"approve","target":"each","source_handle":"send"},{"source":"each","target":"check"},{"source":"check","target":"pause","condition":"inputs.slow == true"},
 {"source":"check","target":"look"},{"source":"look","target":"sum"},{"source":"sum","target":"use"},{"source":"use","target":"done"},
 {"source":"pause","target":"other"},{"source":"other","target":"done"},{"source":"notify","target":"done"},{"source":"notify","target":"approve","source_handle":"error"}],
"input_schema":{"type":"object","properties":{"text":{"type":"string"}}},"config":{"timeout_ms":60000}}`

func TestNothingIsWrongWithWhatIsRight(t *testing.T) {
	if p := workflow.Problems(definition(t, right)); len(p) > 0 {
		t.Errorf("%+v", p)
	}
	if p := workflow.Problems(&workflow.Definition{}); len(p) > 0 {
		t.Errorf("an empty definition: %+v", p)
	}
}

// Nodes that call others of our services name what is wrong with each field.
func TestProblemsOfCalls(t *testing.T) {
	for _, c := range []struct{ node, want string }{
		{`"type":"knowledge"`, "missing query, missing dataset_ids"},
		{`"type":"knowledge","config":{"query":"x","dataset_ids":[],"top_k":0,"mode":"fuzzy","score_threshold":2,"filter":[]}`,
			"invalid dataset_ids, limit top_k, invalid mode, limit score_threshold, invalid filter"},
		{`"type":"knowledge","config":{"query":"{{inputs.q}}","dataset_ids":"{{inputs.bases}}","top_k":"{{inputs.k}}"}`, ""},
		{`"type":"tool"`, "missing tool"},
		{`"type":"tool","config":{"tool":"hammer","arguments":[],"repeatable":1}`, "invalid tool, invalid arguments, invalid repeatable"},
		{`"type":"tool","config":{"tool":"mcp:search"}`, "invalid tool"},
		{`"type":"agent"`, "missing agent, missing nodes[0].config"},
		{`"type":"agent","config":{"agent":"clerk","message":7,"input":[],"variables":1,"version":0}`,
			"invalid nodes[0].config, invalid message, invalid input, invalid variables, limit version"},
		{`"type":"agent","config":{"agent":"clerk","message":"{{inputs.q}}","version":2}`, ""},
		{`"type":"connector"`, "missing connector, missing operation"},
		{`"type":"connector","config":{"connector":"con_1","operation":"rows","prefix":1,"offset":-1,"limit":1001}`,
			"missing file, invalid prefix, limit offset, limit limit"},
		{`"type":"connector","config":{"connector":"con_1","operation":"write"}`, "invalid operation"},
		{`"type":"connector","config":{"connector":"{{inputs.c}}","operation":"list","limit":"{{inputs.n}}"}`, ""},
		{`"type":"loop","config":{"items":"inputs.a","do":{"type":"tool","config":{"tool":"calculator"}}}`, ""},
	} {
		var got []string
		for _, p := range workflow.Problems(definition(t, `{"nodes":[{"id":"a",`+c.node+`}]}`)) {
			got = append(got, p.Code+" "+strings.TrimPrefix(p.Field, "nodes[0].config."))
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s: %q, want %q", c.node, got, c.want)
		}
	}
}

// Every fault is named, each with its place and sort, and in the same order.
func TestProblems(t *testing.T) {
	d := definition(t, `{"nodes":[
 {"id":"a b","type":"start"},{"id":"x","type":"start"},{"id":"x","type":"nonsense"},{"type":"end"},
 {"id":"llm","type":"llm","config":{}},
 {"id":"code","type":"code"},{"id":"again","type":"code"},
 {"id":"t","type":"transform","config":{"expression":"1 +"}},
 {"id":"http","type":"http","config":{"url":"ftp://x","method":"BREW","body":"{{ now() }}"}},
 {"id":"cond","type":"condition","config":{}},
 {"id":"v","type":"validation","config":{"schema":{"type":"objekt"}}},
 {"id":"loop","type":"loop","config":{"do":{"type":"human"}}},
 {"id":"h","type":"human"},
 {"id":"w","type":"wait"},{"id":"sub","type":"workflow","config":{"workflow":7}},
 {"id":"c1","type":"transform","config":{"expression":"1"}},{"id":"c2","type":"transform","config":{"expression":"1"}}],
 "edges":[{"id":"e","source":"llm","target":"nowhere"},{"id":"e","source":"t","target":"t"},{"source":"h","target":"w","source_handle":"maybe"},
 {"source":"w","target":"sub","condition":")"},{"source":"c1","target":"c2"},{"source":"c2","target":"c1"}],
 "input_schema":{"type":7},"config":{"timeout_ms":-1}}`)
	var got []string
	for _, p := range workflow.Problems(d) {
		got = append(got, p.Code+" "+p.Field)
	}
	for _, want := range []string{
		"invalid nodes[0].id", "duplicate nodes[1].type", "duplicate nodes[2].id", "unknown_type nodes[2].type", "missing nodes[3].id",
		"missing nodes[4].config", "unsupported nodes[5].type", "unsupported nodes[6].type", "expression nodes[7].config.expression",
		"expression nodes[8].config.body", "invalid nodes[8].config.url", "invalid nodes[8].config.method", "missing nodes[9].config",
		"schema nodes[10].config.schema", "missing nodes[11].config.items", "unsupported nodes[11].config.do.type", "missing nodes[13].config",
		"invalid nodes[14].config.workflow", "unknown_node edges[0].target", "duplicate edges[1].id", "cycle edges[1]", "invalid edges[2].source_handle",
		"expression edges[3].condition", "cycle nodes[15]", "cycle nodes[16]", "schema input_schema", "limit config.timeout_ms",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is not named", want)
		}
	}
	for range 5 {
		var again []string
		for _, p := range workflow.Problems(d) {
			again = append(again, p.Code+" "+p.Field)
		}
		if !slices.Equal(got, again) {
			t.Fatalf("another order: %q", again)
		}
	}
	refers := definition(t, `{"nodes":[{"id":"a","type":"transform","config":{"expression":"nodes.b + nodes.zz"}},{"id":"b","type":"llm","config":{"prompt":"{{nodes.a}} {{nodes.yy.text}}"}}],
		"edges":[{"source":"a","target":"b","condition":"nodes.b"}]}`)
	got = nil
	for _, p := range workflow.Problems(refers) {
		got = append(got, p.Code+" "+p.Field)
	}
	if want := []string{"invalid nodes[0].config.expression", "unknown_node nodes[0].config.expression", "unknown_node nodes[1].config.prompt", "invalid edges[0].condition"}; !slices.Equal(got, want) {
		t.Errorf("references: %q", got)
	}
	unreachable := definition(t, `{"nodes":[{"id":"s","type":"start"},{"id":"a","type":"end"}],"edges":[]}`)
	if p := workflow.Problems(unreachable); len(p) != 1 || p[0].Code != "unreachable" || p[0].NodeID != "a" {
		t.Errorf("%+v", p)
	}
}

// Of any graph: the order holds every node once and respects the edges, or a cycle
// is named.
func TestOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "nodes")
		var d workflow.Definition
		for i := range n {
			d.Nodes = append(d.Nodes, workflow.Node{ID: fmt.Sprint("n", i), Type: workflow.Transform, Config: map[string]any{"expression": "1"}})
		}
		for range rapid.IntRange(0, 20).Draw(t, "edges") {
			d.Edges = append(d.Edges, workflow.Edge{Source: fmt.Sprint("n", rapid.IntRange(0, n-1).Draw(t, "from")), Target: fmt.Sprint("n", rapid.IntRange(0, n-1).Draw(t, "to"))})
		}
		g, cyclic := workflow.NewGraph(&d), false
		for _, p := range workflow.Problems(&d) {
			cyclic = cyclic || p.Code == "cycle"
		}
		if cyclic != (len(g.Order) < n) {
			t.Fatalf("%d of %d nodes in order, a cycle is named: %v", len(g.Order), n, cyclic)
		}
		for _, e := range d.Edges {
			from, to := slices.Index(g.Order, e.Source), slices.Index(g.Order, e.Target)
			if to >= 0 && from >= to {
				t.Fatalf("%s is at %d, %s at %d", e.Source, from, e.Target, to)
			}
		}
	})
}

func FuzzProblems(f *testing.F) {
	f.Add(right)
	f.Add(strings.ReplaceAll(right, "{{", "{{{"))
	f.Fuzz(func(t *testing.T, text string) {
		var d workflow.Definition
		if json.Unmarshal([]byte(text), &d) == nil {
			workflow.Problems(&d)
		}
	})
}

// A text that is one place can come to anything; where a text is wanted, it is
// written as it is within a longer one.
func TestFilledTexts(t *testing.T) {
	for value, want := range map[string]string{`"a"`: "a", `2.5`: "2.5", `true`: "true", `[1,"b"]`: `[1,"b"]`, `{"c":null}`: `{"c":null}`, `null`: ""} {
		var v any
		if err := json.Unmarshal([]byte(value), &v); err != nil {
			t.Fatal(err)
		}
		turn := map[string]any{"role": "user", "content": v}
		var (
			l workflow.LLMConfig
			h workflow.HTTPConfig
			w workflow.HumanConfig
			k workflow.KnowledgeConfig
			a workflow.AgentConfig
			c workflow.ConnectorConfig
		)
		for _, one := range []struct {
			config map[string]any
			into   any
		}{
			{map[string]any{"prompt": v, "system": v, "messages": []any{turn}}, &l}, {map[string]any{"headers": map[string]any{"x": v}}, &h},
			{map[string]any{"prompt": v}, &w}, {map[string]any{"query": v}, &k}, {map[string]any{"message": v}, &a}, {map[string]any{"prefix": v, "file": v}, &c},
		} {
			if err := workflow.Read(one.config, one.into); err != nil {
				t.Fatalf("%s: %v", value, err)
			}
		}
		got := []workflow.FilledText{l.Prompt, l.System, l.Messages[0].Content, workflow.FilledText(h.Headers["x"]), w.Prompt, k.Query, a.Message, c.Prefix, c.File}
		for i, text := range got {
			if string(text) != want {
				t.Errorf("%s: text %d is %q, want %q", value, i, text, want)
			}
		}
	}
}
