//go:build e2e

package conformance

import (
	"net/http"
	"net/url"

	"strata/test/kit"
)

var (
	sessions = maker{"/v1/sessions", func(w *world) object {
		return object{"app_name": "shop", "agent_name": "helper", "user_id": "ann", "state": object{"step": 1}, "metadata": object{"k": "v"}}
	}}
	memories = maker{"/v1/memory/internal/memories", func(w *world) object {
		return object{"content": "Ann likes tea.", "type": "semantic", "user_id": "ann", "metadata": object{"k": "v"}, "importance": 0.5}
	}}
)

// flotorchProbes are the operations of FloTorch.
var flotorchProbes = func() map[string]probe {
	out := map[string]probe{}
	out["POST /openai/v1/chat/completions"] = probe{absent: map[string]string{"system_fingerprint": "the provider gives none"}, body: func(w *world) object {
		return object{"model": w.model(), "messages": []object{{"role": "user", "content": "Hello?"}}, "temperature": 1, "user": "ann"}
	}}
	out["POST /openai/v1/embeddings"] = probe{body: func(*world) object {
		return object{"model": "strata/embed-1", "input": []string{"tea", "coffee"}, "encoding_format": "float"}
	}}
	memory(out)
	session(out)
	knowledge(out)
	work(out)
	return out
}()

func provider(string) map[string]string { return map[string]string{"provider": "internal"} }

func memory(into map[string]probe) {
	const base = "/v1/memory/{provider}/memories"
	internal := func(*world) map[string]string { return provider("") }
	one := func(w *world) map[string]string {
		return map[string]string{"provider": "internal", "id": memories.one(w)}
	}
	given := map[string]string{"agent_id": "not given", "session_id": "not given", "app_id": "not given", "expires_at": "it does not expire", "score": "only of searches"}
	into["POST "+base] = probe{path: internal, body: memories.body, status: http.StatusCreated, absent: given, visible: "the provider is everybody's, its memories are not"}
	into["GET "+base+"/{id}"] = probe{path: one, absent: given}
	into["PUT "+base+"/{id}"] = probe{path: one, absent: given, body: func(*world) object { return object{"content": "Ann likes coffee.", "type": "episodic"} }}
	into["DELETE "+base+"/{id}"] = probe{path: one}
	three := func(w *world) []string {
		var out []string
		for i, text := range []string{"Ann likes green tea.", "Bob likes tea at noon.", "Carl grows tea himself."} {
			body := memories.body(w)
			body["content"] = text
			if i == 0 {
				body["agent_id"], body["session_id"], body["app_id"] = "agt", "ses", "app"
			}
			out = append(out, w.must(http.MethodPost, memories.path, body, "id"))
		}
		return out
	}
	scope := map[string]filter{
		"agent_id": {hit: literal("agt"), miss: "other"}, "user_id": {hit: literal("ann"), miss: "other"},
		"session_id": {hit: literal("ses"), miss: "other"},
	}
	listed := map[string]filter{"app_id": {hit: literal("app"), miss: "other"}, "type": {hit: literal("semantic"), miss: "episodic"}, "filter": everything}
	for k, v := range scope {
		listed[k] = v
	}
	into["POST "+base+"/list"] = probe{path: internal, visible: "each sees its own", nobody: "the provider is everybody's",
		list: &listing{fill: three, body: func(*world) object { return object{} }, filters: listed}}
	searched := map[string]filter{"query": {hit: literal("tea"), why: "meaning always finds something"}, "filter": everything, "score_threshold": everything}
	for k, v := range scope {
		searched[k] = v
	}
	into["POST "+base+"/search"] = probe{path: internal, visible: "each sees its own", nobody: "the provider is everybody's",
		list: &listing{fill: three, one: true, body: func(*world) object { return object{"query": "tea"} }, filters: searched}}
}

// everything is a filter whose values are no text; tests of its own resource try it.
var everything = filter{}

func session(into map[string]probe) {
	one := func(w *world) map[string]string {
		uid := w.must(http.MethodPost, sessions.path, sessions.body(w), "uid")
		w.must(http.MethodPost, sessions.path+"/"+uid+"/events", object{"author": "user", "content": object{"text": "Hi"}}, "id")
		return map[string]string{"uid": uid}
	}
	event := func(*world) object {
		return object{"author": "user", "type": "message", "content": object{"text": "Hello"}, "state_delta": object{"step": 2}, "invocation_id": "inv_1"}
	}
	quiet := map[string]string{"last_event_at": "nothing happened yet"}
	into["GET /v1/sessions"] = probe{list: &listing{id: "uid",
		fill:    func(w *world) []string { return []string{one(w)["uid"], one(w)["uid"], one(w)["uid"]} },
		filters: map[string]filter{"app_name": {hit: literal("shop"), miss: "other"}, "user_id": {hit: literal("ann"), miss: "other"}},
	}}
	into["POST /v1/sessions"] = probe{status: http.StatusCreated, body: sessions.body, absent: quiet}
	into["GET /v1/sessions/{uid}"] = probe{path: one}
	into["DELETE /v1/sessions/{uid}"] = probe{path: one}
	into["POST /v1/sessions/{uid}/events"] = probe{path: one, body: event, status: http.StatusCreated}
	into["GET /v1/sessions/{uid}/events"] = probe{
		path: func(w *world) map[string]string {
			return map[string]string{"uid": w.once("session", func() string { return one(w)["uid"] })}
		},
		list: &listing{fill: func(w *world) []string {
			path := "/v1/sessions/" + w.once("session", func() string { return one(w)["uid"] }) + "/events"
			var out []string
			for range 3 {
				out = append(out, w.must(http.MethodPost, path, event(w), "id"))
			}
			return out
		}, filters: map[string]filter{"type": {hit: literal("message"), miss: "tool_call"}}},
	}
}

