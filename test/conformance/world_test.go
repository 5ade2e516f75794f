//go:build e2e

package conformance

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"strata/gateway/gatewaytest"
	"strata/test/kit"
)

// patience is how long what happens behind an answer may take.
const patience = 60 * time.Second

var shared *kit.Server

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "strata-conformance-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	shared, err = kit.New(kit.Options{DataDir: filepath.Join(dir, "data"), Env: []string{
		"STRATA_RATE_LIMIT_ANONYMOUS_KEY=0", "STRATA_OUTBOUND_PRIVATE=127.0.0.0/8",
	}})
	if err == nil {
		err = shared.Start()
	}
	if err == nil {
		err = shared.WaitClickHouse(patience)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := shared.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if code != 0 {
		fmt.Fprintf(os.Stderr, "the end of the server's log:\n%s\n", shared.LogTail(60))
	}
	return code
}

type object = map[string]any

// world is a workspace with a key, and what one operation's checks made in it. Its
// reads know of its writes.
type world struct {
	*kit.Client
	t     *testing.T // of the running subtest
	space string
	*made
}

// made is what the subtests of one operation share.
type made struct {
	root   *testing.T // as long as it lasts, what was made is there
	newest uint64     // position of the latest write
	names  int
	memo   map[string]string
	up     *gatewaytest.Upstream
}

var spaces atomic.Int64

// newWorld makes a workspace, or goes on in one with another test.
func newWorld(t *testing.T) *world {
	t.Helper()
	admin := shared.Client()
	org := admin.Get(t, "/api/v1/auth/whoami").Str("data.organization.id")
	name := fmt.Sprintf("Conformance %d", spaces.Add(1))
	ws := admin.Create(t, "/api/v1/organizations/"+org+"/workspaces", object{"name": name}).Str("data.id")
	key := admin.Create(t, "/api/v1/user/api-keys", object{"name": name, "workspaceId": ws, "rateLimitTier": "enterprise"})
	return &world{Client: shared.ClientFor(key.Str("data.key")), t: t, space: ws, made: &made{root: t, memo: map[string]string{}}}
}

// in is the same world for a subtest.
func (w *world) in(t *testing.T) *world {
	out := *w
	out.t = t
	return &out
}

// send calls the server; a read waits for what was written before.
func (w *world) send(method, path string, body any, headers ...string) *kit.Answer {
	w.t.Helper()
	if w.newest > 0 {
		headers = append(headers, "Strata-Min-Position", strconv.FormatUint(w.newest, 10))
	}
	a, err := w.Call(w.t.Context(), method, path, body, headers...)
	if err != nil {
		w.t.Fatal(err)
	}
	if at, err := strconv.ParseUint(a.Position(), 10, 64); err == nil && at > w.newest {
		w.newest = at
	}
	return a.For(w.t)
}

// must is send with a status of success, and returns a text of the answer.
func (w *world) must(method, path string, body any, field string) string {
	w.t.Helper()
	a := w.send(method, path, body)
	if a.Status >= 300 {
		w.t.Fatalf("%s: %d %s", a.Request, a.Status, a.Short())
	}
	v, ok := a.Lookup(field)
	if !ok {
		w.t.Fatalf("%s has no %s: %s", a.Request, field, a.Short())
	}
	return fmt.Sprint(v)
}

// name is a name that nothing else here has.
func (w *world) name(of string) string {
	w.names++
	return fmt.Sprintf("%s %s %d", of, w.space[len(w.space)-6:], w.names)
}

// once makes something the first time it is asked for.
func (w *world) once(what string, make func() string) string {
	if _, ok := w.memo[what]; !ok {
		w.memo[what] = make()
	}
	return w.memo[what]
}

// model is the name of a model that says what the test wants.
func (w *world) model() string {
	return w.once("model", func() string {
		w.up = gatewaytest.NewUpstream(w.root)
		w.up.Always(gatewaytest.Answer("Fine."))
		w.must(http.MethodPost, "/api/v1/providers", object{
			"name": "scripted", "type": "openai_compatible", "baseUrl": w.up.URL, "apiKey": "sk-upstream", "models": []string{"m"},
		}, "data.id")
		return "scripted/m"
	})
}

// says makes the model answer with a text from now on.
func (w *world) says(text string) string {
	m := w.model()
	w.up.Always(gatewaytest.Answer(text))
	return m
}

// eventually waits until check finds no fault.
func (w *world) eventually(what string, check func() error) {
	w.t.Helper()
	if err := kit.Poll(w.t.Context(), patience, check); err != nil {
		w.t.Fatalf("%s: %v", what, err)
	}
}

// fill puts values into a path's parameters.
func fill(path string, values map[string]string) string {
	for name, value := range values {
		path = strings.ReplaceAll(path, "{"+name+"}", value)
	}
	return path
}
