package main

import (
	"context"
	"fmt"
	"strings"
)

// benchEventStoreDB measures the log's port over EventStoreDB's protocol, as
// Strata uses it when the log is on a server: appends in batches, beside single
// ones and the official client in the same run. Client and server share a process.
func benchEventStoreDB(ctx context.Context, s settings, t *table) error {
	const part = "log on a server"
	results, err := goBench(ctx, s.benchtime, "./streams/eventstoredb", "^(BenchmarkAppend|BenchmarkReadAll|BenchmarkReadStream|BenchmarkSubscribe|BenchmarkLive)$")
	if err != nil {
		return err
	}
	official := map[string]float64{}
	for _, b := range results {
		if writers, found := strings.CutPrefix(b.name, "Append/official/writers="); found {
			official[writers] = b.values["events/s"]
		}
	}
	for _, b := range results {
		rate := count(b.values["events/s"])
		kind, writers, appends := strings.Cut(strings.TrimPrefix(b.name, "Append/"), "/writers=")
		switch {
		case appends:
			by := map[string]string{"batches": "in batches", "singly": "one by one", "official": "by the official client"}[kind]
			t.add(part, fmt.Sprintf("durable appends %s, %s writers", by, writers), rate+" /s",
				fmt.Sprintf("%s the official client; p99 %.1f ms", times(b.values["events/s"], official[writers]), b.values["p99-ms"]))
		case b.name == "ReadAll":
			t.add(part, "read the whole log", rate+" events/s", "")
		case b.name == "Subscribe":
			t.add(part, "a subscription catches up", rate+" events/s", "")
		case b.name == "ReadStream":
			t.add(part, "read one stream of ten events", fmt.Sprintf("%.2f ms", b.values["ns/op"]/1e6), "")
		case b.name == "Live":
			t.add(part, "an append to its delivery to a subscription", fmt.Sprintf("p50 %.2f ms, p99 %.2f ms", b.values["p50-ms"], b.values["p99-ms"]), "")
		}
	}
	return nil
}
