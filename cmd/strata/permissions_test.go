package main

import (
	"net/http"
	"strings"
	"testing"
)

// inferencePermissions are those that the Inference API documents, each with the
// operation it names.
var inferencePermissions = []struct{ permission, method, path string }{
	{"benchmarks:create", "POST", "/v1/benchmarks"},
	{"benchmarks:get", "GET", "/v1/benchmarks/{id}"},
	{"benchmarks:list", "GET", "/v1/benchmarks"},
	{"evaluations:create", "POST", "/v1/evaluations"},
	{"leaderboards:list", "GET", "/v1/leaderboards"},
	{"trainings:create", "POST", "/v1/trainings"},
	{"trainings:delete", "DELETE", "/v1/trainings/{id}"},
	{"trainings:get", "GET", "/v1/trainings/{id}"},
	{"trainings:list", "GET", "/v1/trainings"},
	{"trainings:update", "PUT", "/v1/trainings/{id}"},
	{"data-models:create", "POST", "/v1/data-models"},
	{"data-models:delete", "DELETE", "/v1/data-models/{id}"},
	{"data-models:get", "GET", "/v1/data-models/{id}"},
	{"data-models:list", "GET", "/v1/data-models"},
	{"data-models:update", "PUT", "/v1/data-models/{id}"},
}

// status asks with a key and returns the status of the answer.
func (i *installation) status(t *testing.T, method, path, body, key string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, i.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Content-Type", "application/json")
	res, err := i.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode
}

// Each documented permission opens its operation, and the other fourteen do not.
func TestInferencePermissions(t *testing.T) {
	s := start(t)
	routes, err := allRoutes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	served := map[string]bool{}
	for _, r := range routes {
		served[r.Method+" "+r.Path] = true
	}
	key := func(scopes []string) string {
		return call(t, s, "POST", "/api/v1/user/api-keys", object{"name": "k", "scopes": scopes, "rateLimitTier": "enterprise"}).
			must(t, http.StatusCreated).field(t, "key")
	}
	for i, p := range inferencePermissions {
		t.Run(p.permission, func(t *testing.T) {
			if !served[p.method+" "+p.path] {
				t.Skipf("%s %s is not served", p.method, p.path)
			}
			var others []string
			for j, other := range inferencePermissions {
				if j != i {
					others = append(others, other.permission)
				}
			}
			body := ""
			if p.method == "POST" || p.method == "PUT" {
				body = "{}"
			}
			path := strings.Replace(p.path, "{id}", "none", 1)
			status := func(scopes []string) int { return s.status(t, p.method, path, body, key(scopes)) }
			// Leaderboards are in ClickHouse, which these tests do without.
			away := func(got int) bool { return p.permission == "leaderboards:list" && got == http.StatusServiceUnavailable }
			if got := status([]string{p.permission}); got == http.StatusForbidden || got == http.StatusUnauthorized || got >= 500 && !away(got) {
				t.Errorf("with it: %d", got)
			}
			if got := status(others); got != http.StatusForbidden {
				t.Errorf("with the others only: %d", got)
			}
		})
	}
}
