package catalogue

import (
	"net/url"
	"regexp"
	"strings"
	"time"

	"strata/domain"
)

// MCPServer is a Model Context Protocol server: tools, resources and prompts
// that agents and callers reach through Strata.
type MCPServer struct {
	domain.Base
	Name        string            `json:"name" required:"true" access:"c" minLength:"1" maxLength:"100" doc:"Name, unique in the workspace: agents name its tools mcp:<name>/<tool>." example:"search"`
	Description string            `json:"description,omitempty" maxLength:"2000" example:"Searches the product catalogue"`
	Transport   string            `json:"transport" required:"true" enum:"streamable_http,sse,stdio,websocket" doc:"How it is spoken to. stdio starts a program, which the administrator must have allowed (mcp.commands); websocket is not supported." example:"streamable_http"`
	URL         string            `json:"url,omitempty" maxLength:"2000" doc:"Where it is, for streamable_http and sse. Private addresses need the setting outbound.private." example:"https://mcp.example.com/mcp"`
	Command     string            `json:"command,omitempty" maxLength:"1000" doc:"Program to start, for stdio, as the setting mcp.commands names it."`
	Args        []string          `json:"args,omitempty" maxItems:"100" doc:"Arguments of the program."`
	Env         map[string]string `json:"env,omitempty" access:"w" doc:"Environment variables of the program. Kept sealed, never returned."`
	Headers     map[string]string `json:"headers,omitempty" access:"w" doc:"Headers of every request to the server. Kept sealed, never returned."`
	Auth        *MCPAuth          `json:"auth,omitempty" access:"w" doc:"How requests prove who they are from. Kept sealed, never returned."`
	TimeoutMS   int               `json:"timeout_ms" default:"30000" minimum:"1" maximum:"600000" doc:"How long connecting, and then one operation, may take, in milliseconds."`
	Enabled     bool              `json:"enabled" default:"true" doc:"A server that is not enabled is not called."`

	Status          string    `json:"status,omitempty" access:"r" enum:"disconnected,connecting,connected,error" default:"disconnected" doc:"How the last connection went. Sessions are opened when they are needed and closed when they rest, which is not recorded."`
	ToolCount       int       `json:"tool_count,omitempty" access:"r" doc:"Tools that it offered at the last connection." example:"4"`
	LastConnectedAt time.Time `json:"last_connected_at,omitzero" access:"r" doc:"A recent time it was connected to, RFC 3339 UTC."`
	LastError       string    `json:"last_error,omitempty" access:"r" doc:"Why the last connection failed."`
}

// MCPAuth is how requests to an MCP server prove who they are from.
type MCPAuth struct {
	Type     string `json:"type" required:"true" enum:"none,bearer,basic,header" doc:"bearer sends Authorization: Bearer <token>; basic sends username and password; header sends <header>: <token>." example:"bearer"`
	Token    string `json:"token,omitempty" maxLength:"8000"`
	Username string `json:"username,omitempty" maxLength:"1000"`
	Password string `json:"password,omitempty" maxLength:"1000"`
	Header   string `json:"header,omitempty" maxLength:"200" example:"X-Api-Key"`
}

var (
	headerName   = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
	variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// MCPServers is the kind of [MCPServer].
var MCPServers = &domain.Kind[MCPServer]{
	KindSpec: domain.KindSpec{
		Name: "mcp_server", Plural: "mcp-servers", Prefix: "mcp", Tag: "MCP Tools",
		Doc: "A Model Context Protocol server, whose tools, resources and prompts are reached through Strata.",
		Key: "name", ByKey: true, Search: []string{"name", "description"}, Filters: []string{"transport", "enabled", "status"},
		Verbs:  []string{"invoke"},
		Routes: []domain.KindRoute{{Mount: "api", Path: "/mcp/servers", Param: "server_id"}, {Mount: "v1", Path: "/mcps", Param: "name"}},
	},
	Check: func(s *MCPServer, f *domain.Faults) {
		f.Add(!slug.MatchString(s.Name), "name", "must be letters, digits, '.', '_' or '-', and begin with a letter or digit")
		switch s.Transport {
		case "stdio":
			f.Add(s.Command == "", "command", "is required for the transport stdio")
			f.Add(s.URL != "", "url", "is not for the transport stdio")
		case "websocket":
			f.Add(true, "transport", "websocket is not supported; use streamable_http, sse or stdio")
		default:
			u, err := url.Parse(s.URL)
			f.Add(err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "", "url", "must be an http or https URL for the transport %s", s.Transport)
			f.Add(err == nil && u.User != nil, "url", "must hold no password; auth does")
			f.Add(s.Command != "" || len(s.Args) > 0, "command", "is for the transport stdio only")
		}
		for name := range s.Headers {
			f.Add(!headerName.MatchString(name), "headers."+name, "is not the name of a header")
		}
		for name := range s.Env {
			f.Add(!variableName.MatchString(name), "env."+name, "is not the name of an environment variable")
		}
		s.Auth.check(f)
	},
	Example: MCPServer{
		Name: "search", Description: "Searches the product catalogue", Transport: "streamable_http",
		URL: "https://mcp.example.com/mcp", TimeoutMS: 30000, Enabled: true,
	},
}

func (a *MCPAuth) check(f *domain.Faults) {
	if a == nil {
		return
	}
	f.Add((a.Type == "bearer" || a.Type == "header") && a.Token == "", "auth.token", "is required for the type %s", a.Type)
	f.Add(a.Type == "basic" && (a.Username == "" || a.Password == ""), "auth.password", "and username are required for the type basic")
	f.Add(a.Type == "header" && strings.TrimSpace(a.Header) == "", "auth.header", "is required for the type header")
}
