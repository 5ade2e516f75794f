//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"strata/gateway/gatewaytest"
	"strata/gateway/mem0/mem0test"
	"strata/test/kit"
	"strata/test/pages"
)

// What readers are told to copy works: every example of the users' pages, from the top of
// a page to its end.
func TestPagesCanBeFollowed(t *testing.T) {
	s := reaching(t)
	if err := s.WaitClickHouse(clickHouseDeadline); err != nil {
		t.Fatal(err)
	}
	root, err := kit.Root()
	if err != nil {
		t.Fatal(err)
	}
	binary, err := kit.Binary()
	if err != nil {
		t.Fatal(err)
	}
	for page, knows := range map[string]func(*testing.T, tenant) map[string]string{
		"README.md":             func(*testing.T, tenant) map[string]string { return map[string]string{} },
		"docs/flotorch.md":      func(t *testing.T, _ tenant) map[string]string { return map[string]string{"MCP": serveTools(t)} },
		"docs/inference-api.md": readerOfInference,
	} {
		t.Run(filepath.Base(page), func(t *testing.T) {
			c := newTenant(t, s)
			env := knows(t, c)
			env["KEY"], env["STRATA"], env["URL"] = c.Key, s.URL, s.URL
			pages.Run(t, filepath.Join(root, page), pages.Session{Env: env, Path: filepath.Dir(binary),
				Replace: map[string]string{"http://localhost:8000": s.URL, "https://api.mem0.ai": serveMemories(t)}})
		})
	}
}

// readerOfInference has a bucket with tables, a manager of a cluster, and a provider
// named openai.
func readerOfInference(t *testing.T, c tenant) map[string]string {
	s3 := kit.StartS3(t)
	table := []byte(churnTable(200))
	for _, key := range []string{"churn/q3.csv", "churn/q4.csv"} {
		s3.Put(t, "customers", key, table)
	}
	up := gatewaytest.NewUpstream(t)
	c.Create(t, "/api/v1/providers", object{"name": "openai", "type": "openai_compatible", "baseUrl": up.URL,
		"models": []string{"gpt-4o-mini"}, "config": object{"prices": prices}})
	up.Always(gatewaytest.Answer(`{"birthdate":"1985-12-10","notes":"Lives in Leeds."}`))
	manager := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"inference":{"status":"ok"},"ingress":{},"nodes":[{}],"resources":{}}`))
	}))
	t.Cleanup(manager.Close)
	return map[string]string{"MANAGER": manager.URL, "S3": s3.URL, "BUCKET": "customers", "REGION": "us-east-1",
		"S3_ID": s3.AccessKeyID, "S3_SECRET": s3.SecretAccessKey}
}

// churnTable is a table whose clients leave when they are young.
func churnTable(rows int) string {
	var b strings.Builder
	b.WriteString("age,plan,churned\n")
	for i := range rows {
		age := 20 + i%60
		fmt.Fprintf(&b, "%d,%s,%t\n", age, []string{"free", "pro"}[i%2], age < 40)
	}
	return b.String()
}

// serveMemories is mem0's platform with the key that the page shows.
func serveMemories(t *testing.T) string {
	mem0 := mem0test.New(t, true)
	mem0.Key = "m0-…"
	return mem0.URL
}

// serveTools runs an MCP server with the tool that the page calls.
func serveTools(t *testing.T) string {
	type query struct {
		Query string `json:"query"`
	}
	s := mcp.NewServer(&mcp.Implementation{Name: "search", Version: "1"}, nil)
	mcp.AddTool(s, &mcp.Tool{Name: "find", Description: "Finds goods."}, func(_ context.Context, _ *mcp.CallToolRequest, in query) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "Found " + in.Query}}}, nil, nil
	})
	server := httptest.NewServer(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s }, nil))
	t.Cleanup(server.Close)
	return server.URL
}
