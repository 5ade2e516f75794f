package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"strata/domain"
	"strata/domain/identity"
	"strata/domain/inference"
	"strata/domain/session"
	"strata/streams"
	"strata/streams/embedded"
	"strata/test/kit"
)

// storedEvents are what the log holds when starting is measured: a tenth of
// them are sessions with ten events each, the others model calls.
const storedEvents = 1_000_000

// benchStart measures how long a server with a full log takes to be ready, its
// read models included.
func benchStart(ctx context.Context, s settings, t *table) error {
	return s.withServer(func(server *kit.Server) error {
		if err := server.Stop(); err != nil {
			return err
		}
		if err := storeEvents(ctx, filepath.Join(server.DataDir, "log"), storedEvents); err != nil {
			return err
		}
		began := time.Now()
		if err := server.Start(); err != nil {
			return err
		}
		if err := server.WaitSettled(time.Minute); err != nil {
			return err
		}
		t.add("process", "first reading of a log of "+count(storedEvents)+" events into the read models", fmt.Sprintf("%.1f s", time.Since(began).Seconds()), "")
		var took []time.Duration
		for range 3 {
			if err := server.Stop(); err != nil {
				return err
			}
			began := time.Now()
			if err := server.Start(); err != nil {
				return err
			}
			if err := server.WaitSettled(time.Minute); err != nil {
				return err
			}
			took = append(took, time.Since(began))
		}
		slices.Sort(took)
		t.goal("process", "start to ready with "+count(storedEvents)+" events, read models live", fmt.Sprintf("%.2f s", took[1].Seconds()),
			"the middle one of three", "1 s", took[1] < time.Second)
		return nil
	})
}

// storeEvents writes n events behind those that a log holds.
func storeEvents(ctx context.Context, dir string, n int) error {
	codec, err := streams.NewCodec(slices.Concat(session.FactTypes(), inference.FactTypes()), nil, nil)
	if err != nil {
		return err
	}
	log, err := embedded.Open(dir, embedded.Options{})
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(256)
	for i := range n / 10 {
		group.Go(func() error {
			stream, facts := someCalls()
			if i%10 == 0 {
				stream, facts = aSession()
			}
			events := make([]streams.Proposed, len(facts))
			for k, f := range facts {
				var err error
				meta := domain.Metadata{Organization: identity.HomeOrganization, Workspace: identity.HomeWorkspace, Actor: "bench", OccurredAt: time.Now().UTC().Truncate(time.Microsecond)}
				if events[k], err = codec.Encode(domain.NewEventID(), f, meta); err != nil {
					return err
				}
			}
			_, err := log.Append(ctx, stream, streams.Any, events...)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		_ = log.Close() // the first error says more
		return err
	}
	return log.Close()
}

// aSession is the ten events of a session.
func aSession() (domain.StreamID, []domain.Fact) {
	facts := []domain.Fact{session.Created{AppName: "helpdesk", UserID: "user_bob", Metadata: domain.Doc{"a": json.RawMessage("1")}}}
	for i := range 9 {
		facts = append(facts, session.EventAdded{ID: domain.NewID("sev"), Sequence: int64(i + 1), Author: "user",
			Type: session.EventKind("message"), Content: json.RawMessage(`{"text":"Say hello to everybody who reads this."}`)})
	}
	return session.Aggregate.Stream(domain.NewID(session.Aggregate.Prefix)), facts
}

// someCalls are five calls of a model with what was said.
func someCalls() (domain.StreamID, []domain.Fact) {
	now := time.Now().UTC().Truncate(time.Microsecond)
	var facts []domain.Fact
	for range 5 {
		id := domain.NewID("inf")
		facts = append(facts, inference.Recorded{ID: id, StartedAt: now, Organization: identity.HomeOrganization, Workspace: identity.HomeWorkspace,
			Type: "chat", RequestedModel: "p/m", Model: "p/m", Provider: "p", Status: inference.Success, HTTPStatus: 200,
			InputTokens: 10, OutputTokens: 20, Cost: 210, LatencyUS: 1200, Attempts: 1},
			inference.PayloadRecorded{ID: id, Request: json.RawMessage(chat), Response: json.RawMessage(`{"choices":[]}`)})
	}
	return inference.StreamOf(identity.HomeWorkspace, now), facts
}
