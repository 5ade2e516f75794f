package analytics_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"strata/domain"
	"strata/domain/inference"
	"strata/internal/clickhouse"
	"strata/internal/clickhouse/clickhousetest"
	"strata/projections/analytics"
)

func TestMain(m *testing.M) {
	clickhousetest.Main(m, func() error { return goleak.Find() })
}

// noon is the hub of the times in these tests: near a month's end, so that
// histories cross it.
var noon = time.Date(2026, 10, 31, 12, 0, 0, 0, time.UTC)

// history makes n calls, each a row and most a payload, with positions rising
// by 1 to 3. The times wander over two days around a month's end.
func history(seed uint64, n int, workspace string) []analytics.Item {
	r := rand.New(rand.NewPCG(seed, 1))
	items := make([]analytics.Item, 0, 2*n)
	position := domain.Position(0)
	next := func() domain.Position { position += domain.Position(1 + r.IntN(3)); return position }
	for i := range n {
		started := noon.Add(time.Duration(r.Int64N(int64(48 * time.Hour)))).Add(-12 * time.Hour).Truncate(time.Microsecond)
		call := inference.Recorded{
			ID: fmt.Sprintf("inf_%s_%06d", workspace, i), StartedAt: started,
			Organization: "org_1", Workspace: workspace, User: fmt.Sprintf("user_%d", r.IntN(50)),
			APIKey: pick(r, "key_1", "key_2"), App: pick(r, "", "app_1", "app_2"), Agent: pick(r, "", "agent_1"),
			Type: pick(r, "chat", "chat", "embedding"), RequestedModel: "smart", Model: pick(r, "p/small", "p/large", "q/other"),
			Provider: "p", Status: inference.Success, HTTPStatus: 200, InputTokens: r.Int64N(1000), OutputTokens: r.Int64N(500),
			Cost: domain.Money(r.Int64N(100_000)), LatencyUS: 1000 + r.Int64N(2_000_000), FirstTokenUS: r.Int64N(3) * 100, Attempts: 1,
			Details:       inference.Details{Tags: []string{pick(r, "red", "blue")}, Metadata: map[string]string{"n": fmt.Sprint(i)}},
			CorrelationID: fmt.Sprintf("corr_%d", i/3), RequestID: fmt.Sprintf("req_%d", i),
			Reservations: []inference.Reservation{{BudgetID: "bud_1", ID: fmt.Sprint(i)}},
		}
		if r.IntN(10) == 0 {
			call.Status, call.HTTPStatus, call.ErrorCode, call.Error = inference.Failed, 503, "AI_SERVICE_ERROR", "it's down"
		}
		items = append(items, analytics.Item{
			Position: next(), EventID: uuid.NewSHA1(uuid.Nil, []byte(call.ID)),
			RecordedAt: started.Add(time.Second), Workspace: workspace, Fact: call,
		})
		switch r.IntN(8) {
		case 0: // not recorded
		case 1:
			items = append(items, analytics.Item{Position: next(), RecordedAt: started, Workspace: workspace,
				Fact: domain.Erased{Type: inference.PayloadRecorded{}.EventType()}})
		default:
			items = append(items, analytics.Item{Position: next(), RecordedAt: time.Now().Add(-time.Hour), Workspace: workspace,
				Fact: inference.PayloadRecorded{ID: call.ID, Subject: call.User, Request: []byte(`{"q":"ü"}`), Response: []byte(`{"a":1}`)}})
		}
	}
	return items
}

func pick(r *rand.Rand, values ...string) string { return values[r.IntN(len(values))] }

func last(items []analytics.Item) domain.Position { return items[len(items)-1].Position }

// start runs a writer and returns what stops it again.
func start(t testing.TB, w *analytics.Writer) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = w.Run(ctx) // what it could not flush is the test's subject
	}()
	return func() { cancel(); <-done }
}

// check compares rows, payloads and rollups with the history they come from.
func check(t testing.TB, db *clickhouse.DB, items []analytics.Item) {
	t.Helper()
	var rows, payloads uint64
	var cost, input int64
	for _, it := range items {
		switch fact := it.Fact.(type) {
		case inference.Recorded:
			rows++
			cost += int64(fact.Cost)
			input += fact.InputTokens
		case inference.PayloadRecorded:
			payloads++
		}
	}
	ctx := t.Context()
	for _, q := range []struct {
		what, sql string
		want      uint64
	}{
		{"rows", "SELECT count() FROM inferences", rows},
		{"distinct rows", "SELECT uniqExact(position, id) FROM inferences", rows},
		{"payloads", "SELECT count() FROM inference_payloads", payloads},
		{"distinct payloads", "SELECT uniqExact(position, id) FROM inference_payloads", payloads},
		{"cost", "SELECT toUInt64(sum(cost_micro_usd)) FROM inferences", uint64(cost)},
		{"input tokens", "SELECT sum(input_tokens) FROM inferences", uint64(input)},
	} {
		var got uint64
		must(t, db.Conn().QueryRow(ctx, q.sql).Scan(&got))
		if got != q.want {
			t.Errorf("%s: %d, want %d", q.what, got, q.want)
		}
	}
	for table, floor := range map[string]string{"rollup_minute": "toStartOfMinute", "rollup_hour": "toStartOfHour", "rollup_day": "toStartOfDay", "rollup_user": "toStartOfDay", "rollup_total": "toStartOfHour"} {
		checkRollup(t, db, table, floor)
	}
}

// checkRollup recomputes a rollup from the rows and counts what differs.
func checkRollup(t testing.TB, db *clickhouse.DB, table, floor string) {
	t.Helper()
	keys := "workspace_id, model, provider, app_id, agent_id"
	sums := "sum(calls), sum(errors), sum(input_tokens), sum(output_tokens), sum(cost_micro_usd), sum(latency_us)"
	fromRows := "count(), countIf(status = 'error'), sum(input_tokens), sum(output_tokens), sum(cost_micro_usd), sum(latency_us)"
	const digest, digestOfRows = ", arraySum(quantilesTDigestMerge(0.5, 0.95, 0.99)(ttft)) > 0", ", arraySum(quantilesTDigestIf(0.5, 0.95, 0.99)(ttft_us, ttft_us > 0)) > 0"
	switch table {
	case "rollup_user":
		keys = "workspace_id, end_user"
	case "rollup_total":
		keys = "workspace_id"
		sums, fromRows = sums+digest, fromRows+digestOfRows
	default:
		keys += ", api_key_id, type"
		sums, fromRows = sums+", uniqMerge(users)"+digest, fromRows+", uniqIf(end_user, end_user != '')"+digestOfRows
	}
	rollup := fmt.Sprintf("SELECT bucket AS b, %s, %s FROM %s GROUP BY b, %s", keys, sums, table, keys)
	rows := fmt.Sprintf("SELECT toDateTime(%s(ts), 'UTC') AS b, %s, %s FROM inferences GROUP BY b, %s", floor, keys, fromRows, keys)
	var more, less uint64
	must(t, db.Conn().QueryRow(t.Context(), "SELECT count() FROM ("+rollup+" EXCEPT "+rows+")").Scan(&more))
	must(t, db.Conn().QueryRow(t.Context(), "SELECT count() FROM ("+rows+" EXCEPT "+rollup+")").Scan(&less))
	if more+less > 0 {
		t.Errorf("%s: %d groups are not what the rows say, %d groups of the rows are missing or wrong", table, more, less)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
