package kit

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// Eventually calls check until it returns nil. The test fails with check's last
// error when it does not within the time given.
func Eventually(t testing.TB, within time.Duration, what string, check func() error) {
	t.Helper()
	if err := Poll(t.Context(), within, check); err != nil {
		t.Fatalf("%s: not within %s: %v", what, within, err)
	}
}

// Poll calls check until it returns nil, or returns its last error.
func Poll(ctx context.Context, within time.Duration, check func() error) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	tick := time.NewTicker(5 * pollInterval)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// Differ returns an error when got is not want, compared as they print.
func Differ(what string, got, want any) error {
	if fmt.Sprint(got) != fmt.Sprint(want) {
		return fmt.Errorf("%s is %v, want %v", what, got, want)
	}
	return nil
}
