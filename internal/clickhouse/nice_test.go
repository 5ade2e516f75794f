//go:build linux

package clickhouse_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"strata/internal/clickhouse"
	"strata/internal/clickhouse/clickhousetest"
)

func TestEngineYieldsToUs(t *testing.T) {
	before := niceness(t, os.Getpid())
	db := clickhousetest.Open(t, clickhouse.Config{Nice: 3})
	want := min(before+3, 19)
	if got := niceness(t, db.Status().PID); got != want {
		t.Errorf("the engine's niceness is %d, want %d", got, want)
	}
	if got := niceness(t, os.Getpid()); got != before {
		t.Errorf("our own niceness became %d, was %d", got, before)
	}
}

// niceness is that of a process's first thread.
func niceness(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	must(t, err)
	_, after, _ := strings.Cut(string(text), ") ")
	var n int
	_, err = fmt.Sscan(strings.Fields(after)[16], &n)
	must(t, err)
	return n
}
