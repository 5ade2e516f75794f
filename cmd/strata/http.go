package main

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"log/slog"
	"net/http"
	"path/filepath"

	"go.opentelemetry.io/otel/trace"

	"strata/commands"
	"strata/domain/catalogue"
	"strata/domain/identity"
	"strata/internal/addresses"
	"strata/internal/clickhouse"
	"strata/internal/config"
	"strata/internal/httpx"
	"strata/internal/ratelimit"
	"strata/projections/analytics"
	"strata/projections/history"
	"strata/projections/leaderboards"
	"strata/readapi"
	"strata/web"
	"strata/writeapi"
	"strata/writeapi/arguments"
)

// intro opens the API's documentation.
//
//go:embed intro.md
var intro string

// newLimiter makes the rate limits of the configuration; 0 is without limit.
func newLimiter(cfg *config.Config, log *slog.Logger) *ratelimit.Keeper {
	limit := func(l config.Limit) ratelimit.Limits {
		out := ratelimit.Limits{Key: l.Key, Workspace: l.Workspace}
		if out.Key == 0 {
			out.Key = ratelimit.Unlimited
		}
		if out.Workspace == 0 {
			out.Workspace = ratelimit.Unlimited
		}
		return out
	}
	r := cfg.Server.RateLimits
	return &ratelimit.Keeper{
		Limiter: ratelimit.New(ratelimit.Config{Tiers: map[string]ratelimit.Limits{
			ratelimit.Free: limit(r.Free), ratelimit.Pro: limit(r.Pro), ratelimit.Enterprise: limit(r.Enterprise), ratelimit.Anonymous: limit(r.Anonymous),
		}}),
		Store:  ratelimit.FileStore(filepath.Join(cfg.Data.Dir, "ratelimits.json")),
		Logger: log,
	}
}

// routes registers every operation and page.
func (a *app) routes(baseURL string, tracing trace.TracerProvider) (*httpx.Router, error) {
	s := a.cfg.Server
	proxies, err := addresses.Parse(s.TrustedProxies)
	if err != nil {
		return nil, err
	}
	r := httpx.New(httpx.Options{
		BaseURL: baseURL, Version: version, Description: intro, Auth: a.models.auth, Runs: identity.RunsInstallation, Waiter: a.models.runner, Limiter: a.limiter.Limiter, Serves: a.role.serves, Relies: a.relies(), Callers: a.callers(),
		Logger: a.log, AccessLevel: slog.LevelDebug, Metrics: a.metrics, Tracing: tracing,
		Proxies: proxies, Origins: s.CORSOrigins, MaxBody: int64(s.BodyLimit), Timeout: s.RequestTimeout, WaitFor: s.ReadWait,
	})
	openAI, err := newOpenAI(a.gateway, a.cfg)
	if err != nil {
		return nil, err
	}
	chats, err := a.newChat()
	if err != nil {
		return nil, err
	}
	r.Room(roomWrite)
	writeapi.Register(r, writeapi.Deps{
		At:        a.at,
		Workflows: a.workflows,
		Handler:   a.handler, Resources: a.resources, Kinds: catalogue.All(), Agents: a.agents, MCP: a.mcp, Models: openAI, Erasures: a.erasures,
		Arguments: &arguments.Service{Handler: a.handler, Resources: a.resources, Gateway: a.gateway,
			RecordPayloads: a.cfg.Gateway.RecordPayloads, At: a.at},
		Chat: chats, Clusters: a.clusters, Connectors: a.connectors, Inbound: a.inbound,
		Knowledge: a.knowledgeService(), MemoryProviders: a.keepers,
		Wait: a.models.runner.Wait, Random: rand.Reader, Logger: a.log,
		Personas: a.personas(),
		Secrets:  a.secrets(), SecretUsers: a.secretUsers,
		Workspaces: commands.NewWorkspaces(a.handler), FindUser: a.models.identity.UserByEmail,
	})
	m := a.models
	auditKey, err := newAuditKey(a.sealer)
	if err != nil {
		return nil, err
	}
	r.Room(roomRead)
	readapi.Register(r, readapi.Deps{
		Runs:      m.workflows,
		Secrets:   m.secrets,
		Arguments: m.arguments, Insights: m.insights,
		AgentRuns: m.agentRuns, Kinds: catalogue.All(), Resources: m.resources, Sessions: m.sessions, Memories: m.memories, Connectors: m.connectors.Queries, Conversations: m.conversations,
		Meaning: a.meaning(), MemoryProviders: readMemories{a.keepers},
		Identity: m.identity, Knowledge: a.library(), Budgets: m.budgets, Events: m.events, Erasures: m.erasures, History: history.NewReader(a.store, a.codec, a.now), AuditKey: auditKey, Store: a.store, Codec: a.codec,
		Leaderboards: leaderboards.NewQueries(a.click), Trainings: m.trainings.Queries,
		Analytics: func(context.Context) (*analytics.Queries, error) { return a.queries, nil },
		Now:       a.now, Docs: web.Docs("openapi.json"), Live: a.live, Patience: a.patience,
		Answers: m.answers, Hold: a.requests.hold, Logger: a.log, Metrics: a.metrics,
	})
	r.Room(roomAdmin)
	if err := a.registerAdmin(r); err != nil {
		return nil, err
	}
	a.pages(r)
	r.Freeze()
	return r, nil
}

