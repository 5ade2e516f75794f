package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"strata/commands"
	"strata/gateway"
	"strata/gateway/mcp"
	"strata/gateway/upstream"
	"strata/internal/backup"
	"strata/internal/clickhouse"
	clusters "strata/internal/cluster"
	"strata/internal/config"
	"strata/internal/connectors"
	"strata/internal/inbound"
	"strata/internal/ratelimit"
	"strata/internal/secrets"
	"strata/internal/telemetry"
	"strata/internal/vault"
	"strata/projections/analytics"
	"strata/projections/copies"
	"strata/streams"
	"strata/streams/embedded"
	"strata/streams/kafka"
	"strata/streams/logbus"
	"strata/streams/relay"
	"strata/writeapi/agents"
	"strata/writeapi/workflows"
)

// app is one running Strata: every part that has to be opened, and closed again.
type app struct {
	cfg     *config.Config
	log     *slog.Logger
	metrics telemetry.Metrics
	tracing trace.TracerProvider // nil: no traces
	now     func() time.Time
	at      func(point string) // see failpoint

	role       role
	store      streams.Store
	local      *embedded.Log // the store, when it is in this process; nil: a server's
	scavenges  *embedded.Scavenges
	codec      *streams.Codec
	sealer     *secrets.Sealer
	keys       subjectKeys
	handler    *commands.Handler
	erasures   *commands.Erasures
	resources  *commands.Resources
	budgets    *commands.Budgets
	models     *models
	shelf      *copies.Shelf // of read models, for new nodes; nil: there is none
	directory  *directory
	clusters   *clusters.Service
	inbound    *inbound.Receiver
	click      *clickhouse.DB
	connectors *connectors.Service
	queries    *analytics.Queries
	gateway    *gateway.Gateway
	mcp        *mcp.Client
	agents     *agents.Service
	keepers    *memoryProviders // of memories
	limiter    *ratelimit.Keeper
	backups    *backup.Keeper
	duty       onDuty
	relay      *relay.Relay    // nil: none runs here
	lanes      *kafka.Consumer // nil: calls do not come over Kafka, or not to this process
	reactions  *logbus.State   // of reactors; nil unless the role runs them
	term       time.Duration   // of leases; 0 is the default
	node       string          // name of this process among those that share the log
	started    time.Time
	workflows  *workflows.Service
	vault      *vault.Vault

	live     context.Context    // ends when the server begins to drain
	drain    context.CancelFunc // ends live
	requests requests
	patience time.Duration // of live connections; 0 is the default

	background sync.WaitGroup // reactors, writer, rate limit keeper
	stopWork   context.CancelFunc
	closers    []func() error // in order of opening
}

// open opens everything but the network. On an error, what was opened is closed.
func open(ctx context.Context, cfg *config.Config, log *slog.Logger, now func() time.Time) (*app, error) {
	return newApp(everything, cfg, log, now).open(ctx)
}

func newApp(r role, cfg *config.Config, log *slog.Logger, now func() time.Time) *app {
	a := &app{role: r, cfg: cfg, log: log, metrics: telemetry.NewMetrics(version), now: now, at: failpoint(), started: now()}
	a.live, a.drain = context.WithCancel(context.Background())
	return a
}

// open opens what the role needs, but the network. On an error, what was opened is closed.
func (a *app) open(ctx context.Context) (*app, error) {
	for _, step := range []func(context.Context) error{
		a.openLog, a.openNode, a.openScavenges, a.openKeys, a.openCommands, a.openErasures, a.openModels, a.openVault, a.openAnalytics, a.openClusters, a.openConnectors, a.openGateway, a.openMCP, a.openMemoryProviders, a.openAgents, a.openWorkflows, a.startWork,
	} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, a.close())
		}
	}
	return a, nil
}

func (a *app) onClose(f func() error) { a.closers = append(a.closers, f) }

// close closes what was opened, last first.
func (a *app) close() error {
	var errs []error
	for i := len(a.closers) - 1; i >= 0; i-- {
		errs = append(errs, a.closers[i]())
	}
	a.closers = nil
	return errors.Join(errs...)
}

// openLog opens the event log, unless the app was given one that others share.
func (a *app) openLog(ctx context.Context) (err error) {
	if a.store != nil {
		return nil
	}
	if a.cfg.EventStore.URL != "" {
		return a.useServersLog(ctx)
	}
	if a.local, err = openStore(a.cfg, a.log); err != nil {
		return err
	}
	a.store = a.local
	a.onClose(a.local.Close)
	return a.permitted()
}

func openStore(cfg *config.Config, log *slog.Logger) (*embedded.Log, error) {
	if err := errors.Join(embeddedOnly(cfg), backup.Usable(cfg.Data.Dir)); err != nil {
		return nil, err
	}
	return embedded.Open(cfg.Data.LogDir(), embedded.Options{
		SegmentSize: int64(cfg.Log.SegmentSize), MaxEventSize: int(cfg.Log.MaxEventSize), Logger: log,
	})
}

