package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"strata/domain"
	"strata/domain/catalogue"
	"strata/internal/clickhouse"
	"strata/internal/documents"
	"strata/internal/httpx/httpxtest"
)

var update = flag.Bool("update", false, "write docs/routes.txt")

// adminKey of the installations these tests start.
const testKey = "strata-test-admin-key"

// TestMain lets the test binary stand in for strata: the children that run the
// analytics engine and read PDF files are the same program under hidden
// subcommands.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == clickhouse.ChildCommand {
		os.Exit(clickhouse.ChildMain(os.Args[2:]))
	}
	if len(os.Args) > 1 && os.Args[1] == documents.ChildCommand {
		os.Exit(documents.ChildMain(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// reply is an answer of the enveloped mount.
type reply struct {
	Status     int
	Header     http.Header
	Data       json.RawMessage
	Pagination struct {
		HasMore    bool
		NextCursor string
	}
	Error faults
}

// faults is an error of either mount; of the plain one only the fact is kept.
type faults struct {
	Code    string
	Details []domain.FieldError
}

func (f *faults) UnmarshalJSON(b []byte) error {
	type enveloped faults
	if b[0] == '{' {
		return json.Unmarshal(b, (*enveloped)(f))
	}
	return json.Unmarshal(b, &f.Code)
}

func call(t *testing.T, s *installation, method, path string, body any, header ...string) reply {
	t.Helper()
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			t.Fatal(err)
		}
	}
	req, err := http.NewRequest(method, s.URL+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+testKey)
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	out := reply{Status: res.StatusCode, Header: res.Header}
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, raw)
	}
	return out
}

func (r reply) must(t *testing.T, status int) reply {
	t.Helper()
	if r.Status != status {
		t.Fatalf("status %d, want %d: %s %v", r.Status, status, r.Error.Code, r.Error.Details)
	}
	return r
}

func (r reply) field(t *testing.T, name string) string {
	t.Helper()
	var d map[string]any
	if err := json.Unmarshal(r.Data, &d); err != nil {
		t.Fatal(err)
	}
	if v, ok := d[name]; ok {
		return fmt.Sprint(v)
	}
	return ""
}

// Every plain kind goes through the same life on every place it is served.
func TestEveryKindLives(t *testing.T) {
	s := start(t)
	for _, k := range catalogue.All() {
		for _, route := range k.Spec().Routes {
			if route.Mount == "api" {
				t.Run(k.Spec().Name, func(t *testing.T) { lifecycle(t, s, k, "/api/v1"+route.Path) })
			}
		}
	}
}

