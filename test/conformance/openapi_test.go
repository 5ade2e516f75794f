//go:build e2e

package conformance

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"strata/gateway/gatewaytest"
	"strata/test/kit"
)

// The bounds of the random requests: cases per operation beside those that the
// document's limits suggest, and the time of the whole run.
const (
	randomCases = "3"
	randomTime  = 9 * time.Minute
)

// tool is a program of the Python environment that the Makefile makes.
func tool(t *testing.T, name string) string {
	t.Helper()
	root, err := kit.Root()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, ".cache", "venv-conformance", "bin", name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("run make conformance, which installs it: %v", err)
	}
	return path
}

// saved writes one of the server's documents to a file.
func saved(t *testing.T, s *kit.Server, path string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "openapi.json")
	if err := os.WriteFile(file, s.ClientFor("").Get(t, path).Body, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// Both documents are valid OpenAPI 3.1, and so is every example in them by its schema.
func TestDocumentsAndExamples(t *testing.T) {
	for _, path := range []string{"/api/v1/openapi.json", "/v1/openapi.json"} {
		cmd := exec.CommandContext(t.Context(), tool(t, "python"), "examples.py", saved(t, shared, path))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", path, err, out)
		}
	}
}

// Requests made from the document, valid and not, meet no server error and no answer
// that the document does not tell of. Both documents hold the whole surface, so one is
// enough. Left out is what streams without end, what calls servers that examples can only
// invent (MCP's proxy), and what a run must not do to its own server: rebuild projections.
func TestRandomRequests(t *testing.T) {
	s := kit.Start(t, kit.Options{Env: []string{
		"STRATA_RATE_LIMIT_ANONYMOUS_KEY=0", "STRATA_READ_WAIT=20ms", // positions are random, too
		"STRATA_BACKUP_DIR=" + t.TempDir(), "STRATA_OUTBOUND_PRIVATE=127.0.0.0/8", "STRATA_PERSONAS_MODEL=scripted/m",
	}})
	if err := s.WaitClickHouse(patience); err != nil {
		t.Fatal(err)
	}
	// What asks models for JSON answers 503 when it gets none, as it must.
	up := gatewaytest.NewUpstream(t)
	const persona = `{"name":"Ada","birthdate":"1990-12-10","notes":"Reads."}`
	up.Always(func(w http.ResponseWriter, r *gatewaytest.Request) {
		answer := persona
		if bytes.Contains(r.Body, []byte("personas")) { // as read from a document
			answer = `{"personas":[` + persona + `]}`
		}
		gatewaytest.Answer(answer)(w, r)
	})
	s.Client().Create(t, "/api/v1/providers", object{"name": "scripted", "type": "openai_compatible", "baseUrl": up.URL, "apiKey": "k", "models": []string{"m"}})
	document := saved(t, s, "/v1/openapi.json")
	settings := filepath.Join(t.TempDir(), "schemathesis.toml")
	if err := os.WriteFile(settings, []byte(randomSettings), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, which := range map[string][]string{
		"first":  {"--include-path-regex", firstHalf, "--exclude-path-regex", leftOut},
		"second": {"--exclude-path-regex", firstHalf + "|" + leftOut},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requestAtRandom(t, append([]string{"--config-file", settings, "run", document, "--url", s.URL}, which...)...)
		})
	}
}

// Two processes share the document: the tool's own workers are threads, and CPython before
// 3.13 fails now and then with a SystemError when two threads parse source at once
// (python/cpython#106905), which the tool does for every generator it describes.
const (
	firstHalf = `^/(api/v1|openai/v1|v1)/[a-i]`
	leftOut   = `(/stream|/ws|/rebuild|/proxy)$`
)

// A bucket that an example names cannot be reached, and 503 says so honestly.
const randomSettings = `
[[operations]]
include-path-regex = "/connectors/[^/]+/(files|scan)$"

[operations.checks.not_a_server_error]
enabled = false
`

func requestAtRandom(t *testing.T, args ...string) {
	ctx, cancel := context.WithTimeout(t.Context(), randomTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, tool(t, "schemathesis"), append(args,
		"--no-color", "--header", "Authorization: Bearer "+kit.AdminKey,
		"--checks", "not_a_server_error,response_schema_conformance,status_code_conformance,content_type_conformance",
		"--phases", "examples,coverage,fuzzing", "--max-examples", randomCases, "--seed", "20261122",
		"--generation-database", "none", "--continue-on-failure", "--request-timeout", "60", "--warnings", "off",
		"--suppress-health-check", "all", "--workers", "1")...)
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, tail(string(out), 12000))
	}
	t.Log(tail(string(out), 600))
}

func tail(text string, most int) string {
	if len(text) > most {
		text = "…" + text[len(text)-most:]
	}
	return strings.TrimSpace(text)
}
