//go:build e2e

package sdk

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"strata/test/kit"
)

type object = map[string]any

// everything is the program of the Model Context Protocol's own example server.
const everything = "node/node_modules/@modelcontextprotocol/server-everything/dist/index.js"

func program(t *testing.T) (node, script string) {
	t.Helper()
	node, err := exec.LookPath("node")
	if err == nil {
		script, err = filepath.Abs(everything)
	}
	if err == nil {
		_, err = os.Stat(script)
	}
	if err != nil {
		t.Fatalf("make sdk prepares the Node environment: %v", err)
	}
	return node, script
}

// serveEverything runs the example server over HTTP and returns its address.
func serveEverything(t *testing.T, node, script string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer // read when the program has ended
	cmd := exec.Command(node, script, "streamableHttp")
	cmd.Env = append(os.Environ(), "PORT="+port)
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()         // killed
		if t.Failed() {
			t.Logf("the example server said:\n%s", said.Bytes())
		}
	})
	kit.Eventually(t, 30*time.Second, "the example server listens", func() error {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return err
		}
		return conn.Close()
	})
	return "http://" + address + "/mcp"
}

// proxied is an MCP server as clients of Strata reach it.
type proxied struct {
	*testing.T
	c    *kit.Client
	name string
}

func (p proxied) call(method string, params object) *kit.Answer {
	p.Helper()
	id := method + " of " + p.name
	return p.c.Post(p, "/v1/mcps/"+p.name+"/proxy", object{"jsonrpc": "2.0", "id": id, "method": method, "params": params}).Want("jsonrpc", "2.0", "id", id)
}

// ok calls a method that must have a result.
func (p proxied) ok(method string, params object) *kit.Answer {
	p.Helper()
	a := p.call(method, params)
	if a.Has("error") || !a.Has("result") {
		p.Fatalf("%s: %s", method, a.Short())
	}
	return a
}

func (p proxied) tool(name string, arguments object) *kit.Answer {
	p.Helper()
	return p.ok("tools/call", object{"name": name, "arguments": arguments})
}

// text is the first text of a tool's result.
func text(a *kit.Answer, list string) string {
	if texts := a.Strings(list, "text"); len(texts) > 0 {
		return texts[0]
	}
	return ""
}

// A server that nobody here wrote is reached through Strata, however it is spoken to.
func TestModelContextProtocol(t *testing.T) {
	node, script := program(t)
	server := kit.Start(t, kit.Options{Env: []string{"STRATA_OUTBOUND_PRIVATE=127.0.0.0/8", "STRATA_MCP_COMMANDS=" + node}})
	c := server.Client()
	for _, definition := range []object{
		{"name": "piped", "transport": "stdio", "command": node, "args": []string{script, "stdio"}, "env": object{"SHELF": "top"}},
		{"name": "listening", "transport": "streamable_http", "url": serveEverything(t, node, script)},
	} {
		name := fmt.Sprint(definition["name"])
		t.Run(name, func(t *testing.T) {
			made := c.Create(t, "/v1/mcps", definition)
			c.Get(t, "/v1/mcps/"+name, made.After()...).Want("status", "disconnected")
			p := proxied{T: t, c: c, name: name}
			p.ok("initialize", nil).Want("result.serverInfo.name", "mcp-servers/everything")
			p.ok("ping", nil)
			usesTools(p)
			readsResources(p)
			getsPrompts(p)
			refuses(p)
			kit.Eventually(t, 20*time.Second, "the server is shown as connected", func() error {
				status, _ := c.Get(t, "/v1/mcps/"+name).Lookup("status")
				return kit.Differ("status", status, "connected")
			})
		})
	}
	t.Run("what a program sees", func(t *testing.T) { seesLittle(proxied{T: t, c: c, name: "piped"}) })
	t.Run("another program", func(t *testing.T) {
		refused := c.Do(t, http.StatusBadRequest, "POST", "/v1/mcps", object{"name": "shell", "transport": "stdio", "command": "/bin/sh"})
		if !strings.Contains(refused.Short(), "command") || !strings.Contains(refused.Short(), "mcp.commands") {
			t.Errorf("a program that is not allowed is refused with %s", refused.Short())
		}
		c.Do(t, http.StatusBadRequest, "PATCH", "/v1/mcps/piped", object{"command": "/bin/sh"})
		c.Do(t, http.StatusNotFound, "POST", "/v1/mcps/shell/proxy", object{"jsonrpc": "2.0", "id": 1, "method": "ping"})
	})
}

