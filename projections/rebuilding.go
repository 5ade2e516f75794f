package projections

import (
	"context"
	"fmt"

	"strata/domain"
)

// RebuildOptions say how a rebuild beside the living model goes.
type RebuildOptions struct {
	EventsPerSecond int // at most so many; 0 is as fast as it goes
}

// Rebuild begins to fold a model again beside the living one and returns; Status
// tells how far it is and WaitRebuild waits for its end. Whatever the comparison
// shows, the new rows take the place of the old ones: they are what the log says.
// Errors: NOT_FOUND for an unknown model; CONFLICT when one is running already
// or the model is still being built; SERVICE_UNAVAILABLE when the runner does
// not run.
func (r *Runner) Rebuild(ctx context.Context, model string, o RebuildOptions) error {
	w, err := r.worker(model)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cancel == nil || r.stopped {
		return domain.Errorf(domain.CodeUnavailable, "the read models are not running")
	}
	if !w.serving.Load() {
		return domain.Errorf(domain.CodeConflict, "read model %s is being built from the log already", model)
	}
	b := &w.rebuild
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.shadow != nil {
		return domain.Errorf(domain.CodeConflict, "read model %s is being rebuilt already", model)
	}
	report := Rebuilding{State: RebuildFilling, EventsPerSecond: o.EventsPerSecond, StartedAt: r.cfg.Clock.Now(), Target: w.mark.get()}
	f, err := w.newShadow(ctx, report)
	if err != nil {
		return fmt.Errorf("rebuild %s: %w", model, err)
	}
	b.now = f.rebuilt
	b.adopt(f)
	b.start(r)
	w.log.InfoContext(ctx, "rebuild begins", "events_per_second", o.EventsPerSecond)
	return nil
}

// CancelRebuild ends a rebuild and removes what it has built; the living model
// is not concerned. Errors: NOT_FOUND for an unknown model; CONFLICT when none
// is running, or when it was done before it could be ended.
func (r *Runner) CancelRebuild(ctx context.Context, model string) error {
	w, err := r.worker(model)
	if err != nil {
		return err
	}
	b := &w.rebuild
	b.mu.Lock()
	running, cancel, ended := b.shadow != nil && b.cancel != nil, b.cancel, b.ended
	b.mu.Unlock()
	if !running {
		return domain.Errorf(domain.CodeConflict, "read model %s is not being rebuilt", model)
	}
	cancel(errCancelled)
	select {
	case <-ended:
	case <-ctx.Done():
		return ctx.Err()
	}
	if report := b.report(); report.State == RebuildDone {
		return domain.Errorf(domain.CodeConflict, "the rebuild of read model %s is done", model)
	}
	return nil
}

// WaitRebuild waits until no rebuild of a model is running, or ctx ends, and
// returns what there is to tell of the last one. Errors: NOT_FOUND for an
// unknown model or one that was never rebuilt.
func (r *Runner) WaitRebuild(ctx context.Context, model string) (Rebuilding, error) {
	w, err := r.worker(model)
	if err != nil {
		return Rebuilding{}, err
	}
	w.rebuild.mu.Lock()
	ended := w.rebuild.ended
	w.rebuild.mu.Unlock()
	if ended != nil {
		select {
		case <-ended:
		case <-ctx.Done():
			return Rebuilding{}, ctx.Err()
		}
	}
	report := w.rebuild.report()
	if report == nil {
		return Rebuilding{}, domain.NotFound("rebuild of read model", model)
	}
	return *report, nil
}
