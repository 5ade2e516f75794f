package main

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"

	"strata/commands/memories"
	"strata/commands/timers"
	"strata/commands/trainer"
	"strata/domain"
	"strata/projections/analytics"
	"strata/projections/leaderboards"
	"strata/projections/vectors"
	"strata/streams/logbus"
)

// duties is what must be done once in an installation, whoever does it: acting on
// events, copying model calls to ClickHouse, firing timers, housekeeping.
type duties struct {
	router *logbus.Router
	writer *analytics.Writer
	work   sync.WaitGroup
	stop   context.CancelFunc
}

// onDuty is where the rest of the process finds the duties, which may begin and
// end while it runs. It answers for reactors to the admin API.
type onDuty struct{ now atomic.Pointer[duties] }

// errOffDuty answers who asks something of reactors that run elsewhere.
var errOffDuty = domain.Errorf(domain.CodeUnavailable, "reactors do not run at this node now; ask the one that holds the lease %q", dutyLease)

// Status implements adminapi.Reactors: nothing runs while others are on duty.
func (o *onDuty) Status(ctx context.Context) ([]logbus.Status, error) {
	d := o.now.Load()
	if d == nil {
		return nil, nil
	}
	return d.router.Status(ctx)
}

// ParkedOf implements adminapi.Reactors.
func (o *onDuty) ParkedOf(ctx context.Context, name string, q logbus.ParkedQuery) ([]logbus.Parked, error) {
	d := o.now.Load()
	if d == nil {
		return nil, errOffDuty
	}
	return d.router.ParkedOf(ctx, name, q)
}

// Retry implements adminapi.Reactors.
func (o *onDuty) Retry(ctx context.Context, name string, stream domain.StreamID) (logbus.Retried, error) {
	d := o.now.Load()
	if d == nil {
		return logbus.Retried{}, errOffDuty
	}
	return d.router.Retry(ctx, name, stream)
}

// Obeyed implements adminapi.Reactors: who is not on duty reads what was decided
// when the duty begins.
func (o *onDuty) Obeyed(ctx context.Context, at domain.Position) error {
	d := o.now.Load()
	if d == nil {
		return nil
	}
	return d.router.Obeyed(ctx, at)
}

// writerStatus tells how the copying to ClickHouse goes.
func (o *onDuty) writerStatus() analytics.WriterStatus {
	d := o.now.Load()
	if d == nil {
		return analytics.WriterStatus{}
	}
	return d.writer.Status()
}

// openReactions opens the file that says how far reactors are.
func (a *app) openReactions(ctx context.Context) error {
	if !a.role.has(projecting) {
		return nil
	}
	state, err := logbus.OpenState(ctx, filepath.Join(a.cfg.Data.ModelsDir(), "reactors.db"))
	if err != nil {
		return err
	}
	a.onClose(state.Close)
	a.reactions = state
	return nil
}

// startDuties begins the duties: at once where nobody else can have the log, else
// whenever this process holds their lease.
func (a *app) startDuties(work context.Context) error {
	if !a.role.has(projecting) {
		return nil
	}
	if a.local == nil {
		return a.shareDuties(work)
	}
	d, err := a.beginDuties(work)
	if err != nil {
		return err
	}
	a.onClose(func() error { return a.endDuties(d) })
	return nil
}

// beginDuties starts everything that runs once. It ends with endDuties.
func (a *app) beginDuties(ctx context.Context) (*duties, error) {
	d := &duties{writer: analytics.NewWriter(a.click, analytics.WriterOptions{
		BatchRows: a.cfg.ClickHouse.FlushRows, MaxDelay: a.cfg.ClickHouse.FlushInterval, Logger: a.log,
		Owner: a.tablesOwner(),
	})}
	var err error
	d.router, err = logbus.NewRouter(logbus.Config{Store: a.store, Codec: a.codec, State: a.reactions, Logger: a.log,
		Metrics: a.metrics, BatchWait: batchWait})
	if err != nil {
		return nil, err
	}
	documents := a.processor()
	executor := a.newExecutor(documents)
	rememberer := a.rememberer()
	err = errors.Join(d.router.AddReactor(budgetHealer{a.budgets}), d.router.AddReactor(documents.Reactor()),
		d.router.AddReactor(executor.Reactor()), d.router.AddReactor(timers.NewBudgets(a.handler, a.at)),
		d.router.AddWriter(vectors.NewWriter(a.click, a.tablesOwner().Installation)),
		d.router.AddReactor(rememberer), d.router.AddReactor(a.personaUploads()), d.router.AddReactor(a.workflows.AgentEnds()))
	err = errors.Join(err, d.router.AddReactor(trainer.Withdrawals{Handler: a.handler, Clusters: a.clusterTrainings()}),
		d.router.AddWriter(leaderboards.NewWriter(a.click, a.tablesOwner().Installation)))
	if !a.cfg.ClickHouse.OverKafka {
		err = errors.Join(err, d.router.AddWriter(callWriter{d.writer}))
	}
	if err != nil {
		return nil, err
	}
	if err := d.router.Start(); err != nil {
		return nil, errors.Join(err, d.router.Stop())
	}
	ctx, d.stop = context.WithCancel(ctx)
	a.duty.now.Store(d)
	a.erasures.Nudge() // what was left to who is on duty
	for name, f := range map[string]func(context.Context) error{
		"analytics writer": d.writer.Run, "housekeeping": a.housekeeping, "scans of connectors": a.scanFiles, "steps": a.performing(executor), "timers": a.fireTimers,
		"trainer": a.train, "embedding of memories": memories.NewSweeper(rememberer, a.log).Run,
	} {
		d.work.Go(func() {
			if err := f(ctx); err != nil && ctx.Err() == nil {
				a.log.ErrorContext(ctx, "background work ended", "work", name, "error", err)
			}
		})
	}
	return d, nil
}

// endDuties returns when nothing of them runs any more.
func (a *app) endDuties(d *duties) error {
	a.duty.now.CompareAndSwap(d, nil)
	err := d.router.Stop()
	d.stop()
	d.work.Wait()
	return err
}
