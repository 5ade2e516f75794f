//go:build e2e

// Package crash kills the real server with kill -9 at random moments under a
// mixed load and looks at what is left: everything that was acknowledged is
// there, once; retries do not double it; the ledger and the inference log say
// the same; what was erased is gone, and nothing else; the read models equal fresh
// ones. Meanwhile read models are rebuilt and backups are made, and killed too: each
// that was finished restores to a log with everything acknowledged before it began.
//
// STRATA_CRASH_ROUNDS sets the number of rounds, STRATA_CRASH_SEED repeats a run.
package crash

import (
	"context"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"strata/test/kit"
)

// models are the read models that must equal fresh ones.
var models = []string{"identity", "budgets", "resources", "sessions", "memories", "conversations", "events", "timers", "erasures"}

func number(t *testing.T, variable string, otherwise int64) int64 {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return n
}

func TestKilledUnderLoad(t *testing.T) {
	rounds := number(t, "STRATA_CRASH_ROUNDS", 10)
	seed := number(t, "STRATA_CRASH_SEED", time.Now().UnixNano())
	t.Logf("STRATA_CRASH_SEED=%d repeats this run", seed)
	random := rand.New(rand.NewPCG(uint64(seed), 0))

	// Small segments, so that some are sealed in every round.
	server := kit.Start(t, kit.Options{Env: []string{"STRATA_LOG_SEGMENT_SIZE=64KiB", kit.WordsAlone}})
	l := newLoad(t, server)
	for round := range rounds {
		life := time.Duration(100+random.IntN(1400)) * time.Millisecond
		l.runUntilKilled(t, life, random)
		if err := server.Start(); err != nil {
			t.Fatalf("round %d: start again: %v", round+1, err)
		}
		l.backups.check(t, l)
		l.retryPending(t)
		l.check(t)
		l.checkPeople(t, round == rounds-1 || random.IntN(2) == 0) // else erasures go on under the next round's load
		t.Logf("round %2d: killed after %4d ms; %s", round+1, life.Milliseconds(), l.summary())
		if t.Failed() {
			t.FailNow()
		}
	}
	l.checkCalls(t)

	if err := server.Stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	l.searchFiles(t)
	l.backups.last(t, l)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	out, err := server.Tool(ctx, "verify")
	if err != nil {
		t.Errorf("the log: %v", err)
	}
	t.Logf("verify: %s", strings.TrimSpace(out))
	loadKilled(t, server, random)
	for _, name := range models {
		if out, err := server.Tool(ctx, "rebuild", name, "--compare"); err != nil {
			t.Errorf("the read model %s: %v", name, err)
		} else {
			t.Logf("rebuild: %s", strings.TrimSpace(out))
		}
	}
}