func lifecycle(t *testing.T, s *installation, k domain.AnyKind, path string) {
	spec := k.Spec()
	example := map[string]any{}
	for name, v := range domain.CreateExample(k) {
		if name != "id" && name != "version" {
			example[name] = v
		}
	}
	created := call(t, s, "POST", path, example, "Idempotency-Key", "one").must(t, http.StatusCreated)
	named := cmp.Or(spec.Key, "name")
	id, key := created.field(t, "id"), created.field(t, named)
	if !domain.HasPrefix(id, spec.Prefix) || created.Header.Get("ETag") != `"0"` || created.Header.Get("Strata-Position") == "" {
		t.Errorf("created %s with ETag %s at %s", id, created.Header.Get("ETag"), created.Header.Get("Strata-Position"))
	}
	if again := call(t, s, "POST", path, example, "Idempotency-Key", "one").must(t, http.StatusCreated); again.field(t, "id") != id {
		t.Error("a retry made another one")
	}
	if spec.Key != "" {
		call(t, s, "POST", path, example).must(t, http.StatusConflict)
	}
	if empty := call(t, s, "POST", path, map[string]any{"nonsense": 1}).must(t, http.StatusBadRequest); len(empty.Error.Details) < 2 {
		t.Errorf("not all faults are named: %v", empty.Error.Details)
	}
	one := path + "/" + id
	if spec.ByKey {
		one = path + "/" + key
	}
	past := newLife(t, s, path+"/"+id)
	past.answered(created)
	got := call(t, s, "GET", one, nil).must(t, http.StatusOK)
	for _, secret := range domain.SecretFields(k.Type()) {
		if got.field(t, secret) != "" {
			t.Errorf("%s is shown", secret)
		}
	}
	call(t, s, "PUT", one, json.RawMessage(got.Data), "If-Match", `"0"`).must(t, http.StatusOK) // what was got can be put back
	call(t, s, "PUT", one, map[string]any{named: key}, "If-Match", `"7"`).must(t, http.StatusConflict)
	past.answered(call(t, s, "PUT", one, different(t, k)).must(t, http.StatusOK))
	past.answered(call(t, s, "PUT", path+"/"+id, example).must(t, http.StatusOK)) // and its secrets again
	past.check(false)

	listed := call(t, s, "GET", path+"?limit=1", nil).must(t, http.StatusOK)
	var items []json.RawMessage
	if err := json.Unmarshal(listed.Data, &items); err != nil || len(items) != 1 {
		t.Errorf("list: %d items, %v", len(items), err)
	}
	call(t, s, "GET", path+"?sortBy=nonsense", nil).must(t, http.StatusBadRequest)
	call(t, s, "GET", path+"?cursor=nonsense", nil).must(t, http.StatusBadRequest)
	if spec.Clone {
		if clone := call(t, s, "POST", one+"/clone", nil).must(t, http.StatusCreated); clone.field(t, "id") == id {
			t.Error("the clone is the same")
		}
	}
	if k.ExportType() != nil {
		call(t, s, "GET", one+"/export", nil).must(t, http.StatusOK)
	}
	if len(spec.Versions) > 0 {
		call(t, s, "GET", one+"/versions", nil).must(t, http.StatusOK)
		call(t, s, "GET", one+"/versions/1", nil).must(t, http.StatusOK)
		call(t, s, "GET", one+"/versions/99", nil).must(t, http.StatusNotFound)
		call(t, s, "POST", one+"/versions/1/restore", nil).must(t, http.StatusOK)
	}
	past.answered(call(t, s, "GET", one, nil).must(t, http.StatusOK))
	if deleted := call(t, s, "DELETE", one, nil).must(t, http.StatusOK); deleted.field(t, "deleted") != "true" {
		t.Errorf("deleted: %s", deleted.Data)
	}
	call(t, s, "GET", one, nil).must(t, http.StatusNotFound)
	past.check(true)
	call(t, s, "PUT", one, map[string]any{named: key}).must(t, http.StatusNotFound)
	call(t, s, "DELETE", one, nil).must(t, http.StatusNotFound)
	again := call(t, s, "POST", path, example).must(t, http.StatusCreated) // the name is free again, the id is not
	if again.field(t, "id") == id {
		t.Error("an id was used twice")
	}
	call(t, s, "DELETE", path+"/"+pathName(spec, again.field(t, "id"), key), nil).must(t, http.StatusOK)
}

// different is a change that every resource like the kind's example can take.
func different(t *testing.T, k domain.AnyKind) domain.Doc {
	t.Helper()
	example := k.ExampleDoc()
	for name, v := range example {
		if string(v) == "true" || string(v) == "false" {
			return domain.Doc{name: fmt.Append(nil, string(v) == "false")}
		}
	}
	fixed := append(domain.FixedFields(k.Type()), domain.SecretFields(k.Type())...)
	for _, name := range append([]string{k.Spec().Key}, k.Spec().Search...) {
		if text := example.String(name); text != "" && !slices.Contains(fixed, name) {
			return domain.Doc{name: fmt.Appendf(nil, "%q", text+"-2")}
		}
	}
	t.Fatalf("nothing to change is known in a %s", k.Spec().Name)
	return nil
}

func pathName(spec *domain.KindSpec, id, key string) string {
	if spec.ByKey {
		return key
	}
	return id
}

// The document describes every operation, with examples that fit.
func TestOpenAPI(t *testing.T) {
	s := start(t)
	for _, path := range []string{"/api/v1/openapi.json", "/v1/openapi.json"} {
		res, err := s.Client().Get(s.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if err := httpxtest.CheckSpec(doc); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// docs/routes.txt lists every route with the file it is registered in. Look at
// its diff: that is what a change does to the API.
func TestRoutes(t *testing.T) {
	var out bytes.Buffer
	if err := printRoutes(t.Context(), nil, &out); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("..", "..", "docs", "routes.txt")
	if *update {
		if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != string(want) {
		t.Errorf("the routes differ from docs/routes.txt (go test ./cmd/strata -run Routes -update):\n%s", firstDifference(got, string(want)))
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range g {
		if i >= len(w) || g[i] != w[i] {
			return fmt.Sprintf("line %d: %s", i+1, g[i])
		}
	}
	return "lines are missing"
}