// pages registers what is no operation.
func (a *app) pages(r *httpx.Router) {
	r.Handle("/healthz", http.HandlerFunc(healthz))
	r.Handle("/readyz", http.HandlerFunc(a.readyz))
	r.Handle("/metrics", a.metrics.Handler())
	if a.role.has(reading) {
		r.Handle("/console", web.Console())
	}
}

// healthz tells that the process is up.
func healthz(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]string{"status": "ok"})
}

// readiness is what /readyz answers.
type readiness struct {
	Status     string     `json:"status"` // ready, starting, draining, unavailable
	Components components `json:"components"`
}

type components struct {
	Log         component     `json:"log"`
	Projections []follower    `json:"projections"`
	Reactors    []follower    `json:"reactors"`
	ClickHouse  *engineStatus `json:"clickhouse,omitempty"` // of nodes that use it
	Relay       *relayed      `json:"relay,omitempty"`      // of nodes that may publish
	Lanes       *laneShare    `json:"lanes,omitempty"`      // of nodes that write calls to ClickHouse over Kafka
}

type component struct {
	Status string `json:"status"`
	Head   uint64 `json:"head"`
	Error  string `json:"error,omitempty"`
}

type engineStatus struct {
	clickhouse.Status
	Message string                 `json:"message,omitempty"`
	Writer  analytics.WriterStatus `json:"writer"`
}

// readyz answers 200 when commands and reads can be served. The analytics
// engine does not count: without it calls go on and nothing is lost.
func (a *app) readyz(w http.ResponseWriter, r *http.Request) {
	out := readiness{Status: "ready"}
	models, reactors, waiting, modelsErr := a.following(r.Context())
	out.Components.Projections, out.Components.Reactors = models, reactors
	if waiting {
		out.Status = "starting"
	}
	head, err := a.logHealth(r.Context())
	out.Components.Log = component{Status: "ready", Head: head}
	if err != nil {
		out.Components.Log.Status, out.Components.Log.Error = "unavailable", err.Error()
	}
	if err != nil || modelsErr != nil {
		out.Status = "unavailable"
	}
	if a.click != nil {
		out.Components.ClickHouse = &engineStatus{Status: a.click.Status(), Writer: a.duty.writerStatus()}
		if s := out.Components.ClickHouse.Status; s.State != clickhouse.Ready {
			out.Components.ClickHouse.Message = s.Error
		}
	}
	out.Components.Relay = a.relayStatus(r.Context())
	out.Components.Lanes = a.laneShare()
	if a.live.Err() != nil {
		out.Status = "draining"
	}
	code := http.StatusOK
	if out.Status != "ready" {
		code = http.StatusServiceUnavailable
	}
	answer(w, code, out)
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // the client is gone: nobody is left to tell
}
