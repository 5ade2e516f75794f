package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/domain/catalogue"
	"strata/domain/mcpcall"
	"strata/gateway/mcp"
	"strata/internal/httpx"
	"strata/internal/outbound"
	"strata/internal/secrets"
	"strata/internal/vault"
	"strata/projections/resources"
	"strata/streams"
)

// openMCP opens the calling of Model Context Protocol servers.
func (a *app) openMCP(context.Context) error {
	guard, err := outbound.New(a.cfg.Outbound.Private)
	if err != nil {
		return err
	}
	a.resources.Also(catalogue.MCPServers.Name, func(_ context.Context, _ domain.Principal, d domain.Doc) error {
		var f domain.Faults
		command := d.String("command")
		f.Add(command != "" && !slices.Contains(a.cfg.MCP.Commands, command), "command",
			"is not one of the programs that the administrator allows (setting mcp.commands)")
		return f.Err()
	})
	servers := mcpServers{a.models.resources, a.sealer, a.vault}
	audit := mcpAudit{store: a.store, codec: a.codec, payloads: a.cfg.Gateway.RecordPayloads}
	a.mcp = mcp.New(mcp.Config{
		Servers: servers.named, Guard: guard, Commands: a.cfg.MCP.Commands, Idle: a.cfg.MCP.Idle,
		OnConnect: a.noteConnection, OnCall: audit.record, Logger: a.log, Version: version,
	})
	a.onClose(a.mcp.Close)
	return nil
}

// mcpServers finds MCP servers in the read model.
type mcpServers struct {
	resources *resources.Queries
	sealer    *secrets.Sealer
	vault     *vault.Vault
}

// named finds a server by id or name, with its secrets: values stand in the place of
// references to them.
func (m mcpServers) named(ctx context.Context, workspace, name string) (mcp.Server, error) {
	kind := catalogue.MCPServers
	find := m.resources.GetByKey
	if domain.HasPrefix(name, kind.Prefix) {
		find = m.resources.Get
	}
	doc, err := find(ctx, kind.Name, workspace, name)
	if err != nil {
		return mcp.Server{}, err
	}
	s, err := m.read(doc)
	if err != nil || !s.Enabled {
		return s, err // the client says that it is not enabled
	}
	return s, m.fill(ctx, &s)
}

// fill puts the values of secrets in the place of references.
func (m mcpServers) fill(ctx context.Context, s *mcp.Server) (err error) {
	texts := []*string{&s.Auth.Token, &s.Auth.Username, &s.Auth.Password}
	var entries []mapped
	for _, of := range []map[string]string{s.Headers, s.Env} {
		for name, text := range of {
			entries = append(entries, mapped{of, name, text})
		}
	}
	for i := range entries {
		texts = append(texts, &entries[i].text)
	}
	s.Hidden, err = m.vault.Fill(ctx, vault.Consumer{Workspace: s.Workspace, Kind: catalogue.MCPServers.Name, ID: s.ID}, texts...)
	for _, e := range entries {
		e.of[e.name] = e.text
	}
	return err
}

// mapped is a text of a map.
type mapped struct {
	of         map[string]string
	name, text string
}

func (m mcpServers) read(doc *resources.Document) (mcp.Server, error) {
	var s catalogue.MCPServer
	if err := json.Unmarshal(doc.Doc, &s); err != nil {
		return mcp.Server{}, fmt.Errorf("MCP server %s: %w", doc.ID, err)
	}
	out := mcp.Server{ID: doc.ID, Name: s.Name, Workspace: doc.Workspace, Transport: s.Transport, URL: s.URL, Command: s.Command,
		Args: s.Args, Env: s.Env, Headers: s.Headers, Timeout: time.Duration(s.TimeoutMS) * time.Millisecond, Enabled: s.Enabled}
	if s.Auth != nil {
		out.Auth = mcp.Auth(*s.Auth)
	}
	err := errors.Join(m.openAll(out.Env), m.openAll(out.Headers), m.open(&out.Auth.Token), m.open(&out.Auth.Username),
		m.open(&out.Auth.Password), m.open(&out.Auth.Header))
	if err != nil {
		return mcp.Server{}, fmt.Errorf("the secrets of MCP server %s: %w", doc.ID, err)
	}
	return out, nil
}

func (m mcpServers) openAll(sealed map[string]string) error {
	for name, text := range sealed {
		if err := m.open(&text); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		sealed[name] = text
	}
	return nil
}

func (m mcpServers) open(sealed *string) (err error) {
	if *sealed != "" {
		*sealed, err = m.sealer.Open(*sealed)
	}
	return err
}

// connectedAgain is how old a recorded connection may be before the same outcome
// is worth an event again.
const connectedAgain = time.Hour

// noteConnection records how a session was opened, where that says something new:
// sessions come and go with calls, and each would be an event otherwise.
func (a *app) noteConnection(ctx context.Context, s mcp.Server, c mcp.Connected) {
	err := a.recordConnection(ctx, s, c)
	if err != nil && !errors.Is(err, domain.ErrNotFound) { // deleted meanwhile
		a.log.WarnContext(ctx, "the state of an MCP server could not be recorded", "server", s.ID, "error", err)
	}
}

