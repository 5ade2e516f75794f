package main

import (
	"bufio"
	"bytes"
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

// goBench runs benchmarks of a package, with flags of the package's own.
func goBench(ctx context.Context, benchtime, pkg, pattern string, flags ...string) ([]goBenchmark, error) {
	args := append([]string{"test", "-run", "^$", "-bench", pattern, "-benchtime", benchtime, "-timeout", "10m", pkg}, flags...)
	cmd := exec.CommandContext(ctx, "go", args...)
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

func benchProjections(ctx context.Context, s settings, t *table) error {
	for _, pkg := range []string{"./projections/resources", "./projections/events"} {
		results, err := goBench(ctx, s.benchtime, pkg, "^BenchmarkRebuild$")
		if err != nil {
			return err
		}
		for _, b := range results {
			rate := b.values["events/s"]
			t.goal("projections", "rebuild of "+strings.TrimPrefix(pkg, "./projections/")+strings.TrimPrefix(b.name, "Rebuild"),
				count(rate)+" events/s", "", "20,000", rate >= 20_000)
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
			t.goal("analytics", "ClickHouse "+strings.ToLower(b.name), count(rate)+" rows/s", "", "200,000", rate >= 200_000)
		} else {
			t.add("analytics", b.name, fmt.Sprintf("%.1f ms", b.values["ns/op"]/1e6), "")
		}
	}
	return nil
}
