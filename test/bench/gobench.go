package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// goBenchmark is the result of one Go benchmark.
type goBenchmark struct {
	name   string             // without "Benchmark" and the number of CPUs
	values map[string]float64 // by unit: "ns/op", "events/s"
}

var benchmarkLine = regexp.MustCompile(`^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+(.*)$`)

// goBench runs benchmarks of a package.
func goBench(ctx context.Context, benchtime, pkg, pattern string) ([]goBenchmark, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", pattern, "-benchtime", benchtime, "-timeout", "10m", pkg)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go test -bench %s %s: %w\n%s", pattern, pkg, err, out)
	}
	results := parseBenchmarks(out)
	if len(results) == 0 {
		return nil, fmt.Errorf("no benchmark of %s matches %s", pkg, pattern)
	}
	return results, nil
}

func parseBenchmarks(out []byte) (results []goBenchmark) {
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		m := benchmarkLine.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		b := goBenchmark{name: m[1], values: map[string]float64{}}
		fields := strings.Fields(m[2])
		for i := 0; i+1 < len(fields); i += 2 {
			if v, err := strconv.ParseFloat(fields[i], 64); err == nil {
				b.values[fields[i+1]] = v
			}
		}
		results = append(results, b)
	}
	return results
}

// logMeasures are the log's benchmarks in words.
var logMeasures = map[string]string{
	"ReadAll/all":      "read the whole log",
	"ReadAll/category": "read the whole log, one category",
	"ReadAll/nothing":  "read the whole log, nothing matches",
	"ReadStream":       "read one stream",
	"Open":             "open a log",
}

func benchLog(ctx context.Context, s settings, t *table) error {
	const pkg, part = "./streams/embedded", "event log"
	results, err := goBench(ctx, s.benchtime, pkg, "^BenchmarkAppend$")
	if err != nil {
		return err
	}
	for _, b := range results {
		_, writers, _ := strings.Cut(b.name, "writers=")
		t.add(part, "durable appends, "+writers+" writers", count(b.values["events/s"])+" /s", fmt.Sprintf("p99 %.1f ms", b.values["p99-ms"]))
	}
	if results, err = goBench(ctx, s.benchtime, pkg, "^(BenchmarkReadAll|BenchmarkReadStream|BenchmarkOpen)$"); err != nil {
		return err
	}
	for _, b := range results {
		name := cmp.Or(logMeasures[b.name], b.name)
		if rate, ok := b.values["events/s"]; ok {
			t.add(part, name, count(rate)+" events/s", "")
		} else {
			t.add(part, name, fmt.Sprintf("%.3g ms", b.values["ns/op"]/1e6), "")
		}
	}
	return nil
}

func benchProjections(ctx context.Context, s settings, t *table) error {
	for _, pkg := range []string{"./projections/resources", "./projections/events"} {
		results, err := goBench(ctx, s.benchtime, pkg, "^BenchmarkRebuild$")
		if err != nil {
			return err
		}
		for _, b := range results {
			t.add("projections", "rebuild of "+strings.TrimPrefix(pkg, "./projections/")+strings.TrimPrefix(b.name, "Rebuild"),
				count(b.values["events/s"])+" events/s", "goal 20,000")
		}
	}
	return nil
}

func benchAnalytics(ctx context.Context, s settings, t *table) error {
	results, err := goBench(ctx, s.benchtime, "./projections/analytics", "^(BenchmarkIngest|BenchmarkDashboard)$")
	if err != nil {
		return err
	}
	for _, b := range results {
		if rate, ok := b.values["rows/s"]; ok {
			t.add("analytics", "ClickHouse "+strings.ToLower(b.name), count(rate)+" rows/s", "goal 200,000")
		} else {
			t.add("analytics", b.name, fmt.Sprintf("%.1f ms", b.values["ns/op"]/1e6), "")
		}
	}
	return nil
}
