//go:build e2e

package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"strata/gateway/gatewaytest"
	"strata/test/kit"
)

// A workflow searches a knowledge base, computes with a tool and shows where its
// passages stand.
func TestWorkflowsSearchAndUseTools(t *testing.T) {
	c := onShared(t)
	base := c.Create(t, "/v1/knowledge-bases", object{"name": "Handbook of workflows"}).Str("id")
	up := c.upload(t, http.StatusAccepted, "/v1/knowledge-bases/"+base+"/documents", "handbook.md", handbook)
	c.processed(t, up.Str("documents.0.id"), "completed")
	c.Create(t, "/v1/workflows", object{"name": "looks up", "nodes": []object{
		node("look", "knowledge", object{"dataset_ids": []string{base}, "query": "{{inputs.q}}", "top_k": 1}),
		node("sum", "tool", object{"tool": "calculator", "arguments": object{"expression": "nodes.look.count + 1"}}),
		node("days", "tool", object{"tool": "calculator", "arguments": object{"expression": "{{nodes.look.count}} + 4"}}),
		node("end", "end", object{"outputs": object{"text": "{{nodes.look.text}}", "where": "{{nodes.look.passages[0].document_name}}", "days": "{{nodes.days.json}}"}}),
	}, "edges": []object{edge("look", "days"), edge("look", "sum"), edge("days", "end"), edge("sum", "end", "error")}})
	ran := c.Do(t, http.StatusOK, "POST", "/api/v1/workflows/looks%20up/run", object{"inputs": object{"q": "How long does a refund take?"}})
	ran.Want("data.status", "completed", "data.outputs.where", "handbook.md", "data.outputs.days", 5)
	if said := ran.Str("data.outputs.text"); !strings.Contains(said, "A refund takes five working days") || !strings.HasPrefix(said, "[1] handbook.md") {
		t.Errorf("found %q", said)
	}
}

// What is another tenant's is not found.
func TestWorkflowsSearchTheirOwn(t *testing.T) {
	c, stranger := onShared(t), onShared(t)
	base := c.Create(t, "/v1/knowledge-bases", object{"name": "Private"}).Str("id")
	stranger.Create(t, "/v1/workflows", object{"name": "peeks", "nodes": []object{node("look", "knowledge", object{"dataset_ids": []string{base}, "query": "x"})}})
	stranger.Do(t, http.StatusOK, "POST", "/api/v1/workflows/peeks/run", object{"inputs": object{}}).
		Want("data.status", "failed", "data.error.code", "NOT_FOUND", "data.error.nodeId", "look")
}

// An agent node runs an agent and waits for it; the two runs name each other.
func TestWorkflowsRunAgents(t *testing.T) {
	c := onShared(t)
	c.Create(t, "/v1/agents", object{"name": "opener", "instructions": "{{greeting}} We open at nine.", "model": "strata/extract-1", "status": "active"})
	c.Create(t, "/v1/workflows", object{"name": "asks", "nodes": []object{
		node("ask", "agent", object{"agent": "opener", "message": "When do you {{inputs.what}}?", "variables": object{"greeting": "Hello."}}),
		node("end", "end", object{"outputs": object{"answer": "{{nodes.ask.message}}"}})}, "edges": []object{edge("ask", "end")}})
	ran := c.Do(t, http.StatusOK, "POST", "/api/v1/workflows/asks/run", object{"inputs": object{"what": "open"}})
	ran.Want("data.status", "completed")
	if said := ran.Str("data.outputs.answer"); !strings.Contains(said, "nine") {
		t.Errorf("the agent said %q", said)
	}
	run := ran.Str("data.runId")
	step := invocation(t, c, "asks", run, "completed").Want("steps.0.node_type", "agent", "steps.0.waits_for", "child")
	c.Get(t, "/v1/runs/"+step.Str("steps.0.child_run_id"), step.After()...).Want("status", "completed", "parent_run_id", run)
	c.Create(t, "/v1/workflows", object{"name": "asks nobody", "nodes": []object{node("ask", "agent", object{"agent": "nobody", "message": "x"})}})
	c.Do(t, http.StatusOK, "POST", "/api/v1/workflows/asks%20nobody/run", object{"inputs": object{}}).
		Want("data.status", "failed", "data.error.code", "NOT_FOUND", "data.error.nodeId", "ask")
}