func (a *app) openCommands(ctx context.Context) error {
	kept, err := a.openSnapshots(ctx)
	if err != nil {
		return err
	}
	a.handler, a.resources = newCommands(commands.Config{Store: a.store, Codec: a.codec, Logger: a.log, Now: a.now, Snapshots: kept, At: a.at}, a.sealer)
	return nil
}

func (a *app) openModels(ctx context.Context) (err error) {
	if err := a.fetchModels(ctx); err != nil {
		return err
	}
	if a.models, err = openModels(ctx, a.role, a.cfg.Data.ModelsDir(), a.store, a.codec, a.log, a.now); err != nil {
		return err
	}
	a.onClose(a.models.runner.Stop)
	a.budgets = commands.NewBudgets(a.handler, a.models.budgets)
	a.directory = newDirectory(a.models.resources, a.sealer)
	a.models.runner.OnCommit(a.directory.committed)
	a.models.runner.OnReplace(a.directory.replaced)
	return a.models.runner.Start()
}

func (a *app) openAnalytics(ctx context.Context) (err error) {
	// Who only writes searches vectors, if there is a server that has them.
	if !a.role.has(reading|projecting) && (!a.role.has(writing) || a.cfg.ClickHouse.URL == "") {
		a.queries = analytics.NewQueries(nil, a.now) // registered, but never asked: see routes
		return nil
	}
	a.click, err = clickhouse.Open(ctx, clickhouse.Config{
		URL: a.cfg.ClickHouse.URL, Cluster: a.cfg.ClickHouse.Cluster,
		CAFile: a.cfg.ClickHouse.CAFile, CertFile: a.cfg.ClickHouse.CertFile, KeyFile: a.cfg.ClickHouse.KeyFile, DataDir: a.cfg.Data.Dir, Library: a.cfg.ClickHouse.Library,
		MaxMemory: int64(a.cfg.ClickHouse.MemoryLimit), Connections: a.cfg.ClickHouse.Connections, Nice: a.cfg.ClickHouse.Nice, Logger: a.log,
	})
	if err != nil {
		return err
	}
	a.onClose(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), engineStop)
		defer cancel()
		err := a.click.Stop(ctx)
		if errors.Is(err, context.DeadlineExceeded) { // its files bear that, and nothing else of ours is amiss
			a.log.Warn("the ClickHouse engine did not stop in time and was killed", "within", engineStop)
			return nil
		}
		return err
	})
	a.queries = analytics.NewQueries(a.click, a.now)
	return nil
}

// engineStop is what the analytics engine gets to stop in; more and it is killed.
const engineStop = 3 * time.Second

func (a *app) openGateway(context.Context) (err error) {
	g := a.cfg.Gateway
	a.gateway, err = gateway.New(gateway.Config{
		Directory: a.directory,
		Unlock:    a.unlock,
		Budgets:   ledger{a.budgets},
		Recorder:  recorder{store: a.store, codec: a.codec},
		Metrics:   newCallMetrics(a.metrics),
		At:        a.at,
		Logger:    a.log,
		Timeouts:  upstream.Timeouts{Connect: g.ConnectTimeout, FirstByte: g.FirstByteTimeout, Idle: g.StallTimeout},
	})
	return err
}

// startWork starts what runs beside requests.
func (a *app) startWork(ctx context.Context) error {
	work, stop := context.WithCancel(context.Background())
	a.stopWork = stop
	// Closed after the work has ended, whose last act is to note how far it came.
	if err := a.openReactions(work); err != nil {
		stop()
		return fmt.Errorf("open how far reactors are: %w", err)
	}
	a.onClose(func() error {
		stop()
		a.background.Wait()
		return nil
	})
	if err := a.startDuties(work); err != nil {
		return fmt.Errorf("start what runs once: %w", err)
	}
	if err := a.startCalls(work); err != nil {
		return err
	}
	if err := a.startRelay(work); err != nil {
		return err
	}
	a.backups = backup.NewKeeper(backedUp(a.cfg), a.cfg.Backup.Dir, version, a.now)
	a.onClose(a.backups.Close)
	a.limiter = newLimiter(a.cfg, a.log)
	if err := a.limiter.Restore(); err != nil {
		// Losing the buckets lets a few requests more pass; refusing to start
		// over it would be worse.
		a.log.WarnContext(ctx, "rate limits begin afresh", "error", err)
	}
	a.run(work, "memory at rest", newRest().run)
	a.run(work, "rate limits", a.limiter.Run)
	a.run(work, "erasures", a.erasures.Run)
	if a.role.has(projecting) {
		a.run(work, "deleted secrets", a.secrets().Recover)
	}
	if a.local == nil {
		a.run(work, "erasures of others", a.erasures.Follow)
	}
	a.followKeys(work)
	return a.startCopies(work)
}

// run runs something in the background until work ends.
func (a *app) run(work context.Context, name string, f func(context.Context) error) {
	a.background.Go(func() {
		if err := f(work); err != nil && !errors.Is(err, context.Canceled) {
			a.log.Error("background work ended", "work", name, "error", err)
		}
	})
}
