package memories

import (
	"context"
	"log/slog"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/domain/memory"
)

// Bounds of a sweep.
const (
	sweepEvery   = 5 * time.Second
	sweptAtOnce  = 50 // memories of a workspace
	giveUpAfter  = 3  // failures of a workspace, one after another
	shortestRest = 5 * time.Second
	longestRest  = 10 * time.Minute
)

// Sweeper embeds what could not be embedded when it was said. Nobody has to tell it
// that a model is back, a budget was raised or a provider was mended: it tries now
// and then, each workspace by itself, and ever more seldom while all of it fails.
type Sweeper struct {
	reactor *Reactor
	log     *slog.Logger
	resting map[string]rest // by workspace
}

// rest is how long a workspace is left alone after its latest failures.
type rest struct {
	until time.Time
	last  time.Duration
}

// NewSweeper makes a Sweeper that embeds as the reactor does.
func NewSweeper(r *Reactor, log *slog.Logger) *Sweeper {
	return &Sweeper{reactor: r, log: log, resting: map[string]rest{}}
}

// Run sweeps until ctx ends.
func (w *Sweeper) Run(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		embedded, err := w.Sweep(ctx)
		if err != nil && ctx.Err() == nil {
			w.log.WarnContext(ctx, "memories that failed to be embedded are not tried again yet", "error", err)
		}
		if embedded > 0 && err == nil {
			continue // there may be more
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Sweep tries once what may be tried now, and tells how much was embedded. It is not
// to be called by several at once.
func (w *Sweeper) Sweep(ctx context.Context) (embedded int, err error) {
	all, err := w.reactor.cfg.Index.Failing(ctx, sweptAtOnce)
	if err != nil {
		return 0, err
	}
	of := map[string][]memory.Unembedded{}
	for _, m := range all {
		of[m.Workspace] = append(of[m.Workspace], m)
	}
	for ws := range w.resting {
		if len(of[ws]) == 0 {
			delete(w.resting, ws)
		}
	}
	now := w.reactor.cfg.Handler.Now()
	for ws, failing := range of {
		if now.Before(w.resting[ws].until) {
			continue
		}
		n, err := w.workspace(ctx, failing)
		if err != nil {
			return embedded, err
		}
		embedded += n
		if n > 0 {
			delete(w.resting, ws)
			continue
		}
		wait := min(max(2*w.resting[ws].last, shortestRest), longestRest)
		w.resting[ws] = rest{until: now.Add(wait), last: wait}
	}
	return embedded, nil
}

// workspace tries memories of one workspace, until too many fail in a row: what keeps
// them back is mostly the same for all.
func (w *Sweeper) workspace(ctx context.Context, failing []memory.Unembedded) (embedded int, err error) {
	failures := 0
	for _, m := range failing {
		out, err := w.again(ctx, m)
		if err != nil {
			return embedded, err
		}
		switch out {
		case kept:
			embedded, failures = embedded+1, 0
		case refused:
			failures++
		case needless: // the index does not know yet
		}
		if failures == giveUpAfter {
			break
		}
	}
	return embedded, nil
}

func (w *Sweeper) again(ctx context.Context, m memory.Unembedded) (outcome, error) {
	p := domain.System(m.Organization, m.Workspace)
	s, err := w.reactor.load(ctx, p, m.ID)
	if err != nil {
		return needless, unlessGone(err)
	}
	return w.reactor.embed(ctx, s, commands.Request{Principal: p})
}