func usesTools(p proxied) {
	p.Helper()
	names := p.ok("tools/list", nil).Strings("result.tools", "name")
	for _, name := range []string{"echo", "get-sum", "get-structured-content", "get-tiny-image"} {
		if !slices.Contains(names, name) {
			p.Errorf("%s is not among the tools %v", name, names)
		}
	}
	if said := text(p.tool("echo", object{"message": "héllo, \u2028世界"}), "result.content"); said != "Echo: héllo, \u2028世界" {
		p.Errorf("echo says %q", said)
	}
	if said := text(p.tool("get-sum", object{"a": 17, "b": 25.5}), "result.content"); !strings.Contains(said, "42.5") {
		p.Errorf("the sum is %q", said)
	}
	p.tool("get-structured-content", object{"location": "New York"}).Want("result.structuredContent.conditions", "Cloudy", "result.structuredContent.humidity", 82)
	for _, c := range p.tool("get-tiny-image", object{}).List("result.content") {
		if part := c.(object); part["type"] == "image" {
			if data, err := base64.StdEncoding.DecodeString(fmt.Sprint(part["data"])); err != nil || !bytes.HasPrefix(data, []byte("\x89PNG")) {
				p.Errorf("the picture is none: %v", err)
			}
			return
		}
	}
	p.Error("there is no picture")
}

func readsResources(p proxied) {
	p.Helper()
	const document = "demo://resource/static/document/features.md"
	if uris := p.ok("resources/list", nil).Strings("result.resources", "uri"); !slices.Contains(uris, document) {
		p.Errorf("the resources are %v", uris)
	}
	a := p.ok("resources/read", object{"uri": document})
	want, err := os.ReadFile(filepath.Join(filepath.Dir(everything), "docs", "features.md"))
	if err != nil {
		p.Fatal(err)
	}
	if got := text(a, "result.contents"); got != string(want) {
		p.Errorf("the document has %d bytes, not the file's %d", len(got), len(want))
	}
	if n := len(p.ok("resources/templates/list", nil).List("result.resourceTemplates")); n == 0 {
		p.Error("there are no templates of resources")
	}
	blob := p.ok("resources/read", object{"uri": "demo://resource/dynamic/blob/7"}).Strings("result.contents", "blob")
	data, err := base64.StdEncoding.DecodeString(strings.Join(blob, ""))
	if err != nil || !strings.Contains(string(data), "7") {
		p.Errorf("the blob is %q (%v)", data, err)
	}
}

func getsPrompts(p proxied) {
	p.Helper()
	if names := p.ok("prompts/list", nil).Strings("result.prompts", "name"); !slices.Contains(names, "args-prompt") {
		p.Errorf("the prompts are %v", names)
	}
	asked := object{"name": "args-prompt", "arguments": object{"city": "Reykjavík"}}
	if said, _ := p.ok("prompts/get", asked).List("result.messages")[0].(object)["content"].(object)["text"].(string); said != "What's weather in Reykjavík?" {
		p.Errorf("the prompt is %q", said)
	}
	completed := p.ok("completion/complete", object{"ref": object{"type": "ref/prompt", "name": "completable-prompt"},
		"argument": object{"name": "name", "value": "E"}, "context": object{"arguments": object{"department": "Sales"}}})
	if got := fmt.Sprint(completed.List("result.completion.values")); got != "[Eve]" {
		p.Errorf("the completions are %s", got)
	}
}

// refuses wants what the server refuses to come back as it says it: as errors of
// JSON-RPC, and as results that are errors where a model is to read them.
func refuses(p proxied) {
	p.Helper()
	for method, params := range map[string]object{
		"prompts/get":    {"name": "no-such-prompt"},
		"resources/read": {"uri": "demo://no/such/resource"},
	} {
		a := p.call(method, params).Want("error.code", -32602)
		if a.Has("result") || !strings.Contains(a.Str("error.message"), "not found") {
			p.Errorf("%s: %s", method, a.Short())
		}
	}
	p.call("sampling/createMessage", object{}).Want("error.code", -32601)
	for name, why := range map[string]string{"no-such-tool": "not found", "echo": "expected string"} {
		a := p.tool(name, object{"message": 1}).Want("result.isError", true)
		if said := text(a, "result.content"); !strings.Contains(said, why) {
			p.Errorf("%s says %q", name, said)
		}
	}
}

// seesLittle wants a program to see what its definition gives it, and nothing of
// Strata's environment, where secrets are.
func seesLittle(p proxied) {
	p.Helper()
	env := text(p.tool("get-env", object{}), "result.content")
	if !strings.Contains(env, `"SHELF": "top"`) {
		p.Errorf("the program does not see its own variable: %s", env)
	}
	for _, secret := range []string{"STRATA_", kit.AdminKey} {
		if strings.Contains(env, secret) {
			p.Errorf("the program sees %s", secret)
		}
	}
}