// knowledge probes vector stores and retrieval.
func knowledge(into map[string]probe) {
	store := func(w *world) string {
		return w.once("store", func() string {
			id := w.must(http.MethodPost, "/v1/knowledge-bases", object{"name": w.name("Manuals")}, "id")
			w.must(http.MethodPost, "/v1/knowledge-bases/"+id+"/texts", object{"name": "hours.txt", "content": "The shop opens at nine and closes at six."}, "id")
			w.eventually("the document is ready", func() error {
				a := w.send(http.MethodGet, "/v1/knowledge-bases/"+id, nil)
				status, _ := a.Lookup("status")
				return kit.Differ("status", status, "ready")
			})
			return id
		})
	}
	into["POST /openai/v1/vector_stores/{id}/search"] = probe{
		path: func(w *world) map[string]string { return map[string]string{"id": store(w)} },
		body: func(*world) object {
			return object{"query": "When does the shop open?", "max_num_results": 5, "rewrite_query": false}
		},
		absent: map[string]string{"next_page": "there is no next page: null, as the OpenAI API says it"},
	}
	into["POST /v1/rag/{endpoint}/generate"] = probe{
		path: func(w *world) map[string]string {
			return map[string]string{"endpoint": w.once("endpoint", func() string {
				name := "support"
				w.must(http.MethodPost, "/v1/rag-endpoints", object{"name": name, "dataset_ids": []string{store(w)}, "model": "strata/extract-1"}, "name")
				return name
			})}
		},
		body: func(*world) object { return object{"query": "When does the shop open?", "top_k": 3} },
	}
}

// work probes agents, MCP servers and workflows.
func work(into map[string]probe) {
	into["GET /v1/agents/{name}"] = probe{path: func(w *world) map[string]string {
		name := w.name("helper")
		w.must(http.MethodPost, "/v1/agents", object{"name": name, "description": "Helps.", "instructions": "Help.", "model": "strata/extract-1",
			"temperature": 0.1, "max_tokens": 100, "tools": []string{"calculator"}, "memory_provider": "internal", "tags": []string{"a"},
			"input_schema": object{"type": "object"}, "output_schema": object{"type": "object"}, "config": object{"k": "v"}, "metadata": object{"k": "v"}}, "name")
		return map[string]string{"name": url.PathEscape(name)}
	}}
	into["POST /v1/mcps/{name}/proxy"] = probe{
		path: func(w *world) map[string]string { return map[string]string{"name": mcpServer(w)} },
		body: func(*world) object {
			return object{"jsonrpc": "2.0", "id": "1", "method": "tools/list", "params": object{}}
		},
		absent: map[string]string{"error": "it did not fail"},
	}
	flow := func(w *world) string {
		return w.once("workflow", func() string {
			return w.must(http.MethodPost, "/v1/workflows", object{"name": "double", "description": "Doubles.", "status": "active",
				"nodes": []object{{"id": "start", "type": "start"}, {"id": "twice", "type": "transform", "config": object{"expression": "inputs.n * 2"}}, {"id": "end", "type": "end"}},
				"edges": []object{{"id": "a", "source": "start", "target": "twice"}, {"id": "b", "source": "twice", "target": "end"}}}, "name")
		})
	}
	invoke := func(w *world) string {
		id := w.must(http.MethodPost, "/v1/workflows/"+flow(w)+"/run", object{"inputs": object{"n": 2}}, "invocation_id")
		w.eventually("the run ends", func() error {
			status, _ := w.send(http.MethodGet, "/v1/workflows/"+flow(w)+"/invocations/"+id, nil).Lookup("status")
			return kit.Differ("status", status, "completed")
		})
		return id
	}
	into["GET /v1/workflows/{name}"] = probe{path: func(w *world) map[string]string { invoke(w); return map[string]string{"name": flow(w)} },
		absent: map[string]string{"app_id": "not given", "solution_id": "not given"}}
	into["POST /v1/workflows/{name}/run"] = probe{status: http.StatusAccepted, path: func(w *world) map[string]string { return map[string]string{"name": flow(w)} },
		body: func(*world) object { return object{"inputs": object{"n": 2}} }}
	into["GET /v1/workflows/{name}/invocations/{invocationId}"] = probe{
		path: func(w *world) map[string]string {
			id := invoke(w)
			return map[string]string{"name": flow(w), "invocationId": id}
		},
		absent: map[string]string{"error": "it did not fail"},
	}
}

// mcpServer registers a Model Context Protocol server that the test runs.
func mcpServer(w *world) string {
	return w.once("mcp", func() string {
		w.must(http.MethodPost, "/v1/mcps", object{"name": "tools", "transport": "streamable_http", "url": serveMCP(w.root), "description": "Of the test."}, "name")
		return "tools"
	})
}