// Whoever cancels a run cancels the runs that it has started: of an agent, and of a
// workflow.
func TestCancelledWorkflowsCancelTheirRuns(t *testing.T) {
	oneProcess(t, "needs a model that it can hold")
	up := gatewaytest.NewUpstream(t)
	asked := make(chan struct{}, 1)
	up.Always(func(_ http.ResponseWriter, r *gatewaytest.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	})
	c := kit.Start(t, kit.Options{}).Client()
	c.Create(t, "/api/v1/providers", object{"name": "p", "type": "openai_compatible", "baseUrl": up.URL, "models": []string{"m"}})
	c.Create(t, "/v1/agents", object{"name": "slow", "model": "p/m", "status": "active"})
	c.Create(t, "/v1/workflows", object{"name": "inner", "nodes": []object{node("ask", "agent", object{"agent": "slow", "message": "x"})}})
	c.Create(t, "/v1/workflows", object{"name": "outer", "nodes": []object{node("sub", "workflow", object{"workflow": "inner"})}})
	run := c.Do(t, http.StatusAccepted, "POST", "/v1/workflows/outer/run", object{"inputs": object{}}).Str("invocation_id")
	select {
	case <-asked:
	case <-time.After(time.Minute):
		t.Fatal("the model is not asked: ", c.Get(t, "/v1/workflows/inner/invocations").Short(), c.Get(t, "/v1/runs").Short())
	}
	c.Do(t, http.StatusOK, "POST", "/v1/workflows/outer/invocations/"+run+"/cancel", object{}).Want("status", "cancelled")
	var inner *kit.Answer
	kit.Eventually(t, time.Minute, "the run of the inner workflow to end", func() error {
		inner = c.Get(t, "/v1/workflows/inner/invocations")
		return kit.Differ("status", inner.Strings("data", "status"), []string{"cancelled"})
	})
	kit.Eventually(t, time.Minute, "the agent's run to end", func() error {
		one := c.Get(t, "/v1/workflows/inner/invocations/"+inner.Str("data.0.run_id"))
		return kit.Differ("status", c.Get(t, "/v1/runs/"+one.Str("steps.0.child_run_id")).Str("status"), "cancelled")
	})
}

// A workflow lists the files of a connector, reads one and goes through the rows of
// another.
func TestWorkflowsReadConnectors(t *testing.T) {
	c, s3 := newTenant(t, reaching(t)), kit.StartS3(t)
	s3.Put(t, "churn", "data/customers.csv", []byte("id,plan\n1,pro\n2,\n3,free\n"))
	s3.Put(t, "churn", "data/rules.json", []byte(`{"best":"pro"}`))
	id := connect(t, c, s3, "churn")
	read := func(node, operation string, more object) object {
		more["connector"], more["operation"] = id, operation
		return object{"id": node, "type": "connector", "config": more}
	}
	c.Create(t, "/v1/workflows", object{"name": "reads", "nodes": []object{
		read("all", "list", object{"prefix": "data/", "limit": 5}), read("rules", "read", object{"file": "{{nodes.all.files[1].name}}"}),
		read("rows", "rows", object{"file": "data/customers.csv", "offset": 1, "limit": 1}), read("rest", "rows", object{"file": "data/customers.csv", "offset": 2}),
		node("end", "end", object{"outputs": object{"count": "{{nodes.all.count}}", "best": "{{nodes.rules.json.best}}", "rows": "{{nodes.rows}}", "rest": "{{nodes.rest}}"}})},
		"edges": []object{edge("all", "rules"), edge("rules", "rows"), edge("rows", "rest"), edge("rest", "end")}})
	ran := c.Do(t, http.StatusOK, "POST", "/api/v1/workflows/reads/run", object{"inputs": object{}})
	ran.Want("data.status", "completed", "data.outputs.count", 2, "data.outputs.best", "pro", "data.outputs.rows.count", 1, "data.outputs.rows.more", true,
		"data.outputs.rows.rows.0.id", 2, "data.outputs.rows.rows.0.plan", nil, "data.outputs.rows.columns.1", "plan",
		"data.outputs.rest.rows.0.plan", "free", "data.outputs.rest.more", false)
	c.Create(t, "/v1/workflows", object{"name": "misses", "nodes": []object{read("a", "rows", object{"file": "data/rules.json"})}})
	c.Do(t, http.StatusOK, "POST", "/api/v1/workflows/misses/run", object{"inputs": object{}}).Want("data.status", "failed", "data.error.nodeId", "a", "data.error.code", "VALIDATION_ERROR")
	stranger := onShared(t)
	stranger.Create(t, "/v1/workflows", object{"name": "peeks in", "nodes": []object{read("a", "list", object{})}})
	stranger.Do(t, http.StatusOK, "POST", "/api/v1/workflows/peeks%20in/run", object{"inputs": object{}}).Want("data.status", "failed", "data.error.code", "NOT_FOUND")
}
