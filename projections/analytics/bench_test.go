package analytics_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"strata/domain/inference"
	"strata/internal/clickhouse"
	"strata/internal/clickhouse/clickhousetest"
	"strata/projections/analytics"
)

// BenchmarkIngest writes calls without payloads as fast as the writer takes
// them: rows, rollups and progress.
func BenchmarkIngest(b *testing.B) {
	db := clickhousetest.Open(b, clickhouse.Config{})
	w := analytics.NewWriter(db, analytics.WriterOptions{})
	position, err := w.Resume(b.Context())
	must(b, err)
	stop := start(b, w)
	defer stop()
	source := traffic(50_000, 200)
	before := engineCPU(b, db)
	b.ResetTimer()
	began, rows := time.Now(), 0
	for b.Loop() {
		batch := make([]analytics.Item, len(source))
		for i, it := range source {
			position++
			it.Position = position
			batch[i] = it
		}
		if err := w.Write(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
		if err := w.Wait(b.Context(), position); err != nil {
			b.Fatal(err)
		}
		rows += len(batch)
	}
	b.ReportMetric(float64(rows)/time.Since(began).Seconds(), "rows/s")
	b.ReportMetric((engineCPU(b, db)-before).Seconds()*1e6/float64(rows), "engine-cpu-µs/row")
}

// BenchmarkDashboard reads a month of half a million calls as the console does.
func BenchmarkDashboard(b *testing.B) {
	db := clickhousetest.Open(b, clickhouse.Config{})
	w := analytics.NewWriter(db, analytics.WriterOptions{})
	position, err := w.Resume(b.Context())
	must(b, err)
	stop := start(b, w)
	source := traffic(50_000, 1)
	for copyNo := range 10 {
		batch := make([]analytics.Item, len(source))
		for i, it := range source {
			position++
			it.Position = position
			it.Fact = earlier(it, 3*copyNo)
			batch[i] = it
		}
		must(b, w.Write(b.Context(), batch))
	}
	must(b, w.Wait(b.Context(), position))
	stop()
	q := analytics.NewQueries(db, func() time.Time { return noon })
	month := analytics.Report{Filter: analytics.Filter{Workspace: "ws_1"}}
	for name, run := range map[string]func() error{
		"usage":       func() error { _, err := q.Usage(b.Context(), month); return err },
		"costs":       func() error { _, err := q.Costs(b.Context(), month); return err },
		"performance": func() error { _, err := q.Performance(b.Context(), month); return err },
		"summary":     func() error { _, err := q.Summary(b.Context(), month.Filter); return err },
		"logs":        func() error { _, err := q.InferenceLogs(b.Context(), month.Filter, analytics.Page{}); return err },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// calls takes the calls out of a history.
func calls(items []analytics.Item) []analytics.Item {
	list := make([]analytics.Item, 0, len(items))
	for _, it := range items {
		if _, ok := it.Fact.(inference.Recorded); ok {
			list = append(list, it)
		}
	}
	return list
}

// traffic makes n calls in order of time, so many a second, the last one at noon.
func traffic(n, perSecond int) []analytics.Item {
	items := calls(history(1, n, "ws_1"))
	for i := range items {
		call := items[i].Fact.(inference.Recorded)
		call.StartedAt = noon.Add(-time.Duration(len(items)-i) * time.Second / time.Duration(perSecond))
		items[i].Fact = call
	}
	return items
}

// earlier is the call of an item, some days before.
func earlier(it analytics.Item, days int) inference.Recorded {
	call := it.Fact.(inference.Recorded)
	call.StartedAt = call.StartedAt.AddDate(0, 0, -days)
	return call
}

// engineCPU returns the processor time the engine has used; on systems without
// /proc it is 0. On a busy machine it says more than rows/s do.
func engineCPU(b *testing.B, db *clickhouse.DB) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", db.Status().PID))
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(after)
	var ticks time.Duration
	for _, field := range fields[11:13] { // user and system, in 1/100 s
		n, err := strconv.Atoi(field)
		must(b, err)
		ticks += time.Duration(n)
	}
	return ticks * 10 * time.Millisecond
}
