package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"strata/commands"
	"strata/internal/clickhouse"
	"strata/projections"
	"strata/projections/analytics"
	"strata/projections/vectors"
	"strata/streams"
	"strata/streams/logbus"
)

// openErasures makes up for what a process that died has left of erasures,
// before anything is read from the log.
func (a *app) openErasures(ctx context.Context) error {
	cfg := commands.ErasuresConfig{
		Handler: a.handler, Keys: a.keys, Places: a.placesOfPeople(),
		Ready: func(ctx context.Context) error { return a.models.runner.WaitLive(ctx) },
	}
	if a.local == nil {
		cfg.AllPlaces = a.allPlaces
		var names []string
		for _, p := range cfg.Places {
			names = append(names, p.Name)
		}
		if err := a.joinNodes(ctx, names); err != nil {
			return err
		}
	}
	a.erasures = commands.NewErasures(cfg)
	if err := a.erasures.Recover(ctx); err != nil {
		return fmt.Errorf("take up erasures: %w", err)
	}
	return nil
}

// placesOfPeople are where this process may have what was read of people's data.
// What several nodes share has one name for all of them.
func (a *app) placesOfPeople() []commands.Place {
	places := []commands.Place{
		{Name: a.place("states"), Forget: a.forgetStates},
		{Name: a.place("read models"), Forget: func(ctx context.Context, f commands.Forgotten) error {
			if err := a.models.runner.Forget(ctx, projections.Traces{Streams: f.Streams, Workspaces: f.Workspaces}); err != nil {
				return err
			}
			return a.clearShelf(ctx)
		}},
	}
	if !a.role.has(projecting) {
		return places
	}
	return append(places,
		commands.Place{Name: a.place("reactors"), Forget: func(ctx context.Context, f commands.Forgotten) error { return a.reactions.Forget(ctx, f.Streams) }},
		commands.Place{Name: "analytics", Forget: a.forgetAnalytics, Mine: func() bool { return a.local != nil || a.duty.now.Load() != nil }})
}

// forgetStates drops folded states, in memory and in snapshots.
func (a *app) forgetStates(ctx context.Context, f commands.Forgotten) error {
	for _, workspace := range f.Workspaces {
		who := streams.Subject{Organization: f.Subject.Organization, Workspace: workspace, ID: f.Subject.ID}
		if err := a.handler.Forget(ctx, who); err != nil {
			return err
		}
	}
	return nil
}

// analyticsPatience bounds one try to erase from the analytics engine: it may be
// away, and other erasures wait.
const analyticsPatience = time.Minute

// forgetAnalytics erases from ClickHouse, once all that was read with the key has
// arrived there.
func (a *app) forgetAnalytics(ctx context.Context, f commands.Forgotten) error {
	ctx, cancel := context.WithTimeout(ctx, analyticsPatience)
	defer cancel()
	if a.click.Status().State == clickhouse.Missing {
		_, err := os.Stat(filepath.Join(a.cfg.Data.Dir, clickhouse.EmbeddedDir))
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it never ran here
		}
		return errors.New("the analytics engine is not installed, but its data is there: install it again, or delete its directory")
	}
	if a.cfg.ClickHouse.OverKafka {
		if err := a.awaitCalls(ctx, f.Head); err != nil {
			return err
		}
		return a.eraseRows(ctx, f)
	}
	if err := a.passed(ctx, callWriter{}.Name(), func(s logbus.Status) bool { return s.Position >= f.Head }); err != nil {
		return err
	}
	d := a.duty.now.Load()
	if d == nil {
		return errOffDuty
	}
	if err := d.writer.Drain(ctx); err != nil {
		return err
	}
	return a.eraseRows(ctx, f)
}

// eraseRows erases from the tables, once the vectors that were read with the key
// are there.
func (a *app) eraseRows(ctx context.Context, f commands.Forgotten) error {
	if err := a.passed(ctx, vectors.Topic, func(s logbus.Status) bool { return s.Position >= f.Head }); err != nil {
		return err
	}
	return analytics.NewEraser(a.click).Erase(ctx, f.Workspaces, f.Subject.ID)
}

// passed waits until a reactor or writer is as far as asked.
func (a *app) passed(ctx context.Context, name string, far func(logbus.Status) bool) error {
	tick := time.NewTicker(healedEvery)
	defer tick.Stop()
	for {
		all, err := a.duty.Status(ctx)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(all, func(s logbus.Status) bool { return s.Name == name && far(s) }) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is behind: %w", name, ctx.Err())
		case <-tick.C:
		}
	}
}
