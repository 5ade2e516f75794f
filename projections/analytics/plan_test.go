package analytics

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestCoverIsExactAndCoarse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)
		start := base.Add(time.Duration(rapid.Int64Range(0, int64(80*24*time.Hour)).Draw(t, "start")))
		length := time.Duration(rapid.Int64Range(0, int64(time.Duration(rapid.SampledFrom([]int{1, 100, 5000, 1_000_000}).Draw(t, "scale"))*time.Second)).Draw(t, "length"))
		if rapid.Bool().Draw(t, "aligned") {
			start = start.Truncate(time.Hour)
		}
		end := start.Add(length)
		ladder := rapid.SampledFrom([][]rollup{nil, {minutes}, {hours, minutes}, {userDays}, {days, hours, minutes}, {totals, minutes}}).Draw(t, "ladder")
		at, raw := start, time.Duration(0)
		for _, s := range cover(start, end, ladder) {
			if !s.start.Equal(at) || !s.start.Before(s.end) {
				t.Fatalf("span %v–%v follows %v", s.start, s.end, at)
			}
			if s.source != nil && (s.start.Truncate(s.source.unit) != s.start || s.end.Truncate(s.source.unit) != s.end) {
				t.Fatalf("span %v–%v of %s is not whole", s.start, s.end, s.source.name)
			}
			if s.source == nil {
				raw += s.end.Sub(s.start)
			}
			at = s.end
		}
		if !at.Equal(end) {
			t.Fatalf("covered up to %v, not %v", at, end)
		}
		if n := len(ladder); n > 0 && raw >= 2*ladder[n-1].unit {
			t.Fatalf("%v read from rows although %s could answer", raw, ladder[n-1].name)
		}
	})
}

func TestLadder(t *testing.T) {
	for _, c := range []struct {
		name     string
		columns  []string
		interval Interval
		users    bool
		latency  bool
		want     []string
	}{
		{"totals", nil, "", false, true, []string{"rollup_total", "rollup_minute"}},
		{"totals by day", nil, Day, false, true, []string{"rollup_total", "rollup_minute"}},
		{"by model and day", []string{"model"}, Day, false, false, []string{"rollup_day", "rollup_hour", "rollup_minute"}},
		{"quantiles of a model", []string{"model"}, "", false, true, []string{"rollup_day", "rollup_hour", "rollup_minute"}},
		{"by hour", []string{"model"}, Hour, false, true, []string{"rollup_hour", "rollup_minute"}},
		{"distinct users", nil, "", true, false, []string{"rollup_user", "rollup_hour", "rollup_minute"}},
		{"distinct users and quantiles", nil, "", true, true, []string{"rollup_day", "rollup_hour", "rollup_minute"}},
		{"distinct users of a model", []string{"model"}, "", true, false, []string{"rollup_day", "rollup_hour", "rollup_minute"}},
		{"by minute", []string{"app_id"}, Minute, false, false, []string{"rollup_minute"}},
		{"by user", []string{"end_user"}, "", false, false, []string{"rollup_user"}},
		{"by user and model", []string{"end_user", "model"}, "", false, false, nil},
		{"by user and hour", []string{"end_user"}, Hour, false, false, nil},
		{"quantiles of a user", []string{"end_user"}, "", false, true, nil},
		{"user and key", []string{"end_user", "api_key_id"}, "", false, false, nil},
		{"by status", []string{"status"}, "", false, false, nil},
	} {
		var got []string
		for _, r := range ladder(c.columns, c.interval, c.users, c.latency) {
			got = append(got, r.name)
		}
		if len(got) != len(c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s: %v, want %v", c.name, got, c.want)
			}
		}
	}
}
