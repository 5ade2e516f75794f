//go:build e2e

package e2e

import (
	"net/http"
	"strings"
	"testing"
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