func (a *app) recordConnection(ctx context.Context, s mcp.Server, c mcp.Connected) error {
	system := domain.System("", "")
	doc, err := a.resources.Load(ctx, catalogue.MCPServers, system, s.ID)
	if err != nil {
		return err
	}
	was, err := domain.Decode[catalogue.MCPServer](doc.Resource.Doc)
	if err != nil {
		return err
	}
	is := catalogue.MCPServer{Status: "connected", ToolCount: c.Tools, LastConnectedAt: c.At.UTC().Truncate(time.Second)}
	if c.Err != nil {
		is = catalogue.MCPServer{Status: "error", ToolCount: was.ToolCount, LastConnectedAt: was.LastConnectedAt, LastError: inShort(c.Err)}
	}
	if is.Status == was.Status && is.ToolCount == was.ToolCount && is.LastError == was.LastError && is.LastConnectedAt.Sub(was.LastConnectedAt) < connectedAgain {
		return nil
	}
	patch := domain.Doc{"last_error": []byte("null")}
	for field, value := range map[string]any{"status": is.Status, "tool_count": is.ToolCount} {
		if patch[field], err = json.Marshal(value); err != nil {
			return err
		}
	}
	if is.LastError != "" {
		if patch["last_error"], err = json.Marshal(is.LastError); err != nil {
			return err
		}
	}
	if !is.LastConnectedAt.IsZero() {
		if patch["last_connected_at"], err = json.Marshal(is.LastConnectedAt); err != nil {
			return err
		}
	}
	_, err = a.resources.Update(ctx, catalogue.MCPServers, commands.Request{Principal: system, ID: s.ID}, patch, "")
	return err
}

// maxShort bounds a recorded error.
const maxShort = 1000

func inShort(err error) string {
	text := err.Error()
	if e, ok := errors.AsType[*domain.Error](err); ok {
		text = e.Message // without the cause, which is for the log
	}
	if len(text) > maxShort {
		text = text[:maxShort]
	}
	return text
}

// mcpAudit records who called what.
type mcpAudit struct {
	store    streams.Store
	codec    *streams.Codec
	payloads bool
}

// audited are the operations that do something, or show something a tenant wrote.
var audited = []string{"tools/call", "resources/read", "prompts/get"}

// record implements mcp.Config.OnCall.
func (m mcpAudit) record(ctx context.Context, c mcp.Called) error {
	if !slices.Contains(audited, c.Method) {
		return nil
	}
	made := mcpcall.Made{ID: domain.NewID("mcpc"), ServerID: c.Server.ID, Server: c.Server.Name, Method: c.Method,
		User: c.By.User, APIKey: c.By.APIKey, Agent: c.By.Agent, Run: c.By.Run, StartedAt: c.Started.UTC(), LatencyUS: c.Duration.Microseconds()}
	var asked struct {
		Name string `json:"name"`
	}
	_ = json.Unmarshal(c.Params, &asked) // what is no object is answered by the protocol
	made.Target = asked.Name
	payload := mcpcall.PayloadRecorded{ID: made.ID, Subject: made.Subject(c.By.Workspace), Params: c.Params, Result: c.Result}
	if c.Err != nil {
		payload.Error = inShort(c.Err)
		made.ErrorCode = string(domain.CodeOf(c.Err))
		if _, ok := errors.AsType[*mcp.Error](c.Err); ok {
			made.ErrorCode = "JSONRPC_ERROR"
		}
	}
	var answer struct {
		IsError bool `json:"isError"`
	}
	_ = json.Unmarshal(c.Result, &answer) // our own encoding, or nothing
	made.ToolFailed = answer.IsError
	facts := []domain.Fact{made}
	if m.payloads {
		facts = append(facts, payload)
	}
	meta := domain.Metadata{CorrelationID: c.By.CorrelationID, RequestID: c.By.RequestID, Actor: actorOf(c.By), Organization: c.By.Organization,
		Workspace: c.By.Workspace, OccurredAt: c.Started.Add(c.Duration).UTC().Truncate(time.Microsecond)}
	proposed := make([]streams.Proposed, len(facts))
	for i, f := range facts {
		var err error
		if proposed[i], err = m.codec.Encode(domain.NewEventID(), f, meta); err != nil {
			return err
		}
	}
	out, err := m.store.Append(ctx, mcpcall.StreamOf(c.By.Workspace, c.Started), streams.Any, proposed...)
	if err != nil {
		return domain.Errorf(domain.CodeUnavailable, "the call was made, but could not be recorded").Because(err)
	}
	httpx.Wrote(ctx, out.Position)
	return nil
}

func actorOf(by mcp.Caller) string {
	if by.APIKey != "" {
		return by.APIKey
	}
	return by.User
}
