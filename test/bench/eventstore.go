package main

import (
	"context"
	"fmt"
	"strings"
)

// benchEventStore measures the log behind EventStoreDB's protocol, through the
// official Go client in the same process: client and server share the processors.
func benchEventStore(ctx context.Context, s settings, t *table) error {
	results, err := goBench(ctx, s.benchtime, "./internal/eventstore", "^(BenchmarkAppend|BenchmarkBatchAppend|BenchmarkRead)$")
	if err != nil {
		return err
	}
	for _, b := range results {
		measure := map[string]string{
			"BatchAppend": "durable appends over one BatchAppend call",
			"Read/stream": "read a stream",
			"Read/all":    "read the whole log",
		}[b.name]
		if callers, found := strings.CutPrefix(b.name, "Append/callers="); found {
			n, events, _ := strings.Cut(callers, "/events=")
			measure = fmt.Sprintf("durable appends of %s events, %s callers", events, n)
		}
		t.add("EventStoreDB protocol", measure, count(b.values["events/s"])+" events/s", "")
	}
	return nil
}
