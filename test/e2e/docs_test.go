//go:build e2e

package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"strata/test/kit"
)

func TestOpenAPI(t *testing.T) {
	anybody := shared.ClientFor("")
	var operations int
	for _, path := range []string{"/api/v1/openapi.json", "/v1/openapi.json"} {
		a := anybody.Get(t, path)
		if url := a.Str("servers.0.url"); !strings.HasSuffix(url, shared.URL[strings.LastIndex(shared.URL, ":"):]) {
			t.Errorf("%s says that the server is at %s", path, url)
		}
		if !strings.HasPrefix(a.Str("openapi"), "3.1") {
			t.Errorf("%s: OpenAPI %s", path, a.Str("openapi"))
		}
		if tag := a.Header.Get("ETag"); tag == "" {
			t.Errorf("%s has no ETag", path)
		} else {
			anybody.Do(t, http.StatusNotModified, "GET", path, nil, "If-None-Match", tag)
		}
		doc, err := openapi3.NewLoader().LoadFromData(a.Body)
		if err != nil {
			t.Fatal(err)
		}
		for where, item := range doc.Paths.Map() {
			for method, op := range item.Operations() {
				operations++
				if op.OperationID == "" || op.Summary == "" || len(op.Tags) == 0 {
					t.Errorf("%s %s is not documented", method, where)
				}
				if op.Responses == nil || op.Responses.Len() < 2 {
					t.Errorf("%s %s does not tell its answers", method, where)
				}
			}
		}
	}
	if operations < 100 {
		t.Errorf("%d operations in the two documents", operations)
	}
}

// Every GET of the document is there, and refuses those without a key.
func TestEveryDocumentedOperationAsksForAKey(t *testing.T) {
	anybody := shared.ClientFor("")
	paths, _ := anybody.Get(t, "/api/v1/openapi.json").Lookup("paths")
	for path, item := range paths.(object) {
		for method, op := range item.(object) {
			security, said := op.(object)["security"].([]any)
			if said && len(security) == 0 {
				continue // public
			}
			path := strings.NewReplacer("{", "", "}", "").Replace(path)
			a, err := anybody.Call(t.Context(), strings.ToUpper(method), path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if a.Status != http.StatusUnauthorized {
				t.Errorf("%s %s without a key: %d", method, path, a.Status)
			}
		}
	}
}

func TestPages(t *testing.T) {
	anybody := shared.ClientFor("")
	docs := anybody.Do(t, http.StatusOK, "GET", "/api/v1/docs", nil, "Accept", "text/html")
	console := anybody.Do(t, http.StatusOK, "GET", "/console/", nil, "Accept", "text/html")
	anybody.Do(t, http.StatusOK, "GET", "/console/overview", nil, "Accept", "text/html") // the console's own address
	for name, page := range map[string]*kit.Answer{"docs": docs, "console": console} {
		if !strings.Contains(page.Header.Get("Content-Type"), "text/html") {
			t.Errorf("%s is %s", name, page.Header.Get("Content-Type"))
		}
		for _, foreign := range []string{"https://cdn", "https://unpkg", "https://fonts.g"} {
			if strings.Contains(string(page.Body), foreign) {
				t.Errorf("%s loads from %s", name, foreign)
			}
		}
	}
	anybody.Do(t, http.StatusOK, "GET", "/api/v1/docs", nil, "Accept", "application/json").Str("openapi")
	metrics := anybody.Get(t, "/metrics")
	for _, name := range []string{"go_goroutines", "strata_"} {
		if !strings.Contains(string(metrics.Body), name) {
			t.Errorf("the metrics have no %s", name)
		}
	}
	anybody.Get(t, "/healthz")
	anybody.Get(t, "/readyz").Want("status", "ready")
}
