package main

import (
	"bytes"
	"context"
	"slices"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/domain/conversation"
	"strata/domain/inference"
	"strata/projections/analytics"
	"strata/streams"
	"strata/streams/logbus"
)

// batchWait is short because the analytics writer gathers by itself.
const batchWait = 20 * time.Millisecond

// budgetHealer settles what a recorded call has reserved. Mostly the gateway
// has done so already and nothing happens; when its process died in between,
// this is what makes the ledger right.
type budgetHealer struct{ budgets *commands.Budgets }

// Name implements logbus.Reactor.
func (budgetHealer) Name() string { return "budget-healer" }

// Filter implements logbus.Reactor.
func (budgetHealer) Filter() *streams.Filter {
	return &streams.Filter{Categories: []string{inference.Category}, Types: []string{inference.Recorded{}.EventType()}}
}

// Skip implements logbus.Skipper: most calls reserve nothing, and which do can
// be told without reading the whole record.
func (budgetHealer) Skip(stored streams.Recorded) bool {
	return !bytes.Contains(stored.Data, []byte(`"reservations":`))
}

// Handle implements logbus.Reactor.
func (b budgetHealer) Handle(ctx context.Context, e domain.Event) error {
	call, ok := e.Fact.(inference.Recorded)
	if !ok || len(call.Reservations) == 0 {
		return nil
	}
	_, err := b.budgets.Settle(ctx, call.Reservations, call.Cost, call.InputTokens+call.OutputTokens)
	return err
}

// callWriter copies model calls to ClickHouse.
type callWriter struct{ writer *analytics.Writer }

// Name implements logbus.BatchWriter.
func (callWriter) Name() string { return "inferences" }

// Filter implements logbus.BatchWriter.
func (callWriter) Filter() *streams.Filter {
	return &streams.Filter{Categories: []string{inference.Category}}
}

// Write implements logbus.BatchWriter. It hands over without waiting for the
// tables: what is lost in memory is delivered again after Resume.
func (w callWriter) Write(ctx context.Context, events []domain.Event) error {
	items := make([]analytics.Item, len(events))
	for i, e := range events {
		items[i] = analytics.ItemOf(e)
	}
	return w.writer.Write(ctx, items)
}

// Resume implements logbus.BatchWriter.
func (w callWriter) Resume(ctx context.Context) (domain.Position, error) { return w.writer.Resume(ctx) }

// Housekeeping looks for what time has ended.
const (
	housekeepEvery = time.Minute
	// turnPatience is longer than any turn can take, so that a turn which is
	// open for longer has lost its process.
	turnPatience = 35 * time.Minute
	turnsAtOnce  = 1000
	healedEvery  = 50 * time.Millisecond
)

// housekeeping releases reservations and closes turns whose process died. At
// the start, all of them have, if this process alone has the log: it has made
// none yet. Later, and where others write, time tells: of turns here, of
// reservations by timers.
func (a *app) housekeeping(ctx context.Context) error {
	if err := a.models.runner.WaitLive(ctx); err != nil {
		return err
	}
	if err := a.healed(ctx); err != nil {
		return err
	}
	before, released := a.started, false
	if a.local == nil { // others may be at work
		before, released = a.now().Add(-turnPatience), true
	}
	tick := time.NewTicker(housekeepEvery)
	defer tick.Stop()
	for {
		if err := a.closeTurns(ctx, before); err != nil {
			a.log.WarnContext(ctx, "open turns could not be closed; trying again", "error", err)
		}
		if !released {
			err := a.releaseExpired(ctx, a.started.Add(commands.ReservationTTL))
			if released = err == nil; err != nil {
				a.log.WarnContext(ctx, "reservations of the last process could not be released; trying again", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			before = a.now().Add(-turnPatience)
		}
	}
}

// healed waits until what was recorded before this start is settled: only then
// is it certain that a reservation belongs to a call that never was.
func (a *app) healed(ctx context.Context) error {
	head, err := a.store.Head(ctx)
	if err != nil {
		return err
	}
	tick := time.NewTicker(healedEvery)
	defer tick.Stop()
	for {
		all, err := a.duty.Status(ctx)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(all, func(s logbus.Status) bool { return s.Name == budgetHealer{}.Name() && s.Position < head }) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (a *app) closeTurns(ctx context.Context, before time.Time) error {
	if err := a.closeWriting(ctx, before); err != nil {
		return err
	}
	turns, err := a.models.conversations.OpenTurns(ctx, before, turnsAtOnce)
	if err != nil {
		return err
	}
	for _, t := range turns {
		req := commands.Request{Principal: domain.System(t.Organization, t.Workspace), ID: t.ConversationID}
		cmd := conversation.FailTurn{RunID: t.RunID, Code: domain.CodeUnavailable, Message: "the server stopped while the model was answering"}
		_, err := commands.Run[conversation.State, struct{}](ctx, a.handler, conversation.Aggregate, req, cmd, nil)
		if code := domain.CodeOf(err); err != nil && code != domain.CodeConflict && code != domain.CodeNotFound {
			return err
		}
	}
	return nil
}

// releaseExpired releases the reservations that expire by a time.
func (a *app) releaseExpired(ctx context.Context, until time.Time) error {
	ids, err := a.models.budgets.Expiring(ctx, until)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := a.budgets.Sweep(ctx, id, until); err != nil && domain.CodeOf(err) != domain.CodeNotFound {
			return err
		}
	}
	return nil
}
