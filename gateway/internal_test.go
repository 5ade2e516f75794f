package gateway

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestHealthForgetsTheLongestUnused(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	h := newHealth(Breaker{Failures: 1, OpenFor: time.Hour}, func() time.Time { return now }, func(string, bool) {})
	for i := range maxTracked + 10 {
		now = now.Add(time.Microsecond)
		h.failed(fmt.Sprint(i))
	}
	if len(h.targets) != maxTracked {
		t.Errorf("%d targets", len(h.targets))
	}
	if ok, _ := h.admit("0"); !ok {
		t.Error("the first is still remembered")
	}
	if ok, _ := h.admit(fmt.Sprint(maxTracked + 9)); ok {
		t.Error("the last was forgotten")
	}
}

func TestHalfOpenLetsOneThrough(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	h := newHealth(Breaker{Failures: 1, OpenFor: time.Minute}, func() time.Time { return now }, func(string, bool) {})
	h.failed("a")
	now = now.Add(time.Minute)
	for i, want := range []bool{true, false} {
		if ok, _ := h.admit("a"); ok != want {
			t.Errorf("request %d: %v", i, ok)
		}
	}
	h.neutral("a") // the probe's client left: the next one may probe
	if ok, _ := h.admit("a"); !ok {
		t.Error("nobody may probe any more")
	}
}

func TestWaitEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	if err := wait(ctx, time.Nanosecond); err != nil {
		t.Error(err)
	}
	cancel()
	if err := wait(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
