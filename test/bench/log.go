package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// logGoal is what the log is to reach with a number of writers.
type logGoal struct {
	rate float64 // events/s; 0 = no goal
	p99  float64 // ms; 0 = no goal
}

var logGoals = map[int]logGoal{256: {rate: 125_000, p99: 15}, 1024: {rate: 230_000}}

const packageLog = "./streams/embedded"

// benchLog compares the log with the bare disk and with PostgreSQL that inserts
// every event by itself.
func benchLog(ctx context.Context, s settings, t *table) error {
	const part = "event log"
	disk, err := syncLoop(ctx, 2*time.Second)
	if err != nil {
		return err
	}
	syncs := disk.rate()
	t.add(part, "bare disk: write and sync 400 bytes, one writer", count(syncs)+" /s", fmt.Sprintf("p99 %.2f ms", quantile(disk.latencies, .99).Seconds()*1e3))
	rates, err := postgresRates(ctx, 3*time.Second, []int{1, 16, 64, 256})
	if err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	for _, n := range []int{1, 16, 64, 256} {
		value := "not installed"
		if rates[n] > 0 {
			value = count(rates[n]) + " /s"
		}
		t.add(part, fmt.Sprintf("PostgreSQL, one insert per event, %d connections", n), value, times(rates[n], syncs)+" the bare disk")
	}
	results, err := goBench(ctx, s.benchtime, packageLog, "^BenchmarkAppend$")
	if err != nil {
		return err
	}
	for _, b := range results {
		_, number, _ := strings.Cut(b.name, "writers=")
		writers, err := strconv.Atoi(number)
		if err != nil {
			return fmt.Errorf("benchmark %s: %w", b.name, err)
		}
		rate, p99 := b.values["events/s"], b.values["p99-ms"]
		beside := fmt.Sprintf("%s the bare disk, %s PostgreSQL; p99 %.1f ms", times(rate, syncs), times(rate, rates[min(writers, 256)]), p99)
		measure := fmt.Sprintf("durable appends, %d writers", writers)
		switch goal := logGoals[writers]; {
		case goal.p99 > 0:
			t.goal(part, measure, count(rate)+" /s", beside, fmt.Sprintf("%s, p99 %.0f ms", count(goal.rate), goal.p99), rate >= goal.rate && p99 < goal.p99)
		case goal.rate > 0:
			t.goal(part, measure, count(rate)+" /s", beside, count(goal.rate), rate >= goal.rate)
		default:
			t.add(part, measure, count(rate)+" /s", beside)
		}
	}
	return benchLogReads(ctx, s, t)
}

// logEvents is what the log holds that is read and opened.
const logEvents = 5_000_000

func benchLogReads(ctx context.Context, s settings, t *table) error {
	const part = "event log"
	results, err := goBench(ctx, s.benchtime, packageLog, "^(BenchmarkReadAll|BenchmarkReadStream)$")
	if err != nil {
		return err
	}
	names := map[string]string{
		"ReadAll/all":      "read the whole log",
		"ReadAll/category": "read the whole log, one category",
		"ReadAll/nothing":  "read the whole log, nothing matches",
	}
	for _, b := range results {
		rate := b.values["events/s"]
		switch {
		case rate == 0:
			t.add(part, "read one stream of ten events", fmt.Sprintf("%.3g ms", b.values["ns/op"]/1e6), "")
		case b.name == "ReadAll/all":
			t.goal(part, names[b.name], count(rate)+" events/s", "", "2,000,000", rate >= 2e6)
		default:
			t.add(part, names[b.name], count(rate)+" events/s", "")
		}
	}
	if results, err = goBench(ctx, "3x", packageLog, "^BenchmarkOpen$", fmt.Sprintf("-events=%d", logEvents)); err != nil {
		return err
	}
	took := results[0].values["ns/op"] / 1e9
	t.goal(part, "open a log of "+count(logEvents)+" events", fmt.Sprintf("%.3f s", took), "", "1 s", took < 1)
	return nil
}
