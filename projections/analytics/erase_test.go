package analytics_test

import (
	"testing"
	"time"

	"strata/domain"
	"strata/domain/inference"
	"strata/internal/clickhouse"
	"strata/internal/clickhouse/clickhousetest"
	"strata/projections/analytics"
)

// After an erasure the tables hold what they would if the log had been read
// without the person's key, and no part on disk is older than that.
func TestErase(t *testing.T) {
	db := clickhousetest.Open(t, clickhouse.Config{})
	w := analytics.NewWriter(db, quick)
	_, err := w.Resume(t.Context())
	must(t, err)
	stop := start(t, w)
	defer stop()
	items := history(1, 400, "ws_1")
	for _, it := range history(2, 400, "ws_2") {
		it.Position += 10_000
		items = append(items, it)
	}
	deliver(t, w, items)
	must(t, w.Drain(within(t, 30*time.Second)))

	must(t, analytics.NewEraser(db).Erase(within(t, 30*time.Second), []string{"ws_1"}, "user_7"))
	for i, it := range items {
		switch f := it.Fact.(type) {
		case inference.PayloadRecorded:
			if it.Workspace == "ws_1" && f.Subject == "user_7" {
				items[i].Fact = domain.Erased{Type: f.EventType()}
			}
		case inference.Recorded:
			if it.Workspace == "ws_1" && f.User == "user_7" {
				f.Details = inference.Details{}
				items[i].Fact = f
			}
		}
	}
	check(t, db, items)
	for what, q := range map[string]string{
		"words of the person":      "SELECT count() FROM inferences WHERE workspace_id = 'ws_1' AND end_user = 'user_7' AND (error != '' OR notEmpty(tags) OR notEmpty(metadata))",
		"payloads of the person":   "SELECT count() FROM inference_payloads WHERE workspace_id = 'ws_1' AND subject = 'user_7'",
		"replaced parts":           "SELECT count() FROM system.parts WHERE database = currentDatabase() AND table IN ('inferences', 'inference_payloads') AND NOT active",
		"tables with odd settings": "SELECT count() FROM system.tables WHERE database = currentDatabase() AND engine_full LIKE '%old_parts_lifetime%'",
	} {
		var n uint64
		must(t, db.Conn().QueryRow(t.Context(), q).Scan(&n))
		if n > 0 {
			t.Errorf("%s: %d", what, n)
		}
	}
	for what, q := range map[string]string{
		"words of a namesake": "SELECT count() FROM inferences WHERE workspace_id = 'ws_2' AND end_user = 'user_7' AND notEmpty(tags)",
		"payloads of others":  "SELECT count() FROM inference_payloads WHERE subject != 'user_7'",
	} {
		var n uint64
		must(t, db.Conn().QueryRow(t.Context(), q).Scan(&n))
		if n == 0 {
			t.Errorf("%s are gone", what)
		}
	}
	must(t, analytics.NewEraser(db).Erase(within(t, 30*time.Second), []string{"ws_1"}, "user_7")) // again
}
