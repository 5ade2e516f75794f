package commands_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/domain/session"
	"strata/internal/snapshots"
	"strata/streams"
	"strata/streams/embedded"
)

// BenchmarkLongStream appends to a session that has some events already: with
// its state in memory (warm), and by a handler that has never seen it (cold),
// with snapshots and without.
func BenchmarkLongStream(b *testing.B) {
	for _, events := range []int{100, 10_000, 100_000} {
		dir := b.TempDir()
		store, err := embedded.Open(dir, embedded.Options{NoSync: true})
		if err != nil {
			b.Fatal(err)
		}
		codec, err := streams.NewCodec(session.FactTypes(), nil, nil)
		if err != nil {
			b.Fatal(err)
		}
		kept, err := snapshots.Open(ctx, snapshots.Config{Path: filepath.Join(dir, "snapshots.db"), Every: time.Millisecond})
		if err != nil {
			b.Fatal(err)
		}
		with := commands.Config{Store: store, Codec: codec, Snapshots: kept}
		h := commands.New(with)
		add := adder(b, h, events)
		b.Run(fmt.Sprintf("events=%d/warm", events), func(b *testing.B) {
			for b.Loop() {
				add(h)
			}
		})
		for name, cfg := range map[string]commands.Config{"cold": with, "cold-without": {Store: store, Codec: codec}} {
			b.Run(fmt.Sprintf("events=%d/%s", events, name), func(b *testing.B) {
				for b.Loop() {
					add(commands.New(cfg))
				}
			})
		}
		if err := kept.Close(); err != nil {
			b.Fatal(err)
		}
		if err := store.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// adder makes a session of many events and returns what adds one more to it.
func adder(b *testing.B, h *commands.Handler, events int) func(*commands.Handler) {
	b.Helper()
	p := principal("ws_1")
	out, err := commands.Run(ctx, h, session.Aggregate, commands.Request{Principal: p, Create: true}, session.Create{UserID: "ann"}, shown)
	if err != nil {
		b.Fatal(err)
	}
	n := 0
	add := func(h *commands.Handler) {
		n++
		cmd := session.AddEvent{Author: "user", Content: json.RawMessage(`{"role":"user","parts":[{"text":"what does the contract say about it?"}]}`),
			StateDelta: domain.Doc{"step": json.RawMessage(fmt.Sprint(n))}}
		req := commands.Request{Principal: p, ID: out.ID, IdempotencyKey: fmt.Sprint(n), Route: "addSessionEvent"}
		if _, err := commands.Run(ctx, h, session.Aggregate, req, cmd, shown); err != nil {
			b.Fatal(err)
		}
	}
	for range events {
		add(h)
	}
	return add
}
