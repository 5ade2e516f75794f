package projections

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"strata/domain"
	"strata/internal/sqlite"
	"strata/streams"
)

// Forgetter is a model that holds what people said: it can drop all it has of a
// stream, so that the stream can be folded again without what was erased.
// Models that do not implement it must hold nothing personal.
type Forgetter interface {
	Model
	// Forget deletes every row that events of a stream have made, as if there
	// had never been any.
	Forget(ctx context.Context, tx Tx, stream domain.StreamID) error
}

// Traces says where events of a person are.
type Traces struct {
	Streams    map[domain.StreamID]bool
	Workspaces []string
}

// Forget folds the streams of a person whose key was destroyed again, in every
// model, so that the rows are what a rebuild from the log gives, and removes what
// they held before from the files: from their free space and their write-ahead
// logs, too. Reads see either the rows before or those after. It can be repeated.
func (r *Runner) Forget(ctx context.Context, t Traces) error {
	var errs []error
	for _, w := range r.workers {
		if err := w.forget(ctx, t); err != nil {
			errs = append(errs, fmt.Errorf("read model %s: %w", w.model.Name(), err))
		}
	}
	return errors.Join(errs...)
}

// forget cleans the living file and that of a rebuild beside it.
func (w *worker) forget(ctx context.Context, t Traces) error {
	w.rebuild.mu.Lock()
	w.forgotten.Add(1) // what was compared before is void
	shadow := w.rebuild.shadow
	w.rebuild.now.Differences = withoutRows(w.rebuild.now.Differences)
	w.rebuild.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.forgotten.Add(1) // and what was compared meanwhile
	if shadow != nil {
		if err := w.forgetIn(ctx, shadow, t); err != nil {
			return err
		}
	}
	events, err := w.file.forget(ctx, w.cfg, t)
	if err != nil {
		return err
	}
	w.committed(events)
	return nil
}

// forgetIn cleans a shadow, unless it has been dropped or has become the living file
// meanwhile. One that begins later is folded without what was erased.
func (w *worker) forgetIn(ctx context.Context, shadow *folder, t Traces) error {
	shadow.mu.Lock()
	defer shadow.mu.Unlock()
	if shadow.file == nil || shadow.file == w.file {
		return nil
	}
	_, err := shadow.file.forget(ctx, w.cfg, t)
	return err
}

// withoutRows takes the rows out of a comparison.
func withoutRows(all []Difference) []Difference {
	all = slices.Clone(all)
	for i := range all {
		all[i].Samples = nil
	}
	return all
}

// void tells whether differences were found while somebody was erased: they may be
// between rows from before and rows from after.
func (b *rebuild) void() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.now.Differences) > 0 && b.w.forgotten.Load() != b.compared
}

// forget folds streams again, up to where the file is, and cleans the file.
func (f *file) forget(ctx context.Context, cfg *Config, t Traces) (applied []domain.Event, err error) {
	err = f.db.Write(ctx, func(tx *sqlite.Tx) error {
		for stream := range t.Streams {
			// An error may quote what could not be applied.
			_, err := tx.Exec(ctx, "UPDATE strata_parked SET error = 'erased with the person it was about' WHERE stream = ? AND error <> ''", string(stream))
			if err != nil {
				return err
			}
		}
		if m, ok := f.model.(Forgetter); ok {
			if applied, err = f.refold(ctx, cfg, tx, m, t); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(f.rebuilt.Differences) > 0 { // they show rows
		report := f.rebuilt
		report.Differences = withoutRows(report.Differences)
		if err := f.setReport(ctx, report, f.building); err != nil {
			return nil, err
		}
	}
	return applied, f.db.Scrub(ctx)
}

// refold drops what the model holds of some streams and applies their events
// again, all in one transaction.
func (f *file) refold(ctx context.Context, cfg *Config, tx *sqlite.Tx, m Forgetter, t Traces) ([]domain.Event, error) {
	filter := *m.Filter()
	for _, stream := range slices.Sorted(maps.Keys(t.Streams)) {
		if !slices.Contains(filter.Categories, stream.Category()) {
			continue
		}
		if err := m.Forget(ctx, tx, stream); err != nil {
			return nil, fmt.Errorf("forget %s: %w", stream, err)
		}
	}
	applied, err := f.firstParked(ctx, tx)
	if err != nil {
		return nil, err
	}
	if len(t.Workspaces) == 1 {
		filter.Workspace = t.Workspaces[0]
	}
	var last, batch []domain.Event
	bytes := 0
	for r, err := range cfg.Store.ReadAll(ctx, streams.ReadAll{Filter: &filter}) {
		if err != nil {
			return nil, fmt.Errorf("read the log: %w", err)
		}
		if r.Position > f.saved {
			break
		}
		if !t.Streams[r.Stream] || f.skip.has(r.Position) || r.Position >= applied(&r) {
			continue
		}
		e, err := cfg.Codec.Decode(r)
		if err != nil {
			return nil, err
		}
		bytes += sizeOf(r)
		if batch = append(batch, e); len(batch) < cfg.BatchSize && bytes < mostBytes {
			continue
		}
		if err := applySafely(ctx, m, tx, batch); err != nil {
			return nil, err
		}
		last, batch, bytes = append(last, lastOf(batch)...), nil, 0
	}
	return append(last, lastOf(batch)...), applySafely(ctx, m, tx, batch)
}

// firstParked tells from where on events of a queue were not applied.
func (f *file) firstParked(ctx context.Context, tx *sqlite.Tx) (func(*streams.Recorded) domain.Position, error) {
	first := map[string]domain.Position{}
	for queue := range f.parked {
		var at int64
		if err := tx.QueryRow(ctx, "SELECT min(position) FROM strata_parked WHERE queue = ?", queue).Scan(&at); err != nil {
			return nil, fmt.Errorf("parked events of %s: %w", queue, err)
		}
		first[queue] = domain.Position(at) //nolint:gosec // positions are stored so
	}
	return func(r *streams.Recorded) domain.Position {
		if at, parked := first[f.queueOf(r)]; parked {
			return at
		}
		return math.MaxUint64
	}, nil
}

// lastOf keeps one event of each stream, which is what hooks need to know.
func lastOf(events []domain.Event) []domain.Event {
	seen := map[domain.StreamID]bool{}
	var out []domain.Event
	for _, e := range slices.Backward(events) {
		if !seen[e.Stream] {
			seen[e.Stream] = true
			out = append(out, e)
		}
	}
	return out
}
