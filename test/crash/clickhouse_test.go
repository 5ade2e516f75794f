//go:build e2e

package crash

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"strata/test/kit"
)

// The engine of the inference log is killed again and again while calls are
// made: none fails for it, none is lost, none is counted twice.
func TestClickHouseKilledUnderLoad(t *testing.T) {
	server := kit.Start(t, kit.Options{Env: []string{kit.WordsAlone}})
	l := newLoad(t, server)
	if err := server.WaitClickHouse(time.Minute); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var calling sync.WaitGroup
	failures := make(chan error, len(l.workers))
	for _, w := range l.workers[:8] {
		calling.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				if err := w.call(context.WithoutCancel(ctx), l.client, fmt.Sprintf("w%d-%d", w.n, i), i%2 == 0); err != nil {
					failures <- err
					return
				}
			}
		})
	}
	for range number(t, "STRATA_CLICKHOUSE_KILLS", 4) {
		before, err := childOf(server)
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		kit.Eventually(t, time.Minute, "another engine is ready", func() error {
			now, err := childOf(server)
			if err == nil && now == before {
				err = fmt.Errorf("it is still process %d", now)
			}
			return err
		})
	}
	cancel()
	calling.Wait()
	close(failures)
	for err := range failures {
		t.Errorf("a call failed while the engine was down: %v", err)
	}
	l.checkCalls(t)
}

// childOf is the process id of the engine when it is ready.
func childOf(s *kit.Server) (int, error) {
	_, r, err := s.Readiness(context.Background())
	if err != nil {
		return 0, err
	}
	if c := r.Components.ClickHouse; c.State != "ready" || c.PID == 0 {
		return 0, fmt.Errorf("the engine is %s, process %d", c.State, c.PID)
	}
	return r.Components.ClickHouse.PID, nil
}
